//! One register tile for every product of the crate.
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
//! 14 rows that lie equally far apart are addressed by multiples of their distance; the offsets of others are looked up in a
//! table at every step, one load for two long multiply-adds; those of 6 rows
//! stay in registers, and four steps go together, since a short multiply-add has less time for what is around it.
//! A matrix no wider than one vector has a tile of one vector and more rows. There is a tile for every number
//! of rows, and m rows are dealt evenly: 64 as 13 + 13 + 13 + 13 + 12.
//!
//! Every element of C is one sum in the order of k, each step fused where the instruction set fuses:
//! neither the position in a tile nor the size of the matrix changes a bit.

use core::marker::PhantomData;

use super::{
    Kernel, ROWS_OF_LINE, Simd,
    grid::{Grid, Steps, Walk},
};
use crate::{Real, Store};

/// Vectors in the width of a full tile.
const V: usize = 2;
/// Rows of the tallest tile.
const MAX_ROWS: usize = ROWS_OF_LINE;

/// Bytes of C from which its cache lines are asked for before they are written: it does not stay in L2 (1 MiB).
const FAR: usize = 512 << 10;
/// Steps of k before which they are asked for: as many tiles ahead as have so many, if a tile has fewer.
const AHEAD: usize = 64;

/// Rows of a full tile as wide as `vectors`.
const fn rows_of(registers: usize, vectors: usize) -> usize {
    match (registers, vectors) {
        (32.., _) => 14,
        (16.., 1) => 12,
        (16.., _) => 6,
        (_, 1) => 4,
        _ => 2,
    }
}

/// Whether a tile of N vectors holds the offsets of its rows in registers, of which there are enough for 6, not for 14.
const fn holds_rows<S: Simd<T>, T: Real, const N: usize>() -> bool {
    S::REGISTERS < 32 && N > 1
}

/// The full tile of an instruction set, in elements.
pub(crate) struct Tile {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Bytes of L2 that most processors with these instructions have at least.
    pub(crate) l2: usize,
    /// Bytes of B that stay there beside what is read of A and written of C: measured.
    pub(crate) block: usize,
}

/// Asks for the full [`Tile`].
pub(crate) struct TileShape<T>(pub(crate) PhantomData<T>);

impl<T: Real> Kernel<T> for TileShape<T> {
    type Out = Tile;
    #[inline(always)]
    fn run<S: Simd<T>>(self, _: S) -> Tile {
        let [l2, block] = if S::REGISTERS >= 32 { [1 << 20, 512 << 10] } else { [512 << 10, 384 << 10] };
        Tile { rows: rows_of(S::REGISTERS, V), columns: V * S::LANES, l2, block }
    }
}

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

/// The offsets of the rows of one tile in A and in C.
#[derive(Clone, Copy)]
struct Rows {
    a: [usize; MAX_ROWS],
    c: [usize; MAX_ROWS],
    /// Those in A are equally far apart.
    in_line: bool,
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

    /// The tile of `count` rows and N vectors, the last one `PARTIAL` or not.
    ///
    /// # Safety
    /// As for [`Self::tile`].
    #[inline(always)]
    unsafe fn tile_of<S: Simd<T>, const N: usize, const PARTIAL: bool>(
        &self,
        simd: S,
        steps: &Steps,
        rows: &Rows,
        count: usize,
        b: *const T,
        c: *mut T,
        width: usize,
        soon: Option<*const T>,
    ) {
        macro_rules! tiles {
            ($($r:literal)*) => {
                match count {
                    // SAFETY: passed on.
                    $($r if $r <= rows_of(S::REGISTERS, N) => unsafe {
                        if rows.in_line && S::REGISTERS >= 32 && N > 1 {
                            self.tile::<S, $r, N, PARTIAL, true>(simd, steps, rows, b, c, width, soon)
                        } else {
                            self.tile::<S, $r, N, PARTIAL, false>(simd, steps, rows, b, c, width, soon)
                        }
                    })*
                    _ => unreachable!("a tile of {count} rows"),
                }
            };
        }
        tiles!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    /// # Safety
    /// At `b` begins a column of B and at `c` an element of the first row of C, from which
    /// `width` columns (N vectors, the last one `PARTIAL` or not) are inside; R offsets in `rows` are of rows, which lie
    /// equally far apart in A if `IN_LINE`.
    #[inline(always)]
    unsafe fn tile<S: Simd<T>, const R: usize, const N: usize, const PARTIAL: bool, const IN_LINE: bool>(
        &self,
        simd: S,
        steps: &Steps,
        rows: &Rows,
        mut b: *const T,
        c: *mut T,
        width: usize,
        mut soon: Option<*const T>,
    ) {
        let before_last = (N - 1) * S::LANES;
        let mut sums = [[simd.splat(T::ZERO); N]; R];
        let Steps { inner, middle, mut lines, a: step_a, b: step_b } = *steps;
        let mut held = [0; R];
        held.copy_from_slice(&rows.a[..R]);
        // Of a single row the distance to the next may be anything.
        let (stride, mut odd_multiples) = (self.a.rows.stride[2].wrapping_mul(size_of::<T>()), [0; ROWS_OF_LINE / 2]);
        for i in 0..ROWS_OF_LINE / 2 {
            odd_multiples[i] = stride.wrapping_mul(2 * i + 1);
        }
        let (mut lines_here, mut line) = (middle, self.a.a.as_ptr().wrapping_add(if IN_LINE { rows.a[0] } else { 0 }));
        macro_rules! rows {
            (|$r:ident| $body:block) => { rows!(@ $r $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13) };
            (@ $r:ident $body:block $($i:literal)*) => {
                {$(if $i < R {
                    const $r: usize = $i;
                    $body
                })*}
            };
        }
        macro_rules! multiply {
            ($row:ident, $column:ident, $v:ident) => {
                if IN_LINE {
                    simd.mul_add_row_of_line::<$row, N>(&odd_multiples, $column, &$v, &mut sums[$row])
                } else {
                    simd.mul_add_row::<$row, N>(rows.a.as_ptr(), $column, &$v, &mut sums[$row])
                }
            };
        }
        let load = |at: *const T| {
            let mut v = [simd.splat(T::ZERO); N];
            for n in 0..N {
                let (at, partial) = (at.wrapping_add(n * S::LANES), PARTIAL && n == N - 1);
                // SAFETY: called where `width` elements are inside.
                v[n] =
                    unsafe { if partial { simd.load_partial_ptr(at, width - before_last) } else { simd.load_ptr(at) } };
            }
            v
        };
        // Every step but the last one of the last line. Loops that test at their end keep the sums in registers.
        let column = loop {
            let (mut column, mut left) = (line, inner - usize::from(lines == 1));
            macro_rules! step {
                () => {
                    let v = load(b);
                    // SAFETY: row `r` plus this column is inside A; B has one row for every column, of
                    // which `width` elements from here are inside.
                    unsafe {
                        rows!(|ROW| {
                            if holds_rows::<S, T, N>() {
                                simd.mul_add_element(held[ROW], column, &v, &mut sums[ROW]);
                            } else {
                                multiply!(ROW, column, v);
                            }
                        });
                    }
                    column = column.wrapping_add(step_a[2]);
                    b = b.wrapping_add(step_b[2]);
                };
            }
            if let Some(soon) = soon.take() {
                let ask = |row| {
                    simd.prefetch(soon.wrapping_add(row));
                    simd.prefetch(soon.wrapping_add(row + S::LANES));
                };
                // The rows of a tall tile one by one, beside its first steps: all at once take every miss buffer from B.
                if left > R && !holds_rows::<S, T, N>() {
                    for &row in &rows.c[..R] {
                        ask(row);
                        step!();
                    }
                    left -= R;
                } else {
                    rows.c[..R].iter().for_each(|&row| ask(row));
                }
            }
            while N == 1 && left >= 2 {
                let (next, v) = (column.wrapping_add(step_a[2]), [load(b)[0], load(b.wrapping_add(step_b[2]))[0]]);
                // SAFETY: as below, for two steps.
                unsafe {
                    rows!(|ROW| {
                        simd.mul_add_row_twice::<ROW>(rows.a.as_ptr(), [column, next], v, &mut sums[ROW][0])
                    });
                }
                column = next.wrapping_add(step_a[2]);
                b = b.wrapping_add(step_b[2].wrapping_mul(2));
                left -= 2;
            }
            // There is at least one step, if none went in pairs.
            if N != 1 || left > 0 {
                loop {
                    step!();
                    if holds_rows::<S, T, N>() && left > 3 {
                        step!();
                        step!();
                        step!();
                        left -= 3;
                    }
                    left -= 1;
                    if left == 0 {
                        break;
                    }
                }
            }
            lines -= 1;
            if lines == 0 {
                break column;
            }
            line = line.wrapping_add(step_a[1]);
            b = b.wrapping_add(step_b[1]);
            lines_here -= 1;
            if lines_here == 0 {
                lines_here = middle;
                line = line.wrapping_add(step_a[0]);
                b = b.wrapping_add(step_b[0]);
            }
        };
        // The last step stores each row as soon as it is done: stores in one heap would hold up the next tile.
        let v = load(b);
        // SAFETY: as above; row r is inside C, and so are its `width` elements.
        unsafe {
            let put = |sums: [S::V; N], out: *mut T| {
                for n in 0..N {
                    let (at, partial) = (out.wrapping_add(n * S::LANES), PARTIAL && n == N - 1);
                    if partial {
                        simd.store_partial_ptr(sums[n], at, width - before_last)
                    } else {
                        simd.store_tile_ptr(sums[n], at)
                    }
                }
            };
            if self.store == Store::Set {
                rows!(|ROW| {
                    multiply!(ROW, column, v);
                    put(sums[ROW], c.wrapping_add(rows.c[ROW]));
                });
            } else {
                rows!(|ROW| {
                    let out = c.wrapping_add(rows.c[ROW]);
                    let old = load(out);
                    multiply!(ROW, column, v);
                    put(core::array::from_fn(|n| simd.add(old[n], sums[ROW][n])), out);
                });
            }
        };
    }
}
