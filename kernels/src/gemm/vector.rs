//! Products with a vector: every element of the matrix is used once, so that a copy would cost more than the sums.
//!
//! The lanes are rows of y = A x, and every sum runs in the order of k, as in the tiles. Where the columns of A lie along
//! memory the lanes are loaded as they are; where its rows do, this is a product with few columns ([`Narrow`]).

use core::array;

use super::{Strided, narrow::Narrow, plan::depth};
use crate::{
    Isa, Real,
    reduce::{load_some, store_some},
    simd::{Kernel, Simd, dispatch},
};

/// Vectors of y that are computed together from columns along memory.
const STRIP: usize = 8;
/// Problems that are computed together if they have few of them.
const SEVERAL: usize = 4;

/// The matrix and the vector of the product C = A B, if there is a vector and both lie as the kernels need it.
pub(super) fn operands<'a, T>(
    [m, n, _]: [usize; 3],
    a: Strided<'a, T>,
    b: Strided<'a, T>,
    c_row: usize,
) -> Option<(Strided<'a, T>, &'a [T])> {
    let (matrix, vector) = match (m, n) {
        (_, 1) if c_row == 1 && b.row == 1 => (a, b),
        (1, _) if a.column == 1 => (b.transposed(), a),
        _ => return None,
    };
    (matrix.column == 1 || matrix.row == 1).then_some((matrix, vector.data))
}

/// y_i = A_i x_i for `count` problems, whose vectors lie one behind the other and whose matrices `a_step` elements apart.
pub(super) fn products<T: Real>(isa: Isa, count: usize, a: Strided<'_, T>, a_step: usize, x: &[T], y: &mut [T]) {
    if a.row == 1 {
        dispatch(isa, Columns { count, a: a.data, a_step, a_column: a.column, x, y });
    } else {
        let size = [y.len() / count, 1, x.len() / count];
        dispatch(isa, Narrow { count, size, a, b: x, steps: [a_step, size[2]], c: y, c_row: 1 });
    }
}

/// y_i = A_i x_i, the columns of A along memory.
struct Columns<'a, T> {
    count: usize,
    a: &'a [T],
    a_step: usize,
    a_column: usize,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Columns<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(mut self, simd: S) {
        let (rows, k) = (self.y.len() / self.count, self.x.len() / self.count);
        let few_blocks = k <= 2 * depth(k);
        for first in (0..rows).step_by(STRIP * S::LANES) {
            let vectors = (rows - first).div_ceil(S::LANES);
            let mut i = 0;
            while i < self.count {
                let several = self.count - i >= SEVERAL;
                // Few vectors would wait for each other's sums, so that several problems, or blocks of k, are summed side by side.
                i += match vectors {
                    1 if several => self.strip::<S, 1, 1, SEVERAL>(simd, i, first),
                    2 if several => self.strip::<S, 2, 1, SEVERAL>(simd, i, first),
                    1 if few_blocks => self.strip::<S, 1, 2, 1>(simd, i, first),
                    2 if few_blocks => self.strip::<S, 2, 2, 1>(simd, i, first),
                    1 => self.strip::<S, 1, 4, 1>(simd, i, first),
                    2 => self.strip::<S, 2, 4, 1>(simd, i, first),
                    3 => self.strip::<S, 3, 2, 1>(simd, i, first),
                    4 => self.strip::<S, 4, 2, 1>(simd, i, first),
                    5 => self.strip::<S, 5, 1, 1>(simd, i, first),
                    6 => self.strip::<S, 6, 1, 1>(simd, i, first),
                    7 => self.strip::<S, 7, 1, 1>(simd, i, first),
                    _ => self.strip::<S, STRIP, 1, 1>(simd, i, first),
                };
            }
        }
    }
}

impl<T: Real> Columns<'_, T> {
    /// `U` vectors from `first` on of `Q` vectors y from the `i`-th on, the sums of `P` blocks of k side by side. Returns `Q`.
    #[inline(always)]
    fn strip<S: Simd<T>, const U: usize, const P: usize, const Q: usize>(
        &mut self,
        simd: S,
        i: usize,
        first: usize,
    ) -> usize {
        let (rows, k) = (self.y.len() / self.count, self.x.len() / self.count);
        let (kc, width) = (depth(k), (rows - first).min(U * S::LANES));
        let problems: [ColumnsOf<'_, T>; Q] = array::from_fn(|q| ColumnsOf {
            a: &self.a[(i + q) * self.a_step + first..],
            a_column: self.a_column,
            x: &self.x[(i + q) * k..][..k],
            width,
        });
        // Columns behind which there is as much as whole vectors read.
        let room = self.a.len().saturating_sub((i + Q - 1) * self.a_step + first + U * S::LANES);
        let in_memory = if room > 0 { room / self.a_column.max(1) + 1 } else { 0 };
        let mut totals = [[simd.splat(T::ZERO); U]; Q];
        for group in (0..k).step_by(P * kc) {
            // A block that is not there repeats the first, and is not added.
            let starts: [usize; P] = array::from_fn(|p| if group + p * kc < k { group + p * kc } else { group });
            let common = starts.iter().fold(kc, |common, start| common.min(k - start));
            let whole = (0..P).fold(common, |whole, p| whole.min(in_memory.saturating_sub(starts[p])));
            let mut sums = [[[simd.splat(T::ZERO); U]; P]; Q];
            for l in 0..whole {
                for q in 0..Q {
                    for p in 0..P {
                        problems[q].whole_step::<S, U>(simd, starts[p] + l, &mut sums[q][p]);
                    }
                }
            }
            for l in whole..common {
                for q in 0..Q {
                    for p in 0..P {
                        problems[q].step::<S, U>(simd, starts[p] + l, &mut sums[q][p]);
                    }
                }
            }
            for (q, p) in (0..Q).flat_map(|q| (0..P).map(move |p| (q, p))) {
                for l in starts[p] + common..k.min(starts[p] + kc) {
                    problems[q].step::<S, U>(simd, l, &mut sums[q][p]);
                }
                for u in 0..U {
                    totals[q][u] = match (group, p) {
                        (0, 0) => sums[q][p][u],
                        _ if starts[p] == group + p * kc => simd.add(totals[q][u], sums[q][p][u]),
                        _ => totals[q][u],
                    };
                }
            }
        }
        for q in 0..Q {
            let y = &mut self.y[(i + q) * rows + first..][..width];
            for u in 0..U {
                store_some(simd, totals[q][u], &mut y[u * S::LANES..]);
            }
        }
        Q
    }
}

/// One of the problems of [`Columns`], from the first row of a strip on.
struct ColumnsOf<'a, T> {
    a: &'a [T],
    a_column: usize,
    x: &'a [T],
    /// Rows of the strip.
    width: usize,
}

impl<T: Real> ColumnsOf<'_, T> {
    /// [`Self::step`] of whole vectors, the last of which may reach into what lies behind the column: such sums are not stored.
    #[inline(always)]
    fn whole_step<S: Simd<T>, const U: usize>(&self, simd: S, l: usize, sums: &mut [S::V; U]) {
        let (x, column) = (simd.splat(self.x[l]), &self.a[l * self.a_column..][..U * S::LANES]);
        for u in 0..U {
            sums[u] = simd.mul_add(simd.load(&column[u * S::LANES..]), x, sums[u]);
        }
    }

    /// sums += x\[l\] · A\[.., l\]
    #[inline(always)]
    fn step<S: Simd<T>, const U: usize>(&self, simd: S, l: usize, sums: &mut [S::V; U]) {
        let x = simd.splat(self.x[l]);
        let (whole, last) = self.a[l * self.a_column..][..self.width].split_at((U - 1) * S::LANES);
        for (column, sum) in whole.chunks_exact(S::LANES).zip(sums.iter_mut()) {
            *sum = simd.mul_add(simd.load(column), x, *sum);
        }
        sums[U - 1] = simd.mul_add(load_some(simd, last), x, sums[U - 1]);
    }
}
