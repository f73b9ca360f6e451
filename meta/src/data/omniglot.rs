//! Omniglot from its two official archives, read in place.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::archive::{Archive, read_file};
use super::resize::{DRAWN, SEEN, shrink};
use super::{Alphabet, DataError, ImageSet, Source, cache, hex};

/// Drawings of each character, by as many people.
pub const DRAWINGS: usize = 20;

/// What one of the two archives holds.
struct Part {
    folder: &'static str,
    other: &'static str,
    alphabets: usize,
    characters: usize,
    /// Omniglot numbers all its characters from 1 to 1623; each drawing is named by that number.
    first_id: u32,
}

const BACKGROUND: Part =
    Part { folder: "images_background", other: "images_evaluation", alphabets: 30, characters: 964, first_id: 1 };
const EVALUATION: Part =
    Part { folder: "images_evaluation", other: "images_background", alphabets: 20, characters: 659, first_id: 965 };

/// Indices of a character's entries by drawing, the first being drawing 1; `None` where one is missing.
type Drawings = [Option<usize>; DRAWINGS];
/// Characters by number in their alphabet, by alphabet: sorted, whatever the order in the archive.
type Catalogue = BTreeMap<String, BTreeMap<u32, Drawings>>;

/// A data set and what is worth telling of how it came.
#[derive(Debug)]
pub struct Loaded {
    /// The images.
    pub images: ImageSet,
    /// True if the decoded images came from the cache.
    pub from_cache: bool,
    /// One line for each thing that went wrong with the cache, which is never an error.
    pub warnings: Vec<String>,
}

/// Omniglot at 28×28, ink 255: 30 background and 20 evaluation alphabets, 964 + 659 characters, 20 drawings each.
///
/// Reads `images_background.zip` and `images_evaluation.zip` in `folder`. Alphabets are sorted by name, the background
/// ones first, and characters by number, whatever the order of the entries. The set's digest is the SHA-256 of the two
/// files one after the other (`cat images_background.zip images_evaluation.zip | sha256sum`). With `cache` (see
/// [`cache::default_folder`]) the decoded bytes are kept there under that digest.
///
/// # Errors
/// A [`DataError`] that names the file for everything that is not the official content.
pub fn load_omniglot(folder: &Path, cache: Option<&Path>) -> Result<Loaded, DataError> {
    if !folder.is_dir() {
        let found = if folder.exists() { "is a file" } else { "does not exist" };
        return Err(DataError::Folder { folder: folder.to_owned(), found });
    }
    let files = [BACKGROUND, EVALUATION].map(|part| folder.join(format!("{}.zip", part.folder)));
    let bytes = [read_file(&files[0])?, read_file(&files[1])?];
    let digest = hex(&bytes.iter().fold(Sha256::new(), |hash, b| hash.chain_update(b)).finalize());

    let mut warnings = Vec::new();
    match cache.map_or(Ok(None), |c| cache::read(c, Source::Omniglot, &digest)) {
        Ok(Some(images)) => return Ok(Loaded { images, from_cache: true, warnings }),
        Ok(None) => {}
        Err(warning) => warnings.push(warning),
    }
    let images = decode(&files.each_ref().map(|f| f.as_path()), bytes, digest)?;
    if let Some(Err(w)) = cache.map(|c| cache::write(c, &images)) {
        warnings.push(w);
    }
    Ok(Loaded { images, from_cache: false, warnings })
}

fn decode(files: &[&Path; 2], bytes: [Vec<u8>; 2], digest: String) -> Result<ImageSet, DataError> {
    let [background, evaluation] = bytes;
    let mut archives = [Archive::open(files[0], background)?, Archive::open(files[1], evaluation)?];
    // Both directories are checked before the first image is unpacked: a wrong archive is refused at once.
    let catalogues = [catalogue(&archives[0], &BACKGROUND)?, catalogue(&archives[1], &EVALUATION)?];
    let mut pixels = Vec::with_capacity((BACKGROUND.characters + EVALUATION.characters) * DRAWINGS * SEEN * SEEN);
    let mut alphabets = Vec::new();
    let mut classes = 0;
    for (i, (archive, catalogue)) in archives.iter_mut().zip(catalogues).enumerate() {
        for (name, characters) in catalogue {
            alphabets.push(Alphabet { name, background: i == 0, classes: classes..classes + characters.len() });
            classes += characters.len();
            for index in characters.values().flatten().flatten() {
                shrink(&drawing(archive, *index)?, &mut pixels);
            }
        }
    }
    ImageSet::new(Source::Omniglot, digest, [SEEN, SEEN, 1], DRAWINGS, alphabets, pixels)
}

/// Reads the archive's directory and holds it against what the part must have.
fn catalogue(archive: &Archive, part: &Part) -> Result<Catalogue, DataError> {
    let mut catalogue = Catalogue::new();
    let mut homes = BTreeMap::new();
    for (index, name) in archive.entries()? {
        let Some((alphabet, character, id, drawing)) = parse(&name, part.folder) else {
            return Err(misplaced(archive, part, &name));
        };
        let home = homes.entry(id).or_insert_with(|| (alphabet.to_owned(), character));
        let last_id = part.first_id + part.characters as u32 - 1;
        if (home.0.as_str(), home.1) != (alphabet, character) || !(part.first_id..=last_id).contains(&id) {
            let expected = format!("drawings of one character, numbered from {:04} to {last_id}", part.first_id);
            return Err(archive.entry_error(
                &name,
                &expected,
                format!("number {id:04} in a folder of another character"),
            ));
        }
        let drawings = catalogue.entry(alphabet.to_owned()).or_default().entry(character).or_default();
        if drawings[drawing - 1].replace(index).is_some() {
            let found = format!("a second drawing {drawing} of character {character}");
            return Err(archive.entry_error(&name, "one of each", found));
        }
    }
    check_counts(archive, part, &catalogue)?;
    Ok(catalogue)
}

/// `folder/Alphabet/characterCC/NNNN_DD.png` → (alphabet, CC, NNNN, DD).
fn parse<'a>(name: &'a str, folder: &str) -> Option<(&'a str, u32, u32, usize)> {
    let mut parts = name.split('/');
    let (top, alphabet, character, drawing) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let character = number(character.strip_prefix("character")?)?;
    let (id, drawing) = drawing.strip_suffix(".png")?.split_once('_')?;
    let (id, drawing) = (number(id)?, number(drawing)? as usize);
    let good = top == folder && !alphabet.is_empty() && parts.next().is_none() && (1..=DRAWINGS).contains(&drawing);
    good.then_some((alphabet, character, id, drawing))
}

/// Up to four decimal digits, as Omniglot numbers everything.
fn number(digits: &str) -> Option<u32> {
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

fn misplaced(archive: &Archive, part: &Part, name: &str) -> DataError {
    if name.strip_prefix(part.other).is_some_and(|rest| rest.starts_with('/')) {
        return DataError::Swapped { file: archive.file().to_owned(), expected: part.folder, found: part.other };
    }
    let expected = format!("{}/<Alphabet>/characterCC/NNNN_DD.png with DD from 01 to {DRAWINGS}", part.folder);
    archive.entry_error(name, &expected, "another name".to_owned())
}

fn check_counts(archive: &Archive, part: &Part, catalogue: &Catalogue) -> Result<(), DataError> {
    if catalogue.len() != part.alphabets {
        return Err(archive.error(format!("{} alphabets", part.alphabets), format!("{}", catalogue.len())));
    }
    for (alphabet, characters) in catalogue {
        if let Some((want, have)) = (1..).zip(characters.keys()).find(|(want, have)| want != *have) {
            let expected = format!("characters of {alphabet} numbered without gaps");
            return Err(archive.error(expected, format!("character{have:02} in the place of character{want:02}")));
        }
        for (character, drawings) in characters {
            let found = drawings.iter().flatten().count();
            if found != DRAWINGS {
                return Err(archive
                    .error(format!("{DRAWINGS} drawings of {alphabet}/character{character:02}"), format!("{found}")));
            }
        }
    }
    let characters: usize = catalogue.values().map(BTreeMap::len).sum();
    if characters != part.characters {
        return Err(archive.error(format!("{} characters", part.characters), format!("{characters}")));
    }
    Ok(())
}

/// One drawing, 105×105, ink 255: the files have black ink on white paper.
fn drawing(archive: &mut Archive, index: usize) -> Result<Vec<u8>, DataError> {
    let bytes = archive.read(index)?;
    let refuse = |found| archive.entry_error(&archive.name(index), "a grey PNG of 105×105 pixels", found);
    let mut grey = decode_png(&bytes).map_err(refuse)?;
    grey.iter_mut().for_each(|v| *v = 255 - *v);
    Ok(grey)
}

/// Grey levels of a 105×105 PNG of any bit depth up to 8, or what it is instead. Sizes are checked before memory is
/// taken for them.
fn decode_png(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let not_png = |e: png::DecodingError| format!("something else ({e})");
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let header = decoder.read_header_info().map_err(not_png)?;
    let (width, height) = header.size();
    if (width as usize, height as usize) != (DRAWN, DRAWN) {
        return Err(format!("{width}×{height} pixels"));
    }
    let mut reader = decoder.read_info().map_err(not_png)?;
    if reader.output_color_type() != (png::ColorType::Grayscale, png::BitDepth::Eight) {
        return Err(format!("{:?} pixels", reader.info().color_type));
    }
    let mut grey = vec![0; DRAWN * DRAWN];
    reader.next_frame(&mut grey).map_err(not_png)?;
    Ok(grey)
}
