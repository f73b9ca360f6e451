//! The training loop, the same for every learner: a step is the mean over tasks of a gradient.

use maml_autograd::{Real, Tensor, peak_of};

use crate::{
    Params,
    maml::{InnerLoop, Order, Tapes, Task, diagnose, meta_gradients},
    nal::{Empirical, nal_gradients},
    optim::{Optimizer, OptimizerState},
    parallel::Workers,
    task::FixedTasks,
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
    type Loss: Empirical<T> + Sync;
    /// A task with its support and query sets.
    fn task(&self, iteration: u64, index: u64) -> Task<Self::Loss>;
    /// The tasks themselves, if they are the same in every iteration.
    fn fixed(&self) -> Option<&FixedTasks<Self::Loss>> {
        None
    }
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
    let (w, tapes) = (params.tensors(), workers.tapes());
    let parts: Vec<_> = match source.fixed().filter(|fixed| fixed.tasks().len() == tasks) {
        Some(fixed) => {
            let stacks = fixed.stacks();
            workers.map(stacks.len(), |i| stacks[i].gradients(learner, w, tapes)).into_iter().flatten().collect()
        }
        None => workers.map(tasks, |index| learner.gradient(&source.task(iteration, index as u64), w, tapes)),
    };
    if let Some(index) = parts.iter().position(|part| !is_finite(part)) {
        let task = source.task(iteration, index as u64);
        return Err(Diverged { iteration, task: Some(index as u64), what: learner.diagnose(&task, w) });
    }
    let loss = parts.iter().map(|(loss, _)| loss.to_f64()).sum::<f64>() / tasks as f64;
    let gradients: Vec<_> = parts.into_iter().map(|(_, g)| params.with(g)).collect();
    Ok((loss, Params::mean_in_order(&gradients)))
}

/// The bytes of arrays that a step will hold at most: on each thread the largest task with all that its gradient takes,
/// and the gradients of all tasks until they are summed. Found by computing that task.
pub fn memory_of_step<T: Real>(
    learner: Learner,
    source: &impl TaskSource<T>,
    params: &Params<T>,
    tasks: usize,
    threads: usize,
    tapes: Tapes,
) -> usize {
    let examples = |task: &Task<_>| task.support.iter().chain([&task.query]).map(Empirical::examples).sum::<usize>();
    let largest = (0..tasks as u64).max_by_key(|&index| examples(&source.task(0, index))).unwrap_or(0);
    let (_, of_task) = peak_of(|| learner.gradient(&source.task(0, largest), params.tensors(), tapes));
    threads.min(tasks) * of_task + tasks * params.len() * size_of::<T>()
}

/// The mean over tasks, and its gradient, summed in their order on this thread. What is not finite is passed on.
pub fn objective<T: Real, F: Empirical<T>>(
    learner: Learner,
    tasks: &FixedTasks<F>,
    params: &Params<T>,
) -> (f64, Params<T>) {
    let parts = tasks.stacks().iter().flat_map(|stack| stack.gradients(learner, params.tensors(), Tapes::Keep));
    let parts = parts.map(|(loss, gradient)| (loss.to_f64(), params.with(gradient)));
    let (losses, gradients): (Vec<f64>, Vec<Params<T>>) = parts.unzip();
    (losses.iter().sum::<f64>() / losses.len() as f64, Params::mean_in_order(&gradients))
}

impl Learner {
    /// The loss of a task for this learner, and its gradient at w.
    pub fn gradient<T: Real, F: Empirical<T>>(
        self,
        task: &Task<F>,
        w: &[Tensor<T>],
        tapes: Tapes,
    ) -> (T, Vec<Tensor<T>>) {
        let (loss, gradient) = match self {
            Self::Maml(inner, order) => meta_gradients(task, w, inner, order, tapes),
            Self::Nal => nal_gradients(task, w),
        };
        (loss.item(), gradient)
    }

    /// What first stopped being finite.
    fn diagnose<T: Real, F: Empirical<T>>(self, task: &Task<F>, w: &[Tensor<T>]) -> String {
        let inner = match self {
            Self::Maml(inner, _) => inner,
            Self::Nal => InnerLoop { alpha: 0.0, steps: 0 },
        };
        diagnose(task, w, inner)
    }
}

fn is_finite<T: Real>((loss, gradient): &(T, Vec<Tensor<T>>)) -> bool {
    loss.to_f64().is_finite() && gradient.iter().all(Tensor::is_finite)
}

/// The first of these tasks whose loss or gradient is not finite, and what first stopped being so.
pub fn first_divergence<T: Real, F: Empirical<T>>(
    learner: Learner,
    tasks: &[Task<F>],
    params: &Params<T>,
) -> Option<Diverged> {
    let w = params.tensors();
    let index = tasks.iter().position(|task| !is_finite(&learner.gradient(task, w, Tapes::Keep)))?;
    let what = learner.diagnose(&tasks[index], w);
    Some(Diverged { iteration: 0, task: Some(index as u64), what })
}
