//! Population minimisers, what they cost after adaptation, and what MAML gains.

use serde::Serialize;

use super::{Adapted, Landscape, Matrix, TheoryError, Vector, linear::Factors};
use crate::LearnerName;

/// An excess post-adaptation risk, E f_i(w_K) − f_i(w_i*), by its causes.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Risk {
    /// ½ (w − μ)ᵀ M (w − μ): the initialisation's distance from the centre of the solutions.
    pub distance: f64,
    /// ½ tr(M S): the spread of the solutions around their centre, which no initialisation removes.
    pub spread: f64,
    /// What the noise of the adaptation samples costs.
    pub noise: f64,
}

impl Risk {
    /// The sum.
    pub fn total(&self) -> f64 {
        self.distance + self.spread + self.noise
    }
}

/// A learner's choice, and what it is worth after adaptation.
#[derive(Clone, PartialEq, Debug)]
pub struct Solution {
    /// The initialisation \[d\].
    pub minimiser: Vector,
    /// E_m(w), the mean over the mixture.
    pub risk: Risk,
    /// The same for the tasks of each group, not weighted by its share.
    pub by_group: Vec<Risk>,
}

/// Both learners on one landscape.
#[derive(Clone, PartialEq, Debug)]
pub struct Comparison {
    /// w_NAL = E\[Σ_i\]⁻¹ E\[Σ_i w_i*\].
    pub nal: Solution,
    /// w_MAML = E\[M_i\]⁻¹ E\[M_i w_i*\].
    pub maml: Solution,
    /// E\[M_i\] \[d, d\], the curvature of the post-adaptation risk.
    pub curvature: Matrix,
    /// E_m(NAL) − E_m(MAML) = ½ (w_NAL − w_MAML)ᵀ E\[M_i\] (w_NAL − w_MAML), never negative.
    pub difference: f64,
}

impl Comparison {
    /// Solves both problems.
    ///
    /// # Errors
    /// The landscape is none, a minimiser is not unique, or adaptation diverges beyond the range of numbers.
    pub fn of(landscape: &Landscape) -> Result<Self, TheoryError> {
        landscape.check()?;
        let adapted = landscape.adapted()?;
        let covariances: Vec<&Matrix> = landscape.groups.iter().map(|group| &group.covariance).collect();
        let matrices: Vec<&Matrix> = adapted.iter().map(|adapted| &adapted.matrix).collect();
        let w_nal = weighted_centre(landscape, &covariances, "NAL", "E[covariance]")?;
        let w_maml = weighted_centre(landscape, &matrices, "MAML", "E[M], the curvature after adaptation,")?;
        let curvature = mixture(landscape, &matrices);
        let apart = &w_nal - &w_maml;
        Ok(Self {
            difference: 0.5 * apart.dot(&(&curvature * &apart)),
            nal: Solution::at(landscape, &adapted, w_nal),
            maml: Solution::at(landscape, &adapted, w_maml),
            curvature,
        })
    }

    /// One learner's side.
    pub fn solution(&self, learner: LearnerName) -> &Solution {
        match learner {
            LearnerName::Nal => &self.nal,
            LearnerName::Maml => &self.maml,
        }
    }

    /// E_m(NAL) / E_m(MAML), from the difference, so that it is never below 1; 1 if neither costs anything.
    pub fn ratio(&self) -> f64 {
        if self.difference == 0.0 { 1.0 } else { 1.0 + self.difference / self.maml.risk.total() }
    }

    /// ½ (w − w_learner)ᵀ E\[M_i\] (w − w_learner): how far an initialisation lies from a learner's, in the metric of
    /// the post-adaptation risk. For MAML it is what w costs more than the best.
    pub fn distance_from(&self, learner: LearnerName, w: &Vector) -> f64 {
        let apart = w - &self.solution(learner).minimiser;
        0.5 * apart.dot(&(&self.curvature * &apart))
    }
}

impl Solution {
    /// The risk of any initialisation `w` on the landscape whose groups adapt as `adapted`.
    pub fn at(landscape: &Landscape, adapted: &[Adapted], w: Vector) -> Self {
        let of_group = |(group, Adapted { matrix, noise }): (&super::Group, &Adapted)| {
            let apart = &w - &group.centre;
            let distance = 0.5 * apart.dot(&(matrix * &apart));
            Risk { distance, spread: 0.5 * matrix.component_mul(&group.spread).sum(), noise: *noise }
        };
        let by_group: Vec<Risk> = landscape.groups.iter().zip(adapted).map(of_group).collect();
        let mean = |part: fn(&Risk) -> f64| {
            landscape.groups.iter().zip(&by_group).map(|(group, risk)| group.share * part(risk)).sum()
        };
        let risk = Risk { distance: mean(|r| r.distance), spread: mean(|r| r.spread), noise: mean(|r| r.noise) };
        Self { minimiser: w, risk, by_group }
    }
}

/// Σ_g share_g A_g.
pub(super) fn mixture(landscape: &Landscape, of_groups: &[&Matrix]) -> Matrix {
    let d = landscape.dim();
    let terms = landscape.groups.iter().zip(of_groups);
    terms.fold(Matrix::zeros(d, d), |sum, (group, matrix)| sum + *matrix * group.share)
}

/// E\[A_i\]⁻¹ E\[A_i w_i*\]: the centres, each weighted by its group's matrix.
fn weighted_centre(
    landscape: &Landscape,
    of_groups: &[&Matrix],
    what: &'static str,
    matrix: &'static str,
) -> Result<Vector, TheoryError> {
    let terms = landscape.groups.iter().zip(of_groups);
    let moment = terms.fold(Vector::zeros(landscape.dim()), |sum, (group, a)| sum + *a * &group.centre * group.share);
    Ok(Factors::of(&mixture(landscape, of_groups), what, matrix)?.solve(&moment))
}

/// The range in which a crossing is searched.
const CROSSING_RANGE: [f64; 2] = [1e-3, 1e9];
/// Places of the search's first look, equally spaced in ln m.
const CROSSING_GRID: usize = 120;

impl Landscape {
    /// The number of adaptation samples at which MAML's solution crosses NAL's: with more it moves away from NAL's in
    /// the direction of its own limit for m → ∞, with fewer in the opposite one. None if it never crosses, for
    /// instance because all tasks are equally hard.
    ///
    /// It is the largest root of ⟨w_MAML(m) − w_NAL, w_MAML(∞) − w_NAL⟩, by bisection in ln m. With isotropic groups and
    /// K = 1 there is one root, m = (d + 1) α² (ρ_E² − ρ_H²) / ((1 − αρ_H)² − (1 − αρ_E)²).
    ///
    /// # Errors
    /// As for [`Comparison::of`].
    pub fn crossing(&self) -> Result<Option<f64>, TheoryError> {
        let here = Comparison::of(self)?;
        let Some(direction) = self.lean_direction()? else { return Ok(None) };
        // The same NAL for every m: only MAML's side depends on it.
        let lean = |m: f64| -> Result<f64, TheoryError> {
            Ok((Comparison::of(&self.with_samples(m))?.maml.minimiser - &here.nal.minimiser).dot(&direction))
        };
        let [low, high] = CROSSING_RANGE.map(f64::ln);
        let place = |i: usize| low + (high - low) * i as f64 / (CROSSING_GRID - 1) as f64;
        for i in (0..CROSSING_GRID - 1).rev() {
            if lean(place(i).exp())? <= 0.0 {
                return bisect(place(i), place(i + 1), lean).map(Some);
            }
        }
        Ok(None)
    }

    /// w_MAML(m → ∞) − w_NAL: where MAML's solution goes when adaptation sees enough. None if it goes nowhere.
    ///
    /// # Errors
    /// As for [`Comparison::of`]; a limit that is not unique (α = 1/ρ in every direction) is taken at m = 10¹².
    pub fn lean_direction(&self) -> Result<Option<Vector>, TheoryError> {
        let limit = match Comparison::of(&self.with_samples(f64::INFINITY)) {
            Err(TheoryError::Singular { .. }) => Comparison::of(&self.with_samples(1e12))?,
            limit => limit?,
        };
        let direction = &limit.maml.minimiser - &limit.nal.minimiser;
        let size = limit.maml.minimiser.amax().max(limit.nal.minimiser.amax());
        Ok((direction.amax() > 1e-9 * size).then_some(direction))
    }
}

fn bisect(mut below: f64, mut above: f64, lean: impl Fn(f64) -> Result<f64, TheoryError>) -> Result<f64, TheoryError> {
    for _ in 0..60 {
        let middle = 0.5 * (below + above);
        if lean(middle.exp())? <= 0.0 { below = middle } else { above = middle }
    }
    Ok((0.5 * (below + above)).exp())
}
