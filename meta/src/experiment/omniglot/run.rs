//! The run: for each setting, seed and learner, training and then judging, in steps that can be interrupted.

use std::{ops::Range, sync::Arc};

use maml_autograd::profile::phase;
use serde::{Deserialize, Serialize};

use super::{
    config::{Config, SettingName},
    summary::Summary,
    tasks::{Kind, Tasks, TasksError},
};
use crate::{
    LearnerName,
    checkpoint::{self, CheckpointError},
    data::ImageSet,
    experiment::{Experiment, Progress},
    maml::{InnerLoop, QUERY, Tapes, adapt},
    model::Model,
    parallel::Workers,
    train::{Diverged, Trainer, memory_of_step},
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
    /// Episodes in which adaptation diverged. Their answers are not numbers; they count as guesses, 1 in `ways` right.
    pub diverged: Vec<usize>,
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
    /// Judgements made: a judgement is a kind of task and a number of adaptation steps.
    judged: usize,
    /// Accuracies of the judgement at hand, none where adaptation diverged.
    answers: Vec<Option<f64>>,
}

/// Episodes that are judged between two looks at the clock and at the stop flag.
const EPISODES_AT_ONCE: usize = 40;

/// What is saved beside the arrays.
#[derive(Serialize, Deserialize)]
struct Position {
    current: usize,
    judged: usize,
    answers: Vec<Option<f64>>,
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

    /// Judges the current learner on the next episodes; nothing is left when `done` reaches `total`.
    fn judge_next(&mut self, cell: Cell) -> Progress {
        let stage = self.stage.as_mut().expect("a cell is judged after it was trained");
        let (episodes, all_steps) = (self.config.evaluation.episodes, self.config.judged_steps(cell.learner));
        let (kind, steps) = (stage.judged / all_steps.len(), all_steps[stage.judged % all_steps.len()]);
        let first = stage.answers.len();
        let inner = self.config.adaptation(cell.setting).inner(steps);
        let answers = judge(stage, kind, inner, first..episodes.min(first + EPISODES_AT_ONCE), &self.workers);
        let new_tasks = answers.len() as u64;
        stage.answers.extend(answers);
        let accuracy = mean_accuracy(&stage.answers);
        if stage.answers.len() == episodes {
            let answers = std::mem::take(&mut stage.answers);
            let kind = &stage.tasks.judged()[kind];
            self.scores.push(Scores::of(cell, kind, steps, &answers, 1.0 / f64::from(self.config.ways)));
            stage.judged += 1;
        }
        Progress {
            stage: format!("{}, judging", title(cell)),
            done: (stage.judged * episodes + stage.answers.len()) as u64,
            total: (stage.tasks.judged().len() * all_steps.len() * episodes) as u64,
            loss: None,
            accuracy,
            new_tasks,
        }
    }

    /// The scores so far.
    pub fn scores(&self) -> &[Scores] {
        &self.scores
    }

    /// What the scores so far say.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.config, &self.set, &self.scores)
    }

    /// The bytes of arrays that its largest training step will hold.
    pub fn memory(&self, tapes: Tapes) -> u64 {
        let of_cell = |cell: &Cell| {
            let stage = begin(&self.config, *cell, self.set.clone()).expect("checked when the run was made");
            let learner = self.config.adaptation(cell.setting).learner(cell.learner);
            let tasks = self.config.training(cell.setting).tasks;
            memory_of_step(learner, &stage.tasks, &stage.trainer.params, tasks, self.workers.threads(), tapes) as u64
        };
        let alike = |cell: &&Cell| cell.seed == self.config.seeds[0];
        self.cells.iter().filter(alike).map(of_cell).max().unwrap_or(0)
    }

    /// What to do with the tapes of inner steps from now on. Results do not depend on it.
    pub fn set_tapes(&mut self, tapes: Tapes) {
        self.workers.set_tapes(tapes);
    }

    /// What the run computes with.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

impl Experiment for Run {
    type Error = RunError;

    fn is_finished(&self) -> bool {
        self.current == self.cells.len()
    }

    fn advance(&mut self) -> Result<Progress, RunError> {
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

    fn save(&self) -> Result<Vec<u8>, RunError> {
        let stage = self.stage.as_ref();
        let position = Position {
            current: self.current,
            judged: stage.map_or(0, |stage| stage.judged),
            answers: stage.map_or(Vec::new(), |stage| stage.answers.clone()),
            scores: self.scores.clone(),
        };
        let position = serde_json::to_vec(&position).map_err(|e| RunError::State(e.to_string()))?;
        let mut bytes = (position.len() as u64).to_le_bytes().to_vec();
        bytes.extend(position);
        if let Some(stage) = &self.stage {
            bytes.extend(checkpoint::to_bytes(&stage.trainer));
        }
        Ok(bytes)
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RunError> {
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
                stage.answers = position.answers;
                Some(stage)
            }
            _ => None,
        };
        self.current = position.current.min(self.cells.len());
        self.scores = position.scores;
        Ok(())
    }
}

fn begin(config: &Config, cell: Cell, set: Arc<ImageSet>) -> Result<Stage, RunError> {
    let tasks = Tasks::new(config, cell.setting, cell.seed, set).map_err(|e| episodes(cell.setting, e))?;
    let trainer = Trainer::new(tasks.model().init(cell.seed), config.training(cell.setting).optimizer);
    Ok(Stage { tasks, trainer, judged: 0, answers: Vec::new() })
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
        new_tasks: training.tasks as u64,
    })
}

/// The accuracy after adaptation on each of these episodes.
fn judge(stage: &Stage, kind: usize, inner: InnerLoop, episodes: Range<usize>, workers: &Workers) -> Vec<Option<f64>> {
    let w = stage.trainer.params.tensors();
    workers.map(episodes.len(), |i| {
        let task = stage.tasks.judged_task(kind, (episodes.start + i) as u64);
        let adapted = adapt(&task.support, w, inner);
        phase(QUERY, || task.query.accuracy(&adapted))
    })
}

fn mean_accuracy(answers: &[Option<f64>]) -> Option<f64> {
    let finite: Vec<f64> = answers.iter().flatten().copied().collect();
    (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
}

impl Scores {
    fn of(cell: Cell, kind: &Kind, steps: usize, answers: &[Option<f64>], chance: f64) -> Self {
        let diverged = answers.iter().enumerate().filter_map(|(i, answer)| answer.is_none().then_some(i)).collect();
        let accuracies = answers.iter().map(|answer| answer.unwrap_or(chance)).collect();
        Self { cell, group: kind.group.clone(), split: kind.split.into(), steps, accuracies, diverged }
    }
}

fn title(cell: Cell) -> String {
    format!("{} {} seed {}", cell.setting.name(), cell.learner.name(), cell.seed)
}

fn episodes(setting: SettingName, source: TasksError) -> RunError {
    RunError::Tasks { setting: setting.name(), source }
}
