//! Tasks: what a learner adapts to.

pub mod episode;
mod fixed;
pub mod pool;
pub mod regression;
pub mod teacher;

pub use episode::{Episode, EpisodeError, EpisodeSpec, Labels, Shot, draw, pixels};
pub use fixed::FixedTasks;
pub use pool::{ClassPool, ClassRef, Group, Landscape, LandscapeSpec, PoolError, landscape_pools, standard_split};
