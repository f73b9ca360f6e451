//! The settings of the experiment, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    experiment::sweep::with_number,
    maml::{InnerLoop, Order},
    model::{Activation, TwoLayer},
    optim::Optimizer,
    task::teacher::TeacherSpec,
    train::Learner,
};

/// Everything that a run depends on. The first keys are those of the environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// d, the length of an input.
    pub dim: usize,
    /// Hidden units of students and teachers.
    pub neurons: usize,
    /// σ.
    pub activation: Activation,
    /// p, the share of hard tasks, in training and in judging.
    pub hard_share: f64,
    /// ρ_E: easy tasks have x ~ N(0, ρ_E I).
    pub rho_easy: f64,
    /// ρ_H: hard tasks have x ~ N(0, ρ_H I).
    pub rho_hard: f64,
    /// R.
    pub distance: f64,
    /// r_E.
    pub spread_easy: f64,
    /// r_H.
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
    /// N, the samples of a training task's query set.
    pub samples: usize,
    /// Test tasks of each kind and seed.
    pub test_tasks: usize,
    /// Samples on which a test task's excess risk is measured.
    pub test_samples: usize,
    /// Random initialisations of each training; the best by the training objective is kept.
    pub starts: usize,
    /// How a training goes, and when it ends.
    pub training: Training,
    /// Independent repetitions of the sweeps: each has an environment of its own.
    pub seeds: Vec<u64>,
    /// Confidence level of the intervals, such as 0.95.
    pub level: f64,
    /// A gain (in logarithm) below this share of the sweep's largest counts as none.
    pub negligible: f64,
    /// Names of the sweeps to run, in this order.
    pub run: Vec<String>,
    /// Stationary points of environments with one easy and one hard task.
    pub pairs: Pairs,
    /// What can be run, by name.
    pub sweep: BTreeMap<String, Sweep>,
}

/// How a training goes, and when it ends: steps of an optimiser, then L-BFGS to the last digits.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Adam or SGD.
    pub optimizer: Optimizer,
    /// Steps of it; 0 leaves all to L-BFGS.
    pub steps: usize,
    /// ‖∇‖ as a share of its initial value at which a point counts as stationary.
    pub tolerance: f64,
    /// The largest number of evaluations of objective and gradient by L-BFGS.
    pub evaluations: usize,
}

/// Two-task environments.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// How many; 0 leaves them out.
    pub environments: usize,
    /// Samples that stand for a task's population, the same in adaptation, training and judging.
    pub samples: usize,
    /// Places of the loss surface of the first environment, on each axis; 0 leaves it out.
    pub surface: usize,
}

/// One figure: a parameter takes some values, everything else stays at its base.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The figure's title.
    pub title: String,
    /// What varies: a key that holds a number, or `hardness_ratio`, which sets ρ_H to a multiple of ρ_E.
    pub parameter: String,
    /// What its axis says.
    pub label: String,
    /// Its values.
    pub values: Vec<f64>,
    /// Whether its axis is logarithmic.
    pub log: bool,
}

impl Config {
    /// The config with a sweep's parameter at `value`.
    pub(super) fn at(&self, sweep: &Sweep, value: f64) -> Result<Self, String> {
        match sweep.parameter.as_str() {
            "hardness_ratio" => with_number(self, "rho_hard", value * self.rho_easy),
            key => with_number(self, key, value),
        }
    }

    /// The network.
    pub fn model(&self) -> TwoLayer {
        TwoLayer { dim: self.dim, neurons: self.neurons, activation: self.activation }
    }

    /// How many weights it has.
    pub(super) fn parameters(&self) -> usize {
        self.dim * self.neurons
    }

    /// The inner loop.
    pub fn inner(&self) -> InnerLoop {
        InnerLoop { alpha: self.alpha, steps: self.inner_steps }
    }

    /// What both learners minimise, NAL first.
    pub(super) fn learners(&self) -> [Learner; 2] {
        [Learner::Nal, Learner::Maml(self.inner(), Order::Second)]
    }

    pub(super) fn spec(&self) -> TeacherSpec {
        TeacherSpec {
            model: self.model(),
            rho: [self.rho_easy, self.rho_hard],
            distance: self.distance,
            spread: [self.spread_easy, self.spread_hard],
            noise_variance: self.noise_variance,
        }
    }

    /// The first thing wrong with the numbers, in a sentence.
    ///
    /// # Errors
    /// Names the key.
    pub fn check(&self) -> Result<(), String> {
        let counts = [
            ("dim", self.dim),
            ("neurons", self.neurons),
            ("adaptation_samples", self.adaptation_samples),
            ("tasks", self.tasks),
            ("samples", self.samples),
            ("test_tasks", self.test_tasks),
            ("test_samples", self.test_samples),
            ("starts", self.starts),
            ("training.evaluations", self.training.evaluations),
            ("pairs.samples", self.pairs.samples),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(format!("`{name}` is 0; it must be at least 1"));
        }
        let least = |name: &str, x: f64, least: f64| {
            if x.is_finite() && x >= least {
                Ok(())
            } else {
                Err(format!("`{name}` is {x}; it must be at least {least}"))
            }
        };
        for (name, x) in [("rho_easy", self.rho_easy), ("rho_hard", self.rho_hard), ("alpha", self.alpha)] {
            least(name, x, f64::MIN_POSITIVE)?;
        }
        let rest = [
            ("spread_easy", self.spread_easy),
            ("spread_hard", self.spread_hard),
            ("noise_variance", self.noise_variance),
        ];
        rest.into_iter().try_for_each(|(name, x)| least(name, x, 0.0))?;
        if !self.distance.is_finite() {
            return Err(format!("`distance` is {}; it must be a finite number", self.distance));
        }
        if !(0.0..=1.0).contains(&self.hard_share) {
            return Err(format!("`hard_share` is {}; a share lies between 0 and 1", self.hard_share));
        }
        for (name, x) in
            [("level", self.level), ("negligible", self.negligible), ("training.tolerance", self.training.tolerance)]
        {
            if !(x > 0.0 && x < 1.0) {
                return Err(format!("`{name}` is {x}; it lies between 0 and 1"));
            }
        }
        let rate = self.training.optimizer.rate();
        if !(rate.is_finite() && rate > 0.0) {
            return Err(format!("`training.optimizer.rate` is {rate}; it must be a positive number"));
        }
        if self.seeds.len() < 2 {
            return Err(format!("`seeds` has {} entries; an interval needs at least 2", self.seeds.len()));
        }
        if let Some((_, twice)) = self.seeds.iter().enumerate().find(|(i, seed)| self.seeds[..*i].contains(seed)) {
            return Err(format!("`seeds` has {twice} twice; entries are counted as independent"));
        }
        if self.pairs.environments == 1 {
            return Err("`pairs.environments` is 1; an interval needs at least 2, and 0 leaves them out".into());
        }
        if self.run.is_empty() && self.pairs.environments == 0 {
            return Err("`run` names no sweep and `pairs.environments` is 0: there is nothing to do".into());
        }
        for name in &self.run {
            let known = || self.sweep.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let sweep = self.sweep.get(name);
            let sweep = sweep
                .ok_or_else(|| format!("`run` names the sweep `{name}`, and there is none; known: {}", known()))?;
            if sweep.values.is_empty() {
                return Err(format!("`sweep.{name}.values` is empty; it needs at least one value"));
            }
            for &value in &sweep.values {
                let at = self.at(sweep, value).map_err(|error| format!("sweep `{name}`: {error}"))?;
                Self { run: Vec::new(), pairs: Pairs { environments: 2, ..at.pairs }, ..at }
                    .check()
                    .map_err(|error| format!("sweep `{name}` at {value}: {error}"))?;
            }
        }
        Ok(())
    }
}
