//! Non-adaptive learning (empirical risk minimisation): the loss of a task before any adaptation.

use maml_autograd::{Function, Real, Tensor, Value, value_and_grad};

use crate::maml::Task;

/// A loss that is a mean over examples.
pub trait Empirical<T: Real>: Function<T> {
    /// How many examples.
    fn examples(&self) -> usize;
}

/// The mean loss over all examples of a task, (n_s f_support + n_q f_query) / (n_s + n_q), and its gradient at w.
///
/// The two sets are batches of their own, of the sizes in which adaptation and judging meet them, so that batch
/// normalisation is trained under the statistics that it will be used with.
pub fn nal_gradient<T: Real, F: Empirical<T>>(task: &Task<F>, w: &[Tensor<T>]) -> (T, Vec<Tensor<T>>) {
    let (n_support, n_query) = (task.support.examples() as f64, task.query.examples() as f64);
    let share = n_support / (n_support + n_query);
    let (support, query) = (value_and_grad(&task.support, w), value_and_grad(&task.query, w));
    let loss = share * support.0.to_f64() + (1.0 - share) * query.0.to_f64();
    let gradient = support.1.iter().zip(&query.1).map(|(s, q)| s.scale(share).add_scaled(1.0 - share, q));
    (T::from_f64(loss), gradient.collect())
}
