//! The files and tables of the omniglot experiment.

use maml_meta::experiment::omniglot::{Gain, Interval, Run, RunError, Score, Scores, Summary};
use serde::Serialize;

use crate::{
    drive::Shown,
    exit::{Exit, Failure},
    out::Out,
    run_folder::RunFolder,
    table::{Caption, Table, percent},
};

/// One episode of a run, as a line of `rows.csv`.
#[derive(Serialize)]
struct Row<'a> {
    setting: &'static str,
    seed: u64,
    learner: &'static str,
    adaptation_steps: usize,
    group: &'a str,
    split: &'a str,
    episode: usize,
    accuracy: f64,
    diverged: bool,
}

impl Shown for Run {
    fn write(&self, folder: &RunFolder) -> Result<(), Failure> {
        folder.write_rows(&rows(self.scores()))?;
        folder.write_summary(&self.summary())
    }

    fn failure(error: &RunError) -> Failure {
        let exit = match error {
            RunError::Config(_) | RunError::Tasks { .. } => Exit::Usage,
            RunError::Diverged { .. } => Exit::Diverged,
            RunError::Checkpoint(_) | RunError::State(_) => Exit::Data,
        };
        Failure::new(exit, error.to_string())
    }
}

/// The accuracy of every judged episode.
fn rows(scores: &[Scores]) -> Vec<Row<'_>> {
    let of = |s: &'_ Scores| (s.cell.setting.name(), s.cell.seed, s.cell.learner.name(), s.steps);
    let episodes = scores.iter().flat_map(|s| s.accuracies.iter().enumerate().map(move |at| (s, at)));
    let row = |(s, (episode, &accuracy))| {
        let s: &Scores = s;
        let (setting, seed, learner, adaptation_steps) = of(s);
        Row {
            setting,
            seed,
            learner,
            adaptation_steps,
            group: &s.group,
            split: &s.split,
            episode,
            accuracy,
            diverged: s.diverged.contains(&episode),
        }
    };
    episodes.map(row).collect()
}

/// One number of a table: its row, its column, and the number.
type Cell<'a> = (String, String, &'a Interval);

/// Prints accuracies, gains, verdicts, and what made them.
pub fn print(summary: &Summary, out: &mut Out) -> Result<(), Failure> {
    let mut settings: Vec<_> = summary.scores.iter().map(|score| score.setting).collect();
    settings.dedup();
    for setting in settings {
        let of = |score: &&Score| score.setting == setting;
        let scores = summary.scores.iter().filter(of);
        let cells: Vec<Cell<'_>> =
            scores.map(|s| (s.learner.clone(), format!("{}, {}", s.group, s.split), &s.accuracy)).collect();
        let title = format!("{}, {}: accuracy after adaptation, %", setting.name(), summary.source);
        pivot(&title, "learner-steps", &cells, out)?;
        let gains = summary.gains.iter().filter(|gain: &&Gain| gain.setting == setting);
        let cells: Vec<Cell<'_>> =
            gains.map(|g| (g.comparison.clone(), format!("{}, {}", g.group, g.split), &g.gain)).collect();
        if !cells.is_empty() {
            let title = format!("{}, {}: paired difference of accuracies, points", setting.name(), summary.source);
            pivot(&title, "difference", &cells, out)?;
        }
    }
    for score in summary.scores.iter().filter(|score| score.diverged > 0) {
        let Score { learner, group, split, diverged, .. } = score;
        out.line(format!("{learner} diverged in {diverged} episodes of {group}, {split}; they count as guesses."))?;
    }
    for claim in &summary.claims {
        let points = |interval: &Interval| percent(interval.estimate.mean, interval.estimate.half_width());
        let Interval { over, estimate } = &claim.statistic;
        out.line(format!(
            "Claim {}: {}. {}. Gain on hard tasks {}, less that on easy tasks {} points (half of the {} % interval, \
             {} over {over}, n = {}; {}).",
            claim.id,
            claim.verdict,
            claim.statement,
            points(&claim.hard_gain),
            points(&claim.statistic),
            100.0 * estimate.level,
            estimate.estimator,
            estimate.n,
            summary.source,
        ))?;
    }
    out.line("\nProtocol (reconstructed, not the paper's):")?;
    summary.protocol.iter().try_for_each(|sentence| out.line(format!("- {sentence}")))
}

/// Rows and columns in the order in which they first occur.
fn pivot(title: &str, corner: &str, cells: &[Cell<'_>], out: &mut Out) -> Result<(), Failure> {
    let distinct = |name: fn(&Cell<'_>) -> String| {
        let mut names: Vec<String> = Vec::new();
        for cell in cells {
            let name = name(cell);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    let (rows, columns) = (distinct(|cell| cell.0.clone()), distinct(|cell| cell.1.clone()));
    let header: Vec<&str> = std::iter::once(corner).chain(columns.iter().map(String::as_str)).collect();
    let mut table = Table::new(title, &header);
    for row in &rows {
        let value = |column: &String| {
            let cell = cells.iter().find(|cell| cell.0 == *row && cell.1 == *column);
            cell.map_or(String::new(), |(_, _, interval)| {
                percent(interval.estimate.mean, interval.estimate.half_width())
            })
        };
        table.row(std::iter::once(row.clone()).chain(columns.iter().map(value)));
    }
    if let Some((_, _, interval)) = cells.first() {
        let Interval { over, estimate } = interval;
        let estimator = format!("{} over {over}", estimate.estimator);
        table.caption(Caption { estimator, n: estimate.n, level: estimate.level });
    }
    table.print(out)?;
    out.line("")
}
