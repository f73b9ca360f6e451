//! Derivatives of a task's losses for arrays from a file: for people who check and snapshot gradients.
//!
//! The names and layouts of the arrays are documented in `docs/gradients.md`.

use maml_autograd::{Function, Real, SecondOrder, Shape, Tape, Tensor, Value, value};
use rand_distr::{Distribution, StandardNormal};

use crate::{
    Params, Purpose,
    arrays::{ArrayError, Arrays, NamedArray, to_file},
    maml::{InnerLoop, Order, Task, adapt, diagnose, meta_gradient},
    model::{Classification, Conv4, Init, Linear, Model, Regression, TwoLayer},
    rng,
};

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
    let at = SecondOrder::at(&tape, &task.support, w);
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

fn read_params<T: Real, M: Model>(model: &M, file: &Arrays<'_>, prefix: &str) -> Result<Params<T>, ArrayError> {
    let specs = model.specs();
    let tensors = specs.iter().map(|spec| file.shaped(&format!("{prefix}{}", spec.name), spec.shape));
    let tensors = tensors.collect::<Result<_, _>>()?;
    Ok(Params::new(specs.into_iter().map(|spec| spec.name).collect(), tensors))
}

fn read_task<T: Real, M: FromFile>(model: &M, file: &Arrays<'_>) -> Result<Task<M::Loss<T>>, GradientsError> {
    Ok(Task { support: model.loss(file, "support")?, query: model.loss(file, "query")? })
}

/// A model whose sizes, and whose losses, are read from a file.
trait FromFile: Model {
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
            [dim, neurons] => Ok(Self { dim, neurons }),
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

/// An input file of random arrays: for conv4, 5-way 1-shot with 15 queries a class on 28×28 images and 64
/// filters; for two_layer, 10 inputs and 5 neurons; for linear, 10 inputs; 20 support and 30 query samples.
pub fn example_input(model: ModelName, seed: u64) -> Vec<u8> {
    match model {
        ModelName::Conv4 => {
            let model = Conv4 { height: 28, width: 28, channels: 1, filters: 64, ways: 5 };
            let labels = |per_class: u32| (0..5 * per_class).map(|i| i / per_class).collect::<Vec<_>>();
            example(&model, &[28, 28, 1], seed, |name, n, _| NamedArray::integers(name, &labels(n as u32 / 5)), [5, 75])
        }
        ModelName::TwoLayer => example(&TwoLayer { dim: 10, neurons: 5 }, &[10], seed, example_targets, [20, 30]),
        ModelName::Linear => example(&Linear { dim: 10 }, &[10], seed, example_targets, [20, 30]),
    }
}

fn example_targets(name: &str, n: usize, stream: &mut Stream) -> NamedArray {
    NamedArray::numbers(name, &stream.normal([n].into(), 1.0))
}

fn example<M: Model>(
    model: &M,
    input: &[usize],
    seed: u64,
    targets: impl Fn(&str, usize, &mut Stream) -> NamedArray,
    sizes: [usize; 2],
) -> Vec<u8> {
    let mut stream = Stream { seed, next: 0 };
    let mut arrays = Vec::new();
    for spec in model.specs() {
        // Scales and shifts away from their starting point, so that nothing is zero by accident.
        let (center, deviation) = match spec.init {
            Init::Constant(center) => (center, 0.1),
            Init::Normal(deviation) => (0.0, deviation),
        };
        let values = stream.normal(spec.shape, deviation).add(&Tensor::full(spec.shape, center as f32));
        arrays.push(NamedArray::numbers(&spec.name, &values));
        let vector = stream.normal(spec.shape, 1.0);
        arrays.push(NamedArray::numbers(format!("vector.{}", spec.name), &vector));
    }
    for (set, n) in ["support", "query"].into_iter().zip(sizes) {
        let shape: Vec<usize> = std::iter::once(n).chain(input.iter().copied()).collect();
        arrays.push(NamedArray::numbers(format!("{set}.x"), &stream.normal(shape[..].into(), 1.0)));
        arrays.push(targets(&format!("{set}.y"), n, &mut stream));
    }
    to_file(&arrays, Some(("seed", seed.to_string())))
}

/// Arrays of independent normal numbers, one address after the other.
struct Stream {
    seed: u64,
    next: u64,
}

impl Stream {
    fn normal(&mut self, shape: Shape, deviation: f64) -> Tensor<f32> {
        let mut rng = rng(self.seed, Purpose::Data, 0, self.next);
        self.next += 1;
        Tensor::from_fn(shape, |_| {
            let z: f64 = StandardNormal.sample(&mut rng);
            (deviation * z) as f32
        })
    }
}
