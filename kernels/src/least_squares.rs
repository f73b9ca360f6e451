//! Residuals of linear models and what they pull back to, r = X w − y and s · Xᵀ r, in one pass over X.
//!
//! Each product uses an element of X once, so that reading it is most of the work: rows that were just multiplied by w are
//! still in L1 when their residuals are multiplied by them.

use crate::{
    Isa, Layout, Real,
    gemm::gemm_batch,
    map::axpy,
    reduce::{SHORT, load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

/// Rows whose sums run side by side: multiply-adds take 4 cycles, and two begin in each.
const ROWS: usize = 4;

#[track_caller]
pub(crate) fn least_squares<T: Real>(
    isa: Isa,
    count: usize,
    x: &[T],
    w: &[T],
    y: Option<&[T]>,
    scale: T,
    residuals: &mut [T],
    gradient: Option<&mut [T]>,
) {
    let [d, n] = [w.len(), residuals.len()].map(|len| len / count.max(1));
    let lens = (x.len(), w.len(), y.map_or(count * n, <[T]>::len), residuals.len());
    let want = (count * n * d, count * d, count * n, count * n);
    assert_eq!(lens, want, "{count} least squares of {n}x{d}: lengths of x, w, y, residuals");
    let wanted = gradient.is_some();
    let gradient = gradient.unwrap_or_default();
    if wanted {
        assert_eq!(gradient.len(), count * d, "{count} least squares of {n}x{d}: length of gradient");
    }
    if d <= SHORT {
        // Short rows stay in cache from one product to the next, and leave registers half empty here.
        gemm_batch(isa, Layout::NN, count, n, 1, d, x, w, residuals);
        if let Some(y) = y {
            axpy(isa, -T::ONE, y, residuals);
        }
        if wanted {
            gemm_batch(isa, Layout::TN, count, d, 1, n, x, residuals, gradient);
        }
    } else {
        gradient.fill(T::ZERO);
        // Rows seldom begin where a cache line does, so that long vectors lie across two of them: they are no faster here.
        dispatch(isa.narrow(), LeastSquares { count, x, w, y, residuals, gradient });
    }
    for g in gradient {
        *g = scale * *g;
    }
}

/// `count` problems, their gradients added up if `gradient` is not empty.
struct LeastSquares<'a, T> {
    count: usize,
    x: &'a [T],
    w: &'a [T],
    y: Option<&'a [T]>,
    residuals: &'a mut [T],
    gradient: &'a mut [T],
}

impl<T: Real> Kernel<T> for LeastSquares<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { count, x, w, y, residuals, gradient } = self;
        let [d, n, width] = [w.len(), residuals.len(), gradient.len()].map(|len| len / count.max(1));
        for i in 0..count {
            let problem = Problem { x: &x[i * n * d..][..n * d], w: &w[i * d..][..d], y: y.map(|y| &y[i * n..][..n]) };
            let (residuals, gradient) = (&mut residuals[i * n..][..n], &mut gradient[i * width..][..width]);
            let whole = n - n % ROWS;
            for row in (0..whole).step_by(ROWS) {
                problem.rows::<S, ROWS>(simd, row, residuals, gradient);
            }
            for row in whole..n {
                problem.rows::<S, 1>(simd, row, residuals, gradient);
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Problem<'a, T> {
    x: &'a [T],
    w: &'a [T],
    y: Option<&'a [T]>,
}

impl<T: Real> Problem<'_, T> {
    /// The residuals of R rows from this one on, and what they add to the gradient.
    #[inline(always)]
    fn rows<S: Simd<T>, const R: usize>(self, simd: S, first: usize, residuals: &mut [T], gradient: &mut [T]) {
        let d = self.w.len();
        let mut rows: [&[T]; R] = [&[]; R];
        for r in 0..R {
            rows[r] = &self.x[(first + r) * d..][..d];
        }
        let mut sums = [simd.splat(T::ZERO); R];
        let mut at = 0;
        while d - at >= S::LANES {
            let w = simd.load(&self.w[at..]);
            for r in 0..R {
                sums[r] = simd.mul_add(simd.load(&rows[r][at..]), w, sums[r]);
            }
            at += S::LANES;
        }
        if at < d {
            let w = load_some(simd, &self.w[at..]);
            for r in 0..R {
                sums[r] = simd.mul_add(load_some(simd, &rows[r][at..]), w, sums[r]);
            }
        }
        let mut factors = [simd.splat(T::ZERO); R];
        for r in 0..R {
            let residual = simd.reduce_add(sums[r]) - self.y.map_or(T::ZERO, |y| y[first + r]);
            residuals[first + r] = residual;
            factors[r] = simd.splat(residual);
        }
        if gradient.is_empty() {
            return;
        }
        let mut at = 0;
        while d - at >= S::LANES {
            let mut sum = simd.load(&gradient[at..]);
            for r in 0..R {
                sum = simd.mul_add(simd.load(&rows[r][at..]), factors[r], sum);
            }
            simd.store(sum, &mut gradient[at..]);
            at += S::LANES;
        }
        if at < d {
            let mut sum = load_some(simd, &gradient[at..]);
            for r in 0..R {
                sum = simd.mul_add(load_some(simd, &rows[r][at..]), factors[r], sum);
            }
            store_some(simd, sum, &mut gradient[at..]);
        }
    }
}
