//! The kernel that finds winners: channels by vectors, the place of the best value so far carried as an
//! integer in the lane.

use core::ops::Range;

use super::{MISSING, Pool, Pooled, windows::pick};
use crate::{
    Real,
    reduce::{load_some, store_some},
    simd::{AHEAD, Kernel, Simd},
};

/// z = slope · (x − center) + shift, per channel.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a, T> {
    pub(super) center: &'a [T],
    pub(super) slope: &'a [T],
    pub(super) shift: &'a [T],
}

/// The winners of x, or those of z behind a ReLU if `RELU`; then also what is computed from them, while the rows are at
/// hand.
pub(super) struct Winners<'a, T, const RELU: bool> {
    pub(super) p: &'a Pool,
    pub(super) x: &'a [T],
    pub(super) affine: Affine<'a, T>,
    pub(super) out: Pooled<'a, T>,
}

impl<T: Real, const RELU: bool> Kernel<T> for Winners<'_, T, RELU> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { p, x, affine, out: Pooled { winners, centered, open, normalised } } = self;
        if winners.is_empty() {
            return;
        }
        // Rows of the output, each from the rows of one image that its windows cover.
        let row = p.out_width() * p.channels;
        let values = centered.chunks_exact_mut(row).zip(open.chunks_exact_mut(row));
        let mut values = values.zip(normalised.chunks_exact_mut(row));
        for (r, winners) in winners.chunks_exact_mut(row).enumerate() {
            let start = p.row_start(r);
            if !row_winners::<T, S, RELU>(simd, p, x, affine, start, winners) {
                row_winners_one_by_one::<T, RELU>(p, x, affine, start, winners);
            }
            if let Some(((centered, open), normalised)) = values.next() {
                normalise_row(simd, p, x, affine, start, winners, (centered, open, normalised));
            }
        }
    }
}

/// What is computed from the winners of one row of windows, which begins at `start`: x − center, whether there is a winner,
/// and z.
#[inline(always)]
fn normalise_row<T: Real, S: Simd<T>>(
    simd: S,
    p: &Pool,
    x: &[T],
    affine: Affine<T>,
    start: usize,
    winners: &[u32],
    (centered, open, normalised): (&mut [T], &mut [T], &mut [T]),
) {
    let (zero, one, minus_one) = (simd.splat(T::ZERO), simd.splat(T::ONE), simd.splat(-T::ONE));
    let missing = simd.splat_integer(MISSING);
    for ox in 0..p.out_width() {
        let (window, first) = (ox * p.channels, start + ox * p.stride * p.channels);
        for c in (0..p.channels).step_by(S::LANES) {
            let part = c..p.channels.min(c + S::LANES);
            let here = window + part.start..window + part.end;
            let wanted = simd.load_integers(&winners[here.clone()]);
            let found = pick(simd, p, x, first + c, part.len(), wanted);
            let is_open = simd.select_equal(wanted, missing, zero, one);
            let center = simd.mul(minus_one, load_some(simd, &affine.center[part.clone()]));
            let x = simd.add(found, simd.mul(is_open, center));
            let shift = simd.mul(is_open, load_some(simd, &affine.shift[part.clone()]));
            let z = simd.mul_add(x, load_some(simd, &affine.slope[part]), shift);
            store_some(simd, x, &mut centered[here.clone()]);
            store_some(simd, is_open, &mut open[here.clone()]);
            store_some(simd, z, &mut normalised[here]);
        }
    }
}

/// The winners of one row of windows by vectors over the channels. Returns whether they hold: a
/// NaN (or ∞ − ∞) among the values makes comparisons unreliable, and the row must be done again.
#[inline(always)]
fn row_winners<T: Real, S: Simd<T>, const RELU: bool>(
    simd: S,
    p: &Pool,
    x: &[T],
    affine: Affine<T>,
    start: usize,
    winners: &mut [u32],
) -> bool {
    let mut poison = simd.splat(T::ZERO);
    let mut c = 0;
    // Three registers for each of U columns of registers, and three more for the normalisation.
    while S::REGISTERS >= 32 && c + 4 * S::LANES <= p.channels {
        let sum = strip_winners::<T, S, RELU, 4>(simd, p, x, affine, start, c..c + 4 * S::LANES, winners);
        poison = simd.add(poison, sum);
        c += 4 * S::LANES;
    }
    while c + 2 * S::LANES <= p.channels {
        let sum = strip_winners::<T, S, RELU, 2>(simd, p, x, affine, start, c..c + 2 * S::LANES, winners);
        poison = simd.add(poison, sum);
        c += 2 * S::LANES;
    }
    while c < p.channels {
        let end = p.channels.min(c + S::LANES);
        poison = simd.add(poison, strip_winners::<T, S, RELU, 1>(simd, p, x, affine, start, c..end, winners));
        c = end;
    }
    !is_nan(simd.reduce_add(poison))
}

/// The winners of one row of windows in the channels of `strip`. Returns lanes whose sum is the sum of all values.
#[inline(always)]
fn strip_winners<T: Real, S: Simd<T>, const RELU: bool, const U: usize>(
    simd: S,
    p: &Pool,
    x: &[T],
    affine: Affine<T>,
    start: usize,
    strip: Range<usize>,
    winners: &mut [u32],
) -> S::V {
    let n = strip.len();
    let zero = simd.splat(T::ZERO);
    let (mut center, mut slope, mut shift) = ([zero; U], [zero; U], [zero; U]);
    if RELU {
        for u in 0..U {
            center[u] = load_some(simd, &affine.center[strip.clone()][u * S::LANES..]);
            slope[u] = load_some(simd, &affine.slope[strip.clone()][u * S::LANES..]);
            shift[u] = load_some(simd, &affine.shift[strip.clone()][u * S::LANES..]);
        }
    }
    let mut sum = [zero; U];
    for (ox, winners) in winners.chunks_exact_mut(p.channels).enumerate() {
        let first = start + ox * p.stride * p.channels + strip.start;
        let (mut best, mut place) = ([zero; U], [simd.splat_integer(0); U]);
        for wy in 0..p.window {
            for wx in 0..p.window {
                let offset = (wy * p.width + wx) * p.channels;
                let here = simd.splat_integer(offset as u32);
                let x = &x[first + offset..][..n];
                for u in 0..U {
                    simd.prefetch(x.as_ptr().wrapping_add(u * S::LANES + AHEAD));
                    let mut v = load_some(simd, &x[u * S::LANES..]);
                    if RELU {
                        v = simd.mul_add(slope[u], simd.sub(v, center[u]), shift[u]);
                    }
                    sum[u] = simd.add(sum[u], v);
                    if offset == 0 {
                        best[u] = v;
                    } else {
                        place[u] = simd.select_gt(v, best[u], here, place[u]);
                        best[u] = simd.max(v, best[u]);
                    }
                }
            }
        }
        let winners = &mut winners[strip.clone()];
        for u in 0..U {
            let lane = simd.add_integers(simd.splat_integer((first + u * S::LANES) as u32), simd.lane_numbers());
            let mut index = simd.add_integers(place[u], lane);
            if RELU {
                index = simd.select_gt(best[u], zero, index, simd.splat_integer(MISSING));
            }
            simd.store_integers(index, &mut winners[u * S::LANES..]);
        }
    }
    let mut total = zero;
    for sum in sum {
        total = simd.add(total, sum);
    }
    total
}

/// The winners of one row of windows, number by number: for rows with NaN.
fn row_winners_one_by_one<T: Real, const RELU: bool>(
    p: &Pool,
    x: &[T],
    affine: Affine<T>,
    start: usize,
    winners: &mut [u32],
) {
    for (j, winner) in winners.iter_mut().enumerate() {
        let (ox, c) = (j / p.channels, j % p.channels);
        let first = start + ox * p.stride * p.channels + c;
        let value = |i: usize| {
            if RELU { affine.slope[c] * (x[i] - affine.center[c]) + affine.shift[c] } else { x[i] }
        };
        let (mut best, mut place) = (value(first), first);
        for w in 1..p.window * p.window {
            let i = first + (w / p.window * p.width + w % p.window) * p.channels;
            let v = value(i);
            if !is_nan(best) && (v > best || is_nan(v)) {
                (best, place) = (v, i);
            }
        }
        *winner = if RELU && best <= T::ZERO { MISSING } else { place as u32 };
    }
}

#[inline(always)]
fn is_nan<T: Real>(x: T) -> bool {
    x.to_f64().is_nan()
}
