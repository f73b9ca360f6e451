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

mod rule;

use maml_kernels::{Conv, Map, Real};

pub use self::rule::{Args, Term};
pub(crate) use self::rule::{Call, Cotangent};
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
