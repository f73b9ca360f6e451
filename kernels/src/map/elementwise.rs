//! Elementwise sums and products of arrays.

use super::{Function, run};
use crate::{
    Isa, Real, Store,
    reduce::{load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

#[track_caller]
pub(crate) fn add_scaled<T: Real>(isa: Isa, a: &[T], s: T, b: &[T], out: &mut [T]) {
    assert_eq!((a.len(), b.len()), (out.len(), out.len()), "add_scaled: lengths of a and b against out");
    dispatch(isa, AddScaled { a, s, b, out });
}

#[track_caller]
pub(crate) fn axpy<T: Real>(isa: Isa, s: T, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "axpy: lengths of x and y");
    dispatch(isa, Axpy { s, x, y });
}

#[track_caller]
pub(crate) fn mul<T: Real>(isa: Isa, a: &[T], b: &[T], store: Store, out: &mut [T]) {
    assert_eq!((a.len(), b.len()), (out.len(), out.len()), "mul: lengths of a and b against out");
    match store {
        Store::Set => dispatch(isa, Mul::<T, false> { a, b, out }),
        Store::Add => dispatch(isa, Mul::<T, true> { a, b, out }),
    }
}

#[track_caller]
pub(crate) fn scale<T: Real>(isa: Isa, s: T, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "scale: lengths of x and out");
    run(isa, Times(s), x, out);
}

#[derive(Clone, Copy)]
struct Times<T>(T);

impl<T: Real> Function<T> for Times<T> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, x: S::V) -> S::V {
        simd.mul(simd.splat(self.0), x)
    }
}

struct AddScaled<'a, T> {
    a: &'a [T],
    s: T,
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel<T> for AddScaled<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let s = simd.splat(self.s);
        for ((a, b), out) in self.a.chunks(S::LANES).zip(self.b.chunks(S::LANES)).zip(self.out.chunks_mut(S::LANES)) {
            store_some(simd, simd.mul_add(s, load_some(simd, b), load_some(simd, a)), out);
        }
    }
}

struct Axpy<'a, T> {
    s: T,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Axpy<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let s = simd.splat(self.s);
        for (x, y) in self.x.chunks(S::LANES).zip(self.y.chunks_mut(S::LANES)) {
            store_some(simd, simd.mul_add(s, load_some(simd, x), load_some(simd, y)), y);
        }
    }
}

struct Mul<'a, T, const ADD: bool> {
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const ADD: bool> Kernel<T> for Mul<'_, T, ADD> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for ((a, b), out) in self.a.chunks(S::LANES).zip(self.b.chunks(S::LANES)).zip(self.out.chunks_mut(S::LANES)) {
            let product = simd.mul(load_some(simd, a), load_some(simd, b));
            store_some(simd, if ADD { simd.add(load_some(simd, out), product) } else { product }, out);
        }
    }
}
