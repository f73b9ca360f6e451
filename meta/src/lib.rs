//! Exact second-order MAML and plain training: models, tasks, data, training loop and statistics.
#![forbid(unsafe_code)]

pub mod data;
pub mod rng;
pub mod stats;
pub mod task;
