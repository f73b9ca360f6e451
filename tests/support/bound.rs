//! What kernel tests share: outputs between canaries, random operands, rounding bounds.

use maml_kernels::Real;
use rand::{RngExt, rngs::ChaCha8Rng};

/// Elements before and after an output, more than two vectors of any instruction set.
const MARGIN: usize = 40;
const CANARY: f64 = -123_456.0;

/// An output that starts out as NaN and whose surroundings must stay as they are.
pub(crate) struct Guarded<T>(Vec<T>);

impl<T: Real> Guarded<T> {
    pub(crate) fn new(len: usize) -> Self {
        let mut all = vec![T::from_f64(CANARY); len + 2 * MARGIN];
        all[MARGIN..MARGIN + len].fill(T::from_f64(f64::NAN));
        Self(all)
    }
    pub(crate) fn slice(&mut self) -> &mut [T] {
        let end = self.0.len() - MARGIN;
        &mut self.0[MARGIN..end]
    }
    /// The output, after a look at the surroundings.
    pub(crate) fn checked(&self, what: impl Fn() -> String) -> &[T] {
        let end = self.0.len() - MARGIN;
        for (i, &x) in self.0.iter().enumerate() {
            if !(MARGIN..end).contains(&i) {
                let place = i as isize - MARGIN as isize;
                assert!(x == T::from_f64(CANARY), "{}: wrote {x} at index {place}, outside the output", what());
            }
        }
        &self.0[MARGIN..end]
    }
}

/// Numbers from (−1, 1).
pub(crate) fn random<T: Real>(rng: &mut ChaCha8Rng, len: usize) -> Vec<T> {
    (0..len).map(|_| T::from_f64(2.0 * rng.random::<f64>() - 1.0)).collect()
}

/// γ_n = n·u / (1 − n·u) with the unit roundoff u = ε/2: the relative error of n roundings in a row.
pub(crate) fn gamma<T: Real>(n: usize) -> f64 {
    let nu = n as f64 * T::EPSILON.to_f64() / 2.0;
    nu / (1.0 - nu)
}

/// |out − exact| ≤ γ · magnitude, element by element.
pub(crate) fn assert_within<T: Real>(
    gamma: f64,
    out: &[T],
    exact: &[f64],
    magnitude: &[f64],
    what: impl Fn() -> String,
) {
    assert_eq!((out.len(), out.len()), (exact.len(), magnitude.len()), "{}: lengths", what());
    for (i, (out, (exact, magnitude))) in out.iter().zip(exact.iter().zip(magnitude)).enumerate() {
        let error = (out.to_f64() - exact).abs();
        let bound = gamma * magnitude;
        assert!(error <= bound, "{}: first bad index {i}: {out}, exactly {exact}, error {error:e} > {bound:e}", what());
    }
}
