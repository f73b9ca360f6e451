//! What the binaries run.

pub mod gradients;
