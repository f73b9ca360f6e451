//! The mixture of task groups, and what K steps of SGD make of a task.

use super::{Matrix, TheoryError, Vector, linear::largest_eigenvalue};

/// Tasks that share a covariance: x ~ N(0, Σ), w* ~ N(μ, S).
#[derive(Clone, PartialEq, Debug)]
pub struct Group {
    /// Its name in reports.
    pub name: String,
    /// The probability of drawing a task from it.
    pub share: f64,
    /// Σ \[d, d\], symmetric, positive semi-definite: small eigenvalues make tasks hard.
    pub covariance: Matrix,
    /// μ \[d\], the centre of the solutions.
    pub centre: Vector,
    /// S \[d, d\], the covariance of the solutions; 0 packs them into one.
    pub spread: Matrix,
}

/// K steps of SGD with step α, each on a fresh batch of m samples.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Adaptation {
    /// The step size α.
    pub alpha: f64,
    /// The number m of samples of a step; +∞ is gradient descent on the population loss. Any positive real number
    /// has a closed form, which is what the crossing is searched in.
    pub samples: f64,
    /// The number K of steps; 0 is no adaptation.
    pub steps: usize,
}

/// What is adapted to, and how.
#[derive(Clone, PartialEq, Debug)]
pub struct Landscape {
    /// The mixture; the shares sum to 1.
    pub groups: Vec<Group>,
    /// ν², the variance of the targets' noise.
    pub noise_variance: f64,
    /// What follows the choice of the initialisation.
    pub adaptation: Adaptation,
}

/// The excess post-adaptation risk of a task with solution w*, as a function of the initialisation:
/// ½ (w − w*)ᵀ M (w − w*) + noise.
#[derive(Clone, PartialEq, Debug)]
pub struct Adapted {
    /// M \[d, d\], symmetric, positive semi-definite.
    pub matrix: Matrix,
    /// What the noise of the batches costs, whatever the initialisation.
    pub noise: f64,
}

impl Adaptation {
    /// M and the noise after K steps, by the recursion M₀ = Σ, noise₀ = 0,
    ///
    /// noise ← noise + (α²ν²/2m) tr(ΣM),
    /// M ← (I − αΣ) M (I − αΣ) + (α²/m) (ΣMΣ + tr(ΣM) Σ).
    ///
    /// The idea: the last step's batch is averaged over first, with E\[Σ̂ M Σ̂\] = (1 + 1/m) ΣMΣ + (1/m) tr(ΣM) Σ for
    /// a Gaussian sample covariance Σ̂, and leaves a quadratic form in the iterate before it. For K = 1, M is the Q of
    /// the one-step theory. Written as a sum of positive terms, M stays positive in floating point too.
    pub fn of_task(&self, covariance: &Matrix, noise_variance: f64) -> Adapted {
        let Self { alpha, samples, steps } = *self;
        let d = covariance.nrows();
        let contraction = Matrix::identity(d, d) - covariance * alpha;
        let per_sample = alpha * alpha / samples;
        let start = Adapted { matrix: covariance.clone(), noise: 0.0 };
        (0..steps).fold(start, |Adapted { matrix, noise }, _| {
            let forward = covariance * &matrix;
            let trace = forward.trace();
            let kept = &contraction * &matrix * &contraction;
            let sampled = (&forward * covariance + covariance * trace) * per_sample;
            let sum = kept + sampled;
            Adapted { matrix: (&sum + sum.transpose()) * 0.5, noise: noise + 0.5 * per_sample * noise_variance * trace }
        })
    }
}

impl Group {
    /// α λ_max(Σ): beyond 2 gradient descent on the population loss diverges.
    pub fn stretch(&self, alpha: f64) -> f64 {
        alpha * largest_eigenvalue(&self.covariance)
    }
}

impl Landscape {
    /// The length of an input.
    pub fn dim(&self) -> usize {
        self.groups.first().map_or(0, |group| group.centre.len())
    }

    /// The same landscape with other adaptation samples.
    pub fn with_samples(&self, samples: f64) -> Self {
        Self { adaptation: Adaptation { samples, ..self.adaptation }, ..self.clone() }
    }

    /// M and noise of every group, in order.
    ///
    /// # Errors
    /// Adaptation leads beyond the range of numbers.
    pub fn adapted(&self) -> Result<Vec<Adapted>, TheoryError> {
        let of_group = |group: &Group| {
            let adapted = self.adaptation.of_task(&group.covariance, self.noise_variance);
            if adapted.noise.is_finite() && adapted.matrix.iter().all(|x| x.is_finite()) {
                return Ok(adapted);
            }
            let (steps, stretch) = (self.adaptation.steps, group.stretch(self.adaptation.alpha));
            Err(TheoryError::Diverged { group: group.name.clone(), steps, stretch })
        };
        self.groups.iter().map(of_group).collect()
    }

    /// The first thing wrong with the description.
    ///
    /// # Errors
    /// Shapes that do not fit, shares that do not sum to 1, covariances that are none, numbers out of range.
    pub fn check(&self) -> Result<(), TheoryError> {
        let wrong = |sentence: String| Err(TheoryError::Landscape(sentence));
        let d = self.dim();
        if self.groups.is_empty() || d == 0 {
            return wrong("a landscape needs at least one group, of at least one dimension".into());
        }
        let Adaptation { alpha, samples, .. } = self.adaptation;
        if !alpha.is_finite() {
            return wrong(format!("`alpha` is {alpha}; it must be a finite number"));
        }
        if samples.is_nan() || samples <= 0.0 {
            return wrong(format!("`adaptation_samples` is {samples}; it must be positive"));
        }
        if !(self.noise_variance.is_finite() && self.noise_variance >= 0.0) {
            return wrong(format!("`noise_variance` is {}; it must be 0 or positive", self.noise_variance));
        }
        let total: f64 = self.groups.iter().map(|group| group.share).sum();
        if (total - 1.0).abs() > 1e-9 {
            return wrong(format!("the shares of the groups sum to {total}, not to 1"));
        }
        self.groups.iter().try_for_each(|group| group.check(d))
    }
}

impl Group {
    fn check(&self, d: usize) -> Result<(), TheoryError> {
        let wrong = |what: String| Err(TheoryError::Landscape(format!("group `{}`: {what}", self.name)));
        if !(0.0..=1.0).contains(&self.share) {
            return wrong(format!("its share is {}; a share lies between 0 and 1", self.share));
        }
        if self.centre.len() != d || !self.centre.iter().all(|x| x.is_finite()) {
            return wrong(format!("its centre has {} finite or other numbers, for {d} dimensions", self.centre.len()));
        }
        for (name, matrix) in [("covariance", &self.covariance), ("spread", &self.spread)] {
            if matrix.shape() != (d, d) || !matrix.iter().all(|x| x.is_finite()) {
                return wrong(format!("its {name} is not a matrix of {d} × {d} finite numbers"));
            }
            let largest = matrix.amax();
            if (matrix - matrix.transpose()).amax() > 1e-12 * largest {
                return wrong(format!("its {name} is not symmetric"));
            }
            let least = matrix.clone().symmetric_eigenvalues().min();
            if least < -1e-12 * d as f64 * largest {
                return wrong(format!("its {name} has the negative eigenvalue {least:.3e}, so it is no covariance"));
            }
        }
        Ok(())
    }
}
