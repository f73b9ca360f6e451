//! Least squares of two-layer networks whose second layer is ones: r_i = Σ_j softplus(z_ij) − y_i with Z = X W, what the residuals
//! pull back to W, and the Hessian there.
//!
//! What a row of hidden units needs lies in that row. So some rows at a time go from the first product to the last one,
//! in L1, where whole arrays of hidden units would be written to L2 and read again between any two operations.
//!
//! Every number has the bits that the operations one by one give it: no sum over rows is cut elsewhere than the product cuts it.

use core::ops::Range;

use crate::{
    Isa, Layout, Real, Store,
    gemm::{blocks, depth, gemm},
    map::{axpy, scale, softplus_with_slope},
    reduce::sum_axis,
    rows::{bend_rows, dot_rows, scale_rows},
    scratch::with_scratch,
};

/// Bytes of the hidden units of some rows: three such arrays fit in L1.
const BYTES: usize = 12 << 10;
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
    let hidden = n * neurons;
    check(size, x, w, [y, residuals], [slopes.as_deref(), gradient.as_deref()]);
    let network = Network { isa, n, d, neurons };
    let some = network.rows_at_once::<T>();
    let kept = if slopes.is_some() { 0 } else { some * neurons };
    let lens = [some * neurons, some * neurons, kept, some, depth(n) * neurons, d * neurons];
    with_scratch(lens, |[z, values, own, factors, block, part]| {
        for i in 0..count {
            let (x, w, y) = (&x[i * n * d..][..n * d], &w[i * d * neurons..][..d * neurons], &y[i * n..][..n]);
            let residuals = &mut residuals[i * n..][..n];
            let mut slopes = slopes.as_deref_mut().map(|slopes| &mut slopes[i * hidden..][..hidden]);
            let mut forward = |rows: Range<usize>, pulled: Option<&mut [T]>| {
                let (z, values) = (&mut z[..rows.len() * neurons], &mut values[..rows.len() * neurons]);
                let slopes = match &mut slopes {
                    Some(slopes) => &mut slopes[rows.start * neurons..rows.end * neurons],
                    None => &mut own[..rows.len() * neurons],
                };
                let (y, residuals) = (&y[rows.clone()], &mut residuals[rows.clone()]);
                network.hidden(rows.clone(), x, w, z);
                softplus_with_slope(isa, z, values, slopes);
                sum_axis(isa, rows.len(), neurons, 1, values, residuals);
                axpy(isa, -T::ONE, y, residuals);
                if let Some(pulled) = pulled {
                    let factors = &mut factors[..rows.len()];
                    scale(isa, factor, residuals, factors);
                    scale_rows(isa, slopes, factors, Store::Set, pulled);
                }
            };
            match &mut gradient {
                Some(gradient) => {
                    let gradient = &mut gradient[i * d * neurons..][..d * neurons];
                    network.pull_back(x, [block, part], gradient, |rows, pulled| forward(rows, Some(pulled)));
                }
                None => blocks(n, some).for_each(|(start, len)| forward(start..start + len, None)),
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
    let hidden = n * neurons;
    check(size, x, v, [residuals, residuals], [Some(slopes), Some(out)]);
    let network = Network { isa, n, d, neurons };
    let some = network.rows_at_once::<T>();
    let lens = [some * neurons, some, some, some, depth(n) * neurons, d * neurons];
    with_scratch(lens, |[dz, dots, along, bent, block, part]| {
        for i in 0..count {
            let (x, v) = (&x[i * n * d..][..n * d], &v[i * d * neurons..][..d * neurons]);
            let (slopes, residuals) = (&slopes[i * hidden..][..hidden], &residuals[i * n..][..n]);
            let out = &mut out[i * d * neurons..][..d * neurons];
            network.pull_back(x, [block, part], out, |rows, pulled| {
                let dz = &mut dz[..rows.len() * neurons];
                let slopes = &slopes[rows.start * neurons..rows.end * neurons];
                let [dots, along, bent] = [&mut *dots, &mut *along, &mut *bent].map(|x| &mut x[..rows.len()]);
                network.hidden(rows.clone(), x, v, dz);
                dot_rows(isa, dz, slopes, dots);
                scale(isa, factor, dots, along);
                scale(isa, factor, &residuals[rows], bent);
                bend_rows(isa, slopes, dz, [along, bent], pulled);
            });
        }
    });
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
