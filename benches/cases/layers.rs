//! The convolutions that are timed: the layers of few-shot nets.

use maml_kernels::Conv;

/// (channels in, channels out, side of the image), for kernels of 3 × 3, stride 1, padding 1: the layers of
/// conv4 with 64 filters on Omniglot and with 32 on CIFAR.
pub(crate) const LAYERS: [(usize, usize, usize); 8] =
    [(1, 64, 28), (64, 64, 14), (64, 64, 7), (64, 64, 3), (3, 32, 32), (32, 32, 16), (32, 32, 8), (32, 32, 4)];

/// One such layer on a batch.
pub(crate) fn conv((c_in, c_out, side): (usize, usize, usize), images: usize) -> Conv {
    Conv { images, height: side, width: side, c_in, c_out, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 }
}

/// FLOPs of any of its three slots, computed directly, products with padding included.
pub(crate) fn flops(g: &Conv) -> u64 {
    2 * (g.output_len() * g.kernel_height * g.kernel_width * g.c_in) as u64
}

/// Whether anybody needs the gradient with respect to its input: nobody needs that of an image.
pub(crate) fn is_inner(g: &Conv) -> bool {
    g.c_in >= 32
}
