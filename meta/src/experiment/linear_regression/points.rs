//! What the seeds found, as rows, points and gains.

use serde::Serialize;

use super::{
    cell::{Cell, Draw},
    run::Run,
};
use crate::{
    LearnerName,
    experiment::sweep::{Gain, Measure, Measured, Place, Point},
};

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

impl Run {
    /// Each finished cell with the pairs of the seeds.
    pub(super) fn measured(&self) -> Vec<Measured> {
        let of_cell = |(cell, draws): (&Cell, &[Draw])| Measured {
            place: self.place(cell),
            pairs: draws.iter().map(|draw| LearnerName::BOTH.map(|learner| cell.measured(draw, learner))).collect(),
        };
        self.finished().map(of_cell).collect()
    }

    fn place(&self, cell: &Cell) -> Place {
        let sweep = &self.config().sweep[&cell.sweep];
        let across = sweep.across.as_ref().map(|across| across.parameter.to_string());
        Place {
            sweep: cell.sweep.clone(),
            parameter: sweep.parameter.to_string(),
            value: cell.value,
            across: across.zip(cell.across),
            measure: cell.measure,
            theory: LearnerName::BOTH.map(|learner| cell.theory(learner)),
            theory_gain: Some([cell.comparison.ratio(), cell.comparison.difference]),
        }
    }

    /// The simulated points, cell by cell, NAL before MAML.
    pub fn points(&self) -> Vec<Point> {
        self.measured().iter().flat_map(|at| at.points(self.config().level)).collect()
    }

    /// What MAML gains at each cell of a risk.
    pub fn gains(&self) -> Vec<Gain> {
        self.measured().iter().filter_map(|at| at.gain(self.config().level)).collect()
    }

    /// Everything that the seeds found, line by line.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        for (cell, draws) in self.finished() {
            for (draw, &seed) in draws.iter().zip(&self.config().seeds) {
                for learner in LearnerName::BOTH {
                    let Place { parameter, across, .. } = self.place(cell);
                    let groups = draw.risks[learner as usize].iter();
                    let by_group: Vec<String> = groups.map(|r| r.map_or("-".into(), |r| r.to_string())).collect();
                    rows.push(Row {
                        sweep: cell.sweep.clone(),
                        parameter,
                        value: cell.value,
                        across_parameter: across.as_ref().map(|across| across.0.clone()),
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
