//! The tasks of each setting: which characters, how many shots, which labels.

use std::sync::Arc;

use maml_autograd::Tensor;
use rand::RngExt;

use super::config::{Config, SettingName};
use crate::{
    Purpose,
    data::ImageSet,
    maml::Task,
    model::{Classification, Conv4},
    rng,
    task::{
        ClassPool, Episode, EpisodeError, EpisodeSpec, Labels, PoolError, Shot, draw, landscape_pools, pixels,
        standard_split,
    },
    train::TaskSource,
};

/// One kind of task: a set of classes, and how episodes are drawn from it.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its hardness, such as "hard".
    pub group: String,
    /// Where its characters come from: "train" (seen in training), "held out" (other characters of the same
    /// alphabets) or "test" (characters, or alphabets, never seen).
    pub split: &'static str,
    pool: ClassPool,
    spec: EpisodeSpec,
}

/// The tasks of one setting and one seed.
pub struct Tasks {
    set: Arc<ImageSet>,
    model: Conv4,
    seed: u64,
    training: Vec<Kind>,
    /// Share of the last training kind; the first has the rest.
    hard_share: f64,
    judged: Vec<Kind>,
}

/// Why the tasks of a config cannot be made of these images.
#[derive(Debug, thiserror::Error)]
pub enum TasksError {
    /// The characters cannot be split as asked.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The episodes cannot be drawn.
    #[error(transparent)]
    Episode(#[from] EpisodeError),
}

const TRAIN: &str = "train";
const HELD_OUT: &str = "held out";
const TEST: &str = "test";

impl Tasks {
    /// Splits the characters and checks that every kind of episode can be drawn.
    pub fn new(config: &Config, setting: SettingName, seed: u64, set: Arc<ImageSet>) -> Result<Self, TasksError> {
        let (height, width, channels) = (set.height, set.width, set.channels);
        let model = Conv4 { height, width, channels, filters: config.filters, ways: config.ways as usize };
        let (training, judged) = match setting {
            SettingName::Standard => standard(config, seed, &set)?,
            SettingName::Landscape => landscape(config, seed, &set)?,
        };
        let hard_share = if training.len() == 1 { 0.0 } else { config.landscape.hard_share };
        let tasks = Self { set, model, seed, training, hard_share, judged };
        for kind in tasks.training.iter().chain(&tasks.judged) {
            draw(&kind.pool, &kind.spec, seed, Purpose::TestEpisode, 0, 0)?;
        }
        Ok(tasks)
    }

    /// The network for these images.
    pub fn model(&self) -> Conv4 {
        self.model
    }

    /// The kinds of task on which learners are judged.
    pub fn judged(&self) -> &[Kind] {
        &self.judged
    }

    /// An episode of a judged kind, the same for every learner.
    pub fn judged_task(&self, kind: usize, index: u64) -> Task<Classification<Conv4, f32>> {
        self.batches(&self.episode(&self.judged[kind], Purpose::TestEpisode, kind as u64, index))
    }

    fn episode(&self, kind: &Kind, purpose: Purpose, iteration: u64, index: u64) -> Episode {
        draw(&kind.pool, &kind.spec, self.seed, purpose, iteration, index)
            .expect("whether episodes can be drawn does not depend on the index, and was checked")
    }

    fn training_episode(&self, iteration: u64, index: u64) -> Episode {
        let hard = rng(self.seed, Purpose::Task, iteration, index).random::<f64>() < self.hard_share;
        let kind = if hard { self.training.len() - 1 } else { 0 };
        self.episode(&self.training[kind], Purpose::TrainEpisode, iteration, index)
    }

    fn batches(&self, episode: &Episode) -> Task<Classification<Conv4, f32>> {
        Task { support: vec![self.batch(&episode.support)], query: self.batch(&episode.query) }
    }

    fn batch(&self, shots: &[Shot]) -> Classification<Conv4, f32> {
        let mut values = Vec::new();
        pixels(shots, &self.set, &mut values);
        let shape = [shots.len(), self.model.height, self.model.width, self.model.channels];
        let labels = shots.iter().map(|shot| shot.label).collect();
        Classification { model: self.model, x: Tensor::new(shape, &values), labels }
    }
}

impl TaskSource<f32> for Tasks {
    type Loss = Classification<Conv4, f32>;

    fn task(&self, iteration: u64, index: u64) -> Task<Self::Loss> {
        self.batches(&self.training_episode(iteration, index))
    }
}

type Kinds = (Vec<Kind>, Vec<Kind>);

fn standard(config: &Config, seed: u64, set: &ImageSet) -> Result<Kinds, PoolError> {
    let (train, test) = standard_split(set, seed)?;
    let shots = config.standard.shots;
    let group = format!("{}-way {shots}-shot", config.ways);
    let kind = |split, pool: &ClassPool, queries| Kind {
        group: group.clone(),
        split,
        pool: pool.clone(),
        spec: config.spec(shots, queries, Labels::Permuted),
    };
    let judged = config.evaluation.queries;
    Ok((vec![kind(TRAIN, &train, config.queries)], vec![kind(TRAIN, &train, judged), kind(TEST, &test, judged)]))
}

fn landscape(config: &Config, seed: u64, set: &ImageSet) -> Result<Kinds, PoolError> {
    let l = &config.landscape;
    let pools = landscape_pools(set, seed, &config.geography())?;
    let groups = [("easy", l.easy_shots, &pools.easy), ("hard", l.hard_shots, &pools.hard)];
    let kind = |group: &str, split, pool: &ClassPool, shots, queries| Kind {
        group: group.into(),
        split,
        pool: pool.clone(),
        spec: config.spec(shots, queries, l.labels),
    };
    let training = groups.map(|(group, shots, pools)| kind(group, TRAIN, &pools.train, shots, config.queries));
    let judged = groups.iter().flat_map(|(group, shots, pools)| {
        let splits = [(TRAIN, &pools.train), (HELD_OUT, &pools.held_out), (TEST, &pools.unseen)];
        let present = splits.into_iter().filter(|(_, pool)| !pool.classes.is_empty());
        present.map(|(split, pool)| kind(group, split, pool, *shots, config.evaluation.queries)).collect::<Vec<_>>()
    });
    Ok((training.into(), judged.collect()))
}
