//! Residuals of linear models and what they pull back to, r = X w − y and s · Xᵀ r, in one pass over X.
//!
//! Each product uses an element of X once, so that reading it is most of the work: rows that were just multiplied by w are
//! still in registers, or at least in L1, when their residuals are multiplied by them.

use core::marker::PhantomData;

use crate::{
    Isa, Layout, Real,
    gemm::gemm_batch,
    map::axpy,
    reduce::{SHORT, load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

/// Elements between what is read and what is asked for: 4 KiB of `f32`, read in the time that L3 takes to answer. Twice as
/// much is 2 % slower on Zen 4.
const AHEAD: usize = 1024;

/// Rows whose sums run side by side: multiply-adds take 4 cycles, and two begin in each.
const ROWS: usize = 4;

/// Vectors of a row that stays in registers, at most: two rows and what they add to the gradient are 21 of 32.
const HELD: usize = 7;
/// Such rows side by side.
const HELD_ROWS: usize = 2;

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
        // Rows seldom begin where a cache line does, so that long vectors lie across two: they are no faster if read twice.
        let isa = if d <= dispatch(isa, LongestHeld(PhantomData::<T>)) { isa } else { isa.narrow() };
        dispatch(isa, LeastSquares { count, x, w, y, residuals, gradient });
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
            match if d <= longest_held::<T, S>() { d.div_ceil(S::LANES) } else { 0 } {
                2 => problem.held::<S, 2>(simd, residuals, gradient),
                3 => problem.held::<S, 3>(simd, residuals, gradient),
                4 => problem.held::<S, 4>(simd, residuals, gradient),
                5 => problem.held::<S, 5>(simd, residuals, gradient),
                6 => problem.held::<S, 6>(simd, residuals, gradient),
                HELD => problem.held::<S, HELD>(simd, residuals, gradient),
                _ => problem.read_twice(simd, residuals, gradient),
            }
        }
    }
}

/// The longest row that stays in registers.
const fn longest_held<T: Real, S: Simd<T>>() -> usize {
    if S::REGISTERS >= 32 { HELD * S::LANES } else { 0 }
}

/// Asks for it.
struct LongestHeld<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for LongestHeld<T> {
    type Out = usize;
    #[inline(always)]
    fn run<S: Simd<T>>(self, _: S) -> usize {
        longest_held::<T, S>()
    }
}

#[derive(Clone, Copy)]
struct Problem<'a, T> {
    x: &'a [T],
    w: &'a [T],
    y: Option<&'a [T]>,
}

/// N vectors, the last one of what there is.
#[inline(always)]
fn vectors<T: Real, S: Simd<T>, const N: usize>(simd: S, x: &[T]) -> [S::V; N] {
    let mut v = [simd.splat(T::ZERO); N];
    for n in 0..N - 1 {
        v[n] = simd.load(&x[n * S::LANES..]);
    }
    v[N - 1] = simd.load_partial(&x[(N - 1) * S::LANES..]);
    v
}

impl<T: Real> Problem<'_, T> {
    /// Rows of N vectors, each loaded once.
    #[inline(always)]
    fn held<S: Simd<T>, const N: usize>(self, simd: S, residuals: &mut [T], gradient: &mut [T]) {
        let (n, w, wanted) = (residuals.len(), vectors::<T, S, N>(simd, self.w), !gradient.is_empty());
        let mut sums = [simd.splat(T::ZERO); N];
        let whole = n - n % HELD_ROWS;
        for row in (0..whole).step_by(HELD_ROWS) {
            self.held_rows::<S, N, HELD_ROWS>(simd, row, &w, residuals, wanted, &mut sums);
        }
        for row in whole..n {
            self.held_rows::<S, N, 1>(simd, row, &w, residuals, wanted, &mut sums);
        }
        if wanted {
            for (sum, gradient) in sums.into_iter().zip(gradient.chunks_mut(S::LANES)) {
                store_some(simd, sum, gradient);
            }
        }
    }

    /// The residuals of R rows from this one on, and what they add to the gradient.
    #[inline(always)]
    fn held_rows<S: Simd<T>, const N: usize, const R: usize>(
        self,
        simd: S,
        first: usize,
        w: &[S::V; N],
        residuals: &mut [T],
        wanted: bool,
        gradient: &mut [S::V; N],
    ) {
        let d = self.w.len();
        let mut rows = [[simd.splat(T::ZERO); N]; R];
        for r in 0..R {
            rows[r] = vectors::<T, S, N>(simd, &self.x[(first + r) * d..][..d]);
            for n in 0..N {
                simd.prefetch(self.x.as_ptr().wrapping_add((first + r) * d + n * S::LANES + AHEAD));
            }
        }
        let mut sums = [simd.splat(T::ZERO); R];
        for n in 0..N {
            for r in 0..R {
                sums[r] = simd.mul_add(rows[r][n], w[n], sums[r]);
            }
        }
        let factors = self.residuals(simd, first, sums, residuals);
        if wanted {
            for n in 0..N {
                for r in 0..R {
                    gradient[n] = simd.mul_add(rows[r][n], factors[r], gradient[n]);
                }
            }
        }
    }

    /// The residuals of R rows from this one on, of which the products are sums of lanes, in all lanes.
    #[inline(always)]
    fn residuals<S: Simd<T>, const R: usize>(
        self,
        simd: S,
        first: usize,
        sums: [S::V; R],
        residuals: &mut [T],
    ) -> [S::V; R] {
        let mut factors = sums;
        for r in 0..R {
            let residual = simd.reduce_add(sums[r]) - self.y.map_or(T::ZERO, |y| y[first + r]);
            residuals[first + r] = residual;
            factors[r] = simd.splat(residual);
        }
        factors
    }

    /// Rows of any length, which are read again from L1.
    #[inline(always)]
    fn read_twice<S: Simd<T>>(self, simd: S, residuals: &mut [T], gradient: &mut [T]) {
        let n = residuals.len();
        let whole = n - n % ROWS;
        for row in (0..whole).step_by(ROWS) {
            self.rows::<S, ROWS>(simd, row, residuals, gradient);
        }
        for row in whole..n {
            self.rows::<S, 1>(simd, row, residuals, gradient);
        }
    }

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
                simd.prefetch(rows[r].as_ptr().wrapping_add(at + AHEAD));
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
        let factors = self.residuals(simd, first, sums, residuals);
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
