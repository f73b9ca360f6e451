//! Sums, and the broadcasts that are their transposes.

use crate::{Isa, Real, Store, naive};

/// Σ x\[i\].
pub fn sum<T: Real>(isa: Isa, x: &[T]) -> T {
    let _ = isa;
    x.iter().fold(T::ZERO, |sum, &x| sum + x)
}

/// Σ x\[i\] · y\[i\].
#[track_caller]
pub fn dot<T: Real>(isa: Isa, x: &[T], y: &[T]) -> T {
    assert_eq!(x.len(), y.len(), "dot: lengths of x and y");
    let _ = isa;
    x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum + x * y)
}

/// out\[o, i\] = Σ_t x\[o, t, i\], with o in 0..outer, t in 0..times, i in 0..inner.
#[track_caller]
pub fn sum_axis<T: Real>(isa: Isa, outer: usize, times: usize, inner: usize, x: &[T], out: &mut [T]) {
    assert_eq!((x.len(), out.len()), (outer * times * inner, outer * inner), "sum_axis: lengths of x and out");
    let _ = isa;
    naive::sum_axis(outer, times, inner, x, out);
}

/// out\[o, t, i\] = x\[o, i\] ([`Store::Set`]) or += ([`Store::Add`]): the transpose of [`sum_axis`].
#[track_caller]
pub fn repeat<T: Real>(isa: Isa, outer: usize, times: usize, inner: usize, x: &[T], store: Store, out: &mut [T]) {
    assert_eq!((x.len(), out.len()), (outer * inner, outer * times * inner), "repeat: lengths of x and out");
    let _ = isa;
    for o in 0..outer {
        for t in 0..times {
            for i in 0..inner {
                store.put(&mut out[(o * times + t) * inner + i], x[o * inner + i]);
            }
        }
    }
}
