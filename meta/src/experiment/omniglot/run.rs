//! The run: for each setting, seed and learner, training and then judging, in steps that can be interrupted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    config::{Config, LearnerName, SettingName},
    summary::Summary,
    tasks::{Tasks, TasksError},
};
use crate::{
    checkpoint::{self, CheckpointError},
    data::ImageSet,
    maml::adapt,
    model::Model,
    parallel::Workers,
    train::{Diverged, Trainer},
};

/// One training run of the experiment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cell {
    /// Which tasks.
    pub setting: SettingName,
    /// Which seed.
    pub seed: u64,
    /// Who is trained.
    pub learner: LearnerName,
}

/// The query accuracies of a learner on the episodes of one kind, in the order of the episodes: learners of the
/// same cell met the same episodes, so their scores pair.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scores {
    /// What was trained.
    pub cell: Cell,
    /// The hardness of the tasks.
    pub group: String,
    /// Where their characters come from.
    pub split: String,
    /// Adaptation steps.
    pub steps: usize,
    /// A share of correct answers for each episode.
    pub accuracies: Vec<f64>,
    /// Episodes in which adaptation diverged; they count as wholly wrong.
    pub diverged: usize,
}

/// What happened in one advance.
#[derive(Clone, Debug)]
pub struct Progress {
    /// What is going on, such as "standard MAML seed 0".
    pub stage: String,
    /// Units of work done in this stage.
    pub done: u64,
    /// Units of work of this stage.
    pub total: u64,
    /// The training loss of this step.
    pub loss: Option<f64>,
    /// The mean accuracy of the kind just judged.
    pub accuracy: Option<f64>,
    /// Tasks computed in this advance.
    pub tasks: u64,
}

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A number of the config makes no sense.
    #[error("config: {0}")]
    Config(String),
    /// The config asks for episodes that the data cannot give.
    #[error("setting `{setting}`: {source}")]
    Tasks {
        /// The setting.
        setting: &'static str,
        /// What is impossible.
        source: TasksError,
    },
    /// A number stopped being finite.
    #[error("{stage}: {source}")]
    Diverged {
        /// Which training.
        stage: String,
        /// Where.
        source: Diverged,
    },
    /// A saved state is not of this run.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A saved state cannot be read.
    #[error("the saved state cannot be read: {0}")]
    State(String),
}

/// A run of the experiment between two steps.
pub struct Run {
    config: Config,
    set: Arc<ImageSet>,
    workers: Workers,
    cells: Vec<Cell>,
    current: usize,
    stage: Option<Stage>,
    scores: Vec<Scores>,
}

/// What the current cell holds.
struct Stage {
    tasks: Tasks,
    trainer: Trainer<f32>,
    /// Judgements still to make: kind and adaptation steps.
    judged: usize,
}

/// What is saved beside the arrays.
#[derive(Serialize, Deserialize)]
struct Position {
    current: usize,
    judged: usize,
    scores: Vec<Scores>,
}

impl Run {
    /// A run at its beginning. Checks the config, and that every kind of episode can be drawn.
    pub fn new(config: Config, set: Arc<ImageSet>, workers: Workers) -> Result<Self, RunError> {
        config.check().map_err(RunError::Config)?;
        let mut cells = Vec::new();
        for &setting in &config.settings {
            for &seed in &config.seeds {
                Tasks::new(&config, setting, seed, set.clone()).map_err(|e| episodes(setting, e))?;
                cells.extend(config.learners(setting).iter().map(|&learner| Cell { setting, seed, learner }));
            }
        }
        Ok(Self { config, set, workers, cells, current: 0, stage: None, scores: Vec::new() })
    }

    /// Whether everything is trained and judged.
    pub fn is_finished(&self) -> bool {
        self.current == self.cells.len()
    }

    /// Does one unit of work: a training step, or the judging of one learner on one kind of task. Panics when
    /// the run is finished.
    pub fn advance(&mut self) -> Result<Progress, RunError> {
        let cell = self.cells[self.current];
        if self.stage.is_none() {
            self.stage = Some(begin(&self.config, cell, self.set.clone())?);
        }
        let stage = self.stage.as_mut().expect("just begun");
        if stage.trainer.iteration < self.config.training(cell.setting).iterations {
            return train(&self.config, cell, stage, &self.workers);
        }
        let progress = self.judge_next(cell);
        if progress.done >= progress.total {
            self.current += 1;
            self.stage = None;
        }
        Ok(progress)
    }

    /// Judges the current learner on the next kind of task; nothing is left when `done` reaches `total`.
    fn judge_next(&mut self, cell: Cell) -> Progress {
        let stage = self.stage.as_mut().expect("a cell is judged after it was trained");
        let steps = self.config.judged_steps(cell.learner);
        let total = (stage.tasks.judged().len() * steps.len()) as u64;
        let stage_name = format!("{}, judging", title(cell));
        if total == 0 {
            return Progress { stage: stage_name, done: 0, total, loss: None, accuracy: None, tasks: 0 };
        }
        let (kind, steps) = (stage.judged / steps.len(), steps[stage.judged % steps.len()]);
        let scores = judge(&self.config, cell, stage, kind, steps, &self.workers);
        stage.judged += 1;
        let (done, tasks) = (stage.judged as u64, scores.accuracies.len() as u64);
        let mean = scores.accuracies.iter().sum::<f64>() / tasks as f64;
        self.scores.push(scores);
        Progress { stage: stage_name, done, total, loss: None, accuracy: Some(mean), tasks }
    }

    /// Everything that [`Run::restore`] needs.
    pub fn save(&self) -> Result<Vec<u8>, RunError> {
        let judged = self.stage.as_ref().map_or(0, |stage| stage.judged);
        let position = Position { current: self.current, judged, scores: self.scores.clone() };
        let position = serde_json::to_vec(&position).map_err(|e| RunError::State(e.to_string()))?;
        let mut bytes = (position.len() as u64).to_le_bytes().to_vec();
        bytes.extend(position);
        if let Some(stage) = &self.stage {
            bytes.extend(checkpoint::to_bytes(&stage.trainer));
        }
        Ok(bytes)
    }

    /// Brings a fresh run of the same config, data and seeds to where [`Run::save`] was called.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        let short = || RunError::State("it ends too early".into());
        let (length, rest) = bytes.split_first_chunk().ok_or_else(short)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
        let (position, arrays) = rest.split_at_checked(length).ok_or_else(short)?;
        let position: Position = serde_json::from_slice(position).map_err(|e| RunError::State(e.to_string()))?;
        self.stage = match (self.cells.get(position.current), arrays.is_empty()) {
            (Some(&cell), false) => {
                let mut stage = begin(&self.config, cell, self.set.clone())?;
                stage.trainer = checkpoint::from_bytes(arrays, &stage.trainer)?;
                stage.judged = position.judged;
                Some(stage)
            }
            _ => None,
        };
        self.current = position.current.min(self.cells.len());
        self.scores = position.scores;
        Ok(())
    }

    /// The scores so far.
    pub fn scores(&self) -> &[Scores] {
        &self.scores
    }

    /// What the scores so far say.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.config, &self.set, &self.scores)
    }

    /// What the run computes with.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

fn begin(config: &Config, cell: Cell, set: Arc<ImageSet>) -> Result<Stage, RunError> {
    let tasks = Tasks::new(config, cell.setting, cell.seed, set).map_err(|e| episodes(cell.setting, e))?;
    let trainer = Trainer::new(tasks.model().init(cell.seed), config.training(cell.setting).optimizer);
    Ok(Stage { tasks, trainer, judged: 0 })
}

fn train(config: &Config, cell: Cell, stage: &mut Stage, workers: &Workers) -> Result<Progress, RunError> {
    let training = config.training(cell.setting);
    let optimizer = training.optimizer_at(stage.trainer.iteration);
    let learner = config.adaptation(cell.setting).learner(cell.learner);
    let loss = stage
        .trainer
        .step(learner, optimizer, &stage.tasks, training.tasks, workers)
        .map_err(|source| RunError::Diverged { stage: title(cell), source })?;
    Ok(Progress {
        stage: title(cell),
        done: stage.trainer.iteration,
        total: training.iterations,
        loss: Some(loss),
        accuracy: None,
        tasks: training.tasks as u64,
    })
}

fn judge(config: &Config, cell: Cell, stage: &Stage, kind: usize, steps: usize, workers: &Workers) -> Scores {
    let w = stage.trainer.params.tensors();
    let inner = config.adaptation(cell.setting).inner(steps);
    let found = workers.map(config.evaluation.episodes, |index| {
        let task = stage.tasks.judged_task(kind, index as u64);
        task.query.accuracy(&adapt(&task.support, w, inner))
    });
    let diverged = found.iter().filter(|accuracy| accuracy.is_none()).count();
    let accuracies = found.into_iter().map(|accuracy| accuracy.unwrap_or(0.0)).collect();
    let kind = &stage.tasks.judged()[kind];
    Scores { cell, group: kind.group.clone(), split: kind.split.into(), steps, accuracies, diverged }
}

fn title(cell: Cell) -> String {
    format!("{} {} seed {}", cell.setting.name(), cell.learner.name(), cell.seed)
}

fn episodes(setting: SettingName, source: TasksError) -> RunError {
    RunError::Tasks { setting: setting.name(), source }
}
