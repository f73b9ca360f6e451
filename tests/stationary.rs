//! Stationary points and spectra: L-BFGS against known minima, Lanczos against dense Hessians.

use maml_autograd::{Function, Tensor, Value, hvp, value_and_grad};
use maml_meta::{
    Params,
    lbfgs::{Stop, minimise},
    maml::{InnerLoop, Order, Task, meta_gradient},
    model::{Activation, Linear, Model, Regression, TwoLayer},
    spectrum::extreme_eigenvalues,
    theory::Matrix,
};
use rand::RngExt;

#[path = "support/sampling.rs"]
mod sampling;
use sampling::stream;

const ACTIVATIONS: [Activation; 5] =
    [Activation::Softplus, Activation::Tanh, Activation::Sigmoid, Activation::Elu, Activation::Relu];

/// A network on random data with a random target.
fn network(activation: Activation, seed: u64) -> (Regression<TwoLayer, f64>, Params<f64>) {
    let model = TwoLayer { dim: 4, neurons: 3, activation };
    let rng = &mut stream("network", [seed, 0]);
    let x = sampling::uniform(rng, [40, 4].into(), -1.5, 1.5);
    let teacher = sampling::uniform(rng, [4, 3].into(), -1.0, 1.0);
    let y = model.predict(std::slice::from_ref(&teacher), &x);
    (Regression { model, x, y }, model.init(seed))
}

fn dense<F: Function<f64>>(f: &F, w: &Params<f64>) -> Matrix {
    let n = w.len();
    let shape = w.tensors()[0].shape();
    let column = |j: usize| {
        let unit = Tensor::from_fn(shape, |i| if i == j { 1.0 } else { 0.0 });
        hvp(f, w.tensors(), &[unit])[0].as_slice().to_vec()
    };
    let columns: Vec<Vec<f64>> = (0..n).map(column).collect();
    Matrix::from_fn(n, n, |i, j| columns[j][i])
}

#[test]
fn lanczos_finds_the_ends_of_a_dense_spectrum() {
    for (case, activation) in ACTIVATIONS.into_iter().enumerate() {
        let (f, w) = network(activation, case as u64);
        let spectrum = dense(&f, &w).symmetric_eigenvalues();
        let scale = spectrum.amax();
        let found = extreme_eigenvalues(&f, &w, w.len(), 0.0, 7);
        assert!((found.smallest - spectrum.min()).abs() <= 1e-8 * scale, "{activation:?}: {found:?}");
        assert!((found.largest - spectrum.max()).abs() <= 1e-8 * scale, "{activation:?}: {found:?}");
        // A bound on the residual is a bound on the error, with fewer products.
        let soon = extreme_eigenvalues(&f, &w, w.len(), 1e-3, 7);
        assert!(soon.products <= found.products && soon.residual <= 1e-3 * scale * 1.01, "{soon:?}");
        assert!((soon.largest - spectrum.max()).abs() <= 2e-3 * scale, "{activation:?}: {soon:?}");
    }
}

/// ½ (w − 1)ᵀ diag(λ) (w − 1), condition number 10⁴, with a double eigenvalue.
struct Bowl;

impl Function<f64> for Bowl {
    fn eval<V: Value<Real = f64>>(&self, w: &[V]) -> V {
        let curvature = Tensor::new([6], &[1e-4, 0.01, 0.3, 0.3, 0.5, 1.0]);
        let apart = w[0].sub(&V::constant(Tensor::full([6], 1.0)));
        apart.mul(&apart).mul(&V::constant(curvature)).sum().scale(0.5)
    }
}

fn zeros(n: usize) -> Params<f64> {
    Params::new(vec!["w".to_string()].into(), vec![Tensor::zeros([n])])
}

#[test]
fn lanczos_ends_where_the_space_is_exhausted() {
    let found = extreme_eigenvalues(&Bowl, &zeros(6), 50, 0.0, 0);
    assert!(found.products <= 6 && (found.smallest - 1e-4).abs() < 1e-12 && (found.largest - 1.0).abs() < 1e-12);
}

fn evaluate<'a, F: Function<f64>>(f: &'a F) -> impl FnMut(&Params<f64>) -> (f64, Params<f64>) + 'a {
    move |w| {
        let (value, gradient) = value_and_grad(f, w.tensors());
        (value, w.with(gradient))
    }
}

#[test]
fn a_quadratic_is_solved_to_the_last_digits() {
    let found = minimise(zeros(6), Stop { gradient: 1e-12, evaluations: 500 }, evaluate(&Bowl));
    assert!(found.is_stationary && found.evaluations < 100, "{found:?}");
    found.params.tensors()[0].as_slice().iter().for_each(|w| assert!((w - 1.0).abs() < 1e-7, "{found:?}"));
}

#[test]
fn networks_become_stationary_for_plain_and_meta_objectives() {
    for (case, activation) in ACTIVATIONS.into_iter().enumerate().filter(|(_, a)| *a != Activation::Relu) {
        let (support, start) = network(activation, case as u64);
        let (query, _) = network(activation, 10 + case as u64);
        let stop = Stop { gradient: 1e-6, evaluations: 5000 };
        let plain = minimise(start.clone(), stop, evaluate(&support));
        assert!(plain.is_stationary, "{activation:?}: {} after {}", plain.gradient, plain.evaluations);
        let task = Task { support: vec![support], query };
        let inner = InnerLoop { alpha: 0.1, steps: 1 };
        let meta = minimise(start, stop, |w| {
            let (value, gradient) = meta_gradient(&task, w.tensors(), inner, Order::Second);
            (value, w.with(gradient))
        });
        assert!(meta.is_stationary, "{activation:?}: {} after {}", meta.gradient, meta.evaluations);
    }
}

#[test]
fn what_cannot_be_reached_is_said() {
    let (f, start) = network(Activation::Tanh, 3);
    let short = minimise(start.clone(), Stop { gradient: 1e-9, evaluations: 5 }, evaluate(&f));
    assert!(!short.is_stationary && short.evaluations == 5 && short.gradient < 1.0, "{short:?}");
    let lost = minimise(start.map(|t| t.scale(f64::NAN)), Stop { gradient: 1e-9, evaluations: 5 }, evaluate(&f));
    assert!(!lost.is_stationary && !lost.value.is_finite());
    // At a minimum from the start there is nothing to do.
    let done = minimise(
        zeros(6).map(|t| Tensor::full(t.shape(), 1.0)),
        Stop { gradient: 1e-9, evaluations: 5 },
        evaluate(&Bowl),
    );
    assert!(done.is_stationary && done.evaluations == 1);
}

#[test]
fn hardness_of_a_linear_task_is_its_covariance() {
    let rng = &mut stream("hardness", [0, 0]);
    let x = Tensor::from_fn([50, 5], |_| rng.random_range(-1.0..1.0));
    let f = Regression { model: Linear { dim: 5 }, y: Tensor::zeros([50]), x: x.clone() };
    let x = Matrix::from_row_slice(50, 5, x.as_slice());
    let spectrum = (x.transpose() * x / 50.0).symmetric_eigenvalues();
    let found = extreme_eigenvalues(&f, &f.model.init(0), 5, 0.0, 1);
    assert!((found.smallest - spectrum.min()).abs() < 1e-12 && (found.largest - spectrum.max()).abs() < 1e-12);
}
