//! The run: sweeps, two-task environments and the loss surface, in units that can be interrupted.

use serde::{Deserialize, Serialize};

use super::{
    cell::{Draw, draw},
    config::Config,
    pair::{Pair, solve},
    surface::{Surface, surface},
};
use crate::{
    experiment::{Experiment, Progress, sweep::address},
    parallel::Workers,
};

/// Units that are computed between two looks at the clock and at the stop flag.
const UNITS_AT_ONCE: usize = 8;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A number of the config makes no sense.
    #[error("config: {0}")]
    Config(String),
    /// A saved state cannot be read.
    #[error("the saved state cannot be read: {0}")]
    State(String),
}

/// One piece of work.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Unit {
    /// A value of a sweep, by its place among the values, and a seed.
    Sweep { name: String, place: usize, seed: u64 },
    /// An environment of two tasks.
    Pair(u64),
    /// The loss surface of the first such environment.
    Surface,
}

/// What a unit found, or why it found nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) enum Found {
    Sweep(Result<Draw, String>),
    Pair(Result<Pair, String>),
    Surface(Result<Surface, String>),
}

/// A run of the experiment between two units of work.
pub struct Run {
    config: Config,
    workers: Workers,
    units: Vec<Unit>,
    found: Vec<Found>,
}

impl Unit {
    fn stage(&self) -> String {
        match self {
            Self::Sweep { name, .. } => format!("sweep {name}"),
            Self::Pair(_) => "stationary points of two-task environments".into(),
            Self::Surface => "loss surface".into(),
        }
    }

    fn run(&self, config: &Config) -> Found {
        match self {
            Self::Sweep { name, place, seed } => {
                let sweep = &config.sweep[name];
                let at = config.at(sweep, sweep.values[*place]);
                let address = address(name, sweep.values[*place], None);
                Found::Sweep(at.and_then(|config| draw(&config, *seed, address)))
            }
            Self::Pair(index) => Found::Pair(solve(config, *index)),
            Self::Surface => Found::Surface(surface(config, 0)),
        }
    }
}

impl Run {
    /// A run at its beginning.
    ///
    /// # Errors
    /// The config is wrong.
    pub fn new(config: Config, workers: Workers) -> Result<Self, RunError> {
        config.check().map_err(RunError::Config)?;
        let sweeps = config.run.iter().flat_map(|name| {
            let places = 0..config.sweep[name].values.len();
            let seeds = &config.seeds;
            places.flat_map(move |place| seeds.iter().map(move |&seed| Unit::Sweep { name: name.clone(), place, seed }))
        });
        let pairs = (0..config.pairs.environments as u64).map(Unit::Pair);
        let surface = (config.pairs.environments > 0 && config.pairs.surface > 0).then_some(Unit::Surface);
        let units = sweeps.chain(pairs).chain(surface).collect();
        Ok(Self { config, workers, units, found: Vec::new() })
    }

    /// What the run computes with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Every finished unit with what it found.
    pub(super) fn finished(&self) -> impl Iterator<Item = (&Unit, &Found)> {
        self.units.iter().zip(&self.found)
    }

    /// The loss surface, once it is computed.
    pub fn surface(&self) -> Option<&Surface> {
        self.found.iter().find_map(|found| match found {
            Found::Surface(Ok(surface)) => Some(surface),
            _ => None,
        })
    }

    /// The finished two-task environments, by their number.
    pub fn pairs(&self) -> impl Iterator<Item = (u64, &Pair)> {
        self.finished().filter_map(|unit| match unit {
            (Unit::Pair(index), Found::Pair(Ok(pair))) => Some((*index, pair)),
            _ => None,
        })
    }
}

impl Experiment for Run {
    type Error = RunError;

    fn is_finished(&self) -> bool {
        self.found.len() == self.units.len()
    }

    fn advance(&mut self) -> Result<Progress, RunError> {
        let first = self.found.len();
        let stage = self.units[first].stage();
        let next: Vec<&Unit> =
            self.units[first..].iter().take_while(|unit| unit.stage() == stage).take(UNITS_AT_ONCE).collect();
        let fresh = self.workers.map(next.len(), |i| next[i].run(&self.config));
        let new_tasks = next.len() as u64;
        self.found.extend(fresh);
        let of_stage = |units: &[Unit]| units.iter().filter(|unit| unit.stage() == stage).count() as u64;
        Ok(Progress {
            done: of_stage(&self.units[..self.found.len()]),
            total: of_stage(&self.units),
            stage,
            new_tasks,
            ..Progress::default()
        })
    }

    fn save(&self) -> Result<Vec<u8>, RunError> {
        serde_json::to_vec(&self.found).map_err(|error| RunError::State(error.to_string()))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        let found: Vec<Found> = serde_json::from_slice(bytes).map_err(|error| RunError::State(error.to_string()))?;
        let fits = |(unit, found): (&Unit, &Found)| {
            matches!(
                (unit, found),
                (Unit::Sweep { .. }, Found::Sweep(_))
                    | (Unit::Pair(_), Found::Pair(_))
                    | (Unit::Surface, Found::Surface(_))
            )
        };
        if found.len() > self.units.len() || !self.units.iter().zip(&found).all(fits) {
            return Err(RunError::State("it has more, or other, results than this config".into()));
        }
        self.found = found;
        Ok(())
    }
}
