//! A server under test: the release binary on a private port with a data folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process;

/// A running `countersign serve`. Dropping it stops the server and removes its data.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    data: PathBuf,
    /// `http://127.0.0.1:PORT`, also the server's public URL.
    pub(crate) url: String,
    /// The platform token that the first run left in its data folder.
    pub(crate) token: String,
}

/// Starts the binary and waits until `/readyz` says yes.
///
/// # Errors
/// A sentence, when the server does not start; its own words are in `log`.
#[expect(
    clippy::disallowed_methods,
    reason = "what is set is taken away, not read"
)]
pub(crate) fn start(root: &Path, name: &str, log: &Path) -> Result<Server, String> {
    let binary = root.join("target/release/countersign");
    if !binary.exists() {
        return Err(format!("{} is not built", binary.display()));
    }
    let data = std::env::temp_dir().join(format!("countersign-{name}-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&data));
    let address = format!("127.0.0.1:{}", process::free_port()?);
    let metrics = format!("127.0.0.1:{}", process::free_port()?);
    let url = format!("http://{address}");
    let output =
        std::fs::File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
    let errors = output.try_clone().map_err(|error| error.to_string())?;
    let mut serve = Command::new(&binary);
    // What the shell has set for another instance must not reach this one.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("COUNTERSIGN_") {
            serve.env_remove(name);
        }
    }
    let child = serve
        .args([
            "serve",
            "--listen",
            &address,
            "--public-url",
            &url,
            "--metrics-listen",
            &metrics,
        ])
        .arg("--data")
        .arg(&data)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
    let mut server = Server {
        child,
        data,
        url,
        token: String::new(),
    };
    let ready = format!("{}/readyz", server.url);
    let up = process::wait_until(Duration::from_secs(20), || {
        process::answer("curl", &["--silent", "--fail", &ready]).is_some()
    });
    if !up {
        return Err(format!(
            "{ready} did not answer 200 within 20 s; see {}",
            log.display()
        ));
    }
    let token = server.data.join("platform-token");
    server.token = std::fs::read_to_string(&token)
        .map_err(|error| format!("{}: {error}", token.display()))?
        .trim()
        .to_owned();
    Ok(server)
}

impl Server {
    /// One call of the admin API with the platform token; the body of a 2xx answer.
    ///
    /// # Errors
    /// A sentence with the status and body of any other answer.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        if_match: Option<&str>,
        body: &Value,
    ) -> Result<Value, String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--write-out", "\n%{http_code}"])
            .args([
                "--request",
                method,
                "--header",
                "Content-Type: application/json",
            ])
            .args(["--header", &format!("Authorization: Bearer {}", self.token)])
            .args([
                "--data-binary",
                &body.to_string(),
                &format!("{}{path}", self.url),
            ]);
        if let Some(version) = if_match {
            curl.args(["--header", &format!("If-Match: {version}")]);
        }
        let output = curl
            .output()
            .map_err(|error| format!("cannot start curl: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let (answer, status) = text.rsplit_once('\n').unwrap_or(("", "no answer"));
        if !status.starts_with('2') {
            return Err(format!("{method} {path}: {status} {answer}"));
        }
        serde_json::from_str(answer)
            .map_err(|error| format!("{method} {path}: {error} in {answer:?}"))
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            // Reaped before its files go; how a killed process ended says nothing.
            drop(self.child.wait());
        }
        drop(std::fs::remove_dir_all(&self.data));
    }
}
