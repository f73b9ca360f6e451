//! Least squares of two-layer networks whose second layer is ones: r_i = Σ_j softplus(z_ij) − y_i with Z = X W, what the residuals
//! pull back to W, and the Hessian there.
//!
//! What a row of hidden units needs lies in that row. So some rows at a time go from the first product to the last one,
//! in L1, where whole arrays of hidden units would be written to L2 and read again between any two operations.
//!
//! Every number has the bits that the operations one by one give it: no sum over rows is cut elsewhere than the product cuts it.

use core::ops::Range;

use crate::{
    Isa, Layout, Real,
    gemm::{blocks, depth, gemm},
    map::{SoftplusWithSlope, axpy},
    reduce::LONGEST_VECTOR,
    rows::{ByRows, OfRows, RowSums, Scaled},
    scratch::with_scratch,
    simd::{Kernel, Simd, dispatch},
};

/// Bytes of the hidden units of some rows: three such arrays fit in L1.
const BYTES: usize = 12 << 10;
/// Rows of whole tiles, of 14 or of 6.
const ROWS: usize = 42;
/// Hidden units whose softplus is summed up before the next ones are found, of whole vectors of rows if rows are short.
const TOGETHER: usize = 512;

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
    let some = network.rows_at_once::<T>();
    let own = if slopes.is_some() { 0 } else { some * neurons };
    let together = (TOGETHER / neurons).max(1);
    let together = if together > LONGEST_VECTOR { together - together % LONGEST_VECTOR } else { together };
    let lens = [some * neurons, together * neurons, own, together, depth(n) * neurons, d * neurons];
    with_scratch(lens, |[z, values, own, factors, block, part]| {
        for i in 0..count {
            let [x, w, y] = [(x, n * d), (w, d * neurons), (y, n)].map(|(all, len)| &all[i * len..][..len]);
            let residuals = &mut residuals[i * n..][..n];
            let mut slopes = slopes.as_deref_mut().map(|slopes| &mut slopes[i * n * neurons..][..n * neurons]);
            let mut forward = |rows: Range<usize>, pulled: &mut [T]| {
                let z = &mut z[..rows.len() * neurons];
                network.hidden(rows.clone(), x, w, z);
                let slopes = match &mut slopes {
                    Some(slopes) => &mut slopes[rows.start * neurons..rows.end * neurons],
                    None => &mut own[..rows.len() * neurons],
                };
                let (y, residuals) = (&y[rows.clone()], &mut residuals[rows]);
                dispatch(isa, Forward { z, values, slopes, y, residuals, factor, factors, pulled });
            };
            match &mut gradient {
                Some(gradient) => {
                    let gradient = &mut gradient[i * d * neurons..][..d * neurons];
                    network.pull_back(x, [block, part], gradient, forward);
                }
                None => blocks(n, some).for_each(|(start, len)| forward(start..start + len, &mut [])),
            }
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
    with_scratch(lens, |[dz, along, bent, block, part]| {
        for i in 0..count {
            let [x, v, slopes, residuals] = [(x, n * d), (v, d * neurons), (slopes, n * neurons), (residuals, n)]
                .map(|(all, len)| &all[i * len..][..len]);
            let out = &mut out[i * d * neurons..][..d * neurons];
            network.pull_back(x, [block, part], out, |rows, pulled| {
                let dz = &mut dz[..rows.len() * neurons];
                network.hidden(rows.clone(), x, v, dz);
                let slopes = &slopes[rows.start * neurons..rows.end * neurons];
                let (along, bent) = (&mut along[..rows.len()], &mut bent[..rows.len()]);
                dispatch(isa, Along { dz, slopes, residuals: &residuals[rows], factor, along, bent, pulled });
            });
        }
    });
}

/// From hidden units to residuals, slopes and, if there is room for it, what the residuals pull back to the hidden units.
struct Forward<'a, T> {
    z: &'a [T],
    /// Room for softplus of some rows.
    values: &'a mut [T],
    slopes: &'a mut [T],
    y: &'a [T],
    residuals: &'a mut [T],
    factor: T,
    /// Room for a number for each of these rows.
    factors: &'a mut [T],
    pulled: &'a mut [T],
}

impl<T: Real> Kernel<T> for Forward<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { z, values, slopes, y, residuals, factor, factors, pulled } = self;
        let (some, neurons, wanted) = (factors.len(), values.len() / factors.len(), !pulled.is_empty());
        for (i, (residuals, y)) in residuals.chunks_mut(some).zip(y.chunks(some)).enumerate() {
            let (rows, units) = (residuals.len(), i * some * neurons..(i * some + residuals.len()) * neurons);
            let (values, slope) = (&mut values[..rows * neurons], &mut slopes[units.clone()]);
            SoftplusWithSlope { x: &z[units.clone()], y: values, slope }.run(simd);
            RowSums::<T, false> { a: values, b: values, out: residuals }.run(simd);
            let factors = &mut factors[..rows];
            for ((r, y), c) in residuals.iter_mut().zip(y).zip(&mut *factors) {
                *r = *r - *y;
                *c = factor * *r;
            }
            if wanted {
                let out = &mut pulled[units];
                ByRows { function: Scaled::<false>, x: [&*slope], c: [&*factors], out }.run(simd);
            }
        }
    }
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

    /// out = Xᵀ P, `write` giving some rows of P at a time. There is room for those of a block of the sum, and for what they add
    /// to `out`.
    fn pull_back<T: Real>(
        self,
        x: &[T],
        [block, part]: [&mut [T]; 2],
        out: &mut [T],
        mut write: impl FnMut(Range<usize>, &mut [T]),
    ) {
        let Self { isa, n, d, neurons } = self;
        if n == 0 {
            out.fill(T::ZERO);
        }
        for (start, len) in blocks(n, depth(n)) {
            for (first, rows) in blocks(len, self.rows_at_once::<T>()) {
                let from = start + first;
                write(from..from + rows, &mut block[first * neurons..][..rows * neurons]);
            }
            let product = if start == 0 { &mut *out } else { &mut *part };
            gemm(isa, Layout::TN, d, neurons, len, &x[start * d..][..len * d], &block[..len * neurons], product);
            if start > 0 {
                axpy(isa, T::ONE, part, out);
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
