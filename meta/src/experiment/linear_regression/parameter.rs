//! What a sweep can vary: the numbers of the environment, by name.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::config::Config;
use crate::experiment::sweep::with_number;

/// A number of the environment. Its word in configs is the key that it sets; `hardness_ratio` sets ρ_H to a multiple of ρ_E;
/// `NAME.share`, `NAME.covariance`, `NAME.centre` and `NAME.spread` set the share, or multiply the covariance, centre or
/// spread, of the group NAME of a landscape of one's own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Parameter {
    /// ρ_H/ρ_E, with ρ_E at its base.
    HardnessRatio,
    /// A key of the environment.
    Key(&'static Key),
    /// A part of a group of one's own.
    Group(String, Part),
}

/// A key that a sweep may vary.
#[derive(PartialEq, Eq, Debug)]
pub struct Key {
    word: &'static str,
    label: &'static str,
    /// Whether only whole numbers make sense.
    whole: bool,
    /// Whether it describes the two groups, and not what every landscape has.
    of_two_groups: bool,
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

const fn key(word: &'static str, label: &'static str, whole: bool, of_two_groups: bool) -> Key {
    Key { word, label, whole, of_two_groups }
}

const KEYS: &[Key] = &[
    key("hard_share", "share of hard tasks p", false, true),
    key("rho_easy", "scale of easy tasks ρ_E", false, true),
    key("rho_hard", "scale of hard tasks ρ_H", false, true),
    key("condition", "condition number of the covariances", false, true),
    key("distance", "distance of the hard tasks' centre R", false, true),
    key("spread_easy", "spread of the easy tasks' solutions r_E", false, true),
    key("spread_hard", "spread of the hard tasks' solutions r_H", false, true),
    key("noise_variance", "variance of the noise ν²", false, false),
    key("alpha", "step size α", false, false),
    key("adaptation_samples", "adaptation samples m", true, false),
    key("inner_steps", "inner steps K", true, false),
    key("tasks", "training tasks n", true, false),
    key("samples", "samples of a task's outer batch N", true, false),
];

const PARTS: [(Part, &str, &str); 4] = [
    (Part::Share, "share", "share of"),
    (Part::Covariance, "covariance", "factor on the covariance of"),
    (Part::Centre, "centre", "factor on the centre of"),
    (Part::Spread, "spread", "factor on the spread of"),
];

const HARDNESS_RATIO: &str = "hardness_ratio";

impl Parameter {
    /// What an axis says.
    pub fn label(&self) -> String {
        match self {
            Self::HardnessRatio => "hardness ratio ρ_H / ρ_E".into(),
            Self::Key(key) => key.label.into(),
            Self::Group(name, part) => {
                let words = PARTS.iter().find(|entry| entry.0 == *part).expect("every part is in the table").2;
                format!("{words} {name}")
            }
        }
    }

    /// Whether only whole numbers make sense.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Key(key) if key.whole)
    }

    /// The config with this parameter at `value`.
    pub(super) fn set(&self, config: &Config, value: f64) -> Result<Config, String> {
        let own = !config.groups.is_empty();
        let wrong = |why: &str| Err(format!("`{self}` cannot be {value}: {why}"));
        match self {
            Self::HardnessRatio if own => wrong("the landscape has groups of its own"),
            Self::HardnessRatio => with_number(config, "rho_hard", value * config.rho_easy),
            Self::Key(key) if own && key.of_two_groups => {
                wrong("the landscape has groups of its own; vary NAME.share, .covariance, .centre or .spread")
            }
            Self::Key(key) => with_number(config, key.word, value),
            Self::Group(name, part) => {
                let Some(group) = config.groups.iter().position(|group| group.name == *name) else {
                    return wrong(&format!("no group of `groups` is called `{name}`"));
                };
                let mut config = config.clone();
                vary(&mut config, group, *part, value);
                Ok(config)
            }
        }
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
            Self::Key(key) => f.write_str(key.word),
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
        if let Some(key) = KEYS.iter().find(|key| key.word == word) {
            return Ok(Self::Key(key));
        }
        let part = word.rsplit_once('.').and_then(|(name, part)| {
            PARTS.iter().find(|entry| entry.1 == part).map(|entry| Self::Group(name.into(), entry.0))
        });
        part.ok_or_else(|| {
            let keys: Vec<&str> = KEYS.iter().map(|key| key.word).collect();
            format!(
                "`{word}` is no parameter: take {HARDNESS_RATIO}, {}, or NAME.share, NAME.covariance, NAME.centre, \
                 NAME.spread of a group",
                keys.join(", ")
            )
        })
    }
}
