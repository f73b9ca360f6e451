//! Linear regression in closed form (all derived; double precision): what both learners find, and what it is worth.
//!
//! A task i has inputs x ~ N(0, Σ_i), targets y = ⟨w_i*, x⟩ + z with z ~ N(0, ν²), and the loss
//! f_i(w) = ½ E(⟨w, x⟩ − y)². Tasks come from a finite mixture of [`Group`]s; a [`Landscape`] is the mixture together
//! with the noise and the adaptation that follows. [`Comparison`] holds both learners' minimisers, their excess
//! post-adaptation risks and the gain of MAML over NAL.
//!
//! | file | what it derives |
//! |---|---|
//! | `landscape` | the mixture; K steps of SGD on fresh samples as a recursion for a matrix |
//! | `solution` | population minimisers, excess risk and its parts, the gain, the crossing in m |
//! | `empirical` | the same minimisers from sampled data: normal equations |
//! | [`wick`] | moments of products of sample covariances |
//! | `estimation` | how far the empirical minimisers lie from those of the population |
//! | `linear` | solving symmetric systems, and saying so when they cannot be solved |

mod empirical;
mod estimation;
mod landscape;
mod linear;
mod solution;
pub mod wick;

pub use empirical::{Moments, NormalEquations};
pub use estimation::{Training, estimation_risk};
pub use landscape::{Adaptation, Adapted, Group, Landscape};
pub use linear::{TheoryError, symmetric_root};
pub use solution::{Comparison, Risk, Solution};

/// A dense matrix of the theory.
pub type Matrix = nalgebra::DMatrix<f64>;
/// A vector of the theory.
pub type Vector = nalgebra::DVector<f64>;
