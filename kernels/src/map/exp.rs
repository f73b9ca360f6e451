//! eˣ.

use super::{
    Function, LN2_HIGH, LN2_LOW, constant, polynomial,
    powers::{ByPowers, OfExp, find_powers},
};
use crate::simd::{Real, Simd};

/// (eʳ − 1 − r)/r² for |r| ≤ 0.35 (a little more than ln 2 / 2), minimax; the error relative to eʳ is 2⁻²⁸.
const SINGLE: [f64; 5] = [
    0.499_999_930_507_343_04,
    0.166_665_147_914_950_27,
    0.041_668_456_785_494_1,
    0.008_369_418_826_750_458,
    0.001_381_314_459_429_071_8,
];
/// The same with an error of 2⁻⁵⁷.
const DOUBLE: [f64; 10] = [
    0.500_000_000_000_001_2,
    0.166_666_666_666_663_85,
    0.041_666_666_666_519_15,
    0.008_333_333_333_507_659,
    0.001_388_888_894_691_986_3,
    0.000_198_412_694_861_683_43,
    0.000_024_801_489_352_339_668,
    2.755_759_717_962_253_4e-6,
    2.763_168_732_847_528_5e-7,
    2.499_899_514_289_178_8e-8,
];

#[derive(Clone, Copy)]
pub(super) struct Exp;

impl<T: Real> OfExp<T> for Exp {
    #[inline(always)]
    fn reduced<S: Simd<T>>(self, simd: S, x: S::V) -> (S::V, S::V) {
        reduced(simd, x)
    }
    #[inline(always)]
    fn apply<S: Simd<T>>(self, _: S, _: S::V, power: S::V) -> S::V {
        power
    }
}

impl<T: Real> Function<T> for Exp {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        ByPowers(self).apply(simd, x)
    }

    /// Powers alone.
    #[inline(always)]
    fn array<S: Simd<T>>(self, simd: S, x: &[T], out: &mut [T]) {
        find_powers(simd, self, x, out);
    }
}

/// Range reduction: n and r with x = n · ln 2 + r, n being the integer nearest to x / ln 2.
#[inline(always)]
pub(super) fn reduced<T: Real, S: Simd<T>>(simd: S, x: S::V) -> (S::V, S::V) {
    // Beyond this the result is ∞ anyway, and n stays where `scale_exp2` takes it.
    reduced_small(simd, simd.min(constant(simd, 100.0, 800.0), x))
}

/// The same for −|x|, whose power never overflows: what 1 / (1 + …) and its relatives want.
#[inline(always)]
pub(super) fn reduced_minus_abs<T: Real, S: Simd<T>>(simd: S, x: S::V) -> (S::V, S::V) {
    reduced_small(simd, simd.minus_abs(x))
}

/// The same for x of at most 100 (`f64`: 800).
#[inline(always)]
fn reduced_small<T: Real, S: Simd<T>>(simd: S, x: S::V) -> (S::V, S::V) {
    // And below this it is 0.
    let x = simd.max(constant(simd, -110.0, -800.0), x);
    let n = simd.round(simd.mul(x, constant(simd, std::f64::consts::LOG2_E, std::f64::consts::LOG2_E)));
    let r = simd.neg_mul_add(n, constant(simd, LN2_HIGH[0], LN2_HIGH[1]), x);
    (n, simd.neg_mul_add(n, constant(simd, LN2_LOW[0], LN2_LOW[1]), r))
}

/// eˣ = 2ⁿ · eʳ
#[inline(always)]
pub(super) fn power<T: Real, S: Simd<T>>(simd: S, n: S::V, r: S::V) -> S::V {
    let tail = simd.mul_add(simd.mul(r, r), polynomial(simd, r, &SINGLE, &DOUBLE), r);
    simd.scale_exp2(simd.add(simd.splat(T::ONE), tail), n)
}
