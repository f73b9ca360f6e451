//! Two-dimensional convolution (cross-correlation, as networks use it) on small images.
//!
//! This file states the layout for everybody: images are NHWC, \[image, row, column, channel\], and
//! weights are \[kernel row, kernel column, channel in, channel out\].

mod canvas;
mod weights;
mod windows;
mod winograd;

use core::{marker::PhantomData, ops::Range};

use crate::{
    Isa, Onto, Pool, Real, Store,
    gemm::pack,
    pool::scatter_images,
    scratch::with_scratch,
    simd::{
        dispatch,
        grid::Grid,
        product::{Product, Strips, SumIndexed},
        tile::TileShape,
    },
};
use canvas::Canvas;
use weights::Outputs;
use windows::Windows;

/// Bytes of the images of one chunk: they stay in L2 (1 MiB) beside the weights (9 · 64 · 64 · 4 B = 144 KiB) and
/// their output from the first run of pixels to the last.
const IMAGE_BYTES: usize = 256 << 10;

/// The sizes of a convolution y = x ∗ w with
/// y\[n, i, j, o\] = Σ_{a, b, c} x\[n, i·stride + a − padding, j·stride + b − padding, c\] · w\[a, b, c, o\],
/// x being zero outside the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Conv {
    /// Images of the batch.
    pub images: usize,
    /// Rows of an input image.
    pub height: usize,
    /// Columns of an input image.
    pub width: usize,
    /// Channels of the input.
    pub c_in: usize,
    /// Channels of the output.
    pub c_out: usize,
    /// Rows of the kernel.
    pub kernel_height: usize,
    /// Columns of the kernel.
    pub kernel_width: usize,
    /// Step between output pixels, the same in both directions, at least 1.
    pub stride: usize,
    /// Zeros around the image, the same on all four sides.
    pub padding: usize,
}

impl Conv {
    /// Rows of the output: ⌊(height + 2·padding − kernel_height) / stride⌋ + 1, or 0 if the kernel does not fit.
    pub fn out_height(&self) -> usize {
        (self.height + 2 * self.padding).checked_sub(self.kernel_height).map_or(0, |room| room / self.stride + 1)
    }
    /// Columns of the output, by the same formula.
    pub fn out_width(&self) -> usize {
        (self.width + 2 * self.padding).checked_sub(self.kernel_width).map_or(0, |room| room / self.stride + 1)
    }
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.images * self.height * self.width * self.c_in
    }
    /// Elements of the weights.
    pub fn weight_len(&self) -> usize {
        self.kernel_height * self.kernel_width * self.c_in * self.c_out
    }
    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.images * self.out_height() * self.out_width() * self.c_out
    }
    #[track_caller]
    fn check(&self, input: usize, weight: usize, output: usize) {
        assert_eq!(
            (input, weight, output),
            (self.input_len(), self.weight_len(), self.output_len()),
            "convolution {self:?}: lengths of input, weight, output"
        );
    }
}

#[track_caller]
pub(crate) fn conv_output<T: Real>(isa: Isa, g: &Conv, x: &[T], w: &[T], y: &mut [T]) {
    g.check(x.len(), w.len(), y.len());
    Windows::of_input(g).product(isa, x, w, y);
}

#[track_caller]
pub(crate) fn conv_input_gradient<T: Real>(isa: Isa, g: &Conv, w: &[T], dy: &[T], dx: &mut [T]) {
    g.check(dx.len(), w.len(), dy.len());
    // Pixel j of dy met pixel i = j·stride + tap − padding of x, and the turned tap is kernel − 1 − tap: seen from i, the
    // window of dy begins so many (spread) pixels before i.
    let before = [g.kernel_height, g.kernel_width].map(|kernel| kernel as isize - 1 - g.padding as isize);
    with_scratch([w.len()], |[turned]: [&mut [T]; 1]| {
        turn(isa, g, w, turned);
        if g.stride > 1 {
            return spread_input_gradient(isa, g, before, turned, dy, dx);
        }
        Windows {
            images: g.images,
            image: [g.out_height(), g.out_width()],
            channels: [g.c_out, g.c_in],
            kernel: [g.kernel_height, g.kernel_width],
            stride: 1,
            before,
            out: [g.height, g.width],
        }
        .product(isa, dy, turned, dx);
    });
}

/// The input gradient of a convolution with steps, in which pixels of dy stand apart: on canvases.
fn spread_input_gradient<T: Real>(isa: Isa, g: &Conv, before: [isize; 2], turned: &[T], dy: &[T], dx: &mut [T]) {
    let (image_x, image_y) = (g.height * g.width * g.c_in, g.out_height() * g.out_width() * g.c_out);
    if image_x == 0 {
        return;
    }
    let canvas = Canvas::of_output_gradient(g, before);
    let chunk = images_within(IMAGE_BYTES, canvas.len() * size_of::<T>(), g.images);
    with_scratch([chunk * canvas.len()], |[padded]: [&mut [T]; 1]| {
        padded.fill(T::ZERO);
        for (first, images) in chunks(g.images, chunk) {
            canvas.paint(images, &dy[first * image_y..], padded);
            let rows = canvas.pixels(images, g.height, g.width, 1);
            let columns = canvas.window(g.kernel_height, g.kernel_width);
            let dx = &mut dx[first * image_x..][..images * image_x];
            plain_product(isa, SumIndexed { a: padded, rows, columns }, turned, g.c_in, dx, Store::Set);
        }
    });
}

#[track_caller]
pub(crate) fn conv_weight_gradient<T: Real>(isa: Isa, g: &Conv, x: &[T], dy: &[T], dw: &mut [T]) {
    g.check(x.len(), dw.len(), dy.len());
    let windows = Windows::of_input(g);
    match winograd::Scheme::of::<T>(isa, &windows) {
        Some(scheme) if !dy.is_empty() => winograd::weight_gradient(isa, scheme, &windows, x, dy, dw),
        _ => weights::gradient(isa, g, x, dy, dw),
    }
}

#[track_caller]
pub(crate) fn conv_weight_gradient_of_windows<T: Real>(
    isa: Isa,
    g: &Conv,
    x: &[T],
    p: &Pool,
    index: &[u32],
    winners: &[T],
    onto: Onto<'_, T>,
    dw: &mut [T],
) {
    g.check(x.len(), dw.len(), p.input_len());
    assert_eq!(p.images, g.images, "weight gradient of windows: images of {g:?} and of {p:?}");
    assert!(!matches!(onto, Onto::Out), "weight gradient of windows: nothing is there to add to");
    let mut write = |images: Range<usize>, part: &mut [T]| scatter_images(isa, p, images, index, winners, onto, part);
    if winograd::Scheme::of::<T>(isa, &Windows::of_input(g)).is_none() && weights::has_few_channels(g) {
        return weights::all_taps(isa, g, x, Outputs::Written(&mut write), dw);
    }
    with_scratch([g.output_len()], |[dy]: [&mut [T]; 1]| {
        write(0..g.images, dy);
        conv_weight_gradient(isa, g, x, dy, dw);
    });
}

/// C (+)= A B with a plain matrix B\[k, n\] and C\[m, n\].
fn plain_product<T: Real>(isa: Isa, a: SumIndexed<'_, T>, b: &[T], n: usize, c: &mut [T], store: Store) {
    let strip = dispatch(isa, TileShape(PhantomData::<T>)).columns;
    let (c_rows, line) = (Grid::line(a.rows.len(), n), a.columns.count[2] * n);
    let b = Strips { b, row: [line * a.columns.count[1], line, n], strip };
    dispatch(isa, Product { n, a, b, c, c_rows, store });
}

/// The weights of the convolution that dy goes through on its way back: turned by half a turn, and
/// \[channel out, channel in\] at every tap.
fn turn<T: Real>(isa: Isa, g: &Conv, w: &[T], turned: &mut [T]) {
    let tap = g.c_in * g.c_out;
    if tap == 0 {
        return;
    }
    for (w, turned) in w.chunks_exact(tap).zip(turned.chunks_exact_mut(tap).rev()) {
        pack::transpose(isa, g.c_in, g.c_out, w, g.c_out, turned, g.c_in);
    }
}

/// As many images as fill a budget of which each needs `each`, at least one.
fn images_within(budget: usize, each: usize, images: usize) -> usize {
    (budget / each.max(1)).clamp(1, images.max(1))
}

/// (first, number) of the pieces of `images`.
fn chunks(images: usize, chunk: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..images).step_by(chunk).map(move |first| (first, chunk.min(images - first)))
}
