//! Numbers for the tests of kernels, and outputs between canaries.

#![allow(dead_code)] // Not every test binary uses every piece.

use std::fmt::Debug;

use maml_kernels::{Isa, Real};

/// A small generator of whole numbers and fractions (xorshift), so that the tests need no library.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// Whole numbers from −span to span, on which sums of few terms are exact in both types.
    pub(crate) fn whole<T: Real>(&mut self, n: usize, span: u64) -> Vec<T> {
        (0..n).map(|_| T::from_f64((self.next() % (2 * span + 1)) as f64 - span as f64)).collect()
    }
    /// Uniform in (−1, 1).
    pub(crate) fn uniform<T: Real>(&mut self, n: usize) -> Vec<T> {
        (0..n).map(|_| T::from_f64((self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0)).collect()
    }
}

/// Calls `write` with a window of `len` numbers at `offset` inside a larger array, and checks that
/// nothing outside the window has changed.
pub(crate) fn with_canaries<T: Copy + PartialEq + Debug>(
    canary: T,
    start: &[T],
    offset: usize,
    write: impl FnOnce(&mut [T]),
) -> Vec<T> {
    let mut all = vec![canary; offset + start.len() + 33];
    let inside = offset..offset + start.len();
    all[inside.clone()].copy_from_slice(start);
    write(&mut all[inside.clone()]);
    let result = all[inside.clone()].to_vec();
    all[inside].fill(canary);
    assert!(all.iter().all(|&x| x == canary), "written outside: {} elements at {offset}", start.len());
    result
}

pub(crate) fn wide<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

pub(crate) fn on_every_isa(test: impl FnMut(Isa)) {
    Isa::available().into_iter().for_each(test);
}
