//! `countersign doctor`: looks for what would keep the server from working, before it does.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use countersign_service::Clock as _;
use countersign_store::Database;

use crate::cli::DoctorArgs;
use crate::console::line;
use crate::data_dir::DataDir;
use crate::failure::ServerFailure;
use crate::wall_clock::WallClock;
use crate::{master_key, offline, tls};

/// Checks data directory, master key, database, disk, and the certificate of the listener if there is one; says what to do
/// about each finding, and changes nothing.
///
/// # Errors
/// When something would keep the server from starting, or soon from being believed.
pub(crate) fn run(args: &DoctorArgs) -> Result<(), ServerFailure> {
    let data = DataDir::beside_a_server(&args.store.data);
    let mut findings = 0;
    let mut report = |what: &str, outcome: Result<String, String>| match outcome {
        Ok(fine) => line(&format!("ok       {what}: {fine}")),
        Err(problem) => {
            findings += 1;
            line(&format!("problem  {what}: {problem}"));
        }
    };
    report("data directory", directory(data.path()));
    report(
        "master key",
        master_key::read_existing(&data)
            .map(|_| "readable, private".into())
            .map_err(|e| e.to_string()),
    );
    report("database", database(args, &data));
    if let Some(files) = tls::Files::named(&args.tls) {
        report("TLS certificate", certificate(files));
    }
    if findings == 0 {
        Ok(())
    } else {
        Err(ServerFailure::new(format!("{findings} problem(s) found")))
    }
}

fn directory(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path)
        .map_err(|error| format!("{}: {error}; `countersign serve` makes it", path.display()))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(format!(
            "{} is open to other users: run `chmod 700` on it",
            path.display()
        ));
    }
    Ok(format!("{}, private", path.display()))
}

fn certificate(mut files: tls::Files) -> Result<String, String> {
    let current = files.read().map_err(|failure| failure.to_string())?;
    let place = files.certificate().display();
    if current.renew_by <= WallClock.now() {
        return Err(format!("{place} ends at {}: renew it", current.ends));
    }
    Ok(format!("{place}, until {}", current.ends))
}

fn database(args: &DoctorArgs, data: &DataDir) -> Result<String, String> {
    if args.store.database.is_none() && !data.has_database() {
        return Err("there is none yet; `countersign serve` makes it".to_owned());
    }
    let opened = offline::block_on(async {
        let url = offline::database_url(&args.store, data)?;
        let database = Database::open_as_it_is(&url).await?;
        let organizations = database.organization_count().await?;
        database.close().await;
        Ok(organizations)
    });
    let organizations = opened.map_err(|failure| failure.to_string())?;
    Ok(format!(
        "schema version {}, {organizations} organization(s)",
        countersign_store::SCHEMA_VERSION
    ))
}
