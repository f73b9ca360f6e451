//! The settings of the experiment, as data.

use serde::{Deserialize, Serialize};

use crate::{
    LearnerName,
    maml::{InnerLoop, Order},
    optim::Optimizer,
    task::{EpisodeSpec, Labels, LandscapeSpec},
    train::Learner,
};

/// Everything that a run depends on, but for data and seeds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which settings to run.
    pub settings: Vec<SettingName>,
    /// The seeds of initialisation, splits and episodes.
    pub seeds: Vec<u64>,
    /// Which statistics batch normalisation uses.
    pub batch_norm: BatchNorm,
    /// Channels of every block of the network.
    pub filters: usize,
    /// Classes of a task.
    pub ways: u32,
    /// Query drawings of a class in training.
    pub queries: u32,
    /// How they are judged.
    pub evaluation: Evaluation,
    /// The usual benchmark.
    pub standard: Standard,
    /// Easy and hard tasks with a geography.
    pub landscape: Landscape,
}

/// A setting of the experiment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingName {
    /// The usual benchmark.
    Standard,
    /// Easy and hard tasks with a geography.
    Landscape,
}

impl SettingName {
    /// The word in configs and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Landscape => "landscape",
        }
    }
}

/// Which statistics batch normalisation uses, in training and in judging.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchNorm {
    /// Those of the batch at hand, so a query drawing is classified together with the other queries of its task.
    Transductive,
}

/// The inner loop, the same for both learners.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adaptation {
    /// Step size α.
    pub alpha: f64,
    /// Steps K while training MAML.
    pub steps: usize,
    /// Whether the meta-gradient leaves the Hessians out.
    pub first_order: bool,
}

/// The outer loop.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Steps.
    pub iterations: u64,
    /// Tasks of a step.
    pub tasks: usize,
    /// How a meta-gradient becomes a step.
    pub optimizer: Optimizer,
    /// The step size falls linearly to zero over this last share of the steps, from 0 to 1.
    pub decay_share: f64,
}

/// How trained parameters are judged.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Tasks of every kind.
    pub episodes: usize,
    /// Query drawings of a class.
    pub queries: u32,
    /// Confidence level of the intervals, such as 0.95.
    pub level: f64,
    /// Adaptation steps after which MAML is judged.
    pub maml_steps: Vec<usize>,
    /// Adaptation steps after which NAL is judged.
    pub nal_steps: Vec<usize>,
}

/// The usual benchmark: 1,200 training characters with rotations, 423 test characters, a random label for each
/// class in every task.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {
    /// Who is trained.
    pub learners: Vec<LearnerName>,
    /// Support drawings of a class.
    pub shots: u32,
    /// Adaptation, in training and in judging.
    pub adaptation: Adaptation,
    /// How the learners are trained.
    pub training: Training,
}

/// Easy and hard tasks: hardness is the number of shots, geography the number of alphabets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Landscape {
    /// Who is trained.
    pub learners: Vec<LearnerName>,
    /// r_H: alphabets that hard tasks' characters come from; fewer lie more closely.
    pub hard_alphabets: u32,
    /// Alphabets that easy tasks' characters come from.
    pub easy_alphabets: u32,
    /// Support drawings of a class in hard tasks.
    pub hard_shots: u32,
    /// Support drawings of a class in easy tasks.
    pub easy_shots: u32,
    /// The share p of hard tasks in training.
    pub hard_share: f64,
    /// How labels are given.
    pub labels: Labels,
    /// Whether easy and hard tasks have the same characters.
    pub shared_characters: bool,
    /// Share of the training alphabets' characters that training never sees.
    pub held_out_share: f64,
    /// Adaptation, in training and in judging.
    pub adaptation: Adaptation,
    /// How both learners are trained.
    pub training: Training,
}

impl Adaptation {
    /// What a learner minimises.
    pub fn learner(&self, name: LearnerName) -> Learner {
        let order = if self.first_order { Order::First } else { Order::Second };
        match name {
            LearnerName::Nal => Learner::Nal,
            LearnerName::Maml => Learner::Maml(self.inner(self.steps), order),
        }
    }

    /// This many steps of it.
    pub fn inner(&self, steps: usize) -> InnerLoop {
        InnerLoop { alpha: self.alpha, steps }
    }
}

impl Training {
    /// The optimiser at a step: its rate falls linearly to zero over the last share of the steps.
    pub fn optimizer_at(&self, iteration: u64) -> Optimizer {
        let falling = self.decay_share * self.iterations as f64;
        let left = (self.iterations - iteration.min(self.iterations)) as f64;
        self.optimizer.scaled(if falling > 0.0 { (left / falling).min(1.0) } else { 1.0 })
    }
}

impl Config {
    /// The inner loop of a setting.
    pub fn adaptation(&self, setting: SettingName) -> Adaptation {
        match setting {
            SettingName::Standard => self.standard.adaptation,
            SettingName::Landscape => self.landscape.adaptation,
        }
    }

    /// The outer loop of a setting.
    pub fn training(&self, setting: SettingName) -> Training {
        match setting {
            SettingName::Standard => self.standard.training,
            SettingName::Landscape => self.landscape.training,
        }
    }

    /// Adaptation steps after which a learner is judged.
    pub fn judged_steps(&self, name: LearnerName) -> &[usize] {
        match name {
            LearnerName::Nal => &self.evaluation.nal_steps,
            LearnerName::Maml => &self.evaluation.maml_steps,
        }
    }

    /// Who is trained in a setting.
    pub fn learners(&self, setting: SettingName) -> &[LearnerName] {
        match setting {
            SettingName::Standard => &self.standard.learners,
            SettingName::Landscape => &self.landscape.learners,
        }
    }

    /// Tasks with this many support drawings of a class.
    pub(super) fn spec(&self, shots: u32, queries: u32, labels: Labels) -> EpisodeSpec {
        EpisodeSpec { ways: self.ways, shots, queries, labels }
    }

    /// The geography of the landscape setting.
    pub(super) fn geography(&self) -> LandscapeSpec {
        let Landscape { hard_alphabets, easy_alphabets, held_out_share, shared_characters, .. } = self.landscape;
        LandscapeSpec { hard_alphabets, easy_alphabets, labels: self.ways, held_out: held_out_share, shared_characters }
    }

    /// The first thing wrong with the numbers, in a sentence.
    pub fn check(&self) -> Result<(), String> {
        let share = |name: &str, x: f64| {
            if (0.0..=1.0).contains(&x) {
                Ok(())
            } else {
                Err(format!("`{name}` is {x}; a share lies between 0 and 1"))
            }
        };
        let positive =
            |name: &str, x: usize| if x > 0 { Ok(()) } else { Err(format!("`{name}` is 0; it must be at least 1")) };
        let counted = |name: &str, list: &[String]| match list.iter().enumerate().find(|(i, x)| list[..*i].contains(x))
        {
            _ if list.is_empty() => Err(format!("`{name}` is empty; it needs at least one entry")),
            Some((_, twice)) => Err(format!("`{name}` has {twice} twice; entries are counted as independent")),
            None => Ok(()),
        };
        counted("settings", &words(&self.settings))?;
        counted("seeds", &words(&self.seeds))?;
        counted("standard.learners", &words(&self.standard.learners))?;
        counted("landscape.learners", &words(&self.landscape.learners))?;
        counted("evaluation.maml_steps", &words(&self.evaluation.maml_steps))?;
        counted("evaluation.nal_steps", &words(&self.evaluation.nal_steps))?;
        positive("ways", self.ways as usize)?;
        positive("filters", self.filters)?;
        for (setting, training, adaptation) in [
            ("standard", self.standard.training, self.standard.adaptation),
            ("landscape", self.landscape.training, self.landscape.adaptation),
        ] {
            positive(&format!("{setting}.training.tasks"), training.tasks)?;
            share(&format!("{setting}.training.decay_share"), training.decay_share)?;
            let rate = training.optimizer.rate();
            if !(rate.is_finite() && rate > 0.0) {
                return Err(format!("`{setting}.training.optimizer.rate` is {rate}; it must be a positive number"));
            }
            if !adaptation.alpha.is_finite() {
                return Err(format!(
                    "`{setting}.adaptation.alpha` is {}; it must be a finite number",
                    adaptation.alpha
                ));
            }
        }
        share("landscape.hard_share", self.landscape.hard_share)?;
        if !(0.0..1.0).contains(&self.landscape.held_out_share) {
            let share = self.landscape.held_out_share;
            return Err(format!("`landscape.held_out_share` is {share}; it lies between 0 and 1, without 1"));
        }
        if self.evaluation.episodes < 2 {
            return Err("`evaluation.episodes` must be at least 2: an interval needs them".into());
        }
        if !(self.evaluation.level > 0.0 && self.evaluation.level < 1.0) {
            return Err(format!(
                "`evaluation.level` is {}; a confidence level lies between 0 and 1",
                self.evaluation.level
            ));
        }
        Ok(())
    }
}

fn words<T: std::fmt::Debug>(list: &[T]) -> Vec<String> {
    list.iter().map(|entry| format!("{entry:?}")).collect()
}
