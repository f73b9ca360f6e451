//! The meta-gradient against everything that must equal it: closed forms, the fully unrolled derivative,
//! differences of the whole meta-loss, and its own special cases.

#[path = "support/printed.rs"]
mod printed;
#[path = "support/sampling.rs"]
mod sampling;

use insta::assert_snapshot;
use maml_autograd::{Function, Tape, Tensor, Value, hvp, value, value_and_grad};
use maml_meta::{
    maml::{InnerLoop, Order, Task, adapt, meta_gradient},
    model::{Activation, Classification, Conv4, Linear, Model, Regression, TwoLayer},
    nal::nal_gradient,
};

/// Numbers without pattern in (−1, 1), the same on every machine.
fn scattered(seed: u64, i: usize) -> f64 {
    let mut z = (seed << 32 | i as u64).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 29)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn tensor(seed: u64, shape: &[usize]) -> Tensor<f64> {
    Tensor::from_fn(shape, |i| scattered(seed, i))
}

fn close(a: &[Tensor<f64>], b: &[Tensor<f64>], tolerance: f64, what: &str) {
    let size = |t: &[Tensor<f64>]| t.iter().flat_map(|t| t.as_slice()).fold(0.0, |m: f64, x| m.max(x.abs()));
    let scale = size(a).max(size(b));
    for (array, (a, b)) in a.iter().zip(b).enumerate() {
        for (i, (a, b)) in a.as_slice().iter().zip(b.as_slice()).enumerate() {
            assert!((a - b).abs() <= tolerance * scale, "{what}: array {array}, element {i}: {a} and {b}");
        }
    }
}

fn few_shot(filters: usize) -> (Task<Classification<Conv4, f64>>, Vec<Tensor<f64>>) {
    let model = Conv4 { height: 28, width: 28, channels: 1, filters, ways: 3 };
    let set = |seed, per_class: usize| Classification {
        model,
        x: tensor(seed, &[3 * per_class, 28, 28, 1]),
        labels: (0..3 * per_class as u32).map(|i| i / per_class as u32).collect(),
    };
    let params = model.init::<f64>(7);
    let moved: Vec<_> = params.tensors().iter().map(|t| t.add_scaled(0.1, &tensor(3, t.shape().dims()))).collect();
    (Task { support: vec![set(1, 1)], query: set(2, 2) }, moved)
}

fn regression<M: Model>(model: M, dim: usize) -> (Task<Regression<M, f64>>, Vec<Tensor<f64>>) {
    let set =
        |seed, n: usize| Regression { model: model.clone(), x: tensor(seed, &[n, dim]), y: tensor(seed + 50, &[n]) };
    let specs = model.specs();
    let w = specs.iter().map(|spec| tensor(9, spec.shape.dims())).collect();
    (Task { support: vec![set(1, 12)], query: set(2, 9) }, w)
}

/// ∇ f_query(w_K(w_0)) with all K steps on one tape.
fn unrolled<F: Function<f64>>(task: &Task<F>, w: &[Tensor<f64>], inner: InnerLoop) -> (f64, Vec<Tensor<f64>>) {
    let tape = Tape::new();
    let start: Vec<_> = w.iter().map(|w| tape.variable(w)).collect();
    let mut w_k = start.clone();
    for k in 0..inner.steps {
        let loss = task.support[k % task.support.len()].eval(&w_k);
        let gradient = tape.gradient(&loss, &w_k.iter().collect::<Vec<_>>());
        w_k = w_k.iter().zip(&gradient).map(|(w, g)| w.add_scaled(-inner.alpha, g)).collect();
    }
    let loss = task.query.eval(&w_k);
    let gradient = tape.vjp(&[(&loss, Tensor::scalar(1.0))], &start.iter().collect::<Vec<_>>());
    (loss.value().item(), gradient)
}

#[test]
fn stepwise_equals_unrolled() {
    for steps in [1, 2, 5] {
        let inner = InnerLoop { alpha: 0.3, steps };
        let (task, w) = few_shot(6);
        let ((loss, g), (witness_loss, witness)) =
            (meta_gradient(&task, &w, inner, Order::Second), unrolled(&task, &w, inner));
        assert!((loss - witness_loss).abs() <= 1e-12 * loss.abs(), "K = {steps}: {loss} and {witness_loss}");
        close(&g, &witness, 1e-10, &format!("conv4, K = {steps}"));
        let (task, w) = regression(TwoLayer { dim: 4, neurons: 3, activation: Activation::Softplus }, 4);
        close(
            &meta_gradient(&task, &w, inner, Order::Second).1,
            &unrolled(&task, &w, inner).1,
            1e-12,
            &format!("two_layer, K = {steps}"),
        );
        // A set of its own for every step.
        let (mut task, w) = regression(TwoLayer { dim: 4, neurons: 3, activation: Activation::Softplus }, 4);
        task.support =
            (0..steps as u64).map(|k| Regression { x: tensor(70 + k, &[12, 4]), ..task.support[0].clone() }).collect();
        close(
            &meta_gradient(&task, &w, inner, Order::Second).1,
            &unrolled(&task, &w, inner).1,
            1e-12,
            &format!("two_layer on fresh sets, K = {steps}"),
        );
    }
}

/// For the linear model with one step, w_1 = w − αH(w − w*) and the meta-gradient is (I − αH)ᵀ H_q (w_1 − w_q*).
#[test]
fn one_linear_step_is_the_closed_form() {
    let (d, alpha) = (5, 0.2);
    let (task, w) = regression(Linear { dim: d }, d);
    let gram = |set: &Regression<Linear, f64>, i: usize, j: usize| {
        let n = set.x.shape().dims()[0];
        (0..n).map(|r| set.x.as_slice()[r * d + i] * set.x.as_slice()[r * d + j]).sum::<f64>() / n as f64
    };
    let gradient = |set: &Regression<Linear, f64>, w: &[f64]| -> Vec<f64> {
        let n = set.x.shape().dims()[0];
        let moment =
            |i: usize| (0..n).map(|r| set.x.as_slice()[r * d + i] * set.y.as_slice()[r]).sum::<f64>() / n as f64;
        (0..d).map(|i| (0..d).map(|j| gram(set, i, j) * w[j]).sum::<f64>() - moment(i)).collect()
    };
    let w0 = w[0].as_slice();
    let g0 = gradient(&task.support[0], w0);
    let w1: Vec<f64> = w0.iter().zip(&g0).map(|(w, g)| w - alpha * g).collect();
    let q = gradient(&task.query, &w1);
    let expected: Vec<f64> =
        (0..d).map(|i| q[i] - alpha * (0..d).map(|j| gram(&task.support[0], i, j) * q[j]).sum::<f64>()).collect();
    let (_, found) = meta_gradient(&task, &w, InnerLoop { alpha, steps: 1 }, Order::Second);
    close(&found, &[Tensor::new([d], &expected)], 1e-12, "linear");
}

#[test]
fn conv_net_agrees_with_differences_of_the_whole_meta_loss() {
    let (task, w) = few_shot(4);
    let inner = InnerLoop { alpha: 0.2, steps: 2 };
    let (_, g) = meta_gradient(&task, &w, inner, Order::Second);
    let direction: Vec<_> = w.iter().enumerate().map(|(i, w)| tensor(20 + i as u64, w.shape().dims())).collect();
    let slope: f64 = g.iter().zip(&direction).map(|(g, u)| g.dot(u).item()).sum();
    let at = |h: f64| {
        let moved: Vec<_> = w.iter().zip(&direction).map(|(w, u)| w.add_scaled(h, u)).collect();
        value(&task.query, &adapt(&task.support, &moved, inner))
    };
    let h = 1e-6;
    let difference = (at(h) - at(-h)) / (2.0 * h);
    assert!((slope - difference).abs() <= 1e-7 + 1e-5 * slope.abs(), "{slope} and {difference}");
}

#[test]
fn plain_training_is_the_mean_over_all_examples_of_a_task() {
    let (task, w) = regression(Linear { dim: 5 }, 5);
    let join = |of: fn(&Regression<Linear, f64>) -> &Tensor<f64>, shape: &[usize]| {
        Tensor::new(shape, &[of(&task.support[0]).as_slice(), of(&task.query).as_slice()].concat())
    };
    let n = task.support[0].y.shape().len() + task.query.y.shape().len();
    let pooled = Regression { model: Linear { dim: 5 }, x: join(|set| &set.x, &[n, 5]), y: join(|set| &set.y, &[n]) };
    let ((loss, g), (expected_loss, expected)) = (nal_gradient(&task, &w), value_and_grad(&pooled, &w));
    assert!((loss - expected_loss).abs() <= 1e-14 * loss.abs(), "{loss} and {expected_loss}");
    close(&g, &expected, 1e-14, "gradient");
}

#[test]
fn special_cases_are_exact() {
    let (task, w) = few_shot(4);
    let same_bits = |a: &[Tensor<f64>], b: &[Tensor<f64>]| {
        let bits = |t: &[Tensor<f64>]| t.iter().flat_map(|t| t.as_slice()).map(|x| x.to_bits()).collect::<Vec<_>>();
        bits(a) == bits(b)
    };
    let still = InnerLoop { alpha: 0.0, steps: 2 };
    let second = meta_gradient(&task, &w, still, Order::Second).1;
    assert!(same_bits(&second, &meta_gradient(&task, &w, still, Order::First).1), "alpha = 0 is first order");
    let none = meta_gradient(&task, &w, InnerLoop { alpha: 0.4, steps: 0 }, Order::Second).1;
    assert!(same_bits(&none, &value_and_grad(&task.query, &w).1), "K = 0 is the gradient of the query loss");
    let one = InnerLoop { alpha: 0.4, steps: 1 };
    let (exact, first) =
        (meta_gradient(&task, &w, one, Order::Second).1, meta_gradient(&task, &w, one, Order::First).1);
    let bent = hvp(&task.support[0], &w, &first);
    let expected: Vec<_> = first.iter().zip(&bent).map(|(v, h)| v.add_scaled(-0.4, h)).collect();
    close(&exact, &expected, 1e-13, "second order is first order less alpha times a Hessian-vector product");
    assert!(!same_bits(&exact, &first), "the Hessian matters");
}

/// Meta-loss and meta-gradient of named small problems, in digits that hold on every instruction set.
#[test]
fn meta_gradients_stay_what_they_are() {
    fn printed<F: Function<f64>>((task, w): (Task<F>, Vec<Tensor<f64>>)) -> String {
        let inner = InnerLoop { alpha: 0.3, steps: 2 };
        let (loss, g) = meta_gradient(&task, &w, inner, Order::Second);
        let loss = printed::arrays("meta_loss", &[Tensor::scalar(loss)], printed::rounded);
        loss + &printed::arrays("meta_gradient", &g, printed::rounded)
    }
    assert_snapshot!("meta_linear", printed(regression(Linear { dim: 4 }, 4)));
    assert_snapshot!(
        "meta_two_layer",
        printed(regression(TwoLayer { dim: 4, neurons: 3, activation: Activation::Softplus }, 4))
    );
    assert_snapshot!("meta_conv4", printed(few_shot(2)));
}
