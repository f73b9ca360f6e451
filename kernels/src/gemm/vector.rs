//! Products with a vector: every element of the matrix is used once, so that a copy would cost more than the sums.
//!
//! The lanes are rows of y = A x, and every sum runs in the order of k, as in the tiles. Where the columns of A lie along
//! memory the lanes are loaded as they are; where its rows do, squares of it are transposed in registers.

use core::array;

use super::{
    Strided,
    plan::{blocks, depth},
};
use crate::{
    Isa, Real,
    reduce::{load_some, store_some},
    simd::{Kernel, Simd, dispatch, square_side},
};

/// Squares beside each other: with two multiply-adds a cycle, each 4 cycles long, eight sums keep the processor
/// busy; four do while it is transposing the next squares.
const SQUARES: usize = 4;
/// Elements of the largest square, 8 × 8 of `f32`.
const SQUARE: usize = 64;
/// Vectors of y that are computed together.
const STRIP: usize = 8;

/// The matrix and the vector of the product C = A B, if there is a vector and both lie as the kernels need it.
pub(super) fn operands<'a, T>(
    [m, n, k]: [usize; 3],
    a: Strided<'a, T>,
    b: Strided<'a, T>,
    c_row: usize,
) -> Option<(Strided<'a, T>, &'a [T])> {
    let (matrix, vector) = match (m, n) {
        (_, 1) if c_row == 1 && b.row == 1 => (a, b),
        (1, _) if a.column == 1 => (b.transposed(), a),
        _ => return None,
    };
    (matrix.column == 1 || matrix.row == 1).then(|| (matrix, &vector.data[..k]))
}

/// y = A x.
pub(super) fn product<T: Real>(isa: Isa, a: Strided<'_, T>, x: &[T], y: &mut [T]) {
    if a.row == 1 {
        dispatch(isa, Columns { a: a.data, a_column: a.column, x, y });
    } else {
        // Vectors as long as the side of a square.
        dispatch(isa.narrow(), Rows { a: a.data, a_row: a.row, x, y });
    }
}

/// Ones for [`sum_short_rows`].
const LONGEST_SHORT_ROW: usize = 16;

/// The sum of every row of `length` elements, at least 1 and at most 16: a product with ones, in the order of the row.
pub(crate) fn sum_short_rows<T: Real>(isa: Isa, length: usize, a: &[T], sums: &mut [T]) {
    dispatch(isa.narrow(), Rows { a, a_row: length, x: &[T::ONE; LONGEST_SHORT_ROW][..length], y: sums });
}

/// y = A x, the rows of A along memory.
struct Rows<'a, T> {
    a: &'a [T],
    a_row: usize,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Rows<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let side = square_side::<T>();
        debug_assert_eq!(side, S::LANES);
        let rows = self.y.len();
        for first in (0..rows).step_by(SQUARES * side) {
            // What is left behind whole squares is computed in one that overlaps the one before it.
            let from: [usize; SQUARES] = array::from_fn(|s| (first + s * side).min(rows.saturating_sub(side)));
            let mut totals = [simd.splat(T::ZERO); SQUARES];
            for (start, len) in blocks(self.x.len(), depth(self.x.len())) {
                let sums = self.block(simd, from, start, len);
                for s in 0..SQUARES {
                    totals[s] = if start == 0 { sums[s] } else { simd.add(totals[s], sums[s]) };
                }
            }
            for s in 0..SQUARES {
                store_some(simd, totals[s], &mut self.y[from[s]..]);
            }
        }
    }
}

impl<T: Real> Rows<'_, T> {
    /// Σ over `start..start + len` for the rows of each square.
    #[inline(always)]
    fn block<S: Simd<T>>(&self, simd: S, from: [usize; SQUARES], start: usize, len: usize) -> [S::V; SQUARES] {
        let side = square_side::<T>();
        let mut sums = [simd.splat(T::ZERO); SQUARES];
        let mut squares = [[T::ZERO; SQUARE]; SQUARES];
        let mut done = start;
        while done < start + len {
            // The last columns in a square that overlaps the one before it, if there are enough for one.
            let at = done.min(start + len.saturating_sub(side));
            for s in 0..SQUARES {
                self.transposed(simd, from[s], at, &mut squares[s]);
            }
            let end = (at + side).min(start + len);
            for l in done..end {
                let x = simd.splat(self.x[l]);
                let column = (l - at) * side;
                for s in 0..SQUARES {
                    sums[s] = simd.mul_add(simd.load(&squares[s][column..]), x, sums[s]);
                }
            }
            done = end;
        }
        sums
    }

    /// The square of A at this row and column, or what there is of it, column after column.
    #[inline(always)]
    fn transposed<S: Simd<T>>(&self, simd: S, row: usize, column: usize, square: &mut [T; SQUARE]) {
        let side = square_side::<T>();
        let (rows, columns) = (self.y.len() - row, self.x.len() - column);
        let a = &self.a[row * self.a_row + column..];
        // A square may hold what is behind short rows; it is not used.
        if rows >= side && a.len() >= (side - 1) * self.a_row + side {
            return simd.transpose_square(a, self.a_row, square, side);
        }
        for i in 0..rows.min(side) {
            for l in 0..columns.min(side) {
                square[l * side + i] = a[i * self.a_row + l];
            }
        }
    }
}

/// y = A x, the columns of A along memory.
struct Columns<'a, T> {
    a: &'a [T],
    a_column: usize,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Real> Kernel<T> for Columns<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(mut self, simd: S) {
        for first in (0..self.y.len()).step_by(STRIP * S::LANES) {
            let few_blocks = self.x.len() <= 2 * depth(self.x.len());
            // Few vectors would wait for each other's sums, so that several blocks of k are summed at a time.
            match (self.y.len() - first).div_ceil(S::LANES) {
                1 if few_blocks => self.strip::<S, 1, 2>(simd, first),
                2 if few_blocks => self.strip::<S, 2, 2>(simd, first),
                1 => self.strip::<S, 1, 4>(simd, first),
                2 => self.strip::<S, 2, 4>(simd, first),
                3 => self.strip::<S, 3, 2>(simd, first),
                4 => self.strip::<S, 4, 2>(simd, first),
                5 => self.strip::<S, 5, 1>(simd, first),
                6 => self.strip::<S, 6, 1>(simd, first),
                7 => self.strip::<S, 7, 1>(simd, first),
                _ => self.strip::<S, STRIP, 1>(simd, first),
            }
        }
    }
}

impl<T: Real> Columns<'_, T> {
    /// `U` vectors of y from `first` on, the sums of `P` blocks of k side by side.
    #[inline(always)]
    fn strip<S: Simd<T>, const U: usize, const P: usize>(&mut self, simd: S, first: usize) {
        let width = (self.y.len() - first).min(U * S::LANES);
        let (k, kc) = (self.x.len(), depth(self.x.len()));
        let mut totals = [simd.splat(T::ZERO); U];
        for group in (0..k).step_by(P * kc) {
            // A block that is not there repeats the first, and is not added.
            let starts: [usize; P] = array::from_fn(|p| if group + p * kc < k { group + p * kc } else { group });
            let common = starts.iter().fold(kc, |common, start| common.min(k - start));
            let mut sums = [[simd.splat(T::ZERO); U]; P];
            for l in 0..common {
                for p in 0..P {
                    self.step::<S, U>(simd, starts[p] + l, first, width, &mut sums[p]);
                }
            }
            for p in 0..P {
                for l in starts[p] + common..k.min(starts[p] + kc) {
                    self.step::<S, U>(simd, l, first, width, &mut sums[p]);
                }
                for u in 0..U {
                    totals[u] = match (group, p) {
                        (0, 0) => sums[p][u],
                        _ if starts[p] == group + p * kc => simd.add(totals[u], sums[p][u]),
                        _ => totals[u],
                    };
                }
            }
        }
        for u in 0..U {
            store_some(simd, totals[u], &mut self.y[first + u * S::LANES..]);
        }
    }

    /// sums += x\[l\] · A\[first.., l\]
    #[inline(always)]
    fn step<S: Simd<T>, const U: usize>(&self, simd: S, l: usize, first: usize, width: usize, sums: &mut [S::V; U]) {
        let x = simd.splat(self.x[l]);
        let (whole, last) = self.a[l * self.a_column + first..][..width].split_at((U - 1) * S::LANES);
        for (column, sum) in whole.chunks_exact(S::LANES).zip(sums.iter_mut()) {
            *sum = simd.mul_add(simd.load(column), x, *sum);
        }
        sums[U - 1] = simd.mul_add(load_some(simd, last), x, sums[U - 1]);
    }
}
