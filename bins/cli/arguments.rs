//! The flags that every experiment binary takes, and the first screen for those who give none.
//!
//! A binary flattens [`RunArguments`] into its own struct and begins with [`parse`].

use crate::config;
use crate::exit::{Exit, Failure};
use crate::isa::{KERNEL_PATHS, pin_isa};
use crate::manifest::Manifest;
use crate::out::Out;
use crate::run_folder::{self, RunFolder};
use clap::error::ErrorKind;
use clap::{Args, Parser, ValueEnum};
use maml_meta::Isa;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// The words that all experiment binaries share.
#[derive(Args, Clone, Default, Debug)]
pub struct RunArguments {
    /// Built-in config to start from [default: quick; with --resume, the run's own]
    #[arg(long, value_enum, value_name = "NAME")]
    pub profile: Option<Profile>,
    /// Put the keys of a TOML file over the profile
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Put one key over profile and file, such as maml.alpha=0.01 (repeatable)
    #[arg(long = "set", value_name = "KEY.SUB=VALUE")]
    pub sets: Vec<String>,
    /// Print the resolved config, ready to save and to use with --config, and end
    #[arg(long)]
    pub print_config: bool,
    /// A count (5 means the seeds 0,1,2,3,4) or a list (3,7,11; one seed alone: 7,)
    #[arg(long, value_name = "SEEDS")]
    pub seeds: Option<Seeds>,
    /// Number of threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Where the real data lie; nothing is ever downloaded
    #[arg(long, value_name = "DIR", env = "MAML_DATA", hide_env_values = true)]
    pub data: Option<PathBuf>,
    /// The run folder, new or empty [default: the first free runs/EXPERIMENT-PROFILE-NUMBER]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with a stopped run, to the same bits as without the stop
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Kernel path; -direct convolves by direct sums only, without Winograd's algorithm
    #[arg(long, value_name = "PATH", default_value = "auto", env = "MAML_ISA", hide_env_values = true,
        value_parser = KERNEL_PATHS)]
    pub isa: String,
    /// How to show progress, on stderr
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub progress: ProgressMode,
    /// At the end, say on stderr where the time went, by operation and phase, and write operations.csv
    #[arg(long)]
    pub profile_ops: bool,
    /// Print the summary alone, as JSON
    #[arg(long)]
    pub json: bool,
}

/// The built-in configs.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Profile {
    /// Seconds: shows that everything works
    Smoke,
    /// Minutes: shows the effect
    #[default]
    Quick,
    /// Hours: what one would publish
    Full,
}

impl Profile {
    /// The word on the command line and in folder names.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Smoke => "smoke",
            Profile::Quick => "quick",
            Profile::Full => "full",
        }
    }
}

/// How progress is shown.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum ProgressMode {
    /// A bar on a terminal, plain lines elsewhere
    #[default]
    Auto,
    /// A bar, if stderr is a terminal
    Bar,
    /// A line every few seconds
    Plain,
    /// Nothing but warnings
    None,
}

/// The seeds of a run: distinct, at least one, in the order given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seeds(pub Vec<u64>);

/// More seeds than this are a typing error.
const MOST_SEEDS: u64 = 10_000;

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Seeds, String> {
        let number = |word: &str| {
            word.trim().parse::<u64>().map_err(|_| format!("`{word}` is no seed: give a count (5) or a list (3,7,11)"))
        };
        if !text.contains(',') {
            return match number(text)? {
                0 => Err("a run needs at least one seed".into()),
                count if count > MOST_SEEDS => {
                    Err(format!("at most {MOST_SEEDS} seeds; for the seed {count} alone: {count},"))
                }
                count => Ok(Seeds((0..count).collect())),
            };
        }
        let list = text.trim().trim_end_matches(',');
        let seeds = list.split(',').map(number).collect::<Result<Vec<u64>, String>>()?;
        match seeds.iter().enumerate().find(|(i, seed)| seeds[..*i].contains(seed)) {
            Some((_, twice)) => Err(format!("seed {twice} is given twice")),
            None => Ok(Seeds(seeds)),
        }
    }
}

impl RunArguments {
    /// The profile that names the run: the one asked for, else `quick`.
    pub fn profile(&self) -> Profile {
        self.profile.unwrap_or_default()
    }

    /// The resolved config. `built_in` gives the TOML texts of each profile, later ones over earlier; with `--resume` and no
    /// `--profile` the run's own config takes its place, so that `--resume DIR` alone is enough.
    ///
    /// # Errors
    /// As for [`config::resolve`]; or the folder to resume holds no run.
    pub fn resolve<T: DeserializeOwned>(&self, built_in: impl Fn(Profile) -> Vec<&'static str>) -> Result<T, Failure> {
        let file = self.config.as_deref();
        match (&self.resume, self.profile) {
            (Some(folder), None) => {
                let name = folder.join("config.toml").display().to_string();
                config::resolve_over(&name, &[&run_folder::stored_config(folder)?], file, &self.sets)
            }
            _ => config::resolve(&built_in(self.profile()), file, &self.sets),
        }
    }

    /// The seeds: those asked for, else those of the run to resume, else `default`.
    ///
    /// # Errors
    /// The folder to resume holds no run.
    pub fn seeds(&self, default: &[u64]) -> Result<Vec<u64>, Failure> {
        match (&self.seeds, &self.resume) {
            (Some(seeds), _) => Ok(seeds.0.clone()),
            (None, Some(folder)) => Ok(run_folder::stored_manifest(folder)?.seeds),
            (None, None) => Ok(default.to_vec()),
        }
    }

    /// The data folder: the one asked for, else that of the run to resume.
    ///
    /// # Errors
    /// The folder to resume holds no run.
    pub fn data(&self) -> Result<Option<PathBuf>, Failure> {
        match (&self.data, &self.resume) {
            (None, Some(folder)) => Ok(run_folder::stored_manifest(folder)?.data.folder),
            (data, _) => Ok(data.clone()),
        }
    }

    /// Pins the kernel path: the one asked for, else that of the run to resume, else the fastest.
    ///
    /// # Errors
    /// As for [`pin_isa`]; or the folder to resume holds no run.
    pub fn pin_isa(&self) -> Result<Isa, Failure> {
        match &self.resume {
            Some(folder) if self.isa == "auto" => pin_isa(&run_folder::stored_manifest(folder)?.isa),
            _ => pin_isa(&self.isa),
        }
    }

    /// The number of threads.
    ///
    /// # Errors
    /// As for [`crate::threads::threads`].
    pub fn threads(&self) -> Result<usize, Failure> {
        crate::threads::threads(self.threads)
    }

    /// The run folder: that of `--resume`, else a new one at `--out` or under `runs/`.
    ///
    /// # Errors
    /// As for [`RunFolder::resume`] and [`RunFolder::create`].
    pub fn open_folder<T: Serialize>(&self, config: &T, manifest: &Manifest) -> Result<RunFolder, Failure> {
        match &self.resume {
            Some(folder) => RunFolder::resume(folder, config, manifest),
            None => RunFolder::create(self.out.as_deref(), self.profile().name(), config, manifest),
        }
    }
}

/// Parses the command line. `None` means that all is said already: without arguments the first screen
/// (`first_screen`: what this is and the three commands to try), or the text of `--help` or `--version`.
///
/// # Errors
/// Wrong usage, with clap's message and exit code 2.
pub fn parse<A: Parser>(first_screen: &str, out: &mut Out) -> Result<Option<A>, Failure> {
    parse_from(std::env::args_os(), first_screen, out)
}

/// [`parse`] on given words, the program's name first.
///
/// # Errors
/// As for [`parse`].
pub fn parse_from<A: Parser>(
    words: impl IntoIterator<Item = OsString>,
    first_screen: &str,
    out: &mut Out,
) -> Result<Option<A>, Failure> {
    let words: Vec<OsString> = words.into_iter().collect();
    if words.len() <= 1 {
        out.line(first_screen.trim_end())?;
        return Ok(None);
    }
    let error = match A::try_parse_from(words) {
        Ok(arguments) => return Ok(Some(arguments)),
        Err(error) => error,
    };
    let text = error.render();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if out.colour() => out.text(text.ansi())?,
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => out.text(text)?,
        _ => return Err(Failure::verbatim(Exit::Usage, text.to_string())),
    }
    Ok(None)
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
