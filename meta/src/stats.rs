//! Means with their uncertainty, paired differences, and the verdicts that follow from them.

use std::fmt;

use serde::Serialize;
use statrs::distribution::{Continuous, ContinuousCDF, StudentsT};

/// The level of every interval in a report, unless it says otherwise.
pub const LEVEL: f64 = 0.95;

/// A mean with its interval: `low ≤ mean ≤ high`, in the unit of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The samples' mean; not a number if there are none.
    pub mean: f64,
    /// Lower end of the interval; −∞ when the samples do not bound it.
    pub low: f64,
    /// Upper end of the interval; +∞ when the samples do not bound it.
    pub high: f64,
    /// Number of samples.
    pub n: usize,
    /// Level of the interval, for instance 0.95.
    pub level: f64,
    /// What was estimated, and how.
    pub estimator: &'static str,
}

impl Estimate {
    /// (high − low) / 2: what stands behind the ±.
    #[must_use]
    pub fn half_width(&self) -> f64 {
        (self.high - self.low) / 2.0
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mean, n, estimator, .. } = self;
        let (half, percent) = (self.half_width(), self.level * 100.0);
        if half.is_finite() {
            write!(f, "{mean:.4} ± {half:.4} ({estimator}, {percent} %, n = {n})")
        } else {
            write!(f, "{mean:.4} (no interval: {estimator}, n = {n})")
        }
    }
}

/// x̄ ± t₍ₙ₋₁₎ · s / √n at level [`LEVEL`], with s² = Σ(x − x̄)² / (n − 1) and t the quantile of Student's t.
///
/// One sample says nothing of its spread: its interval is the whole line. So it is for samples that are not finite.
#[must_use]
pub fn mean_interval(samples: &[f64]) -> Estimate {
    student("mean, Student t", samples, LEVEL)
}

/// The same at any level.
///
/// # Panics
/// If `level` is not between 0 and 1.
#[must_use]
#[track_caller]
pub fn mean_interval_at(samples: &[f64], level: f64) -> Estimate {
    student("mean, Student t", samples, level)
}

/// The mean of aᵢ − bᵢ with its Student t interval: whatever a pair has in common cancels.
///
/// # Panics
/// If the two have different lengths: then they are not pairs.
#[must_use]
#[track_caller]
pub fn paired_difference(a: &[f64], b: &[f64]) -> Estimate {
    assert_eq!(a.len(), b.len(), "paired_difference: {} samples against {}", a.len(), b.len());
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    student("mean paired difference, Student t", &differences, LEVEL)
}

#[track_caller]
fn student(estimator: &'static str, samples: &[f64], level: f64) -> Estimate {
    assert!(level > 0.0 && level < 1.0, "an interval's level lies between 0 and 1, not at {level}");
    let n = samples.len();
    let mean = samples.iter().sum::<f64>() / n as f64;
    let half =
        if n < 2 || !mean.is_finite() { f64::INFINITY } else { quantile(n - 1, level) * standard_error(samples, mean) };
    let (low, high) = if half.is_finite() { (mean - half, mean + half) } else { (f64::NEG_INFINITY, f64::INFINITY) };
    Estimate { mean, low, high, n, level, estimator }
}

/// s / √n.
fn standard_error(samples: &[f64], mean: f64) -> f64 {
    let n = samples.len() as f64;
    let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
    (squares / (n - 1.0) / n).sqrt()
}

/// The t with P(|T| ≤ t) = level, for T of Student's distribution with `freedom` degrees.
fn quantile(freedom: usize, level: f64) -> f64 {
    let student = StudentsT::new(0.0, 1.0, freedom as f64).expect("at least one degree of freedom");
    let p = 0.5 + level / 2.0;
    // The library's quantile is wrong in the fourth digit beyond 10⁵ degrees; its distribution function is not, so two
    // of Newton's steps mend it.
    (0..2).fold(student.inverse_cdf(p), |t, _| t - (student.cdf(t) - p) / student.pdf(t))
}

/// What the data say of a claim "this difference is greater than 0".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The whole interval lies above 0: `low > 0`.
    Supported,
    /// The interval holds no positive value: `high ≤ 0`.
    NotSupported,
    /// The interval holds positive values and others: `low ≤ 0 < high`. More seeds or tasks would decide.
    Undecided,
}

impl Verdict {
    /// Judges the claim "the difference is greater than 0" by the difference's interval.
    #[must_use]
    pub fn of(difference: &Estimate) -> Self {
        if difference.low > 0.0 {
            Self::Supported
        } else if difference.high <= 0.0 {
            Self::NotSupported
        } else {
            Self::Undecided
        }
    }

    /// Judges a claim that needs all of these differences to be greater than 0: one that is not is enough against it.
    pub fn of_all<'a>(differences: impl IntoIterator<Item = &'a Estimate>) -> Self {
        let verdicts: Vec<Self> = differences.into_iter().map(Self::of).collect();
        if verdicts.contains(&Self::NotSupported) {
            Self::NotSupported
        } else if verdicts.contains(&Self::Undecided) {
            Self::Undecided
        } else {
            Self::Supported
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Supported => "supported",
            Self::NotSupported => "not supported",
            Self::Undecided => "undecided",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        let table =
            [(1, 12.706_204_736), (2, 4.302_652_730), (9, 2.262_157_163), (29, 2.045_229_642), (199, 1.971_956_544)];
        for (freedom, t) in table {
            assert!((quantile(freedom, 0.95) - t).abs() < 1e-7 * t, "{freedom}: {}", quantile(freedom, 0.95));
        }
        assert!((quantile(4, 0.99) - 4.604_094_871).abs() < 1e-7);
        // Beyond the tables, by the expansion z + (z³ + z)/4ν around the normal quantile z.
        assert!((quantile(1_000_000, 0.95) - 1.959_966_356_8).abs() < 1e-8, "{}", quantile(1_000_000, 0.95));
    }

    #[test]
    fn interval_of_known_samples() {
        // mean 3, s² = 2.5, s/√5 = 0.70710678, t₄ = 2.776445105
        let e = mean_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((e.mean, e.n, e.level), (3.0, 5, 0.95));
        assert!((e.half_width() - 1.963_243_161).abs() < 1e-7, "{e}");
        assert_eq!(e.to_string(), "3.0000 ± 1.9632 (mean, Student t, 95 %, n = 5)");
        assert!(mean_interval_at(&[1.0, 2.0, 3.0], 0.5).half_width() < mean_interval(&[1.0, 2.0, 3.0]).half_width());
    }

    #[test]
    fn one_sample_bounds_nothing() {
        for samples in [&[7.0][..], &[], &[1.0, f64::NAN], &[1.0, f64::INFINITY], &[f64::MAX, f64::MIN]] {
            let e = mean_interval(samples);
            assert_eq!((e.low, e.high), (f64::NEG_INFINITY, f64::INFINITY), "{samples:?}");
            assert_eq!(Verdict::of(&e), Verdict::Undecided);
            assert!(e.to_string().contains("no interval"), "{e}");
        }
        assert_eq!(mean_interval(&[7.0]).mean, 7.0);
    }

    #[test]
    fn pairing_removes_what_pairs_share() {
        let (a, b) = ([10.1, 20.2, 30.1, 40.2], [10.0, 20.0, 30.0, 40.0]);
        let e = paired_difference(&a, &b);
        assert!((e.mean - 0.15).abs() < 1e-12 && e.half_width() < 0.1, "{e}");
        assert_eq!(Verdict::of(&e), Verdict::Supported);
        assert_eq!(Verdict::of(&paired_difference(&b, &a)), Verdict::NotSupported);
        assert_eq!(Verdict::of(&paired_difference(&a, &a)), Verdict::NotSupported, "all differences are exactly 0");
        assert_eq!(Verdict::of(&mean_interval(&[-1.0, 1.1])), Verdict::Undecided);
    }

    #[test]
    #[should_panic(expected = "2 samples against 1")]
    fn pairs_need_equal_lengths() {
        let _ = paired_difference(&[1.0, 2.0], &[1.0]);
    }

    #[test]
    fn verdicts_read_as_words() {
        let words = [Verdict::Supported, Verdict::NotSupported, Verdict::Undecided].map(|v| v.to_string());
        assert_eq!(words, ["supported", "not supported", "undecided"]);
    }
}
