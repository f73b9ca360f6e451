//! tanh, the sigmoid and softplus: functions of eˣ.

use super::{
    Function, constant,
    exp::{exp, exp_minus_abs},
    log::add_log_one_plus,
    polynomial,
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
    /// e^(2|x|)
    #[inline(always)]
    fn power<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        let abs = simd.abs(x);
        exp(simd, simd.add(abs, abs))
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
    fn power<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        exp_minus_abs(simd, x)
    }

    /// 1/(1 + u) for positive x, u/(1 + u) for negative x, with u = e⁻|x|.
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, u: S::V) -> S::V {
        let one = simd.splat(T::ONE);
        let numerator = simd.select_gt(x, simd.splat(T::ZERO), one, u);
        simd.div(numerator, simd.add(one, u))
    }
}

impl<T: Real> Function<T> for Sigmoid {
    /// At once: the formula is short enough.
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        OfExp::apply(self, simd, x, self.power(simd, x))
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
    fn power<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        exp_minus_abs(simd, x)
    }

    /// max(x, 0) + ln(1 + u) with u = e⁻|x|.
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, u: S::V) -> S::V {
        add_log_one_plus(simd, simd.max(simd.splat(T::ZERO), x), u)
    }
}

/// A function of x and of a power of e. The powers of some numbers are found first: a processor looks ahead over a hundred
/// operations or two, and in one long formula for each number it sees few numbers, and waits for their sums.
pub(super) trait OfExp<T: Real>: Copy {
    /// The power.
    fn power<S: Simd<T>>(self, simd: S, x: S::V) -> S::V;
    /// The function.
    fn apply<S: Simd<T>>(self, simd: S, x: S::V, power: S::V) -> S::V;
}

/// Numbers whose powers are found together.
const BLOCK: usize = 256;

/// Such a function, powers first.
#[derive(Clone, Copy)]
pub(super) struct ByPowers<F>(pub(super) F);

impl<T: Real, F: OfExp<T>> Function<T> for ByPowers<F> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        self.0.apply(simd, x, self.0.power(simd, x))
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

#[inline(always)]
fn find_powers<T: Real, S: Simd<T>>(simd: S, function: impl OfExp<T>, x: &[T], powers: &mut [T; BLOCK]) {
    let (whole, rest) = x.split_at(x.len() - x.len() % S::LANES);
    for (x, power) in whole.chunks_exact(S::LANES).zip(powers.chunks_exact_mut(S::LANES)) {
        simd.store(function.power(simd, simd.load(x)), power);
    }
    if !rest.is_empty() {
        simd.store(function.power(simd, simd.load_partial(rest)), &mut powers[whole.len()..]);
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
        let power = simd.load(&powers[whole.len()..]);
        simd.store_partial(function.apply(simd, simd.load_partial(rest), power), out_rest);
    }
}

#[track_caller]
pub(crate) fn softplus_with_slope<T: Real>(isa: Isa, x: &[T], y: &mut [T], slope: &mut [T]) {
    assert_eq!([y.len(), slope.len()], [x.len(); 2], "softplus_with_slope: lengths of y and slope against x");
    dispatch(isa, SoftplusWithSlope { x, y, slope });
}

pub(crate) struct SoftplusWithSlope<'a, T> {
    pub(crate) x: &'a [T],
    pub(crate) y: &'a mut [T],
    pub(crate) slope: &'a mut [T],
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
                let (x, u) = (simd.load_partial(rest), simd.load(&powers[whole.len()..]));
                simd.store_partial(Softplus.apply(simd, x, u), y_rest);
                simd.store_partial(OfExp::apply(Sigmoid, simd, x, u), slope_rest);
            }
        }
    }
}
