//! tanh, the sigmoid and softplus: functions of eˣ.

use super::{
    Function, constant,
    exp::{reduced, reduced_minus_abs},
    log::add_log_one_plus,
    polynomial,
    powers::{BLOCK, OfExp, find_powers},
};
use crate::{
    Isa, Real,
    simd::{Kernel, Simd, dispatch},
};

/// (tanh(√z)/√z − 1)/z for 0 ≤ z ≤ 0.5625², minimax; the error relative to tanh is below 2⁻²⁹.
const TANH_SINGLE: [f64; 5] = [
    -0.333_333_145_123_331_7,
    0.133_324_713_575_688_37,
    -0.053_839_246_731_939_83,
    0.021_014_278_439_351_62,
    -0.006_188_639_610_619_586,
];
/// The same with an error below 2⁻⁵⁹.
const TANH_DOUBLE: [f64; 11] = [
    -0.333_333_333_333_332_8,
    0.133_333_333_333_234_7,
    -0.053_968_253_961_902_92,
    0.021_869_488_331_972_536,
    -0.008_863_231_708_172_81,
    0.003_592_082_913_657_372_3,
    -0.001_455_483_607_126_55,
    0.000_588_198_822_331_497,
    -0.000_232_752_199_553_621_05,
    0.000_082_409_076_172_632_52,
    -0.000_018_931_755_485_743_824,
];

#[derive(Clone, Copy)]
pub(super) struct Tanh;

impl<T: Real> OfExp<T> for Tanh {
    /// 2|x|
    #[inline(always)]
    fn reduced<S: Simd<T>>(self, simd: S, x: S::V) -> (S::V, S::V) {
        reduced(simd, simd.abs(simd.add(x, x)))
    }

    /// x + x³·P(x²) near zero, ±(1 − 2/(e²ˣ + 1)) where that is more than a half and loses nothing.
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, power: S::V) -> S::V {
        let (zero, one, two) = (simd.splat(T::ZERO), simd.splat(T::ONE), constant(simd, 2.0, 2.0));
        let abs = simd.abs(x);
        let z = simd.mul(x, x);
        let near = simd.mul_add(simd.mul(x, z), polynomial(simd, z, &TANH_SINGLE, &TANH_DOUBLE), x);
        // Below 2⁻¹³ or 2⁻²⁷ tanh x rounds to x; so −0 keeps its sign too.
        let near = simd.select_gt(abs, constant(simd, 1.220_703_125e-4, 7.450_580_596_923_828e-9), near, x);
        let far = simd.sub(one, simd.div(two, simd.add(power, one)));
        let far = simd.select_gt(x, zero, far, simd.sub(zero, far));
        simd.select_gt(abs, constant(simd, 0.5625, 0.5625), far, near)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Sigmoid;

impl<T: Real> OfExp<T> for Sigmoid {
    #[inline(always)]
    fn reduced<S: Simd<T>>(self, simd: S, x: S::V) -> (S::V, S::V) {
        reduced_minus_abs(simd, x)
    }

    /// 1/(1 + u) for positive x, u/(1 + u) for negative x, with u = e⁻|x|.
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, u: S::V) -> S::V {
        let one = simd.splat(T::ONE);
        let numerator = simd.select_gt(x, simd.splat(T::ZERO), one, u);
        simd.div(numerator, simd.add(one, u))
    }
}

#[derive(Clone, Copy)]
pub(super) struct SigmoidSlope;

impl<T: Real> Function<T> for SigmoidSlope {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        simd.sub(x, simd.mul(x, x))
    }
}

#[derive(Clone, Copy)]
pub(super) struct Softplus;

impl<T: Real> OfExp<T> for Softplus {
    #[inline(always)]
    fn reduced<S: Simd<T>>(self, simd: S, x: S::V) -> (S::V, S::V) {
        reduced_minus_abs(simd, x)
    }

    /// max(x, 0) + ln(1 + u) with u = e⁻|x|.
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, u: S::V) -> S::V {
        add_log_one_plus(simd, simd.max(simd.splat(T::ZERO), x), u)
    }
}

#[track_caller]
pub(crate) fn softplus_with_slope<T: Real>(isa: Isa, x: &[T], y: &mut [T], slope: &mut [T]) {
    assert_eq!([y.len(), slope.len()], [x.len(); 2], "softplus_with_slope: lengths of y and slope against x");
    dispatch(isa, SoftplusWithSlope { x, y, slope });
}

struct SoftplusWithSlope<'a, T> {
    x: &'a [T],
    y: &'a mut [T],
    slope: &'a mut [T],
}

impl<T: Real> Kernel<T> for SoftplusWithSlope<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let mut powers = [T::ZERO; BLOCK];
        let outs = self.y.chunks_mut(BLOCK).zip(self.slope.chunks_mut(BLOCK));
        for (x, (y, slope)) in self.x.chunks(BLOCK).zip(outs) {
            // Both are made of the same ones.
            find_powers(simd, Softplus, x, &mut powers);
            let (whole, rest) = x.split_at(x.len() - x.len() % S::LANES);
            let ((y, y_rest), (slope, slope_rest)) = (y.split_at_mut(whole.len()), slope.split_at_mut(whole.len()));
            let outs = y.chunks_exact_mut(S::LANES).zip(slope.chunks_exact_mut(S::LANES));
            for ((x, u), (y, slope)) in whole.chunks_exact(S::LANES).zip(powers.chunks_exact(S::LANES)).zip(outs) {
                let (x, u) = (simd.load(x), simd.load(u));
                simd.store(Softplus.apply(simd, x, u), y);
                simd.store(OfExp::apply(Sigmoid, simd, x, u), slope);
            }
            if !rest.is_empty() {
                let (x, u) = (simd.load_partial(rest), simd.load_partial(&powers[whole.len()..x.len()]));
                simd.store_partial(Softplus.apply(simd, x, u), y_rest);
                simd.store_partial(OfExp::apply(Sigmoid, simd, x, u), slope_rest);
            }
        }
    }
}
