//! The fuzz targets: a few seconds each in the test command, as long as one likes by hand.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, View};
use crate::report::Count;

/// Seconds per target in the test command.
const BRIEFLY: u64 = 10;

/// Runs every target briefly on the inputs in the repository; new inputs stay in `target/`.
///
/// # Errors
/// A sentence, when a log cannot be written.
pub(crate) fn briefly(root: &Path, logs: &Path) -> Result<Count, String> {
    if !root.join("fuzz/Cargo.toml").exists() {
        return Ok(Count::one_skipped("fuzzing: there is no folder fuzz/"));
    }
    if !process::is_installed("cargo-fuzz") {
        return Ok(Count::one_skipped("fuzzing: cargo-fuzz is not installed"));
    }
    let mut build = cargo_fuzz(root);
    build.arg("build");
    let limit = Duration::from_secs(900);
    if !process::run(
        &mut build,
        &logs.join("fuzz-build.log"),
        View::OnFailure,
        limit,
    )?
    .success
    {
        return Ok(Count::one_failed("fuzzing: the targets do not build"));
    }
    let mut count = Count::default();
    for target in targets(root)? {
        let found = root.join("target/fuzz-corpus").join(&target);
        std::fs::create_dir_all(&found).map_err(|error| error.to_string())?;
        let mut command = run_command(root, &target, BRIEFLY, &found);
        let log = logs.join(format!("fuzz-{target}.log"));
        let limit = Duration::from_secs(BRIEFLY + 120);
        let outcome = process::run(&mut command, &log, View::OnFailure, limit)?;
        let done = outcome
            .lines
            .iter()
            .rev()
            .find(|line| line.starts_with("Done "));
        if outcome.success {
            println!("ok fuzz {target}: {}", done.map_or("", |line| line.trim()));
            count.add(Count::one_passed());
        } else {
            println!("not ok fuzz {target}: see {}", log.display());
            count.add(Count::one_failed(format!("fuzz {target}")));
        }
    }
    Ok(count)
}

/// Runs every target for `seconds` and keeps the inputs that reach new code in `fuzz/corpus`.
///
/// # Errors
/// A sentence, when `seconds` is no number or cargo cannot be started.
pub(crate) fn grow(root: &Path, seconds: &str) -> Result<bool, String> {
    let seconds = seconds
        .parse()
        .map_err(|_| format!("{seconds:?} is no number of seconds"))?;
    let mut all_passed = true;
    for target in targets(root)? {
        let corpus = root.join("fuzz/corpus").join(&target);
        std::fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
        let status = run_command(root, &target, seconds, &corpus).status();
        all_passed &= status
            .map_err(|error| format!("cannot start cargo: {error}"))?
            .success();
    }
    Ok(all_passed)
}

/// libFuzzer writes to the first folder and only reads the second.
fn run_command(root: &Path, target: &str, seconds: u64, found: &Path) -> Command {
    let mut command = cargo_fuzz(root);
    command.args(["run", target]).arg(found);
    let corpus = root.join("fuzz/corpus").join(target);
    if corpus != found && corpus.is_dir() {
        command.arg(corpus);
    }
    command.arg("--").arg(format!("-max_total_time={seconds}"));
    command.args(["-rss_limit_mb=4096", "-timeout=10", "-print_final_stats=1"]);
    command
}

fn cargo_fuzz(root: &Path) -> Command {
    let mut command = Command::new("cargo");
    // The sanitizers' flags are nightly ones; this makes the stable compiler accept them.
    command
        .arg("fuzz")
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(root);
    command
}

/// `cargo fuzz run` takes the action first: the names of the files in `fuzz/fuzz_targets`.
fn targets(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("fuzz/fuzz_targets");
    let entries =
        std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    names.sort();
    Ok(names)
}
