//! Two-dimensional convolution (cross-correlation, as networks use it) on small images.
//!
//! This file states the layout for everybody: images are NHWC, \[image, row, column, channel\], and
//! weights are \[kernel row, kernel column, channel in, channel out\].

use core::{marker::PhantomData, ops::Range};

use crate::{
    Isa, Real, Store,
    canvas::Canvas,
    pack,
    scratch::with_scratch,
    simd::{
        dispatch,
        grid::Grid,
        tile::{Product, Strips, SumIndexed, TileShape},
    },
};

/// Bytes of the images of one chunk: they stay in L2 (1 MiB) beside the weights (9 · 64 · 64 · 4 B = 144 KiB) and
/// their output from the first run of pixels to the last.
const IMAGE_BYTES: usize = 256 << 10;

/// Channels from which a tap of the weight gradient fills the rows of a tile.
const TAP_CHANNELS: usize = 16;

/// Pixels of one chunk of the weight gradient, the depth of its product: a strip of dy,
/// 256 · 32 · 4 B = 32 KiB, is read from L1 or near it while all taps pass.
const PIXELS: usize = 256;

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

/// y = x ∗ w. Panics if a slice's length is not that of its tensor.
#[track_caller]
pub fn conv_output<T: Real>(isa: Isa, g: &Conv, x: &[T], w: &[T], y: &mut [T]) {
    g.check(x.len(), w.len(), y.len());
    if y.is_empty() {
        return;
    }
    windows(isa, g, [g.padding as isize; 2], x, w, y);
}

/// dx = ∂⟨dy, x ∗ w⟩/∂x. Panics if a slice's length is not that of its tensor.
#[track_caller]
pub fn conv_input_gradient<T: Real>(isa: Isa, g: &Conv, w: &[T], dy: &[T], dx: &mut [T]) {
    g.check(dx.len(), w.len(), dy.len());
    if dx.is_empty() {
        return;
    }
    // Pixel j of dy met pixel i = j·stride + tap − padding of x, and the turned tap is kernel − 1 − tap.
    let shift = [g.kernel_height, g.kernel_width].map(|kernel| kernel as isize - 1 - g.padding as isize);
    let canvas = Canvas::of_output_gradient(g, shift);
    let back = Conv {
        height: g.out_height(),
        width: g.out_width(),
        c_in: g.c_out,
        c_out: g.c_in,
        stride: 1,
        padding: 0,
        ..*g
    };
    if g.stride == 1 {
        return with_scratch([w.len()], |[turned]: [&mut [T]; 1]| {
            turn(isa, g, w, turned);
            windows_onto(isa, &back, shift, [g.height, g.width], dy, turned, dx);
        });
    }
    let (image_x, image_y) = (g.height * g.width * g.c_in, g.out_height() * g.out_width() * g.c_out);
    let chunk = images_within(IMAGE_BYTES, canvas.len() * size_of::<T>(), g.images);
    with_scratch([chunk * canvas.len(), w.len()], |[padded, turned]: [&mut [T]; 2]| {
        padded.fill(T::ZERO);
        turn(isa, g, w, turned);
        for (first, images) in chunks(g.images, chunk) {
            canvas.paint(images, &dy[first * image_y..], padded);
            let rows = canvas.pixels(images, g.height, g.width, 1);
            let columns = canvas.window(g.kernel_height, g.kernel_width);
            let dx = &mut dx[first * image_x..][..images * image_x];
            product(isa, SumIndexed { a: padded, rows, columns }, turned, g.c_in, dx, Store::Set);
        }
    });
}

/// dw = ∂⟨dy, x ∗ w⟩/∂w. Panics if a slice's length is not that of its tensor.
#[track_caller]
pub fn conv_weight_gradient<T: Real>(isa: Isa, g: &Conv, x: &[T], dy: &[T], dw: &mut [T]) {
    g.check(x.len(), dw.len(), dy.len());
    let pixels = g.out_height() * g.out_width();
    if g.images * pixels == 0 {
        return dw.fill(T::ZERO);
    }
    let chunk = images_within(PIXELS, pixels, g.images);
    if g.c_in < TAP_CHANNELS { all_taps(isa, g, chunk, x, dy, dw) } else { tap_by_tap(isa, g, chunk, x, dy, dw) }
}

/// The weight gradient of few channels: the rows of one product are all taps and channels, its columns the pixels of
/// images on canvases.
fn all_taps<T: Real>(isa: Isa, g: &Conv, chunk: usize, x: &[T], dy: &[T], dw: &mut [T]) {
    let canvas = Canvas::of_input(g);
    let (image_x, pixels) = (g.height * g.width * g.c_in, g.out_height() * g.out_width());
    with_scratch([chunk * canvas.len()], |[padded]: [&mut [T]; 1]| {
        padded.fill(T::ZERO);
        for (first, images) in chunks(g.images, chunk) {
            canvas.paint(images, &x[first * image_x..], padded);
            let rows = canvas.window(g.kernel_height, g.kernel_width);
            let columns = canvas.pixels(images, g.out_height(), g.out_width(), g.stride);
            let dy = &dy[first * pixels * g.c_out..][..images * pixels * g.c_out];
            let store = if first == 0 { Store::Set } else { Store::Add };
            product(isa, SumIndexed { a: padded, rows, columns }, dy, g.c_out, dw, store);
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

/// Output pixels in a row (or column) that meet the same taps: `count` from `start` on meet `taps` from `tap` on, and
/// the first of them meets pixel `pixel` of the image with the first of those.
struct Run {
    start: usize,
    count: usize,
    tap: usize,
    taps: usize,
    pixel: usize,
}

/// The runs of `out` pixels with windows of `kernel` taps, the first `shift` before the image of `len` pixels.
fn runs(out: usize, len: usize, kernel: usize, stride: usize, shift: isize) -> impl Iterator<Item = Run> {
    let taps = move |i: usize| {
        let start = (i * stride) as isize - shift;
        let tap = (-start).clamp(0, kernel as isize);
        (tap, (len as isize - start).clamp(tap, kernel as isize))
    };
    let mut start = 0;
    std::iter::from_fn(move || {
        let (tap, behind) = (start < out).then(|| taps(start))?;
        let count = (start..out).take_while(|&i| taps(i) == (tap, behind)).count();
        let pixel = ((start * stride) as isize - shift + tap).max(0) as usize;
        let run = Run { start, count, tap: tap as usize, taps: (behind - tap) as usize, pixel };
        start += count;
        Some(run)
    })
}

fn windows<T: Real>(isa: Isa, g: &Conv, shift: [isize; 2], x: &[T], w: &[T], y: &mut [T]) {
    windows_onto(isa, g, shift, [g.out_height(), g.out_width()], x, w, y);
}

/// The products of all windows of x, which begin `shift` before the image, with w, onto y of \[rows, columns\] `out`. Pixels that meet the same
/// taps make one product over those taps: nothing is multiplied by a padding zero, and no padded copy is made.
fn windows_onto<T: Real>(isa: Isa, g: &Conv, shift: [isize; 2], out: [usize; 2], x: &[T], w: &[T], y: &mut [T]) {
    let strip = dispatch(isa, TileShape(PhantomData::<T>)).columns;
    let (line_x, line_y, line_w) = (g.width * g.c_in, out[1] * g.c_out, g.kernel_width * g.c_in * g.c_out);
    let (image_x, image_y) = (g.height * line_x, out[0] * line_y);
    let chunk = images_within(IMAGE_BYTES, image_x * size_of::<T>(), g.images);
    for (first, images) in chunks(g.images, chunk) {
        for r in runs(out[0], g.height, g.kernel_height, g.stride, shift[0]) {
            for c in runs(out[1], g.width, g.kernel_width, g.stride, shift[1]) {
                // A run without taps reads nothing; what it would read may lie behind the image.
                let (tap, pixel) = if r.taps * c.taps == 0 {
                    (0, 0)
                } else {
                    (r.tap * line_w + c.tap * g.c_in * g.c_out, r.pixel * line_x + c.pixel * g.c_in)
                };
                let a = SumIndexed {
                    a: &x[first * image_x + pixel..],
                    rows: Grid {
                        count: [images, r.count, c.count],
                        stride: [image_x, g.stride * line_x, g.stride * g.c_in],
                    },
                    columns: Grid { count: [1, r.taps, c.taps * g.c_in], stride: [0, line_x, 1] },
                };
                let b = Strips { b: &w[tap..], row: [0, line_w, g.c_out], strip };
                let y = &mut y[first * image_y + r.start * line_y + c.start * g.c_out..];
                let c_rows = Grid { count: [images, r.count, c.count], stride: [image_y, line_y, g.c_out] };
                dispatch(isa, Product { n: g.c_out, a, b, c: y, c_rows, store: Store::Set });
            }
        }
    }
}

/// C (+)= A B with a plain matrix B\[k, n\] and C\[m, n\].
fn product<T: Real>(isa: Isa, a: SumIndexed<'_, T>, b: &[T], n: usize, c: &mut [T], store: Store) {
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
