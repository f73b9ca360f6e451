//! The numbers of `benches/peers/problem.py`, to the bit: models' arrays and tasks from a hash of seed and index.

use maml_autograd::{Shape, Tensor};
use maml_meta::{
    Params,
    maml::Task,
    model::{Classification, Model, Regression},
    nal::Empirical,
    task::FixedTasks,
};

use crate::cases::WAYS;

/// Number `index` of a seed, from [−1/2, 1/2).
fn uniform(seed: u32, index: usize) -> f32 {
    let mut z = (index as u32).wrapping_mul(0x9E37_79B9).wrapping_add(seed.wrapping_mul(0x85EB_CA6B));
    z ^= z >> 16;
    z = z.wrapping_mul(0x7FEB_352D);
    z ^= z >> 15;
    z = z.wrapping_mul(0x846C_A68B);
    z ^= z >> 16;
    (z >> 8) as f32 / (1 << 24) as f32 - 0.5
}

/// Numbers with this variance. Their factor is rounded to f32 once.
fn spread(seed: u32, variance: f64, shape: impl Into<Shape>) -> Tensor<f32> {
    let factor = (12.0 * variance).sqrt() as f32;
    Tensor::from_fn(shape, |i| uniform(seed, i) * factor)
}

/// The model's arrays; array k takes seed k + 1.
pub(crate) fn parameters(model: &impl Model) -> Params<f32> {
    let (mut names, mut arrays) = (Vec::new(), Vec::new());
    for (spec, seed) in model.specs().into_iter().zip(1..) {
        arrays.push(parameter(&spec.name, spec.shape, seed));
        names.push(spec.name);
    }
    Params::new(names.into(), arrays)
}

fn parameter(name: &str, shape: Shape, seed: u32) -> Tensor<f32> {
    let kind = name.rsplit('.').next().unwrap_or(name);
    match (kind, shape.dims()) {
        ("scale", _) => Tensor::from_fn(shape, |i| 1.0 + 0.2 * uniform(seed, i)),
        ("shift", _) => Tensor::from_fn(shape, |i| 0.2 * uniform(seed, i)),
        ("bias", _) => Tensor::from_fn(shape, |i| 0.02 * uniform(seed, i)),
        (_, [rows, columns, c_in, _]) => spread(seed, 2.0 / (rows * columns * c_in) as f64, shape),
        (_, [inputs, _]) => spread(seed, 1.0 / *inputs as f64, shape),
        _ => spread(seed, 1.0, shape),
    }
}

/// What the Hessian is multiplied by.
pub(crate) fn direction(params: &Params<f32>) -> Vec<Tensor<f32>> {
    let seeded = params.tensors().iter().zip(501..);
    seeded.map(|(array, seed)| Tensor::from_fn(array.shape(), |i| uniform(seed, i))).collect()
}

/// Square images, `per_class` of each class, class by class.
pub(crate) fn images<M: Model>(
    model: M,
    [side, channels]: [usize; 2],
    per_class: usize,
    seed: u32,
) -> Classification<M, f32> {
    let count = WAYS * per_class;
    let x = Tensor::from_fn([count, side, side, channels], |i| uniform(seed, i) + 0.5);
    Classification { model, x, labels: (0..count).map(|i| (i / per_class) as u32).collect() }
}

/// Inputs of variance 1 and targets that know nothing of them.
pub(crate) fn pairs<M: Model>(model: M, dim: usize, examples: usize, seed: u32) -> Regression<M, f32> {
    Regression { model, x: spread(seed, 1.0, [examples, dim]), y: spread(seed + 1, 1.0, [examples]) }
}

/// Task t takes seeds 1000 + 4t to 1003 + 4t, two for each of its sets. As with the peers, what can be done once for tasks
/// that stay the same is done before the clock starts.
pub(crate) fn tasks<F: Empirical<f32> + Clone>(
    count: usize,
    parameters: usize,
    support: impl Fn(u32) -> F,
    query: impl Fn(u32) -> F,
) -> FixedTasks<F> {
    let seeds = (1000..).step_by(4).take(count);
    let tasks = seeds.map(|seed| Task { support: vec![support(seed)], query: query(seed + 2) });
    FixedTasks::new(tasks.collect(), parameters)
}
