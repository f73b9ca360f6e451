//! The table of differentiable operations, by kinds; the kind of an operation owns its calculus.
//!
//! | kind | operation | its derivative |
//! |---|---|---|
//! | [`Op::Add`] | a + s·b | the cotangent itself, and s times it |
//! | [`Linear`] | y = L x | the transpose: Lᵀ ȳ |
//! | [`Bilinear`] | one slot of a trilinear form | another slot of the same form |
//! | [`Op::Pointwise`] | y = φ(x) | φ′, written in these operations |
//! | [`Op::LeastSquares`] | ½ mean (X w − y)² | Xᵀ (X w − y) / n, and of that Xᵀ X ẇ / n |
//! | [`Op::TwoLayer`] | ½ mean r², r_i = Σ_j softplus(z_ij) − y_i, Z = X W | Xᵀ (r_i σ(z_ij)) / n, and of that its Hessian |
//!
//! Every rule is itself written in the vocabulary, so it differentiates again, to any order. What is not
//! differentiable is not an operation: masks and winners of a maximum enter as constants.

use std::ops::Deref;

use maml_kernels::{Conv, Map, Real};

use crate::{Index, Shape, Tensor, Value, shape::Block};

/// A differentiable operation.
#[derive(Clone, Debug)]
pub enum Op {
    /// a + s·b, shapes equal.
    Add(f64),
    /// y = L x.
    Linear(Linear),
    /// Two arguments in, linear in each.
    Bilinear(Bilinear),
    /// A function of every element.
    Pointwise(Map),
    /// The mean squared error of a linear model, or a derivative of it, in one pass over the inputs, which are constants as
    /// the targets are. w \[d\], X \[n, d\], y \[n\], all with a leading axis for several problems at once.
    LeastSquares(Degree),
    /// The mean squared error of a two-layer network whose second layer is ones, or a derivative of it, some rows of its hidden
    /// units at a time. W \[d, neurons\], X \[n, d\], y \[n\], all with a leading axis for several problems at once; inputs and
    /// targets are constants.
    TwoLayer(Degree),
}

/// What is said to who would differentiate by inputs or targets.
pub(crate) const CONSTANT_DATA: &str = "least squares: inputs and targets must be constants; for derivatives by them, write \
                                        half_mean_squared_error of what is made of a matrix product";

/// How often a mean squared error was differentiated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Degree {
    /// ½ mean (f(X) − y)² of (w, X, y), with f(X) = X w or that of a two-layer network.
    Value,
    /// Its gradient of (w, X, y): of a linear model Xᵀ (X w − y) / n, an affine map, whose linear part is the Hessian. Of a
    /// two-layer network (w, X, y, s, r) too, with the slopes and the residuals there: a derivative without a record uses them.
    Gradient,
    /// Its Hessian times v: of a linear model Xᵀ X v / n of (v, X), of a two-layer network of (v, X, s, r). Symmetric, so its own
    /// mirror.
    Hessian,
}

impl Op {
    /// Whether its rule multiplies its cotangent element by element.
    fn multiplies(&self) -> bool {
        matches!(self, Op::Pointwise(_) | Op::Bilinear(Bilinear { form: Form::Product, .. }))
    }

    /// What a report calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Add(_) => "addition",
            Op::Linear(Linear::Scale(_)) => "scaling",
            Op::Linear(Linear::Reshape(_)) => "reshape",
            Op::Linear(Linear::Sum(..)) => "sum over axes",
            Op::Linear(Linear::Repeat(..)) => "broadcast",
            Op::Linear(Linear::Gather(..)) => "gather",
            Op::Linear(Linear::Scatter(..)) => "scatter",
            Op::Bilinear(bilinear) => bilinear.name(),
            Op::Pointwise(Map::Exp) => "exponential",
            Op::Pointwise(Map::Log) => "logarithm",
            Op::Pointwise(Map::Tanh) => "tanh",
            Op::Pointwise(Map::Sigmoid) => "sigmoid",
            Op::Pointwise(Map::SigmoidSlope) => "slope of a sigmoid",
            Op::Pointwise(Map::Softplus) => "softplus",
            Op::Pointwise(Map::Sqrt) => "square root",
            Op::Pointwise(Map::Rsqrt) => "reciprocal square root",
            Op::Pointwise(Map::Recip) => "reciprocal",
            Op::LeastSquares(Degree::Value) => "least squares",
            Op::LeastSquares(Degree::Gradient) => "gradient of least squares",
            Op::LeastSquares(Degree::Hessian) => "Hessian of least squares",
            Op::TwoLayer(Degree::Value) => "least squares of a two-layer network",
            Op::TwoLayer(Degree::Gradient) => "gradient of a two-layer network",
            Op::TwoLayer(Degree::Hessian) => "Hessian of a two-layer network",
        }
    }
}

/// Linear maps, in mirror pairs.
#[derive(Clone, Debug)]
pub enum Linear {
    /// s·x; its own mirror.
    Scale(f64),
    /// The same numbers under this shape; its own mirror.
    Reshape(Shape),
    /// Sums over a run of axes, leaving this shape. Mirror: [`Linear::Repeat`].
    Sum(Block, Shape),
    /// Copies over a run of axes, giving this shape. Mirror: [`Linear::Sum`].
    Repeat(Block, Shape),
    /// y\[j\] = x\[index\[j\]\], in this shape. Mirror: [`Linear::Scatter`].
    Gather(Index, Shape),
    /// y\[index\[j\]\] += x\[j\], in this shape. Mirror: [`Linear::Gather`].
    Scatter(Index, Shape),
}

impl Linear {
    /// The mirror image Lᵀ of an operation whose argument has this shape.
    pub fn transpose(&self, input: Shape) -> Linear {
        match self {
            Self::Scale(s) => Self::Scale(*s),
            Self::Reshape(_) => Self::Reshape(input),
            Self::Sum(block, _) => Self::Repeat(*block, input),
            Self::Repeat(block, _) => Self::Sum(*block, input),
            Self::Gather(index, _) => Self::Scatter(index.clone(), input),
            Self::Scatter(index, _) => Self::Gather(index.clone(), input),
        }
    }
}

/// A trilinear form T(a, b, c): a number that is linear in each of three arrays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Σ a·b·c, all of one shape.
    Product,
    /// Σ_r c_r Σ_i a_ri b_ri with a, b of one shape, whose elements fall into so many rows, and c \[rows\], a single
    /// number if there is one row.
    Inner(usize),
    /// ⟨c, a b⟩ with a \[m, k\], b \[k, n\], c \[m, n\], or the sum of several such with a leading axis.
    Matmul,
    /// ⟨c, a ∗ b⟩ with images a, weights b, outputs c (layouts: [`Conv`]).
    Conv(Conv),
    /// Σ_rows Σ_channels a·b·c_channel with a, b \[…, channels\], c \[channels\].
    Channels,
    /// Σ_rows Σ_channels (a − ā)(b − b̄)·c_channel / rows, the means taken per channel.
    Covariance,
}

/// The places of a form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The first array.
    A,
    /// The second array.
    B,
    /// The third array.
    C,
}

impl Slot {
    /// The two other places, in order.
    pub fn others(self) -> [Slot; 2] {
        match self {
            Slot::A => [Slot::B, Slot::C],
            Slot::B => [Slot::A, Slot::C],
            Slot::C => [Slot::A, Slot::B],
        }
    }
}

/// ∂T/∂(open slot), a bilinear function of the arrays in the two other slots, given in slot order.
/// A form is closed under differentiation: with a cotangent in the open slot, the cotangent of an
/// argument is the form with that argument's slot open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bilinear {
    /// Which form.
    pub form: Form,
    /// Which of its slots is the result.
    pub open: Slot,
}

impl Bilinear {
    fn name(&self) -> &'static str {
        match (self.form, self.open) {
            (Form::Product, _) => "product",
            (Form::Inner(_), Slot::C) => "inner product",
            (Form::Inner(_), _) => "scaling by a value",
            (Form::Matmul, _) => "matrix product",
            (Form::Conv(_), Slot::C) => "convolution",
            (Form::Conv(_), Slot::A) => "input gradient of a convolution",
            (Form::Conv(_), Slot::B) => "weight gradient of a convolution",
            (Form::Channels, Slot::C) => "channel dot product",
            (Form::Channels, _) => "channel scaling",
            (Form::Covariance, Slot::C) => "channel covariance",
            (Form::Covariance, _) => "centred channel scaling",
        }
    }

    /// a and b may be exchanged: T(a, b, c) = T(b, a, c).
    fn is_symmetric(&self) -> bool {
        self.open == Slot::C && !matches!(self.form, Form::Matmul | Form::Conv(_))
    }
}

/// φ′(x), given x and y = φ(x). Its numbers may have been found with those of y.
pub fn slope<V: Value>(map: Map, x: &V, y: &V, found: Option<Tensor<V::Real>>) -> V {
    match map {
        Map::Exp => y.clone(),
        Map::Log => x.recip(),
        Map::Tanh => one_like(y).sub(&y.mul(y)),
        Map::Sigmoid => V::apply(Op::Pointwise(Map::SigmoidSlope), &[y]),
        Map::SigmoidSlope => one_like(x).add_scaled(-2.0, x),
        Map::Softplus => match found {
            Some(numbers) => V::known(Op::Pointwise(Map::Sigmoid), &[x], numbers),
            None => x.sigmoid(),
        },
        Map::Sqrt => y.recip().scale(0.5),
        Map::Rsqrt => y.mul(y).mul(y).scale(-0.5),
        Map::Recip => y.mul(y).scale(-1.0),
    }
}

/// Whether [`slope`] reads the numbers of x and those of y.
pub(crate) fn slope_reads(map: Map, found: bool) -> [bool; 2] {
    match map {
        Map::Log | Map::SigmoidSlope => [true, false],
        Map::Softplus => [!found, false],
        Map::Exp | Map::Tanh | Map::Sigmoid | Map::Sqrt | Map::Rsqrt | Map::Recip => [false, true],
    }
}

fn one_like<V: Value>(x: &V) -> V {
    V::constant(Tensor::full(x.shape(), V::Real::ONE))
}

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
