//! What the seeds say of each cell, beside its closed form.

use serde::Serialize;

use super::{
    cell::{Cell, Draw},
    config::{Config, Measure},
    run::Run,
};
use crate::{
    LearnerName,
    stats::{Estimate, mean_interval_at},
};

/// A simulated point of a figure, beside its closed form.
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

/// What MAML gains over NAL at a cell, beside the closed form.
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
    pub theory_ratio: f64,
    /// The geometric mean over seeds of E(NAL) / E(MAML), each pair on the same tasks.
    pub ratio: f64,
    /// Lower end of its interval: that of the logarithms, Student t.
    pub ratio_low: f64,
    /// Upper end.
    pub ratio_high: f64,
    /// E(NAL) − E(MAML) in closed form.
    pub theory_difference: f64,
    /// The mean over seeds of E(NAL) − E(MAML).
    pub difference: f64,
    /// Lower end of its Student t interval.
    pub difference_low: f64,
    /// Upper end.
    pub difference_high: f64,
    /// How many seeds.
    pub seeds: usize,
}

/// What one seed found of one learner at a cell: a line of `rows.csv`.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
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
    /// The seed.
    pub seed: u64,
    /// "NAL" or "MAML".
    pub learner: &'static str,
    /// What is measured.
    pub measure: Measure,
    /// What it came to.
    pub result: f64,
    /// For risks those of each group, in order, separated by spaces.
    pub by_group: String,
    /// How far MAML's solution lies from NAL's towards its limit for m → ∞, as a share of the way.
    pub lean: Option<f64>,
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

/// ln E(NAL) − ln E(MAML) of a draw.
pub(super) fn log_gain(cell: &Cell, draw: &Draw) -> f64 {
    (cell.measured(draw, LearnerName::Nal) / cell.measured(draw, LearnerName::Maml)).ln()
}

/// The names of what varies at a cell.
fn names(config: &Config, cell: &Cell) -> (String, Option<String>) {
    let sweep = &config.sweep[&cell.sweep];
    (sweep.parameter.to_string(), sweep.across.as_ref().map(|across| across.parameter.to_string()))
}

impl Run {
    /// The simulated points, cell by cell, NAL before MAML.
    pub fn points(&self) -> Vec<Point> {
        let of_cell = |(cell, draws): (&Cell, &[Draw])| {
            LearnerName::BOTH.map(|learner| {
                let (parameter, across_parameter) = names(self.config(), cell);
                let samples: Vec<f64> = draws.iter().map(|draw| cell.measured(draw, learner)).collect();
                let Estimate { mean, low, high, n, .. } = mean_interval_at(&samples, self.config().level);
                let squares: f64 = samples.iter().map(|x| (x - mean) * (x - mean)).sum();
                Point {
                    sweep: cell.sweep.clone(),
                    parameter,
                    value: cell.value,
                    across_parameter,
                    across_value: cell.across,
                    learner: learner.name(),
                    measure: cell.measure,
                    theory: cell.theory(learner),
                    mean,
                    ci_low: low,
                    ci_high: high,
                    standard_error: (squares / (n as f64 - 1.0) / n as f64).sqrt(),
                    seeds: n,
                }
            })
        };
        self.finished().flat_map(of_cell).collect()
    }

    /// What MAML gains at each cell of a risk.
    pub fn gains(&self) -> Vec<Gain> {
        let of_cell = |(cell, draws): (&Cell, &[Draw])| {
            let (parameter, across_parameter) = names(self.config(), cell);
            let interval = |of: &dyn Fn(&Draw) -> f64| {
                mean_interval_at(&draws.iter().map(of).collect::<Vec<_>>(), self.config().level)
            };
            let ratio = interval(&|draw| log_gain(cell, draw));
            let difference =
                interval(&|draw| cell.measured(draw, LearnerName::Nal) - cell.measured(draw, LearnerName::Maml));
            Gain {
                sweep: cell.sweep.clone(),
                parameter,
                value: cell.value,
                across_parameter,
                across_value: cell.across,
                theory_ratio: cell.comparison.ratio(),
                ratio: ratio.mean.exp(),
                ratio_low: ratio.low.exp(),
                ratio_high: ratio.high.exp(),
                theory_difference: cell.comparison.difference,
                difference: difference.mean,
                difference_low: difference.low,
                difference_high: difference.high,
                seeds: draws.len(),
            }
        };
        self.finished().filter(|(cell, _)| cell.measure == Measure::Risk).map(of_cell).collect()
    }

    /// Everything that the seeds found, line by line.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (cell, draws) in self.finished() {
            for (draw, &seed) in draws.iter().zip(&self.config().seeds) {
                for learner in LearnerName::BOTH {
                    let (parameter, across_parameter) = names(self.config(), cell);
                    let groups = draw.risks[learner as usize].iter();
                    let by_group: Vec<String> = groups.map(|r| r.map_or("-".into(), |r| r.to_string())).collect();
                    rows.push(Row {
                        sweep: cell.sweep.clone(),
                        parameter,
                        value: cell.value,
                        across_parameter,
                        across_value: cell.across,
                        seed,
                        learner: learner.name(),
                        measure: cell.measure,
                        result: cell.measured(draw, learner),
                        by_group: by_group.join(" "),
                        lean: draw.lean,
                    });
                }
            }
        }
        rows
    }
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
