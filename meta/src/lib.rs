//! Meta-learning by exact computation: MAML and plain training on the same tasks, in the same engine.
//!
//! [`maml`] is the algorithm, [`train`] the loop around it, [`lbfgs`] the way to a stationary point, [`spectrum`] what a
//! Hessian is like there, [`model`] what is trained, [`task`] and [`data`] what it is trained on, [`theory`] what has a
//! closed form, [`stats`] how results are judged, [`experiment`] the paper's experiments.

#![forbid(unsafe_code)]

pub mod arrays;
pub mod atomic;
pub mod checkpoint;
pub mod data;
pub mod experiment;
pub mod lbfgs;
mod learner;
pub mod maml;
pub mod model;
pub mod nal;
pub mod optim;
pub mod parallel;
mod params;
pub mod rng;
pub mod spectrum;
pub mod stats;
pub mod task;
pub mod theory;
pub mod train;

pub use learner::LearnerName;
pub use maml_autograd::{Isa, profile};
pub use params::Params;
pub use rng::{Purpose, rng};
