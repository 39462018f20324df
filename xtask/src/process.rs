//! Starts a program, shows what it prints line by line, keeps it in a log, and ends it when it hangs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How much of a program's output goes to the terminal. The log always has all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Every line.
    All,
    /// Every line but what passing tests printed.
    Tests,
    /// Nothing, unless the program fails: then its last lines.
    OnFailure,
}

/// How a program ended, and what it printed (standard output and error, in the order they came).
#[derive(Debug)]
pub(crate) struct Outcome {
    /// It exited with 0 within its time.
    pub(crate) success: bool,
    /// All it printed.
    pub(crate) lines: Vec<String>,
}

/// Runs `command` to its end, or for at most `limit`.
///
/// # Errors
/// A sentence, when the program cannot be started or its log cannot be written.
pub(crate) fn run(
    command: &mut Command,
    log: &Path,
    view: View,
    limit: Duration,
) -> Result<Outcome, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut log = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot start {program}: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    forward(child.stdout.take(), sender.clone());
    forward(child.stderr.take(), sender);

    let started = Instant::now();
    let mut screen = Screen {
        view,
        inside_successes: false,
    };
    let mut lines = Vec::new();
    let mut timed_out = false;
    loop {
        match receiver.recv_timeout(limit.saturating_sub(started.elapsed())) {
            Ok(line) => {
                writeln!(log, "{line}").map_err(|error| format!("cannot write a log: {error}"))?;
                screen.show(&line);
                lines.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                timed_out = true;
                kill_tree(child.id());
                lines.push(format!(
                    "{program} did not end within {} s",
                    limit.as_secs()
                ));
                break;
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cannot wait for {program}: {error}"))?;
    let success = status.success() && !timed_out;
    if !success && view == View::OnFailure {
        let from = lines.len().saturating_sub(40);
        lines
            .iter()
            .skip(from)
            .for_each(|line| println!("    {line}"));
    } else if timed_out {
        println!("    {program} did not end within {} s", limit.as_secs());
    }
    Ok(Outcome { success, lines })
}

/// What a short command printed, trimmed; `None` when it cannot be started or fails.
pub(crate) fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

/// Whether a program of that name is in the search path.
#[expect(clippy::disallowed_methods, reason = "the search path is the question")]
pub(crate) fn is_installed(program: &str) -> bool {
    let Some(paths) = std::env::var_os("PATH") else {
        return false;
    };
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Asks `ready` every 50 ms until it says yes or `limit` has passed.
#[expect(
    clippy::disallowed_methods,
    reason = "other programs give no event to wait for"
)]
pub(crate) fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let started = Instant::now();
    loop {
        if ready() {
            return true;
        }
        if started.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A TCP port of the loopback interface that nothing listens on now.
pub(crate) fn free_port() -> Result<u16, String> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

fn forward(pipe: Option<impl Read + Send + 'static>, sender: Sender<String>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
            let line = String::from_utf8_lossy(&bytes)
                .trim_end_matches(['\n', '\r'])
                .to_owned();
            bytes.clear();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
}

/// Ends a process and everything it started. Killing `cargo` alone would leave its tests running.
fn kill_tree(pid: u32) {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        if let Ok(child) = child.parse() {
            kill_tree(child);
        }
    }
    // A process that ended by itself meanwhile is what was wanted.
    answer("kill", &["-KILL", &pid.to_string()]);
}

struct Screen {
    view: View,
    inside_successes: bool,
}

impl Screen {
    fn show(&mut self, line: &str) {
        match self.view {
            View::All => println!("{line}"),
            View::OnFailure => {}
            View::Tests => {
                // The sections that `--show-output` adds: wanted in the log, noise on the terminal.
                match line {
                    "successes:" => self.inside_successes = true,
                    "failures:" => self.inside_successes = false,
                    _ if line.starts_with("test result:") => self.inside_successes = false,
                    _ => {}
                }
                if !self.inside_successes || line.starts_with("skipped: ") {
                    println!("{line}");
                }
            }
        }
    }
}
