//! Models: what they predict, and how their parameters are named, shaped and initialised.

mod conv4;
mod linear;
mod two_layer;

use std::sync::Arc;

use maml_autograd::{Function, Real, Shape, Tensor, Value, neural};
use rand_distr::{Distribution, StandardNormal};

pub use conv4::Conv4;
pub use linear::Linear;
pub use two_layer::{Activation, TwoLayer};

use crate::{Params, Purpose, nal::Empirical, rng};

/// One parameter array.
#[derive(Clone, Debug)]
pub struct ParamSpec {
    /// Its name, unique in the model.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// How it starts.
    pub init: Init,
}

/// The distribution of initial values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Init {
    /// The same number everywhere.
    Constant(f64),
    /// Normal with mean zero and this standard deviation.
    Normal(f64),
}

/// A parametric function of a batch of inputs.
pub trait Model: Clone + Send + Sync {
    /// The parameter arrays, in the order in which `predict` takes them.
    fn specs(&self) -> Vec<ParamSpec>;

    /// Predictions for the inputs `x`, written in the vocabulary.
    fn predict<V: Value>(&self, params: &[V], x: &Tensor<V::Real>) -> V;

    /// ½ · mean squared error of the predictions for the inputs `x` of the targets `y` \[n\]; with a leading axis, that of
    /// each task.
    fn half_mean_squared_error<V: Value>(&self, params: &[V], x: &Tensor<V::Real>, y: &Tensor<V::Real>) -> V {
        half_mean_squares(&self.predict(params, x), y)
    }

    /// Initial parameters, a pure function of the seed.
    fn init<T: Real>(&self, seed: u64) -> Params<T> {
        let specs = self.specs();
        let tensors = specs.iter().enumerate().map(|(i, spec)| match spec.init {
            Init::Constant(value) => Tensor::full(spec.shape, T::from_f64(value)),
            Init::Normal(deviation) => {
                let mut rng = rng(seed, Purpose::Init, 0, i as u64);
                Tensor::from_fn(spec.shape, |_| {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    T::from_f64(deviation * z)
                })
            }
        });
        let tensors = tensors.collect();
        Params::new(specs.into_iter().map(|spec| spec.name).collect::<Arc<[_]>>(), tensors)
    }
}

/// ½ · mean squared error of predictions of the targets `y` \[n\], or of each task.
fn half_mean_squares<V: Value>(predictions: &V, y: &Tensor<V::Real>) -> V {
    let targets = V::constant(y.clone());
    match y.shape().rank() {
        1 => neural::half_mean_squared_error(predictions, &targets),
        _ => neural::half_mean_squared_errors(predictions, &targets),
    }
}

/// The mean cross-entropy of a classifier on labelled inputs, as a function of its parameters.
#[derive(Clone, Debug)]
pub struct Classification<M, T: Real> {
    /// The classifier, whose predictions are logits \[n, classes\].
    pub model: M,
    /// Inputs, the first axis being the batch.
    pub x: Tensor<T>,
    /// A class for each input.
    pub labels: Vec<u32>,
}

impl<M: Model, T: Real> Function<T> for Classification<M, T> {
    fn eval<V: Value<Real = T>>(&self, params: &[V]) -> V {
        neural::cross_entropy(&self.model.predict(params, &self.x), &self.labels)
    }
}

impl<M: Model, T: Real> Classification<M, T> {
    /// The share of inputs whose label has the largest logit; none if a logit is not finite.
    pub fn accuracy(&self, params: &[Tensor<T>]) -> Option<f64> {
        let logits = self.model.predict(params, &self.x);
        let classes = logits.shape().last();
        let hits = logits.as_slice().chunks_exact(classes).zip(&self.labels).filter(|(row, label)| {
            let best = (1..classes).fold(0, |best, i| if row[i] > row[best] { i } else { best });
            best as u32 == **label
        });
        logits.is_finite().then(|| hits.count() as f64 / self.labels.len() as f64)
    }
}

impl<M: Model, T: Real> Empirical<T> for Classification<M, T> {
    fn examples(&self) -> usize {
        self.labels.len()
    }
}

/// ½ · mean squared error of a model on inputs and targets, as a function of its parameters.
#[derive(Clone, Debug)]
pub struct Regression<M, T: Real> {
    /// The model, with one prediction \[n\] for each input.
    pub model: M,
    /// Inputs \[n, d\], or \[tasks, n, d\].
    pub x: Tensor<T>,
    /// Targets \[n\], or \[tasks, n\].
    pub y: Tensor<T>,
}

impl<M: Model, T: Real> Function<T> for Regression<M, T> {
    fn eval<V: Value<Real = T>>(&self, params: &[V]) -> V {
        self.model.half_mean_squared_error(params, &self.x, &self.y)
    }
}

/// All axes of inputs but the last, which is the length of one.
fn batch(inputs: Shape) -> Shape {
    let (_, batch) = inputs.dims().split_last().expect("inputs have an axis for their length");
    batch.into()
}

impl<M: Model, T: Real> Empirical<T> for Regression<M, T> {
    fn examples(&self) -> usize {
        self.y.shape().last()
    }

    fn footprint(&self, parameters: usize) -> Option<usize> {
        let &[.., n, dim] = self.x.shape().dims() else { return None };
        // The inputs, and a few arrays with a number for each example and hidden unit.
        (self.x.shape().rank() == 2).then(|| n * (dim + 4 * (parameters / dim.max(1))))
    }

    fn stack(sets: &[&Self]) -> Option<Self> {
        let (first, others) = sets.split_first()?;
        let alike = others.iter().all(|set| set.x.shape() == first.x.shape());
        (alike && first.x.shape().rank() == 2).then(|| Self {
            model: first.model.clone(),
            x: Tensor::stack(&sets.iter().map(|set| &set.x).collect::<Vec<_>>()),
            y: Tensor::stack(&sets.iter().map(|set| &set.y).collect::<Vec<_>>()),
        })
    }
}
