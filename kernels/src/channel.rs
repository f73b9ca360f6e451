//! Per-channel kernels on \[rows, channels\] arrays, the last axis being the channel: the three slots
//! of ⟨a, b, k⟩ = Σ a·b·k_channel and of its centred sister Σ (a − ā)(b − b̄)·k_channel / rows, which
//! are all that batch normalisation and its derivatives of any order need.

use crate::{Isa, Real, Store, naive};

#[track_caller]
fn check(name: &str, channels: usize, full: &[usize], per_channel: usize) {
    assert!(
        channels == per_channel && full.iter().all(|&n| n == full[0]) && full[0].is_multiple_of(channels.max(1)),
        "{name}: {channels} channels do not fit arrays of {full:?} elements and {per_channel} per channel"
    );
}

/// out\[c\] = 1/rows · Σ_rows a\[row, c\].
#[track_caller]
pub fn channel_mean<T: Real>(isa: Isa, a: &[T], out: &mut [T]) {
    check("channel_mean", out.len(), &[a.len()], out.len());
    let _ = isa;
    naive::channel_mean(out.len(), a, out);
}

/// out\[c\] = Σ_rows a\[row, c\] · b\[row, c\].
#[track_caller]
pub fn channel_dot<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    check("channel_dot", out.len(), &[a.len(), b.len()], out.len());
    let _ = isa;
    naive::channel_dot(out.len(), a, b, out);
}

/// out\[row, c\] = a\[row, c\] · k\[c\], set or added.
#[track_caller]
pub fn scale_channels<T: Real>(isa: Isa, a: &[T], k: &[T], store: Store, out: &mut [T]) {
    check("scale_channels", k.len(), &[a.len(), out.len()], k.len());
    let _ = isa;
    for i in 0..out.len() {
        store.put(&mut out[i], a[i] * k[i % k.len()]);
    }
}

/// out\[c\] = 1/rows · Σ_rows (a − ā)(b − b̄), without cancellation when the means are large.
#[track_caller]
pub fn channel_covariance<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    check("channel_covariance", out.len(), &[a.len(), b.len()], out.len());
    let _ = isa;
    naive::channel_covariance(out.len(), a, b, out);
}

/// out\[row, c\] = k\[c\] · (a\[row, c\] − ā\[c\]) / rows, set or added.
#[track_caller]
pub fn scale_centered<T: Real>(isa: Isa, a: &[T], k: &[T], store: Store, out: &mut [T]) {
    check("scale_centered", k.len(), &[a.len(), out.len()], k.len());
    let _ = isa;
    let mut tmp = vec![T::ZERO; out.len()];
    naive::scale_centered(k.len(), a, k, &mut tmp);
    for i in 0..out.len() {
        store.put(&mut out[i], tmp[i]);
    }
}
