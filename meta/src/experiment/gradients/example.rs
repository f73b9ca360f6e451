//! An input for those who have none.

use maml_autograd::{Shape, Tensor, Value};
use rand_distr::{Distribution, StandardNormal};

use super::ModelName;
use crate::{
    Purpose,
    arrays::{NamedArray, to_file},
    model::{Activation, Conv4, Init, Linear, Model, TwoLayer},
    rng,
};

/// An input file of random arrays: for conv4, 5-way 1-shot with 15 queries a class on 28×28 images and 64
/// filters; for two_layer, 10 inputs and 5 neurons; for linear, 10 inputs; 20 support and 30 query samples.
pub fn example_input(model: ModelName, seed: u64) -> Vec<u8> {
    match model {
        ModelName::Conv4 => {
            let model = Conv4 { height: 28, width: 28, channels: 1, filters: 64, ways: 5 };
            let labels = |per_class: u32| (0..5 * per_class).map(|i| i / per_class).collect::<Vec<_>>();
            example(&model, &[28, 28, 1], seed, |name, n, _| NamedArray::integers(name, &labels(n as u32 / 5)), [5, 75])
        }
        ModelName::TwoLayer => example(
            &TwoLayer { dim: 10, neurons: 5, activation: Activation::Softplus },
            &[10],
            seed,
            example_targets,
            [20, 30],
        ),
        ModelName::Linear => example(&Linear { dim: 10 }, &[10], seed, example_targets, [20, 30]),
    }
}

fn example_targets(name: &str, n: usize, stream: &mut Stream) -> NamedArray {
    NamedArray::numbers(name, &stream.normal([n].into(), 1.0))
}

fn example<M: Model>(
    model: &M,
    input: &[usize],
    seed: u64,
    targets: impl Fn(&str, usize, &mut Stream) -> NamedArray,
    sizes: [usize; 2],
) -> Vec<u8> {
    let mut stream = Stream { seed, next: 0 };
    let mut arrays = Vec::new();
    for spec in model.specs() {
        // Scales and shifts away from their starting point, so that nothing is zero by accident.
        let (center, deviation) = match spec.init {
            Init::Constant(center) => (center, 0.1),
            Init::Normal(deviation) => (0.0, deviation),
        };
        let values = stream.normal(spec.shape, deviation).add(&Tensor::full(spec.shape, center as f32));
        arrays.push(NamedArray::numbers(&spec.name, &values));
        let vector = stream.normal(spec.shape, 1.0);
        arrays.push(NamedArray::numbers(format!("vector.{}", spec.name), &vector));
    }
    for (set, n) in ["support", "query"].into_iter().zip(sizes) {
        let shape: Vec<usize> = std::iter::once(n).chain(input.iter().copied()).collect();
        arrays.push(NamedArray::numbers(format!("{set}.x"), &stream.normal(shape[..].into(), 1.0)));
        arrays.push(targets(&format!("{set}.y"), n, &mut stream));
    }
    to_file(&arrays, Some(("seed", seed.to_string())))
}

/// Arrays of independent normal numbers, one address after the other.
struct Stream {
    seed: u64,
    next: u64,
}

impl Stream {
    fn normal(&mut self, shape: Shape, deviation: f64) -> Tensor<f32> {
        let mut rng = rng(self.seed, Purpose::Data, 0, self.next);
        self.next += 1;
        Tensor::from_fn(shape, |_| {
            let z: f64 = StandardNormal.sample(&mut rng);
            (deviation * z) as f32
        })
    }
}
