//! Environments of one easy and one hard task, with population losses: gradient norms at the learners' stationary points.

use maml_autograd::{Tensor, Value, grad};
use serde::{Deserialize, Serialize};

use super::{
    config::Config,
    training::{Trained, train},
};
use crate::{
    LearnerName, Params,
    maml::Task,
    model::{Regression, TwoLayer},
    rng::{Purpose, rng},
    spectrum::extreme_eigenvalues,
    task::{
        FixedTasks,
        teacher::{Environment, Kind, TeacherSpec, TeacherTask},
    },
};

/// What is found in one environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Pair {
    /// ‖∇f_E‖ and ‖∇f_H‖ at NAL's and at MAML's solution.
    pub norms: [[f64; 2]; 2],
    /// How each training went.
    pub trained: [Trained; 2],
    /// μ_E: the smallest eigenvalue of ∇²f_E at MAML's solution and after its adaptation to the easy task.
    pub mu_easy: f64,
    /// L_H: the largest eigenvalue of ∇²f_H at MAML's solution and after its adaptation to the hard task.
    pub l_hard: f64,
    /// L: the largest eigenvalue of either task's Hessian there.
    pub l: f64,
    /// ((1 − αμ_E) / (1 − αL_H))², which bounds ‖∇f_H‖ / ‖∇f_E‖ at a MAML stationary point; none unless αL < 1.
    pub bound: Option<f64>,
}

/// Environments of pairs; those of sweeps have another number.
const FAMILY: u64 = 1;
/// The place of their initialisations.
pub(super) const PLACE: u64 = u64::MAX;
/// Residual of an eigenvalue, as a share of the largest.
const EIGENVALUE: f64 = 1e-9;

/// The two tasks of an environment, without noise. One large sample stands for the population, in adaptation as in judging.
pub(super) fn tasks(config: &Config, index: u64) -> [TeacherTask; 2] {
    let environment = Environment::new(TeacherSpec { noise_variance: 0.0, ..config.spec() }, index, FAMILY);
    Kind::BOTH.map(|kind| {
        let mut stream = rng(index, Purpose::Data, FAMILY, 1 + kind as u64);
        environment.task(kind, &mut stream, &[], config.pairs.samples)
    })
}

/// Both tasks as learners meet them: the same losses before and after adaptation.
pub(super) fn objectives(config: &Config, tasks: &[TeacherTask; 2]) -> FixedTasks<Regression<TwoLayer, f64>> {
    let objective =
        |task: &TeacherTask| Task { support: vec![task.data.query.clone()], query: task.data.query.clone() };
    FixedTasks::new(tasks.iter().map(objective).collect(), config.parameters())
}

/// The stationary points of both learners in one environment.
///
/// # Errors
/// Says whose objective left the range of numbers.
pub(super) fn solve(config: &Config, index: u64) -> Result<Pair, String> {
    let tasks = tasks(config, index);
    let meta = objectives(config, &tasks);
    let losses = tasks.map(|task| task.data.query);
    let mut solutions = Vec::with_capacity(2);
    for (name, learner) in LearnerName::BOTH.into_iter().zip(config.learners()) {
        let found = train(config, learner, &meta, (index, PLACE));
        solutions.push(found.map_err(|why| format!("{}: {why}", name.name()))?);
    }
    let norms = [0, 1].map(|i| {
        let weights = std::slice::from_ref(&solutions[i].0);
        losses.each_ref().map(|f| norm(&grad(f, weights)[0]))
    });
    let maml = &solutions[1].0;
    let [easy, hard] = losses.each_ref().map(|f| spectrum_on_the_way(f, maml, config.alpha, index));
    let l = easy[1].max(hard[1]);
    let bound = ((1.0 - config.alpha * easy[0]) / (1.0 - config.alpha * hard[1])).powi(2);
    let trained = [solutions[0].1.clone(), solutions[1].1.clone()];
    let applies = config.alpha * l < 1.0 && config.inner_steps == 1;
    Ok(Pair { norms, trained, mu_easy: easy[0], l_hard: hard[1], l, bound: applies.then_some(bound) })
}

pub(super) fn norm(x: &Tensor<f64>) -> f64 {
    x.dot(x).item().sqrt()
}

/// The extreme eigenvalues of ∇²f over w and w − α∇f(w): the bound wants those of the way between them.
fn spectrum_on_the_way(f: &Regression<TwoLayer, f64>, w: &Tensor<f64>, alpha: f64, seed: u64) -> [f64; 2] {
    let adapted = w.add_scaled(-alpha, &grad(f, std::slice::from_ref(w))[0]);
    let ends = [w.clone(), adapted].map(|at| {
        let params = Params::new(vec!["weight".to_string()].into(), vec![at]);
        extreme_eigenvalues(f, &params, params.len(), EIGENVALUE, seed)
    });
    [ends[0].smallest.min(ends[1].smallest), ends[0].largest.max(ends[1].largest)]
}
