//! The benchmarks: the real server on one processor, a load generator that never sleeps on another, and the
//! cryptography by itself as the yardstick. `docs/performance.md` explains the figures.

#![expect(
    clippy::print_stdout,
    reason = "a program for a terminal: printing is its work"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "each assertion has a name of its own"
)]

mod admin;
mod clients;
mod connection;
mod cores;
mod figures;
mod import;
mod latency;
mod limit;
mod load;
mod options;
mod requests;
#[cfg(test)]
mod responder;
mod response;
mod scale;
mod server;
mod statistics;
mod steady;
mod table;
mod timing;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cores::Cores;
use crate::options::{Benchmark, Options};
use crate::server::Launcher;

fn main() -> ExitCode {
    let result = Options::parse(std::env::args().skip(1)).and_then(|options| run(&options));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let launcher = launcher(options)?;
    print_surroundings(&launcher, options);
    for benchmark in &options.benchmarks {
        cores::pin(launcher.cores.generator)?;
        match benchmark {
            Benchmark::Explain => steady::explain(&launcher, options)?,
            Benchmark::Import => import::run(&launcher, options)?,
            Benchmark::Introspect => steady::introspect(&launcher, options)?,
            Benchmark::Scale => scale::run(&launcher, options)?,
            Benchmark::Timing => timing::run(&launcher, options)?,
            Benchmark::Token => token::run(&launcher, options)?,
        }
    }
    Ok(())
}

fn launcher(options: &Options) -> Result<Launcher, String> {
    let own = std::env::current_exe().map_err(|error| format!("where am I? {error}"))?;
    let beside = own.parent().map(PathBuf::from).unwrap_or_default();
    let program = options
        .server
        .clone()
        .unwrap_or_else(|| beside.join("countersign"));
    if !program.is_file() {
        return Err(format!(
            "there is no {}: run `cargo build --release -p countersign`, or name the program with --server",
            program.display()
        ));
    }
    Ok(Launcher {
        program,
        scratch: options.scratch.clone().unwrap_or(beside),
        cores: Cores::choose()?,
    })
}

fn print_surroundings(launcher: &Launcher, options: &Options) {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown processor", |text| {
        text.trim_start_matches([' ', '\t', ':'])
    });
    let Cores { server, generator } = launcher.cores;
    println!(
        "{model}; server on processor {server}, load generator on {generator}; medians of {} rounds of {:.1} s",
        options.rounds,
        options.timing().round.as_secs_f64()
    );
    if launcher.cores.are_shared() {
        println!(
            "WARNING: only one processor is allowed; both sides share it, and the figures mean little"
        );
    }
    if cfg!(debug_assertions) {
        println!("WARNING: this is a debug build; use --release");
    }
}
