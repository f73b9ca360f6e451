//! `Tensor` as an interpreter: every operation is one kernel.

use std::borrow::Cow;

use maml_kernels as kernels;
use maml_kernels::{Conv, Isa, Layout, Map, Onto, Real, Store};

use crate::{
    Shape, Tensor, Value, neural,
    normalisation::NormalisationCotangent,
    op::{Bilinear, Degree, Form, Linear, Op, Slot, Term},
    profile::{self, Work},
    squares,
};

impl<T: Real> Value for Tensor<T> {
    type Real = T;

    fn shape(&self) -> Shape {
        Tensor::shape(self)
    }

    #[track_caller]
    fn apply(op: Op, args: &[&Self]) -> Self {
        match (op, args) {
            (Op::Linear(Linear::Scale(1.0)), [x]) => (*x).clone(),
            (Op::Linear(Linear::Reshape(shape)), [x]) => x.reshaped(shape),
            (op, _) => {
                let shape = output_shape(&op, args);
                booked(&op, args, shape, || {
                    if matches!(&op, Op::Linear(Linear::Scatter(index, _)) if index.windows().is_none()) {
                        Tensor::zeros_then(shape, |out| evaluate(&op, args, Store::Add, out))
                    } else {
                        Tensor::written(shape, |out| evaluate(&op, args, Store::Set, out))
                    }
                })
            }
        }
    }

    fn known(_: Op, _: &[&Self], numbers: Tensor<T>) -> Self {
        numbers
    }

    fn constant(tensor: Tensor<T>) -> Self {
        tensor
    }

    fn peek(&self) -> Tensor<T> {
        self.clone()
    }

    /// Evaluates the term that costs a pass over fresh memory first, then adds the others in place.
    fn total(first: Term<Self>, others: Vec<Term<Self>>) -> Self {
        if others.is_empty() {
            return first.evaluate();
        }
        let terms = in_order(first, others);
        match NormalisationCotangent::of(&terms) {
            Some(cotangent) => cotangent.whole(),
            None => sum(terms),
        }
    }

    fn known_total(_: Term<Self>, _: Vec<Term<Self>>, numbers: Tensor<T>) -> Self {
        numbers
    }

    fn weight_gradient(conv: Conv, images: &Self, first: Term<Self>, others: Vec<Term<Self>>) -> Self {
        let terms = in_order(first, others);
        if let Some(cotangent) = NormalisationCotangent::of(&terms) {
            return cotangent.weight_gradient(&conv, images);
        }
        let partial = Bilinear { form: Form::Conv(conv), open: Slot::B };
        Self::apply(Op::Bilinear(partial), &[images, &sum(terms)])
    }

    /// With the slopes and the residuals at W, if they are known.
    fn two_layer_hessian(v: &Self, at: &[&Self]) -> Self {
        match at {
            [_, x, _, slopes, residuals] => Self::apply(Op::TwoLayer(Degree::Hessian), &[v, x, slopes, residuals]),
            _ => neural::two_layer_hessian(v, at[0], at[1], at[2]),
        }
    }
}

/// These terms in the order in which they are summed, the one that costs most first.
fn in_order<V>(first: Term<V>, mut others: Vec<Term<V>>) -> Vec<Term<V>> {
    others.insert(0, first);
    others.sort_by_key(|term| cost_of_adding(&term.op));
    others.reverse();
    others
}

/// The sum of these terms, at least one: the first is evaluated, the others are added in place.
fn sum<T: Real>(terms: Vec<Term<Tensor<T>>>) -> Tensor<T> {
    let mut terms = terms.into_iter();
    let first = terms.next().expect("there is a first term").evaluate();
    terms.fold(first, |mut sum, term| {
        let (args, shape) = (term.args.map(|x| x), sum.shape());
        assert_eq!(shape, output_shape(&term.op, &args), "total: shapes of its terms");
        if adds_in_place(&term.op)
            && let Some(out) = sum.unique_mut()
        {
            booked(&term.op, &args, shape, || evaluate(&term.op, &args, Store::Add, out));
            return sum;
        }
        sum.plus(&term.evaluate())
    })
}

impl<T: Real> Tensor<T> {
    /// self + b, in the memory of `self` if nobody else holds it.
    fn plus(mut self, b: &Self) -> Self {
        match self.unique_mut() {
            Some(out) => kernels::axpy(Isa::current(), T::ONE, b.as_slice(), out),
            None => return self.add(b),
        }
        self
    }
}

/// φ(x) and φ′(x) of maps of which both together cost little more than one.
pub(crate) fn map_with_slope<T: Real>(map: Map, x: &Tensor<T>) -> Option<[Tensor<T>; 2]> {
    let Map::Softplus = map else { return None };
    let (shape, isa) = (x.shape(), Isa::current());
    let work = || Work::of(&Op::Pointwise(map), &[shape, shape], shape, size_of::<T>());
    let write = |[y, slope]: [&mut [T]; 2]| kernels::softplus_with_slope(isa, x.as_slice(), y, slope);
    Some(profile::operation(|| "softplus with its slope", shape, work, || Tensor::written_together(shape, write)))
}

/// Whether an operation can add to what is there; the result of another is made apart.
fn adds_in_place(op: &Op) -> bool {
    matches!(op, Op::Bilinear(Bilinear { form: Form::Product, .. })) || cost_of_adding(op) < 3
}

/// Passes over the output that adding this operation to it takes.
fn cost_of_adding(op: &Op) -> u32 {
    match op {
        Op::Linear(Linear::Scatter(..)) => 0,
        Op::Linear(Linear::Scale(_) | Linear::Repeat(..)) => 1,
        Op::Bilinear(Bilinear {
            form: Form::Channels | Form::Covariance | Form::Inner(_),
            open: Slot::A | Slot::B,
        }) => 2,
        _ => 3,
    }
}

/// Runs `f`, which evaluates this operation, under the eyes of the profile.
fn booked<T: Real, R>(op: &Op, args: &[&Tensor<T>], shape: Shape, f: impl FnOnce() -> R) -> R {
    let work = || Work::of(op, &args.iter().map(|x| x.shape()).collect::<Vec<_>>(), shape, size_of::<T>());
    profile::operation(|| op.name(), shape, work, f)
}

/// Runs the kernel of an operation. `Store::Add` only for operations that [add in place](adds_in_place), which is all
/// that a scatter can do.
#[track_caller]
fn evaluate<T: Real>(op: &Op, args: &[&Tensor<T>], store: Store, out: &mut [T]) {
    let isa = Isa::current();
    let x = args[0].as_slice();
    let second = || args[1].as_slice();
    match op {
        Op::Add(s) => kernels::add_scaled(isa, x, T::from_f64(*s), second(), out),
        Op::Linear(Linear::Scale(s)) => match store {
            Store::Set => kernels::scale(isa, T::from_f64(*s), x, out),
            Store::Add => kernels::axpy(isa, T::from_f64(*s), x, out),
        },
        Op::Linear(Linear::Reshape(_)) => out.copy_from_slice(x),
        Op::Linear(Linear::Sum(b, _)) => match args[0].known_totals() {
            // A single column is summed as a row.
            Some(totals) if b.outer == 1 && b.inner == totals.len() && b.inner > 1 => {
                out.iter_mut().zip(totals).for_each(|(out, total)| *out = T::from_f64(*total));
            }
            _ => kernels::sum_axis(isa, b.outer, b.times, b.inner, x, out),
        },
        Op::Linear(Linear::Repeat(b, _)) => kernels::repeat(isa, b.outer, b.times, b.inner, x, store, out),
        Op::Linear(Linear::Gather(index, _)) => match index.windows() {
            Some(pool) => kernels::gather_windows(isa, pool, index, x, out),
            None => kernels::gather(index, x, out),
        },
        Op::Linear(Linear::Scatter(index, _)) => match (index.windows(), store) {
            (Some(pool), Store::Set) => kernels::scatter_windows(isa, pool, index, x, Onto::Nothing, out),
            (Some(pool), Store::Add) => kernels::scatter_windows(isa, pool, index, x, Onto::Out, out),
            (None, _) => kernels::scatter_add(index, x, out),
        },
        Op::Pointwise(map) => kernels::map(isa, *map, x, out),
        Op::LeastSquares(degree) => squares::of_linear(*degree, args, out),
        Op::TwoLayer(degree) => squares::of_two_layer(*degree, args, out),
        Op::Bilinear(Bilinear { form, open }) => {
            let y = second();
            match (form, open) {
                (Form::Product, _) => kernels::mul(isa, x, y, store, out),
                (Form::Inner(_), Slot::C) => kernels::dot_rows(isa, x, y, out),
                (Form::Inner(_), _) => kernels::scale_rows(isa, x, y, store, out),
                (Form::Matmul, open) => {
                    let Product { layout, count, size: [m, n, k] } =
                        Product::of(*open, args[0].shape(), args[1].shape());
                    // dA = C Bᵀ: the arguments come in slot order, (B, C).
                    let (a, b) = if layout == Layout::NT { (y, x) } else { (x, y) };
                    kernels::gemm_batch(isa, layout, count, m, n, k, a, b, out);
                }
                (Form::Conv(g), Slot::C) => kernels::conv_output(isa, g, x, y, out),
                (Form::Conv(g), Slot::A) => kernels::conv_input_gradient(isa, g, x, y, out),
                (Form::Conv(g), Slot::B) => kernels::conv_weight_gradient(isa, g, x, y, out),
                (Form::Channels, Slot::C) => kernels::channel_dot(isa, x, y, out),
                (Form::Channels, _) => kernels::scale_channels(isa, x, y, store, out),
                (Form::Covariance, Slot::C) if std::ptr::eq(x, y) => {
                    let mut totals = vec![0.0; out.len()];
                    kernels::channel_moments(isa, x, &mut totals, out);
                    args[0].remember_totals(&totals);
                }
                (Form::Covariance, Slot::C) => kernels::channel_covariance(isa, x, y, out),
                (Form::Covariance, _) => kernels::scale_centered(isa, x, &totals(args[0]), y, store, out),
            }
        }
    }
}

/// The sums of x over all axes but the last.
pub(crate) fn totals<T: Real>(x: &Tensor<T>) -> Cow<'_, [f64]> {
    if let Some(totals) = x.known_totals() {
        return totals.into();
    }
    let mut totals = vec![0.0; x.shape().last()];
    kernels::channel_totals(Isa::current(), x.as_slice(), &mut totals);
    x.remember_totals(&totals);
    totals.into()
}

/// The sizes of a product: C\[m, n\] over k, `count` times.
struct Product {
    layout: Layout,
    count: usize,
    size: [usize; 3],
}

impl Product {
    /// The product with this slot of ⟨C, A B⟩ open.
    #[track_caller]
    fn of(open: Slot, x: Shape, y: Shape) -> Self {
        let (count, [x0, x1], [y0, y1]) = match (x.dims(), y.dims()) {
            (&[x0, x1], &[y0, y1]) => (1, [x0, x1], [y0, y1]),
            (&[count, x0, x1], &[same, y0, y1]) if count == same => (count, [x0, x1], [y0, y1]),
            _ => panic!(
                "matrix product of shapes {x} and {y}: both need two axes, or three of which the first are equal"
            ),
        };
        let (layout, depths, size) = match open {
            Slot::C => (Layout::NN, (x1, y0), [x0, y1, x1]),
            Slot::A => (Layout::NT, (x1, y1), [y0, x0, x1]),
            Slot::B => (Layout::TN, (x0, y0), [x1, y1, x0]),
        };
        assert_eq!(depths.0, depths.1, "matrix product {layout:?} of shapes {x} and {y}: inner sizes differ");
        Self { layout, count, size }
    }
}

#[track_caller]
fn output_shape<T: Real>(op: &Op, args: &[&Tensor<T>]) -> Shape {
    let x = args[0].shape();
    match op {
        Op::Add(_) => same("add", x, args[1].shape()),
        Op::Pointwise(_) | Op::Linear(Linear::Scale(_)) => x,
        Op::Linear(Linear::Sum(b, to)) => {
            assert_eq!(x.len(), b.outer * b.times * b.inner, "sum of shape {x} over {b:?}");
            *to
        }
        Op::Linear(Linear::Repeat(b, to)) => {
            assert_eq!(x.len(), b.outer * b.inner, "repeat of shape {x} over {b:?}");
            *to
        }
        Op::Linear(Linear::Reshape(to)) => *to,
        Op::Linear(Linear::Gather(index, to)) => {
            assert_eq!(index.len(), to.len(), "gather of {} indices into shape {to}", index.len());
            *to
        }
        Op::Linear(Linear::Scatter(index, to)) => {
            assert_eq!(index.len(), x.len(), "scatter of shape {x} by {} indices", index.len());
            *to
        }
        Op::Bilinear(Bilinear { form, open }) => bilinear_shape(*form, *open, x, args[1].shape()),
        Op::LeastSquares(degree) => squares::linear_shape(*degree, args),
        Op::TwoLayer(degree) => squares::two_layer_shape(*degree, args),
    }
}

#[track_caller]
fn bilinear_shape(form: Form, open: Slot, x: Shape, y: Shape) -> Shape {
    match (form, open) {
        (Form::Product, _) => same("mul", x, y),
        (Form::Inner(rows), Slot::C) => {
            same("dot", x, y);
            assert!(rows > 0 && x.len().is_multiple_of(rows), "inner products of {rows} rows of shape {x}");
            if rows == 1 { Shape::scalar() } else { [rows].into() }
        }
        (Form::Inner(rows), _) => {
            let fits = rows > 0 && y.len() == rows && x.len().is_multiple_of(rows);
            assert!(fits, "scaling of {rows} rows of shape {x} by values of shape {y}");
            x
        }
        (Form::Matmul, _) => {
            let Product { count, size: [m, n, _], .. } = Product::of(open, x, y);
            if x.rank() == 3 { [count, m, n].into() } else { [m, n].into() }
        }
        (Form::Conv(g), _) => {
            let shapes = conv_shapes(&g);
            let expected = open.others().map(|slot| shapes[slot as usize]);
            assert_eq!([x, y], expected, "convolution, slot {open:?}: shapes of its arguments");
            shapes[open as usize]
        }
        (Form::Channels | Form::Covariance, Slot::C) => {
            assert_eq!(x, y, "{form:?}: shapes of its arguments");
            [x.last()].into()
        }
        (Form::Channels | Form::Covariance, _) => {
            assert_eq!(Shape::from([x.last()]), y, "{form:?} of shape {x}: shape of the factor per channel");
            x
        }
    }
}

/// The shapes of images, weights and outputs, in slot order.
pub(crate) fn conv_shapes(g: &Conv) -> [Shape; 3] {
    [
        [g.images, g.height, g.width, g.c_in].into(),
        [g.kernel_height, g.kernel_width, g.c_in, g.c_out].into(),
        [g.images, g.out_height(), g.out_width(), g.c_out].into(),
    ]
}

#[track_caller]
fn same(op: &str, x: Shape, y: Shape) -> Shape {
    assert_eq!(x, y, "{op}: shapes of its arguments (broadcasting is an operation of its own: expand)");
    x
}
