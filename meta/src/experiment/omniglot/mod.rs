//! Omniglot: MAML against plain training (NAL) on easy and hard few-shot tasks.

mod config;
mod run;
mod summary;
mod tasks;

pub use config::{Adaptation, BatchNorm, Config, Evaluation, Landscape, SettingName, Standard, Training};
pub use run::{Cell, Run, RunError, Scores};
pub use summary::{Claim, Gain, Interval, Score, Summary};
pub use tasks::{Kind, Tasks, TasksError};
