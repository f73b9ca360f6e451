//! The one product of the crate, by register tiles.
//!
//! C\[r, :\] = Σ_k a\[row(r) + column(k)\] · B\[k, :\]
//!
//! A is *sum-indexed*: the address of an element is the sum of an offset of its row and an offset of
//! its column, and both are counters of three digits ([`Grid`]). That is enough for a plain matrix
//! (row = r·k, column = k), for its transpose (the two swapped), for a packed panel, and for the
//! matrix of all windows of an image, which therefore never has to be written down: a pixel
//! is (image, row, column), a tap is (kernel row, kernel column and channel). The rows of B are numbered by
//! the digits of the columns of A, and the rows of C by a counter of their own, so that a product may
//! cover some pixels and some taps only.

use super::{
    Kernel, Simd,
    grid::{Grid, Steps, Walk},
    tile::{MAX_ROWS, Rows, V, rows_of},
};
use crate::{Real, Store};

/// Bytes of C from which its cache lines are asked for before they are written: it does not stay in L2 (1 MiB).
const FAR: usize = 512 << 10;
/// Steps of k before which they are asked for: as many tiles ahead as have so many, if a tile has fewer.
const AHEAD: usize = 64;

/// A matrix A\[r, k\] = a\[row(r) + column(k)\].
#[derive(Clone, Copy)]
pub(crate) struct SumIndexed<'a, T> {
    pub(crate) a: &'a [T],
    pub(crate) rows: Grid,
    pub(crate) columns: Grid,
}

/// A matrix in strips as wide as a tile: element (l, j) is at
/// (j / width)·strip + (digits of l)·row + j % width, the digits of l being those of the columns of A.
/// A plain matrix of n columns has row = \[·, ·, n\] (one line) and strip = width.
#[derive(Clone, Copy)]
pub(crate) struct Strips<'a, T> {
    pub(crate) b: &'a [T],
    pub(crate) row: [usize; 3],
    pub(crate) strip: usize,
}

/// C\[m, n\] = A B or C += A B, a row of C being at its offset in `c_rows`. A may have more rows than C.
pub(crate) struct Product<'a, T> {
    pub(crate) n: usize,
    pub(crate) a: SumIndexed<'a, T>,
    pub(crate) b: Strips<'a, T>,
    pub(crate) c: &'a mut [T],
    pub(crate) c_rows: Grid,
    pub(crate) store: Store,
}

impl<T: Real> Kernel<T> for Product<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(mut self, simd: S) {
        let m = self.c_rows.len();
        if m == 0 || self.n == 0 {
            return;
        }
        if self.a.columns.len() == 0 {
            return self.empty_sums(m);
        }
        self.check(m, V * S::LANES);
        if self.a.columns.len() == 1 {
            return self.single_products(simd, m);
        }
        let steps = Steps::new(self.a.columns, self.b.row);
        let height = rows_of(S::REGISTERS, if self.n <= S::LANES { 1 } else { V });
        // m = count · tiles + longer: so many tiles are one row taller.
        let tiles = m.div_ceil(height);
        let (count, longer) = (m / tiles, m % tiles);
        let count = |tile: usize| count + usize::from(tile < longer);
        let ahead = self.ahead(V * S::LANES);
        let mut lookup = Lookup { a: Walk::new(self.a.rows), c: Walk::new(self.c_rows) };
        // The rows of a tile are looked up before the tile in front of it is computed, so that nothing waits for them.
        let mut rows = [Rows { a: [0; MAX_ROWS], c: [0; MAX_ROWS], in_line: false }; 2];
        lookup.next(count(0), &mut rows[0]);
        for tile in 0..tiles {
            if tile + 1 < tiles {
                lookup.next(count(tile + 1), &mut rows[(tile + 1) % 2]);
            }
            // SAFETY: `check` covers all rows, and columns below n.
            unsafe { self.row_of_tiles(simd, &steps, &rows[tile % 2], count(tile), ahead) }
        }
    }
}

/// Finds the rows of tile after tile.
struct Lookup {
    a: Walk,
    c: Walk,
}

impl Lookup {
    #[inline(always)]
    fn next(&mut self, count: usize, rows: &mut Rows) {
        rows.in_line = self.a.fill(&mut rows.a, count);
        self.c.fill(&mut rows.c, count);
    }
}

impl<T: Real> Product<'_, T> {
    fn empty_sums(&mut self, m: usize) {
        if self.store == Store::Set {
            let mut walk = Walk::new(self.c_rows);
            for _ in 0..m {
                let mut row = [0];
                walk.fill(&mut row, 1);
                self.c[row[0]..][..self.n].fill(T::ZERO);
            }
        }
    }

    /// Sums of one product each, row after row.
    #[inline(always)]
    fn single_products<S: Simd<T>>(&mut self, simd: S, m: usize) {
        let (mut walk_a, mut walk_c) = (Walk::new(self.a.rows), Walk::new(self.c_rows));
        let width = V * S::LANES;
        for _ in 0..m {
            let mut row = [[0], [0]];
            walk_a.fill(&mut row[0], 1);
            walk_c.fill(&mut row[1], 1);
            let x = simd.splat(self.a.a[row[0][0]]);
            let c = &mut self.c[row[1][0]..][..self.n];
            for (at, c) in c.chunks_mut(S::LANES).enumerate().map(|(at, c)| (at * S::LANES, c)) {
                let b = &self.b.b[at / width * self.b.strip + at % width..][..c.len()];
                let sum = simd.mul_add(x, simd.load_partial(b), simd.splat(T::ZERO));
                let sum = if self.store == Store::Add { simd.add(simd.load_partial(c), sum) } else { sum };
                simd.store_partial(sum, c);
            }
        }
    }

    /// Everything that the tiles read and write lies inside the slices. The offset of an element is
    /// increasing in each of its indices, so the last element of each matrix decides.
    #[inline(always)]
    fn check(&self, m: usize, width: usize) {
        assert!(m <= self.a.rows.len() && self.b.strip >= width, "sizes of a product");
        let columns = self.a.columns;
        let a = self.a.rows.reach(m).saturating_add(columns.reach(columns.len()));
        let (strips, last) = ((self.n - 1) / width, (self.n - 1) % width);
        let b = Grid { count: columns.count, stride: self.b.row }.reach(columns.len());
        let b = b.saturating_add(strips.saturating_mul(self.b.strip)).saturating_add(last);
        let c = self.c_rows.reach(m).saturating_add(self.n - 1);
        assert!(a < self.a.a.len(), "A of a product ends at {a}, its slice at {}", self.a.a.len());
        assert!(b < self.b.b.len(), "B of a product ends at {b}, its slice at {}", self.b.b.len());
        assert!(c < self.c.len(), "C of a product ends at {c}, its slice at {}", self.c.len());
    }

    /// How far ahead of a tile C is asked for, in tiles down and in columns, if it does not stay in L2.
    #[inline(always)]
    fn ahead(&self, width: usize) -> Option<[usize; 2]> {
        let (strips, tiles) = (self.n.div_ceil(width), AHEAD / self.a.columns.len());
        (size_of_val(self.c) > FAR).then_some([tiles / strips, tiles % strips * width])
    }

    /// All columns of `count` rows, strip after strip: the rows of A stay in L1 while B passes.
    ///
    /// # Safety
    /// [`Self::check`] passed, and the rows are inside.
    #[inline(always)]
    unsafe fn row_of_tiles<S: Simd<T>>(
        &mut self,
        simd: S,
        steps: &Steps,
        rows: &Rows,
        count: usize,
        ahead: Option<[usize; 2]>,
    ) {
        let (mut b, mut c, mut left) = (self.b.b.as_ptr(), self.c.as_mut_ptr(), self.n);
        // What of C is asked for while the tile at `c` is computed.
        let soon = |c: *mut T| {
            ahead.map(|[heights, columns]| {
                c.wrapping_add(heights * count * self.c_rows.stride[2] + columns).cast_const()
            })
        };
        // SAFETY: columns n − left.. of B and C begin at `b` and `c`; the last step may leave both slices, unread.
        unsafe {
            while left >= V * S::LANES {
                self.tile_of::<S, V, false>(simd, steps, rows, count, b, c, V * S::LANES, soon(c));
                (b, c, left) = (b.wrapping_add(self.b.strip), c.wrapping_add(V * S::LANES), left - V * S::LANES);
            }
            if left > S::LANES {
                self.tile_of::<S, V, true>(simd, steps, rows, count, b, c, left, None);
            } else if left == S::LANES {
                self.tile_of::<S, 1, false>(simd, steps, rows, count, b, c, left, None);
            } else if left > 0 {
                self.tile_of::<S, 1, true>(simd, steps, rows, count, b, c, left, None);
            }
        }
    }
}
