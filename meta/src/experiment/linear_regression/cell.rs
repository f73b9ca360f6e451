//! One place of a sweep: its closed forms, and what one seed finds there.

use maml_autograd::Tensor;
use serde::{Deserialize, Serialize};

use super::config::{Config, Sweep};
use crate::{
    LearnerName,
    experiment::sweep::{Measure, address},
    maml::{InnerLoop, adapt},
    task::regression::{Batches, RegressionTask, RegressionTasks, moments},
    theory::{Comparison, Landscape, NormalEquations, TheoryError, Vector, estimation_risk},
};

/// A value of a sweep's parameter (of two parameters, in a map), and the landscape there.
pub struct Cell {
    /// The sweep's name.
    pub sweep: String,
    /// The parameter's value.
    pub value: f64,
    /// The value of the parameter across, in a map.
    pub across: Option<f64>,
    /// What is measured.
    pub measure: Measure,
    /// The closed forms of the population.
    pub comparison: Comparison,
    /// The expected distances of the empirical solutions, NAL's and MAML's, where they have a closed form.
    pub estimation: [Option<f64>; 2],
    landscape: Landscape,
    /// Where MAML's solution goes for m → ∞, from NAL's.
    direction: Option<Vector>,
    batches: Batches,
    training_tasks: u64,
    test_tasks: u64,
    tasks: RegressionTasks,
    place: u64,
}

/// What one seed finds at a cell.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Draw {
    /// For each learner the mean excess risk after adaptation on the test tasks of each group; none where a group has no
    /// share, or nothing was adapted.
    pub risks: [Vec<Option<f64>>; 2],
    /// For each learner the distance of its empirical solution from the population's, in the metric of the risk.
    pub distances: [f64; 2],
    /// How far MAML's solution lies from NAL's towards its limit for m → ∞, as a share of the way; none if that limit is
    /// NAL's.
    pub lean: Option<f64>,
}

/// Why a seed finds nothing at a cell.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
pub enum CellError {
    /// The data do not determine a solution.
    #[error("seed {seed}: {source}")]
    Theory {
        /// Which seed.
        seed: u64,
        /// Why.
        source: TheoryError,
    },
    /// Adaptation leads beyond the range of numbers.
    #[error(
        "seed {seed}, test task {task} of group `{group}`: the parameters of {learner} are not finite after adaptation; \
         lower `alpha` or `inner_steps`"
    )]
    Diverged {
        /// Which seed.
        seed: u64,
        /// Whose parameters.
        learner: &'static str,
        /// Which group.
        group: String,
        /// Which of its test tasks.
        task: u64,
    },
}

impl Cell {
    /// The cell of a sweep at these values of `config`'s environment.
    ///
    /// # Errors
    /// The values are impossible, or the closed forms have none there.
    pub(super) fn new(
        config: &Config,
        name: &str,
        sweep: &Sweep,
        value: f64,
        across: Option<f64>,
    ) -> Result<Self, TheoryError> {
        let mut config = sweep.parameter.set(config, value).map_err(TheoryError::Landscape)?;
        if let (Some(across), Some(value)) = (&sweep.across, across) {
            config = across.parameter.set(&config, value).map_err(TheoryError::Landscape)?;
        }
        for (key, count) in [("tasks", config.tasks), ("samples", config.samples)] {
            if count == 0 {
                return Err(TheoryError::Landscape(format!("`{key}` is 0; it must be at least 1")));
            }
        }
        let landscape = config.landscape()?;
        let mut estimation = [None; 2];
        if sweep.measure == Measure::Estimation {
            for (found, learner) in estimation.iter_mut().zip(LearnerName::BOTH) {
                *found = estimation_risk(&landscape, learner, config.training())?;
            }
        }
        Ok(Self {
            sweep: name.into(),
            value,
            across,
            measure: sweep.measure,
            comparison: Comparison::of(&landscape)?,
            estimation,
            direction: landscape.lean_direction()?,
            batches: config.batches(),
            training_tasks: config.tasks as u64,
            test_tasks: config.test_tasks as u64,
            tasks: RegressionTasks::new(&landscape),
            place: address(name, value, across),
            landscape,
        })
    }

    /// What the closed form says of a learner here.
    pub fn theory(&self, learner: LearnerName) -> Option<f64> {
        match self.measure {
            Measure::Risk => Some(self.comparison.solution(learner).risk.total()),
            Measure::Estimation => self.estimation[learner as usize],
        }
    }

    /// What a seed's draw says of a learner here: for risks the mean over the mixture.
    pub fn measured(&self, draw: &Draw, learner: LearnerName) -> f64 {
        match self.measure {
            Measure::Estimation => draw.distances[learner as usize],
            Measure::Risk => {
                let of_groups = self.landscape.groups.iter().zip(&draw.risks[learner as usize]);
                of_groups.filter_map(|(group, risk)| risk.map(|risk| group.share * risk)).sum()
            }
        }
    }

    /// Trains both learners on sampled tasks, and judges them on fresh ones, the same for both.
    pub(super) fn draw(&self, seed: u64) -> Result<Draw, CellError> {
        let solutions = self.train(seed).map_err(|source| CellError::Theory { seed, source })?;
        let [nal, maml] = &solutions;
        let distance = |learner: LearnerName, w: &Vector| self.comparison.distance_from(learner, w);
        let lean = self.direction.as_ref().map(|way| (maml - nal).dot(way) / way.dot(way));
        let risks = match self.measure {
            Measure::Risk => self.judge(seed, &solutions)?,
            Measure::Estimation => Default::default(),
        };
        Ok(Draw { risks, distances: [distance(LearnerName::Nal, nal), distance(LearnerName::Maml, maml)], lean })
    }

    fn train(&self, seed: u64) -> Result<[Vector; 2], TheoryError> {
        let d = self.landscape.dim();
        let (mut nal, mut maml) = (NormalEquations::new(d), NormalEquations::new(d));
        for index in 0..self.training_tasks {
            let RegressionTask { data, .. } = self.tasks.training_task(seed, self.place, index, self.batches);
            let inner: Vec<_> = data.support.iter().map(moments).collect();
            let outer = moments(&data.query);
            nal.add_nal(inner.iter().chain([&outer]));
            maml.add_maml(&inner, &outer, self.landscape.adaptation.alpha);
        }
        Ok([nal.solve("NAL")?, maml.solve("MAML")?])
    }

    fn judge(&self, seed: u64, solutions: &[Vector; 2]) -> Result<[Vec<Option<f64>>; 2], CellError> {
        let starts = solutions.each_ref().map(|w| [Tensor::new([w.len()], w.as_slice())]);
        let inner = InnerLoop { alpha: self.landscape.adaptation.alpha, steps: self.batches.steps };
        let batches = Batches { outer: 0, ..self.batches };
        let mut risks: [Vec<Option<f64>>; 2] = Default::default();
        for (place, group) in self.landscape.groups.iter().enumerate() {
            if group.share == 0.0 {
                risks.iter_mut().for_each(|risks| risks.push(None));
                continue;
            }
            let mut sums = [0.0; 2];
            for index in 0..self.test_tasks {
                let task = self.tasks.test_task(seed, self.place, place, index, batches);
                for ((sum, start), learner) in sums.iter_mut().zip(&starts).zip(LearnerName::BOTH) {
                    let adapted = adapt(&task.data.support, start, inner);
                    let pairs = adapted[0].as_slice().iter().zip(task.solution.as_slice());
                    let apart =
                        Vector::from_iterator(task.solution.shape().len(), pairs.map(|(w, solution)| w - solution));
                    let excess = 0.5 * apart.dot(&(&group.covariance * &apart));
                    if !excess.is_finite() {
                        let (learner, group) = (learner.name(), group.name.clone());
                        return Err(CellError::Diverged { seed, learner, group, task: index });
                    }
                    *sum += excess;
                }
            }
            for (risks, sum) in risks.iter_mut().zip(sums) {
                risks.push(Some(sum / self.test_tasks as f64));
            }
        }
        Ok(risks)
    }
}
