//! The master key: seals the signing keys at rest. From a systemd credential, the environment, or a file.

use std::path::Path;

use countersign_crypto::MasterKey;

use crate::data_dir::{DataDir, read_private, write_private};
use crate::failure::ServerFailure;

/// Name of the systemd credential.
const CREDENTIAL: &str = "countersign-master-key";

/// Reads the master key; makes one in the data directory at the first start.
///
/// The order is: systemd credential, `COUNTERSIGN_MASTER_KEY`, the file of the data directory.
///
/// # Errors
/// When it cannot be read, is malformed, or lies open to other users of the machine.
pub(crate) fn read_or_create(data: &DataDir) -> Result<MasterKey, ServerFailure> {
    match find(data)? {
        Some(key) => Ok(key),
        None => {
            let key = MasterKey::generate();
            write_private(
                &data.master_key(),
                format!("{}\n", key.to_text().as_str()).as_bytes(),
            )
            .map_err(|error| ServerFailure::local(&data.master_key(), &error))?;
            Ok(key)
        }
    }
}

/// Reads the master key, if there is one.
///
/// # Errors
/// As [`read_or_create`].
fn find(data: &DataDir) -> Result<Option<MasterKey>, ServerFailure> {
    match given()? {
        Some(key) => Ok(Some(key)),
        None if data.master_key().exists() => read(&data.master_key()).map(Some),
        None => Ok(None),
    }
}

/// Reads the master key where there must be one already.
///
/// # Errors
/// When there is none, or as [`read_or_create`].
pub(crate) fn read_existing(data: &DataDir) -> Result<MasterKey, ServerFailure> {
    match find(data)? {
        Some(key) => Ok(key),
        None => Err(ServerFailure::new(format!(
            "there is no master key: put the one that the database was made with at {} (chmod 600), or in \
             COUNTERSIGN_MASTER_KEY",
            data.master_key().display()
        ))),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "secrets of the environment are read here and nowhere else"
)]
fn given() -> Result<Option<MasterKey>, ServerFailure> {
    if let Ok(directory) = std::env::var("CREDENTIALS_DIRECTORY") {
        let path = Path::new(&directory).join(CREDENTIAL);
        if path.exists() {
            return read(&path).map(Some);
        }
    }
    match std::env::var("COUNTERSIGN_MASTER_KEY") {
        Ok(text) => parse(&text, "COUNTERSIGN_MASTER_KEY").map(Some),
        Err(_) => Ok(None),
    }
}

fn read(path: &Path) -> Result<MasterKey, ServerFailure> {
    parse(
        &read_private(path, "the master key")?,
        &path.display().to_string(),
    )
}

fn parse(text: &str, source: &str) -> Result<MasterKey, ServerFailure> {
    MasterKey::from_text(text.trim())
        .map_err(|error| ServerFailure::new(format!("the master key in {source}: {error}")))
}
