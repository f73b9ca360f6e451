//! Per-channel kernels on \[rows, channels\] arrays, the last axis being the channel: the three slots
//! of ⟨a, b, k⟩ = Σ a·b·k_channel and of its centred sister Σ (a − ā)(b − b̄)·k_channel / rows, which
//! are all that batch normalisation and its derivatives of any order need.

use crate::{
    Isa, Real, Store,
    reduce::{BLOCK_ROWS, GROUP, column_sums, group_sums, load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

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
    let rows = a.len() / out.len().max(1);
    dispatch(isa, ColumnSums::<T, false> { a, b: a, scale: 1.0 / rows as f64, out });
}

/// out\[c\] = Σ_rows a\[row, c\] · b\[row, c\].
#[track_caller]
pub fn channel_dot<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    check("channel_dot", out.len(), &[a.len(), b.len()], out.len());
    dispatch(isa, ColumnSums::<T, true> { a, b, scale: 1.0, out });
}

/// out\[row, c\] = a\[row, c\] · k\[c\], set or added.
#[track_caller]
pub fn scale_channels<T: Real>(isa: Isa, a: &[T], k: &[T], store: Store, out: &mut [T]) {
    check("scale_channels", k.len(), &[a.len(), out.len()], k.len());
    match store {
        Store::Set => dispatch(isa, Scale::<T, false, false> { a, k, out }),
        Store::Add => dispatch(isa, Scale::<T, false, true> { a, k, out }),
    }
}

/// out\[c\] = 1/rows · Σ_rows (a − ā)(b − b̄), without cancellation when the means are large.
#[track_caller]
pub fn channel_covariance<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    check("channel_covariance", out.len(), &[a.len(), b.len()], out.len());
    if core::ptr::eq(a, b) {
        dispatch(isa, Covariance::<T, true> { a, b, out });
    } else {
        dispatch(isa, Covariance::<T, false> { a, b, out });
    }
}

/// out\[row, c\] = k\[c\] · (a\[row, c\] − ā\[c\]) / rows, set or added.
#[track_caller]
pub fn scale_centered<T: Real>(isa: Isa, a: &[T], k: &[T], store: Store, out: &mut [T]) {
    check("scale_centered", k.len(), &[a.len(), out.len()], k.len());
    match store {
        Store::Set => dispatch(isa, Scale::<T, true, false> { a, k, out }),
        Store::Add => dispatch(isa, Scale::<T, true, true> { a, k, out }),
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

/// The covariance of a and b; `SAME` says that b is a, which is then read once.
struct Covariance<'a, T, const SAME: bool> {
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const SAME: bool> Kernel<T> for Covariance<'_, T, SAME> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let channels = self.out.len();
        let block = BLOCK_ROWS * channels;
        for (group, out) in self.out.chunks_mut(GROUP).enumerate() {
            let from = group * GROUP;
            let mut moments = Moments::NONE;
            for (a, b) in self.a.chunks(block).zip(self.b.chunks(block)) {
                let sums = block_moments::<T, S, SAME>(simd, channels, from, out.len(), a, b);
                let pivots = (&a[from..from + out.len()], &b[from..from + out.len()]);
                moments.combine((a.len() / channels) as f64, pivots, &sums);
            }
            for (out, product) in out.iter_mut().zip(moments.product) {
                *out = T::from_f64(product / moments.rows.max(1.0));
            }
        }
    }
}

/// Sums over the rows of one block of d = a − pivot and e = b − pivot, the pivot being the block's first row.
///
/// Σ (a − ā)(b − b̄) = Σ d·e − Σ d Σ e / n. The first row is one of the n rows, so (pivot − ā)² is at
/// most n times the variance within the block: the subtraction loses a factor of n at the very worst
/// (2 is typical), whatever the size of the mean. In a constant channel d is exactly 0.
struct BlockSums<T> {
    d: [T; GROUP],
    e: [T; GROUP],
    product: [T; GROUP],
}

#[inline(always)]
fn block_moments<T: Real, S: Simd<T>, const SAME: bool>(
    simd: S,
    channels: usize,
    from: usize,
    width: usize,
    a: &[T],
    b: &[T],
) -> BlockSums<T> {
    let mut sums = BlockSums { d: [T::ZERO; GROUP], e: [T::ZERO; GROUP], product: [T::ZERO; GROUP] };
    let mut c = 0;
    // Five registers for each of U columns of registers, or three if b is a.
    while SAME && c + 4 * S::LANES <= width {
        strip_moments::<T, S, SAME, 4>(simd, channels, from, c..c + 4 * S::LANES, a, b, &mut sums);
        c += 4 * S::LANES;
    }
    while c + 2 * S::LANES <= width {
        strip_moments::<T, S, SAME, 2>(simd, channels, from, c..c + 2 * S::LANES, a, b, &mut sums);
        c += 2 * S::LANES;
    }
    while c < width {
        let end = width.min(c + S::LANES);
        strip_moments::<T, S, SAME, 1>(simd, channels, from, c..end, a, b, &mut sums);
        c = end;
    }
    sums
}

#[inline(always)]
fn strip_moments<T: Real, S: Simd<T>, const SAME: bool, const U: usize>(
    simd: S,
    channels: usize,
    from: usize,
    strip: core::ops::Range<usize>,
    a: &[T],
    b: &[T],
    out: &mut BlockSums<T>,
) {
    let width = strip.end - strip.start;
    let at = from + strip.start;
    let zero = simd.splat(T::ZERO);
    let (mut pivot_a, mut pivot_b) = ([zero; U], [zero; U]);
    for u in 0..U {
        pivot_a[u] = load_some(simd, &a[at..at + width][u * S::LANES..]);
        pivot_b[u] = load_some(simd, &b[at..at + width][u * S::LANES..]);
    }
    let (mut sum_d, mut sum_e, mut product) = ([zero; U], [zero; U], [zero; U]);
    for (a, b) in a.chunks_exact(channels).zip(b.chunks_exact(channels)) {
        let (a, b) = (&a[at..at + width], &b[at..at + width]);
        for u in 0..U {
            let d = simd.sub(load_some(simd, &a[u * S::LANES..]), pivot_a[u]);
            let e = if SAME { d } else { simd.sub(load_some(simd, &b[u * S::LANES..]), pivot_b[u]) };
            sum_d[u] = simd.add(sum_d[u], d);
            if !SAME {
                sum_e[u] = simd.add(sum_e[u], e);
            }
            product[u] = simd.mul_add(d, e, product[u]);
        }
    }
    for u in 0..U {
        store_some(simd, sum_d[u], &mut out.d[strip.clone()][u * S::LANES..]);
        store_some(simd, if SAME { sum_d[u] } else { sum_e[u] }, &mut out.e[strip.clone()][u * S::LANES..]);
        store_some(simd, product[u], &mut out.product[strip.clone()][u * S::LANES..]);
    }
}

/// Row count, means and Σ (a − ā)(b − b̄) of the rows seen so far.
struct Moments {
    rows: f64,
    mean_a: [f64; GROUP],
    mean_b: [f64; GROUP],
    product: [f64; GROUP],
}

impl Moments {
    const NONE: Self = Self { rows: 0.0, mean_a: [0.0; GROUP], mean_b: [0.0; GROUP], product: [0.0; GROUP] };

    /// Joins a block of n rows to the m seen before (Chan, Golub and LeVeque 1979): the products add
    /// up, plus (difference of means of a)(difference of means of b) · m·n/(m + n).
    #[inline(always)]
    fn combine<T: Real>(&mut self, n: f64, pivots: (&[T], &[T]), sums: &BlockSums<T>) {
        let (part, share) = (n / (self.rows + n), 1.0 / n);
        for c in 0..pivots.0.len() {
            let (d, e) = (sums.d[c].to_f64(), sums.e[c].to_f64());
            let delta_a = pivots.0[c].to_f64() + d * share - self.mean_a[c];
            let delta_b = pivots.1[c].to_f64() + e * share - self.mean_b[c];
            self.product[c] += sums.product[c].to_f64() - d * e * share + delta_a * delta_b * (self.rows * part);
            self.mean_a[c] += delta_a * part;
            self.mean_b[c] += delta_b * part;
        }
        self.rows += n;
    }
}

/// out = k · a, or k · (a − ā) / rows if `CENTERED`, set, or added if `ADD`.
struct Scale<'a, T, const CENTERED: bool, const ADD: bool> {
    a: &'a [T],
    k: &'a [T],
    out: &'a mut [T],
}

/// What a group of channels is multiplied by after its mean, in two parts, is taken off: a mean
/// rounded to one `f32` would leave a visible offset when it is large against the deviations.
struct Factors<T> {
    mean: [T; GROUP],
    mean_rest: [T; GROUP],
    k: [T; GROUP],
}

impl<T: Real, const CENTERED: bool, const ADD: bool> Kernel<T> for Scale<'_, T, CENTERED, ADD> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { a, k, out } = self;
        let channels = k.len();
        for (group, k) in k.chunks(GROUP).enumerate() {
            let from = group * GROUP;
            let factors = group_factors::<T, S, CENTERED>(simd, channels, from, a, k);
            for (a, out) in a.chunks(BLOCK_ROWS * channels).zip(out.chunks_mut(BLOCK_ROWS * channels)) {
                scale_block::<T, S, CENTERED, ADD>(simd, channels, from, k.len(), a, &factors, out);
            }
        }
    }
}

#[inline(always)]
fn group_factors<T: Real, S: Simd<T>, const CENTERED: bool>(
    simd: S,
    channels: usize,
    from: usize,
    a: &[T],
    k: &[T],
) -> Factors<T> {
    let mut factors = Factors { mean: [T::ZERO; GROUP], mean_rest: [T::ZERO; GROUP], k: [T::ZERO; GROUP] };
    factors.k[..k.len()].copy_from_slice(k);
    if CENTERED {
        let rows = (a.len() / channels) as f64;
        let totals = group_sums::<T, S, false>(simd, channels, from, k.len(), a, a);
        for c in 0..k.len() {
            let mean = totals[c] / rows;
            factors.mean[c] = T::from_f64(mean);
            factors.mean_rest[c] = T::from_f64(mean - factors.mean[c].to_f64());
            factors.k[c] = T::from_f64(k[c].to_f64() / rows);
        }
    }
    factors
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
    strip: core::ops::Range<usize>,
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
