//! Hessian-vector products of small losses: their algebra, three independent ways to them, and single
//! against double precision, and the memory that they ask for.

#[path = "support/hyper.rs"]
mod hyper;
#[path = "support/nets.rs"]
mod nets;
#[path = "support/sampling.rs"]
mod sampling;

use hyper::{Hyper, hessian};
use maml_autograd::{
    Function, SecondOrder, Tape, Tensor, fresh_allocations, grad, hvp, hvp_reverse_over_forward, jvp, value_and_grad,
};
use sampling::{direction, dot, largest, stream};

type Arrays = Vec<Tensor<f64>>;

/// a·x + b·y
fn combined(a: f64, x: &[Tensor<f64>], b: f64, y: &[Tensor<f64>]) -> Arrays {
    let one = |(x, y): (&Tensor<f64>, &Tensor<f64>)| {
        Tensor::from_fn(x.shape(), |i| a * x.as_slice()[i] + b * y.as_slice()[i])
    };
    x.iter().zip(y).map(one).collect()
}

/// No element differs by more than `tolerance` of the largest element.
#[track_caller]
fn assert_close(what: &str, have: &[Tensor<f64>], want: &[Tensor<f64>], tolerance: f64) {
    let error = largest(&combined(1.0, have, -1.0, want)) / largest(want);
    assert!(error <= tolerance, "{what}: relative error {error:e}");
}

/// Σ |a_i b_i|: what the rounding errors of ⟨a, b⟩ are relative to.
fn magnitude(a: &[Tensor<f64>], b: &[Tensor<f64>]) -> f64 {
    let absolute = |x: &[Tensor<f64>]| -> Arrays {
        x.iter().map(|x| Tensor::from_fn(x.shape(), |i| x.as_slice()[i].abs())).collect()
    };
    dot(&absolute(a), &absolute(b))
}

fn check(f: &(impl Function<f64> + Function<f32>), at: &[Tensor<f64>]) {
    let rng = &mut stream("directions", [0, 0]);
    for _ in 0..10 {
        let [v, w] = std::array::from_fn(|_| direction(rng, at));
        let (hv, hw) = (hvp(f, at, &v), hvp(f, at, &w));
        let asymmetry = (dot(&v, &hw) - dot(&w, &hv)).abs();
        assert!(asymmetry <= 1e-12 * magnitude(&v, &hw), "⟨v, Hw⟩ − ⟨w, Hv⟩ = {asymmetry:e}");
        let sum = hvp(f, at, &combined(0.7, &v, -1.3, &w));
        assert_close("linear in v", &sum, &combined(0.7, &hv, -1.3, &hw), 1e-12);
        assert_close("reverse over forward", &hvp_reverse_over_forward(f, at, &v), &hv, 1e-12);

        let g = grad(f, at);
        let slope = jvp(f, at, &v).1;
        assert!((dot(&g, &v) - slope).abs() <= 1e-12 * magnitude(&g, &v), "⟨∇f, v⟩ by both modes");

        let h = 1e-5;
        let ahead = grad(f, &combined(1.0, at, h, &v));
        let difference = combined(0.5 / h, &ahead, -0.5 / h, &grad(f, &combined(1.0, at, -h, &v)));
        assert_close("difference of gradients", &difference, &hv, 1e-7);

        one_recording_serves_many_products(f, at, [&v, &w], [&hv, &hw]);
        single_precision_follows(f, at, &v, &hv);
    }
}

fn one_recording_serves_many_products(
    f: &impl Function<f64>,
    at: &[Tensor<f64>],
    directions: [&Arrays; 2],
    products: [&Arrays; 2],
) {
    let tape = Tape::new();
    let second = SecondOrder::at(&tape, f, at);
    let recorded = tape.len();
    let bits = |x: &[Tensor<f64>]| -> Vec<u64> { x.iter().flat_map(Tensor::as_slice).map(|x| x.to_bits()).collect() };
    for (v, hv) in directions.into_iter().zip(products) {
        assert_eq!(bits(&second.hvp(v)), bits(hv));
    }
    assert_eq!(tape.len(), recorded, "a product records nothing");
    let (value, gradient) = value_and_grad(f, at);
    assert_eq!(second.value().to_bits(), value.to_bits());
    assert_eq!(bits(&second.gradient()), bits(&gradient));
}

/// A few hundred roundings of 6e-8 each, grown by the divisions of batch norm.
fn single_precision_follows(f: &impl Function<f32>, at: &[Tensor<f64>], v: &[Tensor<f64>], hv: &[Tensor<f64>]) {
    let single = |x: &[Tensor<f64>]| -> Vec<Tensor<f32>> { x.iter().map(Tensor::cast).collect() };
    let product = hvp(f, &single(at), &single(v));
    assert_close("single precision", &product.iter().map(Tensor::cast).collect::<Arrays>(), hv, 2e-5);
}

#[test]
fn linear_regression() {
    let (f, at) = nets::linear_regression();
    check(&f, &at);
    // ∇² = XᵀX / n
    let (n, d) = (f.x.shape().dims()[0], f.x.shape().dims()[1]);
    let v = direction(&mut stream("closed form", [0, 0]), &at);
    let row = |i: usize| &f.x.as_slice()[i * d..][..d];
    let scores: Vec<f64> = (0..n).map(|i| row(i).iter().zip(v[0].as_slice()).map(|(x, v)| x * v).sum()).collect();
    let hv = Tensor::from_fn([d, 1], |j| (0..n).map(|i| row(i)[j] * scores[i]).sum::<f64>() / n as f64);
    assert_close("XᵀX v / n", &hvp(&f, &at, &v), &[hv], 1e-14);
}

#[test]
fn logistic_regression() {
    let (f, at) = nets::logistic();
    check(&f, &at);
    // ∇² = Σ p (1 − p) x xᵀ / n with p = σ(⟨x, w⟩)
    let (n, d) = (f.x.shape().dims()[0], f.x.shape().dims()[1]);
    let v = direction(&mut stream("closed form", [1, 0]), &at);
    let along = |i: usize, w: &[f64]| -> f64 { f.x.as_slice()[i * d..][..d].iter().zip(w).map(|(x, w)| x * w).sum() };
    let weight = |i: usize| 1.0 / (2.0 + 2.0 * along(i, at[0].as_slice()).cosh()) * along(i, v[0].as_slice());
    let hv = Tensor::from_fn([d, 1], |j| (0..n).map(|i| f.x.as_slice()[i * d + j] * weight(i)).sum::<f64>() / n as f64);
    assert_close("Σ p (1 − p) x ⟨x, v⟩ / n", &hvp(&f, &at, &v), &[hv], 1e-13);
}

#[test]
fn two_layer_softplus_net() {
    let (f, at) = nets::two_layer();
    check(&f, &at);
    check_hessian(&f, &at);
}

#[test]
fn convolutional_net_of_one_block() {
    let (f, at) = nets::tiny_conv();
    check(&f, &at);
    check_hessian(&f, &at);
}

#[test]
fn convolutional_net_of_two_blocks() {
    let (f, at) = nets::two_blocks();
    check(&f, &at);
}

/// The whole Hessian, column by column, against hyper-dual numbers.
fn check_hessian(f: &(impl Function<f64> + Hyper), at: &[Tensor<f64>]) {
    let exact = hessian(f, at);
    assert!(exact.len() < 60, "{} weights", exact.len());
    let scale = exact.iter().flatten().fold(0.0, |max: f64, x| max.max(x.abs()));
    for (column, exact) in exact.iter().enumerate() {
        let mut position = 0_usize..;
        let unit =
            |x: &Tensor<f64>| Tensor::from_fn(x.shape(), |_| f64::from(u8::from(position.next() == Some(column))));
        let v: Arrays = at.iter().map(unit).collect();
        let product = hvp(f, at, &v);
        for (have, want) in product.iter().flat_map(Tensor::as_slice).zip(exact) {
            assert!((have - want).abs() <= 1e-12 * scale, "column {column}: {have:e} instead of {want:e}");
        }
    }
}

/// How many blocks each repetition asks of the system.
fn fresh_per_repetition(mut step: impl FnMut()) -> Vec<u64> {
    let count = |_| {
        let before = fresh_allocations();
        step();
        fresh_allocations() - before
    };
    (0..4).map(count).collect()
}

#[test]
fn repeated_derivatives_ask_for_no_fresh_memory() {
    let (f, at) = nets::two_blocks();
    let v = direction(&mut stream("memory", [0, 0]), &at);
    assert_eq!(fresh_per_repetition(|| drop(grad::<f64>(&f, &at)))[1..], [0; 3], "gradient");
    assert_eq!(fresh_per_repetition(|| drop(hvp::<f64>(&f, &at, &v)))[1..], [0; 3], "Hessian-vector product");
}

/// A meta-step holds the tapes of all inner steps at once: hundreds of small arrays of one size.
#[test]
fn many_tapes_at_once_ask_for_no_fresh_memory_when_repeated() {
    let (f, at) = nets::two_blocks();
    let v = direction(&mut stream("memory", [0, 0]), &at);
    let fresh = fresh_per_repetition(|| {
        let tapes: Vec<Tape<f64>> = (0..10).map(|_| Tape::new()).collect();
        let steps: Vec<_> = tapes.iter().map(|tape| SecondOrder::at(tape, &f, &at)).collect();
        steps.iter().for_each(|step| drop(step.hvp(&v)));
    });
    assert!(fresh[0] > 0, "the first step asks for memory");
    assert_eq!(fresh[1..], [0; 3]);
}
