//! The real program as a process: started, watched, killed, started again on the same data.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::http::{Body, Terms, send};

/// The program under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_countersign");

/// The public address of every test server: issuers stay the same whatever the port.
pub const PUBLIC_URL: &str = "http://countersign.test";

/// How long a start may take on a slow machine with a debug build.
const START: Duration = Duration::from_secs(30);

/// How a server is started.
#[derive(Clone)]
pub struct Plan {
    pub data: PathBuf,
    pub address: SocketAddr,
    /// Where its output goes.
    pub logs: PathBuf,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, OsString)>,
    /// A command that the program is started through.
    pub through: Vec<&'static str>,
}

impl Plan {
    /// A server on `data`, on a port that was free a moment ago.
    pub fn new(data: &Path) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let logs = data.parent().unwrap().to_owned();
        Self {
            data: data.to_owned(),
            address: listener.local_addr().unwrap(),
            logs,
            arguments: vec!["--public-url".into(), PUBLIC_URL.into()],
            environment: Vec::new(),
            through: Vec::new(),
        }
    }

    fn command(&self) -> Command {
        let mut words = self.through.iter().copied().chain([PROGRAM]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words);
        command.arg("serve").arg("--data").arg(&self.data);
        command.args(["--metrics-listen", "off", "--log-level", "warn"]);
        command.args(["--rate-limit", "0", "--listen", &self.address.to_string()]);
        command.args(&self.arguments);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.envs(environment);
        command.env_remove("COUNTERSIGN_MASTER_KEY");
        command.stdin(Stdio::null());
        command
    }

    /// Starts it and waits until it answers.
    pub fn start(&self) -> Server {
        let server = self.spawn();
        let end = Instant::now() + START;
        let mut server = server;
        loop {
            let answer = send(
                self.address,
                ("GET", "/healthz"),
                Terms::default(),
                &Body::Nothing,
            );
            if answer.is_ok_and(|answer| answer.status == 200) {
                return server;
            }
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended with {status}: {}", self.errors());
            }
            assert!(Instant::now() < end, "no answer: {}", self.errors());
            pause(5);
        }
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> Server {
        let log = |name| File::create(self.logs.join(name)).unwrap();
        let mut command = self.command();
        command.stdout(log("stdout")).stderr(log("stderr"));
        Server {
            child: command.spawn().unwrap(),
            plan: self.clone(),
        }
    }

    /// Starts it where it must refuse to start: exit status and what it says.
    pub fn refused(&self) -> (ExitStatus, String) {
        let output = self.command().output().unwrap();
        (output.status, String::from_utf8(output.stderr).unwrap())
    }

    /// What it has written to standard output since its last start.
    pub fn output(&self) -> String {
        fs::read_to_string(self.logs.join("stdout")).unwrap()
    }

    /// What it has written to standard error since its last start.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.logs.join("stderr")).unwrap_or_default()
    }
}

/// A running server; killed when dropped.
pub struct Server {
    child: Child,
    pub plan: Plan,
}

impl Server {
    pub fn address(&self) -> SocketAddr {
        self.plan.address
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for the orderly end.
    pub fn stop(mut self) -> ExitStatus {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs the program to its end with arguments: whether it succeeded, standard output, standard error.
pub fn run(arguments: &[&str]) -> (bool, String, String) {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (
        output.status.success(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the program under test lives in real time"
)]
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}

/// Lets the other process run.
#[expect(
    clippy::disallowed_methods,
    reason = "what happens in another process is only seen by looking again"
)]
pub fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Looks again and again until something holds.
pub fn eventually(what: &str, seconds: u64, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(seconds);
    while !holds() {
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        pause(50);
    }
}

/// Whether a test may do what only root may.
pub fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}
