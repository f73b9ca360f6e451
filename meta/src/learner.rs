//! The two learners that every experiment compares.

use serde::{Deserialize, Serialize};

/// Who chooses the initialisation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LearnerName {
    /// Non-adaptive learning: min_w E_i f_i(w).
    Nal,
    /// Model-agnostic meta-learning: min_w E_i E_D f_i(w after adaptation to D).
    Maml,
}

impl LearnerName {
    /// Both, in the order of all tables.
    pub const BOTH: [Self; 2] = [Self::Nal, Self::Maml];

    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nal => "NAL",
            Self::Maml => "MAML",
        }
    }
}
