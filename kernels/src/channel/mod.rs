//! Per-channel kernels on \[rows, channels\] arrays, the last axis being the channel: the three slots
//! of ⟨a, b, k⟩ = Σ a·b·k_channel and of its centred sister Σ (a − ā)(b − b̄)·k_channel / rows, which
//! are all that batch normalisation and its derivatives of any order need.

mod covariance;
mod scale;

pub(crate) use self::scale::Factors;
use self::{covariance::Covariance, scale::Scale};
use crate::{
    Isa, Real, Store,
    reduce::{GROUP, column_sums, column_totals, folds},
    simd::{Kernel, Simd, dispatch},
};

#[track_caller]
fn check(name: &str, channels: usize, full: &[usize], per_channel: usize) {
    assert!(
        channels == per_channel && full.iter().all(|&n| n == full[0]) && full[0].is_multiple_of(channels.max(1)),
        "{name}: {channels} channels do not fit arrays of {full:?} elements and {per_channel} per channel"
    );
}

#[track_caller]
pub(crate) fn channel_mean<T: Real>(isa: Isa, a: &[T], out: &mut [T]) {
    check("channel_mean", out.len(), &[a.len()], out.len());
    let rows = a.len() / out.len().max(1);
    dispatch(isa, ColumnSums::<T, false> { a, b: a, scale: 1.0 / rows as f64, out });
}

#[track_caller]
pub(crate) fn channel_dot<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    check("channel_dot", out.len(), &[a.len(), b.len()], out.len());
    dispatch(isa, ColumnSums::<T, true> { a, b, scale: 1.0, out });
}

#[track_caller]
pub(crate) fn scale_channels<T: Real>(isa: Isa, a: &[T], k: &[T], store: Store, out: &mut [T]) {
    check("scale_channels", k.len(), &[a.len(), out.len()], k.len());
    match store {
        Store::Set => dispatch(isa, Scale::<T, false, false> { a, totals: &[], k, out }),
        Store::Add => dispatch(isa, Scale::<T, false, true> { a, totals: &[], k, out }),
    }
}

#[track_caller]
pub(crate) fn channel_covariance<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    check("channel_covariance", out.len(), &[a.len(), b.len()], out.len());
    if core::ptr::eq(a, b) {
        dispatch(isa, Covariance::<T, true, false> { a, b, out, totals: &mut [] });
    } else {
        dispatch(isa, Covariance::<T, false, false> { a, b, out, totals: &mut [] });
    }
}

#[track_caller]
pub(crate) fn channel_totals<T: Real>(isa: Isa, a: &[T], totals: &mut [f64]) {
    check("channel_totals", totals.len(), &[a.len()], totals.len());
    dispatch(isa, Totals { a, totals });
}

#[track_caller]
pub(crate) fn channel_moments<T: Real>(isa: Isa, a: &[T], totals: &mut [f64], variance: &mut [T]) {
    check("channel_moments", totals.len(), &[a.len()], variance.len());
    if folds(totals.len().max(1), a.len()) {
        channel_totals(isa, a, totals);
        return channel_covariance(isa, a, a, variance);
    }
    dispatch(isa, Covariance::<T, true, true> { a, b: a, out: variance, totals });
}

#[track_caller]
pub(crate) fn scale_centered<T: Real>(isa: Isa, a: &[T], totals: &[f64], k: &[T], store: Store, out: &mut [T]) {
    check("scale_centered", k.len(), &[a.len(), out.len()], totals.len());
    match store {
        Store::Set => dispatch(isa, Scale::<T, true, false> { a, totals, k, out }),
        Store::Add => dispatch(isa, Scale::<T, true, true> { a, totals, k, out }),
    }
}

/// Σ_rows a, before it is rounded.
struct Totals<'a, T> {
    a: &'a [T],
    totals: &'a mut [f64],
}

impl<T: Real> Kernel<T> for Totals<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let channels = self.totals.len();
        for (group, totals) in self.totals.chunks_mut(GROUP).enumerate() {
            let sums = column_totals::<T, S, false>(simd, channels, group * GROUP, totals.len(), self.a, self.a);
            totals.copy_from_slice(&sums[..totals.len()]);
        }
    }
}

/// scale · Σ_rows a, or scale · Σ_rows a · b if `DOT`.
struct ColumnSums<'a, T, const DOT: bool> {
    a: &'a [T],
    b: &'a [T],
    scale: f64,
    out: &'a mut [T],
}

impl<T: Real, const DOT: bool> Kernel<T> for ColumnSums<'_, T, DOT> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        if !self.out.is_empty() {
            column_sums::<T, S, DOT>(simd, self.a, self.b, self.scale, self.out);
        }
    }
}
