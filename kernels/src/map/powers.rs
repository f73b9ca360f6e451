//! Functions of powers of e, in the order that keeps a processor busy.

use super::{Function, exp::power};
use crate::simd::{Real, Simd};

/// A function of x and of a power of e. Some exponents are reduced first, then raised, then made use of: a processor looks ahead over a
/// hundred operations or two, and in one long formula for each number it sees few numbers, and waits for their sums.
pub(super) trait OfExp<T: Real>: Copy {
    /// The exponent as [`super::exp::reduced`] has it.
    fn reduced<S: Simd<T>>(self, simd: S, x: S::V) -> (S::V, S::V);
    /// The function.
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, power: S::V) -> S::V;
}

/// Numbers whose powers are found together.
pub(super) const BLOCK: usize = 256;

/// Such a function, powers first.
#[derive(Clone, Copy)]
pub(super) struct ByPowers<F>(pub(super) F);

impl<T: Real, F: OfExp<T>> Function<T> for ByPowers<F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        let (n, r) = self.0.reduced(simd, x);
        self.0.apply(simd, x, power(simd, n, r))
    }

    #[inline(always)]
    fn array<S: Simd<T>>(self, simd: S, x: &[T], out: &mut [T]) {
        let mut powers = [T::ZERO; BLOCK];
        for (x, out) in x.chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
            find_powers(simd, self.0, x, &mut powers);
            finish(simd, self.0, x, &powers, out);
        }
    }
}

/// powers = e to the exponents of x
#[inline(always)]
pub(super) fn find_powers<T: Real, S: Simd<T>>(simd: S, function: impl OfExp<T>, x: &[T], powers: &mut [T]) {
    let (whole, rest) = x.split_at(x.len() - x.len() % S::LANES);
    let (powers, powers_rest) = powers[..x.len()].split_at_mut(whole.len());
    let mut exponents = [T::ZERO; BLOCK];
    for (x, powers) in whole.chunks(BLOCK).zip(powers.chunks_mut(BLOCK)) {
        let places = exponents.chunks_exact_mut(S::LANES).zip(powers.chunks_exact_mut(S::LANES));
        for (x, (n_at, r_at)) in x.chunks_exact(S::LANES).zip(places) {
            let (n, r) = function.reduced(simd, simd.load(x));
            simd.store(n, n_at);
            simd.store(r, r_at);
        }
        for (n, r) in exponents.chunks_exact(S::LANES).zip(powers.chunks_exact_mut(S::LANES)) {
            simd.store(power(simd, simd.load(n), simd.load(r)), r);
        }
    }
    if !rest.is_empty() {
        let (n, r) = function.reduced(simd, simd.load_partial(rest));
        simd.store_partial(power(simd, n, r), powers_rest);
    }
}

/// out = function(x), the powers being known.
#[inline(always)]
fn finish<T: Real, S: Simd<T>>(simd: S, function: impl OfExp<T>, x: &[T], powers: &[T; BLOCK], out: &mut [T]) {
    let (whole, rest) = x.split_at(x.len() - x.len() % S::LANES);
    let (out, out_rest) = out.split_at_mut(whole.len());
    let outs = out.chunks_exact_mut(S::LANES);
    for ((x, power), out) in whole.chunks_exact(S::LANES).zip(powers.chunks_exact(S::LANES)).zip(outs) {
        simd.store(function.apply(simd, simd.load(x), simd.load(power)), out);
    }
    if !rest.is_empty() {
        let power = simd.load_partial(&powers[whole.len()..x.len()]);
        simd.store_partial(function.apply(simd, simd.load_partial(rest), power), out_rest);
    }
}
