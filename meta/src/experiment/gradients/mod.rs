//! Derivatives of a task's losses for arrays from a file: for people who check and snapshot gradients.
//!
//! The names and layouts of the arrays are documented in `docs/gradients.md`.

mod example;
mod file;

use maml_autograd::{Real, SecondOrder, Tape, Tensor, value};

pub use example::example_input;

use crate::{
    arrays::{ArrayError, Arrays, NamedArray, to_file},
    maml::{InnerLoop, Order, adapt, diagnose, meta_gradient},
    model::{Conv4, Linear, TwoLayer},
};
use file::{FromFile, read_params, read_task};

/// The models that a file can be for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ModelName {
    /// [`Conv4`] with cross-entropy.
    Conv4,
    /// [`TwoLayer`] with half the mean squared error.
    TwoLayer,
    /// [`Linear`] with half the mean squared error.
    Linear,
}

/// What to compute.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The model.
    pub model: ModelName,
    /// The inner loop.
    pub inner: InnerLoop,
    /// Whether the meta-gradient is exact.
    pub order: Order,
}

/// Numbers worth printing, in double precision.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The support loss at the parameters.
    pub loss: f64,
    /// The query loss after adaptation.
    pub meta_loss: f64,
    /// ‖∇f‖ of the support loss.
    pub gradient_norm: f64,
    /// ‖∇²f v‖ of the support loss.
    pub hvp_norm: f64,
    /// Norm of the meta-gradient.
    pub meta_gradient_norm: f64,
    /// Norm of what the Hessians contribute to the exact meta-gradient; zero for first order.
    pub second_order_norm: f64,
    /// ⟨meta-gradient, v⟩ as computed, in the requested order.
    pub slope: f64,
    /// The slope of the meta-loss along v by a central difference in double precision: that of the exact
    /// meta-gradient, whatever order was requested.
    pub slope_by_difference: f64,
}

/// The file of results, and its summary.
pub struct Outcome {
    /// A safetensors file.
    pub file: Vec<u8>,
    /// For the reader.
    pub summary: Summary,
}

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
pub enum GradientsError {
    /// The input file lacks an array, or has a wrong one.
    #[error(transparent)]
    Array(#[from] ArrayError),
    /// A label is no class.
    #[error("`{name}` has the label {label} at position {position}; labels are 0 to {last}, one for each image")]
    Label {
        /// The array.
        name: String,
        /// The first wrong label.
        label: i64,
        /// Where.
        position: usize,
        /// The largest class.
        last: usize,
    },
    /// There are not as many labels or targets as inputs.
    #[error("`{name}` has {found} elements for {expected} inputs")]
    Count {
        /// The array.
        name: String,
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A result is infinite or NaN.
    #[error("{0} is not finite: the inputs are too large for this precision, or alpha is too large")]
    NonFinite(String),
}

/// Reads an input file and computes everything in the precision `T`.
pub fn run<T: Real>(request: &Request, input: &[u8]) -> Result<Outcome, GradientsError> {
    let file = Arrays::parse(input)?;
    match request.model {
        ModelName::Conv4 => derive::<T, Conv4>(request, &file),
        ModelName::TwoLayer => derive::<T, TwoLayer>(request, &file),
        ModelName::Linear => derive::<T, Linear>(request, &file),
    }
}

fn derive<T: Real, M: FromFile>(request: &Request, file: &Arrays<'_>) -> Result<Outcome, GradientsError> {
    let model = M::from_file(file)?;
    let params = read_params::<T, M>(&model, file, "")?;
    let vector = read_params::<T, M>(&model, file, "vector.")?;
    let task = read_task::<T, M>(&model, file)?;
    let w = params.tensors();
    let tape = Tape::new();
    let at = SecondOrder::at(&tape, &task.support[0], w);
    let (gradient, hvp) = (params.with(at.gradient()), params.with(at.hvp(vector.tensors())));
    let (meta_loss, meta) = meta_gradient(&task, w, request.inner, request.order);
    let meta = params.with(meta);
    let finite = at.value().to_f64().is_finite() && meta_loss.to_f64().is_finite();
    if !(finite && [&gradient, &hvp, &meta].iter().all(|p| p.norm().is_finite())) {
        return Err(GradientsError::NonFinite(diagnose(&task, w, request.inner)));
    }
    let first = params.with(meta_gradient(&task, w, request.inner, Order::First).1);
    let summary = Summary {
        loss: at.value().to_f64(),
        meta_loss: meta_loss.to_f64(),
        gradient_norm: gradient.norm(),
        hvp_norm: hvp.norm(),
        meta_gradient_norm: meta.norm(),
        second_order_norm: meta.add_scaled(-1.0, &first).norm(),
        slope: meta.dot(&vector),
        slope_by_difference: slope_by_difference(&model, file, request.inner)?,
    };
    let mut arrays = vec![
        NamedArray::numbers("loss", &Tensor::scalar(at.value())),
        NamedArray::numbers("meta_loss", &Tensor::scalar(meta_loss)),
    ];
    for (kind, params) in [("grad", &gradient), ("hvp", &hvp), ("meta_grad", &meta)] {
        arrays.extend(params.iter().map(|(name, t)| NamedArray::numbers(format!("{kind}.{name}"), t)));
    }
    Ok(Outcome { file: to_file(&arrays, None), summary })
}

/// d/dh f_query(w_K(w + h v)) at h = 0, by a central difference in double precision.
fn slope_by_difference<M: FromFile>(model: &M, file: &Arrays<'_>, inner: InnerLoop) -> Result<f64, GradientsError> {
    let task = read_task::<f64, M>(model, file)?;
    let (w, v) = (read_params::<f64, M>(model, file, "")?, read_params::<f64, M>(model, file, "vector.")?);
    // A step so small that it seldom crosses a kink: through the inner gradient the meta-loss jumps there.
    let h = 1e-8 * w.norm().max(1.0) / v.norm().max(1e-300);
    let at = |h: f64| {
        let moved = adapt(&task.support, w.add_scaled(h, &v).tensors(), inner);
        value(&task.query, &moved)
    };
    Ok((at(h) - at(-h)) / (2.0 * h))
}
