//! Non-adaptive learning (empirical risk minimisation): the loss of a task before any adaptation.

use maml_autograd::{Function, Real, Tensor, Value, profile::phase, value_and_grad};

use crate::maml::Task;

/// A loss that is a mean over examples.
pub trait Empirical<T: Real>: Function<T> {
    /// How many examples.
    fn examples(&self) -> usize;
}

/// The mean loss over all examples of a task, Σ_sets n_set f_set / Σ_sets n_set over support and query sets, and its
/// gradient at w.
///
/// The sets are batches of their own, of the sizes in which adaptation and judging meet them, so that batch
/// normalisation is trained under the statistics that it will be used with.
pub fn nal_gradient<T: Real, F: Empirical<T>>(task: &Task<F>, w: &[Tensor<T>]) -> (T, Vec<Tensor<T>>) {
    let sets: Vec<&F> = task.support.iter().chain([&task.query]).collect();
    let examples: f64 = sets.iter().map(|set| set.examples() as f64).sum();
    let parts = sets.iter().map(|set| (set.examples() as f64 / examples, phase("loss", || value_and_grad(*set, w))));
    let weighted = parts.map(|(share, (loss, gradient))| {
        (share * loss.to_f64(), gradient.iter().map(|g| g.scale(share)).collect::<Vec<_>>())
    });
    let add = |a: Vec<Tensor<T>>, b: &[Tensor<T>]| a.iter().zip(b).map(|(a, b)| a.add(b)).collect();
    let total = weighted.reduce(|(loss, sum), (more, gradient)| (loss + more, add(sum, &gradient)));
    let (loss, gradient) = total.expect("a task has a query set");
    (T::from_f64(loss), gradient)
}
