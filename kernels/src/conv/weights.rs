//! The gradient of a convolution with respect to its weights.

use core::{marker::PhantomData, ops::Range};

use super::{Canvas, Conv, chunks, images_within, plain_product};
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

/// Pixels of one chunk of images, the depth of its products: a strip of dy, 256 · 32 · 4 B = 32 KiB, is read from L1
/// or near it while all rows of tiles pass.
const PIXELS: usize = 256;

/// Channels from which one tap fills the rows of a tile.
const TAP_CHANNELS: usize = 16;

pub(super) fn gradient<T: Real>(isa: Isa, g: &Conv, x: &[T], dy: &[T], dw: &mut [T]) {
    if has_few_channels(g) {
        return all_taps(isa, g, x, Outputs::Whole(dy), dw);
    }
    let pixels = g.out_height() * g.out_width();
    if g.images * pixels == 0 {
        return dw.fill(T::ZERO);
    }
    tap_by_tap(isa, g, images_within(PIXELS, pixels, g.images), x, dy, dw);
}

/// Whether the gradient of all taps is one product, for which dy is read once.
pub(super) fn has_few_channels(g: &Conv) -> bool {
    g.c_in < TAP_CHANNELS
}

/// dy, or how some images of it are written.
pub(super) enum Outputs<'a, T> {
    Whole(&'a [T]),
    Written(&'a mut dyn FnMut(Range<usize>, &mut [T])),
}

/// The weight gradient of few channels: the rows of one product are all taps and channels, its columns the pixels of
/// images on canvases.
pub(super) fn all_taps<T: Real>(isa: Isa, g: &Conv, x: &[T], mut dy: Outputs<'_, T>, dw: &mut [T]) {
    let canvas = Canvas::of_input(g);
    let (image_x, pixels) = (g.height * g.width * g.c_in, g.out_height() * g.out_width());
    if g.images * pixels == 0 {
        return dw.fill(T::ZERO);
    }
    let chunk = images_within(PIXELS, pixels, g.images);
    let written = if let Outputs::Written(_) = dy { chunk * pixels * g.c_out } else { 0 };
    with_scratch([chunk * canvas.len(), written], |[padded, part]: [&mut [T]; 2]| {
        padded.fill(T::ZERO);
        for (first, images) in chunks(g.images, chunk) {
            let len = images * pixels * g.c_out;
            let dy = match &mut dy {
                Outputs::Whole(dy) => &dy[first * pixels * g.c_out..][..len],
                Outputs::Written(write) => {
                    write(first..first + images, &mut part[..len]);
                    &part[..len]
                }
            };
            canvas.paint(images, &x[first * image_x..], padded);
            let rows = canvas.window(g.kernel_height, g.kernel_width);
            let columns = canvas.pixels(images, g.out_height(), g.out_width(), g.stride);
            let store = if first == 0 { Store::Set } else { Store::Add };
            plain_product(isa, SumIndexed { a: padded, rows, columns }, dy, g.c_out, dw, store);
        }
    });
}

/// The weight gradient of many channels: for every tap a product whose rows are the channels, its columns the pixels
/// that met the image there.
fn tap_by_tap<T: Real>(isa: Isa, g: &Conv, chunk: usize, x: &[T], dy: &[T], dw: &mut [T]) {
    let strip = dispatch(isa, TileShape(PhantomData::<T>)).columns;
    let (line_x, line_y) = (g.width * g.c_in, g.out_width() * g.c_out);
    let (image_x, image_y) = (g.height * line_x, g.out_height() * line_y);
    for (first, images) in chunks(g.images, chunk) {
        let store = if first == 0 { Store::Set } else { Store::Add };
        for (tap, c) in dw.chunks_exact_mut((g.c_in * g.c_out).max(1)).enumerate() {
            let rows = pixels_on(g, g.out_height(), g.height, tap / g.kernel_width);
            let columns = pixels_on(g, g.out_width(), g.width, tap % g.kernel_width);
            let inside = |at: usize, direction_tap: usize| at * g.stride + direction_tap - g.padding;
            let (mut start_x, mut start_y) = (first * image_x, first * image_y);
            if !rows.is_empty() && !columns.is_empty() {
                start_x += inside(rows.start, tap / g.kernel_width) * line_x;
                start_x += inside(columns.start, tap % g.kernel_width) * g.c_in;
                start_y += rows.start * line_y + columns.start * g.c_out;
            }
            let a = SumIndexed {
                a: &x[start_x..],
                rows: Grid::line(g.c_in, 1),
                columns: Grid {
                    count: [images, rows.len(), columns.len()],
                    stride: [image_x, g.stride * line_x, g.stride * g.c_in],
                },
            };
            let b = Strips { b: &dy[start_y..], row: [image_y, line_y, g.c_out], strip };
            dispatch(isa, Product { n: g.c_out, a, b, c, c_rows: Grid::line(g.c_in, g.c_out), store });
        }
    }
}

/// Pixels of the output of `out` rows or columns that met the image of `len` with this tap.
fn pixels_on(g: &Conv, out: usize, len: usize, tap: usize) -> Range<usize> {
    // 0 ≤ i·stride + tap − padding < len
    let first = g.padding.saturating_sub(tap).div_ceil(g.stride);
    let behind = (len + g.padding).saturating_sub(tap).div_ceil(g.stride).min(out);
    first.min(behind)..behind
}
