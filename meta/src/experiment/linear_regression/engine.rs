//! The engine against the closed forms: both objectives, trained by gradient descent through automatic differentiation (MAML
//! with its exact second-order gradient), must arrive at the minimisers of the theory.

use maml_autograd::{Function, Tensor, Value};
use serde::{Deserialize, Serialize};

use super::config::{Config, EngineCheck};
use crate::{
    LearnerName, Params,
    maml::{InnerLoop, Order, Task},
    model::{Linear, Model, Regression},
    nal::Empirical,
    optim::Optimizer,
    parallel::Workers,
    task::{
        FixedTasks,
        regression::{RegressionTasks, moments},
    },
    theory::{Comparison, Group, Landscape, Matrix, NormalEquations, TheoryError, Vector, symmetric_root},
    train::{self, Diverged, TaskSource, mean_gradient},
};

/// What a check found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EngineResult {
    /// "population" or "sampled".
    pub data: String,
    /// Whose objective.
    pub learner: String,
    /// Steps of gradient descent.
    pub steps: u64,
    /// ‖∇‖ at the end, as a share of ‖∇‖ at the start.
    pub gradient: f64,
    /// ‖ŵ − w‖ / ‖w‖: how far from the closed form's minimiser it arrived (absolute if that is 0).
    pub relative_error: f64,
    /// The bound.
    pub tolerance: f64,
    /// Whether the error is within it.
    pub passed: bool,
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no closed form.
    #[error(transparent)]
    Theory(#[from] TheoryError),
    /// The training diverged.
    #[error(transparent)]
    Diverged(#[from] Diverged),
}

/// The checks, each of which is made of a kind of data and a learner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Check {
    /// The expectation over all data, written as a finite sum.
    Population(LearnerName),
    /// The first tasks of the first seed.
    Sampled(LearnerName),
}

/// Inputs beyond this length would need too many tasks for an exact expectation.
const LONGEST_POPULATION: usize = 20;

/// The gradient's size at which descent ends, relative to its size at the start: rounding is not far below.
const CONVERGED: f64 = 1e-13;

impl Check {
    /// Those that a config asks for.
    pub(super) fn all(config: &Config) -> Vec<Self> {
        // The expectation over two batches would need a sum over pairs of them.
        let population = config.inner_steps <= 1 && config.dim <= LONGEST_POPULATION;
        let population = LearnerName::BOTH.map(Self::Population).into_iter().filter(|_| population);
        let all = population.chain(LearnerName::BOTH.map(Self::Sampled));
        all.filter(|_| config.engine.enabled).collect()
    }

    /// Trains and compares.
    pub(super) fn run(self, config: &Config, workers: &Workers) -> Result<EngineResult, EngineError> {
        let landscape = config.landscape()?;
        let sampler = RegressionTasks::new(&landscape);
        let start = sampler.model().init::<f64>(0);
        match self {
            Self::Population(learner) => {
                let comparison = Comparison::of(&landscape)?;
                let curvature = match learner {
                    LearnerName::Maml => comparison.curvature.clone(),
                    LearnerName::Nal => {
                        let groups = landscape.groups.iter().map(|group| &group.covariance * group.share);
                        groups.sum()
                    }
                };
                let goal = Goal { minimiser: comparison.solution(learner).minimiser.clone(), curvature };
                let source = Population::of(&landscape);
                let tasks = source.tasks.len();
                goal.reach("population", learner, &landscape, &config.engine, start, (&source, tasks), workers)
            }
            Self::Sampled(learner) => {
                let (seed, count, batches) = (config.seeds[0], config.engine.tasks, config.batches());
                let tasks = (0..count as u64).map(|i| sampler.training_task(seed, 0, i, batches).data).collect();
                let source = FixedTasks::new(tasks, landscape.dim());
                let goal = Goal::empirical(&source, learner, &landscape)?;
                goal.reach("sampled", learner, &landscape, &config.engine, start, (&source, count), workers)
            }
        }
    }
}

/// Where descent should arrive, and the Hessian of the objective.
struct Goal {
    minimiser: Vector,
    curvature: Matrix,
}

impl Goal {
    fn empirical(
        source: &FixedTasks<Regression<Linear, f64>>,
        learner: LearnerName,
        landscape: &Landscape,
    ) -> Result<Self, TheoryError> {
        let mut equations = NormalEquations::new(landscape.dim());
        for task in source.tasks() {
            let (inner, outer) = (task.support.iter().map(moments).collect::<Vec<_>>(), moments(&task.query));
            match learner {
                LearnerName::Nal => equations.add_nal(inner.iter().chain([&outer])),
                LearnerName::Maml => equations.add_maml(&inner, &outer, landscape.adaptation.alpha),
            }
        }
        Ok(Self { minimiser: equations.solve(learner.name())?, curvature: equations.curvature(source.tasks().len()) })
    }

    fn reach(
        &self,
        data: &str,
        learner: LearnerName,
        landscape: &Landscape,
        check: &EngineCheck,
        start: Params<f64>,
        (source, tasks): (&impl TaskSource<f64>, usize),
        workers: &Workers,
    ) -> Result<EngineResult, EngineError> {
        let inner = InnerLoop { alpha: landscape.adaptation.alpha, steps: landscape.adaptation.steps };
        let objective = match learner {
            LearnerName::Nal => train::Learner::Nal,
            LearnerName::Maml => train::Learner::Maml(inner, Order::Second),
        };
        let eigenvalues = self.curvature.clone().symmetric_eigenvalues();
        // The fastest constant step on a quadratic.
        let descent = Optimizer::Sgd { rate: 2.0 / (eigenvalues.min() + eigenvalues.max()) };
        let (mut w, mut state) = (start.clone(), descent.init(&start));
        let (mut first, mut last, mut steps) = (0.0, 0.0, 0);
        for step in 0..=check.most_steps {
            let (_, gradient) = mean_gradient(objective, source, step, &w, tasks, workers)?;
            (last, steps) = (gradient.norm(), step);
            if step == 0 {
                first = last;
            }
            if last <= CONVERGED * first || step == check.most_steps {
                break;
            }
            (w, state) = descent.update(&w, &gradient, state);
        }
        let found = Vector::from_column_slice(w.tensors()[0].as_slice());
        let size = self.minimiser.norm();
        let relative_error = (found - &self.minimiser).norm() / if size > 0.0 { size } else { 1.0 };
        Ok(EngineResult {
            data: data.into(),
            learner: learner.name().into(),
            steps,
            gradient: if first > 0.0 { last / first } else { 0.0 },
            relative_error,
            tolerance: check.tolerance,
            passed: relative_error <= check.tolerance,
        })
    }
}

/// weight · ½ (w − w*)ᵀ H (w − w*), as the mean over some number of examples.
#[derive(Clone)]
struct Quadratic {
    hessian: Tensor<f64>,
    centre: Tensor<f64>,
    weight: f64,
    examples: usize,
}

impl Function<f64> for Quadratic {
    fn eval<V: Value<Real = f64>>(&self, w: &[V]) -> V {
        let d = self.centre.shape().len();
        let apart = w[0].sub(&V::constant(self.centre.clone())).reshape([d, 1]);
        let bent = V::constant(self.hessian.clone()).matmul(&apart);
        apart.mul(&bent).sum().scale(0.5 * self.weight)
    }
}

impl Empirical<f64> for Quadratic {
    fn examples(&self) -> usize {
        self.examples
    }
}

/// A finite set of tasks whose mean objective is the population's, exactly.
///
/// One step's objective depends on the sample covariance Σ̂ through its first two moments. With a root Σ = R² and the
/// N = d(d + 1)/2 matrices B = e_a e_bᵀ + e_b e_aᵀ (a < b) and √2 e_a e_aᵀ, the 2N matrices Σ ± √(N/m) R B R, equally weighted,
/// have both moments of a Gaussian sample covariance of m samples. A task takes its centre as w*: the spread around it only
/// adds a constant.
struct Population {
    tasks: Vec<Task<Quadratic>>,
}

impl Population {
    fn of(landscape: &Landscape) -> Self {
        let count = landscape.groups.len() as f64;
        let of_group = |group: &Group| {
            let d = group.centre.len();
            let quadratic = |hessian: &Matrix, weight, examples| Quadratic {
                hessian: Tensor::from_fn([d, d], |i| hessian[(i / d, i % d)]),
                centre: Tensor::new([d], group.centre.as_slice()),
                weight,
                examples,
            };
            // A support set is only adapted to; the query loss is that of the whole population, with the group's share.
            let query = quadratic(&group.covariance, group.share * count, 1);
            let task = |hat: Matrix| Task { support: vec![quadratic(&hat, 1.0, 0)], query: query.clone() };
            sample_covariances(group, landscape.adaptation.samples).into_iter().map(task).collect::<Vec<_>>()
        };
        Self { tasks: landscape.groups.iter().flat_map(of_group).collect() }
    }
}

impl TaskSource<f64> for Population {
    type Loss = Quadratic;

    fn task(&self, _iteration: u64, index: u64) -> Task<Quadratic> {
        self.tasks[index as usize].clone()
    }
}

fn sample_covariances(group: &Group, samples: f64) -> Vec<Matrix> {
    let d = group.centre.len();
    let root = symmetric_root(&group.covariance);
    let pairs: Vec<(usize, usize)> = (0..d).flat_map(|a| (a..d).map(move |b| (a, b))).collect();
    let size = (pairs.len() as f64 / samples).sqrt();
    let both = |(a, b): (usize, usize)| {
        let outer = root.column(a) * root.column(b).transpose();
        let direction = if a == b { outer * 2f64.sqrt() } else { &outer + outer.transpose() };
        [size, -size].map(|size| &group.covariance + &direction * size)
    };
    pairs.into_iter().flat_map(both).collect()
}
