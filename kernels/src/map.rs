//! Elementwise maps.

use crate::{Isa, Real, naive};

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
    /// ln(1 + eˣ)
    Softplus,
    /// √x
    Sqrt,
    /// 1 / √x
    Rsqrt,
    /// 1 / x
    Recip,
}

/// out\[i\] = map(x\[i\]).
#[track_caller]
pub fn map<T: Real>(isa: Isa, map: Map, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "map {map:?}: lengths of x and out");
    let _ = isa;
    for (out, &x) in out.iter_mut().zip(x) {
        *out = T::from_f64(naive::map(map, x.to_f64()));
    }
}

/// out\[i\] = a\[i\] + s · b\[i\].
#[track_caller]
pub fn add_scaled<T: Real>(isa: Isa, a: &[T], s: T, b: &[T], out: &mut [T]) {
    assert_eq!((a.len(), b.len()), (out.len(), out.len()), "add_scaled: lengths of a and b against out");
    let _ = isa;
    for i in 0..out.len() {
        out[i] = a[i] + s * b[i];
    }
}

/// y\[i\] += s · x\[i\].
#[track_caller]
pub fn axpy<T: Real>(isa: Isa, s: T, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "axpy: lengths of x and y");
    let _ = isa;
    for i in 0..y.len() {
        y[i] += s * x[i];
    }
}

/// out\[i\] = a\[i\] · b\[i\].
#[track_caller]
pub fn mul<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    assert_eq!((a.len(), b.len()), (out.len(), out.len()), "mul: lengths of a and b against out");
    let _ = isa;
    for i in 0..out.len() {
        out[i] = a[i] * b[i];
    }
}

/// out\[i\] = s · x\[i\].
#[track_caller]
pub fn scale<T: Real>(isa: Isa, s: T, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "scale: lengths of x and out");
    let _ = isa;
    for i in 0..out.len() {
        out[i] = s * x[i];
    }
}
