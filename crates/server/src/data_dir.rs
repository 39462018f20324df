//! The data directory: database, master key, first platform token, and the lock that keeps a second process out.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use countersign_store::DatabaseUrl;

use crate::failure::ServerFailure;

/// Only the owner reads and writes.
const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

/// The embedded database within the directory.
const DATABASE: &str = "countersign.db";

/// An open data directory. The lock is held for as long as this value lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: Option<File>,
    _database_lock: Option<File>,
}

/// What is wrong with a data directory.
#[derive(Debug)]
pub(crate) enum DataDirError {
    /// Another process holds it.
    InUse(PathBuf),
    /// The operating system refuses.
    Io(PathBuf, io::Error),
}

impl DataDir {
    /// Opens the directory for the one process that writes; makes it (mode 0700) if it is missing.
    ///
    /// # Errors
    /// When another process holds it, or it cannot be made or written.
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let fail = |error| DataDirError::Io(path.to_owned(), error);
        if !path.is_dir() {
            DirBuilder::new()
                .recursive(true)
                .mode(PRIVATE_DIRECTORY)
                .create(path)
                .map_err(fail)?;
        }
        Ok(Self {
            path: path.to_owned(),
            _lock: Some(lock(&path.join("lock"), path)?),
            _database_lock: None,
        })
    }

    /// Keeps every other process away from an embedded database outside this directory, which another data directory
    /// could name too: the one process that writes decides in memory which assertions are used.
    ///
    /// # Errors
    /// When another process holds it, or its directory cannot be written.
    pub(crate) fn hold_database(&mut self, url: &DatabaseUrl) -> Result<(), DataDirError> {
        let DatabaseUrl::Sqlite(path) = url else {
            return Ok(());
        };
        if *path == self.path.join(DATABASE) {
            return Ok(());
        }
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        self._database_lock = Some(lock(&real.with_added_extension("lock"), path)?);
        Ok(())
    }

    /// The directory as another process sees it while the server runs: to read from, without the lock.
    pub(crate) fn beside_a_server(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            _lock: None,
            _database_lock: None,
        }
    }

    /// The embedded database of this directory.
    pub(crate) fn database(&self) -> DatabaseUrl {
        DatabaseUrl::Sqlite(self.path.join(DATABASE))
    }

    /// Whether the embedded database is there.
    pub(crate) fn has_database(&self) -> bool {
        self.path.join(DATABASE).exists()
    }

    /// Where the master key is when nothing else provides it.
    pub(crate) fn master_key(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// Where the first platform token is written.
    pub(crate) fn platform_token(&self) -> PathBuf {
        self.path.join("platform-token")
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes a lock that ends with the process; `what` is what it protects.
fn lock(file: &Path, what: &Path) -> Result<File, DataDirError> {
    let fail = |error| DataDirError::Io(what.to_owned(), error);
    let held = private_file().truncate(false).open(file).map_err(fail)?;
    match held.try_lock() {
        Ok(()) => Ok(held),
        Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(what.to_owned())),
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .mode(PRIVATE_FILE);
    options
}

/// Writes a file that only its owner can read, in place of whatever was there: after a crash either the old content is
/// there or the new one, never a part.
///
/// # Errors
/// When the operating system refuses.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("new");
    let mut file = private_file().truncate(true).open(&beside)?;
    file.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    sync_directory_of(path)
}

/// Reads a file that must be its owner's alone; `what` it is, is said when it is not.
///
/// # Errors
/// When it cannot be read, or other users of the machine can.
pub(crate) fn read_private(path: &Path, what: &str) -> Result<String, ServerFailure> {
    let fail = |error| ServerFailure::local(path, &error);
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(ServerFailure::new(format!(
            "{what} {} can be read by other users of this machine: run `chmod 600` on it",
            path.display()
        )));
    }
    fs::read_to_string(path).map_err(fail)
}

/// A new file that only its owner can read, written under another name until it is whole. What is not finished is
/// removed, so that it does not stand in the way of the next attempt.
pub(crate) struct Partial<'a> {
    /// What is written into.
    pub(crate) content: File,
    beside: PathBuf,
    path: &'a Path,
    is_finished: bool,
}

impl<'a> Partial<'a> {
    /// Begins a file; what an attempt that was killed has left of it is overwritten.
    ///
    /// # Errors
    /// When it exists, another process is writing it, or the operating system refuses.
    pub(crate) fn begin(path: &'a Path) -> io::Result<Self> {
        refuse_existing(path)?;
        let beside = path.with_added_extension("partial");
        let content = private_file().truncate(false).open(&beside)?;
        content.try_lock()?;
        content.set_len(0)?;
        content.set_permissions(Permissions::from_mode(PRIVATE_FILE))?;
        Ok(Self {
            content,
            beside,
            path,
            is_finished: false,
        })
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// When a file of that name has appeared meanwhile, or the operating system refuses.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.content.sync_all()?;
        refuse_existing(self.path)?;
        fs::rename(&self.beside, self.path)?;
        self.is_finished = true;
        sync_directory_of(self.path)
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if !self.is_finished {
            // Left over, it is overwritten by the next attempt.
            drop(fs::remove_file(&self.beside));
        }
    }
}

fn refuse_existing(path: &Path) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Ok(())
}

/// Makes the names in the directory of a file durable.
fn sync_directory_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

impl std::fmt::Display for DataDirError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse(path) => write!(
                f,
                "another Countersign is using {}: stop it first, or give this one a directory of its own with --data",
                path.display()
            ),
            Self::Io(path, error) => write!(
                f,
                "the data directory {} cannot be used: {error}",
                path.display()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_finished_does_not_stand_in_the_way() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("backup");
        let begin = || Partial::begin(&path);
        let cut_off = begin().unwrap();
        (&cut_off.content).write_all(b"a part").unwrap();
        assert!(!path.exists(), "a part never has the name");
        assert!(begin().is_err(), "another process is writing it");
        drop(cut_off);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        // What a process that was killed leaves behind.
        fs::write(path.with_added_extension("partial"), "another part").unwrap();
        let whole = begin().unwrap();
        (&whole.content).write_all(b"whole").unwrap();
        whole.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(begin().is_err(), "it exists");
    }
}
