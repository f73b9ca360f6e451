//! The folder of one run: `config.toml`, `manifest.json`, `rows.csv`, `summary.json` and checkpoints.
//!
//! Every file is written atomically, and one process at a time holds the folder.

use crate::checkpoint::{self, Checkpoint};
use crate::exit::{Exit, Failure};
use crate::manifest::{Manifest, SCHEMA_VERSION, rfc3339};
use crate::{config, keys};
use maml_meta::atomic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const CONFIG: &str = "config.toml";
const MANIFEST: &str = "manifest.json";
const ROWS: &str = "rows.csv";
const SUMMARY: &str = "summary.json";
const LOCK: &str = ".lock";

/// An open run folder. It is held against other processes until it is dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: Lock,
}

impl RunFolder {
    /// Creates the folder, and writes `config.toml` and `manifest.json` into it. Without `out` it is the
    /// first free `runs/<experiment>-<profile>-<number>`, from 1.
    ///
    /// # Errors
    /// `out` exists and is not an empty folder, or it cannot be written. Nothing is ever overwritten.
    pub fn create<T: Serialize>(
        out: Option<&Path>,
        profile: &str,
        config: &T,
        manifest: &Manifest,
    ) -> Result<RunFolder, Failure> {
        let text = config::print(config)?;
        let path = match out {
            Some(path) => empty_folder(path)?,
            None => first_free(Path::new("runs"), &format!("{}-{profile}", manifest.experiment))?,
        };
        let lock = Lock::hold(&path)?;
        let folder = RunFolder { path, _lock: lock };
        folder.write(MANIFEST, json(manifest)?.as_bytes())?;
        // Last: a folder with a config is a run that can be resumed.
        folder.write(CONFIG, text.as_bytes())?;
        Ok(folder)
    }

    /// Opens the folder of a stopped run. `manifest` is that of the resuming program; its start is noted.
    ///
    /// # Errors
    /// There is no run; its config is another (the first differing key is named); its version, kernel path,
    /// data or seeds are others, so that the bits would not be the same; or another process holds it.
    pub fn resume<T: Serialize>(path: &Path, config: &T, manifest: &Manifest) -> Result<RunFolder, Failure> {
        let stored = stored_config(path)?;
        same_config(path, &stored, &config::print(config)?)?;
        let mut begun = stored_manifest(path)?;
        begun.same_bits(manifest)?;
        let folder = RunFolder { path: path.to_path_buf(), _lock: Lock::hold(path)? };
        atomic::sweep(path).map_err(|error| Failure::file("tidy", path, error))?;
        begun.resumed.push(rfc3339(SystemTime::now()));
        folder.write(MANIFEST, json(&begun)?.as_bytes())?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces `rows.csv` by `rows`, with a header from the field names. Floats are written with as many
    /// digits as give the same bits back.
    ///
    /// A row per result, and at a checkpoint first the rows and then the state: rows beyond the state that
    /// is loaded are then computed again, to the same bits.
    ///
    /// # Errors
    /// The folder cannot be written, or a row is not flat.
    pub fn write_rows<R: Serialize>(&self, rows: &[R]) -> Result<(), Failure> {
        self.write_table(ROWS, rows)
    }

    /// Replaces the CSV file `name` by `rows`, as [`RunFolder::write_rows`] does.
    ///
    /// # Errors
    /// The folder cannot be written, or a row is not flat.
    pub fn write_table<R: Serialize>(&self, name: &str, rows: &[R]) -> Result<(), Failure> {
        let path = self.path.join(name);
        let mut csv = csv::Writer::from_writer(Vec::new());
        let mut written = Ok(());
        for row in rows {
            written = written.and_then(|()| csv.serialize(row));
        }
        let bytes = written
            .map_err(|error| wrong("cannot write", &path, error))
            .and_then(|()| csv.into_inner().map_err(|error| wrong("cannot write", &path, error.into_error())))?;
        self.write(name, &bytes)
    }

    /// The rows of `rows.csv`; none if it was never written.
    ///
    /// # Errors
    /// The file is there and cannot be read as such rows.
    pub fn read_rows<R: DeserializeOwned>(&self) -> Result<Vec<R>, Failure> {
        let path = self.path.join(ROWS);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|error| Failure::file("read", &path, error))?,
        };
        let rows = csv::Reader::from_reader(bytes.as_slice()).into_deserialize().collect::<Result<_, _>>();
        rows.map_err(|error| wrong("cannot read", &path, error))
    }

    /// Writes `summary.json`, the text of [`summary_text`].
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write_summary<S: Serialize>(&self, summary: &S) -> Result<(), Failure> {
        self.write(SUMMARY, summary_text(summary)?.as_bytes())
    }

    /// Writes any other file of the run, such as a figure.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let path = self.path.join(name);
        atomic::write(&path, bytes).map_err(|error| Failure::file("write", &path, error))
    }

    /// Saves a state under `name` (a-z, 0-9, `-`, `_`), keeping the one before: see [`checkpoint::save`].
    ///
    /// # Errors
    /// The folder cannot be written; what was saved before stays.
    pub fn save_checkpoint(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        checkpoint::save(&self.path, name, bytes)
    }

    /// The newest intact state under `name`, or `None` if none was saved: see [`checkpoint::load`].
    ///
    /// # Errors
    /// States are there and none is intact.
    pub fn load_checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, Failure> {
        checkpoint::load(&self.path, name)
    }
}

/// The summary as JSON with its `schema_version` first: what `--json` prints and `summary.json` holds.
/// `summary` is a struct or map; a number that is not finite becomes `null`.
///
/// # Errors
/// `summary` is not a struct or map.
pub fn summary_text<S: Serialize>(summary: &S) -> Result<String, Failure> {
    #[derive(Serialize)]
    struct Versioned<'a, S> {
        schema_version: u32,
        #[serde(flatten)]
        summary: &'a S,
    }
    json(&Versioned { schema_version: SCHEMA_VERSION, summary })
}

/// The text of the config of the run in `folder`.
///
/// # Errors
/// There is no run.
pub fn stored_config(folder: &Path) -> Result<String, Failure> {
    stored(folder, CONFIG)
}

/// The manifest of the run in `folder`.
///
/// # Errors
/// There is no run, or its manifest is damaged.
pub fn stored_manifest(folder: &Path) -> Result<Manifest, Failure> {
    let text = stored(folder, MANIFEST)?;
    serde_json::from_str(&text).map_err(|error| wrong("cannot read", &folder.join(MANIFEST), error))
}

fn stored(folder: &Path, name: &str) -> Result<String, Failure> {
    fs::read_to_string(folder.join(name)).map_err(|error| {
        Failure::usage(format!("{} holds no run to resume: no readable {name}", folder.display()))
            .cause(error)
            .help("--resume wants the folder that a run named at its end, such as runs/omniglot-quick-1")
    })
}

fn same_config(path: &Path, then: &str, now: &str) -> Result<(), Failure> {
    let then = config::parse(&path.join(CONFIG).display().to_string(), then)?;
    let now = config::parse("the config", now)?;
    let Some(key) = keys::first_difference(&now, &then) else { return Ok(()) };
    let shown = |table| keys::value(table, &key).map_or("not set".to_string(), ToString::to_string);
    let what = format!("cannot resume: `{key}` is {} in {} and {} now", shown(&then), path.display(), shown(&now));
    Err(Failure::usage(what)
        .help("--resume DIR alone takes the run's own config; to change a key, start a new run with --out"))
}

fn json<S: Serialize>(value: &S) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| Failure::usage("this cannot be written as JSON").cause(error))
}

fn wrong(deed: &str, path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::new(Exit::Data, format!("{deed} {}", path.display())).cause(error)
}

fn empty_folder(path: &Path) -> Result<PathBuf, Failure> {
    fs::create_dir_all(path).map_err(|error| Failure::file("create the run folder", path, error))?;
    let mut entries = fs::read_dir(path).map_err(|error| Failure::file("read", path, error))?;
    match entries.next() {
        None => Ok(path.to_path_buf()),
        Some(_) => Err(Failure::usage(format!("{} is not empty, and a run overwrites nothing", path.display()))
            .help(format!("choose another --out, or go on with that run: --resume {}", path.display()))),
    }
}

/// Creates the first free `<parent>/<name>-<number>`. Creating is the claim: of two runs that start at once,
/// each gets a folder of its own.
fn first_free(parent: &Path, name: &str) -> Result<PathBuf, Failure> {
    fs::create_dir_all(parent).map_err(|error| Failure::file("create", parent, error))?;
    let mut number = 1_u64;
    loop {
        let path = parent.join(format!("{name}-{number}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Failure::file("create the run folder", &path, error)),
        }
    }
}

/// Holds a folder until it is dropped; the system lets go when a process dies.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn hold(folder: &Path) -> Result<Lock, Failure> {
        let path = folder.join(LOCK);
        let file = File::options().create(true).write(true).truncate(false).open(&path);
        let file = file.map_err(|error| Failure::file("write", &path, error))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let what = format!("another process is at work in {}", folder.display());
                Err(Failure::usage(what).help("wait for it to end, or choose another folder"))
            }
            // Some network file systems know no locks, and a run on them is still a run.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Lock(file)),
        }
    }
}

impl Drop for Lock {
    /// Closing the file is not enough: a child process that is just being started has it open too.
    fn drop(&mut self) {
        // Where there are no locks there is nothing to let go.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
#[path = "run_folder_tests.rs"]
mod tests;
