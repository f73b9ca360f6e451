//! Mean squared errors that are computed whole: [`Op::LeastSquares`] of linear models and [`Op::TwoLayer`], with what is found on the
//! way to a value and wanted by its derivatives.

use maml_kernels as kernels;
use maml_kernels::{Isa, Real};

use crate::{
    Shape, Tensor,
    op::{Degree, Op},
    profile::{self, Work},
};

/// A mean squared error, its gradient, and what derivatives of that gradient are computed with besides the arguments.
pub(crate) struct Found<T: Real> {
    pub(crate) value: Tensor<T>,
    pub(crate) gradient: Tensor<T>,
    pub(crate) there: Vec<Tensor<T>>,
}

/// All of that, of the arguments (w, X, y) of one of these operations.
pub(crate) fn with_gradient<T: Real>(op: &Op, args: &[&Tensor<T>]) -> Found<T> {
    let [point, data] = [args[0].shape(), args[1].shape()];
    let (name, gradient) = match op {
        Op::LeastSquares(_) => ("least squares with their gradient", Op::LeastSquares(Degree::Gradient)),
        _ => ("two-layer network with its gradient", Op::TwoLayer(Degree::Gradient)),
    };
    let work = || Work::of(&gradient, &[point, data, targets_of(data)], point, size_of::<T>());
    profile::operation(
        || name,
        point,
        work,
        || match op {
            Op::LeastSquares(degree) => {
                let shape = linear_shape(*degree, args);
                let mut residuals = None;
                let gradient = Tensor::written(point, |gradient| residuals = Some(residuals_of(args, Some(gradient))));
                let value = half_mean_squares(&residuals.expect("written"), shape);
                Found { value, gradient, there: vec![] }
            }
            _ => two_layer_with_gradient(args),
        },
    )
}

fn two_layer_with_gradient<T: Real>(args: &[&Tensor<T>]) -> Found<T> {
    let shape = two_layer_shape(Degree::Value, args);
    let Network { size, hidden, residuals, factor } = Network::of(args[0].shape(), args[1].shape());
    let [w, x, y] = [0, 1, 2].map(|i| args[i].as_slice());
    let mut there = vec![];
    let gradient = Tensor::written(args[0].shape(), |gradient| {
        let slopes = Tensor::written(hidden, |slopes| {
            there.push(Tensor::written(residuals, |residuals| {
                let (isa, factor) = (Isa::current(), T::from_f64(factor));
                kernels::two_layer(isa, size, x, w, y, factor, residuals, Some(slopes), Some(gradient));
            }));
        });
        there.insert(0, slopes);
    });
    Found { value: half_mean_squares(&there[1], shape), gradient, there }
}

/// [`Op::LeastSquares`].
pub(crate) fn of_linear<T: Real>(degree: Degree, args: &[&Tensor<T>], out: &mut [T]) {
    if degree == Degree::Value {
        out.copy_from_slice(half_mean_squares(&residuals_of(args, None), [out.len()].into()).as_slice());
    } else {
        residuals_of(args, Some(out));
    }
}

/// [`Op::TwoLayer`].
pub(crate) fn of_two_layer<T: Real>(degree: Degree, args: &[&Tensor<T>], out: &mut [T]) {
    let Network { size, residuals, factor, .. } = Network::of(args[0].shape(), args[1].shape());
    let (isa, factor, slices) = (Isa::current(), T::from_f64(factor), |i: usize| args[i].as_slice());
    let found = |gradient: Option<&mut [T]>| {
        Tensor::written(residuals, |residuals| {
            kernels::two_layer(isa, size, slices(1), slices(0), slices(2), factor, residuals, None, gradient);
        })
    };
    match degree {
        Degree::Value => out.copy_from_slice(half_mean_squares(&found(None), [out.len()].into()).as_slice()),
        Degree::Gradient => {
            found(Some(out));
        }
        Degree::Hessian => {
            kernels::two_layer_hessian(isa, size, slices(1), slices(0), slices(2), slices(3), factor, out);
        }
    }
}

/// X w − y of (w, X, y), or X v of (v, X), \[problems, n\]; and what these pull back to, divided by n.
fn residuals_of<T: Real>(args: &[&Tensor<T>], gradient: Option<&mut [T]>) -> Tensor<T> {
    let (w, x, y) = (args[0].as_slice(), args[1], args.get(2).map(|y| y.as_slice()));
    let (n, d) = (x.shape().dims()[x.shape().rank() - 2], x.shape().last());
    let count = x.shape().len() / (n * d).max(1);
    let scale = T::from_f64(1.0 / n as f64);
    Tensor::written([count, n].into(), |residuals| {
        kernels::least_squares(Isa::current(), count, x.as_slice(), w, y, scale, residuals, gradient);
    })
}

/// ½ mean r² of each row.
fn half_mean_squares<T: Real>(residuals: &Tensor<T>, shape: Shape) -> Tensor<T> {
    let isa = Isa::current();
    let half = T::from_f64(0.5 / residuals.shape().last() as f64);
    let squares = Tensor::written(shape, |out| kernels::dot_rows(isa, residuals.as_slice(), residuals.as_slice(), out));
    Tensor::written(shape, |out| kernels::scale(isa, half, squares.as_slice(), out))
}

/// The sizes of a two-layer network and of its arrays, from the shapes of W and X.
struct Network {
    size: [usize; 4],
    hidden: Shape,
    residuals: Shape,
    /// 1/n
    factor: f64,
}

impl Network {
    fn of(w: Shape, x: Shape) -> Self {
        let (n, d, neurons) = (x.dims()[x.rank() - 2], x.last(), w.last());
        let count = x.dims()[..x.rank() - 2].iter().product();
        let hidden = [targets_of(x).dims(), &[neurons]].concat()[..].into();
        Self { size: [count, n, d, neurons], hidden, residuals: [count, n].into(), factor: 1.0 / n as f64 }
    }
}

/// The shape of targets for inputs of this shape.
fn targets_of(inputs: Shape) -> Shape {
    inputs.dims().split_last().map_or(&[][..], |(_, targets)| targets).into()
}

/// The shape of a mean squared error or of a derivative by w, the arguments being as one of linear models wants them.
#[track_caller]
pub(crate) fn linear_shape<T: Real>(degree: Degree, args: &[&Tensor<T>]) -> Shape {
    let [w, x] = [args[0].shape(), args[1].shape()];
    let y = args.get(2).map(|y| y.shape());
    let fits = match (w.dims(), x.dims()) {
        (&[d], &[_, columns]) => d == columns,
        (&[count, d], &[problems, _, columns]) => [count, d] == [problems, columns],
        _ => false,
    };
    let targets = y.map_or(String::new(), |y| format!(" and targets {y}"));
    assert!(
        fits && y.is_none_or(|y| y == targets_of(x)),
        "least squares of parameters {w} for inputs {x}{targets}: these are [d], [n, d] and [n], or all of them with a \
         leading axis of one length"
    );
    if degree == Degree::Value { values_for(x) } else { w }
}

/// The same for two-layer networks.
#[track_caller]
pub(crate) fn two_layer_shape<T: Real>(degree: Degree, args: &[&Tensor<T>]) -> Shape {
    let [w, x, y] = [0, 1, 2].map(|i| args[i].shape());
    let fits = match (w.dims(), x.dims()) {
        (&[d, _], &[_, columns]) => d == columns,
        (&[count, d, _], &[problems, _, columns]) => [count, d] == [problems, columns],
        _ => false,
    };
    let there = if degree == Degree::Hessian { Network::of(w, x).hidden } else { targets_of(x) };
    assert!(
        fits && y == there,
        "least squares of a two-layer network of parameters {w} for inputs {x} and targets {y}: these are [d, neurons], [n, d] \
         and [n], or all of them with a leading axis of one length"
    );
    if degree == Degree::Value { values_for(x) } else { w }
}

/// The shape of the values for inputs of this shape: that of inner products of so many rows.
fn values_for(inputs: Shape) -> Shape {
    match inputs.dims() {
        &[count, _, _] if count != 1 => [count].into(),
        _ => Shape::scalar(),
    }
}
