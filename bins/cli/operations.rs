//! `--profile-ops`: where the time of a run went, by operation and phase.

use std::time::Duration;

use maml_meta::{
    parallel::{Record, Workers},
    profile::{Place, Profile},
};
use serde::Serialize;

use crate::{arguments::RunArguments, exit::Failure, run_folder::RunFolder, table::Table};

const FILE: &str = "operations.csv";
/// Operations that take a smaller share of the time are summed up in one row.
const LEAST_SHARE: f64 = 0.005;

/// The record of what workers do, if it was asked for.
pub struct Operations(Option<Record>);

/// An operation of one output shape in one phase, as a line of `operations.csv`.
#[derive(Serialize)]
struct Row {
    phase: &'static str,
    sweep: &'static str,
    operation: &'static str,
    shape: String,
    calls: u64,
    seconds: f64,
    flops: u64,
    bytes: u64,
}

/// A line of the printed table: the rows of one operation in one phase together, or what is left over.
struct Line {
    place: Option<Place>,
    operation: &'static str,
    calls: u64,
    time: Duration,
    flops: u64,
    bytes: u64,
}

impl Line {
    fn empty(place: Option<Place>, operation: &'static str) -> Self {
        Self { place, operation, calls: 0, time: Duration::ZERO, flops: 0, bytes: 0 }
    }

    fn add(&mut self, calls: u64, time: Duration, flops: u64, bytes: u64) {
        self.calls += calls;
        self.time += time;
        self.flops += flops;
        self.bytes += bytes;
    }

    /// Its cells, its time as a share of the whole.
    fn cells(&self, whole: f64) -> [String; 8] {
        let seconds = self.time.as_secs_f64();
        let rate =
            |amount: u64| if amount == 0 { String::new() } else { format!("{:.1}", amount as f64 / seconds / 1e9) };
        [
            self.operation.to_owned(),
            self.place.map_or(String::new(), |place| place.phase.to_owned()),
            self.place.map_or(String::new(), |place| place.sweep.name().to_owned()),
            format!("{seconds:.3}"),
            format!("{:.1}", 100.0 * seconds / whole.max(f64::MIN_POSITIVE)),
            self.calls.to_string(),
            rate(self.flops),
            rate(self.bytes),
        ]
    }
}

impl Operations {
    /// Workers as the arguments ask for them, and what will be known of them.
    ///
    /// # Errors
    /// The system refuses to start the threads.
    pub fn of(arguments: &RunArguments, threads: usize) -> Result<(Workers, Self), Failure> {
        let workers = Workers::new(threads).map_err(|error| Failure::usage(error.to_string()))?;
        let record = arguments.profile_ops.then(Record::default);
        let workers = match &record {
            Some(record) => workers.recorded(record.clone()),
            None => workers,
        };
        Ok((workers, Self(record)))
    }

    /// After a run, however it ended: the table to stderr, every shape to `operations.csv`.
    ///
    /// # Errors
    /// That of the run; or the folder cannot be written.
    pub fn after(&self, ended: Result<(), Failure>, folder: &RunFolder) -> Result<(), Failure> {
        let Some(record) = &self.0 else { return ended };
        let profile = record.profile();
        eprint!("{}", table(&profile).render(false));
        ended.and(folder.write_table(FILE, &rows(&profile)))
    }
}

fn rows(profile: &Profile) -> Vec<Row> {
    let row = |row: maml_meta::profile::Row| Row {
        phase: row.place.phase,
        sweep: row.place.sweep.name(),
        operation: row.operation,
        shape: row.shape.to_string(),
        calls: row.calls,
        seconds: row.time.as_secs_f64(),
        flops: row.flops,
        bytes: row.bytes,
    };
    profile.rows().into_iter().map(row).collect()
}

/// The rows of each operation and place together, the slowest first.
fn lines(profile: &Profile) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for row in profile.rows() {
        let name = (Some(row.place), row.operation);
        let known = lines.iter().position(|line| (line.place, line.operation) == name).unwrap_or_else(|| {
            lines.push(Line::empty(name.0, name.1));
            lines.len() - 1
        });
        lines[known].add(row.calls, row.time, row.flops, row.bytes);
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.time));
    lines
}

/// What each place took besides its operations.
fn between(profile: &Profile, lines: &[Line]) -> Vec<Line> {
    let at = |(place, time): (Place, Duration)| {
        let inside = lines.iter().filter(|line| line.place == Some(place)).map(|line| line.time).sum();
        Line { time: time.saturating_sub(inside), ..Line::empty(Some(place), "between operations") }
    };
    profile.places().map(at).collect()
}

fn table(profile: &Profile) -> Table {
    let whole = profile.time().as_secs_f64();
    let title = format!("Where {whole:.2} s of the threads' time went (GFLOP/s of the plain formulas)");
    let mut table =
        Table::new(title, &["operation", "phase", "sweep", "seconds", "share, %", "calls", "GFLOP/s", "GB/s"]);
    let lines = lines(profile);
    let between = between(profile, &lines);
    let is_large = |line: &Line| line.time.as_secs_f64() >= LEAST_SHARE * whole;
    let mut rest = Line::empty(None, "all other operations");
    for line in &lines {
        if is_large(line) {
            table.row(line.cells(whole));
        } else {
            rest.add(line.calls, line.time, line.flops, line.bytes);
        }
    }
    for line in [rest].iter().chain(between.iter().filter(|line| is_large(line))) {
        table.row(line.cells(whole));
    }
    table
}
