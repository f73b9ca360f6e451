//! What the seeds found at the places of a sweep: points, gains, and statistics for the claims.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    LearnerName,
    stats::{Estimate, Verdict, mean_interval_at},
};

/// A place of a sweep (of a map, with a parameter across) with its closed forms, where there are any.
#[derive(Clone, PartialEq, Debug)]
pub struct Place {
    /// The sweep's name.
    pub sweep: String,
    /// What varies.
    pub parameter: String,
    /// Its value.
    pub value: f64,
    /// What varies across, and its value.
    pub across: Option<(String, f64)>,
    /// What is measured.
    pub measure: Measure,
    /// The closed forms of NAL and MAML.
    pub theory: [Option<f64>; 2],
    /// The closed forms of E(NAL) / E(MAML) and E(NAL) − E(MAML).
    pub theory_gain: Option<[f64; 2]>,
}

/// What a sweep measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// E_m(ŵ): the excess risk after adaptation of the trained solutions, on fresh tasks and samples.
    Risk,
    /// ½ (ŵ − w)ᵀ E\[M\] (ŵ − w): how far the empirical solutions lie from those of the population, in the metric of that
    /// risk.
    Estimation,
}

/// A place with what each seed measured there, of NAL and of MAML on the same tasks.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// Where.
    pub place: Place,
    /// One pair for each seed.
    pub pairs: Vec<[f64; 2]>,
}

/// A point of a figure, beside its closed form.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The sweep's name.
    pub sweep: String,
    /// What varies.
    pub parameter: String,
    /// Its value.
    pub value: f64,
    /// What varies across, in a map.
    pub across_parameter: Option<String>,
    /// Its value.
    pub across_value: Option<f64>,
    /// "NAL" or "MAML".
    pub learner: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// The closed form; none where there is none.
    pub theory: Option<f64>,
    /// The mean over seeds.
    pub mean: f64,
    /// Lower end of its Student t interval; null if the seeds do not bound it.
    pub ci_low: f64,
    /// Upper end.
    pub ci_high: f64,
    /// The standard error of the mean.
    pub standard_error: f64,
    /// How many seeds.
    pub seeds: usize,
}

/// What MAML gains over NAL at a place, beside the closed form.
#[derive(Clone, Debug, Serialize)]
pub struct Gain {
    /// The sweep's name.
    pub sweep: String,
    /// What varies.
    pub parameter: String,
    /// Its value.
    pub value: f64,
    /// What varies across, in a map.
    pub across_parameter: Option<String>,
    /// Its value.
    pub across_value: Option<f64>,
    /// E(NAL) / E(MAML) in closed form.
    pub theory_ratio: Option<f64>,
    /// The geometric mean over seeds of E(NAL) / E(MAML), each pair on the same tasks.
    pub ratio: f64,
    /// Lower end of its interval: that of the logarithms, Student t.
    pub ratio_low: f64,
    /// Upper end.
    pub ratio_high: f64,
    /// E(NAL) − E(MAML) in closed form.
    pub theory_difference: Option<f64>,
    /// The mean over seeds of E(NAL) − E(MAML).
    pub difference: f64,
    /// Lower end of its Student t interval.
    pub difference_low: f64,
    /// Upper end.
    pub difference_high: f64,
    /// How many seeds.
    pub seeds: usize,
}

/// How well simulation and closed forms agree: z = (mean − theory) / standard error over all points with a closed form.
#[derive(Clone, Debug, Serialize)]
pub struct Agreement {
    /// How many points.
    pub points: usize,
    /// The share of them with |z| ≤ 2; Student's t expects about 95 %.
    pub within_2: f64,
    /// How many of them have |z| > 4.
    pub beyond_4: usize,
    /// The largest |z|.
    pub largest_z: f64,
}

/// A claim of the paper, and what a run says of it.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Its letter.
    pub id: &'static str,
    /// What is claimed.
    pub statement: String,
    /// All of these must be above 0 for the claim to be supported.
    pub statistics: Vec<Statistic>,
    /// "supported", "not supported" or "undecided".
    pub verdict: String,
}

/// A number that a claim says is above 0.
#[derive(Clone, Debug, Serialize)]
pub struct Statistic {
    /// What it is.
    pub what: String,
    /// What the samples are, such as "seeds".
    pub over: &'static str,
    /// Mean and interval.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// What the interval says of "above 0".
    pub verdict: String,
}

impl Measured {
    /// What both learners came to, as points.
    pub fn points(&self, level: f64) -> [Point; 2] {
        LearnerName::BOTH.map(|learner| {
            let place = &self.place;
            let samples: Vec<f64> = self.pairs.iter().map(|pair| pair[learner as usize]).collect();
            let Estimate { mean, low, high, n, .. } = mean_interval_at(&samples, level);
            let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
            Point {
                sweep: place.sweep.clone(),
                parameter: place.parameter.clone(),
                value: place.value,
                across_parameter: place.across.as_ref().map(|across| across.0.clone()),
                across_value: place.across.as_ref().map(|across| across.1),
                learner: learner.name(),
                measure: place.measure,
                theory: place.theory[learner as usize],
                mean,
                ci_low: low,
                ci_high: high,
                standard_error: (squares / (n as f64 - 1.0) / n as f64).sqrt(),
                seeds: n,
            }
        })
    }

    /// What MAML gains; none where no risk is measured.
    pub fn gain(&self, level: f64) -> Option<Gain> {
        let place = &self.place;
        let interval = |of: fn(&[f64; 2]) -> f64| {
            let samples: Vec<f64> = self.pairs.iter().map(of).collect();
            mean_interval_at(&samples, level)
        };
        let (ratio, difference) = (interval(log_gain), interval(|[nal, maml]| nal - maml));
        (place.measure == Measure::Risk).then(|| Gain {
            sweep: place.sweep.clone(),
            parameter: place.parameter.clone(),
            value: place.value,
            across_parameter: place.across.as_ref().map(|across| across.0.clone()),
            across_value: place.across.as_ref().map(|across| across.1),
            theory_ratio: place.theory_gain.map(|gain| gain[0]),
            ratio: ratio.mean.exp(),
            ratio_low: ratio.low.exp(),
            ratio_high: ratio.high.exp(),
            theory_difference: place.theory_gain.map(|gain| gain[1]),
            difference: difference.mean,
            difference_low: difference.low,
            difference_high: difference.high,
            seeds: self.pairs.len(),
        })
    }
}

/// ln E(NAL) − ln E(MAML) of a pair.
pub(super) fn log_gain([nal, maml]: &[f64; 2]) -> f64 {
    (nal / maml).ln()
}

impl Agreement {
    pub(super) fn of(points: &[Point]) -> Self {
        let z = |point: &Point| {
            let apart = point.mean - point.theory?;
            Some(if apart == 0.0 { 0.0 } else { (apart / point.standard_error).abs() })
        };
        let all: Vec<f64> = points.iter().filter_map(z).collect();
        Self {
            points: all.len(),
            within_2: all.iter().filter(|z| **z <= 2.0).count() as f64 / all.len() as f64,
            beyond_4: all.iter().filter(|z| **z > 4.0).count(),
            largest_z: all.iter().fold(0.0, |max, z| z.max(max)),
        }
    }
}

impl Claim {
    pub(super) fn of(id: &'static str, statement: String, statistics: Vec<Statistic>) -> Self {
        let verdict = Verdict::of_all(statistics.iter().map(|statistic| &statistic.estimate));
        Self { id, statement, statistics, verdict: verdict.to_string() }
    }
}

impl Statistic {
    pub(super) fn of(what: String, over: &'static str, samples: &[f64], level: f64) -> Self {
        let estimate = mean_interval_at(samples, level);
        Self { what, over, verdict: Verdict::of(&estimate).to_string(), estimate }
    }
}

/// The samples of most statistics.
pub(super) const SEEDS: &str = "seeds";

/// What the gain is called in statistics.
pub(super) const GAIN: &str = "ln(E_NAL/E_MAML)";

/// The places of one sweep, in the order of the parameter, with the same seeds at each.
pub(super) struct Swept {
    pub(super) measured: Vec<Measured>,
    pub(super) level: f64,
}

impl Swept {
    /// None for fewer than two places, or if they have not the same number of seeds.
    pub(super) fn of(mut measured: Vec<Measured>, level: f64) -> Option<Self> {
        measured.sort_by(|a, b| a.place.value.total_cmp(&b.place.value));
        let seeds = measured.first()?.pairs.len();
        let whole = measured.len() > 1 && measured.iter().all(|at| at.pairs.len() == seeds);
        whole.then_some(Self { measured, level })
    }

    pub(super) fn value(&self, place: usize) -> f64 {
        self.measured[place].place.value
    }

    pub(super) fn last(&self) -> usize {
        self.measured.len() - 1
    }

    fn seeds(&self) -> usize {
        self.measured[0].pairs.len()
    }

    fn log_gain(&self, place: usize, seed: usize) -> f64 {
        log_gain(&self.measured[place].pairs[seed])
    }

    fn by_seed(&self, what: String, of: impl Fn(usize) -> f64) -> Statistic {
        Statistic::of(what, SEEDS, &(0..self.seeds()).map(of).collect::<Vec<_>>(), self.level)
    }

    /// The gain at one place.
    pub(super) fn gain_at(&self, place: usize, name: &str) -> Statistic {
        self.by_seed(format!("{GAIN} at {name}"), |seed| self.log_gain(place, seed))
    }

    /// For each seed the least-squares slope of the gain against a function of the parameter, with a sign.
    pub(super) fn slope(&self, x: impl Fn(f64) -> f64, name: &str, sign: f64) -> Statistic {
        let xs: Vec<f64> = self.measured.iter().map(|at| x(at.place.value)).collect();
        let mean = xs.iter().sum::<f64>() / xs.len() as f64;
        let square: f64 = xs.iter().map(|x| (x - mean).powi(2)).sum();
        let minus = if sign < 0.0 { "-" } else { "" };
        self.by_seed(format!("{minus}slope of {GAIN} against {name}"), |seed| {
            let products = xs.iter().enumerate().map(|(place, x)| (x - mean) * self.log_gain(place, seed));
            sign * products.sum::<f64>() / square
        })
    }

    /// For each seed a small share of its gain at one place, less its gain at another where the claim says there is none.
    pub(super) fn negligible(&self, place: usize, name: &str, share: f64, largest: usize) -> Statistic {
        let parameter = &self.measured[largest].place.parameter;
        let what = format!("{share} of {GAIN} at {parameter} = {} less that at {name}", self.value(largest));
        self.by_seed(what, |seed| share * self.log_gain(largest, seed) - self.log_gain(place, seed))
    }

    /// The place with the largest ratio in closed form.
    pub(super) fn largest_in_theory(&self) -> usize {
        let ratio = |i: &usize| self.measured[*i].place.theory_gain.map_or(0.0, |gain| gain[0]);
        (0..self.measured.len()).max_by(|a, b| ratio(a).total_cmp(&ratio(b))).expect("a sweep has places")
    }
}

/// The address of the random numbers of a place: that of its sweep and values, so that other places do not move it.
pub(super) fn address(sweep: &str, value: f64, across: Option<f64>) -> u64 {
    let mut hash = Sha256::new();
    hash.update(sweep.as_bytes());
    for value in [Some(value), across].into_iter().flatten() {
        hash.update(value.to_le_bytes());
    }
    let digest = hash.finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("a digest has more than 8 bytes"))
}

/// A config with the number of one of its top-level keys replaced.
///
/// # Errors
/// There is no such number, or a count is given a fraction.
pub(super) fn with_number<C: Serialize + DeserializeOwned>(config: &C, key: &str, value: f64) -> Result<C, String> {
    let mut tree = serde_json::to_value(config).map_err(|error| error.to_string())?;
    let number = tree.get_mut(key).filter(|found| found.is_number());
    let number = number.ok_or_else(|| format!("`{key}` is no number of the config"))?;
    *number = if number.is_f64() {
        serde_json::Value::from(value)
    } else if value >= 0.0 && value.fract() == 0.0 && value <= 1e9 {
        serde_json::Value::from(value as u64)
    } else {
        return Err(format!("`{key}` cannot be {value}: it is a count"));
    };
    serde_json::from_value(tree).map_err(|error| error.to_string())
}
