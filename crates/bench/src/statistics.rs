//! Two samples held against each other: the test of Mann and Whitney, which takes no view of how times are distributed.

/// Times of one kind, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<f64>);

/// How one sample stands to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// The share of pairs in which the first is the larger one, equal pairs counting half: 0.5 when they are alike.
    pub(crate) slower: f64,
    /// By how many standard deviations that share differs from 0.5, if both come from one distribution. It grows with
    /// the root of the number of samples; 0 when all values are equal.
    pub(crate) z: f64,
}

impl FromIterator<f64> for Sample {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Sample {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A percentile by the nearest rank; 0 when there is no value.
    pub(crate) fn percentile(&self, per_cent: usize) -> f64 {
        let rank = (self.0.len() * per_cent).div_ceil(100);
        let value = rank.checked_sub(1).and_then(|index| self.0.get(index));
        value.copied().unwrap_or_default()
    }

    /// The test of Mann and Whitney with the normal approximation, corrected for ties; good from some twenty values on.
    pub(crate) fn compare(&self, other: &Self) -> Comparison {
        let (own, others) = (self.0.len() as f64, other.0.len() as f64);
        let all = own + others;
        let mut values: Vec<(f64, bool)> = self.0.iter().map(|value| (*value, true)).collect();
        values.extend(other.0.iter().map(|value| (*value, false)));
        values.sort_by(|left, right| left.0.total_cmp(&right.0));
        let (mut own_ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
        for equal in values.chunk_by(|left, right| left.0 == right.0) {
            let count = equal.len() as f64;
            let of_ours = equal.iter().filter(|(_, is_own)| *is_own).count() as f64;
            // Equal values share the middle of their ranks.
            own_ranks += of_ours * (before + f64::midpoint(count, 1.0));
            ties += count.powi(3) - count;
            before += count;
        }
        let wins = own_ranks - own * (own + 1.0) / 2.0;
        let variance = own * others / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)));
        Comparison {
            slower: wins / (own * others),
            z: if variance > 0.0 {
                (wins - own * others / 2.0) / variance.sqrt()
            } else {
                0.0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        values.iter().copied().collect()
    }

    #[test]
    fn percentiles_are_values_that_occurred_at_the_nearest_rank() {
        let hundred: Sample = (1..=100).rev().map(f64::from).collect();
        assert_eq!(
            (hundred.percentile(50), hundred.percentile(90)),
            (50.0, 90.0)
        );
        assert_eq!(Sample::default().percentile(50), 0.0);
    }

    /// Worked by hand: the first wins 2 of 9 pairs, and no two are equal.
    #[test]
    fn the_comparison_counts_the_pairs_that_are_won() {
        let comparison = sample(&[1.0, 4.0, 3.0]).compare(&sample(&[2.0, 5.0, 6.0]));
        assert!(
            (comparison.slower - 2.0 / 9.0).abs() < 1e-12,
            "{comparison:?}"
        );
        let expected = (2.0 - 4.5) / 5.25_f64.sqrt();
        assert!((comparison.z - expected).abs() < 1e-12, "{comparison:?}");
    }

    /// Worked by hand: 1 win and 4 halves of 16 pairs; two values occur three times each.
    #[test]
    fn equal_values_count_half_and_narrow_the_variance() {
        let comparison = sample(&[1.0, 2.0, 2.0, 3.0]).compare(&sample(&[2.0, 3.0, 3.0, 4.0]));
        assert!(
            (comparison.slower - 3.0 / 16.0).abs() < 1e-12,
            "{comparison:?}"
        );
        let expected = (3.0 - 8.0) / (16.0 / 12.0 * (9.0 - 48.0 / 56.0_f64)).sqrt();
        assert!((comparison.z - expected).abs() < 1e-12, "{comparison:?}");
    }

    #[test]
    fn alike_is_alike_and_swapping_turns_the_sign() {
        let low: Sample = (0..500).map(|value| f64::from(value % 97)).collect();
        let high: Sample = (0..500).map(|value| f64::from(value % 97) + 20.0).collect();
        assert_eq!(
            low.compare(&low),
            Comparison {
                slower: 0.5,
                z: 0.0
            }
        );
        let (up, down) = (high.compare(&low), low.compare(&high));
        assert!(
            up.z > 8.0 && (up.z + down.z).abs() < 1e-9,
            "{up:?} {down:?}"
        );
        let same = sample(&[7.0; 30]);
        assert_eq!(
            same.compare(&same),
            Comparison {
                slower: 0.5,
                z: 0.0
            }
        );
    }
}
