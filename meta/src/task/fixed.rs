//! Tasks that stay the same from step to step, small ones stacked into one problem.
//!
//! What an operation costs besides its arithmetic is then paid once for all tasks of a stack. No kernel adds numbers of one
//! task to those of another, so that every task keeps the bits that it has alone.

use maml_autograd::{Real, Tensor};

use crate::{
    maml::{Tapes, Task, meta_gradients},
    nal::{Empirical, nal_gradients},
    train::{Learner, TaskSource},
};

/// Numbers of inputs and intermediate arrays that a stack may hold: tens of microseconds of work for each operation, by
/// which its own cost is forgotten, while threads still find several stacks.
const STACK: usize = 1 << 20;

/// The same tasks in every iteration: the empirical objective.
#[derive(Clone, Debug)]
pub struct FixedTasks<F> {
    tasks: Vec<Task<F>>,
    stacks: Vec<Stack<F>>,
}

/// Consecutive tasks, as one if there are several.
#[derive(Clone, Debug)]
pub(crate) struct Stack<F> {
    pub(crate) tasks: Vec<Task<F>>,
    whole: Option<Task<F>>,
}

impl<F> FixedTasks<F> {
    /// Stacks these tasks as far as they are alike and small, for a model with so many parameters.
    pub fn new<T: Real>(tasks: Vec<Task<F>>, parameters: usize) -> Self
    where
        F: Empirical<T> + Clone,
    {
        let sets = |task: &Task<F>| task.support.iter().chain([&task.query]).map(|set| set.footprint(parameters)).sum();
        let largest: Option<usize> = tasks.iter().map(sets).max().unwrap_or(None);
        let together = largest.map_or(1, |largest| (STACK / largest.max(1)).max(1));
        let stacks = tasks.chunks(together).flat_map(Stack::of).collect();
        Self { tasks, stacks }
    }

    /// The tasks, in their order.
    pub fn tasks(&self) -> &[Task<F>] {
        &self.tasks
    }

    pub(crate) fn stacks(&self) -> &[Stack<F>] {
        &self.stacks
    }
}

impl<T: Real, F: Empirical<T> + Clone + Sync> TaskSource<T> for FixedTasks<F> {
    type Loss = F;

    fn task(&self, _iteration: u64, index: u64) -> Task<F> {
        self.tasks[index as usize].clone()
    }

    fn fixed(&self) -> Option<&FixedTasks<F>> {
        Some(self)
    }
}

impl<F> Stack<F> {
    /// These tasks together, or each by itself if they are not alike.
    fn of<T: Real>(tasks: &[Task<F>]) -> Vec<Self>
    where
        F: Empirical<T> + Clone,
    {
        let whole = if tasks.len() > 1 { stacked(tasks) } else { None };
        match whole {
            Some(whole) => vec![Self { tasks: tasks.to_vec(), whole: Some(whole) }],
            None => tasks.iter().map(|task| Self { tasks: vec![task.clone()], whole: None }).collect(),
        }
    }

    /// The loss and the gradient of each task at w.
    pub(crate) fn gradients<T: Real>(&self, learner: Learner, w: &[Tensor<T>], tapes: Tapes) -> Vec<(T, Vec<Tensor<T>>)>
    where
        F: Empirical<T>,
    {
        let Some(whole) = &self.whole else {
            return self.tasks.iter().map(|task| learner.gradient(task, w, tapes)).collect();
        };
        let count = self.tasks.len();
        let w: Vec<_> = w.iter().map(|w| Tensor::stack(&vec![w; count])).collect();
        let (losses, gradient) = match learner {
            Learner::Maml(inner, order) => meta_gradients(whole, &w, inner, order, tapes),
            Learner::Nal => nal_gradients(whole, &w),
        };
        let mut parts: Vec<_> = gradient.iter().map(|g| g.unstack().into_iter()).collect();
        let mut of_task = || parts.iter_mut().map(|parts| parts.next().expect("a part for each task")).collect();
        losses.as_slice().iter().map(|&loss| (loss, of_task())).collect()
    }
}

fn stacked<T: Real, F: Empirical<T>>(tasks: &[Task<F>]) -> Option<Task<F>> {
    let sets = tasks.first()?.support.len();
    if tasks.iter().any(|task| task.support.len() != sets) {
        return None;
    }
    let stack = |set: &dyn Fn(&Task<F>) -> &F| -> Option<F> { F::stack(&tasks.iter().map(set).collect::<Vec<_>>()) };
    let support = (0..sets).map(|k| stack(&|task| &task.support[k])).collect::<Option<_>>()?;
    Some(Task { support, query: stack(&|task| &task.query)? })
}
