//! The covariance of every channel in one pass over memory: each block of rows about a pivot of its own,
//! the blocks joined by their means.

use core::ops::Range;

use crate::{
    Real,
    reduce::{BLOCK_ROWS, GROUP, load_some, store_some},
    simd::{Kernel, Simd},
};

/// The covariance of a and b; `SAME` says that b is a, which is then read once. If `TOTALS`, also Σ_rows a.
pub(super) struct Covariance<'a, T, const SAME: bool, const TOTALS: bool> {
    pub(super) a: &'a [T],
    pub(super) b: &'a [T],
    pub(super) out: &'a mut [T],
    pub(super) totals: &'a mut [f64],
}

impl<T: Real, const SAME: bool, const TOTALS: bool> Kernel<T> for Covariance<'_, T, SAME, TOTALS> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let channels = self.out.len();
        let block = BLOCK_ROWS * channels;
        for (group, out) in self.out.chunks_mut(GROUP).enumerate() {
            let from = group * GROUP;
            let (mut moments, mut totals) = (Moments::NONE, [0.0; GROUP]);
            for (a, b) in self.a.chunks(block).zip(self.b.chunks(block)) {
                let sums = block_moments::<T, S, SAME, TOTALS>(simd, channels, from, out.len(), a, b);
                let pivots = (&a[from..from + out.len()], &b[from..from + out.len()]);
                moments.combine((a.len() / channels) as f64, pivots, &sums);
                for c in 0..if TOTALS { out.len() } else { 0 } {
                    totals[c] += sums.total[c].to_f64();
                }
            }
            if TOTALS {
                self.totals[from..from + out.len()].copy_from_slice(&totals[..out.len()]);
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
    /// Σ a, in the order in which sums over rows run.
    total: [T; GROUP],
}

#[inline(always)]
fn block_moments<T: Real, S: Simd<T>, const SAME: bool, const TOTALS: bool>(
    simd: S,
    channels: usize,
    from: usize,
    width: usize,
    a: &[T],
    b: &[T],
) -> BlockSums<T> {
    let none = [T::ZERO; GROUP];
    let mut sums = BlockSums { d: none, e: none, product: none, total: none };
    let mut c = 0;
    // Five registers for each of U columns of registers, or three if b is a; one more for totals.
    while ((SAME && !TOTALS) || S::REGISTERS >= 32) && c + 4 * S::LANES <= width {
        strip_moments::<T, S, SAME, TOTALS, 4>(simd, channels, from, c..c + 4 * S::LANES, a, b, &mut sums);
        c += 4 * S::LANES;
    }
    while c + 2 * S::LANES <= width {
        strip_moments::<T, S, SAME, TOTALS, 2>(simd, channels, from, c..c + 2 * S::LANES, a, b, &mut sums);
        c += 2 * S::LANES;
    }
    while c < width {
        let end = width.min(c + S::LANES);
        strip_moments::<T, S, SAME, TOTALS, 1>(simd, channels, from, c..end, a, b, &mut sums);
        c = end;
    }
    sums
}

#[inline(always)]
fn strip_moments<T: Real, S: Simd<T>, const SAME: bool, const TOTALS: bool, const U: usize>(
    simd: S,
    channels: usize,
    from: usize,
    strip: Range<usize>,
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
    let (mut sum_d, mut sum_e, mut product, mut total) = ([zero; U], [zero; U], [zero; U], [zero; U]);
    for (a, b) in a.chunks_exact(channels).zip(b.chunks_exact(channels)) {
        let (a, b) = (&a[at..at + width], &b[at..at + width]);
        for u in 0..U {
            let a = load_some(simd, &a[u * S::LANES..]);
            if TOTALS {
                total[u] = simd.add(total[u], a);
            }
            let d = simd.sub(a, pivot_a[u]);
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
        store_some(simd, total[u], &mut out.total[strip.clone()][u * S::LANES..]);
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
