//! The claims of the paper that linear regression speaks to, judged by the seeds' own gains.

use super::run::Run;
use crate::experiment::sweep::{Claim, SEEDS, Statistic, Swept};

impl Run {
    /// The claims that the finished sweeps speak to. A landscape of one's own has no easy and hard groups, and no claims.
    pub fn claims(&self) -> Vec<Claim> {
        if !self.config().groups.is_empty() {
            return Vec::new();
        }
        [self.claim_a(), self.claim_b(), self.claim_f()].into_iter().flatten().collect()
    }

    /// A finished sweep of this name, with at least two values.
    fn swept(&self, name: &str) -> Option<Swept> {
        let values = self.config().sweep.get(name)?.values.len();
        let measured: Vec<_> = self.measured().into_iter().filter(|at| at.place.sweep == name).collect();
        if measured.len() < values { None } else { Swept::of(measured, self.config().level) }
    }

    /// The gain at a place must be a small share of the largest that the closed form promises in this sweep.
    fn negligible(&self, sweep: &Swept, place: usize, name: &str) -> Statistic {
        sweep.negligible(place, name, self.config().negligible, sweep.largest_in_theory())
    }

    fn claim_a(&self) -> Option<Claim> {
        let sweep = self.swept("hardness")?;
        let equal = (0..=sweep.last()).find(|&place| sweep.value(place) == 1.0)?;
        let exact = sweep.measured[equal].place.theory_gain.map_or(f64::NAN, |gain| gain[0]);
        let statement = format!(
            "MAML improves much on NAL only if tasks differ in hardness. In closed form the ratio of the risks at equal \
             hardness is {exact}."
        );
        let growth = sweep.slope(|ratio| 1.0 - ratio, "1 - rho_H/rho_E", 1.0);
        Some(Claim::of("A", statement, vec![growth, self.negligible(&sweep, equal, "equal hardness")]))
    }

    fn claim_b(&self) -> Option<Claim> {
        let (distance, spread) = (self.swept("distance")?, self.swept("spread_hard")?);
        let statement = "The gain needs hard tasks whose solutions are closely packed and far from the easy ones'.";
        let (nearest, widest) = (0, spread.last());
        let statistics = vec![
            distance.slope(|r| r, "R", 1.0),
            self.negligible(&distance, nearest, &format!("R = {}", distance.value(nearest))),
            spread.slope(f64::ln, "ln r_H", -1.0),
            self.negligible(&spread, widest, &format!("r_H = {}", spread.value(widest))),
        ];
        Some(Claim::of("B", statement.into(), statistics))
    }

    fn claim_f(&self) -> Option<Claim> {
        let sweep = self.swept("samples")?;
        let crossing = self.config().landscape().and_then(|landscape| landscape.crossing()).ok().flatten()?;
        let away = |place: &usize| (sweep.value(*place) / crossing).ln().abs();
        let (first, last) = (0, sweep.last());
        let nearest = (first..=last).min_by(|a, b| away(a).total_cmp(&away(b)))?;
        let statement = format!(
            "The gain needs more adaptation samples than an effective dimension. The closed form predicts that MAML \
             leaves NAL's solution in the direction of the hard tasks beyond m = {crossing:.4}, and in the opposite one \
             below."
        );
        let at = |place: usize| format!("m = {}", sweep.value(place));
        let statistics = vec![
            sweep.gain_at(last, &at(last)),
            self.negligible(&sweep, nearest, &at(nearest)),
            self.lean(sweep.value(last), 1.0),
            self.lean(sweep.value(first), -1.0),
        ];
        Some(Claim::of("F", statement, statistics))
    }

    /// How far MAML's solution lies from NAL's towards its limit for m → ∞, at this m, with a sign.
    fn lean(&self, m: f64, sign: f64) -> Statistic {
        let draws =
            self.finished().find(|(cell, _)| cell.sweep == "samples" && cell.value == m).map_or(&[][..], |at| at.1);
        let samples: Vec<f64> = draws.iter().map(|draw| sign * draw.lean.unwrap_or(0.0)).collect();
        let minus = if sign < 0.0 { "-" } else { "" };
        Statistic::of(format!("{minus}lean of MAML's solution at m = {m}"), SEEDS, &samples, self.config().level)
    }
}
