//! The run: the engine's check, then every cell of every sweep, in units that can be interrupted.

use serde::{Deserialize, Serialize};

use super::{
    cell::{Cell, CellError, Draw},
    config::{Config, Sweep},
    engine::{Check, EngineError, EngineResult},
};
use crate::{
    experiment::{Experiment, Progress},
    parallel::Workers,
    theory::TheoryError,
};

/// Seeds that are computed between two looks at the clock and at the stop flag.
const SEEDS_AT_ONCE: usize = 8;

/// Why a run cannot begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A number of the config makes no sense.
    #[error("config: {0}")]
    Config(String),
    /// There is no closed form at a value.
    #[error("{place}: {source}")]
    Theory {
        /// Which sweep, at which value.
        place: String,
        /// Why.
        source: TheoryError,
    },
    /// A seed found nothing.
    #[error("{place}: {source}")]
    Cell {
        /// Which sweep, at which value.
        place: String,
        /// Why.
        source: CellError,
    },
    /// The engine's check cannot be made.
    #[error("check of the engine: {0}")]
    Engine(#[from] EngineError),
    /// A saved state cannot be read.
    #[error("the saved state cannot be read: {0}")]
    State(String),
}

/// A run of the experiment between two units of work.
pub struct Run {
    config: Config,
    workers: Workers,
    checks: Vec<Check>,
    cells: Vec<Cell>,
    found: Found,
}

/// What was found so far.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    /// One for each check of the engine.
    pub(super) engine: Vec<EngineResult>,
    /// For each cell one for each seed; only the last may be unfinished.
    pub(super) draws: Vec<Vec<Draw>>,
}

impl Run {
    /// A run at its beginning. Checks the config, and solves every closed form.
    ///
    /// # Errors
    /// The config is wrong, or a value of a sweep has no closed form.
    pub fn new(config: Config, workers: Workers) -> Result<Self, RunError> {
        config.check().map_err(RunError::Config)?;
        let base = config.landscape().map_err(|source| RunError::Theory { place: "the base".into(), source });
        base?;
        let mut cells = Vec::new();
        for name in &config.run {
            let sweep = &config.sweep[name];
            for (value, across) in places(sweep) {
                let cell = Cell::new(&config, name, sweep, value, across);
                cells.push(
                    cell.map_err(|source| RunError::Theory { place: place(name, sweep, value, across), source })?,
                );
            }
        }
        Ok(Self { checks: Check::all(&config), config, workers, cells, found: Found::default() })
    }

    fn check_next(&mut self) -> Result<Progress, RunError> {
        let check = self.checks[self.found.engine.len()];
        self.found.engine.push(check.run(&self.config, &self.workers)?);
        let (done, total) = (self.found.engine.len() as u64, self.checks.len() as u64);
        Ok(Progress { stage: "check of the engine".into(), done, total, ..Progress::default() })
    }

    fn draw_next(&mut self) -> Result<Progress, RunError> {
        if self.found.draws.last().is_none_or(|draws| draws.len() == self.config.seeds.len()) {
            self.found.draws.push(Vec::new());
        }
        let at = self.found.draws.len() - 1;
        let (cell, draws) = (&self.cells[at], &mut self.found.draws[at]);
        let left = &self.config.seeds[draws.len()..];
        let seeds = &left[..left.len().min(SEEDS_AT_ONCE)];
        let fresh = self.workers.map(seeds.len(), |i| cell.draw(seeds[i]));
        let fresh = fresh.into_iter().collect::<Result<Vec<_>, _>>().map_err(|source| RunError::Cell {
            place: place(&cell.sweep, &self.config.sweep[&cell.sweep], cell.value, cell.across),
            source,
        })?;
        draws.extend(fresh);
        let of_sweep = |cells: &[Cell]| cells.iter().filter(|other| other.sweep == cell.sweep).count();
        let seeds_of = |cells: usize| (cells * self.config.seeds.len()) as u64;
        Ok(Progress {
            stage: format!("sweep {}", cell.sweep),
            done: seeds_of(of_sweep(&self.cells[..at])) + draws.len() as u64,
            total: seeds_of(of_sweep(&self.cells)),
            new_tasks: (seeds.len() * self.config.tasks) as u64,
            ..Progress::default()
        })
    }

    /// What the run computes with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The finished cells with what each seed found there.
    pub fn finished(&self) -> impl Iterator<Item = (&Cell, &[Draw])> {
        let whole = self.cells.iter().zip(&self.found.draws);
        whole.map(|(cell, draws)| (cell, draws.as_slice())).filter(|(_, draws)| draws.len() == self.config.seeds.len())
    }

    /// The finished checks of the engine.
    pub fn engine(&self) -> &[EngineResult] {
        &self.found.engine
    }
}

impl Experiment for Run {
    type Error = RunError;

    fn is_finished(&self) -> bool {
        let whole = |draws: &Vec<Draw>| draws.len() == self.config.seeds.len();
        self.found.engine.len() == self.checks.len()
            && self.found.draws.len() == self.cells.len()
            && self.found.draws.last().is_none_or(whole)
    }

    fn advance(&mut self) -> Result<Progress, RunError> {
        if self.found.engine.len() < self.checks.len() { self.check_next() } else { self.draw_next() }
    }

    fn save(&self) -> Result<Vec<u8>, RunError> {
        serde_json::to_vec(&self.found).map_err(|error| RunError::State(error.to_string()))
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        let found: Found = serde_json::from_slice(bytes).map_err(|error| RunError::State(error.to_string()))?;
        let seeds = self.config.seeds.len();
        let fits = found.engine.len() <= self.checks.len()
            && found.draws.len() <= self.cells.len()
            && found.draws.iter().enumerate().all(|(i, draws)| match i + 1 == found.draws.len() {
                true => draws.len() <= seeds,
                false => draws.len() == seeds,
            });
        if !fits {
            return Err(RunError::State("it has more, or other, results than this config".into()));
        }
        self.found = found;
        Ok(())
    }
}

/// The values of a sweep; of a map, row by row.
fn places(sweep: &Sweep) -> Vec<(f64, Option<f64>)> {
    match &sweep.across {
        None => sweep.values.iter().map(|&value| (value, None)).collect(),
        Some(across) => {
            let rows = across.values.iter();
            rows.flat_map(|&across| sweep.values.iter().map(move |&value| (value, Some(across)))).collect()
        }
    }
}

fn place(name: &str, sweep: &Sweep, value: f64, across: Option<f64>) -> String {
    let at = format!("sweep `{name}`, {} = {value}", sweep.parameter);
    match (&sweep.across, across) {
        (Some(other), Some(value)) => format!("{at}, {} = {value}", other.parameter),
        _ => at,
    }
}
