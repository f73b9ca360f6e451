//! The training loop, the same for every learner: a step is the mean over tasks of a gradient.

use maml_autograd::{Function, Real, Tensor, first_non_finite, value_and_grad};

use crate::{
    Params,
    maml::{InnerLoop, Order, Task, adapt, meta_gradient},
    optim::{Optimizer, OptimizerState},
    parallel::Workers,
};

/// What is minimised.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Learner {
    /// The loss after adaptation, E f_query(w_K).
    Maml(InnerLoop, Order),
    /// The loss itself, E f(w) over all data of a task: non-adaptive learning.
    Nal,
}

/// A stream of tasks: the task of an iteration and an index is always the same.
pub trait TaskSource<T: Real>: Sync {
    /// The loss on a set of examples.
    type Loss: Function<T>;
    /// A task with its support and query sets.
    fn task(&self, iteration: u64, index: u64) -> Task<Self::Loss>;
    /// The loss on all examples of a task, support and query together.
    fn pooled(&self, iteration: u64, index: u64) -> Self::Loss;
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

/// A loss or gradient stopped being finite.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
#[error("diverged: step {iteration}, task {task}: {operation} is not finite; lower the inner or the outer step size")]
pub struct Diverged {
    /// The step.
    pub iteration: u64,
    /// The task of that step.
    pub task: u64,
    /// The first operation with a result that is not finite.
    pub operation: String,
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

fn gradient_of_task<T: Real>(
    learner: Learner,
    source: &impl TaskSource<T>,
    iteration: u64,
    index: u64,
    w: &[Tensor<T>],
) -> Result<(T, Vec<Tensor<T>>), Diverged> {
    let diverged = |operation: Option<String>| Diverged {
        iteration,
        task: index,
        operation: operation.unwrap_or_else(|| "a derivative".into()),
    };
    let finite =
        |(loss, gradient): &(T, Vec<Tensor<T>>)| loss.to_f64().is_finite() && gradient.iter().all(Tensor::is_finite);
    match learner {
        Learner::Maml(inner, order) => {
            let task = source.task(iteration, index);
            let found = meta_gradient(&task, w, inner, order);
            if finite(&found) {
                return Ok(found);
            }
            let blame = first_non_finite(&task.support, w)
                .or_else(|| first_non_finite(&task.query, &adapt(&task.support, w, inner)));
            Err(diverged(blame))
        }
        Learner::Nal => {
            let loss = source.pooled(iteration, index);
            let found = value_and_grad(&loss, w);
            if finite(&found) { Ok(found) } else { Err(diverged(first_non_finite(&loss, w))) }
        }
    }
}
