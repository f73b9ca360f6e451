//! Sums of softplus along rows, as a layer has them whose outputs are only added.

use super::{
    log::log_of_normal,
    logistic::{Sigmoid, Softplus},
    powers::{OfExp, find_powers},
};
use crate::{
    Isa, Real,
    reduce::{LONGEST_VECTOR, store_some},
    scratch::with_scratch,
    simd::{COLUMNS, Kernel, Simd, dispatch},
};

/// Numbers of a row that share a logarithm: a product of so many factors of at most two stays below 2⁶⁴.
const FACTORS: usize = 64;
/// Room for the powers of as many rows as the longest vector has lanes.
const POWERS: usize = FACTORS * LONGEST_VECTOR;

/// sums\[row\] = Σ_j softplus(x\[row, j\]) and slope = 1/(1 + e⁻ˣ). With u = e⁻|x| softplus is max(x, 0) + ln(1 + u), and
///
/// ```text
/// Σ_j softplus(x_j) = Σ_j max(x_j, 0) + ln Π_j (1 + u_j)
/// ```
///
/// has one logarithm where it would have one for each number. Every factor errs by ε/2 and every product too, so that the logarithm
/// of n of them errs by at most n·ε, as does a sum of n numbers of this size. No row is empty.
pub(crate) fn softplus_sums<T: Real>(isa: Isa, x: &[T], slope: &mut [T], sums: &mut [T]) {
    with_scratch([POWERS], |[powers]| dispatch(isa, SoftplusSums { x, slope, sums, powers }));
}

struct SoftplusSums<'a, T> {
    x: &'a [T],
    slope: &'a mut [T],
    sums: &'a mut [T],
    powers: &'a mut [T],
}

impl<T: Real> Kernel<T> for SoftplusSums<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { x, slope, sums, powers } = self;
        let (length, mut parts) = (x.len() / sums.len(), Parts::new());
        let rows = x.chunks(S::LANES * length).zip(slope.chunks_mut(S::LANES * length));
        for ((x, slope), sums) in rows.zip(sums.chunks_mut(S::LANES)) {
            let mut sum = simd.splat(T::ZERO);
            for from in (0..length).step_by(FACTORS) {
                let width = FACTORS.min(length - from);
                // Rows that lie one behind the other are one array.
                if width == length {
                    find_powers(simd, Softplus, x, powers);
                }
                for row in 0..sums.len() {
                    let part = row * length + from..row * length + from + width;
                    if width < length {
                        find_powers(simd, Softplus, &x[part.clone()], &mut powers[row * width..]);
                    }
                    parts.find(simd, row, &x[part.clone()], &powers[row * width..][..width], &mut slope[part]);
                }
                sum = simd.add(sum, parts.total(simd));
            }
            store_some(simd, sum, sums);
        }
    }
}

/// For each of some rows a vector of sums of max(x, 0) and one of products of 1 + u. Rows that there are not may be anything.
struct Parts<T> {
    sums: [T; LONGEST_VECTOR * LONGEST_VECTOR],
    products: [T; LONGEST_VECTOR * LONGEST_VECTOR],
}

impl<T: Real> Parts<T> {
    #[inline(always)]
    fn new() -> Self {
        Self { sums: [T::ZERO; LONGEST_VECTOR * LONGEST_VECTOR], products: [T::ONE; LONGEST_VECTOR * LONGEST_VECTOR] }
    }

    /// Those of one row, and its slopes.
    #[inline(always)]
    fn find<S: Simd<T>>(&mut self, simd: S, row: usize, x: &[T], u: &[T], slope: &mut [T]) {
        let (zero, one) = (simd.splat(T::ZERO), simd.splat(T::ONE));
        let (mut sum, mut product) = (zero, one);
        let whole = x.len() - x.len() % S::LANES;
        let (slopes, slopes_rest) = slope.split_at_mut(whole);
        let numbers = x.chunks_exact(S::LANES).zip(u.chunks_exact(S::LANES));
        for ((x, u), slope) in numbers.zip(slopes.chunks_exact_mut(S::LANES)) {
            let (x, u) = (simd.load(x), simd.load(u));
            simd.store(OfExp::apply(Sigmoid, simd, x, u), slope);
            (sum, product) = (simd.add(sum, simd.max(zero, x)), simd.mul(product, simd.add(one, u)));
        }
        if whole < x.len() {
            // Behind the last number are zeros, which add nothing.
            let (x, u) = (simd.load_partial(&x[whole..]), simd.load_partial(&u[whole..]));
            simd.store_partial(OfExp::apply(Sigmoid, simd, x, u), slopes_rest);
            (sum, product) = (simd.add(sum, simd.max(zero, x)), simd.mul(product, simd.add(one, u)));
        }
        simd.store(sum, &mut self.sums[row * S::LANES..]);
        simd.store(product, &mut self.products[row * S::LANES..]);
    }

    /// Σ softplus of all rows, a row in each lane. NaN is kept by the sum of maxima, whatever its logarithm is.
    #[inline(always)]
    fn total<S: Simd<T>>(&self, simd: S) -> S::V {
        let (mut sum, mut product) = (simd.splat(T::ZERO), simd.splat(T::ONE));
        for at in (0..S::LANES).step_by(COLUMNS) {
            let sums = simd.load_columns(&self.sums[at..], S::LANES);
            let products = simd.load_columns(&self.products[at..], S::LANES);
            for l in 0..COLUMNS {
                (sum, product) = (simd.add(sum, sums[l]), simd.mul(product, products[l]));
            }
        }
        simd.add(sum, log_of_normal(simd, product))
    }
}
