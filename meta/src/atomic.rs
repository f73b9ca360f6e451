//! A file is there whole, or as it was before: write beside it, fsync, rename, fsync the folder.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// The files that a killed process may leave begin so; they are never read.
const UNFINISHED: &str = ".unfinished-";

/// Replaces the file at `path` by `bytes`, or leaves it as it was.
///
/// # Errors
/// The folder does not exist, cannot be written, or is full.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    prepare(path, bytes)?.put(path)
}

/// A file that is on the disk, under a name that nobody reads yet.
pub struct Prepared(NamedTempFile);

/// Brings `bytes` to the disk in the folder of `path`.
///
/// # Errors
/// The file system's.
pub fn prepare(path: &Path, bytes: &[u8]) -> io::Result<Prepared> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // Results are as readable as other files of the user; the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(Prepared(file))
}

impl Prepared {
    /// Gives the file its name.
    ///
    /// # Errors
    /// The file system's.
    pub fn put(self, path: &Path) -> io::Result<()> {
        self.0.persist(path).map_err(|refused| refused.error)?;
        sync_folder(folder_of(path))
    }
}

/// Renames for good: the new name survives a power cut.
///
/// # Errors
/// The file system's.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    sync_folder(folder_of(to))
}

/// Removes what a killed process left unfinished.
///
/// # Errors
/// The file system's.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A rename is lasting only once its folder is on the disk. Other systems do not open folders as files.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        write(&path, b"first, and longer").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn before_the_rename_the_old_file_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        write(&path, b"old").unwrap();
        let prepared = prepare(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        prepared.put(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_sweep_takes_only_unfinished_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".unfinished-x1"), "half").unwrap();
        fs::write(folder.path().join("rows.csv"), "whole").unwrap();
        sweep(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["rows.csv"]);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("none/rows.csv"), b"").is_err());
    }
}
