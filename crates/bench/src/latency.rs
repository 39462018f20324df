//! Times between asking and being answered, all of them kept, so that the percentiles are exact.

use std::time::Duration;

/// The latencies of one round.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    /// Adds one.
    pub(crate) fn record(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The p50, p99 and p99.9, in milliseconds, by the nearest rank; zeros when there is none.
    pub(crate) fn percentiles(mut self) -> [f64; 3] {
        self.0.sort_unstable();
        [500, 990, 999].map(|per_mille| {
            let rank = (self.0.len() * per_mille).div_ceil(1000);
            let latency = rank.checked_sub(1).and_then(|index| self.0.get(index));
            latency.copied().unwrap_or_default().as_secs_f64() * 1e3
        })
    }
}

/// The middle of some figures; the upper one of two.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred_at_the_nearest_rank() {
        let mut latencies = Latencies::default();
        (1..=1000)
            .rev()
            .for_each(|ms| latencies.record(Duration::from_millis(ms)));
        assert_eq!(latencies.percentiles(), [500.0, 990.0, 999.0]);
        let mut one = Latencies::default();
        one.record(Duration::from_millis(7));
        assert_eq!(one.percentiles(), [7.0; 3]);
        assert_eq!(Latencies::default().percentiles(), [0.0; 3]);
    }

    #[test]
    fn one_outlier_does_not_move_the_median() {
        assert_eq!(median([3.0, 900.0, 2.0]), 3.0);
        assert_eq!(median([]), 0.0);
    }
}
