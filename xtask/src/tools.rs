//! What the steps need beside Rust, and how it gets on the machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, View};
use crate::report::Count;

/// A Debian package and how to see that its program is there.
struct Package {
    names: &'static [&'static str],
    wanted_for: &'static str,
    is_present: fn() -> bool,
}

const PACKAGES: &[Package] = &[
    Package {
        names: &["postgresql"],
        wanted_for: "the store and server tests on PostgreSQL",
        is_present: || crate::postgres::binaries().is_some(),
    },
    Package {
        names: &["apache2", "libapache2-mod-oauth2"],
        wanted_for: "a resource server that checks our tokens",
        is_present: || Path::new("/usr/lib/apache2/modules/mod_oauth2.so").exists(),
    },
    Package {
        names: &["openssl"],
        wanted_for: "keys and the client made of curl and openssl",
        is_present: || process::is_installed("openssl"),
    },
    Package {
        names: &["openssh-client"],
        wanted_for: "SSH signatures, made by one and verified by the other",
        is_present: || process::is_installed("ssh-keygen"),
    },
    Package {
        names: &["curl", "ca-certificates"],
        wanted_for: "the client made of curl and openssl",
        is_present: || process::is_installed("curl"),
    },
    Package {
        names: &["nodejs", "npm"],
        wanted_for: "the clients from npm",
        is_present: || process::is_installed("node") && process::is_installed("npm"),
    },
    Package {
        names: &["python3", "python3-venv"],
        wanted_for: "the clients from PyPI and schemathesis",
        is_present: || process::answer("python3", &["-c", "import venv, ensurepip"]).is_some(),
    },
    Package {
        names: &["faketime"],
        wanted_for: "the fault tests that turn the clock back",
        is_present: || process::is_installed("faketime"),
    },
];

/// A program that `cargo install` brings. Debug builds: they run for seconds and build in half the time.
const CARGO_TOOLS: &[(&str, &str)] = &[
    ("cargo-deny", "the rules for dependencies and licences"),
    ("cargo-fuzz", "the fuzz targets"),
];

/// Installs what is missing. What cannot be installed is named; the steps that need it are then skipped.
///
/// # Errors
/// A sentence, when a log cannot be written.
pub(crate) fn install(logs: &Path) -> Result<Count, String> {
    let mut count = Count::default();
    let missing: Vec<&Package> = PACKAGES.iter().filter(|one| !(one.is_present)()).collect();
    if !missing.is_empty() {
        install_packages(&missing, logs)?;
        for package in missing.iter().filter(|one| !(one.is_present)()) {
            let names = package.names.join(" ");
            count.add(Count::one_skipped(format!(
                "{}: install the Debian packages {names}",
                package.wanted_for
            )));
        }
    }
    for (tool, wanted_for) in CARGO_TOOLS {
        if !process::is_installed(tool) && !install_with_cargo(tool, logs)? {
            count.add(Count::one_skipped(format!(
                "{wanted_for}: cargo install --locked {tool}"
            )));
        }
    }
    if count.skipped.is_empty() {
        println!("everything is there");
        return Ok(Count::one_passed());
    }
    Ok(count)
}

fn install_packages(missing: &[&Package], logs: &Path) -> Result<(), String> {
    let names: Vec<&str> = missing.iter().flat_map(|one| one.names).copied().collect();
    let is_root = process::answer("id", &["-u"]).is_some_and(|id| id == "0");
    if !is_root || !process::is_installed("apt-get") {
        println!(
            "missing; install them with: sudo apt-get install {}",
            names.join(" ")
        );
        return Ok(());
    }
    println!("installing {}", names.join(" "));
    let log = logs.join("apt-get.log");
    process::run(&mut apt(&["update"]), &log, View::OnFailure, minutes(5))?;
    // One by one: a package that this release of Debian lacks must not keep the others away.
    for package in missing {
        let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
        arguments.extend(package.names);
        let log = logs.join(format!("apt-get-{}.log", package.names[0]));
        process::run(&mut apt(&arguments), &log, View::OnFailure, minutes(10))?;
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").args(arguments);
    // RUNLEVEL keeps a fresh package from starting its service: only our own instances shall run.
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    command
}

fn install_with_cargo(tool: &str, logs: &Path) -> Result<bool, String> {
    println!("installing {tool}");
    let mut command = Command::new("cargo");
    command
        .args(["install", "--locked", "--debug", tool])
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    let log = logs.join(format!("install-{tool}.log"));
    Ok(process::run(&mut command, &log, View::OnFailure, minutes(20))?.success)
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
