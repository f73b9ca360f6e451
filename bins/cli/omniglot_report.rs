//! The tables of the omniglot experiment.

use maml_meta::experiment::omniglot::{Gain, Interval, Score, Scores, Summary};
use serde::Serialize;

use crate::{
    exit::Failure,
    out::Out,
    table::{Caption, Table, percent},
};

/// One episode of a run, as a line of `rows.csv`.
#[derive(Serialize)]
pub struct Row<'a> {
    setting: &'static str,
    seed: u64,
    learner: &'static str,
    adaptation_steps: usize,
    group: &'a str,
    split: &'a str,
    episode: usize,
    accuracy: f64,
}

/// The accuracy of every judged episode.
pub fn rows(scores: &[Scores]) -> Vec<Row<'_>> {
    let of = |s: &'_ Scores| (s.cell.setting.name(), s.cell.seed, s.cell.learner.name(), s.steps);
    let episodes = scores.iter().flat_map(|s| s.accuracies.iter().enumerate().map(move |at| (s, at)));
    let row = |(s, (episode, &accuracy))| {
        let s: &Scores = s;
        let (setting, seed, learner, adaptation_steps) = of(s);
        Row { setting, seed, learner, adaptation_steps, group: &s.group, split: &s.split, episode, accuracy }
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
    let diverged: usize = summary.scores.iter().map(|score| score.diverged).sum();
    if diverged > 0 {
        out.line(format!("Adaptation diverged in {diverged} episodes, which count as wholly wrong."))?;
    }
    for claim in &summary.claims {
        let s = &claim.statistic;
        let interval = percent(s.mean, half_width(s));
        out.line(format!("Claim {}: {} ({} points). {}.", claim.id, claim.verdict, interval, claim.statement))?;
    }
    out.line("\nProtocol (reconstructed, not the paper's):")?;
    summary.protocol.iter().try_for_each(|sentence| out.line(format!("- {sentence}")))
}

fn half_width(interval: &Interval) -> f64 {
    (interval.high - interval.low) / 2.0
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
            cell.map_or(String::new(), |(_, _, interval)| percent(interval.mean, half_width(interval)))
        };
        table.row(std::iter::once(row.clone()).chain(columns.iter().map(value)));
    }
    if let Some((_, _, interval)) = cells.first() {
        let estimator = format!("{} over {}", interval.estimator, interval.over);
        table.caption(Caption { estimator, n: interval.n, level: interval.level });
    }
    table.print(out)
}
