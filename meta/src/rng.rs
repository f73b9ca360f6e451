//! Random numbers by address.
use rand::{SeedableRng, rngs::ChaCha8Rng};
/// What for.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// Init.
    Init = 1,
    /// E.
    Example = 2,
}
/// The stream at an address.
pub fn rng(seed: u64, purpose: Purpose, iteration: u64, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (i, w) in [seed, purpose as u64, iteration, index].iter().enumerate() {
        key[8 * i..8 * i + 8].copy_from_slice(&w.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
