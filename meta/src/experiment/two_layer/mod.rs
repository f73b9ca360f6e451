//! Two-layer networks, teacher and student: the landscape beyond the linear case, and what stationary points are like.

mod cell;
mod config;
mod pair;
mod run;
mod summary;
mod surface;
mod training;

pub use cell::Draw;
pub use config::{Config, Pairs, Sweep, Training};
pub use pair::Pair;
pub use run::{Run, RunError};
pub use summary::{PairRow, PairSummary, Summary, TrainingRow, Trainings};
pub use surface::Surface;
pub use training::Trained;
