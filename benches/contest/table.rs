//! The tables, in Markdown.

use crate::{
    answer::{Answer, TOLERANCE},
    cases::{Case, Engine},
};

const FAILED: &str = "failed";

/// What all engines answered at one case; none of those that failed.
pub(crate) struct Outcome<'a> {
    pub(crate) case: &'a Case,
    pub(crate) ours: Option<Answer>,
    pub(crate) peers: Vec<(Engine, Option<Answer>)>,
}

impl Outcome<'_> {
    /// Peers that answered, with their differences from ours; none if ours failed.
    fn differences(&self) -> impl Iterator<Item = (Engine, &Answer, f64)> {
        let ours = self.ours.as_ref();
        let answered = self.peers.iter().filter_map(|(engine, answer)| Some((*engine, answer.as_ref()?)));
        answered.filter_map(move |(engine, answer)| Some((engine, answer, answer.difference(ours?))))
    }

    /// The fastest peer that did the same job as ours.
    fn best(&self) -> Option<(Engine, &Answer)> {
        let same = self.differences().filter(|(_, _, difference)| *difference <= TOLERANCE);
        same.map(|(engine, answer, _)| (engine, answer)).min_by(|(_, a), (_, b)| a.median_s.total_cmp(&b.median_s))
    }

    /// A sentence for each peer that computed something else.
    pub(crate) fn quarrels(&self) -> Vec<String> {
        let others = self.differences().filter(|(_, _, difference)| *difference > TOLERANCE);
        others.map(|(engine, answer, difference)| self.quarrel(engine, answer, difference)).collect()
    }

    fn quarrel(&self, engine: Engine, answer: &Answer, difference: f64) -> String {
        let numbers = |a: &Answer| format!("{:.6e} and {:.6e}", a.loss, a.norm);
        let (theirs, ours) = (numbers(answer), self.ours.as_ref().map_or(FAILED.into(), numbers));
        format!(
            "**NOT THE SAME JOB** at {}: loss and norm of {engine} are {theirs}, ours {ours}, a relative \
             difference of {difference:.1e}; its time counts for nothing",
            self.case
        )
    }

    /// The line of the first table.
    pub(crate) fn row(&self) -> String {
        let best = self.best();
        let ours = self.ours.as_ref();
        let seconds = |answer: Option<&Answer>| answer.map_or(FAILED.into(), |a| time(a.median_s));
        let memory = |answer: Option<&Answer>| answer.map_or(String::new(), |a| format!("{:.0} MiB", a.rss_mib));
        let ratio = ours.zip(best).map_or(String::new(), |(a, (_, b))| format!("{:.2}", b.median_s / a.median_s));
        let peer = best.map(|(_, answer)| answer);
        let which = best.map_or(String::new(), |(engine, _)| engine.to_string());
        line(&[
            self.case.name.into(),
            self.case.threads.to_string(),
            seconds(ours),
            seconds(peer),
            which,
            ratio,
            memory(ours),
            memory(peer),
        ])
    }

    /// The lines of the second table.
    fn rows(&self) -> impl Iterator<Item = String> {
        let peers = self.peers.iter().map(|(engine, answer)| (engine.to_string(), answer));
        [("ours".to_owned(), &self.ours)].into_iter().chain(peers).map(|(engine, answer)| {
            let mut cells = vec![self.case.name.into(), self.case.threads.to_string(), engine];
            cells.extend(answer.as_ref().map_or([FAILED.into(), String::new(), String::new()], |a| {
                [
                    format!("{} ({}..{})", time(a.median_s), time(a.min_s), time(a.max_s)),
                    a.samples.to_string(),
                    format!("{:.0} MiB", a.rss_mib),
                ]
            }));
            line(&cells)
        })
    }
}

/// The first two lines of the first table.
pub(crate) fn heading() -> String {
    headed(&["case", "threads", "ours", "best peer", "which", "ratio", "our peak memory", "its peak memory"])
}

/// What is to be said below the first table, and the second one.
pub(crate) fn details(outcomes: &[Outcome]) -> String {
    let rows: Vec<String> = outcomes.iter().flat_map(Outcome::rows).collect();
    let head = headed(&["case", "threads", "engine", "median (min..max)", "samples", "peak memory"]);
    format!("{}\n\n{head}\n{}", agreement(outcomes), rows.join("\n"))
}

fn agreement(outcomes: &[Outcome]) -> String {
    let all = outcomes.iter().flat_map(|o| o.differences().map(|(engine, _, d)| (d, engine, o.case)));
    let Some((widest, engine, case)) = all.max_by(|(a, ..), (b, ..)| a.total_cmp(b)) else {
        return "No peer's loss and norm could be compared with ours.".into();
    };
    let quarrels: String =
        outcomes.iter().flat_map(Outcome::quarrels).map(|quarrel| format!("\n\n{quarrel}")).collect();
    format!(
        "Times are medians; ratio is the time of the best peer over ours. The widest relative difference between ours \
         and a peer in loss or norm is {widest:.1e} ({engine}, {case}); {TOLERANCE:.0e} is allowed.{quarrels}"
    )
}

fn headed(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|&cell| cell.to_owned()).collect();
    format!("{}\n|{}", line(&cells), "---|".repeat(cells.len()))
}

fn line(cells: &[String]) -> String {
    format!("| {} |", cells.join(" | "))
}

/// Three digits and a unit.
fn time(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (1e3 * s, "ms"),
        s => (1e6 * s, "µs"),
    };
    let digits = if number >= 100.0 { 0 } else { 1 + usize::from(number < 10.0) };
    format!("{number:.digits$} {unit}")
}
