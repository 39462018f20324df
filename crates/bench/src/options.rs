//! What was asked for on the command line.

use std::path::PathBuf;
use std::time::Duration;

/// How the program is used.
pub(crate) const USAGE: &str = "\
usage: cargo run --release -p countersign-bench -- [BENCHMARK…] [OPTION…]

  token           assertions for access tokens, against the limit of the cryptography (the default)
  introspect      introspection of repeated tokens
  explain         the fourteen checks with what was seen and expected
  import          key import: in process by format, and the preview over HTTP
  scale           many configurations: memory, start, cost per token
  timing          whether the time of a refusal tells its reason
  all             the first four

  --quick             rounds of 1.5 s instead of 4 s; timing: 10000 samples
  --server PATH       the program to measure (default: countersign beside this one)
  --scratch DIR       where data directories are made (default: beside this program)
  --only IN-OUT       token: this combination, such as RS256-ES256
  --connections LIST  token: closed loops with so many connections (default: 1,8,32,256)
  --rates LIST        token: open loops with so many requests a second (default: 2000,6000)
  --rounds N          rounds of which the median is printed (default: 3)
  --configurations N  scale: so many (default: 10000)
  --samples N         timing: requests in all (default: 100000)";

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Benchmark {
    Explain,
    Import,
    Introspect,
    Scale,
    Timing,
    Token,
}

/// The command line, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// In the order of running.
    pub(crate) benchmarks: Vec<Benchmark>,
    /// Short rounds.
    pub(crate) quick: bool,
    /// The program to measure.
    pub(crate) server: Option<PathBuf>,
    /// Where data directories are made.
    pub(crate) scratch: Option<PathBuf>,
    /// The one combination to measure.
    pub(crate) only: Option<String>,
    /// Connections of the closed loops.
    pub(crate) connections: Vec<usize>,
    /// Requests per second of the open loops.
    pub(crate) rates: Vec<u32>,
    /// Rounds of which the median counts.
    pub(crate) rounds: usize,
    /// Configurations of `scale`.
    pub(crate) configurations: usize,
    /// Samples of `timing` in all, if it was said.
    pub(crate) samples: Option<usize>,
}

/// How long things take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Before each measurement.
    pub(crate) warm_up: Duration,
    /// Each measurement of the server.
    pub(crate) round: Duration,
    /// Each measurement of the cryptography.
    pub(crate) limit: Duration,
}

impl Options {
    /// Understands the words after the program's name.
    ///
    /// # Errors
    /// A sentence about the word that makes no sense, and the usage.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            benchmarks: Vec::new(),
            quick: false,
            server: None,
            scratch: None,
            only: None,
            connections: vec![1, 8, 32, 256],
            rates: vec![2_000, 6_000],
            rounds: 3,
            configurations: 10_000,
            samples: None,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || {
                let value = words.next();
                value.ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"))
            };
            match word.as_str() {
                "--quick" => options.quick = true,
                "--server" => options.server = Some(value()?.into()),
                "--scratch" => options.scratch = Some(value()?.into()),
                "--only" => options.only = Some(value()?),
                "--connections" => options.connections = numbers(&value()?)?,
                "--rates" => options.rates = numbers(&value()?)?,
                "--rounds" => options.rounds = number(&value()?)?,
                "--configurations" => options.configurations = number(&value()?)?,
                "--samples" => options.samples = Some(number(&value()?)?),
                name => options.benchmarks.extend(benchmarks(name)?),
            }
        }
        if options.benchmarks.is_empty() {
            options.benchmarks.push(Benchmark::Token);
        }
        let positive = |number: &usize| *number > 0;
        let counts = [options.rounds, options.configurations, options.samples()];
        if options.connections.iter().chain(&counts).all(positive) && !options.rates.contains(&0) {
            Ok(options)
        } else {
            Err(format!("numbers must be positive\n\n{USAGE}"))
        }
    }

    /// Samples of `timing` in all.
    pub(crate) fn samples(&self) -> usize {
        let usual = if self.quick { 10_000 } else { 100_000 };
        self.samples.unwrap_or(usual)
    }

    /// How long things take in this run.
    pub(crate) fn timing(&self) -> Timing {
        let ms = Duration::from_millis;
        if self.quick {
            Timing {
                warm_up: ms(300),
                round: ms(1_500),
                limit: ms(150),
            }
        } else {
            Timing {
                warm_up: ms(700),
                round: ms(4_000),
                limit: ms(300),
            }
        }
    }
}

fn benchmarks(name: &str) -> Result<Vec<Benchmark>, String> {
    use Benchmark::{Explain, Import, Introspect, Scale, Timing, Token};
    Ok(match name {
        "explain" => vec![Explain],
        "import" => vec![Import],
        "introspect" => vec![Introspect],
        "scale" => vec![Scale],
        "timing" => vec![Timing],
        "token" => vec![Token],
        "all" => vec![Token, Introspect, Explain, Import],
        _ => return Err(format!("{name} is no benchmark and no option\n\n{USAGE}")),
    })
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse()
        .map_err(|_| format!("{text} is no number\n\n{USAGE}"))
}

fn numbers<N: std::str::FromStr>(text: &str) -> Result<Vec<N>, String> {
    text.split(',')
        .filter(|part| !part.is_empty())
        .map(number)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn without_words_the_token_benchmark_runs_in_full() {
        let options = parse("").unwrap();
        assert_eq!(options.benchmarks, [Benchmark::Token]);
        assert_eq!(options.connections, [1, 8, 32, 256]);
        assert_eq!(options.timing().round, Duration::from_secs(4));
    }

    #[test]
    fn options_may_stand_before_and_after_the_names() {
        let options = parse("--quick introspect --rates 10,20 --server /x scale").unwrap();
        assert_eq!(
            options.benchmarks,
            [Benchmark::Introspect, Benchmark::Scale]
        );
        assert_eq!(options.rates, [10, 20]);
        assert_eq!(options.server.as_deref(), Some(std::path::Path::new("/x")));
        assert!(options.timing().round < Duration::from_secs(2));
    }

    #[test]
    fn a_quick_measurement_of_timing_has_a_tenth_of_the_samples_unless_told() {
        let samples = |line: &str| parse(line).unwrap().samples();
        assert_eq!(samples("timing"), 100_000);
        assert_eq!(samples("timing --quick"), 10_000);
        assert_eq!(samples("timing --quick --samples 1000"), 1_000);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_usage() {
        for line in [
            "tokens",
            "--connections x",
            "--connections 0",
            "--rounds 0",
            "--samples 0",
            "--only",
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains("usage:"), "{line}: {error}");
        }
    }
}
