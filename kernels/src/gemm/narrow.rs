//! Products with few columns, the rows of A along memory and those of B one behind the other.
//!
//! The lanes of a tile are columns of C, and most of them would be empty. Here they are rows: A is transposed in registers, some
//! columns at a time, and an element of B is multiplied by as many rows as a register holds. Every sum runs in the order of
//! k, as in the tiles.

use core::array;

use super::{
    Strided,
    pack::starts,
    plan::{blocks, depth},
};
use crate::{
    Isa, Real,
    isa::Path,
    reduce::{LONGEST_VECTOR, load_some_columns, store_some},
    simd::{COLUMNS, Kernel, Simd},
};

/// C_i = A_i B_i for `count` problems of this size \[m, n, k\], n at most [`WIDEST`]; their matrices A and B lie
/// `steps` elements apart, their matrices C one behind the other.
pub(super) struct Narrow<'a, T> {
    pub(super) count: usize,
    pub(super) size: [usize; 3],
    pub(super) a: Strided<'a, T>,
    pub(super) b: &'a [T],
    pub(super) steps: [usize; 2],
    pub(super) c: &'a mut [T],
    pub(super) c_row: usize,
}

/// The most columns for which lanes are rows.
const WIDEST: usize = 6;
/// The fewest rows, two of the longest vectors.
const FEWEST_ROWS: usize = 32;

/// Whether these are such products, and faster so than by tiles. Portable code transposes number by number.
pub(super) fn fits<T>(isa: Isa, [m, n, _]: [usize; 3], a: Strided<'_, T>, b: Strided<'_, T>) -> bool {
    let along_memory = a.column == 1 && b.column == 1 && b.row == n;
    along_memory && (2..=WIDEST).contains(&n) && m >= FEWEST_ROWS && !matches!(isa.path(), Path::Portable(_))
}

impl<T: Real> Kernel<T> for Narrow<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        match self.size[1] {
            1 => self.columns::<S, 1>(simd),
            2 => self.columns::<S, 2>(simd),
            3 => self.columns::<S, 3>(simd),
            4 => self.columns::<S, 4>(simd),
            5 => self.columns::<S, 5>(simd),
            WIDEST => self.columns::<S, WIDEST>(simd),
            n => unreachable!("{n} columns are not few"),
        }
    }
}

impl<T: Real> Narrow<'_, T> {
    #[inline(always)]
    fn columns<S: Simd<T>, const N: usize>(self, simd: S) {
        let Self { count, size: [rows, _, k], a, b, steps, c, c_row } = self;
        let a_row = a.row;
        for (i, c) in c.chunks_mut(rows * c_row).enumerate().take(count) {
            let a = &a.data[i * steps[0]..];
            let problem = One { rows, k, a, a_row, b: &b[i * steps[1]..] };
            // Multiply-adds of 4 cycles wait for each other, so that several vectors of rows are computed side by side, as
            // far as there are registers for their sums and columns.
            match (S::REGISTERS >= 32, N) {
                (_, 1) if S::LANES <= 8 => problem.run::<S, N, 4>(simd, c, c_row),
                (true, _) | (_, ..=3) => problem.run::<S, N, 2>(simd, c, c_row),
                _ => problem.run::<S, N, 1>(simd, c, c_row),
            }
        }
    }
}

/// One of the problems of [`Narrow`].
#[derive(Clone, Copy)]
struct One<'a, T> {
    rows: usize,
    k: usize,
    a: &'a [T],
    a_row: usize,
    b: &'a [T],
}

impl<T: Real> One<'_, T> {
    /// `G` vectors of rows at a time.
    #[inline(always)]
    fn run<S: Simd<T>, const N: usize, const G: usize>(self, simd: S, c: &mut [T], c_row: usize) {
        for first in (0..self.rows).step_by(G * S::LANES) {
            // The last vector alone, but for single columns, where it costs little.
            if N == 1 || self.rows - first > S::LANES {
                self.vectors::<S, N, G>(simd, first, c, c_row);
            } else {
                self.vectors::<S, N, 1>(simd, first, c, c_row);
            }
        }
    }

    /// `G` vectors of rows from `first` on. What is left behind whole vectors is computed in one that overlaps the one
    /// before it.
    #[inline(always)]
    fn vectors<S: Simd<T>, const N: usize, const G: usize>(self, simd: S, first: usize, c: &mut [T], c_row: usize) {
        let from: [usize; G] = array::from_fn(|g| (first + g * S::LANES).min(self.rows.saturating_sub(S::LANES)));
        let mut totals = [[simd.splat(T::ZERO); N]; G];
        for (start, len) in blocks(self.k, depth(self.k)) {
            let sums = self.block::<S, N, G>(simd, from, start, len);
            for g in 0..G {
                for j in 0..N {
                    totals[g][j] = if start == 0 { sums[g][j] } else { simd.add(totals[g][j], sums[g][j]) };
                }
            }
        }
        for g in 0..G {
            self.store(simd, totals[g], &mut c[from[g] * c_row..], c_row);
        }
    }

    /// Σ over `start..start + len` for the rows from each of these on.
    #[inline(always)]
    fn block<S: Simd<T>, const N: usize, const G: usize>(
        self,
        simd: S,
        from: [usize; G],
        start: usize,
        len: usize,
    ) -> [[S::V; N]; G] {
        let mut sums = [[simd.splat(T::ZERO); N]; G];
        let (end, whole) = (start + len, start + len / COLUMNS * COLUMNS);
        for at in (start..whole).step_by(COLUMNS) {
            let columns = self.columns_of(simd, from, at);
            let b = &self.b[at * N..][..COLUMNS * N];
            for l in 0..COLUMNS {
                multiply(simd, l, columns, &b[l * N..][..N], &mut sums);
            }
        }
        if whole < end {
            // The last columns are loaded with some of those before them, if there are enough.
            let at = end.saturating_sub(COLUMNS).max(start);
            let columns = self.columns_of(simd, from, at);
            for l in 0..COLUMNS {
                if (whole..end).contains(&(at + l)) {
                    multiply(simd, l, columns, &self.b[(at + l) * N..][..N], &mut sums);
                }
            }
        }
        sums
    }

    /// Columns of A from `at` on, in the rows from each of these on.
    #[inline(always)]
    fn columns_of<S: Simd<T>, const G: usize>(self, simd: S, from: [usize; G], at: usize) -> [[S::V; COLUMNS]; G] {
        let mut columns = [[simd.splat(T::ZERO); COLUMNS]; G];
        for g in 0..G {
            let a = &self.a[from[g] * self.a_row + at..];
            columns[g] = load_some_columns(simd, self.rows, self.k - at, a, self.a_row);
        }
        columns
    }

    /// Rows of C, from the first of c on.
    #[inline(always)]
    fn store<S: Simd<T>, const N: usize>(self, simd: S, sums: [S::V; N], c: &mut [T], c_row: usize) {
        if N == 1 && c_row == 1 {
            store_some(simd, sums[0], c);
        } else if N >= COLUMNS && self.rows >= S::LANES {
            // The last columns with some of those before them.
            for first in starts(N, COLUMNS) {
                let mut columns = [sums[0]; COLUMNS];
                columns.copy_from_slice(&sums[first..first + COLUMNS]);
                simd.store_columns(columns, &mut c[first..], c_row);
            }
        } else {
            for j in 0..N {
                let mut column = [T::ZERO; LONGEST_VECTOR];
                simd.store(sums[j], &mut column);
                for i in 0..self.rows.min(S::LANES) {
                    c[i * c_row + j] = column[i];
                }
            }
        }
    }
}

/// sums += column l · a row of B
#[inline(always)]
fn multiply<T: Real, S: Simd<T>, const N: usize, const G: usize>(
    simd: S,
    l: usize,
    columns: [[S::V; COLUMNS]; G],
    b: &[T],
    sums: &mut [[S::V; N]; G],
) {
    for j in 0..N {
        let b = simd.splat(b[j]);
        for g in 0..G {
            sums[g][j] = simd.mul_add(columns[g][l], b, sums[g][j]);
        }
    }
}
