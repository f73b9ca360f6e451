//! Kernels for few-shot learning on CPUs: slices and sizes in, slices out.
//!
//! Every function takes an [`Isa`] first, the proof that its instructions exist on this processor, and
//! gives the same bits every time for the same `Isa`. [`naive`] is the specification of all of them.

mod channel;
mod conv;
mod gemm;
mod isa;
pub mod limit;
mod map;
mod memory;
pub mod naive;
mod pool;
mod reduce;
mod scratch;
mod simd;

pub use channel::{channel_covariance, channel_dot, channel_mean, scale_centered, scale_channels};
pub use conv::{Conv, conv_input_gradient, conv_output, conv_weight_gradient};
pub use gemm::{Layout, Strided, gemm, gemm_parallel, gemm_strided};
pub use isa::Isa;
pub use map::{Map, add_scaled, axpy, map, mul, scale};
pub use memory::Aligned;
pub use pool::{
    MISSING, Onto, Pool, gather, gather_windows, pool_winners, relu_pool_winners, scatter_add, scatter_windows,
};
pub use reduce::{dot, repeat, sum, sum_axis};
pub use simd::Real;

/// What a kernel does with its results.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// out = result
    Set,
    /// out += result
    Add,
}
