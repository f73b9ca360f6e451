//! Winograd's algorithm: 3 × 3 windows with fewer multiplications.
//!
//! A tile of m × m outputs and its m + 2 inputs in each direction are polynomials, their correlation a product of
//! polynomials, and a product of degree m + 1 is known from its values at m + 2 points. In one dimension
//!
//! y = Aᵀ \[(G w) ⊙ (Bᵀ x)\]
//!
//! Row p of G gives the value of w at point p, divided by Π_{q≠p} (p − q); row p of Bᵀ holds the coefficients of
//! Π_{q≠p} (x − q); column p of Aᵀ is (1, p, …, p^{m−1}). The last point is ∞, where the value is the leading
//! coefficient. In two dimensions each matrix is applied along rows and along columns, and ⊙ becomes a sum over
//! channels: (m + 2)² products of matrices \[tiles, c_in\] \[c_in, c_out\]. They need (m + 2)² multiplications for m²
//! outputs where the direct sum needs 9 m²: 16 instead of 36 for m = 2, 36 instead of 144 for m = 4, 49 instead of 225 for
//! m = 5, which is for sizes that 4 leaves half a tile of. The gradient with
//! respect to the weights is the transpose of the same form: dw = Gᵀ \[(A dy) ⊙ (Bᵀ x)\], summed over tiles.
//!
//! The points are 0, ±1, ∞ for m = 2, 0, ±1/√2, ±√2, ∞ for m = 4 and ±1/3, ±√3/2, ±√3, ∞ for m = 5: such points keep all
//! matrices near 1 in size. The algorithm is exact; its rounding is not that of the direct sum, because the transformed numbers are larger
//! than the outputs which they cancel to.
//!
//! Source: Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks*, arXiv 1509.09308; the matrices are
//! derived as above.

mod scheme;
mod transform;

use core::marker::PhantomData;

use super::Windows;
use crate::{
    Isa, Real, Store,
    scratch::with_scratch,
    simd::{
        dispatch,
        grid::Grid,
        product::{Product, Strips, SumIndexed},
        tile::TileShape,
    },
};
pub(super) use scheme::Scheme;
use transform::{FromPoints, GAP, Side, Tiles, ToPoints, WeightsFromPoints, WeightsToPoints};

/// Bytes of the transformed tiles of one chunk, of x and of y: about half of an L2 of 1 MiB, through which the transformed
/// weights stream (49 · 64 · 64 · 4 B = 784 KiB for tiles of 5). A weight gradient is added to once a chunk, and its chunks are
/// twice as large: half or twice that was slower.
const CHUNK_BYTES: usize = 512 << 10;

/// The tiles of x and of y, chunk after chunk.
struct Chunks {
    tiles: [Tiles; 2],
    all: usize,
    chunk: usize,
    /// Columns of a strip of the register tile.
    strip: usize,
}

impl Chunks {
    fn new<T: Real>(isa: Isa, scheme: Scheme, windows: &Windows, bytes: usize) -> Self {
        let across = windows.out.map(|out| out.div_ceil(scheme.out()));
        let all = windows.images * across[0] * across[1];
        let tile = dispatch(isa, TileShape(PhantomData::<T>));
        let budget = bytes / size_of::<T>() / scheme.points() / (windows.channels[0] + windows.channels[1]);
        // Whole register tiles, in chunks of about the same size.
        let chunk = (budget / tile.rows).max(1) * tile.rows;
        let chunk = all.div_ceil(all.div_ceil(chunk)).next_multiple_of(tile.rows).min(all);
        let tiles =
            |of, image, channels, before| Tiles { scheme, across, first: 0, count: chunk, image, channels, before, of };
        let [c_in, c_out] = windows.channels;
        let tiles =
            [tiles(Side::Input, windows.image, c_in, windows.before), tiles(Side::Output, windows.out, c_out, [0; 2])];
        Self { tiles, all, chunk, strip: tile.columns }
    }

    /// Elements of the transforms of weights, of a chunk of x and of a chunk of y.
    fn scratch(&self) -> [usize; 3] {
        let [x, y] = self.tiles;
        let points = x.scheme.points();
        [points * (x.channels * y.channels + GAP), points * x.point(), points * y.point()]
    }

    fn iter(&self) -> impl Iterator<Item = [Tiles; 2]> {
        (0..self.all).step_by(self.chunk).map(|first| {
            let count = self.chunk.min(self.all - first);
            self.tiles.map(|tiles| Tiles { first, count, ..tiles })
        })
    }
}

/// y of [`Windows`] by `scheme`.
pub(super) fn product<T: Real>(isa: Isa, scheme: Scheme, windows: &Windows, x: &[T], w: &[T], y: &mut [T]) {
    let chunks = Chunks::new::<T>(isa, scheme, windows, CHUNK_BYTES);
    let [c_in, c_out] = windows.channels;
    let tap = c_in * c_out;
    with_scratch(chunks.scratch(), |[weights, inputs, outputs]: [&mut [T]; 3]| {
        dispatch(isa, WeightsToPoints { scheme, tap, w, points: weights });
        for [of_x, of_y] in chunks.iter() {
            dispatch(isa, ToPoints { tiles: of_x, x, points: inputs });
            for point in 0..scheme.points() {
                let a = SumIndexed {
                    a: &inputs[point * of_x.point()..],
                    rows: Grid::line(of_x.count, c_in),
                    columns: Grid::line(c_in, 1),
                };
                let b = Strips { b: &weights[point * (tap + GAP)..], row: [0, 0, c_out], strip: chunks.strip };
                let (c, c_rows) = (&mut outputs[point * of_y.point()..], Grid::line(of_y.count, c_out));
                dispatch(isa, Product { n: c_out, a, b, c, c_rows, store: Store::Set });
            }
            dispatch(isa, FromPoints { tiles: of_y, points: outputs, y });
        }
    });
}

/// dw = ∂⟨dy, y⟩/∂w of the same. Sums over the tiles of a chunk are added in the order of the chunks.
pub(super) fn weight_gradient<T: Real>(isa: Isa, scheme: Scheme, windows: &Windows, x: &[T], dy: &[T], dw: &mut [T]) {
    let chunks = Chunks::new::<T>(isa, scheme, windows, 2 * CHUNK_BYTES);
    let [c_in, c_out] = windows.channels;
    let tap = c_in * c_out;
    with_scratch(chunks.scratch(), |[weights, inputs, outputs]: [&mut [T]; 3]| {
        for [of_x, of_y] in chunks.iter() {
            dispatch(isa, ToPoints { tiles: of_x, x, points: inputs });
            dispatch(isa, ToPoints { tiles: of_y, x: dy, points: outputs });
            for point in 0..scheme.points() {
                let a = SumIndexed {
                    a: &inputs[point * of_x.point()..],
                    rows: Grid::line(c_in, 1),
                    columns: Grid::line(of_x.count, c_in),
                };
                let b = Strips { b: &outputs[point * of_y.point()..], row: [0, 0, c_out], strip: chunks.strip };
                let (c, c_rows) = (&mut weights[point * (tap + GAP)..], Grid::line(c_in, c_out));
                let store = if of_x.first == 0 { Store::Set } else { Store::Add };
                dispatch(isa, Product { n: c_out, a, b, c, c_rows, store });
            }
        }
        dispatch(isa, WeightsFromPoints { scheme, tap, points: weights, dw });
    });
}
