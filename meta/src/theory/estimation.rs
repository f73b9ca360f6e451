//! How far the minimisers found from n tasks lie from those of the population, to first order in 1/n.

use super::{
    Comparison, Group, Landscape, Matrix, TheoryError,
    linear::Factors,
    solution::mixture,
    wick::{Factor, expectation},
};
use crate::LearnerName;

/// The data that a learner is trained on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Training {
    /// The number n of tasks.
    pub tasks: f64,
    /// The number N of samples of a task's outer batch. MAML has K batches of m beside it; NAL pools all K m + N.
    pub samples: f64,
}

/// E ½ (ŵ − w)ᵀ E\[M_i\] (ŵ − w) = tr(E\[M\] A⁻¹ V A⁻¹) / 2n to first order in 1/n, with ŵ from n tasks, w from the
/// population, A the curvature of the learner's objective and V = E\[s sᵀ\] the covariance of a task's gradient s at w.
///
/// For MAML, whose A is E\[M_i\], this is what n tasks cost in post-adaptation risk. None for MAML with more than one inner step,
/// where V has no short form.
///
/// # Errors
/// As for [`Comparison::of`].
pub fn estimation_risk(
    landscape: &Landscape,
    learner: LearnerName,
    training: Training,
) -> Result<Option<f64>, TheoryError> {
    let comparison = Comparison::of(landscape)?;
    if learner == LearnerName::Maml && landscape.adaptation.steps > 1 {
        return Ok(None);
    }
    let score = |group: &Group| {
        let apart = &comparison.solution(learner).minimiser - &group.centre;
        let around = &apart * apart.transpose() + &group.spread;
        match learner {
            LearnerName::Nal => nal_score(landscape, group, &around, training),
            LearnerName::Maml => maml_score(landscape, group, &around, training),
        }
    };
    let scores: Vec<Matrix> = landscape.groups.iter().map(score).collect();
    let variance = mixture(landscape, &scores.iter().collect::<Vec<_>>());
    let covariances: Vec<&Matrix> = landscape.groups.iter().map(|group| &group.covariance).collect();
    let objective = match learner {
        LearnerName::Nal => mixture(landscape, &covariances),
        LearnerName::Maml => comparison.curvature.clone(),
    };
    let factors = Factors::of(&objective, learner.name(), "of the objective")?;
    // A⁻¹ V A⁻¹ = A⁻¹ (A⁻¹ V)ᵀ, V being symmetric.
    let covariance = factors.solve_columns(&factors.solve_columns(&variance).transpose());
    Ok(Some(comparison.curvature.component_mul(&covariance).sum() / (2.0 * training.tasks)))
}

/// E\[Σ̂ E Σ̂\] for a batch of n samples.
fn second_moment(covariance: &Matrix, inside: &Matrix, samples: f64) -> Matrix {
    let forward = covariance * inside;
    &forward * covariance * (1.0 + 1.0 / samples) + covariance * (forward.trace() / samples)
}

/// E\[s sᵀ\] of s = Σ̂ (w − w*) − Xᵀz/n over all n = K m + N samples of a task: E\[Σ̂ D Σ̂\] + ν²Σ/n, with D = E\[(w − w*)(w − w*)ᵀ\].
fn nal_score(landscape: &Landscape, group: &Group, around: &Matrix, training: Training) -> Matrix {
    let sigma = &group.covariance;
    let samples = match landscape.adaptation.steps {
        0 => training.samples,
        steps => steps as f64 * landscape.adaptation.samples + training.samples,
    };
    second_moment(sigma, around, samples) + sigma * (landscape.noise_variance / samples)
}

/// E\[s sᵀ\] of s = P (Σ̂_o e − X_oᵀz_o/N) with e = P (w − w*) + αXᵀz/m and P = I − αΣ̂: first the outer batch is averaged over,
/// which leaves E\[P B(eeᵀ) P\] + ν²/N E\[PΣP\] with B(E) = (1 + 1/N) ΣEΣ + tr(ΣE) Σ/N; then e, given the inner batch;
/// then the inner batch, in which this is a product of up to four Σ̂.
fn maml_score(landscape: &Landscape, group: &Group, around: &Matrix, training: Training) -> Matrix {
    let (sigma, noise, outer) = (&group.covariance, landscape.noise_variance, training.samples);
    let (alpha, m) = (landscape.adaptation.alpha, landscape.adaptation.samples);
    if landscape.adaptation.steps == 0 {
        return second_moment(sigma, around, outer) + sigma * (noise / outer);
    }
    use Factor::{Fixed, Sample, Step};
    let mean = |product: &[Factor<'_>], loops: &[&[Factor<'_>]]| expectation(sigma, m, alpha, product, loops);
    // B(E) between two steps, for E given by its factors.
    let between = |inside: &[Factor<'_>]| {
        let chain: Vec<Factor<'_>> =
            [&[Step, Fixed(sigma)], inside, &[Fixed(sigma), Step]].into_iter().flatten().copied().collect();
        let cycle: Vec<Factor<'_>> = [&[Fixed(sigma)], inside].into_iter().flatten().copied().collect();
        mean(&chain, &[]) * (1.0 + 1.0 / outer) + mean(&[Step, Fixed(sigma), Step], &[&cycle]) / outer
    };
    let signal = between(&[Step, Fixed(around), Step]);
    let inner_noise = between(&[Sample]) * (alpha * alpha * noise / m);
    let outer_noise = mean(&[Step, Fixed(sigma), Step], &[]) * (noise / outer);
    signal + inner_noise + outer_noise
}
