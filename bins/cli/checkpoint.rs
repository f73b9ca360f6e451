//! Saved state in two generations, so that a kill at any moment costs at most one checkpoint interval.
//!
//! `name.ckpt` is the newest and `name.previous.ckpt` the one before it. A file is
//!
//! | bytes | what |
//! |---|---|
//! | 8 | the magic `MAMLCKP1` |
//! | 8 | length n of the state, little endian |
//! | 32 | SHA-256 of the state |
//! | n | the state |

use crate::exit::{Exit, Failure};
use maml_meta::atomic;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"MAMLCKP1";
const HEADER: usize = 8 + 8 + 32;

/// A state that was read back intact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// The bytes that were saved.
    pub bytes: Vec<u8>,
    /// Set if the newest file was damaged and this is the generation before it: a sentence for the user.
    pub warning: Option<String>,
}

/// Saves `bytes` as `name.ckpt` in `folder`, and keeps the one before as `name.previous.ckpt`.
///
/// # Errors
/// The folder cannot be written. What was saved before stays readable.
pub fn save(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let (newest, previous) = generations(folder, name);
    let failed = |error| Failure::file("save", &newest, error);
    // On the disk first: a full disk is found before any name moves.
    let prepared = atomic::prepare(&newest, &seal(bytes)).map_err(failed)?;
    // A damaged file must not push out the last good one.
    if matches!(read(&newest), Read::Intact(_)) {
        atomic::rename(&newest, &previous).map_err(failed)?;
    }
    prepared.put(&newest).map_err(failed)
}

/// The newest intact state called `name` in `folder`; `None` if none was ever saved.
///
/// # Errors
/// States exist and none is intact: starting again from zero without a word would be worse.
pub fn load(folder: &Path, name: &str) -> Result<Option<Checkpoint>, Failure> {
    let (newest, previous) = generations(folder, name);
    let damage = match read(&newest) {
        Read::Intact(bytes) => return Ok(Some(Checkpoint { bytes, warning: None })),
        Read::Damaged(why) => Some(why),
        Read::Absent => None,
    };
    match (read(&previous), damage) {
        // Killed between the two renames of `save`: the previous one is the newest there is.
        (Read::Intact(bytes), None) => Ok(Some(Checkpoint { bytes, warning: None })),
        (Read::Intact(bytes), Some(why)) => {
            let warning = format!("{} is damaged ({why}); going on from the one before it", newest.display());
            Ok(Some(Checkpoint { bytes, warning: Some(warning) }))
        }
        (Read::Absent, None) => Ok(None),
        (Read::Absent, Some(why)) => Err(damaged(&newest, &why)),
        (Read::Damaged(why), _) => Err(damaged(&previous, &why)),
    }
}

fn damaged(path: &Path, why: &str) -> Failure {
    Failure::new(Exit::Data, format!("no intact checkpoint: {} is damaged ({why})", path.display()))
        .help("start the run anew with --out and an empty folder")
}

enum Read {
    Intact(Vec<u8>),
    Damaged(String),
    Absent,
}

fn read(path: &Path) -> Read {
    match fs::read(path) {
        Ok(file) => open(file).map_or_else(|why| Read::Damaged(why.to_string()), Read::Intact),
        Err(error) if error.kind() == ErrorKind::NotFound => Read::Absent,
        Err(error) => Read::Damaged(error.to_string()),
    }
}

fn seal(bytes: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER + bytes.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    file.extend_from_slice(&Sha256::digest(bytes));
    file.extend_from_slice(bytes);
    file
}

fn open(mut file: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    let header = file.get(..HEADER).ok_or("it ends within its header")?;
    let (magic, rest) = header.split_at(8);
    let (length, digest) = rest.split_at(8);
    let body = &file[HEADER..];
    if magic != MAGIC {
        return Err("it is not a checkpoint of this program");
    }
    if length != (body.len() as u64).to_le_bytes() {
        return Err("its length is not the one in its header");
    }
    if digest != Sha256::digest(body).as_slice() {
        return Err("its checksum does not fit");
    }
    file.drain(..HEADER);
    Ok(file)
}

/// The two paths of `name`.
///
/// # Panics
/// If `name` is anything but lower-case letters, digits, `-` and `_`: it becomes a file name.
#[track_caller]
fn generations(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    assert!(!name.is_empty() && name.chars().all(fit), "checkpoint name {name:?}: only a-z, 0-9, - and _");
    (folder.join(format!("{name}.ckpt")), folder.join(format!("{name}.previous.ckpt")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::tempdir;

    fn saved(states: &[&[u8]]) -> tempfile::TempDir {
        let folder = tempdir().unwrap();
        for state in states {
            save(folder.path(), "train", state).unwrap();
        }
        folder
    }

    fn loaded(folder: &Path) -> Checkpoint {
        load(folder, "train").unwrap().unwrap()
    }

    #[test]
    fn the_newest_comes_back_and_the_one_before_is_kept() {
        let folder = saved(&[b"one", b"two", b"three"]);
        assert_eq!(loaded(folder.path()), Checkpoint { bytes: b"three".to_vec(), warning: None });
        fs::remove_file(folder.path().join("train.ckpt")).unwrap();
        // As after a kill between the two renames: no damage, no warning.
        assert_eq!(loaded(folder.path()), Checkpoint { bytes: b"two".to_vec(), warning: None });
    }

    #[test]
    fn nothing_saved_is_none() {
        assert_eq!(load(tempdir().unwrap().path(), "train").unwrap(), None);
        assert_eq!(loaded(saved(&[b""]).path()).bytes, b"");
    }

    #[test]
    fn a_newest_torn_anywhere_falls_back_with_a_warning() {
        let folder = saved(&[b"one", b"two"]);
        let newest = folder.path().join("train.ckpt");
        let whole = fs::read(&newest).unwrap();
        for length in 0..whole.len() {
            fs::write(&newest, &whole[..length]).unwrap();
            let checkpoint = loaded(folder.path());
            assert_eq!(checkpoint.bytes, b"one", "torn after {length} bytes");
            assert!(checkpoint.warning.unwrap().contains("train.ckpt is damaged"));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let folder = saved(&[b"one", b"two"]);
        let newest = folder.path().join("train.ckpt");
        let whole = fs::read(&newest).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&newest, flipped).unwrap();
            assert_eq!(loaded(folder.path()).bytes, b"one", "bit {bit}");
        }
    }

    #[test]
    fn saving_over_a_torn_file_keeps_the_last_good_one() {
        let folder = saved(&[b"one", b"two"]);
        let newest = folder.path().join("train.ckpt");
        fs::write(&newest, b"torn").unwrap();
        save(folder.path(), "train", b"three").unwrap();
        fs::write(&newest, b"torn again").unwrap();
        assert_eq!(loaded(folder.path()).bytes, b"one");
    }

    #[test]
    fn all_damaged_is_an_error_and_not_a_fresh_start() {
        let folder = saved(&[b"one"]);
        fs::write(folder.path().join("train.ckpt"), b"torn").unwrap();
        assert_eq!(load(folder.path(), "train").unwrap_err().exit(), Exit::Data);
        fs::write(folder.path().join("train.previous.ckpt"), b"torn").unwrap();
        assert!(load(folder.path(), "train").unwrap_err().message().contains("no intact checkpoint"));
    }

    #[test]
    #[should_panic(expected = "checkpoint name")]
    fn a_name_with_a_path_in_it_is_the_callers_bug() {
        let _ = save(Path::new("."), "../train", b"");
    }
}
