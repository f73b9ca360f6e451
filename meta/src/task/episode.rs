//! Few-shot episodes: which drawings of which characters, under which labels.

use std::fmt;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::pool::{ClassPool, ClassRef};
use crate::data::{ImageSet, hex};
use crate::rng::{Purpose, rng};

/// How an episode's classes get their labels. This decides what plain training can learn at all.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// A random label in 0..ways − 1 for each class, new in every episode: the usual few-shot episode.
    Permuted,
    /// Each class keeps its label for good; an episode takes classes of distinct labels.
    Fixed,
    /// Between the two: classes are drawn as under `Fixed`, and then each class's label is drawn anew with this
    /// probability. The classes drawn anew share out at random the labels that no other class of the episode keeps. 0
    /// is `Fixed`.
    Spread(f64),
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permuted => f.write_str("permuted"),
            Self::Fixed => f.write_str("fixed"),
            Self::Spread(probability) => write!(f, "spread {probability}"),
        }
    }
}

/// The shape of an episode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpisodeSpec {
    /// Classes in an episode.
    pub ways: u32,
    /// Drawings of each class to adapt to.
    pub shots: u32,
    /// Drawings of each class to be judged by.
    pub queries: u32,
    /// How the classes get their labels.
    pub labels: Labels,
}

/// One labelled image, by reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shot {
    /// Class in the image set.
    pub class: u32,
    /// Quarter turns counter-clockwise, 0 to 3.
    pub quarter_turns: u8,
    /// Drawing of the class.
    pub drawing: u8,
    /// Label in this episode.
    pub label: u32,
}

/// A few-shot task: adapt to the support, be judged by the query. Both are in the order of the classes, and no drawing
/// is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Episode {
    /// ways · shots images.
    pub support: Vec<Shot>,
    /// ways · queries images.
    pub query: Vec<Shot>,
    /// The labels that occur, ascending.
    pub labels_present: Vec<u32>,
}

/// Why an episode cannot be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EpisodeError {
    /// There is nothing to learn or to judge by.
    #[error("an episode needs at least one of each: found {ways} ways, {shots} shots, {queries} queries")]
    Empty {
        /// Classes asked for.
        ways: u32,
        /// Support drawings of each class asked for.
        shots: u32,
        /// Query drawings of each class asked for.
        queries: u32,
    },
    /// The pool is too small.
    #[error("{ways} ways need as many classes, the pool has {classes}; ask for fewer ways or a larger pool")]
    TooFewClasses {
        /// Classes asked for.
        ways: u32,
        /// Classes there are.
        classes: usize,
    },
    /// Support and query together need more drawings than there are.
    #[error(
        "{shots} shots and {queries} queries need as many drawings of each class, there are {drawings}; ask for fewer"
    )]
    TooFewDrawings {
        /// Support drawings asked for.
        shots: u32,
        /// Query drawings asked for.
        queries: u32,
        /// Drawings there are.
        drawings: u32,
    },
    /// More classes than labels, where each class keeps its own label.
    #[error(
        "{ways} ways need as many fixed labels, the pool's classes have {labels}; ask for fewer ways or assign more labels"
    )]
    TooFewLabels {
        /// Classes asked for.
        ways: u32,
        /// Labels there are.
        labels: u32,
    },
    /// A label below the greatest that no class has.
    #[error(
        "no class of the pool has the fixed label {label}, though the labels go up to {greatest}; assign the labels again"
    )]
    EmptyLabel {
        /// The label.
        label: u32,
        /// The greatest label of the pool.
        greatest: u32,
    },
    /// A probability outside [0, 1].
    #[error("the label spread must be between 0 and 1, found {spread}")]
    Spread {
        /// The value given.
        spread: f64,
    },
}

/// The episode at an address: a pure function of the arguments, so any thread may draw any episode at any time.
///
/// Classes come first, then drawings, then labels: under `Fixed` and `Spread` of any degree an address gives the same
/// images, and only the labels differ.
///
/// # Errors
/// An [`EpisodeError`] when the pool cannot give such an episode.
pub fn draw(
    pool: &ClassPool,
    spec: &EpisodeSpec,
    seed: u64,
    purpose: Purpose,
    iteration: u64,
    index: u64,
) -> Result<Episode, EpisodeError> {
    check(pool, spec)?;
    let mut rng = rng(seed, purpose, iteration, index);
    let (ways, shots, queries) = (spec.ways as usize, spec.shots as usize, spec.queries as usize);
    let classes = match spec.labels {
        Labels::Permuted => {
            choose(pool.classes.len() as u32, spec.ways, &mut rng).iter().map(|&i| pool.classes[i as usize]).collect()
        }
        Labels::Fixed | Labels::Spread(_) => of_distinct_labels(pool, spec.ways, &mut rng)?,
    };
    let drawings: Vec<Vec<u32>> =
        classes.iter().map(|_| choose(pool.drawings, spec.shots + spec.queries, &mut rng)).collect();
    let labels = label(&classes, spec.labels, label_count(pool), &mut rng);

    let (mut support, mut query) = (Vec::with_capacity(ways * shots), Vec::with_capacity(ways * queries));
    for ((class, drawings), &label) in classes.iter().zip(&drawings).zip(&labels) {
        let shot = |&d: &u32| Shot { class: class.class, quarter_turns: class.quarter_turns, drawing: d as u8, label };
        support.extend(drawings[..shots].iter().map(shot));
        query.extend(drawings[shots..].iter().map(shot));
    }
    let mut labels_present = labels;
    labels_present.sort_unstable();
    Ok(Episode { support, query, labels_present })
}

fn check(pool: &ClassPool, spec: &EpisodeSpec) -> Result<(), EpisodeError> {
    let EpisodeSpec { ways, shots, queries, labels } = *spec;
    if ways == 0 || shots == 0 || queries == 0 {
        return Err(EpisodeError::Empty { ways, shots, queries });
    }
    if u64::from(ways) > pool.classes.len() as u64 {
        return Err(EpisodeError::TooFewClasses { ways, classes: pool.classes.len() });
    }
    if u64::from(shots) + u64::from(queries) > u64::from(pool.drawings) {
        return Err(EpisodeError::TooFewDrawings { shots, queries, drawings: pool.drawings });
    }
    match labels {
        Labels::Spread(spread) if !(0.0..=1.0).contains(&spread) => Err(EpisodeError::Spread { spread }),
        _ => Ok(()),
    }
}

/// `k` of the numbers below `n`, in random order.
fn choose(n: u32, k: u32, rng: &mut impl Rng) -> Vec<u32> {
    let mut all: Vec<u32> = (0..n).collect();
    let (chosen, _) = all.partial_shuffle(rng, k as usize);
    chosen.to_vec()
}

/// W: one more than the pool's greatest label.
fn label_count(pool: &ClassPool) -> u32 {
    pool.classes.iter().map(|c| c.label + 1).max().unwrap_or(0)
}

/// Draws `ways` labels, and for each a class that has it.
fn of_distinct_labels(pool: &ClassPool, ways: u32, rng: &mut impl Rng) -> Result<Vec<ClassRef>, EpisodeError> {
    let labels = label_count(pool);
    let mut holders = vec![0u32; labels as usize];
    pool.classes.iter().for_each(|c| holders[c.label as usize] += 1);
    if let Some(label) = (0..labels).find(|&l| holders[l as usize] == 0) {
        return Err(EpisodeError::EmptyLabel { label, greatest: labels - 1 });
    }
    if ways > labels {
        return Err(EpisodeError::TooFewLabels { ways, labels });
    }
    let chosen = choose(labels, ways, rng).into_iter().map(|label| {
        let nth = rng.random_range(0..holders[label as usize]) as usize;
        let mut with_label = pool.classes.iter().filter(|c| c.label == label);
        *with_label.nth(nth).expect("the holders were counted")
    });
    Ok(chosen.collect())
}

/// The label of each class in this episode; `count` labels exist.
fn label(classes: &[ClassRef], rule: Labels, count: u32, rng: &mut impl Rng) -> Vec<u32> {
    let mut labels: Vec<u32> = match rule {
        Labels::Permuted => (0..classes.len() as u32).collect(),
        Labels::Fixed | Labels::Spread(_) => classes.iter().map(|c| c.label).collect(),
    };
    match rule {
        Labels::Permuted => labels.shuffle(rng),
        Labels::Fixed => {}
        Labels::Spread(spread) => {
            let redrawn: Vec<bool> = labels.iter().map(|_| rng.random::<f64>() < spread).collect();
            let kept = |label: &u32| labels.iter().zip(&redrawn).any(|(l, redrawn)| l == label && !redrawn);
            let mut left: Vec<u32> = (0..count).filter(|label| !kept(label)).collect();
            left.shuffle(rng);
            let redrawn = labels.iter_mut().zip(&redrawn).filter(|(_, redrawn)| **redrawn);
            redrawn.zip(left).for_each(|((label, _), new)| *label = new);
        }
    }
    labels
}

impl Episode {
    /// SHA-256, in hex, of all that makes the episode: to quote, and to compare over machines and versions.
    /// Support, then query: each as its length (u64) and, for each shot, class (u32), quarter turns (u8), drawing (u8)
    /// and label (u32), all little-endian.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for shots in [&self.support, &self.query] {
            hash.update((shots.len() as u64).to_le_bytes());
            for s in shots {
                hash.update(s.class.to_le_bytes());
                hash.update([s.quarter_turns, s.drawing]);
                hash.update(s.label.to_le_bytes());
            }
        }
        hex(&hash.finalize())
    }
}

/// Fills `out` with the shots' images: NHWC [shots, height, width, channels], byte / 255, so ink is 1 and paper 0, each
/// turned counter-clockwise by its quarter turns.
///
/// # Panics
/// If the set has no such image, or an image that is not square is to be turned.
#[track_caller]
pub fn pixels(shots: &[Shot], set: &ImageSet, out: &mut Vec<f32>) {
    let (height, width, channels) = (set.height, set.width, set.channels);
    // A table divides once for each level, and gives the same bits.
    let level: [f32; 256] = std::array::from_fn(|v| v as f32 / 255.0);
    out.clear();
    out.reserve(shots.len() * height * width * channels);
    for shot in shots {
        let image = set.image(shot.class as usize, usize::from(shot.drawing));
        let turns = shot.quarter_turns % 4;
        assert!(
            turns == 0 || height == width,
            "pixels: an image of {height}×{width} cannot be turned by {turns} quarters"
        );
        // The pixel shown at the top left, and the way to the one below it and to the one on its right.
        let w = width as isize;
        let (origin, down, right) = match turns {
            0 => (0, w, 1),
            1 => (w - 1, -1, w),
            2 => (w * w - 1, -w, -1),
            _ => (w * (w - 1), 1, -w),
        };
        for y in 0..height as isize {
            for x in 0..w {
                let at = (origin + y * down + x * right) as usize * channels;
                out.extend(image[at..at + channels].iter().map(|&v| level[usize::from(v)]));
            }
        }
    }
}
