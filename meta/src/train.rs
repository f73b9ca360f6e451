//! The training loop, the same for every learner: a step is the mean over tasks of a gradient.

use maml_autograd::{Real, Tensor};

use crate::{
    Params,
    maml::{InnerLoop, Order, Task, diagnose, meta_gradient},
    nal::{Empirical, nal_gradient},
    optim::{Optimizer, OptimizerState},
    parallel::Workers,
};

/// What is minimised.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Learner {
    /// The loss after adaptation, E f_query(w_K).
    Maml(InnerLoop, Order),
    /// The loss itself, E f(w) over all examples of a task: non-adaptive learning.
    Nal,
}

/// A stream of tasks: the task of an iteration and an index is always the same.
pub trait TaskSource<T: Real>: Sync {
    /// The loss on a set of examples.
    type Loss: Empirical<T>;
    /// A task with its support and query sets.
    fn task(&self, iteration: u64, index: u64) -> Task<Self::Loss>;
}

/// A training run between two steps.
#[derive(Clone, Debug)]
pub struct Trainer<T: Real> {
    /// Current parameters.
    pub params: Params<T>,
    /// What the optimiser remembers.
    pub state: OptimizerState<T>,
    /// Steps taken so far.
    pub iteration: u64,
}

/// A number stopped being finite.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("diverged at step {iteration}{}: {what} is not finite; lower the inner or the outer step size", of_task(*.task))]
pub struct Diverged {
    /// The step.
    pub iteration: u64,
    /// The task of that step, if it happened in one.
    pub task: Option<u64>,
    /// The first thing that is not finite.
    pub what: String,
}

fn of_task(task: Option<u64>) -> String {
    task.map_or(String::new(), |task| format!(", task {task}"))
}

impl<T: Real> Trainer<T> {
    /// A run that starts at `params`.
    pub fn new(params: Params<T>, optimizer: Optimizer) -> Self {
        let state = optimizer.init(&params);
        Self { params, state, iteration: 0 }
    }

    /// One step: the mean loss over `tasks` tasks before it. After an error the run is as it was before.
    pub fn step(
        &mut self,
        learner: Learner,
        optimizer: Optimizer,
        source: &impl TaskSource<T>,
        tasks: usize,
        workers: &Workers,
    ) -> Result<f64, Diverged> {
        let (loss, gradient) = mean_gradient(learner, source, self.iteration, &self.params, tasks, workers)?;
        let (params, state) = optimizer.update(&self.params, &gradient, self.state.clone());
        if !params.tensors().iter().all(Tensor::is_finite) {
            let what = "a parameter after the optimiser's update".into();
            return Err(Diverged { iteration: self.iteration, task: None, what });
        }
        *self = Self { params, state, iteration: self.iteration + 1 };
        Ok(loss)
    }
}

/// The mean over the tasks of an iteration of the learner's loss and of its gradient. Tasks are spread over the
/// workers and summed in their order.
pub fn mean_gradient<T: Real>(
    learner: Learner,
    source: &impl TaskSource<T>,
    iteration: u64,
    params: &Params<T>,
    tasks: usize,
    workers: &Workers,
) -> Result<(f64, Params<T>), Diverged> {
    let w = params.tensors();
    let parts = workers.map(tasks, |index| gradient_of_task(learner, source, iteration, index as u64, w));
    let parts = parts.into_iter().collect::<Result<Vec<_>, _>>()?;
    let loss = parts.iter().map(|(loss, _)| loss.to_f64()).sum::<f64>() / tasks as f64;
    let gradients: Vec<_> = parts.into_iter().map(|(_, g)| params.with(g)).collect();
    Ok((loss, Params::mean_in_order(&gradients)))
}

/// The mean over tasks that are given whole, and its gradient, summed in their order on this thread. What is not finite
/// is passed on.
pub fn objective<T: Real, F: Empirical<T>>(
    learner: Learner,
    tasks: &[Task<F>],
    params: &Params<T>,
) -> (f64, Params<T>) {
    let of_task = |task: &Task<F>| {
        let (loss, gradient) = gradient(learner, task, params.tensors());
        (loss.to_f64(), params.with(gradient))
    };
    let (losses, gradients): (Vec<f64>, Vec<Params<T>>) = tasks.iter().map(of_task).unzip();
    (losses.iter().sum::<f64>() / tasks.len() as f64, Params::mean_in_order(&gradients))
}

fn gradient<T: Real, F: Empirical<T>>(learner: Learner, task: &Task<F>, w: &[Tensor<T>]) -> (T, Vec<Tensor<T>>) {
    match learner {
        Learner::Maml(inner, order) => meta_gradient(task, w, inner, order),
        Learner::Nal => nal_gradient(task, w),
    }
}

/// The first of these tasks whose loss or gradient is not finite, and what first stopped being so.
pub fn first_divergence<T: Real, F: Empirical<T>>(
    learner: Learner,
    tasks: &[Task<F>],
    params: &Params<T>,
) -> Option<Diverged> {
    let w = params.tensors();
    let mut checked = tasks.iter().enumerate().map(|(i, task)| finite_gradient(learner, task, w, 0, i as u64));
    checked.find_map(Result::err)
}

fn gradient_of_task<T: Real>(
    learner: Learner,
    source: &impl TaskSource<T>,
    iteration: u64,
    index: u64,
    w: &[Tensor<T>],
) -> Result<(T, Vec<Tensor<T>>), Diverged> {
    finite_gradient(learner, &source.task(iteration, index), w, iteration, index)
}

fn finite_gradient<T: Real, F: Empirical<T>>(
    learner: Learner,
    task: &Task<F>,
    w: &[Tensor<T>],
    iteration: u64,
    index: u64,
) -> Result<(T, Vec<Tensor<T>>), Diverged> {
    let found = gradient(learner, task, w);
    if found.0.to_f64().is_finite() && found.1.iter().all(Tensor::is_finite) {
        return Ok(found);
    }
    let inner = match learner {
        Learner::Maml(inner, _) => inner,
        Learner::Nal => InnerLoop { alpha: 0.0, steps: 0 },
    };
    Err(Diverged { iteration, task: Some(index), what: diagnose(task, w, inner) })
}
