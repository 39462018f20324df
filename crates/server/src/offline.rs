//! Commands that work on the database itself: migrate, backup, restore, and the OpenAPI document.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};

use countersign_service::{Clock as _, mark_restored};
use countersign_store::{Database, DatabaseUrl, Store, read_backup, write_backup};

use crate::cli::{BackupArgs, MigrateArgs, RestoreArgs, StoreArgs};
use crate::console::{line, note};
use crate::data_dir::{DataDir, Partial};
use crate::failure::ServerFailure;
use crate::master_key;
use crate::wall_clock::WallClock;

/// Brings the database to the schema of this program.
///
/// # Errors
/// When it cannot be opened, or is newer than the program.
pub(crate) fn migrate(args: &MigrateArgs) -> Result<(), ServerFailure> {
    let data = hold(&args.store)?;
    block_on(async {
        let database = Database::open(&database_url(&args.store, &data)?).await?;
        line(&format!(
            "The database is at schema version {}.",
            countersign_store::SCHEMA_VERSION
        ));
        database.close().await;
        Ok(())
    })
}

/// Writes a consistent copy, also while a server runs.
///
/// # Errors
/// When the file exists, or the database cannot be read or is not at the schema of this program.
pub(crate) fn backup(args: &BackupArgs) -> Result<(), ServerFailure> {
    let data = DataDir::beside_a_server(&args.store.data);
    if args.store.database.is_none() && !data.has_database() {
        return Err(ServerFailure::new(format!(
            "there is no database in {}",
            data.path().display()
        )));
    }
    block_on(async {
        let master = master_key::read_existing(&data)?;
        // As it is: the server that uses it may be an older one.
        let database = Database::open_as_it_is(&database_url(&args.store, &data)?).await?;
        let store = Store::new(database, master.mac_key("row"));
        let in_words = |error: io::Error| ServerFailure::local(&args.file, &error);
        let partial = Partial::begin(&args.file).map_err(in_words)?;
        let mut out = BufWriter::new(&partial.content);
        let summary = write_backup(&store, &mut out).await?;
        out.flush().map_err(in_words)?;
        drop(out);
        partial.finish().map_err(in_words)?;
        line(&format!(
            "Wrote {} rows to {}.",
            summary.rows,
            args.file.display()
        ));
        note("The master key is not in the backup: keep it elsewhere, or the backup is worthless.");
        Ok(())
    })
}

/// Reads a backup into an empty database and raises its restore epoch.
///
/// # Errors
/// When the file is damaged, forged or of another master key, or the database is not empty or cannot be written.
pub(crate) fn restore(args: &RestoreArgs) -> Result<(), ServerFailure> {
    let data = hold(&args.store)?;
    let file = File::open(&args.file).map_err(|error| ServerFailure::local(&args.file, &error))?;
    block_on(async {
        let master = master_key::read_existing(&data)?;
        let database = Database::open(&database_url(&args.store, &data)?).await?;
        let store = Store::new(database, master.mac_key("row"));
        let mut unit = store.write().await?;
        let summary = read_backup(&mut unit, &mut BufReader::new(file)).await?;
        mark_restored(&mut unit, &master, WallClock.now()).await?;
        unit.commit().await?;
        store.database().close().await;
        line(&format!(
            "Restored {} rows from {}.",
            summary.rows,
            args.file.display()
        ));
        line("");
        line(
            "Before it issues tokens again, somebody must look at what happened since the backup:",
        );
        line("  1. start the server; it prints a new platform token (all API tokens were revoked)");
        line("  2. suspend or rotate what was suspended or rotated since the backup");
        line("  3. countersign instance confirm-restore");
        line(
            "Access tokens made before are refused, and assertions signed until half a minute after the confirmation.",
        );
        Ok(())
    })
}

/// Prints the OpenAPI document of the admin API.
///
/// # Errors
/// Never; the signature is that of the other commands.
pub(crate) fn openapi() -> Result<(), ServerFailure> {
    line(&countersign_http::openapi_json());
    Ok(())
}

/// The database that the arguments name.
///
/// # Errors
/// When the URL is malformed.
pub(crate) fn database_url(args: &StoreArgs, data: &DataDir) -> Result<DatabaseUrl, ServerFailure> {
    match &args.database {
        Some(url) => Ok(DatabaseUrl::parse(url)?),
        None => Ok(data.database()),
    }
}

/// Opens the data directory, and keeps every other process out of it and away from its database.
///
/// # Errors
/// When another process has one of them, or they cannot be used.
pub(crate) fn hold(args: &StoreArgs) -> Result<DataDir, ServerFailure> {
    let in_words = |error: crate::data_dir::DataDirError| ServerFailure::new(error.to_string());
    let mut data = DataDir::open(&args.data).map_err(in_words)?;
    data.hold_database(&database_url(args, &data)?)
        .map_err(in_words)?;
    Ok(data)
}

/// Runs a short task to its end on a runtime of its own.
///
/// # Errors
/// As the task, or when no runtime can be made.
pub(crate) fn block_on<T>(
    task: impl Future<Output = Result<T, ServerFailure>>,
) -> Result<T, ServerFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime
        .map_err(|error| ServerFailure::new(error.to_string()))?
        .block_on(task)
}
