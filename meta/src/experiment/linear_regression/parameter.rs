//! What a sweep can vary: the numbers of the environment, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::Config;

/// A number of the environment. Its word in configs is the key that it sets; `hardness_ratio` sets ρ_H to a multiple of ρ_E;
/// `NAME.share`, `NAME.covariance`, `NAME.centre` and `NAME.spread` set the share, or multiply the covariance, centre or
/// spread, of the group NAME of a landscape of one's own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Parameter {
    /// ρ_H/ρ_E, with ρ_E at its base.
    HardnessRatio,
    /// A key of the two-group environment.
    Key(Key),
    /// A part of a group of one's own.
    Group(String, Part),
}

/// The keys that a sweep may vary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// p
    HardShare,
    /// ρ_E
    RhoEasy,
    /// ρ_H
    RhoHard,
    /// Condition number of the covariances.
    Condition,
    /// R
    Distance,
    /// r_E
    SpreadEasy,
    /// r_H
    SpreadHard,
    /// ν²
    NoiseVariance,
    /// α
    Alpha,
    /// m
    AdaptationSamples,
    /// K
    InnerSteps,
    /// n
    Tasks,
    /// N
    Samples,
}

/// The parts of a group that a sweep may vary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Its share; the others keep their proportions.
    Share,
    /// A factor on its covariance.
    Covariance,
    /// A factor on its centre.
    Centre,
    /// A factor on its spread.
    Spread,
}

/// Word in configs, label of an axis, whether only whole numbers make sense.
const KEYS: [(Key, &str, &str, bool); 13] = [
    (Key::HardShare, "hard_share", "share of hard tasks p", false),
    (Key::RhoEasy, "rho_easy", "scale of easy tasks ρ_E", false),
    (Key::RhoHard, "rho_hard", "scale of hard tasks ρ_H", false),
    (Key::Condition, "condition", "condition number of the covariances", false),
    (Key::Distance, "distance", "distance of the hard tasks' centre R", false),
    (Key::SpreadEasy, "spread_easy", "spread of the easy tasks' solutions r_E", false),
    (Key::SpreadHard, "spread_hard", "spread of the hard tasks' solutions r_H", false),
    (Key::NoiseVariance, "noise_variance", "variance of the noise ν²", false),
    (Key::Alpha, "alpha", "step size α", false),
    (Key::AdaptationSamples, "adaptation_samples", "adaptation samples m", true),
    (Key::InnerSteps, "inner_steps", "inner steps K", true),
    (Key::Tasks, "tasks", "training tasks n", true),
    (Key::Samples, "samples", "samples of a task's outer batch N", true),
];

const PARTS: [(Part, &str, &str); 4] = [
    (Part::Share, "share", "share of"),
    (Part::Covariance, "covariance", "factor on the covariance of"),
    (Part::Centre, "centre", "factor on the centre of"),
    (Part::Spread, "spread", "factor on the spread of"),
];

const HARDNESS_RATIO: &str = "hardness_ratio";

impl Key {
    fn entry(self) -> &'static (Key, &'static str, &'static str, bool) {
        KEYS.iter().find(|entry| entry.0 == self).expect("every key is in the table")
    }
}

impl Parameter {
    /// What an axis says.
    pub fn label(&self) -> String {
        match self {
            Self::HardnessRatio => "hardness ratio ρ_H / ρ_E".into(),
            Self::Key(key) => key.entry().2.into(),
            Self::Group(name, part) => {
                let words = PARTS.iter().find(|entry| entry.0 == *part).expect("every part is in the table").2;
                format!("{words} {name}")
            }
        }
    }

    /// Whether only whole numbers make sense.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Key(key) if key.entry().3)
    }

    /// The config with this parameter at `value`.
    pub(super) fn set(&self, config: &Config, value: f64) -> Result<Config, String> {
        let mut config = config.clone();
        let own = !config.groups.is_empty();
        let wrong = |why: &str| Err(format!("`{self}` cannot be {value}: {why}"));
        if self.is_whole() && !(value >= 0.0 && value.fract() == 0.0 && value <= 1e9) {
            return wrong("it is a count");
        }
        let count = value as usize;
        match self {
            Self::HardnessRatio if own => return wrong("the landscape has groups of its own"),
            Self::HardnessRatio => config.rho_hard = value * config.rho_easy,
            Self::Key(key) => {
                use Key::*;
                let of_two =
                    matches!(key, HardShare | RhoEasy | RhoHard | Condition | Distance | SpreadEasy | SpreadHard);
                if own && of_two {
                    return wrong(
                        "the landscape has groups of its own; vary NAME.share, .covariance, .centre or .spread",
                    );
                }
                match key {
                    HardShare => config.hard_share = value,
                    RhoEasy => config.rho_easy = value,
                    RhoHard => config.rho_hard = value,
                    Condition => config.condition = value,
                    Distance => config.distance = value,
                    SpreadEasy => config.spread_easy = value,
                    SpreadHard => config.spread_hard = value,
                    NoiseVariance => config.noise_variance = value,
                    Alpha => config.alpha = value,
                    AdaptationSamples => config.adaptation_samples = count,
                    InnerSteps => config.inner_steps = count,
                    Tasks => config.tasks = count,
                    Samples => config.samples = count,
                }
            }
            Self::Group(name, part) => {
                let Some(group) = config.groups.iter().position(|group| group.name == *name) else {
                    return wrong(&format!("no group of `groups` is called `{name}`"));
                };
                vary(&mut config, group, *part, value);
            }
        }
        Ok(config)
    }
}

fn vary(config: &mut Config, group: usize, part: Part, value: f64) {
    match part {
        Part::Covariance => config.groups[group].covariance.scale(value),
        Part::Spread => config.groups[group].spread.scale(value),
        Part::Centre => config.groups[group].centre.scale(value),
        Part::Share => {
            let rest = 1.0 - config.groups[group].share;
            for (i, other) in config.groups.iter_mut().enumerate() {
                other.share = if i == group { value } else { other.share * (1.0 - value) / rest };
            }
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HardnessRatio => f.write_str(HARDNESS_RATIO),
            Self::Key(key) => f.write_str(key.entry().1),
            Self::Group(name, part) => {
                let word = PARTS.iter().find(|entry| entry.0 == *part).expect("every part is in the table").1;
                write!(f, "{name}.{word}")
            }
        }
    }
}

impl From<Parameter> for String {
    fn from(parameter: Parameter) -> Self {
        parameter.to_string()
    }
}

impl TryFrom<String> for Parameter {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        if word == HARDNESS_RATIO {
            return Ok(Self::HardnessRatio);
        }
        if let Some(entry) = KEYS.iter().find(|entry| entry.1 == word) {
            return Ok(Self::Key(entry.0));
        }
        let part = word.rsplit_once('.').and_then(|(name, part)| {
            PARTS.iter().find(|entry| entry.1 == part).map(|entry| Self::Group(name.into(), entry.0))
        });
        part.ok_or_else(|| {
            let keys: Vec<&str> = KEYS.iter().map(|entry| entry.1).collect();
            format!(
                "`{word}` is no parameter: take {HARDNESS_RATIO}, {}, or NAME.share, NAME.covariance, NAME.centre, \
                 NAME.spread of a group",
                keys.join(", ")
            )
        })
    }
}
