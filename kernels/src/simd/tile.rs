//! The register tile of every [`Product`].
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

use super::{Kernel, ROWS_OF_LINE, Simd, grid::Steps, product::Product};
use crate::{Real, Store};

/// Vectors in the width of a full tile.
pub(super) const V: usize = 2;
/// Rows of the tallest tile.
pub(super) const MAX_ROWS: usize = ROWS_OF_LINE;

/// Rows of a full tile as wide as `vectors`.
pub(super) const fn rows_of(registers: usize, vectors: usize) -> usize {
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
    /// Bytes of B that stay there beside what is read of A and written of C, where A stays in its place and where it is copied,
    /// which every block of B begins anew: measured.
    pub(crate) block: [usize; 2],
    /// Rows of C for a copy of B, which is read again for every tile of them: measured.
    pub(crate) repays_b: usize,
}

/// Asks for the full [`Tile`].
pub(crate) struct TileShape<T>(pub(crate) PhantomData<T>);

impl<T: Real> Kernel<T> for TileShape<T> {
    type Out = Tile;
    #[inline(always)]
    fn run<S: Simd<T>>(self, _: S) -> Tile {
        let [l2, beside, beside_copy, repays_b] =
            if S::REGISTERS >= 32 { [1024, 512, 512, 28] } else { [512, 128, 384, 42] };
        let (rows, block) = (rows_of(S::REGISTERS, V), [beside << 10, beside_copy << 10]);
        Tile { rows, columns: V * S::LANES, l2: l2 << 10, block, repays_b }
    }
}

/// The offsets of the rows of one tile in A and in C.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub(super) a: [usize; MAX_ROWS],
    pub(super) c: [usize; MAX_ROWS],
    /// Those in A are equally far apart.
    pub(super) in_line: bool,
}

impl<T: Real> Product<'_, T> {
    /// The tile of `count` rows and N vectors, the last one `PARTIAL` or not.
    ///
    /// # Safety
    /// As for [`Self::tile`].
    #[inline(always)]
    pub(super) unsafe fn tile_of<S: Simd<T>, const N: usize, const PARTIAL: bool>(
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
