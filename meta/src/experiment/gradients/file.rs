//! Models, parameters and losses from a file of arrays.

use maml_autograd::{Function, Real};

use super::GradientsError;
use crate::{
    Params,
    arrays::{ArrayError, Arrays},
    maml::Task,
    model::{Activation, Classification, Conv4, Linear, Model, Regression, TwoLayer},
};

pub(super) fn read_params<T: Real, M: Model>(
    model: &M,
    file: &Arrays<'_>,
    prefix: &str,
) -> Result<Params<T>, ArrayError> {
    let specs = model.specs();
    let tensors = specs.iter().map(|spec| file.shaped(&format!("{prefix}{}", spec.name), spec.shape));
    let tensors = tensors.collect::<Result<_, _>>()?;
    Ok(Params::new(specs.into_iter().map(|spec| spec.name).collect(), tensors))
}

pub(super) fn read_task<T: Real, M: FromFile>(
    model: &M,
    file: &Arrays<'_>,
) -> Result<Task<M::Loss<T>>, GradientsError> {
    Ok(Task { support: vec![model.loss(file, "support")?], query: model.loss(file, "query")? })
}

/// A model whose sizes, and whose losses, are read from a file.
pub(super) trait FromFile: Model {
    type Loss<T: Real>: Function<T>;
    fn from_file(file: &Arrays<'_>) -> Result<Self, ArrayError>;
    /// The loss on `{set}.x` and `{set}.y`.
    fn loss<T: Real>(&self, file: &Arrays<'_>, set: &str) -> Result<Self::Loss<T>, GradientsError>;
}

impl FromFile for Conv4 {
    type Loss<T: Real> = Classification<Self, T>;

    fn from_file(file: &Arrays<'_>) -> Result<Self, ArrayError> {
        let images = file.shape("support.x")?;
        let sizes = match images[..] {
            [_, height, width, channels] if height >= 16 && width >= 16 => Some([height, width, channels]),
            _ => None,
        };
        let [height, width, channels] =
            sizes.ok_or_else(|| wrong_shape("support.x", &images, "[n, h, w, c] with h and w at least 16"))?;
        let length = |name: &str| file.shape(name).map(|shape| shape.iter().product());
        Ok(Self { height, width, channels, filters: length("norm1.scale")?, ways: length("head.bias")? })
    }

    fn loss<T: Real>(&self, file: &Arrays<'_>, set: &str) -> Result<Self::Loss<T>, GradientsError> {
        let (x_name, y_name) = (format!("{set}.x"), format!("{set}.y"));
        let n = rows_of(file, &x_name)?;
        let x = file.shaped(&x_name, [n, self.height, self.width, self.channels].into())?;
        let labels = file.integers(&y_name)?;
        if labels.len() != n {
            return Err(GradientsError::Count { name: y_name, found: labels.len(), expected: n });
        }
        let wrong = |label: &i64| !(0..self.ways as i64).contains(label);
        if let Some(position) = labels.iter().position(wrong) {
            let label = labels[position];
            return Err(GradientsError::Label { name: y_name, label, position, last: self.ways.saturating_sub(1) });
        }
        Ok(Classification { model: *self, x, labels: labels.into_iter().map(|label| label as u32).collect() })
    }
}

impl FromFile for TwoLayer {
    type Loss<T: Real> = Regression<Self, T>;

    fn from_file(file: &Arrays<'_>) -> Result<Self, ArrayError> {
        match file.shape("weight")?[..] {
            [dim, neurons] => Ok(Self { dim, neurons, activation: Activation::Softplus }),
            ref found => Err(wrong_shape("weight", found, "[d, neurons]")),
        }
    }

    fn loss<T: Real>(&self, file: &Arrays<'_>, set: &str) -> Result<Self::Loss<T>, GradientsError> {
        regression(*self, self.dim, file, set)
    }
}

impl FromFile for Linear {
    type Loss<T: Real> = Regression<Self, T>;

    fn from_file(file: &Arrays<'_>) -> Result<Self, ArrayError> {
        match file.shape("weight")?[..] {
            [dim] => Ok(Self { dim }),
            ref found => Err(wrong_shape("weight", found, "[d]")),
        }
    }

    fn loss<T: Real>(&self, file: &Arrays<'_>, set: &str) -> Result<Self::Loss<T>, GradientsError> {
        regression(*self, self.dim, file, set)
    }
}

fn regression<T: Real, M: Model>(
    model: M,
    dim: usize,
    file: &Arrays<'_>,
    set: &str,
) -> Result<Regression<M, T>, GradientsError> {
    let (x_name, y_name) = (format!("{set}.x"), format!("{set}.y"));
    let n = rows_of(file, &x_name)?;
    Ok(Regression { model, x: file.shaped(&x_name, [n, dim].into())?, y: file.shaped(&y_name, [n].into())? })
}

/// The batch size of a set, at least one.
fn rows_of(file: &Arrays<'_>, x_name: &str) -> Result<usize, ArrayError> {
    let shape = file.shape(x_name)?;
    let rows = shape.first().copied().filter(|n| *n > 0);
    rows.ok_or_else(|| wrong_shape(x_name, &shape, "a batch of at least one input along the first axis"))
}

fn wrong_shape(name: &str, found: &[usize], expected: &str) -> ArrayError {
    ArrayError::Shape { name: name.into(), found: found.to_vec(), expected: expected.into() }
}
