//! The rules: what a recorded operation adds to the cotangents of its arguments, as terms that are themselves operations.

use std::ops::Deref;

use super::{Bilinear, Degree, Form, Linear, Op, Slot};
use crate::{Shape, Value};

/// The arguments of an operation, in its order.
#[derive(Clone, Debug)]
pub enum Args<V> {
    /// Of a linear operation or a map.
    One([V; 1]),
    /// Of a sum or a bilinear operation, or a Hessian of least squares.
    Two([V; 2]),
    /// Of least squares; apart, so that a record of any other operation is no larger for it.
    Many(Box<[V]>),
}

impl<V> Deref for Args<V> {
    type Target = [V];
    fn deref(&self) -> &[V] {
        match self {
            Self::One(args) => args,
            Self::Two(args) => args,
            Self::Many(args) => args,
        }
    }
}

impl<V> Args<V> {
    /// The same number of arguments, each made of one of these.
    pub fn map<'a, U>(&'a self, mut f: impl FnMut(&'a V) -> U) -> Args<U> {
        match self {
            Self::One([a]) => Args::One([f(a)]),
            Self::Two([a, b]) => Args::Two([f(a), f(b)]),
            Self::Many(args) => Args::Many(args.iter().map(f).collect()),
        }
    }
}

/// One term of a sum: an operation and its arguments, not yet evaluated.
#[derive(Clone)]
pub struct Term<V> {
    /// What to apply.
    pub op: Op,
    /// To what.
    pub args: Args<V>,
}

impl<V: Value> Term<V> {
    pub(crate) fn unary(op: Op, x: V) -> Self {
        Self { op, args: Args::One([x]) }
    }

    pub(crate) fn binary(op: Op, args: [V; 2]) -> Self {
        Self { op, args: Args::Two(args) }
    }

    pub(crate) fn evaluate(&self) -> V {
        V::apply(self.op.clone(), &self.args.map(|x| x))
    }
}

/// The cotangent of a value.
pub(crate) enum Cotangent<V> {
    /// All of it.
    Whole(V),
    /// A term that copies one number along each row, not yet evaluated: to multiply by it, it need not be written out.
    Rows(Term<V>),
    /// The terms of its total, not yet evaluated.
    Terms(Term<V>, Vec<Term<V>>),
}

impl<V: Value> Cotangent<V> {
    /// The total of these terms, as the operation whose result has it wants it; `wanted` are those of its arguments that
    /// get a contribution.
    pub(crate) fn of(op: &Op, wanted: &[bool], first: Term<V>, others: Vec<Term<V>>) -> Self {
        match (op, &first.op) {
            (op, Op::Linear(Linear::Repeat(block, _))) if op.multiplies() && block.inner == 1 && others.is_empty() => {
                Self::Rows(first)
            }
            (Op::Bilinear(Bilinear { form: Form::Conv(_), open: Slot::C }), _) if !wanted[0] => {
                Self::Terms(first, others)
            }
            _ => Self::Whole(V::total(first, others)),
        }
    }

    pub(crate) fn whole(&self) -> V {
        match self {
            Self::Whole(g) => g.clone(),
            Self::Rows(term) => term.evaluate(),
            Self::Terms(first, others) => V::total(first.clone(), others.clone()),
        }
    }

    /// g · x, element by element.
    fn times(&self, x: V) -> Term<V> {
        match self {
            Self::Rows(term) => {
                let rows = term.args[0].shape().len();
                let factors = term.args[0].reshape(if rows == 1 { Shape::scalar() } else { [rows].into() });
                let scaling = Bilinear { form: Form::Inner(rows), open: Slot::A };
                Term::binary(Op::Bilinear(scaling), [x, factors])
            }
            _ => {
                let product = Bilinear { form: Form::Product, open: Slot::C };
                Term::binary(Op::Bilinear(product), [self.whole(), x])
            }
        }
    }
}

/// What the reverse sweep knows of a recorded operation. What the rule of the operation does not ask for is not there.
pub(crate) struct Call<'a, V> {
    pub op: &'a Op,
    pub shapes: Args<Shape>,
    pub args: Args<Option<V>>,
    /// φ′ at the argument of a map, or the gradient of a mean squared error.
    pub slope: Option<V>,
    /// Both arguments are one and the same value.
    pub squared: bool,
}

impl<V: Value> Call<'_, V> {
    /// Whether argument `j` gets a contribution of its own: of a square T(a, a, c) the first argument's
    /// already is the whole.
    pub(crate) fn contributes(&self, j: usize) -> bool {
        j == 0 || !self.is_square()
    }

    fn is_square(&self) -> bool {
        self.squared && matches!(self.op, Op::Bilinear(bilinear) if bilinear.is_symmetric())
    }

    /// The contribution of this call to the cotangent of its argument `j`, if `g` is the cotangent of its output.
    pub(crate) fn cotangent(&self, j: usize, g: &Cotangent<V>) -> Term<V> {
        let value = |j: usize| self.args[j].clone().expect("the tape keeps what the rule of an operation asks for");
        let slope = || self.slope.clone().expect("the sweep finds the slope of a map");
        match self.op {
            Op::Add(s) => Term::unary(Op::Linear(Linear::Scale(if j == 0 { 1.0 } else { *s })), g.whole()),
            Op::Linear(linear) => Term::unary(Op::Linear(linear.transpose(self.shapes[j])), g.whole()),
            Op::Bilinear(Bilinear { form, .. }) if self.is_square() => {
                let partial = Op::Bilinear(Bilinear { form: *form, open: Slot::A });
                Term::binary(partial, [value(1), g.whole().scale(2.0)])
            }
            Op::Bilinear(Bilinear { form: Form::Product, .. }) => g.times(value(1 - j)),
            Op::Bilinear(Bilinear { form: Form::Conv(conv), open: Slot::C })
                if j == 1
                    && let Cotangent::Terms(first, others) = g =>
            {
                let gradient = V::weight_gradient(*conv, &value(0), first.clone(), others.clone());
                Term::unary(Op::Linear(Linear::Scale(1.0)), gradient)
            }
            Op::Bilinear(Bilinear { form, open }) => {
                let slots = open.others();
                let (slot, other) = (slots[j], slots[1 - j]);
                let partial = Op::Bilinear(Bilinear { form: *form, open: slot });
                let args = slot.others().map(|s| if s == other { value(1 - j) } else { g.whole() });
                Term::binary(partial, args)
            }
            Op::Pointwise(_) => g.times(slope()),
            Op::LeastSquares(Degree::Value) | Op::TwoLayer(Degree::Value) => {
                let (gradient, g) = (slope(), g.whole());
                let scaling = Bilinear { form: Form::Inner(g.shape().len()), open: Slot::A };
                Term::binary(Op::Bilinear(scaling), [gradient, g])
            }
            Op::LeastSquares(Degree::Gradient | Degree::Hessian) => {
                Term::binary(Op::LeastSquares(Degree::Hessian), [g.whole(), value(1)])
            }
            Op::TwoLayer(Degree::Gradient) => {
                let at: Vec<V> = (0..self.args.len()).map(value).collect();
                let hessian = V::two_layer_hessian(&g.whole(), &at.iter().collect::<Vec<_>>());
                Term::unary(Op::Linear(Linear::Scale(1.0)), hessian)
            }
            Op::TwoLayer(Degree::Hessian) => {
                let at = (1..self.args.len()).map(value);
                Term { op: self.op.clone(), args: Args::Many([g.whole()].into_iter().chain(at).collect()) }
            }
        }
    }
}
