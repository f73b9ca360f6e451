//! Randomness by address: every random number of a run is named by where it is used, not by what was drawn before.

use rand::SeedableRng;
pub use rand::rngs::ChaCha8Rng;

/// What a stream of random numbers is for. The discriminants are part of every published number: never change one,
/// never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights.
    Init = 1,
    /// Which classes or alphabets belong to which part of a data set.
    Split = 2,
    /// The label that a class keeps for good.
    Labels = 3,
    /// Training episodes.
    TrainEpisode = 4,
    /// Test episodes.
    TestEpisode = 5,
    /// Validation episodes.
    ValidationEpisode = 6,
    /// Generated alphabets, characters and drawings.
    Glyphs = 7,
    /// Sampled data that are not episodes: regression inputs, noise, environments.
    Data = 8,
    /// Resampling in statistics.
    Bootstrap = 9,
    /// Whether a task is easy or hard, and other choices of a task.
    Task = 10,
}

/// ChaCha8 whose 256-bit key is (seed, purpose, iteration, index), each as 64 little-endian bits.
///
/// Different addresses are different keys, so no two streams coincide, and a stream depends on nothing that happened
/// before: any thread may draw any episode at any time. For the same reason no count is ever sampled as `usize`, whose
/// width depends on the platform.
#[must_use]
pub fn rng(seed: u64, purpose: Purpose, iteration: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, iteration, index]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
