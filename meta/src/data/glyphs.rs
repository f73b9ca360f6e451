//! Characters of our own making: nothing of a real data set is bundled, and no real one has knobs.

use rand::{Rng, RngExt};
use sha2::{Digest, Sha256};

use super::raster::{Stroke, draw};
use super::resize::SEEN;
use super::script::{Style, bell, fit, fraction, mix};
use super::{Alphabet, DataError, ImageSet, Source, hex};
use crate::rng::{Purpose, rng};

/// Raise it whenever the same configuration would give other pixels.
const VERSION: u32 = 1;
/// Candidates for each character, of which the one least like the earlier characters is kept.
const CANDIDATES: usize = 6;
/// Where in an alphabet's stream of addresses its root character lies.
const ROOT: u64 = u64::MAX;

/// A generator of alphabets, and a pure function of its fields: each number comes from `rng` at the address of its
/// alphabet, character and drawing, so that more drawings or characters leave the earlier ones as they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Glyphs {
    /// Number of alphabets, background and evaluation together.
    pub alphabets: u32,
    /// How many of them, from the first, are background.
    pub background_alphabets: u32,
    /// Characters of each alphabet, at most 1000.
    pub characters_per_alphabet: u32,
    /// Drawings of each character, at most 256.
    pub drawings: u32,
    /// Seed of all alphabets.
    pub seed: u64,
    /// How alike the characters of an alphabet are: each point of a stroke is moved by this part of the way to the
    /// alphabet's root character. 0: each is its own; 1: the strokes all coincide.
    pub likeness: f64,
    /// How alike the alphabets are: each root character is moved by this part of the way to one common to all. The
    /// centres of two alphabets lie in proportion to likeness · (1 − kinship) apart.
    pub kinship: f64,
    /// How much a character's drawings differ, from 0 (not at all) to 1 (a very unsteady hand). Sets that
    /// differ in nothing else have the same characters.
    pub noise: f64,
}

impl Default for Glyphs {
    /// 15 + 5 alphabets of 20 characters of 20 drawings.
    fn default() -> Self {
        Self {
            alphabets: 20,
            background_alphabets: 15,
            characters_per_alphabet: 20,
            drawings: 20,
            seed: 0,
            likeness: 0.2,
            kinship: 0.0,
            noise: 0.6,
        }
    }
}

impl Glyphs {
    /// The images, 28×28, ink 255.
    ///
    /// # Errors
    /// [`DataError::Glyphs`] names the key that is out of range.
    pub fn generate(&self) -> Result<ImageSet, DataError> {
        self.check()?;
        let each = self.characters_per_alphabet as usize;
        let mut alphabets = Vec::new();
        let mut pixels = Vec::with_capacity(self.alphabets as usize * each * self.drawings as usize * SEEN * SEEN);
        for a in 0..self.alphabets {
            let start = a as usize * each;
            alphabets.push(Alphabet {
                name: format!("Glyphs {:02}", a + 1),
                background: a < self.background_alphabets,
                classes: start..start + each,
            });
            for (c, character) in self.alphabet(u64::from(a)).iter().enumerate() {
                let address = (u64::from(a) << 32) | (c as u64 + 1);
                for d in 0..self.drawings {
                    let mut rng = rng(self.seed, Purpose::Glyphs, address, u64::from(d) + 1);
                    pixels.extend(self.drawing(character, &mut rng));
                }
            }
        }
        ImageSet::new(Source::Glyphs, self.digest(), [SEEN, SEEN, 1], self.drawings as usize, alphabets, pixels)
    }

    fn check(&self) -> Result<(), DataError> {
        let whole = [
            ("alphabets", self.alphabets, 1, 1000),
            ("background_alphabets", self.background_alphabets, 0, self.alphabets),
            ("characters_per_alphabet", self.characters_per_alphabet, 1, 1000),
            ("drawings", self.drawings, 1, 256),
        ];
        for (key, value, low, high) in whole {
            if !(low..=high).contains(&value) {
                return Err(DataError::Glyphs {
                    key,
                    expected: format!("between {low} and {high}"),
                    found: format!("{value}"),
                });
            }
        }
        for (key, value) in [("likeness", self.likeness), ("kinship", self.kinship), ("noise", self.noise)] {
            if !(0.0..=1.0).contains(&value) {
                return Err(DataError::Glyphs {
                    key,
                    expected: "between 0 and 1".to_owned(),
                    found: format!("{value}"),
                });
            }
        }
        Ok(())
    }

    /// SHA-256 of the configuration and the generator's version.
    fn digest(&self) -> String {
        let Self { alphabets, background_alphabets, characters_per_alphabet, drawings, seed, likeness, kinship, noise } =
            self;
        let text = format!(
            "glyphs {VERSION} {alphabets} {background_alphabets} {characters_per_alphabet} {drawings} {seed} {:016x} {:016x} {:016x}",
            likeness.to_bits(),
            kinship.to_bits(),
            noise.to_bits()
        );
        hex(&Sha256::digest(text))
    }

    /// The characters of alphabet `a`, each fitted to the unit square.
    fn alphabet(&self, a: u64) -> Vec<Vec<Stroke>> {
        let style = Style::draw(&mut rng(self.seed, Purpose::Glyphs, a << 32, 0));
        let root = self.root(&style, a << 32);
        let mut shadows: Vec<Vec<u8>> = Vec::new();
        let mut characters = Vec::new();
        for c in 0..u64::from(self.characters_per_alphabet) {
            let mut rng = rng(self.seed, Purpose::Glyphs, (a << 32) | (c + 1), 0);
            let (own, shadow) = most_unlike(&style, &shadows, &mut rng);
            shadows.push(shadow);
            characters.push(self.towards(&root, own, &mut rng));
        }
        characters
    }

    /// The centre of the alphabet at this address, moved to the one common to all.
    fn root(&self, style: &Style, address: u64) -> Vec<Stroke> {
        let mut root = style.root(&mut rng(self.seed, Purpose::Glyphs, address, ROOT));
        let mut stream = rng(self.seed, Purpose::Glyphs, ROOT, ROOT);
        let common = Style::draw(&mut stream).root(&mut stream);
        approach(&mut root, &common, self.kinship);
        root
    }

    /// The character's strokes moved to the root's, the rest of which it takes over with the chance that is `likeness`.
    fn towards(&self, root: &[Stroke], mut strokes: Vec<Stroke>, rng: &mut impl Rng) -> Vec<Stroke> {
        let whole = rng.random::<f64>() < self.likeness;
        approach(&mut strokes, root, self.likeness);
        if whole {
            strokes.extend(root.iter().skip(strokes.len()));
        }
        fit(&mut strokes);
        strokes
    }

    /// One drawing: an affine wobble of the whole, a bend and a shift of each stroke, and a pen of its own.
    fn drawing(&self, character: &[Stroke], rng: &mut impl Rng) -> Vec<u8> {
        let mut wobble = |size: f64| self.noise * size * bell(rng);
        let affine = [1.0 + wobble(0.16), wobble(0.18), wobble(0.18), 1.0 + wobble(0.16)];
        let shift = [wobble(2.0), wobble(2.0)];
        let half_width = 0.72 + wobble(0.16);
        let bent = character.iter().map(|stroke| {
            let [start, bend, end] = [0.09, 0.1, 0.09].map(|size| [wobble(size), wobble(size)]);
            std::array::from_fn(|i| {
                let (t, ends) = (fraction(i), mix(start, end, fraction(i)));
                let [x, y] = std::array::from_fn(|k| stroke[i][k] - 0.5 + ends[k] + 4.0 * t * (1.0 - t) * bend[k]);
                let centre = SEEN as f64 / 2.0;
                [
                    centre + shift[0] + EXTENT * (affine[0] * x + affine[1] * y),
                    centre + shift[1] + EXTENT * (affine[2] * x + affine[3] * y),
                ]
            })
        });
        draw(&bent.collect::<Vec<Stroke>>(), half_width, SEEN)
    }
}

/// Moves each stroke, point by point, by `part` of the way to the other's.
fn approach(strokes: &mut [Stroke], others: &[Stroke], part: f64) {
    for (stroke, other) in strokes.iter_mut().zip(others) {
        *stroke = std::array::from_fn(|i| mix(stroke[i], other[i], part));
    }
}

/// Pixels in the unit square's side: a margin of three and a half on each side is left for the hand.
const EXTENT: f64 = 21.0;

/// Of some candidates, the one whose nearest earlier character is farthest, with its shadow.
fn most_unlike(style: &Style, shadows: &[Vec<u8>], rng: &mut impl Rng) -> (Vec<Stroke>, Vec<u8>) {
    let mut best = None;
    for _ in 0..CANDIDATES {
        let strokes = style.character(rng);
        let shadow = shadow(&strokes);
        let nearest = shadows.iter().map(|other| difference(&shadow, other)).min().unwrap_or(u64::MAX);
        if best.as_ref().is_none_or(|(far, _)| nearest > *far) {
            best = Some((nearest, (strokes, shadow)));
        }
    }
    best.expect("there is a first candidate").1
}

/// The character under a broad pen: what stays of it when details are forgotten.
fn shadow(strokes: &[Stroke]) -> Vec<u8> {
    let placed: Vec<Stroke> = strokes.iter().map(|s| s.map(|p| p.map(|v| 2.0 + 10.0 * v))).collect();
    draw(&placed, 1.0, SEEN / 2)
}

fn difference(a: &[u8], b: &[u8]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
}
