//! Matrix products.

use core::marker::PhantomData;

use crate::{
    Isa, Real, Store, pack,
    scratch::with_scratch,
    simd::{
        dispatch,
        grid::Grid,
        tile::{Product, Strips, SumIndexed, TileShape},
    },
};

/// Which operands of a row-major product are stored transposed. The three are the three slots of the
/// form ⟨C, A B⟩, so derivatives of products need no transposed copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Layout {
    /// C\[m, n\] = A\[m, k\] B\[k, n\]
    NN,
    /// C\[m, n\] = A\[m, k\] B\[n, k\]ᵀ
    NT,
    /// C\[m, n\] = A\[k, m\]ᵀ B\[k, n\]
    TN,
}

/// Depth of a block. A strip of B, KC · 32 · 4 B = 32 KiB (in f64 KC · 16 · 8 B, the same), fills L1 and is
/// read once by every tile of rows, with a tile of A, 14 · KC · 4 B = 14 KiB, streaming past it from L2.
const KC: usize = 256;
/// Rows of a block, whole tiles of 14 and of 6. The block of A, MC · KC · 4 B = 252 KiB (f64: 504 KiB), stays
/// in L2 (1 MiB) while all strips of B pass.
const MC: usize = 252;
/// Columns of a block. The block of B, NC · KC · 4 B = 2 MiB (f64: 4 MiB), stays in L3 while all blocks of A pass.
const NC: usize = 2048;

/// The least (m, n, k) for which both operands are copied. Every tile of A is read by all strips of B and the other
/// way round, so the copies repay themselves with n and m: measured, 192³ loses by them and 512³ gains.
const PACKED_FROM: [usize; 3] = [128, 384, 128];

/// C = op(A) op(B), row-major. Panics if a slice's length is not that of its matrix.
///
/// Every element is the sum over blocks of 256 products, both in the order of k.
#[track_caller]
pub fn gemm<T: Real>(isa: Isa, layout: Layout, m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "gemm {layout:?} {m}x{n}x{k}: lengths of a, b, c");
    if m == 0 || n == 0 || k == 0 {
        return c.fill(T::ZERO);
    }
    let tile = dispatch(isa, TileShape(PhantomData::<T>));
    let big = m >= PACKED_FROM[0] && n >= PACKED_FROM[1] && k >= PACKED_FROM[2];
    let a = Left {
        isa,
        a,
        row: if layout == Layout::TN { 1 } else { k },
        column: if layout == Layout::TN { m } else { 1 },
    };
    let b = Right { isa, b, n, k, transposed: layout == Layout::NT };
    let (pack_a, pack_b) = (big, big || b.transposed);
    let panel_a = if pack_a { MC.min(m).next_multiple_of(tile.rows) * KC.min(k) } else { 0 };
    let panel_b = if pack_b { NC.min(n).next_multiple_of(tile.columns) * KC.min(k) } else { 0 };
    with_scratch([panel_a, panel_b], |panel_a, panel_b| {
        for (jc, nc) in blocks(n, NC) {
            for (pc, kc) in blocks(k, KC) {
                let store = if pc == 0 { Store::Set } else { Store::Add };
                let b = b.block(jc, nc, pc, kc, tile.columns, pack_b.then_some(&mut *panel_b));
                for (ic, mc) in blocks(m, MC) {
                    let a = a.block(ic, mc, pc, kc, tile.rows, pack_a.then_some(&mut *panel_a));
                    dispatch(isa, Product { m: mc, n: nc, a, b, c: &mut c[ic * n + jc..], c_row: n, store });
                }
            }
        }
    });
}

/// op(A): element (i, l) at i·row + l·column.
struct Left<'a, T> {
    isa: Isa,
    a: &'a [T],
    row: usize,
    column: usize,
}

impl<T: Real> Left<'_, T> {
    /// Rows ic.. and columns pc.. where they are, or copied to the panel as tiles of `height` rows, in each
    /// of which the rows run fastest.
    fn block<'a>(
        &'a self,
        ic: usize,
        mc: usize,
        pc: usize,
        kc: usize,
        height: usize,
        panel: Option<&'a mut [T]>,
    ) -> SumIndexed<'a, T> {
        let a = &self.a[ic * self.row + pc * self.column..];
        let Some(panel) = panel else {
            return SumIndexed { a, rows: Grid::line(mc, self.row), columns: Grid::line(kc, self.column) };
        };
        if self.row == 1 {
            pack::strips(kc, mc, a, self.column, height, panel);
        } else {
            pack::strips_of_transpose(self.isa, kc, mc, a, self.row, height, panel);
        }
        let rows = Grid { count: [1, mc.div_ceil(height), height], stride: [0, kc * height, 1] };
        SumIndexed { a: panel, rows, columns: Grid::line(kc, height) }
    }
}

/// op(B), B\[k, n\] or transposed \[n, k\].
struct Right<'a, T> {
    isa: Isa,
    b: &'a [T],
    n: usize,
    k: usize,
    transposed: bool,
}

impl<T: Real> Right<'_, T> {
    /// Columns jc.. and rows pc.. where they are, or copied to the panel as strips of `width` columns.
    fn block<'a>(
        &'a self,
        jc: usize,
        nc: usize,
        pc: usize,
        kc: usize,
        width: usize,
        panel: Option<&'a mut [T]>,
    ) -> Strips<'a, T> {
        let Some(panel) = panel else {
            return Strips { b: &self.b[pc * self.n + jc..], row: self.n, strip: width };
        };
        if self.transposed {
            pack::strips_of_transpose(self.isa, kc, nc, &self.b[jc * self.k + pc..], self.k, width, panel);
        } else {
            pack::strips(kc, nc, &self.b[pc * self.n + jc..], self.n, width, panel);
        }
        Strips { b: panel, row: width, strip: kc * width }
    }
}

/// (start, length) of the pieces of `0..n` with `step` elements each, the last one shorter.
fn blocks(n: usize, step: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(step).map(move |start| (start, step.min(n - start)))
}
