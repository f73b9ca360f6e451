//! Immutable arrays.

use std::{fmt, sync::Arc};

use maml_kernels::Real;

use crate::{Shape, buf::Buf};

/// An immutable array, row-major. Cloning counts references; numbers are never copied for it.
#[derive(Clone)]
pub struct Tensor<T: Real> {
    shape: Shape,
    buf: Arc<Buf<T>>,
}

impl<T: Real> Tensor<T> {
    /// A copy of `values`. Panics if their number is not that of the shape.
    #[track_caller]
    pub fn new(shape: impl Into<Shape>, values: &[T]) -> Self {
        let shape = shape.into();
        assert_eq!(shape.len(), values.len(), "a tensor of shape {shape} needs as many values as that");
        Self::written(shape, |out| out.copy_from_slice(values))
    }

    /// A single number.
    pub fn scalar(value: T) -> Self {
        Self::full(Shape::scalar(), value)
    }

    /// `value` everywhere.
    pub fn full(shape: impl Into<Shape>, value: T) -> Self {
        Self::written(shape.into(), |out| out.fill(value))
    }

    /// Zero everywhere.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        Self::full(shape, T::ZERO)
    }

    /// The value at each flat position.
    pub fn from_fn(shape: impl Into<Shape>, mut value: impl FnMut(usize) -> T) -> Self {
        Self::written(shape.into(), |out| out.iter_mut().enumerate().for_each(|(i, out)| *out = value(i)))
    }

    /// These tensors, at least one and all of one shape, along a new first axis.
    #[track_caller]
    pub fn stack(parts: &[&Self]) -> Self {
        let shape = parts.first().expect("a stack has at least one part").shape;
        assert!(parts.iter().all(|part| part.shape == shape), "a stack of tensors that are not all of shape {shape}");
        let stacked = [&[parts.len()], shape.dims()].concat();
        Self::written(stacked[..].into(), |out| {
            for (part, out) in parts.iter().zip(out.chunks_exact_mut(shape.len().max(1))) {
                out.copy_from_slice(part.as_slice());
            }
        })
    }

    /// The parts of a stack: the slices along the first axis.
    #[track_caller]
    pub fn unstack(&self) -> Vec<Self> {
        let (count, shape) = self.shape.dims().split_first().expect("a stack has an axis of parts");
        let shape = Shape::from(shape);
        let len = shape.len();
        (0..*count).map(|i| Self::new(shape, &self.as_slice()[i * len..][..len])).collect()
    }

    /// Memory of unspecified content, given to `write`, which must write all of it.
    pub(crate) fn written(shape: Shape, write: impl FnOnce(&mut [T])) -> Self {
        let mut buf = Buf::dirty(shape.len());
        write(buf.as_mut_slice());
        Self { shape, buf: Arc::new(buf) }
    }

    /// [`Self::written`] for several of one shape.
    pub(crate) fn written_together<const N: usize>(shape: Shape, write: impl FnOnce([&mut [T]; N])) -> [Self; N] {
        let mut bufs = [(); N].map(|()| Buf::dirty(shape.len()));
        write(bufs.each_mut().map(Buf::as_mut_slice));
        bufs.map(|buf| Self { shape, buf: Arc::new(buf) })
    }

    pub(crate) fn zeros_then(shape: Shape, write: impl FnOnce(&mut [T])) -> Self {
        let mut buf = Buf::zeros(shape.len());
        write(buf.as_mut_slice());
        Self { shape, buf: Arc::new(buf) }
    }

    /// A stand-in of this shape for numbers that nobody reads.
    pub(crate) fn without_numbers(shape: Shape) -> Self {
        Self { shape, buf: Arc::new(Buf::dirty(0)) }
    }

    /// Sizes of the axes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// All values, row-major.
    pub fn as_slice(&self) -> &[T] {
        let values = self.buf.as_slice();
        debug_assert_eq!(values.len(), self.shape.len(), "numbers that were not to be read");
        values
    }

    /// The values to write, if nobody else holds them.
    pub(crate) fn unique_mut(&mut self) -> Option<&mut [T]> {
        Arc::get_mut(&mut self.buf).map(Buf::as_mut_slice)
    }

    /// The sums over all axes but the last, before they are rounded, if somebody has found them.
    pub(crate) fn known_totals(&self) -> Option<&[f64]> {
        self.buf.totals().get().map(Box::as_ref).filter(|totals| totals.len() == self.shape.last())
    }

    /// Remembers these sums, as long as the numbers live.
    pub(crate) fn remember_totals(&self, totals: &[f64]) {
        // Those of another shape stay.
        self.buf.totals().get_or_init(|| totals.into());
    }

    /// The same values under another shape. Panics if their number differs.
    #[track_caller]
    pub fn reshaped(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.len(), self.shape.len(), "reshape from {} to {shape}", self.shape);
        Self { shape, buf: self.buf.clone() }
    }

    /// The value of a tensor with one element. Panics if it has another number of them.
    #[track_caller]
    pub fn item(&self) -> T {
        assert_eq!(self.shape.len(), 1, "item() of a tensor of shape {}", self.shape);
        self.as_slice()[0]
    }

    /// The values in another precision.
    pub fn cast<U: Real>(&self) -> Tensor<U> {
        let values = self.as_slice();
        Tensor::from_fn(self.shape, |i| U::from_f64(values[i].to_f64()))
    }

    /// Whether no value is infinite or NaN.
    pub fn is_finite(&self) -> bool {
        self.as_slice().iter().all(|x| x.to_f64().is_finite())
    }
}

impl<T: Real> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let values = self.as_slice();
        write!(f, "Tensor{} {:?}", self.shape, &values[..values.len().min(SHOWN)])?;
        if values.len() > SHOWN { f.write_str("…") } else { Ok(()) }
    }
}
