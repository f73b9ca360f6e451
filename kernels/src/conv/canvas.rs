//! Images on a ground of zeros, on which every window of a convolution lies inside.

use super::Conv;
use crate::{Real, simd::grid::Grid};

/// Where an image stands on its canvas: pixel (i, j) at (i·spread + shift, j·spread + shift), and
/// nowhere if that is outside. Sizes are \[rows, columns\].
pub(crate) struct Canvas {
    image: [usize; 2],
    channels: usize,
    size: [usize; 2],
    spread: usize,
    shift: [isize; 2],
}

impl Canvas {
    /// For windows of x: padded, and cut off behind the last window.
    pub(crate) fn of_input(g: &Conv) -> Self {
        let reach = |out: usize, kernel: usize| out.saturating_sub(1) * g.stride + kernel;
        Self {
            image: [g.height, g.width],
            channels: g.c_in,
            size: [reach(g.out_height(), g.kernel_height), reach(g.out_width(), g.kernel_width)],
            spread: 1,
            shift: [g.padding as isize; 2],
        }
    }

    /// For windows of dy, one for each pixel of x, seen through the turned weights: pixel j of dy stands at
    /// j·stride + `shift`. It falls off the canvas if all that it met was padding.
    pub(crate) fn of_output_gradient(g: &Conv, shift: [isize; 2]) -> Self {
        Self {
            image: [g.out_height(), g.out_width()],
            channels: g.c_out,
            size: [(g.height + g.kernel_height).saturating_sub(1), (g.width + g.kernel_width).saturating_sub(1)],
            spread: g.stride,
            shift,
        }
    }

    /// Elements of one canvas.
    pub(crate) fn len(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    /// Copies images to their places; the ground around them is left as it is.
    pub(crate) fn paint<T: Real>(&self, images: usize, x: &[T], canvases: &mut [T]) {
        let [height, width] = self.image;
        let columns = self.visible(1);
        let row = columns.len() * self.channels;
        if row == 0 {
            return;
        }
        for image in 0..images {
            for i in self.visible(0) {
                let from = ((image * height + i) * width + columns.start) * self.channels;
                let line = image * self.size[0] + self.place(0, i);
                let to = (line * self.size[1] + self.place(1, columns.start)) * self.channels;
                let x = &x[from..from + row];
                if self.spread == 1 {
                    canvases[to..to + row].copy_from_slice(x);
                    continue;
                }
                let pixels = canvases[to..].chunks_mut(self.spread * self.channels);
                for (pixel, x) in pixels.zip(x.chunks_exact(self.channels)) {
                    pixel[..self.channels].copy_from_slice(x);
                }
            }
        }
    }

    /// The rows (`direction` 0) or columns (1) of the image that fall on the canvas.
    fn visible(&self, direction: usize) -> std::ops::Range<usize> {
        // The smallest i with i·spread + shift ≥ bound.
        let first = |bound: usize| {
            let distance = bound as isize - self.shift[direction];
            (distance.max(0) as usize).div_ceil(self.spread).min(self.image[direction])
        };
        first(0)..first(self.size[direction])
    }

    fn place(&self, direction: usize, i: usize) -> usize {
        (i * self.spread).wrapping_add_signed(self.shift[direction])
    }

    /// Offsets of the first elements of `height` × `width` windows per image, `stride` pixels apart.
    pub(crate) fn pixels(&self, images: usize, height: usize, width: usize, stride: usize) -> Grid {
        let line = self.size[1] * self.channels;
        Grid { count: [images, height, width], stride: [self.len(), stride * line, stride * self.channels] }
    }

    /// Offsets of the elements of a window from its first: a run of columns and channels for every row.
    pub(crate) fn window(&self, height: usize, width: usize) -> Grid {
        Grid { count: [1, height, width * self.channels], stride: [0, self.size[1] * self.channels, 1] }
    }
}
