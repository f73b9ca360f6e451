//! Model-agnostic meta-learning: adaptation by gradient descent, and the exact derivative through it.

use maml_autograd::{
    Function, Real, SecondOrder, Tape, Tensor, Value, first_non_finite, grad, profile::phase, values_and_grad,
};

/// What the profile calls the parts of a meta-step.
const INNER: &str = "inner";
pub(crate) const QUERY: &str = "query";
const HVP: &str = "Hessian-vector product";
const AGAIN: &str = "inner, again";

/// A task: what a learner adapts on, and what it is judged on afterwards.
#[derive(Clone, Debug)]
pub struct Task<F> {
    /// The losses on the support sets, which the inner steps take in turn: one set serves all steps, or each step has its
    /// own.
    pub support: Vec<F>,
    /// The loss on the query set.
    pub query: F,
}

/// Gradient descent on a task's support losses: w_{k+1} = w_k − α ∇f_k(w_k), K times.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct InnerLoop {
    /// The step size α.
    pub alpha: f64,
    /// The number of steps K.
    pub steps: usize,
}

/// Which derivative of the adapted loss to take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// ∇f_query(w_K), the Hessians left out.
    First,
    /// The exact derivative.
    Second,
}

/// What becomes of the tapes of the inner steps until the walk back needs them. The result has the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Tapes {
    /// They are kept: memory for K of them, and no step is computed twice.
    #[default]
    Keep,
    /// They are dropped, and each step is computed again on the way back: memory for one, and K more gradients.
    Recompute,
}

/// w_K: the parameters after K steps on the losses `support`, taken in turn. Panics if there is none for a step.
pub fn adapt<T: Real>(support: &[impl Function<T>], w: &[Tensor<T>], inner: InnerLoop) -> Vec<Tensor<T>> {
    let step = |w: Vec<_>, k| descend(&w, inner.alpha, &grad(in_turn(support, k), &w));
    phase(INNER, || (0..inner.steps).fold(w.to_vec(), step))
}

/// The loss of step k.
fn in_turn<F>(support: &[F], k: usize) -> &F {
    assert!(!support.is_empty(), "a task without a support set cannot be adapted to");
    &support[k % support.len()]
}

/// f_query(w_K), and its gradient with respect to w_0:
/// (I − α∇²f_0(w_0)) ··· (I − α∇²f_{K−1}(w_{K−1})) ∇f_query(w_K).
///
/// The K steps are walked forward; then the query gradient is walked back through them, with one exact
/// Hessian-vector product for each. The tapes of all K steps are held until then: see [`Tapes`].
pub fn meta_gradient<T: Real, F: Function<T>>(
    task: &Task<F>,
    w: &[Tensor<T>],
    inner: InnerLoop,
    order: Order,
) -> (T, Vec<Tensor<T>>) {
    let (loss, gradient) = meta_gradients(task, w, inner, order, Tapes::Keep);
    (loss.item(), gradient)
}

/// [`meta_gradient`] for each task of a stack.
pub(crate) fn meta_gradients<T: Real, F: Function<T>>(
    task: &Task<F>,
    w: &[Tensor<T>],
    inner: InnerLoop,
    order: Order,
    tapes: Tapes,
) -> (Tensor<T>, Vec<Tensor<T>>) {
    match (order, tapes) {
        (Order::First, _) => {
            let w_k = adapt(&task.support, w, inner);
            phase(QUERY, || values_and_grad(&task.query, &w_k))
        }
        (Order::Second, Tapes::Keep) => through_kept_tapes(task, w, inner),
        (Order::Second, Tapes::Recompute) => through_recomputed_tapes(task, w, inner),
    }
}

fn through_kept_tapes<T: Real, F: Function<T>>(
    task: &Task<F>,
    w: &[Tensor<T>],
    inner: InnerLoop,
) -> (Tensor<T>, Vec<Tensor<T>>) {
    let tapes: Vec<Tape<T>> = (0..inner.steps).map(|_| Tape::new()).collect();
    let mut steps = Vec::with_capacity(inner.steps);
    let mut w_k = w.to_vec();
    for (k, tape) in tapes.iter().enumerate() {
        let step = phase(INNER, || SecondOrder::at(tape, in_turn(&task.support, k), &w_k));
        w_k = descend(&w_k, inner.alpha, &step.gradient());
        steps.push(step);
    }
    let (loss, query_gradient) = phase(QUERY, || values_and_grad(&task.query, &w_k));
    let back = steps.iter().rev();
    (loss, back.fold(query_gradient, |v, step| descend(&v, inner.alpha, &phase(HVP, || step.hvp(&v)))))
}

fn through_recomputed_tapes<T: Real, F: Function<T>>(
    task: &Task<F>,
    w: &[Tensor<T>],
    inner: InnerLoop,
) -> (Tensor<T>, Vec<Tensor<T>>) {
    let mut walk = vec![w.to_vec()];
    for k in 0..inner.steps {
        let gradient = phase(INNER, || grad(in_turn(&task.support, k), &walk[k]));
        walk.push(descend(&walk[k], inner.alpha, &gradient));
    }
    let (loss, query_gradient) = phase(QUERY, || values_and_grad(&task.query, &walk[inner.steps]));
    let back = (0..inner.steps).rev().fold(query_gradient, |v, k| {
        let tape = Tape::new();
        let step = phase(AGAIN, || SecondOrder::at(&tape, in_turn(&task.support, k), &walk[k]));
        descend(&v, inner.alpha, &phase(HVP, || step.hvp(&v)))
    });
    (loss, back)
}

/// Walks the adaptation again and names what first stopped being finite; for a result that is not.
pub fn diagnose<T: Real, F: Function<T>>(task: &Task<F>, w: &[Tensor<T>], inner: InnerLoop) -> String {
    let mut w_k = w.to_vec();
    for k in 0..inner.steps {
        let support = in_turn(&task.support, k);
        if let Some(operation) = first_non_finite(support, &w_k) {
            return format!("{operation} in the support loss of inner step {k}");
        }
        let gradient = grad(support, &w_k);
        if !gradient.iter().all(Tensor::is_finite) {
            return format!("the gradient of inner step {k}");
        }
        w_k = descend(&w_k, inner.alpha, &gradient);
    }
    match first_non_finite(&task.query, &w_k) {
        Some(operation) => format!("{operation} in the query loss after {} inner steps", inner.steps),
        None => "a derivative, every loss being finite,".into(),
    }
}

/// w − α g
fn descend<T: Real>(w: &[Tensor<T>], alpha: f64, g: &[Tensor<T>]) -> Vec<Tensor<T>> {
    w.iter().zip(g).map(|(w, g)| w.add_scaled(-alpha, g)).collect()
}
