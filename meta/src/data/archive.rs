//! Reading a zip that nobody vouches for: in memory, within limits, and without ever writing what it names.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

use super::DataError;

/// The official zips have 9.5 MB and 6.5 MB.
const MAX_FILE: u64 = 64 << 20;
/// The larger official zip has 20,275 entries, twice that with the twins that a Mac's archiver adds.
const MAX_ENTRIES: usize = 60_000;
/// The largest drawing has less than 1 KiB; re-encoded without compression it has 11 KiB.
const MAX_ENTRY: u64 = 64 << 10;

/// A zip in memory.
pub(crate) struct Archive {
    file: PathBuf,
    zip: ZipArchive<Cursor<Vec<u8>>>,
}

/// The bytes of a file of at most [`MAX_FILE`].
pub(crate) fn read_file(file: &Path) -> Result<Vec<u8>, DataError> {
    if !file.exists() {
        return Err(DataError::Missing { file: file.to_owned() });
    }
    let unreadable = |source| DataError::Unreadable { file: file.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(file).and_then(|f| f.take(MAX_FILE + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(refuse(file, format!("a zip of at most {} MiB", MAX_FILE >> 20), "a larger file".to_owned()));
    }
    Ok(bytes)
}

impl Archive {
    /// Opens `bytes`, which were read from `file`.
    pub(crate) fn open(file: &Path, bytes: Vec<u8>) -> Result<Self, DataError> {
        if !bytes.starts_with(b"PK") {
            return Err(refuse(file, "a zip archive".to_owned(), looks_like(&bytes).to_owned()));
        }
        let size = bytes.len();
        let damaged = |e| {
            refuse(
                file,
                "a whole zip archive".to_owned(),
                format!("{size} bytes that end too early or are damaged ({e})"),
            )
        };
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
        if zip.len() > MAX_ENTRIES {
            return Err(refuse(file, format!("at most {MAX_ENTRIES} entries"), format!("{}", zip.len())));
        }
        if zip.has_duplicate_names() {
            return Err(refuse(file, "every entry once".to_owned(), "entries that repeat a name".to_owned()));
        }
        Ok(Self { file: file.to_owned(), zip })
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The entries that are files, with their index; folders and an operating system's litter are passed over.
    pub(crate) fn entries(&self) -> Result<Vec<(usize, String)>, DataError> {
        let mut entries = Vec::new();
        for (i, raw) in self.zip.file_names_raw().enumerate() {
            let name = String::from_utf8_lossy(raw).into_owned();
            if leaves_folder(&name) {
                let found = "a path that leads out of the archive's folder".to_owned();
                return Err(self.entry_error(&name, "a relative path below one folder", found));
            }
            if !name.ends_with('/') && !is_litter(&name) {
                entries.push((i, name));
            }
        }
        Ok(entries)
    }

    /// The name of entry `index`, for messages.
    pub(crate) fn name(&self, index: usize) -> String {
        self.zip
            .name_for_index(index)
            .and_then(Result::ok)
            .map_or_else(|| format!("#{index}"), |name| name.into_owned())
    }

    /// The bytes of entry `index`, whatever size it claims: reading stops at the limit.
    pub(crate) fn read(&mut self, index: usize) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let read = self.zip.by_index(index).map_err(|e| e.to_string());
        let read = read.and_then(|entry| entry.take(MAX_ENTRY + 1).read_to_end(&mut bytes).map_err(|e| e.to_string()));
        if let Err(reason) = read {
            return Err(self.entry_error(
                &self.name(index),
                "an entry that can be unpacked",
                format!("a damaged one ({reason})"),
            ));
        }
        if bytes.len() as u64 > MAX_ENTRY {
            let expected = format!("at most {} KiB", MAX_ENTRY >> 10);
            return Err(self.entry_error(&self.name(index), &expected, "more when unpacked".to_owned()));
        }
        Ok(bytes)
    }

    pub(crate) fn entry_error(&self, name: &str, expected: &str, found: String) -> DataError {
        DataError::Entry { file: self.file.clone(), entry: name.to_owned(), expected: expected.to_owned(), found }
    }

    pub(crate) fn error(&self, expected: String, found: String) -> DataError {
        refuse(&self.file, expected, found)
    }
}

fn refuse(file: &Path, expected: String, found: String) -> DataError {
    DataError::Archive { file: file.to_owned(), expected, found }
}

/// What a file that is no zip probably is: a failed download most often is a web page.
fn looks_like(bytes: &[u8]) -> &'static str {
    let start = bytes.trim_ascii_start();
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    match start {
        [] => "an empty file",
        [b'<', ..] => "a web page (HTML)",
        [0x1F, 0x8B, ..] => "a gzip file",
        _ if start.starts_with(b"version https://git-lfs") => "a pointer to a file kept in Git LFS",
        _ => "a file without a zip's signature",
    }
}

fn leaves_folder(name: &str) -> bool {
    let absolute = name.starts_with('/') || name.get(1..2) == Some(":");
    absolute || name.contains(['\\', '\0']) || name.split('/').any(|part| part == "..")
}

fn is_litter(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    name.split('/').any(|part| part == "__MACOSX")
        || last.starts_with("._")
        || matches!(last, ".DS_Store" | "Thumbs.db" | "desktop.ini")
}
