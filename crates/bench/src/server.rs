//! The program under test, as an operator runs it: one worker, one processor, a database on disk.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::admin::Admin;
use crate::cores::{self, Cores};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// How to start servers.
#[derive(Clone, Debug)]
pub(crate) struct Launcher {
    /// The program.
    pub(crate) program: PathBuf,
    /// Where temporary data directories are made. It decides what a flush to disk costs.
    pub(crate) scratch: PathBuf,
    /// Who runs where.
    pub(crate) cores: Cores,
}

/// A running server; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    data: PathBuf,
    cores: Cores,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Processor time, user and system.
    pub(crate) cpu: Duration,
    /// Resident memory now, in KiB.
    pub(crate) resident_kib: u64,
    /// Resident memory at its highest, in KiB.
    pub(crate) peak_kib: u64,
}

impl Launcher {
    /// An empty directory for a server's data; it goes when the value goes.
    ///
    /// # Errors
    /// A sentence, when it cannot be made.
    pub(crate) fn data(&self) -> Result<tempfile::TempDir, String> {
        tempfile::Builder::new()
            .prefix("countersign-bench-")
            .tempdir_in(&self.scratch)
            .map_err(|error| {
                format!(
                    "no temporary directory in {}: {error}",
                    self.scratch.display()
                )
            })
    }

    /// Starts a server on a data directory, without waiting for it.
    ///
    /// # Errors
    /// A sentence, when the program cannot be started.
    pub(crate) fn spawn(&self, directory: &Path) -> Result<Server, String> {
        let address = free_address()?;
        let data = directory.join("data");
        let log = File::create(directory.join("server.log"))
            .map_err(|error| format!("no log in {}: {error}", directory.display()))?;
        let mut command = Command::new(&self.program);
        command
            .arg("serve")
            .args(["--listen", &address.to_string()])
            .args(["--public-url", &format!("http://{address}")])
            .arg("--data")
            .arg(&data)
            .args([
                "--metrics-listen",
                "off",
                "--workers",
                "1",
                "--rate-limit",
                "0",
            ])
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log);
        // A process starts on the processor of the thread that starts it.
        cores::pin(self.cores.server)?;
        let child = command.spawn();
        cores::pin(self.cores.generator)?;
        let child =
            child.map_err(|error| format!("cannot start {}: {error}", self.program.display()))?;
        Ok(Server {
            child,
            address,
            data,
            cores: self.cores,
        })
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// A sentence with the end of its log, when it does not.
    pub(crate) fn start(&self, directory: &Path) -> Result<Server, String> {
        let mut server = self.spawn(directory)?;
        server.wait_until(|address| Admin::connect(address, "")?.is_healthy())?;
        Ok(server)
    }
}

impl Server {
    /// Asks `ready` every millisecond until it says yes.
    ///
    /// # Errors
    /// A sentence with the end of the log, when the server ends or a minute passes.
    #[expect(
        clippy::disallowed_methods,
        reason = "another program gives no event to wait for"
    )]
    pub(crate) fn wait_until(
        &mut self,
        mut ready: impl FnMut(SocketAddr) -> Result<bool, String>,
    ) -> Result<(), String> {
        let started = Instant::now();
        loop {
            // Until it listens, every attempt fails.
            if matches!(ready(self.address), Ok(true)) {
                return Ok(());
            }
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                return Err(format!(
                    "the server does not answer; its log ends:\n{}",
                    self.log_end()
                ));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A connection with the platform's API token.
    ///
    /// # Errors
    /// A sentence, when there is no token or nobody listens.
    pub(crate) fn admin(&self) -> Result<Admin, String> {
        Admin::connect(self.address, &self.platform_token()?)
    }

    /// The platform's API token.
    ///
    /// # Errors
    /// A sentence, when the server has not written it.
    pub(crate) fn platform_token(&self) -> Result<String, String> {
        let path = self.data.join("platform-token");
        std::fs::read_to_string(&path)
            .map(|token| token.trim().to_owned())
            .map_err(|error| format!("cannot read {}: {error}", path.display()))
    }

    /// What it has used so far, from `/proc`.
    ///
    /// # Errors
    /// A sentence, when the server has ended.
    pub(crate) fn usage(&self) -> Result<Usage, String> {
        let read = |file: &str| {
            let path = format!("/proc/{}/{file}", self.child.id());
            std::fs::read_to_string(&path)
                .map_err(|error| format!("the server has ended ({path}: {error})"))
        };
        usage(
            &read("stat")?,
            &read("status")?,
            rustix::param::clock_ticks_per_second(),
        )
        .ok_or_else(|| "this kernel's /proc has another form".to_owned())
    }

    /// The last lines that it printed.
    pub(crate) fn log_end(&self) -> String {
        let path = self.data.with_file_name("server.log");
        let log = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// The processors of the run.
    pub(crate) fn cores(&self) -> Cores {
        self.cores
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// A sentence, when it does not within a minute.
    #[expect(
        clippy::disallowed_methods,
        reason = "another program gives no event to wait for"
    )]
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or("not a process ID")?;
        kill_process(pid, Signal::TERM).map_err(|error| error.to_string())?;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self
                .child
                .try_wait()
                .map_err(|error| error.to_string())?
                .is_some()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(format!(
            "the server does not end; its log ends:\n{}",
            self.log_end()
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails when the process has ended by itself, which is what was wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_address() -> Result<SocketAddr, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

/// Reads `/proc/PID/stat` and `/proc/PID/status` (proc(5)).
fn usage(stat: &str, status: &str, ticks_per_second: u64) -> Option<Usage> {
    // The second field is the program's name in parentheses and may hold anything; `utime` and `stime` are the 12th
    // and 13th after it.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    let kib = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_end_matches("kB").trim().parse().ok()
    };
    Some(Usage {
        cpu: Duration::from_millis(ticks * 1000 / ticks_per_second.max(1)),
        resident_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_behind_a_program_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 3 0 1 1 1";
        let status = "Name:\ta\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\nThreads:\t3\n";
        let expected = Usage {
            cpu: Duration::from_secs(2),
            resident_kib: 1024,
            peak_kib: 2048,
        };
        assert_eq!(usage(stat, status, 100), Some(expected));
        assert_eq!(usage("", status, 100), None);
    }

    #[test]
    fn a_server_that_ends_at_once_is_reported_with_its_last_words() {
        let directory = tempfile::tempdir().unwrap();
        let launcher = Launcher {
            program: "/bin/ls".into(),
            scratch: directory.path().into(),
            cores: Cores::choose().unwrap(),
        };
        let error = launcher.start(directory.path()).unwrap_err();
        assert!(error.contains("serve"), "{error}");
    }
}
