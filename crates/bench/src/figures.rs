//! What a round comes down to, and the medians of several.

use crate::latency::median;
use crate::load::{self, Outcome, Plan};
use crate::server::{Server, Usage};

/// The figures of one round, or the medians of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    /// Successes in a second.
    pub(crate) per_second: f64,
    /// p50, p99 and p99.9, in milliseconds.
    pub(crate) latency_ms: [f64; 3],
    /// The server's processor time for one success, in microseconds.
    pub(crate) cpu_us: f64,
    /// The server's resident memory at the end, in MiB.
    pub(crate) resident_mib: f64,
    /// The server's resident memory at its highest, in MiB.
    pub(crate) peak_mib: f64,
    /// Successes in a second, divided by the limit of the cryptography.
    pub(crate) ratio: f64,
    /// Answers that were no success.
    pub(crate) failures: usize,
    /// The first of them.
    pub(crate) first_failure: Option<String>,
}

impl Figures {
    /// Puts load on a server for one round.
    ///
    /// # Errors
    /// A sentence, when the round could not be completed.
    pub(crate) fn measure(server: &Server, plan: &Plan<'_>) -> Result<Self, String> {
        let outcome = load::run(plan, || server.usage())
            .map_err(|error| format!("{error}\n{}", server.log_end()))?;
        Ok(Self::from(outcome))
    }

    /// The medians of some rounds; failures are added up.
    pub(crate) fn median(rounds: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| median(rounds.iter().map(figure));
        Self {
            per_second: middle(|round| round.per_second),
            latency_ms: [
                middle(|round| round.latency_ms[0]),
                middle(|round| round.latency_ms[1]),
                middle(|round| round.latency_ms[2]),
            ],
            cpu_us: middle(|round| round.cpu_us),
            resident_mib: middle(|round| round.resident_mib),
            peak_mib: middle(|round| round.peak_mib),
            ratio: middle(|round| round.ratio),
            failures: rounds.iter().map(|round| round.failures).sum(),
            first_failure: rounds.iter().find_map(|round| round.first_failure.clone()),
        }
    }

    /// Prints how many answers were failures, and the first one, if there is any.
    pub(crate) fn print_failures(&self) {
        if self.failures > 0 {
            let first = self.first_failure.as_deref().unwrap_or("no answer");
            println!("  {} failures; the first: {first}", self.failures);
        }
    }
}

impl From<Outcome<Usage>> for Figures {
    fn from(outcome: Outcome<Usage>) -> Self {
        let [before, after] = outcome.probes;
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Self {
            per_second: outcome.per_second(),
            cpu_us: cpu * 1e6 / (outcome.successes.max(1) as f64),
            latency_ms: outcome.latencies.percentiles(),
            resident_mib: after.resident_kib as f64 / 1024.0,
            peak_mib: after.peak_kib as f64 / 1024.0,
            ratio: 0.0,
            failures: outcome.failures,
            first_failure: outcome.first_failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_all_rounds_count() {
        let round = |per_second, failures| Figures {
            per_second,
            failures,
            first_failure: (failures > 0).then(|| "503".to_owned()),
            ..Figures::default()
        };
        let all = Figures::median(&[round(1.0, 0), round(9.0, 2), round(5.0, 1)]);
        assert_eq!((all.per_second, all.failures), (5.0, 3));
        assert_eq!(all.first_failure.as_deref(), Some("503"));
    }
}
