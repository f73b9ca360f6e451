//! Random inputs by address, and arithmetic on lists of arrays.

#![allow(dead_code)] // Not every test binary uses every piece.

use maml_autograd::{Shape, Tensor};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

pub(crate) type Rng = ChaCha8Rng;

/// The random stream of a name and two indices: the same numbers in whatever order tests run.
pub(crate) fn stream(name: &str, index: [u64; 2]) -> Rng {
    let mut seed = [0; 32];
    for (i, byte) in name.bytes().enumerate() {
        seed[i % 16] = u8::wrapping_add(u8::wrapping_mul(seed[i % 16], 31), byte);
    }
    seed[16..24].copy_from_slice(&index[0].to_le_bytes());
    seed[24..].copy_from_slice(&index[1].to_le_bytes());
    Rng::from_seed(seed)
}

pub(crate) fn uniform(rng: &mut Rng, shape: Shape, low: f64, high: f64) -> Tensor<f64> {
    Tensor::from_fn(shape, |_| rng.random_range(low..high))
}

/// A random direction, or cotangent, in the space of `like`; it is nowhere uniform.
pub(crate) fn direction(rng: &mut Rng, like: &[Tensor<f64>]) -> Vec<Tensor<f64>> {
    like.iter().map(|x| uniform(rng, x.shape(), -1.0, 1.0)).collect()
}

/// Σ ⟨a, b⟩ over the arrays.
pub(crate) fn dot(a: &[Tensor<f64>], b: &[Tensor<f64>]) -> f64 {
    let product = |(a, b): (&Tensor<f64>, &Tensor<f64>)| -> f64 {
        assert_eq!(a.shape(), b.shape(), "inner product of arrays");
        a.as_slice().iter().zip(b.as_slice()).map(|(a, b)| a * b).sum()
    };
    assert_eq!(a.len(), b.len(), "inner product of lists of arrays");
    a.iter().zip(b).map(product).sum()
}

/// The largest |x| of all arrays.
pub(crate) fn largest(x: &[Tensor<f64>]) -> f64 {
    x.iter().flat_map(Tensor::as_slice).fold(0.0, |max, x| x.abs().max(max))
}
