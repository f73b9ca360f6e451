//! The kernel that finds winners: channels by vectors, the place of the best value so far carried as a
//! number in the lane.

use super::{MISSING, Pool};
use crate::{
    Real,
    reduce::{GROUP, load_some, store_some},
    simd::{Kernel, Simd},
};

/// z = slope · (x − center) + shift, per channel.
#[derive(Clone, Copy)]
pub(super) struct Affine<'a, T> {
    pub(super) center: &'a [T],
    pub(super) slope: &'a [T],
    pub(super) shift: &'a [T],
}

/// The winners of x, or those of z behind a ReLU if `RELU`.
pub(super) struct Winners<'a, T, const RELU: bool> {
    pub(super) p: &'a Pool,
    pub(super) x: &'a [T],
    pub(super) affine: Affine<'a, T>,
    pub(super) winners: &'a mut [u32],
}

impl<T: Real, const RELU: bool> Kernel<T> for Winners<'_, T, RELU> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { p, x, affine, winners } = self;
        if winners.is_empty() {
            return;
        }
        // Rows of the output, each from the rows of one image that its windows cover.
        let row = p.out_width() * p.channels;
        let countable = p.window * p.width * p.channels < integers_above_magic::<T>();
        for (r, winners) in winners.chunks_exact_mut(row).enumerate() {
            let (image, oy) = (r / p.out_height(), r % p.out_height());
            let start = (image * p.height + oy * p.stride) * p.width * p.channels;
            let vectors = countable && row_winners::<T, S, RELU>(simd, p, x, affine, start, winners);
            if !vectors {
                row_winners_one_by_one::<T, RELU>(p, x, affine, start, winners);
            }
        }
    }
}

/// How many integers follow [`magic`] exactly, with the same exponent.
#[inline(always)]
fn integers_above_magic<T: Real>() -> usize {
    if size_of::<T>() == 4 { 1 << 23 } else { 1 << 32 }
}

/// 2²³ for `f32`, 2⁵² for `f64`: the bits of magic + n are the bits of magic plus the integer n, which
/// makes an integer of a number without a conversion.
#[inline(always)]
fn magic<T: Real>() -> T {
    T::ONE / T::EPSILON
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
    let mut places = [T::ZERO; GROUP];
    for (ox, winners) in winners.chunks_exact_mut(p.channels).enumerate() {
        for (group, winners) in winners.chunks_mut(GROUP).enumerate() {
            let from = group * GROUP;
            let first = start + ox * p.stride * p.channels + from;
            let places = &mut places[..winners.len()];
            let sum = group_places::<T, S, RELU>(simd, p, &x[first..], affine.from(from), places);
            poison = simd.add(poison, sum);
            flat_indices(places, first as u32, winners);
        }
    }
    !is_nan(simd.reduce_add(poison))
}

impl<'a, T: Real> Affine<'a, T> {
    /// The channels from c on; an empty one stays empty.
    #[inline(always)]
    fn from(self, c: usize) -> Self {
        let from = |part: &'a [T]| part.get(c..).unwrap_or_default();
        Self { center: from(self.center), slope: from(self.slope), shift: from(self.shift) }
    }
}

/// The offsets of the winners of one window, as numbers above [`magic`], in as many channels as `places`
/// is long; 0 where ReLU cuts the winner off. `x` begins with the window's first element. Returns lanes
/// whose sum is the sum of all values.
#[inline(always)]
fn group_places<T: Real, S: Simd<T>, const RELU: bool>(
    simd: S,
    p: &Pool,
    x: &[T],
    affine: Affine<T>,
    places: &mut [T],
) -> S::V {
    let n = places.len();
    let mut sum = simd.splat(T::ZERO);
    let mut c = 0;
    while c + 2 * S::LANES <= n {
        let places = &mut places[c..c + 2 * S::LANES];
        sum = simd.add(sum, strip_places::<T, S, RELU, 2>(simd, p, &x[c..], affine.from(c), places));
        c += 2 * S::LANES;
    }
    while c < n {
        let end = n.min(c + S::LANES);
        sum = simd.add(sum, strip_places::<T, S, RELU, 1>(simd, p, &x[c..], affine.from(c), &mut places[c..end]));
        c = end;
    }
    sum
}

#[inline(always)]
fn strip_places<T: Real, S: Simd<T>, const RELU: bool, const U: usize>(
    simd: S,
    p: &Pool,
    x: &[T],
    affine: Affine<T>,
    places: &mut [T],
) -> S::V {
    let n = places.len();
    let zero = simd.splat(T::ZERO);
    let (mut center, mut slope, mut shift) = ([zero; U], [zero; U], [zero; U]);
    if RELU {
        for u in 0..U {
            center[u] = load_some(simd, &affine.center[..n][u * S::LANES..]);
            slope[u] = load_some(simd, &affine.slope[..n][u * S::LANES..]);
            shift[u] = load_some(simd, &affine.shift[..n][u * S::LANES..]);
        }
    }
    let (mut best, mut place, mut sum) = ([zero; U], [simd.splat(magic::<T>()); U], [zero; U]);
    for wy in 0..p.window {
        for wx in 0..p.window {
            let offset = (wy * p.width + wx) * p.channels;
            let here = simd.splat(magic::<T>() + T::from_f64(offset as f64));
            let x = &x[offset..offset + n];
            for u in 0..U {
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
    let mut total = zero;
    for u in 0..U {
        if RELU {
            place[u] = simd.select_gt(best[u], zero, place[u], zero);
        }
        store_some(simd, place[u], &mut places[u * S::LANES..]);
        total = simd.add(total, sum[u]);
    }
    total
}

/// From numbers magic + offset to flat indices first + lane + offset; from 0 to [`MISSING`].
#[inline(always)]
fn flat_indices<T: Real>(places: &[T], first: u32, winners: &mut [u32]) {
    let base = first.wrapping_sub(low_bits(magic::<T>()));
    for (lane, (winner, &place)) in winners.iter_mut().zip(places).enumerate() {
        let index = low_bits(place).wrapping_add(base).wrapping_add(lane as u32);
        *winner = if place == T::ZERO { MISSING } else { index };
    }
}

/// The last 32 bits of a number's representation.
#[inline(always)]
fn low_bits<T: Real>(x: T) -> u32 {
    if size_of::<T>() == 4 { bytemuck::cast(x) } else { bytemuck::cast::<T, u64>(x) as u32 }
}

/// The winners of one row of windows, number by number: for rows with NaN and for windows too large to count.
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
