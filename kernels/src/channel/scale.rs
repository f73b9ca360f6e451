//! Products of an array with one factor per channel, after the channel's mean is taken off or as it is.

use core::ops::Range;

use crate::{
    Real,
    reduce::{BLOCK_ROWS, GROUP, load_some, store_some},
    simd::{Kernel, Simd},
};

/// out = k · a, or k · (a − ā) / rows if `CENTERED`, set, or added if `ADD`.
pub(super) struct Scale<'a, T, const CENTERED: bool, const ADD: bool> {
    pub(super) a: &'a [T],
    /// Σ_rows a, if `CENTERED`.
    pub(super) totals: &'a [f64],
    pub(super) k: &'a [T],
    pub(super) out: &'a mut [T],
}

/// What a group of channels is multiplied by after its mean, in two parts, is taken off: a mean
/// rounded to one `f32` would leave a visible offset when it is large against the deviations.
pub(crate) struct Factors<T> {
    pub(crate) mean: [T; GROUP],
    pub(crate) mean_rest: [T; GROUP],
    pub(crate) k: [T; GROUP],
}

impl<T: Real> Factors<T> {
    pub(crate) const NONE: Self = Self { mean: [T::ZERO; GROUP], mean_rest: [T::ZERO; GROUP], k: [T::ZERO; GROUP] };

    fn plain(k: &[T]) -> Self {
        let mut factors = Self::NONE;
        factors.k[..k.len()].copy_from_slice(k);
        factors
    }

    /// The factors of a group of channels, given their sums over the rows.
    pub(crate) fn centered(rows: usize, totals: &[f64], k: &[T]) -> Self {
        let mut factors = Self::NONE;
        let rows = rows as f64;
        for (c, (total, k)) in totals.iter().zip(k).enumerate() {
            let mean = total / rows;
            factors.mean[c] = T::from_f64(mean);
            factors.mean_rest[c] = T::from_f64(mean - factors.mean[c].to_f64());
            factors.k[c] = T::from_f64(k.to_f64() / rows);
        }
        factors
    }
}

impl<T: Real, const CENTERED: bool, const ADD: bool> Kernel<T> for Scale<'_, T, CENTERED, ADD> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { a, totals, k, out } = self;
        let channels = k.len();
        for (group, k) in k.chunks(GROUP).enumerate() {
            let from = group * GROUP;
            let factors = if CENTERED {
                Factors::centered(a.len() / channels, &totals[from..from + k.len()], k)
            } else {
                Factors::plain(k)
            };
            for (a, out) in a.chunks(BLOCK_ROWS * channels).zip(out.chunks_mut(BLOCK_ROWS * channels)) {
                scale_block::<T, S, CENTERED, ADD>(simd, channels, from, k.len(), a, &factors, out);
            }
        }
    }
}

#[inline(always)]
fn scale_block<T: Real, S: Simd<T>, const CENTERED: bool, const ADD: bool>(
    simd: S,
    channels: usize,
    from: usize,
    width: usize,
    a: &[T],
    factors: &Factors<T>,
    out: &mut [T],
) {
    let mut c = 0;
    while c + 4 * S::LANES <= width {
        scale_strip::<T, S, CENTERED, ADD, 4>(simd, channels, from, c..c + 4 * S::LANES, a, factors, out);
        c += 4 * S::LANES;
    }
    while c + 2 * S::LANES <= width {
        scale_strip::<T, S, CENTERED, ADD, 2>(simd, channels, from, c..c + 2 * S::LANES, a, factors, out);
        c += 2 * S::LANES;
    }
    while c < width {
        let end = width.min(c + S::LANES);
        scale_strip::<T, S, CENTERED, ADD, 1>(simd, channels, from, c..end, a, factors, out);
        c = end;
    }
}

#[inline(always)]
fn scale_strip<T: Real, S: Simd<T>, const CENTERED: bool, const ADD: bool, const U: usize>(
    simd: S,
    channels: usize,
    from: usize,
    strip: Range<usize>,
    a: &[T],
    factors: &Factors<T>,
    out: &mut [T],
) {
    let width = strip.end - strip.start;
    let at = from + strip.start;
    let zero = simd.splat(T::ZERO);
    let (mut mean, mut mean_rest, mut k) = ([zero; U], [zero; U], [zero; U]);
    for u in 0..U {
        mean[u] = load_some(simd, &factors.mean[strip.clone()][u * S::LANES..]);
        mean_rest[u] = load_some(simd, &factors.mean_rest[strip.clone()][u * S::LANES..]);
        k[u] = load_some(simd, &factors.k[strip.clone()][u * S::LANES..]);
    }
    for (a, out) in a.chunks_exact(channels).zip(out.chunks_exact_mut(channels)) {
        let (a, out) = (&a[at..at + width], &mut out[at..at + width]);
        for u in 0..U {
            let out = &mut out[u * S::LANES..];
            let mut v = load_some(simd, &a[u * S::LANES..]);
            if CENTERED {
                v = simd.sub(simd.sub(v, mean[u]), mean_rest[u]);
            }
            let v = if ADD { simd.mul_add(v, k[u], load_some(simd, out)) } else { simd.mul(v, k[u]) };
            store_some(simd, v, out);
        }
    }
}
