//! `manifest.json`: what a run ran on, so that its numbers can be found again.

use crate::exit::Failure;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The layout of `manifest.json` and `summary.json`; it grows when a field changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// What a run ran on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// The experiment's name, as its binary is called.
    pub experiment: String,
    /// The version of this package.
    pub program_version: String,
    /// The kernel path that ran (never `auto`).
    pub isa: String,
    /// What the processor offers, for those who compare machines.
    pub cpu_features: String,
    /// Threads of the run; results do not depend on it.
    pub threads: usize,
    /// Where the data came from.
    pub data: DataSource,
    /// The seeds, in order.
    pub seeds: Vec<u64>,
    /// When the run began, RFC 3339 in UTC.
    pub started: String,
    /// When it was resumed, each time.
    #[serde(default)]
    pub resumed: Vec<String>,
}

/// Where a run's data came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataSource {
    /// `omniglot`, `synthetic glyphs`, …: the words that the tables print.
    pub name: String,
    /// SHA-256 in hexadecimal over the data as they were read; for generated data, over their recipe.
    pub sha256: String,
    /// The folder that they were read from; none for generated data.
    #[serde(default)]
    pub folder: Option<PathBuf>,
}

impl DataSource {
    /// Data that the program samples itself, by a recipe (the printed config).
    pub fn sampled(recipe: &str) -> DataSource {
        let digest = Sha256::digest(recipe);
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        DataSource { name: "sampled".into(), sha256, folder: None }
    }
}

impl Manifest {
    /// The manifest of a run that begins now on this machine. `isa` is the kernel path that was chosen.
    pub fn now(experiment: &str, isa: &str, threads: usize, data: DataSource, seeds: &[u64]) -> Manifest {
        Manifest {
            schema_version: SCHEMA_VERSION,
            experiment: experiment.to_string(),
            program_version: env!("CARGO_PKG_VERSION").to_string(),
            isa: isa.to_string(),
            cpu_features: cpu_features(),
            threads,
            data,
            seeds: seeds.to_vec(),
            started: rfc3339(SystemTime::now()),
            resumed: Vec::new(),
        }
    }

    /// Whether a run begun under `self` gives, resumed under `now`, the bits it would have given without a
    /// stop. Threads, processor and time may differ.
    ///
    /// # Errors
    /// Names the first of version, experiment, kernel path, data and seeds that differs.
    pub fn same_bits(&self, now: &Manifest) -> Result<(), Failure> {
        let seeds = |manifest: &Manifest| manifest.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let pairs = [
            ("experiment", self.experiment.clone(), now.experiment.clone(), "resume it with its own program"),
            (
                "program version",
                self.program_version.clone(),
                now.program_version.clone(),
                "resume it with that version",
            ),
            ("kernel path", self.isa.clone(), now.isa.clone(), "pin the path with --isa"),
            ("data", self.data.name.clone(), now.data.name.clone(), "give the same data with --data"),
            ("data digest", self.data.sha256.clone(), now.data.sha256.clone(), "give the same data with --data"),
            ("seeds", seeds(self), seeds(now), "leave --seeds out to take the run's own"),
        ];
        match pairs.into_iter().find(|(_, then, now, _)| then != now) {
            None => Ok(()),
            Some((what, then, now, help)) => {
                Err(Failure::usage(format!("cannot resume: {what} {then} when the run began, {now} now")).help(help))
            }
        }
    }
}

/// The vector instructions of this processor, by name, separated by spaces.
pub fn cpu_features() -> String {
    #[allow(unused_mut)]
    let mut found: Vec<&str> = vec![std::env::consts::ARCH];
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($name:tt)*) => { $( if std::arch::is_x86_feature_detected!($name) { found.push($name); } )* };
        }
        detect!("sse4.2" "avx" "avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512dq" "avx512vl" "avx512vnni" "avx512bf16");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! detect {
            ($($name:tt)*) => { $( if std::arch::is_aarch64_feature_detected!($name) { found.push($name); } )* };
        }
        detect!("neon" "dotprod" "fp16" "sve" "sve2");
    }
    found.join(" ")
}

/// A time as `2026-01-31T23:59:59Z`. Times before 1970 are taken as 1970.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let february = days_in_year(year) - 337;
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

fn days_in_year(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    if leap { 366 } else { 365 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn manifest() -> Manifest {
        let data = DataSource { name: "synthetic glyphs".into(), sha256: "00ff".into(), folder: None };
        Manifest::now("glyphs", "portable", 2, data, &[3, 7])
    }

    #[test]
    fn it_survives_json() {
        let text = serde_json::to_string(&manifest()).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&text).unwrap(), manifest().with_started(&text));
    }

    impl Manifest {
        /// The same with the start time that `text` holds: two calls of `now` may lie in two seconds.
        fn with_started(mut self, text: &str) -> Manifest {
            self.started = serde_json::from_str::<Manifest>(text).unwrap().started;
            self
        }
    }

    #[test]
    fn threads_may_differ_on_resume_and_bits_may_not() {
        let then = manifest();
        then.same_bits(&Manifest { threads: 1, started: "later".into(), ..manifest() }).unwrap();
        let refused = |now: Manifest| then.same_bits(&now).unwrap_err().to_string();
        assert_eq!(
            refused(Manifest { seeds: vec![3], ..manifest() }),
            "cannot resume: seeds 3,7 when the run began, 3 now"
        );
        assert!(refused(Manifest { isa: "avx2".into(), ..manifest() }).contains("kernel path portable when"));
        let data = DataSource { sha256: "ff00".into(), ..manifest().data };
        assert!(refused(Manifest { data, ..manifest() }).contains("data digest"));
    }

    #[test]
    fn times_are_written_in_rfc_3339() {
        // Unix times of known instants: the epoch, leap days of 2000 and 2024, the end of a common century year.
        let known = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        for (seconds, text) in known {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn features_begin_with_the_architecture() {
        assert!(cpu_features().starts_with(std::env::consts::ARCH));
    }
}
