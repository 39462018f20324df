//! Software that is not ours, unmodified, against a running server: `interop/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{self, View};
use crate::report::Count;
use crate::world::World;
use crate::{server, world};

const LIMIT: Duration = Duration::from_secs(300);

/// Why a client cannot run.
enum Unprepared {
    /// The machine has not what it needs.
    Lacking(String),
    /// Its preparation failed.
    Failed(String),
}

impl From<String> for Unprepared {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// One client: what it needs on the machine, how it is prepared, how it is run.
struct Client {
    name: &'static str,
    needs: &'static [&'static str],
    prepare: fn(&Path, &Path) -> Result<(), Unprepared>,
    command: fn(&Path) -> Command,
}

const CLIENTS: &[Client] = &[
    Client {
        name: "curl-openssl",
        needs: &["bash", "curl", "openssl"],
        prepare: |_, _| Ok(()),
        command: |root| script(root, "bash", "curl/run.sh"),
    },
    Client {
        name: "node",
        needs: &["node", "npm"],
        prepare: install_node,
        command: |root| script(root, "node", "node/run.js"),
    },
    Client {
        name: "python",
        needs: &["python3"],
        prepare: |root, logs| Ok(install_python(root, logs)?),
        command: |root| script(root, &python(root).to_string_lossy(), "python/run.py"),
    },
    Client {
        name: "go",
        needs: &["go"],
        prepare: build_go,
        command: |root| Command::new(root.join("target/interop-go")),
    },
    Client {
        name: "apache-mod-oauth2",
        needs: &["bash", "curl", "openssl"],
        prepare: |_, _| Ok(()),
        command: |root| script(root, "bash", "resource-server/run.sh"),
    },
];

/// Starts a server, fills it and runs every client against it.
///
/// # Errors
/// A sentence, when the server or its contents cannot be made.
pub(crate) fn clients(root: &Path, logs: &Path) -> Result<Count, String> {
    let mut server = server::start(root, "interop", &logs.join("interop-server.log"))?;
    let world = world::create(&server, &logs.join("interop-world"))?;
    let mut count = Count::default();
    for client in CLIENTS {
        println!("--- {}", client.name);
        count.add(run(client, root, &world, logs)?);
    }
    if !server.is_alive() {
        count.add(Count::one_failed("the server ended while clients used it"));
    }
    Ok(count)
}

fn run(client: &Client, root: &Path, world: &World, logs: &Path) -> Result<Count, String> {
    if let Some(program) = client
        .needs
        .iter()
        .find(|program| !process::is_installed(program))
    {
        return Ok(Count::one_skipped(format!(
            "{}: {program} is not installed",
            client.name
        )));
    }
    match (client.prepare)(root, logs) {
        Ok(()) => {}
        Err(Unprepared::Lacking(message)) => {
            println!("skipped: {message}");
            return Ok(Count::one_skipped(format!("{}: {message}", client.name)));
        }
        Err(Unprepared::Failed(message)) => {
            println!("{message}");
            return Ok(Count::one_failed(format!("{}: {message}", client.name)));
        }
    }
    let mut command = (client.command)(root);
    command.env("COUNTERSIGN_INTEROP_WORLD", &world.folder);
    let log = logs.join(format!("interop-{}.log", client.name));
    let outcome = process::run(&mut command, &log, View::All, LIMIT)?;
    let count = Count::of_cases(client.name, &outcome.lines);
    if count.passed == 0 && count.failed.is_empty() && count.skipped.is_empty() {
        return Ok(Count::one_failed(format!("{}: ran no case", client.name)));
    }
    Ok(count.with_exit(outcome.success, client.name))
}

/// Lets schemathesis derive requests from the OpenAPI document and judge the answers, on a server of its own.
///
/// # Errors
/// A sentence, when the server cannot be started.
pub(crate) fn schemathesis(root: &Path, logs: &Path) -> Result<Count, String> {
    if !process::is_installed("python3") {
        return Ok(Count::one_skipped("schemathesis: python3 is not installed"));
    }
    if let Err(message) = install_python(root, logs) {
        return Ok(Count::one_failed(format!("schemathesis: {message}")));
    }
    let mut server = server::start(root, "schemathesis", &logs.join("schemathesis-server.log"))?;
    world::create(&server, &logs.join("schemathesis-world"))?;
    let mut command = script(root, &python(root).to_string_lossy(), "python/openapi.py");
    command.env("COUNTERSIGN_INTEROP_WORLD", logs.join("schemathesis-world"));
    let limit = Duration::from_secs(900);
    let outcome = process::run(
        &mut command,
        &logs.join("schemathesis.log"),
        View::All,
        limit,
    )?;
    let mut count = Count::of_cases("schemathesis", &outcome.lines);
    if count.passed == 0 && count.failed.is_empty() {
        count.add(Count::one_failed("schemathesis: ran no case"));
    }
    if !server.is_alive() {
        count.add(Count::one_failed("schemathesis: the server ended"));
    }
    Ok(count.with_exit(outcome.success, "schemathesis"))
}

fn script(root: &Path, interpreter: &str, path: &str) -> Command {
    let mut command = Command::new(interpreter);
    command.arg(root.join("interop").join(path));
    command
}

fn venv(root: &Path) -> PathBuf {
    root.join("target/interop-venv")
}

/// The interpreter that sees the pinned packages, once [`install_python`] has succeeded.
pub(crate) fn python(root: &Path) -> PathBuf {
    venv(root).join("bin/python")
}

/// The locked versions, in the ignored folder `node_modules`.
fn install_node(root: &Path, logs: &Path) -> Result<(), Unprepared> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund"])
        .current_dir(root.join("interop/node"));
    Ok(prepared(&mut npm, &logs.join("interop-npm.log"))?)
}

/// A virtual environment with the pinned requirements; kept while they stay the same.
///
/// # Errors
/// A sentence, when it cannot be made.
pub(crate) fn install_python(root: &Path, logs: &Path) -> Result<(), String> {
    let venv = venv(root);
    let requirements = root.join("interop/python/requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).map_err(|error| error.to_string())?;
    let stamp = venv.join("requirements.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let mut create = Command::new("python3");
    create.args(["-m", "venv", "--clear"]).arg(&venv);
    prepared(&mut create, &logs.join("interop-venv.log"))?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
    ]);
    prepared(pip.arg(&requirements), &logs.join("interop-pip.log"))?;
    std::fs::write(&stamp, wanted).map_err(|error| error.to_string())
}

fn build_go(root: &Path, logs: &Path) -> Result<(), Unprepared> {
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-o"])
        .arg(root.join("target/interop-go"))
        .arg(".");
    // An installed Go that is new enough will do: never fetch another.
    go.env("GOTOOLCHAIN", "local")
        .current_dir(root.join("interop/go"));
    let outcome = process::run(
        &mut go,
        &logs.join("interop-go-build.log"),
        View::All,
        LIMIT,
    )?;
    if outcome.success {
        return Ok(());
    }
    let too_old = outcome
        .lines
        .iter()
        .find(|line| line.contains("requires go >="));
    Err(match too_old {
        Some(line) => Unprepared::Lacking(line.clone()),
        None => Unprepared::Failed("interop/go does not build".to_owned()),
    })
}

fn prepared(command: &mut Command, log: &Path) -> Result<(), String> {
    let what = format!("{command:?}");
    let outcome = process::run(command, log, View::OnFailure, LIMIT)?;
    if outcome.success {
        Ok(())
    } else {
        Err(format!("{what} failed; see {}", log.display()))
    }
}
