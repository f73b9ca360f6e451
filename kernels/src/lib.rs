//! Kernels for few-shot learning on CPUs: slices and sizes in, slices out.
//!
//! Every function takes an [`Isa`] first, the proof that its instructions exist on this processor, and
//! gives the same bits every time for the same `Isa`. [`naive`] is the specification of all of them.

mod channel;
mod conv;
mod entries;
mod gemm;
mod isa;
mod least_squares;
pub mod limit;
mod map;
mod memory;
pub mod naive;
mod pool;
mod reduce;
mod rows;
mod scratch;
mod simd;
mod two_layer;

pub use conv::Conv;
pub use entries::{
    add_scaled, axpy, channel_covariance, channel_dot, channel_mean, channel_moments, channel_totals,
    conv_input_gradient, conv_output, conv_weight_gradient, conv_weight_gradient_of_windows, dot, dot_rows, gather,
    gather_windows, gemm, gemm_batch, gemm_parallel, gemm_strided, least_squares, map, mul, norm_relu_pool,
    pool_winners, repeat, scale, scale_centered, scale_channels, scale_rows, scatter_add, scatter_windows,
    softplus_with_slope, sum, sum_axis, two_layer, two_layer_hessian,
};
pub use gemm::{Layout, Strided};
pub use isa::Isa;
pub use map::Map;
pub use memory::Aligned;
pub use pool::{Centered, MISSING, Onto, Pool, Pooled};
pub use simd::Real;

/// What a kernel does with its results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// out = result
    Set,
    /// out += result
    Add,
}
