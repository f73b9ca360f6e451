//! Pools of classes that episodes are drawn from: who may meet whom, and which label a class keeps for good.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::data::ImageSet;
use crate::rng::{Purpose, rng};

/// A class of an experiment: a class of the image set, perhaps turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClassRef {
    /// Class in the image set.
    pub class: u32,
    /// Quarter turns counter-clockwise, 0 to 3.
    pub quarter_turns: u8,
    /// The label in 0..W − 1 that the class keeps under [`Labels::Fixed`](super::Labels::Fixed).
    pub label: u32,
}

/// The classes that episodes are drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassPool {
    /// The classes.
    pub classes: Vec<ClassRef>,
    /// Images of each class.
    pub drawings: u32,
}

/// Why a pool cannot be made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PoolError {
    /// The set has too few classes to split.
    #[error("a split into training and test classes needs at least 2 classes, the image set has {classes}")]
    TooFewClasses {
        /// Classes in the set.
        classes: usize,
    },
    /// The set has too few background alphabets.
    #[error(
        "{wanted} background alphabets are needed ({hard} hard and {easy} easy), the image set has {found}; \
         ask for fewer alphabets or take a larger set"
    )]
    TooFewAlphabets {
        /// Alphabets for hard tasks.
        hard: u32,
        /// Alphabets for easy tasks.
        easy: u32,
        /// Alphabets for both.
        wanted: u64,
        /// Background alphabets in the set.
        found: usize,
    },
    /// A group's characters are fewer than its labels.
    #[error(
        "the {group} {part} classes are {classes}, too few for {labels} labels; take more alphabets or fewer labels"
    )]
    TooFewForLabels {
        /// Hard, easy, or both.
        group: &'static str,
        /// Train, held-out or unseen.
        part: &'static str,
        /// Classes there are.
        classes: usize,
        /// Labels that each need a class.
        labels: u32,
    },
    /// A number of the specification is out of range.
    #[error("{key} must be {expected}, found {found}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The permitted values.
        expected: &'static str,
        /// The value given.
        found: String,
    },
}

impl ClassPool {
    /// A pool of upright classes whose labels are not given yet (all 0).
    #[must_use]
    pub fn upright(classes: impl IntoIterator<Item = u32>, drawings: u32) -> Self {
        let classes = classes.into_iter().map(|class| ClassRef { class, quarter_turns: 0, label: 0 }).collect();
        Self { classes, drawings }
    }

    /// Gives every class a label in 0..labels − 1 for good: at random, and each label to as many classes as any other,
    /// or to one more.
    pub fn assign_labels(&mut self, labels: u32, rng: &mut impl Rng) {
        let mut order: Vec<u32> = (0..self.classes.len() as u32).collect();
        order.shuffle(rng);
        for (label, class) in (0..labels).cycle().zip(order) {
            self.classes[class as usize].label = label;
        }
    }
}

/// The usual benchmark's split: all characters are shuffled; 1,200 of 1,623 are for training, where each quarter turn
/// of a character is a class of its own, and 423 for testing, upright. Sets of other sizes are split in the same
/// proportion.
///
/// The classes have no labels for good: draw from them with [`Labels::Permuted`](super::Labels::Permuted), or call
/// [`ClassPool::assign_labels`].
///
/// # Errors
/// [`PoolError::TooFewClasses`] when the set has a single class.
pub fn standard_split(set: &ImageSet, seed: u64) -> Result<(ClassPool, ClassPool), PoolError> {
    let classes = set.classes();
    if classes < 2 {
        return Err(PoolError::TooFewClasses { classes });
    }
    let training = ((classes * 1200 + 1623 / 2) / 1623).clamp(1, classes - 1);
    let mut order: Vec<u32> = (0..classes as u32).collect();
    order.shuffle(&mut rng(seed, Purpose::Split, 0, 0));
    let (train, test) = order.split_at(training);
    let turned = |&class| (0..4).map(move |quarter_turns| ClassRef { class, quarter_turns, label: 0 });
    let drawings = set.drawings as u32;
    let train = ClassPool { classes: train.iter().flat_map(turned).collect(), drawings };
    Ok((train, ClassPool::upright(test.iter().copied(), drawings)))
}

/// Which characters the hard and the easy tasks of a landscape are made of.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeSpec {
    /// r_H: alphabets that the hard tasks' characters come from. Fewer: more closely packed.
    pub hard_alphabets: u32,
    /// Alphabets that the easy tasks' characters come from.
    pub easy_alphabets: u32,
    /// W: the most ways of any task, hence the number of labels.
    pub labels: u32,
    /// Share of each group's characters that is kept from training, in [0, 1). The number is kept between W and the
    /// number of characters less W, so that each part has every label; a share of 0 keeps none.
    pub held_out: f64,
    /// If true, both groups have the same characters with the same labels, of `easy_alphabets` alphabets
    /// (`hard_alphabets` must be the same number); if false, no alphabet serves both groups.
    pub shared_characters: bool,
}

impl Default for LandscapeSpec {
    fn default() -> Self {
        Self { hard_alphabets: 10, easy_alphabets: 10, labels: 5, held_out: 0.25, shared_characters: false }
    }
}

/// The classes of one group of tasks, hard or easy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Indices of its alphabets in the image set, ascending.
    pub alphabets: Vec<u32>,
    /// Characters to train on.
    pub train: ClassPool,
    /// Other characters of the same alphabets.
    pub held_out: ClassPool,
    /// All characters of the evaluation alphabets, the same for both groups.
    pub unseen: ClassPool,
}

/// Hard and easy tasks' classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landscape {
    /// The hard tasks'.
    pub hard: Group,
    /// The easy tasks'.
    pub easy: Group,
}

/// Streams of this module under one seed.
const HARD: u64 = 1;
const EASY: u64 = 2;
const UNSEEN: u64 = 3;

/// Draws the groups' alphabets from the background alphabets, splits their characters into train and held out, and
/// gives every class its label for good. A pure function of its arguments.
///
/// # Errors
/// A [`PoolError`] when the set has not enough alphabets, or a group not enough characters for the labels.
pub fn landscape_pools(set: &ImageSet, seed: u64, spec: &LandscapeSpec) -> Result<Landscape, PoolError> {
    check(spec)?;
    let (hard, easy) = draw_alphabets(set, seed, spec)?;
    let evaluation = (0..set.alphabets.len() as u32).filter(|&a| !set.alphabets[a as usize].background);
    let unseen = labelled("evaluation", "unseen", characters(set, evaluation), set, spec.labels, [seed, UNSEEN, 0])?;
    let group = |name, stream, alphabets: Vec<u32>| split_group(set, seed, spec, (name, stream), alphabets, &unseen);
    let easy = group("easy", EASY, easy)?;
    let hard = if spec.shared_characters { easy.clone() } else { group("hard", HARD, hard)? };
    Ok(Landscape { hard, easy })
}

fn check(spec: &LandscapeSpec) -> Result<(), PoolError> {
    let out = |key, expected, found| Err(PoolError::OutOfRange { key, expected, found });
    let counts =
        [("hard_alphabets", spec.hard_alphabets), ("easy_alphabets", spec.easy_alphabets), ("labels", spec.labels)];
    if let Some((key, found)) = counts.into_iter().find(|&(_, n)| n == 0) {
        return out(key, "at least 1", found.to_string());
    }
    if !(0.0..1.0).contains(&spec.held_out) {
        return out("held_out", "at least 0 and less than 1", spec.held_out.to_string());
    }
    if spec.shared_characters && spec.hard_alphabets != spec.easy_alphabets {
        return out(
            "hard_alphabets",
            "equal to easy_alphabets when the characters are shared",
            spec.hard_alphabets.to_string(),
        );
    }
    Ok(())
}

/// The hard and the easy group's alphabets, ascending.
fn draw_alphabets(set: &ImageSet, seed: u64, spec: &LandscapeSpec) -> Result<(Vec<u32>, Vec<u32>), PoolError> {
    let (hard, easy) = (spec.hard_alphabets, spec.easy_alphabets);
    let wanted = if spec.shared_characters { u64::from(easy) } else { u64::from(hard) + u64::from(easy) };
    let mut order: Vec<u32> =
        (0..set.alphabets.len() as u32).filter(|&a| set.alphabets[a as usize].background).collect();
    if wanted > order.len() as u64 {
        return Err(PoolError::TooFewAlphabets { hard, easy, wanted, found: order.len() });
    }
    order.shuffle(&mut rng(seed, Purpose::Split, 1, 0));
    // The easy alphabets come first: they stay the same for every number of hard ones, which an experiment varies.
    let (first, rest) = order.split_at(easy as usize);
    let sorted = |alphabets: &[u32]| {
        let mut alphabets = alphabets.to_vec();
        alphabets.sort_unstable();
        alphabets
    };
    let easy = sorted(first);
    let hard = if spec.shared_characters { easy.clone() } else { sorted(&rest[..hard as usize]) };
    Ok((hard, easy))
}

fn characters(set: &ImageSet, alphabets: impl IntoIterator<Item = u32>) -> Vec<u32> {
    alphabets.into_iter().flat_map(|a| set.alphabets[a as usize].classes.clone()).map(|class| class as u32).collect()
}

fn split_group(
    set: &ImageSet,
    seed: u64,
    spec: &LandscapeSpec,
    (name, stream): (&'static str, u64),
    alphabets: Vec<u32>,
    unseen: &ClassPool,
) -> Result<Group, PoolError> {
    let mut order = characters(set, alphabets.iter().copied());
    order.shuffle(&mut rng(seed, Purpose::Split, 2, stream));
    let (all, labels) = (order.len(), spec.labels as usize);
    // Enough of each part for every label; a group too small for that is an error of `labelled`.
    let held = match (spec.held_out * all as f64).round() as usize {
        _ if spec.held_out == 0.0 => 0,
        share => share.min(all.saturating_sub(labels)).max(labels).min(all),
    };
    let (mut held_out, mut train) = (order[..held].to_vec(), order[held..].to_vec());
    held_out.sort_unstable();
    train.sort_unstable();
    let train = labelled(name, "training", train, set, spec.labels, [seed, stream, 1])?;
    let held_out = match held {
        0 => ClassPool::upright([], set.drawings as u32),
        _ => labelled(name, "held-out", held_out, set, spec.labels, [seed, stream, 2])?,
    };
    Ok(Group { alphabets, train, held_out, unseen: unseen.clone() })
}

/// A pool of these characters in which every label occurs; the address is [seed, group, part].
fn labelled(
    group: &'static str,
    part: &'static str,
    characters: Vec<u32>,
    set: &ImageSet,
    labels: u32,
    [seed, stream, index]: [u64; 3],
) -> Result<ClassPool, PoolError> {
    if (characters.len() as u64) < u64::from(labels) {
        return Err(PoolError::TooFewForLabels { group, part, classes: characters.len(), labels });
    }
    let mut pool = ClassPool::upright(characters, set.drawings as u32);
    pool.assign_labels(labels, &mut rng(seed, Purpose::Labels, stream, index));
    Ok(pool)
}
