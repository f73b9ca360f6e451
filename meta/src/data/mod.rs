//! Image sets: classes (characters) in alphabets, with the same number of drawings each.

pub mod cache;
pub mod glyphs;
pub mod omniglot;
pub mod resize;

mod archive;
mod error;
mod raster;
mod script;

use std::fmt;
use std::ops::Range;

pub use error::DataError;
pub use glyphs::Glyphs;
pub use omniglot::{Loaded, load_omniglot};

/// Where the images of a set come from. Reports quote it, so that a generated set is never shown as Omniglot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Lake, Salakhutdinov, Tenenbaum (Science 350, 2015), from the official archives.
    Omniglot,
    /// The generator of [`Glyphs`].
    Glyphs,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Omniglot => "Omniglot",
            Self::Glyphs => "glyphs (generated)",
        })
    }
}

/// An alphabet: its classes are neighbours in the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alphabet {
    /// The alphabet's name.
    pub name: String,
    /// True for a background (training) alphabet, false for an evaluation alphabet.
    pub background: bool,
    /// Its classes.
    pub classes: Range<usize>,
}

/// Images as bytes, in the order class, drawing, row, column, channel; for characters, ink is 255 and paper 0.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageSet {
    /// Where the images come from.
    pub source: Source,
    /// SHA-256, in hex, of what the set was made from.
    pub digest: String,
    /// Pixels in a column.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Bytes in a pixel.
    pub channels: usize,
    /// Images of each class.
    pub drawings: usize,
    /// The alphabets, in the order of their classes.
    pub alphabets: Vec<Alphabet>,
    pixels: Vec<u8>,
}

impl ImageSet {
    /// Puts a set together from its parts; `shape` is [height, width, channels].
    ///
    /// # Errors
    /// [`DataError::Layout`] unless the alphabets' classes follow one another from 0 without gaps, each drawing's
    /// number fits a byte, and there are classes × drawings × height × width × channels pixels.
    pub fn new(
        source: Source,
        digest: String,
        shape: [usize; 3],
        drawings: usize,
        alphabets: Vec<Alphabet>,
        pixels: Vec<u8>,
    ) -> Result<Self, DataError> {
        let layout = |expected: &str, found: String| Err(DataError::Layout { expected: expected.to_owned(), found });
        let mut classes = 0;
        for a in &alphabets {
            if a.classes.start != classes || a.classes.end <= a.classes.start {
                return layout("alphabets whose classes follow one another", format!("{:?} for {}", a.classes, a.name));
            }
            classes = a.classes.end;
        }
        if classes == 0 || u32::try_from(classes).is_err() {
            return layout("between 1 and 2^32 classes", format!("{classes}"));
        }
        if !(1..=256).contains(&drawings) {
            return layout("1 to 256 drawings of each class", format!("{drawings}"));
        }
        let [height, width, channels] = shape;
        let size = [drawings, height, width, channels].iter().try_fold(classes, |n, &m| n.checked_mul(m));
        if size != Some(pixels.len()) || pixels.is_empty() {
            let wanted = format!("{classes} classes × {drawings} drawings × {height} × {width} × {channels} bytes");
            return layout(&wanted, format!("{} bytes", pixels.len()));
        }
        Ok(Self { source, digest, height, width, channels, drawings, alphabets, pixels })
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.alphabets.last().map_or(0, |a| a.classes.end)
    }

    /// One image, in the order row, column, channel.
    ///
    /// # Panics
    /// If there is no such class or drawing.
    #[must_use]
    #[track_caller]
    pub fn image(&self, class: usize, drawing: usize) -> &[u8] {
        assert!(
            class < self.classes() && drawing < self.drawings,
            "image: class {class}, drawing {drawing} of a set with {} classes and {} drawings",
            self.classes(),
            self.drawings
        );
        let size = self.height * self.width * self.channels;
        &self.pixels[(class * self.drawings + drawing) * size..][..size]
    }

    /// All bytes, image after image.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.pixels
    }
}

impl fmt::Debug for ImageSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, height, width, channels, drawings, .. } = self;
        write!(f, "{source}: {} classes × {drawings} drawings of {height}×{width}×{channels}", self.classes())
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
