//! ln x.

use super::{Function, LN2_HIGH, LN2_LOW, constant, polynomial};
use crate::simd::{Real, Simd};

/// (2 artanh(√z)/√z − 2)/z for 0 ≤ z ≤ 0.04, minimax; the error relative to 2 artanh is 2⁻³⁵.
const SINGLE: [f64; 4] =
    [0.666_666_630_593_401_1, 0.400_008_674_269_169_1, 0.285_067_946_084_496_4, 0.241_034_808_256_877_92];
/// The same with an error of 2⁻⁶².
const DOUBLE: [f64; 8] = [
    0.666_666_666_666_666,
    0.400_000_000_000_569_5,
    0.285_714_285_557_678_2,
    0.222_222_243_028_561_7,
    0.181_816_655_120_048_74,
    0.153_911_233_741_325_4,
    0.131_734_129_201_335_7,
    0.138_442_712_395_814_1,
];

/// (ln(1 + u) − u + u²/2)/u³ for 0 ≤ u ≤ 1, minimax; the error relative to ln(1 + u) is 2⁻²⁷.
const ONE_PLUS_SINGLE: [f64; 8] = [
    0.333_322_505_599_731_2,
    -0.249_750_980_386_419_14,
    0.197_743_232_758_434_65,
    -0.155_695_364_650_547,
    0.110_251_301_316_662_6,
    -0.060_921_476_410_159_79,
    0.021_875_422_502_912_19,
    -0.003_677_466_365_901_338_7,
];

#[derive(Clone, Copy)]
pub(super) struct Log;

impl<T: Real> Function<T> for Log {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        let zero = simd.splat(T::ZERO);
        // Subnormal numbers are lifted by 2²⁴ or 2⁵⁴ into the normal range.
        let smallest = constant(simd, f32::MIN_POSITIVE.into(), f64::MIN_POSITIVE);
        let lifted = simd.mul(x, constant(simd, 16_777_216.0, 18_014_398_509_481_984.0));
        let lift = simd.select_gt(smallest, x, constant(simd, -24.0, -54.0), zero);
        let (f, e) = around_one(simd, simd.select_gt(smallest, x, lifted, x));
        let y = log_of(simd, f, simd.add(e, lift));
        // ∞ stays; 0 gives −∞ and a negative number NaN, as NaN does.
        let y = simd.select_gt(x, constant(simd, f32::MAX.into(), f64::MAX), x, y);
        let pole = simd.add(x, constant(simd, f64::NEG_INFINITY, f64::NEG_INFINITY));
        let outside = simd.select_gt(zero, x, constant(simd, f64::NAN, f64::NAN), pole);
        simd.select_gt(x, zero, y, outside)
    }
}

/// ln x for positive normal x; unspecified for other x.
#[inline(always)]
pub(super) fn log_of_normal<T: Real, S: Simd<T>>(simd: S, x: S::V) -> S::V {
    let (f, e) = around_one(simd, x);
    log_of(simd, f, e)
}

/// (f, e) with x = (1 + f) · 2ᵉ and 1 + f in \[√½, √2\], which makes f exact, for positive normal x.
#[inline(always)]
fn around_one<T: Real, S: Simd<T>>(simd: S, x: S::V) -> (S::V, S::V) {
    let (m, e) = simd.split_exponent(x);
    let root = constant(simd, std::f64::consts::SQRT_2, std::f64::consts::SQRT_2);
    let e = simd.select_gt(m, root, simd.add(e, simd.splat(T::ONE)), e);
    let m = simd.select_gt(m, root, simd.mul(m, constant(simd, 0.5, 0.5)), m);
    (simd.sub(m, simd.splat(T::ONE)), e)
}

/// y + ln(1 + u) for 0 ≤ u ≤ 1. In single width a polynomial is half as long as the general formula; in double width it would be
/// twice as long.
#[inline(always)]
pub(super) fn add_log_one_plus<T: Real, S: Simd<T>>(simd: S, y: S::V, u: S::V) -> S::V {
    if size_of::<T>() == 4 {
        let square = simd.mul(u, u);
        let parabola = simd.mul_add(square, constant(simd, -0.5, -0.5), y);
        let series = polynomial(simd, u, &ONE_PLUS_SINGLE, &[]);
        // The largest term last.
        return simd.add(simd.mul_add(simd.mul(square, u), series, parabola), u);
    }
    // 1 + u = 2·(1 + (u − 1)/2) if u > ½, which is exact.
    let (zero, one, half) = (simd.splat(T::ZERO), simd.splat(T::ONE), constant(simd, 0.5, 0.5));
    let f = simd.select_gt(u, half, simd.mul(simd.sub(u, one), half), u);
    let e = simd.select_gt(u, half, one, zero);
    simd.add(y, log_of(simd, f, e))
}

/// ln(1 + f) + e · ln 2 for −0.3 ≤ f ≤ 0.5 and integral e, with s = f / (2 + f):
/// ln(1 + f) = 2 artanh s = f − (f²/2 − s · (f²/2 + s² · P(s²))).
#[inline(always)]
fn log_of<T: Real, S: Simd<T>>(simd: S, f: S::V, e: S::V) -> S::V {
    let s = simd.div(f, simd.add(constant(simd, 2.0, 2.0), f));
    let z = simd.mul(s, s);
    let square = simd.mul(simd.mul(constant(simd, 0.5, 0.5), f), f);
    let series = simd.mul_add(z, polynomial(simd, z, &SINGLE, &DOUBLE), square);
    let low = simd.mul_add(s, series, simd.mul(e, constant(simd, LN2_LOW[0], LN2_LOW[1])));
    // The small terms first, the exact e · ln 2 last.
    let fraction = simd.sub(simd.sub(square, low), f);
    simd.sub(simd.mul(e, constant(simd, LN2_HIGH[0], LN2_HIGH[1])), fraction)
}
