//! Omniglot: MAML against plain training (NAL) on easy and hard few-shot tasks.
//!
//! A [`Run`] is advanced step by step by whoever shows it, saves it and stops it: nothing calls upward.

mod config;
mod run;
mod summary;
mod tasks;

pub use config::{Adaptation, BatchNorm, Config, Evaluation, Landscape, LearnerName, SettingName, Standard, Training};
pub use run::{Cell, Progress, Run, RunError, Scores};
pub use summary::{Claim, Gain, Interval, Score, Summary};
pub use tasks::{Kind, Tasks, TasksError};
