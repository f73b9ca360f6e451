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

/// What the rows of one operation in one phase have in common, summed.
struct Line {
    place: Place,
    operation: &'static str,
    calls: u64,
    time: Duration,
    flops: u64,
    bytes: u64,
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
        let (place, operation) = (row.place, row.operation);
        let line = match lines.iter().position(|line| (line.place, line.operation) == (place, operation)) {
            Some(known) => &mut lines[known],
            None => {
                lines.push(Line { place, operation, calls: 0, time: Duration::ZERO, flops: 0, bytes: 0 });
                lines.last_mut().expect("just added")
            }
        };
        line.calls += row.calls;
        line.time += row.time;
        line.flops += row.flops;
        line.bytes += row.bytes;
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.time));
    lines
}

fn table(profile: &Profile) -> Table {
    let whole = profile.time().as_secs_f64();
    let title = format!("Where {whole:.2} s of the threads' time went (GFLOP/s of the plain formulas)");
    let mut table =
        Table::new(title, &["operation", "phase", "sweep", "seconds", "share, %", "calls", "GFLOP/s", "GB/s"]);
    let mut add = |operation: &str, place: Option<Place>, time: Duration, calls: u64, flops: u64, bytes: u64| {
        let seconds = time.as_secs_f64();
        let rate =
            |amount: u64| if amount == 0 { String::new() } else { format!("{:.1}", amount as f64 / seconds / 1e9) };
        table.row([
            operation.to_owned(),
            place.map_or(String::new(), |place| place.phase.to_owned()),
            place.map_or(String::new(), |place| place.sweep.name().to_owned()),
            format!("{seconds:.3}"),
            format!("{:.1}", 100.0 * seconds / whole.max(f64::MIN_POSITIVE)),
            calls.to_string(),
            rate(flops),
            rate(bytes),
        ]);
    };
    let lines = lines(profile);
    let (shown, small): (Vec<&Line>, Vec<&Line>) =
        lines.iter().partition(|line| line.time.as_secs_f64() >= LEAST_SHARE * whole);
    for line in shown {
        add(line.operation, Some(line.place), line.time, line.calls, line.flops, line.bytes);
    }
    let total = |of: fn(&Line) -> u64| small.iter().map(|line| of(line)).sum();
    let time = small.iter().map(|line| line.time).sum();
    add("all other operations", None, time, total(|l| l.calls), total(|l| l.flops), total(|l| l.bytes));
    for (place, time) in profile.places() {
        let inside: Duration = lines.iter().filter(|line| line.place == place).map(|line| line.time).sum();
        let outside = time.saturating_sub(inside);
        if outside.as_secs_f64() >= LEAST_SHARE * whole {
            add("between operations", Some(place), outside, 0, 0, 0);
        }
    }
    table
}
