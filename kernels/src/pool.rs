//! Max-pooling as a choice of winners, and the gather and scatter that apply it.

use crate::{
    Isa, Real,
    reduce::{GROUP, load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

/// The index of "nothing": gathers give zero there, scatters skip it.
pub const MISSING: u32 = u32::MAX;

/// The sizes of a pooling over square windows without padding; incomplete windows are dropped (floor).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Pool {
    /// Images of the batch.
    pub images: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Rows and columns of a window.
    pub window: usize,
    /// Step between windows.
    pub stride: usize,
}

impl Pool {
    /// Rows of the output: ⌊(height − window) / stride⌋ + 1, or 0 if no window fits.
    pub fn out_height(&self) -> usize {
        self.height.checked_sub(self.window).map_or(0, |room| room / self.stride + 1)
    }
    /// Columns of the output, by the same formula.
    pub fn out_width(&self) -> usize {
        self.width.checked_sub(self.window).map_or(0, |room| room / self.stride + 1)
    }
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.images * self.height * self.width * self.channels
    }
    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.images * self.out_height() * self.out_width() * self.channels
    }
    #[track_caller]
    fn check(&self, input: usize, winners: usize) {
        assert!(self.window > 0 && self.stride > 0, "{self:?}: window and stride must be at least 1");
        assert_eq!((input, winners), (self.input_len(), self.output_len()), "{self:?}: lengths of input and winners");
        assert!(input < MISSING as usize, "{self:?}: more elements than 32-bit indices reach");
    }
}

/// The flat index of the largest element of every window. The first of equals wins; a NaN wins over numbers.
#[track_caller]
pub fn pool_winners<T: Real>(isa: Isa, p: &Pool, x: &[T], winners: &mut [u32]) {
    p.check(x.len(), winners.len());
    dispatch(isa, Winners::<T, false> { p, x, affine: Affine { center: &[], slope: &[], shift: &[] }, winners });
}

/// [`pool_winners`] of z = slope · (x − center) + shift (each per channel), [`MISSING`] where z ≤ 0:
/// normalisation, ReLU and max-pool chosen in one pass over x.
#[track_caller]
pub fn relu_pool_winners<T: Real>(
    isa: Isa,
    p: &Pool,
    x: &[T],
    center: &[T],
    slope: &[T],
    shift: &[T],
    winners: &mut [u32],
) {
    p.check(x.len(), winners.len());
    assert_eq!([center.len(), slope.len(), shift.len()], [p.channels; 3], "{p:?}: lengths of center, slope, shift");
    dispatch(isa, Winners::<T, true> { p, x, affine: Affine { center, slope, shift }, winners });
}

/// out\[j\] = x\[index\[j\]\], zero where the index is [`MISSING`]. Panics on an index outside x.
#[track_caller]
pub fn gather<T: Real>(index: &[u32], x: &[T], out: &mut [T]) {
    assert_eq!(index.len(), out.len(), "gather: lengths of index and out");
    // About half of the winners behind a ReLU are missing, in no order that a processor could guess. So
    // there is no branch on them: a missing one points into a few zeros. Indices outside are counted.
    let nothing = [T::ZERO; 16];
    let mut outside = 0;
    for (j, (out, &i)) in out.iter_mut().zip(index).enumerate() {
        outside += u32::from((i as usize >= x.len()) & (i != MISSING));
        let place = match x.get(i as usize) {
            Some(place) => place,
            None => &nothing[j % 16],
        };
        *out = *place;
    }
    assert_eq!(outside, 0, "gather: indices outside x, which has {} elements", x.len());
}

/// out\[index\[j\]\] += x\[j\], nothing where the index is [`MISSING`]. Panics on an index outside out.
#[track_caller]
pub fn scatter_add<T: Real>(index: &[u32], x: &[T], out: &mut [T]) {
    assert_eq!(index.len(), x.len(), "scatter_add: lengths of index and x");
    let len = out.len();
    // As in `gather`; what belongs nowhere is added to a small sink, several places wide, so that one
    // addition need not wait for the one before.
    let mut sink = [T::ZERO; 16];
    let mut outside = 0;
    for (j, (&x, &i)) in x.iter().zip(index).enumerate() {
        outside += u32::from((i as usize >= len) & (i != MISSING));
        let place = match out.get_mut(i as usize) {
            Some(place) => place,
            None => &mut sink[j % 16],
        };
        *place += x;
    }
    assert_eq!(outside, 0, "scatter_add: indices outside out, which has {len} elements");
}

/// z = slope · (x − center) + shift, per channel.
#[derive(Clone, Copy)]
struct Affine<'a, T> {
    center: &'a [T],
    slope: &'a [T],
    shift: &'a [T],
}

/// The winners of x, or those of z behind a ReLU if `RELU`.
struct Winners<'a, T, const RELU: bool> {
    p: &'a Pool,
    x: &'a [T],
    affine: Affine<'a, T>,
    winners: &'a mut [u32],
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
