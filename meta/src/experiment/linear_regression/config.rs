//! The settings of the experiment, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::parameter::Parameter;
use crate::experiment::sweep::Measure;

/// Everything that a run depends on. The first keys are those of the two-group environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// d, the length of an input.
    pub dim: usize,
    /// p, the share of hard tasks.
    pub hard_share: f64,
    /// ρ_E: easy tasks have x ~ N(0, ρ_E I).
    pub rho_easy: f64,
    /// ρ_H: hard tasks have x ~ N(0, ρ_H I).
    pub rho_hard: f64,
    /// The condition number of all covariances: their eigenvalues fall geometrically from ρ to ρ/condition. Easy tasks have
    /// them along the axes, hard tasks along the vectors of the discrete cosine transform.
    pub condition: f64,
    /// R: hard tasks' solutions lie around R·(1, …, 1), easy ones' around 0.
    pub distance: f64,
    /// r_E: easy tasks have w* ~ N(0, r_E I).
    pub spread_easy: f64,
    /// r_H: hard tasks have w* ~ N(R·1, r_H I).
    pub spread_hard: f64,
    /// ν², the variance of the targets' noise.
    pub noise_variance: f64,
    /// α, the step size of adaptation.
    pub alpha: f64,
    /// m, the fresh samples of an adaptation step.
    pub adaptation_samples: usize,
    /// K, the steps of adaptation.
    pub inner_steps: usize,
    /// n, the tasks that a learner is trained on.
    pub tasks: usize,
    /// N, the samples of a training task's outer batch. MAML adapts on K batches of m beside it; NAL pools all K m + N.
    pub samples: usize,
    /// A landscape of one's own; if there are any groups, they stand in the place of the two.
    pub groups: Vec<GroupConfig>,
    /// Test tasks of each group and seed.
    pub test_tasks: usize,
    /// Independent repetitions: each has its own training and test tasks.
    pub seeds: Vec<u64>,
    /// Confidence level of the intervals, such as 0.95.
    pub level: f64,
    /// A gain (in logarithm) below this share of the sweep's largest counts as none.
    pub negligible: f64,
    /// Names of the sweeps to run, in this order.
    pub run: Vec<String>,
    /// The check of the engine against the closed forms.
    pub engine: EngineCheck,
    /// What can be run, by name.
    pub sweep: BTreeMap<String, Sweep>,
}

/// A group of a landscape of one's own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// Its name.
    pub name: String,
    /// The probability of drawing a task from it; the shares sum to 1.
    pub share: f64,
    /// Σ: x ~ N(0, Σ).
    pub covariance: Covariance,
    /// μ: w* ~ N(μ, S).
    pub centre: Centre,
    /// S.
    pub spread: Covariance,
}

/// A covariance: one number for ρI, a list for the diagonal, or a list of rows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number (times the identity), a list (the diagonal), or a list of rows")]
pub enum Covariance {
    /// ρI.
    Isotropic(f64),
    /// Along the axes.
    Axes(Vec<f64>),
    /// Row by row.
    Full(Vec<Vec<f64>>),
}

/// A centre: one number for all coordinates, or a list.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number (for all coordinates) or a list")]
pub enum Centre {
    /// The same in every coordinate.
    All(f64),
    /// Each coordinate.
    Each(Vec<f64>),
}

/// Both objectives, trained through the engine to their minimisers.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineCheck {
    /// Whether to check.
    pub enabled: bool,
    /// Tasks of the check on sampled data.
    pub tasks: usize,
    /// Steps of gradient descent after which it is given up.
    pub most_steps: u64,
    /// The relative distance from the minimiser that is asked for.
    pub tolerance: f64,
}

/// One figure: a parameter takes some values, everything else stays at its base.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The figure's title.
    pub title: String,
    /// What is measured.
    pub measure: Measure,
    /// What varies.
    pub parameter: Parameter,
    /// Its values.
    pub values: Vec<f64>,
    /// Whether its axis is logarithmic.
    pub log: bool,
    /// For a map: what varies across.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub across: Option<Across>,
}

/// The second axis of a map.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Across {
    /// What varies.
    pub parameter: Parameter,
    /// Its values.
    pub values: Vec<f64>,
    /// Whether its axis is logarithmic.
    pub log: bool,
}

impl Config {
    /// The first thing wrong with the numbers, in a sentence. Landscapes are checked where they are made.
    ///
    /// # Errors
    /// Names the key.
    pub fn check(&self) -> Result<(), String> {
        let at_least = |name: &str, x: usize, least: usize| {
            if x >= least { Ok(()) } else { Err(format!("`{name}` is {x}; it must be at least {least}")) }
        };
        at_least("test_tasks", self.test_tasks, 1)?;
        at_least("engine.tasks", self.engine.tasks, 1)?;
        if self.seeds.len() < 2 {
            return Err(format!("`seeds` has {} entries; an interval needs at least 2", self.seeds.len()));
        }
        if let Some(twice) = first_twice(&self.seeds) {
            return Err(format!("`seeds` has {twice} twice; entries are counted as independent"));
        }
        for (name, x) in [("level", self.level), ("negligible", self.negligible)] {
            if !(x > 0.0 && x < 1.0) {
                return Err(format!("`{name}` is {x}; it lies between 0 and 1"));
            }
        }
        let tolerance = self.engine.tolerance;
        if !(tolerance > 0.0 && tolerance.is_finite()) {
            return Err(format!("`engine.tolerance` is {tolerance}; it must be a positive number"));
        }
        if self.run.is_empty() && !self.engine.enabled {
            return Err("`run` names no sweep and `engine.enabled` is false: there is nothing to do".into());
        }
        if let Some(twice) = first_twice(&self.run) {
            return Err(format!("`run` has `{twice}` twice"));
        }
        self.run.iter().try_for_each(|name| self.check_sweep(name))
    }

    fn check_sweep(&self, name: &str) -> Result<(), String> {
        let Some(sweep) = self.sweep.get(name) else {
            let known: Vec<&str> = self.sweep.keys().map(String::as_str).collect();
            return Err(format!(
                "`run` names the sweep `{name}`, and there is no [sweep.{name}]; known: {}",
                known.join(", ")
            ));
        };
        let lists =
            [Some((&sweep.values, "values")), sweep.across.as_ref().map(|across| (&across.values, "across.values"))];
        for (values, key) in lists.into_iter().flatten() {
            if values.is_empty() {
                return Err(format!("`sweep.{name}.{key}` is empty; it needs at least one value"));
            }
        }
        Ok(())
    }
}

fn first_twice<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(i, x)| list[..*i].contains(x)).map(|(_, x)| x)
}
