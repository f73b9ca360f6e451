//! What of a product is copied, and in which blocks it is computed.

use core::{iter, marker::PhantomData};

use super::{Strided, pack};
use crate::{
    Isa, Real, Store,
    simd::{
        dispatch,
        grid::Grid,
        product::{Product, Strips, SumIndexed},
        tile::{Tile, TileShape},
    },
};

/// Depth of a block, about: see [`depth`]. The rows of A in a tile, 14 · KC · 4 B = 14 KiB (f64: 28 KiB), stay in L1
/// while the strips of B pass.
const KC: usize = 256;
/// Rows of A that are copied at a time, whole tiles of 14 and of 6: 84 · KC · 4 B = 84 KiB, in L2 beside B.
const MC: usize = 84;

/// Columns of C from which on a copy of A costs less than the tiles gain by it: an element that is copied costs as much as 6 to
/// 12 vector operations, and is used in as many as these.
const REPAYS_A: usize = 128;

const L1_LINE: usize = 64;
/// Bytes in one way of L1, with its 64 lines: addresses so far apart meet in one set.
const L1_WAY: usize = 4096;
/// Ways of L1 for the rows of A in a tile. The last one is for B.
const L1_WAYS_FOR_A: usize = 7;

/// How a product is computed: what is copied, and in which blocks.
pub(super) struct Plan {
    /// Cᵀ = Bᵀ Aᵀ is computed, so that A is copied in place of B.
    pub(super) turned: bool,
    size: [usize; 3],
    pack_a: bool,
    pack_b: bool,
    /// Columns of a block.
    nc: usize,
    tile: Tile,
    /// There are vectors of half the length.
    has_narrow: bool,
}

impl Plan {
    pub(super) fn new<T: Real>(isa: Isa, [m, n, k]: [usize; 3], a: Strided<'_, T>, b: Strided<'_, T>) -> Self {
        let tile = dispatch(isa, TileShape(PhantomData::<T>));
        let has_narrow = isa.narrow() != isa;
        let cost = |m, n, b| cost(&tile, has_narrow, m, n, b);
        // Full vectors and no copy cannot be bettered.
        let straight = b.column == 1 && n.is_multiple_of(tile.columns / 2);
        let turned = !straight && cost(n, m, a.transposed()) + TRANSPOSED_RESULT / (k as f64) < 0.98 * cost(m, n, b);
        let ([m, n], a, b) = if turned { ([n, m], b.transposed(), a.transposed()) } else { ([m, n], a, b) };
        let (kc, bytes) = (depth(k), size_of::<T>());
        let pack_a = n >= REPAYS_A && (m * k * bytes > tile.l2 || unfit_for_l1(&tile, kc, a));
        // A block of B stays in L2 while all rows of A pass.
        let nc = (tile.block[usize::from(pack_a)] / bytes / kc).min(n).next_multiple_of(tile.columns);
        Self {
            turned,
            size: [m, n, k],
            pack_a,
            pack_b: b.column != 1 || (n > 2 * tile.columns && m >= tile.repays_b && restless(&tile, m, kc, b)),
            nc,
            tile,
            has_narrow,
        }
    }

    /// Elements of the panels of A and B and of Cᵀ.
    pub(super) fn scratch(&self) -> [usize; 3] {
        let [m, n, k] = self.size;
        let kc = depth(k);
        let rows = MC.min(m).next_multiple_of(self.tile.rows);
        [
            if self.pack_a { rows * (kc + A_GAP) } else { 0 },
            if self.pack_b { self.nc * kc } else { 0 },
            if self.turned { m * n } else { 0 },
        ]
    }

    pub(super) fn product<T: Real>(
        &self,
        isa: Isa,
        a: Strided<'_, T>,
        b: Strided<'_, T>,
        c: &mut [T],
        c_row: usize,
        panel_a: &mut [T],
        panel_b: &mut [T],
    ) {
        let [m, n, k] = self.size;
        for (jc, nc) in blocks(n, self.nc) {
            for (pc, kc) in blocks(k, depth(k)) {
                let store = if pc == 0 { Store::Set } else { Store::Add };
                let panel = self.pack_b.then_some(&mut *panel_b);
                let b = strips(isa, b.from(pc, jc), kc, nc, self.tile.columns, panel);
                for (ic, mc) in blocks(m, if self.pack_a { MC } else { m }) {
                    let panel = self.pack_a.then_some(&mut *panel_a);
                    let a = sum_indexed(isa, a.from(ic, pc), mc, kc, self.tile.rows, panel);
                    let c_rows = Grid::line(mc, c_row);
                    let c = &mut c[ic * c_row + jc..];
                    // What is left behind the last whole vector fits in one of half the length, or not.
                    let rest = nc % self.tile.columns;
                    let rest = if self.has_narrow && rest <= self.tile.columns / 4 { rest } else { 0 };
                    if nc > rest {
                        dispatch(isa, Product { n: nc - rest, a, b, c, c_rows, store });
                    }
                    if rest > 0 {
                        let b = Strips { b: &b.b[(nc - rest) / self.tile.columns * b.strip..], ..b };
                        // The narrow tile has strips of its own width; one of them is not more than a part of a wide one.
                        dispatch(isa.narrow(), Product { n: rest, a, b, c: &mut c[nc - rest..], c_rows, store });
                    }
                }
            }
        }
    }
}

/// Depth of the blocks of a sum over k: equal parts, as near to [`KC`] as can be. A short block would read and write
/// all of C for little.
pub(crate) fn depth(k: usize) -> usize {
    k.div_ceil(((k + KC / 2) / KC).max(1))
}

/// Whether the part of A that a tile needs, read again for every strip of B, has no room in L1 where it is.
fn unfit_for_l1<T>(tile: &Tile, kc: usize, a: Strided<'_, T>) -> bool {
    let bytes = size_of::<T>();
    let (count, run, stride) = match a {
        Strided { column: 1, row, .. } => (tile.rows, kc * bytes, row * bytes),
        Strided { row: 1, column, .. } => (kc, tile.rows * bytes, column * bytes),
        _ => return true,
    };
    // Of as many sets as lie between the beginnings of two runs, at best, a run fills some.
    let power_of_two = (stride | L1_WAY) & (stride | L1_WAY).wrapping_neg();
    let (lines, apart) = (run.div_ceil(L1_LINE), power_of_two.div_ceil(L1_LINE));
    let sets = L1_WAY / L1_LINE / apart * lines.min(apart);
    count * lines > L1_WAYS_FOR_A * sets
}

/// Whether the strips of B are better read from a copy. In place, every step of k is in another place, for which
/// the prefetchers and address translation must be ready again in each of the passes over B. Measured: 22 KiB are better copied
/// (Intel, Emerald Rapids), with 18 it makes no difference.
fn restless<T>(tile: &Tile, m: usize, kc: usize, b: Strided<'_, T>) -> bool {
    kc > 48 && m * b.row / tile.rows * size_of::<T>() > (20 << 10)
}

/// Vector operations of a transposing copy, per element and in units of those that multiply and add a vector: measured.
const TRANSPOSED_COPY: f64 = 6.0;
/// The same for the result.
const TRANSPOSED_RESULT: f64 = 4.0;
/// What a multiply-add of half a vector costs beyond half: there are two loads for each.
const NARROW: f64 = 1.4;

/// Vector operations of C = A B for every multiply-add that it needs: more than one where vectors are not full and where
/// B must be copied because it does not lie along its rows.
fn cost<T>(tile: &Tile, has_narrow: bool, m: usize, n: usize, b: Strided<'_, T>) -> f64 {
    let lanes = tile.columns / 2;
    let (whole, rest) = (n / lanes * lanes, n % lanes);
    let rest = match rest {
        0 => 0.0,
        rest if has_narrow && rest <= lanes / 2 && whole % tile.columns == 0 => NARROW * (lanes / 2) as f64,
        _ => lanes as f64,
    };
    (whole as f64 + rest) / n as f64 + if b.column == 1 { 0.0 } else { TRANSPOSED_COPY / m as f64 }
}

/// Elements between copied rows of A: rows a power of two apart would meet in few sets of L1.
const A_GAP: usize = 16;

/// A block of A where it is, or copied to a panel.
fn sum_indexed<'a, T: Real>(
    isa: Isa,
    a: Strided<'a, T>,
    mc: usize,
    kc: usize,
    height: usize,
    panel: Option<&'a mut [T]>,
) -> SumIndexed<'a, T> {
    let Some(panel) = panel else {
        return SumIndexed { a: a.data, rows: Grid::line(mc, a.row), columns: Grid::line(kc, a.column) };
    };
    if a.row == 1 {
        pack::strips(isa, kc, mc, a.data, a.column, height, panel);
        let rows = Grid { count: [1, mc.div_ceil(height), height], stride: [0, kc * height, 1] };
        return SumIndexed { a: panel, rows, columns: Grid::line(kc, height) };
    }
    let row = kc + A_GAP;
    // Rows as they are, in one strip with a gap behind each.
    if a.column == 1 {
        pack::strips(isa, mc, kc, a.data, a.row, row, panel);
    } else {
        pack::strips_of_any(mc, kc, a.data, [a.row, a.column], row, panel);
    }
    SumIndexed { a: panel, rows: Grid::line(mc, row), columns: Grid::line(kc, 1) }
}

/// A block of B where it is, or copied to a panel as strips of `width` columns.
fn strips<'a, T: Real>(
    isa: Isa,
    b: Strided<'a, T>,
    kc: usize,
    nc: usize,
    width: usize,
    panel: Option<&'a mut [T]>,
) -> Strips<'a, T> {
    let Some(panel) = panel else {
        return Strips { b: b.data, row: [0, 0, b.row], strip: width };
    };
    if b.column == 1 {
        pack::strips(isa, kc, nc, b.data, b.row, width, panel);
    } else if b.row == 1 {
        pack::strips_of_transpose(isa, kc, nc, b.data, b.column, width, panel);
    } else {
        pack::strips_of_any(kc, nc, b.data, [b.row, b.column], width, panel);
    }
    Strips { b: panel, row: [0, 0, width], strip: kc * width }
}

/// (start, length) of the pieces of `0..n` with `step` elements each, the last one shorter.
pub(crate) fn blocks(n: usize, step: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut start = 0;
    iter::from_fn(move || {
        let block = (start, step.min(n - start));
        start += block.1;
        (block.1 > 0).then_some(block)
    })
}
