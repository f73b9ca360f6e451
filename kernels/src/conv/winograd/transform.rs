//! The matrices of Winograd's algorithm in two dimensions: of tiles of images and of weights, to points and back.

use super::scheme::{Matrix, SIDE, Scheme};
use crate::{
    Real,
    simd::{Kernel, Simd},
};

/// Elements between the points, so that they do not all meet in few sets of the cache.
pub(super) const GAP: usize = 16;

/// Tiles side by side over images \[image, row, column, channel\], and where their transforms lie: (point, tile,
/// channel) at point·(tiles·channels + gap) + tile·channels + channel.
#[derive(Clone, Copy)]
pub(super) struct Tiles {
    pub(super) scheme: Scheme,
    /// Tiles of an image, down and across.
    pub(super) across: [usize; 2],
    /// The first tile and the number of tiles.
    pub(super) first: usize,
    pub(super) count: usize,
    /// Rows and columns of the images.
    pub(super) image: [usize; 2],
    pub(super) channels: usize,
    /// Where the first tile begins: so many rows and columns before the image.
    pub(super) before: [isize; 2],
    /// Which of the two matrices is meant.
    pub(super) of: Side,
}

/// The two sides of a convolution.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Tiles of m + 2 inputs, Bᵀ x B.
    Input,
    /// Tiles of m outputs, Aᵀ v A to them and A dy Aᵀ from them.
    Output,
}

impl Tiles {
    /// Elements from point to point.
    pub(super) fn point(&self) -> usize {
        self.count * self.channels + GAP
    }

    /// The image of a tile, and its first row and column.
    fn place(&self, tile: usize) -> (usize, [isize; 2]) {
        let (tile, [down, across], m) = (self.first + tile, self.across, self.scheme.out());
        let place = |at: usize, direction: usize| (at * m) as isize - self.before[direction];
        (tile / (down * across), [place(tile / across % down, 0), place(tile % across, 1)])
    }

    /// Where the pixels of a tile of `side` × `side` lie, [`OUTSIDE`] for those outside its image.
    #[inline(always)]
    fn pixels(&self, tile: usize, side: usize) -> [[usize; SIDE]; SIDE] {
        let (image, [row, column]) = self.place(tile);
        let mut pixels = [[OUTSIDE; SIDE]; SIDE];
        for i in 0..side {
            for j in 0..side {
                let (row, column) = ((row + i as isize) as usize, (column + j as isize) as usize);
                // Negative ones have become too large.
                if row < self.image[0] && column < self.image[1] {
                    pixels[i][j] = ((image * self.image[0] + row) * self.image[1] + column) * self.channels;
                }
            }
        }
        pixels
    }
}

/// The place of a pixel that is not there.
const OUTSIDE: usize = usize::MAX;

/// Images to points: Bᵀ x B, or A dy Aᵀ.
pub(super) struct ToPoints<'a, T> {
    pub(super) tiles: Tiles,
    pub(super) x: &'a [T],
    pub(super) points: &'a mut [T],
}

impl<T: Real> Kernel<T> for ToPoints<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        // Sizes known to the compiler let it unroll.
        match (self.tiles.scheme, self.tiles.of) {
            (Scheme::F2, Side::Input) => self.transform(simd, Scheme::F2, Matrix::Input, 4),
            (Scheme::F4, Side::Input) => self.transform(simd, Scheme::F4, Matrix::Input, 6),
            (Scheme::F5, Side::Input) => self.transform(simd, Scheme::F5, Matrix::Input, 7),
            (Scheme::F2, Side::Output) => self.transform(simd, Scheme::F2, Matrix::OutputGradient, 2),
            (Scheme::F4, Side::Output) => self.transform(simd, Scheme::F4, Matrix::OutputGradient, 4),
            (Scheme::F5, Side::Output) => self.transform(simd, Scheme::F5, Matrix::OutputGradient, 5),
        }
    }
}

impl<T: Real> ToPoints<'_, T> {
    #[inline(always)]
    fn transform<S: Simd<T>>(self, simd: S, scheme: Scheme, matrix: Matrix, from: usize) {
        let Self { tiles, x, points } = self;
        let (zero, side, point, channels) = (simd.splat(T::ZERO), scheme.side(), tiles.point(), tiles.channels);
        // Made once: 49 zeros for every tile and register of channels would take as long as the transform.
        let mut half = [[zero; SIDE]; SIDE];
        let mut next = tiles.pixels(0, from);
        for tile in 0..tiles.count {
            let pixels = next;
            next = tiles.pixels(tile + 1, from);
            for at in (0..channels).step_by(S::LANES) {
                let len = (channels - at).min(S::LANES);
                for j in 0..from {
                    let mut column = [zero; SIDE];
                    for i in 0..from {
                        // Tiles lie in an order that no prefetcher follows.
                        simd.prefetch(x.as_ptr().wrapping_add(next[i][j].wrapping_add(at)));
                        if pixels[i][j] != OUTSIDE {
                            column[i] = simd.load_partial(&x[pixels[i][j] + at..][..len]);
                        }
                    }
                    matrix.column(simd, scheme, column, j, &mut half);
                }
                for i in 0..side {
                    let row = matrix.line(simd, scheme, half[i]);
                    for j in 0..side {
                        let to = (i * side + j) * point + tile * channels + at;
                        simd.store_partial(row[j], &mut points[to..][..len]);
                    }
                }
            }
        }
    }
}

/// Points to images: Aᵀ v A, cut off at the border.
pub(super) struct FromPoints<'a, T> {
    pub(super) tiles: Tiles,
    pub(super) points: &'a [T],
    pub(super) y: &'a mut [T],
}

impl<T: Real> Kernel<T> for FromPoints<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        match self.tiles.scheme {
            Scheme::F2 => self.transform(simd, Scheme::F2),
            Scheme::F4 => self.transform(simd, Scheme::F4),
            Scheme::F5 => self.transform(simd, Scheme::F5),
        }
    }
}

impl<T: Real> FromPoints<'_, T> {
    #[inline(always)]
    fn transform<S: Simd<T>>(self, simd: S, scheme: Scheme) {
        let Self { tiles, points, y } = self;
        let (zero, side, point, channels) = (simd.splat(T::ZERO), scheme.side(), tiles.point(), tiles.channels);
        let mut half = [[zero; SIDE]; SIDE];
        let mut next = tiles.pixels(0, scheme.out());
        for tile in 0..tiles.count {
            let pixels = next;
            next = tiles.pixels(tile + 1, scheme.out());
            for at in (0..channels).step_by(S::LANES) {
                let len = (channels - at).min(S::LANES);
                for j in 0..side {
                    let mut column = [zero; SIDE];
                    for i in 0..side {
                        let from = (i * side + j) * point + tile * channels + at;
                        column[i] = simd.load_partial(&points[from..][..len]);
                    }
                    Matrix::Output.column(simd, scheme, column, j, &mut half);
                }
                for i in 0..scheme.out() {
                    let row = Matrix::Output.line(simd, scheme, half[i]);
                    for j in 0..scheme.out() {
                        simd.prefetch(y.as_ptr().wrapping_add(next[i][j].wrapping_add(at)));
                        if pixels[i][j] != OUTSIDE {
                            simd.store_partial(row[j], &mut y[pixels[i][j] + at..][..len]);
                        }
                    }
                }
            }
        }
    }
}

/// Between squares of weights, of which the `tap` pairs of channels lie together: `weights` as \[3, 3, c_in, c_out\] to
/// points, which lie `tap` + gap apart, G w Gᵀ.
pub(super) struct WeightsToPoints<'a, T> {
    pub(super) scheme: Scheme,
    pub(super) tap: usize,
    pub(super) w: &'a [T],
    pub(super) points: &'a mut [T],
}

impl<T: Real> Kernel<T> for WeightsToPoints<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { scheme, tap, w, points } = self;
        match scheme {
            Scheme::F2 => squares(simd, Scheme::F2, Matrix::Weight, tap, (w, 3, tap), (points, 4, tap + GAP)),
            Scheme::F4 => squares(simd, Scheme::F4, Matrix::Weight, tap, (w, 3, tap), (points, 6, tap + GAP)),
            Scheme::F5 => squares(simd, Scheme::F5, Matrix::Weight, tap, (w, 3, tap), (points, 7, tap + GAP)),
        }
    }
}

/// And back with gradients, Gᵀ v G.
pub(super) struct WeightsFromPoints<'a, T> {
    pub(super) scheme: Scheme,
    pub(super) tap: usize,
    pub(super) points: &'a [T],
    pub(super) dw: &'a mut [T],
}

impl<T: Real> Kernel<T> for WeightsFromPoints<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { scheme, tap, points, dw } = self;
        match scheme {
            Scheme::F2 => squares(simd, Scheme::F2, Matrix::WeightGradient, tap, (points, 4, tap + GAP), (dw, 3, tap)),
            Scheme::F4 => squares(simd, Scheme::F4, Matrix::WeightGradient, tap, (points, 6, tap + GAP), (dw, 3, tap)),
            Scheme::F5 => squares(simd, Scheme::F5, Matrix::WeightGradient, tap, (points, 7, tap + GAP), (dw, 3, tap)),
        }
    }
}

/// A matrix applied to `len` squares, which are given by (numbers, side, elements from one number of a square to the next).
#[inline(always)]
fn squares<T: Real, S: Simd<T>>(
    simd: S,
    scheme: Scheme,
    matrix: Matrix,
    len: usize,
    (x, from, x_step): (&[T], usize, usize),
    (out, to, out_step): (&mut [T], usize, usize),
) {
    let mut half = [[simd.splat(T::ZERO); SIDE]; SIDE];
    for at in (0..len).step_by(S::LANES) {
        let lanes = (len - at).min(S::LANES);
        for j in 0..from {
            let mut column = [simd.splat(T::ZERO); SIDE];
            for i in 0..from {
                column[i] = simd.load_partial(&x[(i * from + j) * x_step + at..][..lanes]);
            }
            matrix.column(simd, scheme, column, j, &mut half);
        }
        for i in 0..to {
            let row = matrix.line(simd, scheme, half[i]);
            for j in 0..to {
                simd.store_partial(row[j], &mut out[(i * to + j) * out_step + at..][..lanes]);
            }
        }
    }
}
