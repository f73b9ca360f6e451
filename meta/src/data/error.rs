//! What can be wrong with a data set on disk.

use std::io;
use std::path::PathBuf;

/// Where the real data come from and where they go.
const GET: &str = "put the two Omniglot zips, images_background.zip (30 alphabets) and images_evaluation.zip (20 alphabets), from \
                   the python folder of github.com/brendenlake/omniglot, into one folder and name it with --data or MAML_DATA";

/// Why a data set was refused. Every message names the file, says what was expected and what was found, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The data folder does not exist or is a file.
    #[error("the data folder {folder} {found}: {}", GET)]
    Folder {
        /// The folder that was named.
        folder: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// The folder is there, a zip in it is not.
    #[error("{file} is missing: {}", GET)]
    Missing {
        /// The file that should be there.
        file: PathBuf,
    },
    /// The operating system refused to read the file.
    #[error("{file} cannot be read ({source}): make it readable, or name another folder with --data or MAML_DATA")]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file as a whole is not the archive that was expected.
    #[error("{file}: expected {expected}, found {found}; download it again: {}", GET)]
    Archive {
        /// The file.
        file: PathBuf,
        /// What a good file has.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// The two zips have each other's names.
    #[error(
        "{file} holds {found}/..., which belongs into the other zip: expected {expected}/...; give images_background.zip and \
         images_evaluation.zip their own names again"
    )]
    Swapped {
        /// The file.
        file: PathBuf,
        /// The top folder that its name promises.
        expected: &'static str,
        /// The top folder that it has.
        found: &'static str,
    },
    /// One entry of an archive is not what it should be.
    #[error("{file}, entry {entry:?}: expected {expected}, found {found}; this is not the official archive: {}", GET)]
    Entry {
        /// The archive.
        file: PathBuf,
        /// The entry's name.
        entry: String,
        /// What a good archive has there.
        expected: String,
        /// What this one has.
        found: String,
    },
    /// Sizes, names and pixels of an image set do not fit together.
    #[error("an image set of {expected} was expected, found {found}; build it from one consistent source")]
    Layout {
        /// What the sizes promise.
        expected: String,
        /// What was handed over.
        found: String,
    },
    /// A glyph configuration is out of range.
    #[error("glyphs: {key} must be {expected}, found {found}; change it in the config or with --set")]
    Glyphs {
        /// The key of the configuration.
        key: &'static str,
        /// The permitted values.
        expected: String,
        /// The value given.
        found: String,
    },
}
