//! Two-dimensional convolution (cross-correlation, as networks use it) on small images.
//!
//! This file states the layout for everybody: images are NHWC, \[image, row, column, channel\], and
//! weights are \[kernel row, kernel column, channel in, channel out\].

use crate::{Isa, Real, naive};

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
    let _ = isa;
    naive::conv_output(g, x, w, y);
}

/// dx = ∂⟨dy, x ∗ w⟩/∂x. Panics if a slice's length is not that of its tensor.
#[track_caller]
pub fn conv_input_gradient<T: Real>(isa: Isa, g: &Conv, w: &[T], dy: &[T], dx: &mut [T]) {
    g.check(dx.len(), w.len(), dy.len());
    let _ = isa;
    naive::conv_input_gradient(g, w, dy, dx);
}

/// dw = ∂⟨dy, x ∗ w⟩/∂w. Panics if a slice's length is not that of its tensor.
#[track_caller]
pub fn conv_weight_gradient<T: Real>(isa: Isa, g: &Conv, x: &[T], dy: &[T], dw: &mut [T]) {
    g.check(x.len(), dw.len(), dy.len());
    let _ = isa;
    naive::conv_weight_gradient(g, x, dy, dw);
}
