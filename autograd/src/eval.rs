//! `Tensor` as an interpreter: every operation is one kernel.

use maml_kernels as kernels;
use maml_kernels::{Conv, Isa, Layout, Real, Store};

use crate::{
    Shape, Tensor, Value,
    op::{Bilinear, Form, Linear, Op, Slot, Term},
    profile::{self, Work},
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
                    if matches!(op, Op::Linear(Linear::Scatter(..))) {
                        Tensor::zeros_then(shape, |out| evaluate(&op, args, Store::Add, out))
                    } else {
                        Tensor::written(shape, |out| evaluate(&op, args, Store::Set, out))
                    }
                })
            }
        }
    }

    fn constant(tensor: Tensor<T>) -> Self {
        tensor
    }

    fn peek(&self) -> Tensor<T> {
        self.clone()
    }

    /// Evaluates the term that costs a pass over fresh memory first, then adds the others in place.
    fn total(first: Term<Self>, mut others: Vec<Term<Self>>) -> Self {
        if others.is_empty() {
            return first.evaluate();
        }
        others.insert(0, first);
        others.sort_by_key(|term| cost_of_adding(&term.op));
        let mut terms = others.into_iter().rev();
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

/// Whether an operation can add to what is there; the result of another is made apart.
fn adds_in_place(op: &Op) -> bool {
    matches!(op, Op::Bilinear(Bilinear { form: Form::Product, .. })) || cost_of_adding(op) < 3
}

/// Passes over the output that adding this operation to it takes.
fn cost_of_adding(op: &Op) -> u32 {
    match op {
        Op::Linear(Linear::Scatter(..)) => 0,
        Op::Linear(Linear::Scale(_) | Linear::Repeat(..)) => 1,
        Op::Bilinear(Bilinear { form: Form::Channels | Form::Covariance | Form::Inner, open: Slot::A | Slot::B }) => 2,
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
        Op::Linear(Linear::Sum(b, _)) => kernels::sum_axis(isa, b.outer, b.times, b.inner, x, out),
        Op::Linear(Linear::Repeat(b, _)) => kernels::repeat(isa, b.outer, b.times, b.inner, x, store, out),
        Op::Linear(Linear::Gather(index, _)) => kernels::gather(index, x, out),
        Op::Linear(Linear::Scatter(index, _)) => kernels::scatter_add(index, x, out),
        Op::Pointwise(map) => kernels::map(isa, *map, x, out),
        Op::Bilinear(Bilinear { form, open }) => {
            let y = second();
            match (form, open) {
                (Form::Product, _) => kernels::mul(isa, x, y, store, out),
                (Form::Inner, Slot::C) => out[0] = kernels::dot(isa, x, y),
                (Form::Inner, _) => match store {
                    Store::Set => kernels::scale(isa, y[0], x, out),
                    Store::Add => kernels::axpy(isa, y[0], x, out),
                },
                (Form::Matmul, open) => {
                    let (layout, (m, n, k)) = product_sizes(*open, args[0].shape(), args[1].shape());
                    match layout {
                        // dA = C Bᵀ: the arguments come in slot order, (B, C).
                        Layout::NT => kernels::gemm(isa, layout, m, n, k, y, x, out),
                        _ => kernels::gemm(isa, layout, m, n, k, x, y, out),
                    }
                }
                (Form::Conv(g), Slot::C) => kernels::conv_output(isa, g, x, y, out),
                (Form::Conv(g), Slot::A) => kernels::conv_input_gradient(isa, g, x, y, out),
                (Form::Conv(g), Slot::B) => kernels::conv_weight_gradient(isa, g, x, y, out),
                (Form::Channels, Slot::C) => kernels::channel_dot(isa, x, y, out),
                (Form::Channels, _) => kernels::scale_channels(isa, x, y, store, out),
                (Form::Covariance, Slot::C) => kernels::channel_covariance(isa, x, y, out),
                (Form::Covariance, _) => kernels::scale_centered(isa, x, y, store, out),
            }
        }
    }
}

/// The layout and (m, n, k) of the product with this slot of ⟨C, A B⟩ open.
#[track_caller]
fn product_sizes(open: Slot, x: Shape, y: Shape) -> (Layout, (usize, usize, usize)) {
    let (&[x0, x1], &[y0, y1]) = (x.dims(), y.dims()) else {
        panic!("matrix product of shapes {x} and {y}: both need two axes");
    };
    let (layout, depths, sizes) = match open {
        Slot::C => (Layout::NN, (x1, y0), (x0, y1, x1)),
        Slot::A => (Layout::NT, (x1, y1), (y0, x0, x1)),
        Slot::B => (Layout::TN, (x0, y0), (x1, y1, x0)),
    };
    assert_eq!(depths.0, depths.1, "matrix product {layout:?} of shapes {x} and {y}: inner sizes differ");
    (layout, sizes)
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
    }
}

#[track_caller]
fn bilinear_shape(form: Form, open: Slot, x: Shape, y: Shape) -> Shape {
    match (form, open) {
        (Form::Product, _) => same("mul", x, y),
        (Form::Inner, Slot::C) => {
            same("dot", x, y);
            Shape::scalar()
        }
        (Form::Inner, _) => {
            assert_eq!(y.len(), 1, "scaling of shape {x} by a value of shape {y}, which is not a single number");
            x
        }
        (Form::Matmul, _) => {
            let (_, (m, n, _)) = product_sizes(open, x, y);
            [m, n].into()
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
fn conv_shapes(g: &Conv) -> [Shape; 3] {
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
