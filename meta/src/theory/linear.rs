//! Symmetric positive systems, and what is said when they have no answer.

use nalgebra::{Cholesky, Dyn};

use super::{Matrix, Vector};

/// Why a closed form has no value here.
#[derive(Debug, thiserror::Error, Clone, PartialEq)]
pub enum TheoryError {
    /// The description of the landscape is not one.
    #[error("{0}")]
    Landscape(String),
    /// Several minimisers, or none that double precision could tell apart.
    #[error(
        "{what} has no unique minimiser: the matrix {matrix} is singular to working precision (its smallest \
         eigenvalue is {ratio:.1e} of the largest after scaling to a unit diagonal); use more samples or tasks, or a \
         smaller condition number"
    )]
    Singular {
        /// Whose minimiser.
        what: &'static str,
        /// Which matrix.
        matrix: &'static str,
        /// λ_min / λ_max after scaling.
        ratio: f64,
    },
    /// Adaptation leads beyond the range of numbers.
    #[error(
        "the closed form of group `{group}` is not finite after {steps} inner steps: gradient descent diverges there \
         (alpha times the largest eigenvalue of its covariance is {stretch:.3}, and 2 is the limit); lower `alpha` or \
         `inner_steps`"
    )]
    Diverged {
        /// Which group.
        group: String,
        /// How many inner steps.
        steps: usize,
        /// α λ_max(Σ).
        stretch: f64,
    },
}

/// A symmetric positive definite A, by Cholesky's factors of D A D with D = diag(A)^(−½).
///
/// The scaling makes solutions independent of the units of each coordinate: a diagonal A of any condition number is solved
/// exactly.
pub(super) struct Factors<'a> {
    matrix: &'a Matrix,
    scale: Vector,
    cholesky: Cholesky<f64, Dyn>,
}

impl<'a> Factors<'a> {
    /// Factors `a`, or says whose minimiser is not unique.
    pub(super) fn of(a: &'a Matrix, what: &'static str, matrix: &'static str) -> Result<Self, TheoryError> {
        let singular = |ratio| TheoryError::Singular { what, matrix, ratio };
        let scale = a.diagonal().map(|x| 1.0 / x.sqrt());
        if !scale.iter().all(|x| x.is_finite() && *x > 0.0) {
            return Err(singular(0.0));
        }
        let scaled = Matrix::from_fn(a.nrows(), a.ncols(), |i, j| scale[i] * a[(i, j)] * scale[j]);
        let eigenvalues = scaled.clone().symmetric_eigenvalues();
        let ratio = eigenvalues.min() / eigenvalues.max();
        let trusted = a.nrows() as f64 * 16.0 * f64::EPSILON;
        let cholesky = scaled.cholesky().filter(|_| ratio > trusted).ok_or_else(|| singular(ratio))?;
        Ok(Self { matrix: a, scale, cholesky })
    }

    /// The w of A w = b. One step of refinement takes the rounding of the factors out.
    pub(super) fn solve(&self, b: &Vector) -> Vector {
        let apply = |right: &Vector| self.cholesky.solve(&right.component_mul(&self.scale)).component_mul(&self.scale);
        let w = apply(b);
        let rest = b - self.matrix * &w;
        w + apply(&rest)
    }

    /// The X of A X = B.
    pub(super) fn solve_columns(&self, b: &Matrix) -> Matrix {
        Matrix::from_columns(&b.column_iter().map(|column| self.solve(&column.into_owned())).collect::<Vec<_>>())
    }
}

/// λ_max of a symmetric matrix.
pub(super) fn largest_eigenvalue(a: &Matrix) -> f64 {
    a.clone().symmetric_eigenvalues().max()
}

/// R = V √Λ Vᵀ with R² = A, of a symmetric positive semi-definite A.
pub fn symmetric_root(a: &Matrix) -> Matrix {
    let spectrum = a.clone().symmetric_eigen();
    // Rounding may leave an eigenvalue of 0 a little below it.
    let roots = Matrix::from_diagonal(&spectrum.eigenvalues.map(|lambda| lambda.max(0.0).sqrt()));
    &spectrum.eigenvectors * roots * spectrum.eigenvectors.transpose()
}
