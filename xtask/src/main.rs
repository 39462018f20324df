//! `cargo xtask`: every check of the project behind one command.
//!
//! A run is a list of steps ([`steps`]); each step starts programs ([`process`]), and what they counted is
//! added up ([`report`]). What a step needs and the machine lacks is installed first, or named ([`tools`]).

#![expect(
    clippy::print_stdout,
    reason = "a program for a terminal: printing is its work"
)]

mod budgets;
mod fuzz;
mod interop;
mod postgres;
mod process;
mod report;
mod server;
mod steps;
mod tools;
mod world;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test            everything: format, lint, docs, unit, integration, interoperability, faults, fuzzing
  test --quick    format, lint, unit and integration tests on the embedded database
  test --only X   the steps whose name contains X (and the release build, when they need it)
  check           file and function sizes and the other budgets of docs/architecture.md
  bench [NAME…]   the benchmarks, built as packages are (profile dist)
  fuzz SECONDS    each fuzz target for so long; new inputs stay in fuzz/corpus";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let root = workspace_root();
    let result = match words.as_slice() {
        ["test"] => steps::test(&root, &steps::Selection::Full),
        ["test", "--quick"] => steps::test(&root, &steps::Selection::Quick),
        ["test", "--only", part] => steps::test(&root, &steps::Selection::Only((*part).to_owned())),
        ["check"] => budgets::print(&root),
        ["bench", names @ ..] => bench(&root, names),
        ["fuzz", seconds] => fuzz::grow(&root, seconds),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            println!("{message}");
            ExitCode::from(2)
        }
    }
}

/// Passes the names on to the benchmark program and lets it print its own tables.
fn bench(root: &Path, names: &[&str]) -> Result<bool, String> {
    if !root.join("crates/bench/Cargo.toml").exists() {
        return Err("there is no crates/bench in this clone: nothing to measure".to_owned());
    }
    // What is measured is the server as it stands, not one built earlier, and as it is packaged.
    let built = Command::new("cargo")
        .args(["build", "--profile", "dist", "--package", "countersign"])
        .current_dir(root)
        .status()
        .map_err(|error| format!("cannot start cargo: {error}"))?;
    if !built.success() {
        return Ok(false);
    }
    Command::new("cargo")
        .args(["run", "--profile", "dist"])
        .args(["--package", "countersign-bench", "--"])
        .args(names)
        .current_dir(root)
        .status()
        .map(|status| status.success())
        .map_err(|error| format!("cannot start cargo: {error}"))
}

/// The folder above `xtask/`, whatever folder the command was called from.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
