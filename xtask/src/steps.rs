//! The steps of `cargo xtask test`, in the order they run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{self, View};
use crate::report::{self, Count, Finished};
use crate::{fuzz, interop, postgres, tools};

/// Which steps to run.
#[derive(Debug)]
pub(crate) enum Selection {
    /// All of them.
    Full,
    /// Those that need only Rust and take minutes at most.
    Quick,
    /// Those whose name contains the text.
    Only(String),
}

struct Step {
    name: &'static str,
    is_quick: bool,
    run: fn(&Context) -> Result<Count, String>,
}

struct Context<'a> {
    root: &'a Path,
    logs: PathBuf,
    is_quick: bool,
}

const STEPS: &[Step] = &[
    Step {
        name: "tools",
        is_quick: false,
        run: |context| tools::install(&context.logs),
    },
    Step {
        name: "format",
        is_quick: true,
        run: format,
    },
    Step {
        name: "lint",
        is_quick: true,
        run: lint,
    },
    Step {
        name: "docs",
        is_quick: false,
        run: docs,
    },
    Step {
        name: "dependencies",
        is_quick: false,
        run: dependencies,
    },
    Step {
        name: "advisories",
        is_quick: false,
        run: advisories,
    },
    Step {
        name: "unit and integration",
        is_quick: true,
        run: unit_and_integration,
    },
    Step {
        name: "release build",
        is_quick: false,
        run: release_build,
    },
    Step {
        name: "interoperability",
        is_quick: false,
        run: |context| interop::clients(context.root, &context.logs),
    },
    Step {
        name: "schemathesis",
        is_quick: false,
        run: |context| interop::schemathesis(context.root, &context.logs),
    },
    Step {
        name: "faults",
        is_quick: false,
        run: faults,
    },
    Step {
        name: "fuzzing",
        is_quick: false,
        run: |context| fuzz::briefly(context.root, &context.logs),
    },
];

/// Runs the steps and prints the summary; true when nothing failed. A failed step does not stop the others.
///
/// # Errors
/// A sentence, when the folder for the logs cannot be made or no step is selected.
pub(crate) fn test(root: &Path, selection: &Selection) -> Result<bool, String> {
    let logs = root.join("target/xtask");
    std::fs::create_dir_all(&logs).map_err(|error| format!("{}: {error}", logs.display()))?;
    let is_quick = matches!(selection, Selection::Quick);
    let context = Context {
        root,
        logs,
        is_quick,
    };
    let selected: Vec<&Step> = STEPS
        .iter()
        .filter(|step| match selection {
            Selection::Full => true,
            Selection::Quick => step.is_quick,
            Selection::Only(part) => step.name.contains(part.as_str()),
        })
        .collect();
    if selected.is_empty() {
        let names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        return Err(format!(
            "no step has that name; there are: {}",
            names.join(", ")
        ));
    }

    let started = Instant::now();
    let mut finished = Vec::new();
    for (index, step) in selected.iter().enumerate() {
        println!("\n==> [{}/{}] {}", index + 1, selected.len(), step.name);
        let begun = Instant::now();
        let count = (step.run)(&context).unwrap_or_else(|message| {
            println!("{message}");
            Count::one_failed(format!("{}: {message}", step.name))
        });
        let took = begun.elapsed();
        let word = if count.failed.is_empty() {
            "done"
        } else {
            "FAILED"
        };
        println!(
            "<== [{}/{}] {} {word} in {:.1} s",
            index + 1,
            selected.len(),
            step.name,
            took.as_secs_f64()
        );
        finished.push(Finished {
            name: step.name,
            count,
            took,
        });
    }
    Ok(report::print(&finished, started.elapsed()))
}

fn format(context: &Context) -> Result<Count, String> {
    check(
        context,
        "format",
        cargo(context).args(["fmt", "--all", "--check"]),
    )
}

fn lint(context: &Context) -> Result<Count, String> {
    let mut clippy = cargo(context);
    clippy.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    check(context, "lint", &mut clippy)
}

fn docs(context: &Context) -> Result<Count, String> {
    let mut doc = cargo(context);
    doc.args([
        "doc",
        "--workspace",
        "--no-deps",
        "--quiet",
        "--document-private-items",
    ]);
    check(context, "docs", doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn dependencies(context: &Context) -> Result<Count, String> {
    if !process::is_installed("cargo-deny") {
        return Ok(Count::one_skipped(
            "dependencies: cargo-deny is not installed",
        ));
    }
    let mut deny = cargo(context);
    deny.args([
        "deny",
        "--workspace",
        "check",
        "bans",
        "licenses",
        "sources",
    ]);
    check(context, "dependencies", &mut deny)
}

/// Advisories come from a database on the network; a machine without a way there can judge nothing.
fn advisories(context: &Context) -> Result<Count, String> {
    if !process::is_installed("cargo-deny") {
        return Ok(Count::one_skipped(
            "advisories: cargo-deny is not installed",
        ));
    }
    let mut deny = cargo(context);
    deny.args(["deny", "--workspace", "check", "advisories"]);
    let log = context.logs.join("advisories.log");
    let outcome = process::run(&mut deny, &log, View::OnFailure, minutes(2))?;
    let unreachable = ["failed to fetch advisory database", "did not end within"];
    let is_unreachable = outcome
        .lines
        .iter()
        .any(|line| unreachable.iter().any(|text| line.contains(text)));
    if is_unreachable {
        println!("skipped: advisories (no database reachable)");
        return Ok(Count::one_skipped("advisories (no database reachable)"));
    }
    Ok(Count {
        passed: usize::from(outcome.success),
        ..Count::default()
    }
    .with_exit(outcome.success, "advisories"))
}

fn unit_and_integration(context: &Context) -> Result<Count, String> {
    let mut test = cargo(context);
    test.args([
        "test",
        "--workspace",
        "--no-fail-fast",
        "--",
        "--show-output",
    ]);
    test.env("INSTA_UPDATE", "no");
    test.env_remove("COUNTERSIGN_TEST_POSTGRES");
    let mut count = Count::default();
    // The tests that ask badkeys skip themselves without it; the interoperability step tells why it is missing.
    if !context.is_quick && interop::install_python(context.root, &context.logs).is_err() {
        count.add(Count::one_skipped(
            "badkeys as an oracle: the Python packages cannot be installed",
        ));
    }
    let python = interop::python(context.root);
    if python.exists() {
        test.env("COUNTERSIGN_PYTHON", python);
    }
    let postgres = if context.is_quick {
        None
    } else if postgres::binaries().is_none() {
        count.add(Count::one_skipped(
            "store and server tests on PostgreSQL: it is not installed",
        ));
        None
    } else {
        Some(postgres::start()?)
    };
    if let Some(postgres) = &postgres {
        test.env("COUNTERSIGN_TEST_POSTGRES", &postgres.url);
        println!("PostgreSQL at {}", postgres.url);
    }
    count.add(cargo_tests(context, "unit-and-integration", &mut test)?);
    Ok(count)
}

fn release_build(context: &Context) -> Result<Count, String> {
    let mut build = cargo(context);
    check(
        context,
        "release-build",
        build.args(["build", "--release", "--package", "countersign"]),
    )
}

/// The tests that kill, starve and mislead a release build. They are `#[ignore]`d for a plain `cargo test`.
fn faults(context: &Context) -> Result<Count, String> {
    if !context.root.join("crates/server/tests/faults.rs").exists() {
        return Ok(Count::one_skipped(
            "faults: there is no crates/server/tests/faults.rs",
        ));
    }
    let mut test = cargo(context);
    test.args([
        "test",
        "--release",
        "--package",
        "countersign",
        "--test",
        "faults",
    ]);
    test.args([
        "--",
        "--include-ignored",
        "--show-output",
        "--test-threads=1",
    ]);
    let postgres = postgres::binaries()
        .map(|_| postgres::start())
        .transpose()?;
    if let Some(postgres) = &postgres {
        test.env("COUNTERSIGN_TEST_POSTGRES", &postgres.url);
    }
    cargo_tests(context, "faults", &mut test)
}

/// One command that passes or fails as a whole.
fn check(context: &Context, name: &'static str, command: &mut Command) -> Result<Count, String> {
    let log = context.logs.join(format!("{name}.log"));
    let outcome = process::run(command, &log, View::All, minutes(30))?;
    Ok(if outcome.success {
        Count::one_passed()
    } else {
        Count::one_failed(name)
    })
}

fn cargo_tests(context: &Context, name: &str, command: &mut Command) -> Result<Count, String> {
    let log = context.logs.join(format!("{name}.log"));
    let outcome = process::run(command, &log, View::Tests, minutes(30))?;
    Ok(Count::of_cargo_test(&outcome.lines).with_exit(outcome.success, name))
}

fn cargo(context: &Context) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(context.root);
    command
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}
