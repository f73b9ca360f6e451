//! `Var`, an interpreter that evaluates and records.

use maml_kernels::{Conv, Real};

use super::{Node, NodeId, Tape};
use crate::{
    Shape, Tensor, Value, eval,
    op::{Bilinear, Degree, Form, Linear, Op, Slot, Term},
    squares::{self, Found},
};

/// A value that depends on variables of a tape, or a constant, which leaves no trace on it.
#[derive(Clone)]
pub struct Var<'t, T: Real> {
    pub(super) tensor: Tensor<T>,
    pub(super) node: Option<(&'t Tape<T>, NodeId)>,
}

impl<'t, T: Real> Var<'t, T> {
    /// The value.
    pub fn value(&self) -> &Tensor<T> {
        &self.tensor
    }

    #[track_caller]
    fn record(tensor: Tensor<T>, op: Op, args: &[&Self]) -> Self {
        let mut tapes = args.iter().filter_map(|x| x.node.map(|(tape, _)| tape));
        let Some(tape) = tapes.next() else { return Self::constant(tensor) };
        let same = tapes.all(|other| std::ptr::eq(other, tape));
        assert!(same, "an operation met values of two tapes; a value of an outer derivative must enter as a constant");
        let id = tape.push(Node::new(op, args, &tensor, None));
        Self { tensor, node: Some((tape, id)) }
    }
}

impl<T: Real> Value for Var<'_, T> {
    type Real = T;

    fn shape(&self) -> Shape {
        self.tensor.shape()
    }

    #[track_caller]
    fn apply(op: Op, args: &[&Self]) -> Self {
        if matches!(op, Op::Linear(Linear::Scale(1.0))) {
            return args[0].clone();
        }
        if let (Op::Pointwise(map), [Self { tensor: x, node: Some((tape, _)) }]) = (&op, args)
            && let Some([y, slope]) = eval::map_with_slope(*map, x)
        {
            let id = tape.push(Node::new(op, args, &y, Some(slope)));
            return Self { tensor: y, node: Some((*tape, id)) };
        }
        if let (
            Op::LeastSquares(Degree::Value) | Op::TwoLayer(Degree::Value),
            [Self { node: Some((tape, _)), .. }, ..],
        ) = (&op, args)
        {
            let tensors: Vec<_> = args.iter().map(|x| &x.tensor).collect();
            let Found { value, gradient, there } = squares::with_gradient(&op, &tensors);
            let there: Vec<_> = there.into_iter().map(Self::constant).collect();
            let args: Vec<_> = args.iter().copied().chain(&there).collect();
            let id = tape.push(Node::new(op, &args, &value, Some(gradient)));
            return Self { tensor: value, node: Some((*tape, id)) };
        }
        let tensor = match args {
            [x] => Tensor::apply(op.clone(), &[&x.tensor]),
            [x, y] => Tensor::apply(op.clone(), &[&x.tensor, &y.tensor]),
            _ => Tensor::apply(op.clone(), &args.iter().map(|x| &x.tensor).collect::<Vec<_>>()),
        };
        Self::record(tensor, op, args)
    }

    #[track_caller]
    fn known(op: Op, args: &[&Self], numbers: Tensor<T>) -> Self {
        Self::record(numbers, op, args)
    }

    fn constant(tensor: Tensor<T>) -> Self {
        Self { tensor, node: None }
    }

    fn peek(&self) -> Tensor<T> {
        self.tensor.clone()
    }

    /// Adds the numbers up at once, in place; the record has every term and every sum, whose rules need
    /// no values.
    fn total(first: Term<Self>, others: Vec<Term<Self>>) -> Self {
        if others.is_empty() {
            return first.evaluate();
        }
        let tensor = Tensor::total(plain(&first), others.iter().map(plain).collect());
        Self::known_total(first, others, tensor)
    }

    /// No rule asks for the numbers of a cotangent that meets constant images. So they need not be written out, nor kept.
    fn weight_gradient(conv: Conv, images: &Self, first: Term<Self>, others: Vec<Term<Self>>) -> Self {
        let partial = Op::Bilinear(Bilinear { form: Form::Conv(conv), open: Slot::B });
        if images.node.is_some() {
            return Self::apply(partial, &[images, &Self::total(first, others)]);
        }
        let terms = others.iter().map(plain).collect();
        let numbers = Tensor::weight_gradient(conv, &images.tensor, plain(&first), terms);
        let [.., outputs] = eval::conv_shapes(&conv);
        let total = Self::known_total(first, others, Tensor::without_numbers(outputs));
        Self::known(partial, &[images, &total], numbers)
    }

    fn known_total(first: Term<Self>, others: Vec<Term<Self>>, numbers: Tensor<T>) -> Self {
        let record = |term: &Term<Self>| match term.op {
            Op::Linear(Linear::Scale(1.0)) => term.args[0].clone(),
            _ => Self::record(numbers.clone(), term.op.clone(), &term.args.map(|x| x)),
        };
        let add = |a: Self, term| Self::record(numbers.clone(), Op::Add(1.0), &[&a, &record(term)]);
        let sum = others.iter().fold(record(&first), add);
        Self { tensor: numbers, node: sum.node }
    }
}

/// A term without its record.
fn plain<T: Real>(term: &Term<Var<'_, T>>) -> Term<Tensor<T>> {
    Term { op: term.op.clone(), args: term.args.map(|x| x.tensor.clone()) }
}
