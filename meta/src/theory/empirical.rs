//! Both learners' minimisers from the data of n tasks: normal equations, built up task by task.

use super::{Matrix, TheoryError, Vector, linear::Factors};

/// All that a quadratic loss keeps of a batch: f̂(w) = ½ (wᵀ G w − 2 wᵀ h + …) / n.
#[derive(Clone, PartialEq, Debug)]
pub struct Moments {
    /// G = XᵀX \[d, d\].
    pub gram: Matrix,
    /// h = Xᵀy \[d\].
    pub moment: Vector,
    /// The number n of samples.
    pub samples: f64,
}

/// A w = b, whose solution minimises a sum of quadratic losses over tasks.
#[derive(Clone, PartialEq, Debug)]
pub struct NormalEquations {
    matrix: Matrix,
    moment: Vector,
}

impl NormalEquations {
    /// Of no task yet, in d dimensions.
    pub fn new(d: usize) -> Self {
        Self { matrix: Matrix::zeros(d, d), moment: Vector::zeros(d) }
    }

    /// Adds a task to NAL's pooled least squares: A += G/n, b += h/n, summed over all batches of the task.
    pub fn add_nal<'a>(&mut self, batches: impl Iterator<Item = &'a Moments> + Clone) {
        let samples: f64 = batches.clone().map(|batch| batch.samples).sum();
        for Moments { gram, moment, .. } in batches {
            self.matrix += gram / samples;
            self.moment += moment / samples;
        }
    }

    /// Adds a task to MAML's equations: with K inner batches the adapted parameters are affine, w_K = Π w + c, by
    /// Π ← P Π, c ← P c + (α/m) Xᵀy, P = I − (α/m) XᵀX; then A += Πᵀ G Π / n and b += Πᵀ (h − G c) / n with G, h, n
    /// of the outer batch. For K = 1 these are the equations of the one-step theory.
    pub fn add_maml(&mut self, inner: &[Moments], outer: &Moments, alpha: f64) {
        let d = self.moment.len();
        let (mut product, mut constant) = (Matrix::identity(d, d), Vector::zeros(d));
        for Moments { gram, moment, samples } in inner {
            let step = alpha / samples;
            product = &product - gram * &product * step;
            constant = &constant - (gram * &constant - moment) * step;
        }
        let Moments { gram, moment, samples } = outer;
        let seen = gram * &product / *samples;
        self.matrix += product.transpose() * seen;
        self.moment += product.transpose() * (moment - gram * constant) / *samples;
    }

    /// The Hessian of the mean loss over that many tasks.
    pub fn curvature(&self, tasks: usize) -> Matrix {
        (&self.matrix + self.matrix.transpose()) * (0.5 / tasks as f64)
    }

    /// The minimiser.
    ///
    /// # Errors
    /// The data do not determine it.
    pub fn solve(&self, what: &'static str) -> Result<Vector, TheoryError> {
        Ok(Factors::of(&self.curvature(1), what, "of the normal equations")?.solve(&self.moment))
    }
}
