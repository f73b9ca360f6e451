//! Named parameters of a model, as a vector space.

use std::sync::Arc;

use maml_autograd::{Real, Tensor, Value};

/// Parameter arrays with their names, in the order in which the model takes them.
#[derive(Clone, Debug)]
pub struct Params<T: Real> {
    names: Arc<[String]>,
    tensors: Vec<Tensor<T>>,
}

impl<T: Real> Params<T> {
    /// Panics if there is not one name for each tensor.
    #[track_caller]
    pub fn new(names: Arc<[String]>, tensors: Vec<Tensor<T>>) -> Self {
        assert_eq!(names.len(), tensors.len(), "parameters: number of names and of tensors");
        Self { names, tensors }
    }

    /// The same names with other arrays.
    #[track_caller]
    pub fn with(&self, tensors: Vec<Tensor<T>>) -> Self {
        Self::new(self.names.clone(), tensors)
    }

    /// The arrays.
    pub fn tensors(&self) -> &[Tensor<T>] {
        &self.tensors
    }

    /// Names and arrays.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<T>)> {
        self.names.iter().map(String::as_str).zip(&self.tensors)
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.tensors.iter().map(|t| t.shape().len()).sum()
    }

    /// Whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Zeros of the same shapes.
    pub fn zeros_like(&self) -> Self {
        self.map(|t| Tensor::zeros(t.shape()))
    }

    /// A function of every array.
    pub fn map(&self, f: impl FnMut(&Tensor<T>) -> Tensor<T>) -> Self {
        self.with(self.tensors.iter().map(f).collect())
    }

    /// A function of every pair of arrays.
    #[track_caller]
    pub fn zip(&self, other: &Self, mut f: impl FnMut(&Tensor<T>, &Tensor<T>) -> Tensor<T>) -> Self {
        assert_eq!(self.tensors.len(), other.tensors.len(), "parameters: number of arrays");
        self.with(self.tensors.iter().zip(&other.tensors).map(|(a, b)| f(a, b)).collect())
    }

    /// self + s · other
    #[track_caller]
    pub fn add_scaled(&self, s: f64, other: &Self) -> Self {
        self.zip(other, |a, b| a.add_scaled(s, b))
    }

    /// Σ a·b, in double precision.
    #[track_caller]
    pub fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.len(), other.len(), "parameters: number of elements");
        let pairs = self.tensors.iter().zip(&other.tensors).flat_map(|(a, b)| a.as_slice().iter().zip(b.as_slice()));
        pairs.map(|(a, b)| a.to_f64() * b.to_f64()).sum()
    }

    /// √Σ w², in double precision.
    pub fn norm(&self) -> f64 {
        let squares = self.tensors.iter().flat_map(|t| t.as_slice()).map(|x| x.to_f64() * x.to_f64());
        squares.sum::<f64>().sqrt()
    }

    /// The mean, summed in the order given: the same bits whoever computed the parts. Panics if there are none.
    #[track_caller]
    pub fn mean_in_order(parts: &[Self]) -> Self {
        let (first, rest) = parts.split_first().expect("a mean needs at least one part");
        let sum = rest.iter().fold(first.clone(), |sum, part| sum.add_scaled(1.0, part));
        sum.map(|t| t.scale(1.0 / parts.len() as f64))
    }
}
