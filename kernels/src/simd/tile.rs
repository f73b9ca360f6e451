//! One register tile for every product of the crate.
//!
//! C\[r, :\] = Σ_k a\[row(r) + column(k)\] · B\[k, :\]
//!
//! A is *sum-indexed*: the address of an element is the sum of an offset of its row and an offset of
//! its column, and both are counters of three digits ([`Grid`]). That is enough for a plain matrix
//! (row = r·k, column = k), for its transpose (the two swapped), for a packed panel, and for the
//! matrix of all windows of a padded image, which therefore never has to be written down: a pixel
//! is (image, row, column), a tap is (kernel row, kernel column and channel).
//!
//! The tile holds R rows of C times V vectors in registers. One step of k loads V vectors of B and, for
//! each row, broadcasts one element of A into V fused multiply-adds:
//!
//! ```text
//!                 V vectors of B[k, :]        registers  loads per step   multiply-adds per step
//!                ┌────────┬────────┐
//!  a[row 0 + k]─▶│ acc 0,0│ acc 0,1│   32 ──▶ 14 × 2 + 2 + 1 = 31     14 + 2        28
//!  a[row 1 + k]─▶│ acc 1,0│ acc 1,1│   16 ──▶  6 × 2 + 2 + 1 = 15      6 + 2        12
//!       ⋮        │   ⋮    │   ⋮    │    8 ──▶  2 × 2 + 2 + 1 =  7      2 + 2         4
//! ```
//!
//! The multiply-adders must never wait: their latency of 4 steps times 2 units needs 8 independent sums
//! (28, 12 are more), and their rate needs more multiply-adds than loads (two of each per cycle).
//! Fourteen is also the number by which rows of 14 and 28 pixels divide.
//!
//! Every element of C is one sum in the order of k, each step fused where the instruction set fuses:
//! neither the position in a tile nor the size of the matrix changes a bit.

use core::marker::PhantomData;

use super::{
    Kernel, Simd,
    grid::{Grid, Walk},
};
use crate::{Real, Store};

/// Vectors in the width of a full tile.
const V: usize = 2;
/// Rows of the tallest tile.
const MAX_ROWS: usize = 14;

const fn rows_of(registers: usize) -> usize {
    match registers {
        32.. => 14,
        16.. => 6,
        _ => 2,
    }
}

/// The full tile of an instruction set, in elements.
pub(crate) struct Tile {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// Asks for the full [`Tile`].
pub(crate) struct TileShape<T>(pub(crate) PhantomData<T>);

impl<T: Real> Kernel<T> for TileShape<T> {
    type Out = Tile;
    #[inline(always)]
    fn run<S: Simd<T>>(self, _: S) -> Tile {
        Tile { rows: rows_of(S::REGISTERS), columns: V * S::LANES }
    }
}

/// A matrix A\[r, k\] = a\[row(r) + column(k)\].
#[derive(Clone, Copy)]
pub(crate) struct SumIndexed<'a, T> {
    pub(crate) a: &'a [T],
    pub(crate) rows: Grid,
    pub(crate) columns: Grid,
}

/// A matrix in strips as wide as a tile: element (l, j) is at (j / width)·strip + l·row + j % width.
/// A plain matrix of n columns has row = n and strip = width.
#[derive(Clone, Copy)]
pub(crate) struct Strips<'a, T> {
    pub(crate) b: &'a [T],
    pub(crate) row: usize,
    pub(crate) strip: usize,
}

/// C\[m, n\] = A B or C += A B, the rows of C being `c_row` elements apart. A may have more rows than m.
pub(crate) struct Product<'a, T> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) a: SumIndexed<'a, T>,
    pub(crate) b: Strips<'a, T>,
    pub(crate) c: &'a mut [T],
    pub(crate) c_row: usize,
    pub(crate) store: Store,
}

impl<T: Real> Kernel<T> for Product<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        if self.m == 0 || self.n == 0 {
            return;
        }
        if self.a.columns.len() == 0 {
            if self.store == Store::Set {
                self.c.chunks_mut(self.c_row).take(self.m).for_each(|row| row[..self.n].fill(T::ZERO));
            }
            return;
        }
        self.check(V * S::LANES);
        let c = self.c.as_mut_ptr();
        for j in (0..self.n).step_by(V * S::LANES) {
            let width = (self.n - j).min(V * S::LANES);
            let full = width / S::LANES;
            // SAFETY: `check` covers all rows, and columns below n.
            unsafe {
                if full == V {
                    self.strip::<S, V, false>(simd, c, j, V * S::LANES);
                    continue;
                }
                if full == 1 {
                    self.strip::<S, 1, false>(simd, c, j, S::LANES);
                }
                if width > full * S::LANES {
                    self.strip::<S, 1, true>(simd, c, j + full * S::LANES, width - full * S::LANES);
                }
            }
        }
    }
}

impl<T: Real> Product<'_, T> {
    /// Everything that the tiles read and write lies inside the slices. The offset of an element is
    /// increasing in each of its indices, so the last element of each matrix decides.
    fn check(&self, width: usize) {
        let (m, n, k) = (self.m as u128, self.n as u128, self.a.columns.len() as u128);
        assert!(m <= self.a.rows.len() as u128 && self.b.strip >= width && self.c_row >= self.n, "sizes of a product");
        let a = self.a.rows.reach().saturating_add(self.a.columns.reach());
        let strips = (n - 1) / width as u128;
        let b = (strips * self.b.strip as u128).saturating_add((k - 1) * self.b.row as u128);
        let b = b.saturating_add((n - 1) % width as u128);
        let c = ((m - 1) * self.c_row as u128).saturating_add(n - 1);
        assert!(a < self.a.a.len() as u128, "A of a product ends at {a}, its slice at {}", self.a.a.len());
        assert!(b < self.b.b.len() as u128, "B of a product ends at {b}, its slice at {}", self.b.b.len());
        assert!(c < self.c.len() as u128, "C of a product ends at {c}, its slice at {}", self.c.len());
    }

    /// All rows of the columns j..j + width, which are N vectors, the last one `PARTIAL` or not.
    ///
    /// # Safety
    /// [`Self::check`] passed, j + width ≤ n, and `c` is where C begins.
    #[inline(always)]
    unsafe fn strip<S: Simd<T>, const N: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        c: *mut T,
        j: usize,
        width: usize,
    ) {
        let tile_width = V * S::LANES;
        // SAFETY: the offset of element (0, j) of B.
        let b = unsafe { self.b.b.as_ptr().add(j / tile_width * self.b.strip + j % tile_width) };
        let mut walk = Walk::new(self.a.rows);
        let mut i = 0;
        while i < self.m {
            let count = (self.m - i).min(rows_of(S::REGISTERS));
            let mut rows = [0; MAX_ROWS];
            for row in &mut rows[..count] {
                *row = walk.next();
            }
            // Rows that pad a tile repeat its last one; they are computed and not stored.
            let last = rows[count - 1];
            rows[count..].fill(last);
            // SAFETY: the offset of element (i, j) of C.
            let c = unsafe { c.add(i * self.c_row + j) };
            macro_rules! tile {
                ($r:literal) => {
                    // SAFETY: rows i..i + count and columns j..j + width are inside, see `check`.
                    unsafe { self.tile::<S, $r, N, PARTIAL>(simd, &rows, b, c, count, width) }
                };
            }
            match (S::REGISTERS, count) {
                (_, 1) => tile!(1),
                (_, 2) => tile!(2),
                (16.., 3..=4) => tile!(4),
                (16.., 5..=6) => tile!(6),
                (32.., 7..=9) => tile!(9),
                (32.., 10..=11) => tile!(11),
                _ => tile!(14),
            }
            i += count;
        }
    }

    /// # Safety
    /// `rows` are offsets of rows of A; at `b` begins a column of B and at `c` an element of C, from which
    /// `width` columns (N vectors, the last one `PARTIAL` or not) and `count` ≤ R rows are inside.
    #[inline(always)]
    unsafe fn tile<S: Simd<T>, const R: usize, const N: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        rows: &[usize; MAX_ROWS],
        mut b: *const T,
        c: *mut T,
        count: usize,
        width: usize,
    ) {
        let mut a = [self.a.a.as_ptr(); R];
        for r in 0..R {
            // SAFETY: the offset of a row of A.
            a[r] = unsafe { a[r].add(rows[r]) };
        }
        let mut sums = [[simd.splat(T::ZERO); N]; R];
        let ([outer, middle, inner], stride, b_row) = (self.a.columns.count, self.a.columns.stride, self.b.row);
        let next_outer = stride[0].wrapping_sub(middle * stride[1]);
        let (mut lines, mut lines_here, mut line) = (outer * middle, middle, 0_usize);
        // Loops that test at their end keep the sums in registers from line to line.
        loop {
            let (mut column, mut left) = (line, inner);
            loop {
                // SAFETY: row `r` plus this column is inside A; B has one row for every column, of
                // which `width` elements from here are inside.
                unsafe {
                    let mut v = [simd.splat(T::ZERO); N];
                    for n in 0..N {
                        let at = b.wrapping_add(n * S::LANES);
                        v[n] = if PARTIAL { simd.load_partial_ptr(at, width) } else { simd.load_ptr(at) };
                    }
                    for r in 0..R {
                        let x = simd.splat(*a[r].add(column));
                        for n in 0..N {
                            sums[r][n] = simd.mul_add(x, v[n], sums[r][n]);
                        }
                    }
                }
                column += stride[2];
                b = b.wrapping_add(b_row);
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            lines -= 1;
            if lines == 0 {
                break;
            }
            line += stride[1];
            lines_here -= 1;
            if lines_here == 0 {
                lines_here = middle;
                line = line.wrapping_add(next_outer);
            }
        }
        for r in 0..R {
            if r >= count {
                break;
            }
            for n in 0..N {
                // SAFETY: r < count, so row r is inside C, and so are its `width` elements.
                unsafe {
                    let at = c.add(r * self.c_row + n * S::LANES);
                    let mut sum = sums[r][n];
                    if self.store == Store::Add {
                        let old = if PARTIAL { simd.load_partial_ptr(at, width) } else { simd.load_ptr(at) };
                        sum = simd.add(old, sum);
                    }
                    if PARTIAL { simd.store_partial_ptr(sum, at, width) } else { simd.store_ptr(sum, at) }
                }
            }
        }
    }
}
