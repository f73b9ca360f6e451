//! Elementwise maps.
//!
//! The functions are computed by our own vector code, so their bits do not depend on the host's C
//! library. Errors, measured over dense grids of bit patterns on every instruction set, are at most
//! 2 ULP (3 for the sigmoid); [`Map::Sqrt`] and [`Map::Recip`] are correctly rounded. Results below the
//! range of normal numbers are gradual, not flushed to zero. NaN gives NaN.

mod elementwise;
mod exp;
mod log;
mod logistic;
mod powers;
mod softplus_sums;

use powers::ByPowers;

use crate::{
    Isa, Real,
    reduce::{load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

pub(crate) use elementwise::{add_scaled, axpy, mul, scale};
pub(crate) use logistic::softplus_with_slope;
pub(crate) use softplus_sums::softplus_sums;

/// A function of one number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Map {
    /// eˣ
    Exp,
    /// ln x
    Log,
    /// tanh x
    Tanh,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// x − x²: the slope of the sigmoid where its value is x
    SigmoidSlope,
    /// ln(1 + eˣ)
    Softplus,
    /// √x
    Sqrt,
    /// 1 / √x
    Rsqrt,
    /// 1 / x
    Recip,
}

#[track_caller]
pub(crate) fn map<T: Real>(isa: Isa, map: Map, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "map {map:?}: lengths of x and out");
    match map {
        Map::Exp => run(isa, exp::Exp, x, out),
        Map::Log => run(isa, log::Log, x, out),
        Map::Tanh => run(isa, ByPowers(logistic::Tanh), x, out),
        Map::Sigmoid => run(isa, ByPowers(logistic::Sigmoid), x, out),
        Map::SigmoidSlope => run(isa, logistic::SigmoidSlope, x, out),
        Map::Softplus => run(isa, ByPowers(logistic::Softplus), x, out),
        Map::Sqrt => run(isa, Sqrt, x, out),
        Map::Rsqrt => run(isa, Rsqrt, x, out),
        Map::Recip => run(isa, Recip, x, out),
    }
}

/// A function of one number, applied to all lanes of a register.
trait Function<T: Real>: Copy {
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V;

    /// out = function(x)
    #[inline(always)]
    fn array<S: Simd<T>>(self, simd: S, x: &[T], out: &mut [T]) {
        for (x, out) in x.chunks(S::LANES).zip(out.chunks_mut(S::LANES)) {
            store_some(simd, self.apply(simd, load_some(simd, x)), out);
        }
    }
}

fn run<T: Real, F: Function<T>>(isa: Isa, function: F, x: &[T], out: &mut [T]) {
    dispatch(isa, Apply { function, x, out });
}

/// out = function(x)
struct Apply<'a, T, F> {
    function: F,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, F: Function<T>> Kernel<T> for Apply<'_, T, F> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        self.function.array(simd, self.x, self.out);
    }
}

#[derive(Clone, Copy)]
struct Sqrt;
impl<T: Real> Function<T> for Sqrt {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        simd.sqrt(x)
    }
}

#[derive(Clone, Copy)]
struct Rsqrt;
impl<T: Real> Function<T> for Rsqrt {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        simd.div(simd.splat(T::ONE), simd.sqrt(x))
    }
}

#[derive(Clone, Copy)]
struct Recip;
impl<T: Real> Function<T> for Recip {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        simd.div(simd.splat(T::ONE), x)
    }
}

/// The same constant for all lanes: the first for `f32`, the second for `f64`.
#[inline(always)]
fn constant<T: Real, S: Simd<T>>(simd: S, single: f64, double: f64) -> S::V {
    simd.splat(T::from_f64(if size_of::<T>() == 4 { single } else { double }))
}

/// c\[0\] + c\[1\]·x + c\[2\]·x² + …, the coefficients being `single` for `f32` and `double` for `f64`.
#[inline(always)]
fn polynomial<T: Real, S: Simd<T>>(simd: S, x: S::V, single: &[f64], double: &[f64]) -> S::V {
    let c = if size_of::<T>() == 4 { single } else { double };
    let mut sum = simd.splat(T::from_f64(c[c.len() - 1]));
    for &c in c[..c.len() - 1].iter().rev() {
        sum = simd.mul_add(sum, x, simd.splat(T::from_f64(c)));
    }
    sum
}

/// ln 2 = LN2_HIGH + LN2_LOW. The high parts have 16 and 42 bits, so that their products with an
/// exponent are exact, with or without fused multiply-add.
const LN2_HIGH: [f64; 2] = [0.693_145_751_953_125, 0.693_147_180_559_890_3];
const LN2_LOW: [f64; 2] = [1.428_606_820_309_417_3e-6, 5.497_923_018_708_371e-14];
