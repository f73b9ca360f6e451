//! From the numbers of a config to a landscape.

use std::f64::consts::PI;

use super::config::{Centre, Config, Covariance, GroupConfig};
use crate::{
    task::regression::Batches,
    theory::{Adaptation, Group, Landscape, Matrix, TheoryError, Training, Vector},
};

impl Config {
    /// The landscape: the two groups, or those of one's own.
    ///
    /// # Errors
    /// The numbers describe none.
    pub fn landscape(&self) -> Result<Landscape, TheoryError> {
        let wrong = |sentence: String| Err(TheoryError::Landscape(sentence));
        if self.dim == 0 {
            return wrong("`dim` is 0; it must be at least 1".into());
        }
        if self.adaptation_samples == 0 && self.inner_steps > 0 {
            return wrong("`adaptation_samples` is 0; it must be at least 1".into());
        }
        let groups = if self.groups.is_empty() { self.two_groups()? } else { self.own_groups()? };
        let adaptation =
            Adaptation { alpha: self.alpha, samples: self.adaptation_samples.max(1) as f64, steps: self.inner_steps };
        let landscape = Landscape { groups, noise_variance: self.noise_variance, adaptation };
        landscape.check()?;
        Ok(landscape)
    }

    /// What a learner is trained on.
    pub fn training(&self) -> Training {
        Training { tasks: self.tasks as f64, samples: self.samples as f64 }
    }

    /// The sizes of a training task's data.
    pub(super) fn batches(&self) -> Batches {
        Batches { steps: self.inner_steps, inner: self.adaptation_samples, outer: self.samples }
    }

    fn two_groups(&self) -> Result<Vec<Group>, TheoryError> {
        let (d, wrong) = (self.dim, |sentence: String| Err(TheoryError::Landscape(sentence)));
        if !(0.0..=1.0).contains(&self.hard_share) {
            return wrong(format!("`hard_share` is {}; a share lies between 0 and 1", self.hard_share));
        }
        for (name, x) in [("rho_easy", self.rho_easy), ("rho_hard", self.rho_hard)] {
            if !(x.is_finite() && x > 0.0) {
                return wrong(format!("`{name}` is {x}; it must be a positive number"));
            }
        }
        for (name, x) in [("spread_easy", self.spread_easy), ("spread_hard", self.spread_hard)] {
            if !(x.is_finite() && x >= 0.0) {
                return wrong(format!("`{name}` is {x}; it must be 0 or positive"));
            }
        }
        if !self.distance.is_finite() {
            return wrong(format!("`distance` is {}; it must be a finite number", self.distance));
        }
        if !(self.condition.is_finite() && self.condition >= 1.0) {
            return wrong(format!("`condition` is {}; a condition number is at least 1", self.condition));
        }
        let unit = Matrix::identity(d, d);
        let cosines = cosine_basis(d);
        let hard_axes = if self.condition == 1.0 { &unit } else { &cosines };
        let group = |name: &str, share, rho, axes: &Matrix, centre, spread| Group {
            name: name.into(),
            share,
            covariance: stretched(axes, rho, self.condition),
            centre: Vector::from_element(d, centre),
            spread: &unit * spread,
        };
        Ok(vec![
            group("easy", 1.0 - self.hard_share, self.rho_easy, &unit, 0.0, self.spread_easy),
            group("hard", self.hard_share, self.rho_hard, hard_axes, self.distance, self.spread_hard),
        ])
    }

    fn own_groups(&self) -> Result<Vec<Group>, TheoryError> {
        let d = self.dim;
        let group = |config: &GroupConfig| {
            let matrix = |covariance: &Covariance, part: &str| {
                covariance.matrix(d).map_err(|what| {
                    TheoryError::Landscape(format!("group `{}`: its {part} {what} for `dim` = {d}", config.name))
                })
            };
            let centre = match &config.centre {
                Centre::All(x) => Vector::from_element(d, *x),
                Centre::Each(list) => Vector::from_column_slice(list),
            };
            Ok(Group {
                name: config.name.clone(),
                share: config.share,
                covariance: matrix(&config.covariance, "covariance")?,
                centre,
                spread: matrix(&config.spread, "spread")?,
            })
        };
        if let Some((_, twice)) =
            self.groups.iter().enumerate().find(|(i, g)| self.groups[..*i].iter().any(|other| other.name == g.name))
        {
            return Err(TheoryError::Landscape(format!("two groups are called `{}`", twice.name)));
        }
        self.groups.iter().map(group).collect()
    }
}

impl Covariance {
    fn matrix(&self, d: usize) -> Result<Matrix, String> {
        match self {
            Self::Isotropic(rho) => Ok(Matrix::identity(d, d) * *rho),
            Self::Axes(list) if list.len() == d => Ok(Matrix::from_diagonal(&Vector::from_column_slice(list))),
            Self::Axes(list) => Err(format!("has {} numbers", list.len())),
            Self::Full(rows) if rows.len() == d && rows.iter().all(|row| row.len() == d) => {
                Ok(Matrix::from_fn(d, d, |i, j| rows[i][j]))
            }
            Self::Full(rows) => Err(format!("has {} rows, not all as long as they should be,", rows.len())),
        }
    }

    pub(super) fn scale(&mut self, factor: f64) {
        match self {
            Self::Isotropic(rho) => *rho *= factor,
            Self::Axes(list) => list.iter_mut().for_each(|x| *x *= factor),
            Self::Full(rows) => rows.iter_mut().flatten().for_each(|x| *x *= factor),
        }
    }
}

impl Centre {
    pub(super) fn scale(&mut self, factor: f64) {
        match self {
            Self::All(x) => *x *= factor,
            Self::Each(list) => list.iter_mut().for_each(|x| *x *= factor),
        }
    }
}

/// Σ_i λ_i v_i v_iᵀ over the columns v_i of `axes`, λ_i falling geometrically from ρ to ρ/condition.
fn stretched(axes: &Matrix, rho: f64, condition: f64) -> Matrix {
    let d = axes.nrows();
    let power = |i: usize| if d == 1 { 0.0 } else { i as f64 / (d - 1) as f64 };
    let eigenvalues = Vector::from_fn(d, |i, _| rho * condition.powf(-power(i)));
    let sigma = axes * Matrix::from_diagonal(&eigenvalues) * axes.transpose();
    (&sigma + sigma.transpose()) * 0.5
}

/// The orthonormal vectors of the discrete cosine transform (DCT-II), as columns.
fn cosine_basis(d: usize) -> Matrix {
    let scale = |k: usize| if k == 0 { (1.0 / d as f64).sqrt() } else { (2.0 / d as f64).sqrt() };
    Matrix::from_fn(d, d, |i, k| scale(k) * (PI * (i as f64 + 0.5) * k as f64 / d as f64).cos())
}
