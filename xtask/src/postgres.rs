//! A PostgreSQL of our own: a fresh cluster in a temporary folder on a private port, gone after the run.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::process;

/// A running server. Dropping it stops the server and removes its files.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Child,
    folder: PathBuf,
    /// Where tests connect: a database owner who may create databases and schemas.
    pub(crate) url: String,
}

/// The folder with `initdb` and `postgres` of the newest version installed, at least 15.
pub(crate) fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let binaries = entry.path().join("bin");
            (version >= 15 && binaries.join("initdb").exists()).then_some((version, binaries))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, binaries)| binaries)
}

/// Starts a server with the settings PostgreSQL ships (`fsync` on), reachable over TCP on 127.0.0.1 only.
///
/// # Errors
/// A sentence, when the cluster cannot be made or does not answer.
pub(crate) fn start() -> Result<Postgres, String> {
    let binaries = binaries().ok_or("PostgreSQL 15 or newer is not installed")?;
    let owner = owner();
    let folder = std::env::temp_dir().join(format!("countersign-postgres-{}", std::process::id()));
    remove(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::chown(&folder, Some(user), Some(group))
            .map_err(|error| format!("cannot hand over {}: {error}", folder.display()))?;
    }

    let cluster = folder.join("cluster");
    if let Err(message) = make_cluster(&binaries, owner, &cluster) {
        remove(&folder);
        return Err(message);
    }
    let port = process::free_port()?.to_string();
    let log = std::fs::File::create(folder.join("log")).map_err(|error| error.to_string())?;
    let server = as_owner(&binaries.join("postgres"), owner, &folder)
        .arg("-D")
        .arg(&cluster)
        .args([
            "-p",
            &port,
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "max_connections=300",
        ])
        .args(["-c", "unix_socket_directories="])
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot start postgres: {error}"))?;
    let url = format!("postgres://countersign@127.0.0.1:{port}/postgres");
    let postgres = Postgres {
        server,
        folder,
        url,
    };
    let is_ready = binaries.join("pg_isready").to_string_lossy().into_owned();
    let up = process::wait_until(Duration::from_secs(30), || {
        process::answer(&is_ready, &["--quiet", "--host=127.0.0.1", "--port", &port]).is_some()
    });
    if up {
        Ok(postgres)
    } else {
        Err("PostgreSQL did not answer within 30 s".to_owned())
    }
}

fn make_cluster(binaries: &Path, owner: Option<(u32, u32)>, cluster: &Path) -> Result<(), String> {
    let folder = cluster.parent().unwrap_or(cluster);
    let mut initdb = as_owner(&binaries.join("initdb"), owner, folder);
    initdb.arg("--pgdata").arg(cluster);
    initdb.args([
        "--username=countersign",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C.UTF-8",
    ]);
    let made = initdb
        .output()
        .map_err(|error| format!("cannot start initdb: {error}"))?;
    if made.status.success() {
        Ok(())
    } else {
        let cause = String::from_utf8_lossy(&made.stderr);
        Err(format!("initdb: {}", cause.trim()))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown; a kill would leave its shared memory behind.
        process::answer("kill", &["-INT", &self.server.id().to_string()]);
        let ended = process::wait_until(Duration::from_secs(20), || {
            matches!(self.server.try_wait(), Ok(Some(_)))
        });
        if !ended && self.server.kill().is_ok() {
            // Reaped, so that the folder is free; how it ended no longer matters.
            drop(self.server.wait());
        }
        remove(&self.folder);
    }
}

/// PostgreSQL refuses to run as root: then its own user and group from the package, otherwise nobody else.
fn owner() -> Option<(u32, u32)> {
    if process::answer("id", &["-u"])? != "0" {
        return None;
    }
    let user = process::answer("id", &["-u", "postgres"])?.parse().ok()?;
    let group = process::answer("id", &["-g", "postgres"])?.parse().ok()?;
    Some((user, group))
}

fn as_owner(program: &Path, owner: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).stdin(Stdio::null());
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn remove(folder: &Path) {
    // Missing is what we want; left over is a few MiB in the temporary folder.
    drop(std::fs::remove_dir_all(folder));
}
