//! What the binaries run.

pub mod gradients;
pub mod omniglot;
