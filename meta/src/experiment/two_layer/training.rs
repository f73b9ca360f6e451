//! A learner's stationary point: from several starts, the best by the training objective.

use maml_autograd::{Function, Tensor, Value, grad};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::config::{Config, Training};
use crate::{
    Params,
    lbfgs::{Minimum, Stop, minimise},
    maml::Task,
    model::{Activation, Model, Regression, TwoLayer},
    rng::{Purpose, rng},
    task::FixedTasks,
    train::{Learner, first_divergence, objective},
};

/// How a training went.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Trained {
    /// Which random initialisation led to the best objective.
    pub start: usize,
    /// The training objective there.
    pub objective: f64,
    /// ‖∇‖ as a share of its initial value.
    pub gradient: f64,
    /// Evaluations of objective and gradient.
    pub evaluations: usize,
    /// Whether the point is stationary by the rule of the config.
    pub is_stationary: bool,
    /// Starts from which the objective left the range of numbers.
    pub diverged_starts: usize,
    /// Hidden units that are flat on every training input.
    pub dead: usize,
}

/// A hidden unit whose slope is below this on every input is dead.
const DEAD: f64 = 1e-6;

/// Minimises a learner's objective on `tasks`.
///
/// # Errors
/// The objective is not finite from any start: says at which task, and what was not finite there.
pub(super) fn train(
    config: &Config,
    learner: Learner,
    tasks: &FixedTasks<Regression<TwoLayer, f64>>,
    (seed, place): (u64, u64),
) -> Result<(Tensor<f64>, Trained), String> {
    let from_start =
        |start: usize| descend(config, initial(config, (seed, place), start), |w| objective(learner, tasks, w));
    let all: Vec<(Minimum<f64>, f64)> = (0..config.starts).map(from_start).collect();
    let finite = all.iter().enumerate().filter(|(_, (minimum, _))| minimum.value.is_finite());
    let Some((start, (best, first))) = finite.min_by(|a, b| a.1.0.value.total_cmp(&b.1.0.value)) else {
        let why = first_divergence(learner, tasks.tasks(), &initial(config, (seed, place), 0));
        return Err(why.map_or("the mean of the losses is not finite".into(), |why| format!("training {why}")));
    };
    let weights = best.params.tensors()[0].clone();
    let trained = Trained {
        start,
        objective: best.value,
        gradient: if *first > 0.0 { best.gradient / first } else { 0.0 },
        evaluations: best.evaluations,
        is_stationary: best.is_stationary,
        diverged_starts: all.iter().filter(|(minimum, _)| !minimum.value.is_finite()).count(),
        dead: dead_units(config.activation, &weights, tasks.tasks()),
    };
    Ok((weights, trained))
}

/// The steps of the optimiser, and L-BFGS from where they lead; and ‖∇‖ at the start, which the stopping rule refers to.
fn descend(
    config: &Config,
    start: Params<f64>,
    mut f: impl FnMut(&Params<f64>) -> (f64, Params<f64>),
) -> (Minimum<f64>, f64) {
    let Training { optimizer, steps, tolerance, evaluations } = config.training;
    let first = f(&start).1.norm();
    let mut state = optimizer.init(&start);
    let mut w = start;
    for _ in 0..steps {
        let (_, gradient) = f(&w);
        if gradient.norm() <= tolerance * first {
            break;
        }
        (w, state) = optimizer.update(&w, &gradient, state);
    }
    (minimise(w, Stop { gradient: tolerance * first, evaluations }, f), first)
}

/// Each start is an address of its own, the same for both learners.
fn initial(config: &Config, (seed, place): (u64, u64), start: usize) -> Params<f64> {
    config.model().init(rng(seed, Purpose::Init, place, start as u64).next_u64())
}

/// Hidden units whose slope is nearly 0 on every input of every task.
fn dead_units(activation: Activation, weights: &Tensor<f64>, tasks: &[Task<Regression<TwoLayer, f64>>]) -> usize {
    let neurons = weights.shape().last();
    let mut alive = vec![false; neurons];
    for set in tasks.iter().flat_map(|task| task.support.iter().chain([&task.query])) {
        let hidden = set.x.matmul(weights);
        let slopes = slopes(activation, &hidden);
        slopes.as_slice().iter().enumerate().for_each(|(i, slope)| alive[i % neurons] |= slope.abs() > DEAD);
    }
    alive.iter().filter(|alive| !**alive).count()
}

/// σ′(x), by the engine.
fn slopes(activation: Activation, x: &Tensor<f64>) -> Tensor<f64> {
    struct Sum(Activation);
    impl Function<f64> for Sum {
        fn eval<V: Value<Real = f64>>(&self, x: &[V]) -> V {
            self.0.of(&x[0]).sum()
        }
    }
    grad(&Sum(activation), std::slice::from_ref(x)).remove(0)
}
