//! The products of all windows of an image with the weights: the output of a convolution, and its input gradient
//! seen from the other side.

use core::marker::PhantomData;

use super::{Conv, IMAGE_BYTES, chunks, images_within, winograd};
use crate::{
    Isa, Real, Store,
    simd::{
        dispatch,
        grid::Grid,
        product::{Product, Strips, SumIndexed},
        tile::TileShape,
    },
};

/// y\[n, i, j, :\] = Σ over the taps of x\[n, (i, j)·stride − before + tap, :\] · w\[tap, :, :\] where x is inside its image.
pub(super) struct Windows {
    pub(super) images: usize,
    /// Rows and columns of x.
    pub(super) image: [usize; 2],
    /// Channels of x and of y.
    pub(super) channels: [usize; 2],
    /// Rows and columns of w.
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    /// Where the first window begins: so many rows and columns before x.
    pub(super) before: [isize; 2],
    /// Rows and columns of y.
    pub(super) out: [usize; 2],
}

impl Windows {
    pub(super) fn of_input(g: &Conv) -> Self {
        Self {
            images: g.images,
            image: [g.height, g.width],
            channels: [g.c_in, g.c_out],
            kernel: [g.kernel_height, g.kernel_width],
            stride: g.stride,
            before: [g.padding as isize; 2],
            out: [g.out_height(), g.out_width()],
        }
    }

    pub(super) fn product<T: Real>(&self, isa: Isa, x: &[T], w: &[T], y: &mut [T]) {
        if y.is_empty() {
            return;
        }
        match winograd::Scheme::of::<T>(isa, self) {
            Some(scheme) => winograd::product(isa, scheme, self, x, w, y),
            None => self.direct(isa, x, w, y),
        }
    }

    /// Pixels that meet the same taps make one product over those taps: nothing is multiplied by a padding zero, and no
    /// padded copy is made.
    fn direct<T: Real>(&self, isa: Isa, x: &[T], w: &[T], y: &mut [T]) {
        let strip = dispatch(isa, TileShape(PhantomData::<T>)).columns;
        let (stride, [c_in, c_out]) = (self.stride, self.channels);
        let (line_x, line_y, line_w) = (self.image[1] * c_in, self.out[1] * c_out, self.kernel[1] * c_in * c_out);
        let (image_x, image_y) = (self.image[0] * line_x, self.out[0] * line_y);
        let image_bytes = image_x.max(image_y) * size_of::<T>();
        for (first, images) in chunks(self.images, images_within(IMAGE_BYTES, image_bytes, self.images)) {
            for (r, c) in self.runs(0).flat_map(|r| self.runs(1).map(move |c| (r, c))) {
                // A run without taps reads nothing; what it would read may lie behind the image.
                let (tap, pixel) = match r.taps * c.taps {
                    0 => (0, 0),
                    _ => (r.tap * line_w + c.tap * c_in * c_out, r.pixel * line_x + c.pixel * c_in),
                };
                let pixels = [images, r.count, c.count];
                let a = SumIndexed {
                    a: &x[first * image_x + pixel..],
                    rows: Grid { count: pixels, stride: [image_x, stride * line_x, stride * c_in] },
                    columns: Grid { count: [1, r.taps, c.taps * c_in], stride: [0, line_x, 1] },
                };
                let b = Strips { b: &w[tap..], row: [0, line_w, c_out], strip };
                let y = &mut y[first * image_y + r.start * line_y + c.start * c_out..];
                let c_rows = Grid { count: pixels, stride: [image_y, line_y, c_out] };
                dispatch(isa, Product { n: c_out, a, b, c: y, c_rows, store: Store::Set });
            }
        }
    }

    /// Products of numbers for each pair of channels of an image by direct sums.
    pub(super) fn products_per_channel(&self) -> usize {
        let taps = |direction| self.runs(direction).map(|run| run.count * run.taps).sum::<usize>();
        taps(0) * taps(1)
    }

    /// The runs of rows (`direction` 0) or columns (1) of y.
    fn runs(&self, direction: usize) -> impl Iterator<Item = Run> + use<> {
        let (out, len, kernel) = (self.out[direction], self.image[direction] as isize, self.kernel[direction] as isize);
        let (stride, before) = (self.stride, self.before[direction]);
        let begin = move |i: usize| (i * stride) as isize - before;
        let taps = move |i: usize| {
            let tap = (-begin(i)).clamp(0, kernel);
            (tap, (len - begin(i)).clamp(tap, kernel))
        };
        let mut start = 0;
        std::iter::from_fn(move || {
            let (tap, behind) = (start < out).then(|| taps(start))?;
            let count = (start..out).take_while(|&i| taps(i) == (tap, behind)).count();
            let pixel = (begin(start) + tap).max(0) as usize;
            let run = Run { start, count, tap: tap as usize, taps: (behind - tap) as usize, pixel };
            start += count;
            Some(run)
        })
    }
}

/// Pixels of a row (or column) of y that meet the same taps: `count` from `start` on meet `taps` from `tap` on, and
/// the first of them meets pixel `pixel` of x with the first of those.
#[derive(Clone, Copy)]
struct Run {
    start: usize,
    count: usize,
    tap: usize,
    taps: usize,
    pixel: usize,
}
