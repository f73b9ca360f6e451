//! The closed forms alone: of one environment, and along a sweep.

use serde::Serialize;

use super::{
    config::{Config, Sweep},
    parameter::Parameter,
};
use crate::{
    LearnerName,
    experiment::sweep::Measure,
    theory::{Comparison, Group, Landscape, Risk, Solution, TheoryError, estimation_risk},
};

/// Both learners in one environment.
#[derive(Clone, Debug, Serialize)]
pub struct ClosedForms {
    /// Non-adaptive learning.
    pub nal: Side,
    /// MAML.
    pub maml: Side,
    /// E(NAL) − E(MAML).
    pub difference: f64,
    /// E(NAL) / E(MAML).
    pub ratio: f64,
    /// The m at which both learners' solutions agree: with more samples MAML moves towards its limit, with fewer away from
    /// it. None if there is none.
    pub crossing_m: Option<f64>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// One learner.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The initialisation that it chooses.
    pub minimiser: Vec<f64>,
    /// Its excess risk after adaptation, E_m(w).
    pub excess_risk: f64,
    /// The parts of it.
    pub parts: Risk,
    /// The same for each group.
    pub groups: Vec<SideGroup>,
    /// What n tasks of N samples cost: the expected distance of the empirical solution, in the metric of the risk, to first
    /// order in 1/n. None where it has no closed form.
    pub estimation: Option<f64>,
}

/// One learner on the tasks of one group.
#[derive(Clone, Debug, Serialize)]
pub struct SideGroup {
    /// The group's name.
    pub name: String,
    /// Its excess risk after adaptation.
    pub excess_risk: f64,
}

impl ClosedForms {
    /// Those of a config's environment.
    ///
    /// # Errors
    /// The environment has none.
    pub fn of(config: &Config) -> Result<Self, TheoryError> {
        let landscape = config.landscape()?;
        let comparison = Comparison::of(&landscape)?;
        let side = |learner: LearnerName| -> Result<Side, TheoryError> {
            let Solution { minimiser, risk, by_group } = comparison.solution(learner);
            let of_group =
                |(group, risk): (&Group, &Risk)| SideGroup { name: group.name.clone(), excess_risk: risk.total() };
            Ok(Side {
                minimiser: minimiser.iter().copied().collect(),
                excess_risk: risk.total(),
                parts: *risk,
                groups: landscape.groups.iter().zip(by_group).map(of_group).collect(),
                estimation: estimation_risk(&landscape, learner, config.training())?.filter(|x| x.is_finite()),
            })
        };
        Ok(Self {
            nal: side(LearnerName::Nal)?,
            maml: side(LearnerName::Maml)?,
            difference: comparison.difference,
            ratio: comparison.ratio(),
            crossing_m: landscape.crossing()?,
            notes: notes(&landscape),
        })
    }
}

fn notes(landscape: &Landscape) -> Vec<String> {
    let alpha = landscape.adaptation.alpha;
    let stretched = landscape.groups.iter().map(|group| (group, group.stretch(alpha)));
    let beyond = stretched.filter(|(_, stretch)| *stretch > 2.0);
    let sentence = |(group, stretch): (&Group, f64)| {
        format!(
            "group `{}`: alpha times the largest eigenvalue of its covariance is {stretch:.3}, beyond 2: every step of \
             gradient descent leads away from the solution there",
            group.name
        )
    };
    beyond.map(sentence).collect()
}

/// The closed forms along a sweep, for a line.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Dense in the parameter, from its least to its largest value.
    pub points: Vec<CurvePoint>,
    /// Where the two learners' solutions cross, if the parameter is m.
    pub crossing: Option<f64>,
}

/// The closed forms at one value.
#[derive(Clone, Copy, Debug)]
pub struct CurvePoint {
    /// The parameter's value.
    pub value: f64,
    /// What is measured of NAL and of MAML, where it has a closed form.
    pub learners: [Option<f64>; 2],
    /// E(NAL) / E(MAML).
    pub ratio: f64,
}

/// The closed forms over the plane of a map.
#[derive(Clone, Default, Debug)]
pub struct Surface {
    /// Values of the sweep's parameter.
    pub xs: Vec<f64>,
    /// Values of the parameter across.
    pub ys: Vec<f64>,
    /// E(NAL) / E(MAML), a row for each of `ys`.
    pub ratios: Vec<Vec<f64>>,
}

/// Places of a curve.
const CURVE_POINTS: usize = 81;
/// Places of a surface on each of its axes.
const SURFACE_POINTS: usize = 33;
/// How far a surface reaches beyond the values of its sweep, as a share of their range.
const BEYOND: f64 = 0.12;

impl Config {
    /// The closed forms along a sweep; places without any are left out.
    pub fn curve(&self, sweep: &Sweep) -> Curve {
        let points = dense(&sweep.parameter, &sweep.values, sweep.log, CURVE_POINTS, 0.0)
            .into_iter()
            .filter_map(|value| self.curve_point(sweep, value).ok());
        let of_samples = sweep.parameter.to_string() == "adaptation_samples";
        let crossing = || self.landscape().and_then(|landscape| landscape.crossing()).ok().flatten();
        Curve { points: points.collect(), crossing: if of_samples { crossing() } else { None } }
    }

    /// The ratio of the risks in closed form over the plane of a map; 1 where there is none.
    pub fn surface(&self, sweep: &Sweep) -> Surface {
        let Some(across) = &sweep.across else { return Surface::default() };
        let axis = |parameter: &Parameter, values: &[f64], log| dense(parameter, values, log, SURFACE_POINTS, BEYOND);
        let xs = axis(&sweep.parameter, &sweep.values, sweep.log);
        let ys = axis(&across.parameter, &across.values, across.log);
        let ratio = |x: f64, y: f64| {
            let config = sweep.parameter.set(self, x).and_then(|config| across.parameter.set(&config, y)).ok()?;
            Some(Comparison::of(&config.landscape().ok()?).ok()?.ratio())
        };
        let row = |y: &f64| xs.iter().map(|&x| ratio(x, *y).unwrap_or(1.0)).collect();
        Surface { ratios: ys.iter().map(row).collect(), xs, ys }
    }

    fn curve_point(&self, sweep: &Sweep, value: f64) -> Result<CurvePoint, TheoryError> {
        let config = sweep.parameter.set(self, value).map_err(TheoryError::Landscape)?;
        let landscape = config.landscape()?;
        let comparison = Comparison::of(&landscape)?;
        let mut learners = [None; 2];
        for learner in LearnerName::BOTH {
            learners[learner as usize] = match sweep.measure {
                Measure::Risk => Some(comparison.solution(learner).risk.total()),
                Measure::Estimation => estimation_risk(&landscape, learner, config.training())?,
            };
        }
        Ok(CurvePoint { value, learners, ratio: comparison.ratio() })
    }
}

/// `count` places from the least to the largest of some values, and by a share `beyond` of that range to either side,
/// equally spaced on their axis, whole where they must be.
fn dense(parameter: &Parameter, values: &[f64], log: bool, count: usize, beyond: f64) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let along = |i: usize| -beyond + (1.0 + 2.0 * beyond) * i as f64 / (count - 1) as f64;
    let value = |i: usize| match log && least > 0.0 {
        true => least * (most / least).powf(along(i)),
        false => least + (most - least) * along(i),
    };
    let round = |x: f64| if parameter.is_whole() { x.round() } else { x };
    let mut places: Vec<f64> = (0..count).map(|i| round(value(i))).collect();
    places.dedup();
    places
}
