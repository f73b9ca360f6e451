//! The convolution that other libraries compute: every pixel's neighbourhood is copied into a row of a matrix,
//! which is multiplied with the weights.

use maml_kernels::{Conv, Layout};

use crate::rivals::Gemm;

/// Numbers in one row of the matrix.
pub(crate) fn patch_len(g: &Conv) -> usize {
    g.kernel_height * g.kernel_width * g.c_in
}

/// y = x ∗ w for stride 1. `patches` has a row for every pixel of the output, and its zeros of padding are never
/// touched.
pub(crate) fn conv_output(g: &Conv, product: &Gemm, x: &[f32], w: &[f32], y: &mut [f32], patches: &mut [f32]) {
    assert_eq!(g.stride, 1, "stride");
    let (row, rows) = (patch_len(g), y.len() / g.c_out);
    for (pixel, patch) in patches.chunks_exact_mut(row).enumerate() {
        let (image, i, j) = (pixel / (g.height * g.width), pixel / g.width % g.height, pixel % g.width);
        for (tap, channels) in patch.chunks_exact_mut(g.c_in).enumerate() {
            // Outside, these wrap around to something large.
            let from_y = (i + tap / g.kernel_width).wrapping_sub(g.padding);
            let from_x = (j + tap % g.kernel_width).wrapping_sub(g.padding);
            if from_y < g.height && from_x < g.width {
                channels.copy_from_slice(&x[((image * g.height + from_y) * g.width + from_x) * g.c_in..][..g.c_in]);
            }
        }
    }
    product(Layout::NN, [rows, g.c_out, row], patches, w, y);
}
