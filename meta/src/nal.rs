//! Non-adaptive learning (empirical risk minimisation): the loss of a task before any adaptation.

use maml_autograd::{Function, Real, Tensor, Value, profile::phase, values_and_grad};

use crate::maml::Task;

/// A loss that is a mean over examples.
pub trait Empirical<T: Real>: Function<T> {
    /// How many examples.
    fn examples(&self) -> usize;

    /// About how many numbers its evaluation holds, given the number of parameters; none if such losses cannot be stacked.
    fn footprint(&self, _parameters: usize) -> Option<usize> {
        None
    }

    /// Several losses as one along a leading axis of tasks, whose values are those of each; none if they are not alike.
    fn stack(_losses: &[&Self]) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }
}

/// The mean loss over all examples of a task, Σ_sets n_set f_set / Σ_sets n_set over support and query sets, and its
/// gradient at w.
///
/// The sets are batches of their own, of the sizes in which adaptation and judging meet them, so that batch
/// normalisation is trained under the statistics that it will be used with.
pub fn nal_gradient<T: Real, F: Empirical<T>>(task: &Task<F>, w: &[Tensor<T>]) -> (T, Vec<Tensor<T>>) {
    let (loss, gradient) = nal_gradients(task, w);
    (loss.item(), gradient)
}

/// [`nal_gradient`] for each task of a stack.
pub(crate) fn nal_gradients<T: Real, F: Empirical<T>>(task: &Task<F>, w: &[Tensor<T>]) -> (Tensor<T>, Vec<Tensor<T>>) {
    let sets: Vec<&F> = task.support.iter().chain([&task.query]).collect();
    let examples: f64 = sets.iter().map(|set| set.examples() as f64).sum();
    let parts = sets.iter().map(|set| (set.examples() as f64 / examples, phase("loss", || values_and_grad(*set, w))));
    let weighted = parts.map(|(share, (losses, gradient))| {
        let losses: Vec<f64> = losses.as_slice().iter().map(|loss| share * loss.to_f64()).collect();
        (losses, gradient.iter().map(|g| g.scale(share)).collect::<Vec<_>>())
    });
    let add = |a: Vec<Tensor<T>>, b: &[Tensor<T>]| a.iter().zip(b).map(|(a, b)| a.add(b)).collect();
    let total = weighted.reduce(|(losses, sum), (more, gradient)| {
        (losses.iter().zip(more).map(|(loss, more)| loss + more).collect(), add(sum, &gradient))
    });
    let (losses, gradient) = total.expect("a task has a query set");
    (Tensor::from_fn([losses.len()], |i| T::from_f64(losses[i])), gradient)
}
