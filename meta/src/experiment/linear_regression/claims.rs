//! The claims of the paper that linear regression speaks to, judged by the seeds' own gains.

use serde::Serialize;

use super::{
    cell::{Cell, Draw},
    points::log_gain,
    run::Run,
};
use crate::stats::{Estimate, Verdict, mean_interval_at};

/// A claim of the paper, and what this run says of it.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// Its letter.
    pub id: &'static str,
    /// What is claimed.
    pub statement: String,
    /// All of these must be above 0 for the claim to be supported.
    pub statistics: Vec<Statistic>,
    /// "supported", "not supported" or "undecided".
    pub verdict: String,
}

/// A number that the claim says is above 0.
#[derive(Clone, Debug, Serialize)]
pub struct Statistic {
    /// What it is.
    pub what: String,
    /// Mean over seeds, and its interval.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// What the interval says of "above 0".
    pub verdict: String,
}

/// A sweep of the two-group environment: its cells with their draws, in the order of the parameter.
struct Swept<'a> {
    cells: Vec<(&'a Cell, &'a [Draw])>,
    level: f64,
    negligible: f64,
}

const GAIN: &str = "ln(E_NAL/E_MAML)";

impl Run {
    /// The claims that the finished sweeps speak to. A landscape of one's own has no easy and hard groups, and no claims.
    pub fn claims(&self) -> Vec<Claim> {
        if !self.config().groups.is_empty() {
            return Vec::new();
        }
        [self.claim_a(), self.claim_b(), self.claim_f()].into_iter().flatten().collect()
    }

    /// A finished sweep of this name, with at least two values.
    fn swept(&self, name: &str) -> Option<Swept<'_>> {
        let values = self.config().sweep.get(name)?.values.len();
        let mut cells: Vec<_> = self.finished().filter(|(cell, _)| cell.sweep == name).collect();
        cells.sort_by(|a, b| a.0.value.total_cmp(&b.0.value));
        let whole = cells.len() == values && values > 1;
        whole.then_some(Swept { cells, level: self.config().level, negligible: self.config().negligible })
    }

    fn claim_a(&self) -> Option<Claim> {
        let sweep = self.swept("hardness")?;
        let equal = sweep.cells.iter().position(|(cell, _)| cell.value == 1.0)?;
        let exact = sweep.cells[equal].0.comparison.ratio();
        let statement = format!(
            "MAML improves much on NAL only if tasks differ in hardness. In closed form the ratio of the risks at equal \
             hardness is {exact}."
        );
        let growth = sweep.slope(|ratio| 1.0 - ratio, "1 - rho_H/rho_E", 1.0);
        Some(Claim::of("A", statement, vec![growth, sweep.negligible_at(equal, "equal hardness")]))
    }

    fn claim_b(&self) -> Option<Claim> {
        let (distance, spread) = (self.swept("distance")?, self.swept("spread_hard")?);
        let statement = "The gain needs hard tasks whose solutions are closely packed and far from the easy ones'.";
        let (nearest, widest) = (0, spread.cells.len() - 1);
        let at = |sweep: &Swept<'_>, place: usize, name: &str| format!("{name} = {}", sweep.cells[place].0.value);
        let statistics = vec![
            distance.slope(|r| r, "R", 1.0),
            distance.negligible_at(nearest, &at(&distance, nearest, "R")),
            spread.slope(f64::ln, "ln r_H", -1.0),
            spread.negligible_at(widest, &at(&spread, widest, "r_H")),
        ];
        Some(Claim::of("B", statement.into(), statistics))
    }

    fn claim_f(&self) -> Option<Claim> {
        let sweep = self.swept("samples")?;
        let crossing = self.config().landscape().and_then(|landscape| landscape.crossing()).ok().flatten()?;
        let away = |cell: &Cell| (cell.value / crossing).ln().abs();
        let nearest =
            (0..sweep.cells.len()).min_by(|a, b| away(sweep.cells[*a].0).total_cmp(&away(sweep.cells[*b].0)))?;
        let statement = format!(
            "The gain needs more adaptation samples than an effective dimension. The closed form predicts that MAML \
             leaves NAL's solution in the direction of the hard tasks beyond m = {crossing:.4}, and in the opposite one \
             below."
        );
        let (first, last) = (0, sweep.cells.len() - 1);
        let at = |place: usize| format!("m = {}", sweep.cells[place].0.value);
        let statistics = vec![
            sweep.mean(last, format!("{GAIN} at {}", at(last)), log_gain),
            sweep.negligible_at(nearest, &at(nearest)),
            sweep.mean(last, format!("lean of MAML's solution at {}", at(last)), |_, draw| lean(draw)),
            sweep.mean(first, format!("-lean of MAML's solution at {}", at(first)), |_, draw| -lean(draw)),
        ];
        Some(Claim::of("F", statement, statistics))
    }
}

fn lean(draw: &Draw) -> f64 {
    draw.lean.unwrap_or(0.0)
}

impl Claim {
    fn of(id: &'static str, statement: String, statistics: Vec<Statistic>) -> Self {
        let verdict = Verdict::of_all(statistics.iter().map(|statistic| &statistic.estimate));
        Self { id, statement, statistics, verdict: verdict.to_string() }
    }
}

impl Swept<'_> {
    fn statistic(&self, what: String, samples: &[f64]) -> Statistic {
        let estimate = mean_interval_at(samples, self.level);
        Statistic { what, verdict: Verdict::of(&estimate).to_string(), estimate }
    }

    fn seeds(&self) -> usize {
        self.cells.first().map_or(0, |(_, draws)| draws.len())
    }

    /// The mean over seeds of a number at one place.
    fn mean(&self, place: usize, what: String, of: impl Fn(&Cell, &Draw) -> f64) -> Statistic {
        let (cell, draws) = self.cells[place];
        self.statistic(what, &draws.iter().map(|draw| of(cell, draw)).collect::<Vec<_>>())
    }

    /// For each seed the least-squares slope of the gain against a function of the parameter, with a sign.
    fn slope(&self, x: impl Fn(f64) -> f64, name: &str, sign: f64) -> Statistic {
        let xs: Vec<f64> = self.cells.iter().map(|(cell, _)| x(cell.value)).collect();
        let mean = xs.iter().sum::<f64>() / xs.len() as f64;
        let square: f64 = xs.iter().map(|x| (x - mean).powi(2)).sum();
        let slope = |seed: usize| {
            let products =
                self.cells.iter().zip(&xs).map(|((cell, draws), x)| (x - mean) * log_gain(cell, &draws[seed]));
            sign * products.sum::<f64>() / square
        };
        let minus = if sign < 0.0 { "-" } else { "" };
        self.statistic(
            format!("{minus}slope of {GAIN} against {name}"),
            &(0..self.seeds()).map(slope).collect::<Vec<_>>(),
        )
    }

    /// For each seed the negligible share of its gain where the closed form is largest, less its gain at `place`.
    fn negligible_at(&self, place: usize, name: &str) -> Statistic {
        let ratio = |i: &usize| self.cells[*i].0.comparison.ratio();
        let best = (0..self.cells.len()).max_by(|a, b| ratio(a).total_cmp(&ratio(b))).expect("a sweep has values");
        let gain = |place: usize, seed: usize| log_gain(self.cells[place].0, &self.cells[place].1[seed]);
        let below = |seed: usize| self.negligible * gain(best, seed) - gain(place, seed);
        let what = format!("{} of the sweep's largest {GAIN} less that at {name}", self.negligible);
        self.statistic(what, &(0..self.seeds()).map(below).collect::<Vec<_>>())
    }
}
