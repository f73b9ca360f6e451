//! Least squares of two-layer networks whose second layer is ones: r_i = Σ_j softplus(z_ij) − y_i with Z = X W, what the residuals
//! pull back to W, and the Hessian there.
//!
//! What a row of hidden units needs lies in that row. So some rows at a time go from the first product to the last one
//! and stay near, where whole arrays of hidden units would go far and come back between any two operations.
//!
//! Two things are rounded otherwise than by the operations one by one: sums of softplus, which share logarithms, and what residuals pull
//! back, Xᵀ (r ⊙ σ) = (r ⊙ X)ᵀ σ. All else has the same bits: no sum over rows is cut elsewhere than the product cuts it.

use core::ops::Range;

use crate::{
    Isa, Layout, Real, Store,
    gemm::{blocks, depth, gemm},
    map::{axpy, softplus_sums},
    rows::{ByRows, OfRows, RowSums, scale_rows},
    scratch::with_scratch,
    simd::{Kernel, Simd, dispatch},
};

/// Bytes of the hidden units of some rows, which stay in L1 or just behind it; with fewer rows, products begin and end too often (12 KiB
/// take 1.03 times as long on Zen 3, 64 KiB as long).
const BYTES: usize = 32 << 10;
/// Rows of whole tiles, of 14 or of 6.
const ROWS: usize = 42;

/// [`crate::two_layer`]
#[track_caller]
pub(crate) fn two_layer<T: Real>(
    isa: Isa,
    size: [usize; 4],
    x: &[T],
    w: &[T],
    y: &[T],
    factor: T,
    residuals: &mut [T],
    mut slopes: Option<&mut [T]>,
    mut gradient: Option<&mut [T]>,
) {
    let [count, n, d, neurons] = size;
    check(size, x, w, [y, residuals], [slopes.as_deref(), gradient.as_deref()]);
    if neurons == 0 {
        return residuals.iter_mut().zip(y).for_each(|(r, y)| *r = -*y);
    }
    let network = Network { isa, n, d, neurons };
    let (some, deep) = (network.rows_at_once::<T>(), depth(n));
    let own = if slopes.is_some() { 0 } else { deep * neurons };
    with_scratch([some * neurons, some, own, deep * d, d * neurons], |[z, factors, own, scaled, part]| {
        for i in 0..count {
            let [x, w, y] = [(x, n * d), (w, d * neurons), (y, n)].map(|(all, len)| &all[i * len..][..len]);
            let residuals = &mut residuals[i * n..][..n];
            let mut slopes = slopes.as_deref_mut().map(|slopes| &mut slopes[i * n * neurons..][..n * neurons]);
            let gradient = gradient.as_deref_mut().map(|gradient| &mut gradient[i * d * neurons..][..d * neurons]);
            network.sum_over_blocks(gradient, part, |block, gradient| {
                let slopes = match &mut slopes {
                    Some(slopes) => &mut slopes[block.start * neurons..block.end * neurons],
                    None => &mut own[..block.len() * neurons],
                };
                for (first, rows) in blocks(block.len(), some) {
                    let at = block.start + first..block.start + first + rows;
                    let (z, factors) = (&mut z[..rows * neurons], &mut factors[..rows]);
                    let residuals = &mut residuals[at.clone()];
                    network.hidden(at.clone(), x, w, z);
                    softplus_sums(isa, z, &mut slopes[first * neurons..][..rows * neurons], residuals);
                    for ((r, y), c) in residuals.iter_mut().zip(&y[at.clone()]).zip(&mut *factors) {
                        *r = *r - *y;
                        *c = factor * *r;
                    }
                    if gradient.is_some() {
                        // A row of X is scaled in place of one of slopes, which is longer as a rule.
                        let scaled = &mut scaled[first * d..][..rows * d];
                        scale_rows(isa, &x[at.start * d..at.end * d], factors, Store::Set, scaled);
                    }
                }
                if let Some(gradient) = gradient {
                    gemm(isa, Layout::TN, d, neurons, block.len(), &scaled[..block.len() * d], slopes, gradient);
                }
            });
        }
    });
}

/// [`crate::two_layer_hessian`]
#[track_caller]
pub(crate) fn two_layer_hessian<T: Real>(
    isa: Isa,
    size: [usize; 4],
    x: &[T],
    v: &[T],
    slopes: &[T],
    residuals: &[T],
    factor: T,
    out: &mut [T],
) {
    let [count, n, d, neurons] = size;
    check(size, x, v, [residuals, residuals], [Some(slopes), Some(out)]);
    if neurons == 0 {
        return;
    }
    let network = Network { isa, n, d, neurons };
    let some = network.rows_at_once::<T>();
    let lens = [some * neurons, some, some, depth(n) * neurons, d * neurons];
    with_scratch(lens, |[dz, along, bent, pulled, part]| {
        for i in 0..count {
            let [x, v, slopes, residuals] = [(x, n * d), (v, d * neurons), (slopes, n * neurons), (residuals, n)]
                .map(|(all, len)| &all[i * len..][..len]);
            let out = &mut out[i * d * neurons..][..d * neurons];
            network.sum_over_blocks(Some(out), part, |at, out| {
                let pulled = &mut pulled[..at.len() * neurons];
                for (first, rows) in blocks(at.len(), some) {
                    let rows = at.start + first..at.start + first + rows;
                    let units = rows.start * neurons..rows.end * neurons;
                    let dz = &mut dz[..units.len()];
                    network.hidden(rows.clone(), x, v, dz);
                    let pulled = &mut pulled[first * neurons..][..units.len()];
                    let (along, bent) = (&mut along[..rows.len()], &mut bent[..rows.len()]);
                    let (slopes, residuals) = (&slopes[units], &residuals[rows]);
                    dispatch(isa, Along { dz, slopes, residuals, factor, along, bent, pulled });
                }
                if let Some(out) = out {
                    gemm(isa, Layout::TN, d, neurons, at.len(), &x[at.start * d..at.end * d], pulled, out);
                }
            });
        }
    });
}

/// From the derivatives of hidden units along a direction to what those of the residuals and of the slopes pull back to the units.
struct Along<'a, T> {
    dz: &'a [T],
    slopes: &'a [T],
    residuals: &'a [T],
    factor: T,
    /// Room for a number for each row, twice.
    along: &'a mut [T],
    bent: &'a mut [T],
    pulled: &'a mut [T],
}

impl<T: Real> Kernel<T> for Along<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { dz, slopes, residuals, factor, along, bent, pulled } = self;
        RowSums::<T, true> { a: dz, b: slopes, out: along }.run(simd);
        for ((along, bent), r) in along.iter_mut().zip(&mut *bent).zip(residuals) {
            (*along, *bent) = (factor * *along, factor * *r);
        }
        ByRows { function: Bent, x: [slopes, dz], c: [&*along, &*bent], out: pulled }.run(simd);
    }
}

/// a · s + (b · x) · (s − s²): the slope s of softplus takes part in the sum, and bends along x.
#[derive(Clone, Copy)]
struct Bent;

impl<T: Real> OfRows<T, 2, 2> for Bent {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [s, x]: [S::V; 2], [a, b]: [S::V; 2], _: S::V) -> S::V {
        let curvature = simd.sub(s, simd.mul(s, s));
        simd.mul_add(a, s, simd.mul(simd.mul(b, x), curvature))
    }
}

/// The sizes of one network and its inputs.
#[derive(Clone, Copy)]
struct Network {
    isa: Isa,
    n: usize,
    d: usize,
    neurons: usize,
}

impl Network {
    fn rows_at_once<T>(self) -> usize {
        let rows = BYTES / (size_of::<T>() * self.neurons.max(1));
        (rows - rows % ROWS).max(ROWS).min(self.n)
    }

    /// Some rows of X W.
    fn hidden<T: Real>(self, rows: Range<usize>, x: &[T], w: &[T], out: &mut [T]) {
        let Self { isa, d, neurons, .. } = self;
        gemm(isa, Layout::NN, rows.len(), neurons, d, &x[rows.start * d..rows.end * d], w, out);
    }

    /// out = Σ of what `product` finds for blocks of inputs, as [`gemm`] sums over their number. There is room for one such part.
    fn sum_over_blocks<T: Real>(
        self,
        mut out: Option<&mut [T]>,
        part: &mut [T],
        mut product: impl FnMut(Range<usize>, Option<&mut [T]>),
    ) {
        let Self { isa, n, .. } = self;
        if let (Some(out), 0) = (&mut out, n) {
            out.fill(T::ZERO);
        }
        for (start, len) in blocks(n, depth(n)) {
            let block = start..start + len;
            match &mut out {
                Some(out) if start > 0 => {
                    product(block, Some(&mut *part));
                    axpy(isa, T::ONE, part, out);
                }
                out => product(block, out.as_deref_mut()),
            }
        }
    }
}

/// Panics unless every slice has the length of its array: inputs, parameters, arrays with a number for each input, one with as
/// many as there are hidden units for each, and one like the parameters.
#[track_caller]
fn check<T>(size: [usize; 4], x: &[T], w: &[T], each: [&[T]; 2], [hidden, like_w]: [Option<&[T]>; 2]) {
    let [count, n, d, neurons] = size;
    let lens = (x.len(), w.len(), each.map(<[T]>::len));
    let want = (count * n * d, count * d * neurons, [count * n; 2]);
    assert_eq!(lens, want, "{count} two-layer networks of {n}x{d}, {neurons} neurons: lengths of x, w, y, residuals");
    let lens = [hidden, like_w].map(|x| x.map(<[T]>::len));
    let want = [hidden.map(|_| count * n * neurons), like_w.map(|_| count * d * neurons)];
    assert_eq!(lens, want, "{count} two-layer networks of {n}x{d}, {neurons} neurons: lengths of slopes, gradient");
}
