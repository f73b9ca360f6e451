//! Decoded image sets on disk, so that a second start takes a tenth of the first one's time.
//!
//! A cache is never trusted and never needed: a file that is damaged, foreign or of another version is a warning, and
//! the set is decoded again.
//!
//! Layout, integers little-endian: `MAMLIMGS`, version u32; height, width, channels, drawings, number of alphabets u32;
//! the set's digest; for each alphabet background u8, classes u32, name; the pixels as u64 length and bytes; the
//! SHA-256 of all before. Digest and names are a u32 length and UTF-8.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Alphabet, ImageSet, Source};
use crate::atomic;

const MAGIC: &[u8; 8] = b"MAMLIMGS";
/// Raise it whenever the layout or the decoding (resize, order of classes) changes.
const VERSION: u32 = 1;
const CHECKSUM: usize = 32;
/// Omniglot has 25.5 MB; a file far beyond is not ours.
const MAX_FILE: u64 = 256 << 20;

/// `$XDG_CACHE_HOME/maml-landscape`, or `~/.cache/maml-landscape`; none without a home.
#[must_use]
pub fn default_folder() -> Option<PathBuf> {
    folder_from(std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))
}

/// A relative XDG_CACHE_HOME is to be ignored, says the XDG Base Directory Specification.
fn folder_from(xdg: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|p| p.is_absolute());
    let base = xdg.and_then(absolute).or_else(|| home.and_then(absolute).map(|home| home.join(".cache")));
    base.map(|base| base.join("maml-landscape"))
}

/// The file in `folder` that holds the set made from what `digest` names.
#[must_use]
pub fn file(folder: &Path, digest: &str) -> PathBuf {
    folder.join(format!("{digest}.images"))
}

/// The set with this digest, or nothing if `folder` has none.
///
/// # Errors
/// One line that names the file and what is wrong with it.
pub fn read(folder: &Path, source: Source, digest: &str) -> Result<Option<ImageSet>, String> {
    let path = file(folder, digest);
    let ignored = |reason: String| format!("the cache {} is ignored and made anew: {reason}", path.display());
    let mut bytes = Vec::new();
    match File::open(&path).and_then(|f| f.take(MAX_FILE + 1).read_to_end(&mut bytes)) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ignored(e.to_string())),
    }
    let body = verify(&bytes).map_err(|reason| ignored(reason.to_owned()))?;
    let set = parse(body, source).ok_or_else(|| ignored("its sizes do not fit together".to_owned()))?;
    if set.digest != digest { Err(ignored("it was made from other files".to_owned())) } else { Ok(Some(set)) }
}

/// Keeps the set in `folder`, which is made if need be. Another process sees the whole file or none.
///
/// # Errors
/// One line that names the file and the reason.
pub fn write(folder: &Path, set: &ImageSet) -> Result<(), String> {
    let path = file(folder, &set.digest);
    persist(folder, &path, &encode(set)).map_err(|e| format!("the cache {} could not be written: {e}", path.display()))
}

fn persist(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    atomic::write(path, bytes)
}

fn encode(set: &ImageSet) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    let sizes = [set.height, set.width, set.channels, set.drawings, set.alphabets.len()];
    out.extend(VERSION.to_le_bytes());
    out.extend(sizes.iter().flat_map(|&n| (n as u32).to_le_bytes()));
    push_text(&mut out, &set.digest);
    for a in &set.alphabets {
        out.push(u8::from(a.background));
        out.extend((a.classes.len() as u32).to_le_bytes());
        push_text(&mut out, &a.name);
    }
    out.extend((set.bytes().len() as u64).to_le_bytes());
    out.extend(set.bytes());
    let checksum = Sha256::digest(&out);
    out.extend(checksum);
    out
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The bytes before the checksum, once that is right.
fn verify(bytes: &[u8]) -> Result<&[u8], &'static str> {
    if !bytes.starts_with(MAGIC) {
        return Err("it does not begin as a cache does");
    }
    if bytes.get(8..12) != Some(&VERSION.to_le_bytes()) {
        return Err("it is of another version");
    }
    let Some((body, checksum)) = bytes.split_last_chunk::<CHECKSUM>() else {
        return Err("it is cut short");
    };
    if Sha256::digest(body)[..] == checksum[..] { Ok(body) } else { Err("its checksum is wrong") }
}

fn parse(body: &[u8], source: Source) -> Option<ImageSet> {
    let mut rest = body.get(MAGIC.len() + 4..)?;
    let mut sizes = [0; 5];
    for size in &mut sizes {
        *size = take_u32(&mut rest)?;
    }
    let [height, width, channels, drawings, count] = sizes;
    let digest = take_text(&mut rest)?;
    let mut alphabets = Vec::new();
    let mut classes = 0;
    for _ in 0..count {
        let background = take(&mut rest, 1)? == [1];
        let end = classes + take_u32(&mut rest)?;
        alphabets.push(Alphabet { name: take_text(&mut rest)?, background, classes: classes..end });
        classes = end;
    }
    let pixels = u64::from_le_bytes(take(&mut rest, 8)?.try_into().ok()?);
    let pixels = take(&mut rest, usize::try_from(pixels).ok()?)?.to_vec();
    ImageSet::new(source, digest, [height, width, channels], drawings, alphabets, pixels).ok()
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> Option<&'a [u8]> {
    let (head, tail) = rest.split_at_checked(n)?;
    *rest = tail;
    Some(head)
}

fn take_u32(rest: &mut &[u8]) -> Option<usize> {
    Some(u32::from_le_bytes(take(rest, 4)?.try_into().ok()?) as usize)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let n = take_u32(rest)?;
    String::from_utf8(take(rest, n)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_folder_follows_the_xdg_specification() {
        let from = |xdg: Option<&str>, home: Option<&str>| folder_from(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(from(Some("/c"), Some("/h")), Some("/c/maml-landscape".into()));
        assert_eq!(from(None, Some("/h")), Some("/h/.cache/maml-landscape".into()));
        assert_eq!(from(Some("c"), Some("/h")), Some("/h/.cache/maml-landscape".into()));
        assert_eq!(from(None, None), None);
        assert_eq!(from(Some(""), Some("")), None);
    }
}
