//! The vocabulary: what a loss may be written in.

use maml_kernels::{Conv, Map, Real};

use crate::{
    Index, Shape, Tensor, neural,
    op::{Bilinear, Form, Linear, Op, Slot, Term},
    shape::reductions,
};

/// An array that one can compute with. A loss is written once, generic over `Value`, and its interpreters
/// decide what computing means: [`Tensor`] evaluates, [`Var`](crate::Var) evaluates and records,
/// [`Dual`](crate::Dual) carries a directional derivative along.
///
/// A wrong shape is the caller's bug: every method panics with the operation and both shapes.
pub trait Value: Clone {
    /// The element type.
    type Real: Real;

    /// Sizes of the axes.
    fn shape(&self) -> Shape;

    /// Applies an operation of the table.
    #[track_caller]
    fn apply(op: Op, args: &[&Self]) -> Self;

    /// The result of an operation whose numbers were found on the way to something else.
    #[track_caller]
    fn known(op: Op, args: &[&Self], numbers: Tensor<Self::Real>) -> Self {
        let result = Self::apply(op, args);
        debug_assert_eq!(result.shape(), numbers.shape());
        result
    }

    /// A value that does not depend on anything.
    fn constant(tensor: Tensor<Self::Real>) -> Self;

    /// The numbers, outside of differentiation: what is computed from them is a constant.
    fn peek(&self) -> Tensor<Self::Real>;

    /// The sum of one term and others.
    fn total(first: Term<Self>, others: Vec<Term<Self>>) -> Self {
        others.iter().fold(first.evaluate(), |sum, term| sum.add(&term.evaluate()))
    }

    /// The sum of these terms, whose numbers were found on the way to something else.
    fn known_total(first: Term<Self>, others: Vec<Term<Self>>, numbers: Tensor<Self::Real>) -> Self {
        let total = Self::total(first, others);
        debug_assert_eq!(total.shape(), numbers.shape());
        total
    }

    /// The weight gradient of a convolution of constant images, whose output has the total of these terms as cotangent.
    fn weight_gradient(conv: Conv, images: &Self, first: Term<Self>, others: Vec<Term<Self>>) -> Self {
        let partial = Bilinear { form: Form::Conv(conv), open: Slot::B };
        Self::apply(Op::Bilinear(partial), &[images, &Self::total(first, others)])
    }

    /// The Hessian of a two-layer network's mean squared error times v, at the arguments (W, X, y, …) of its gradient.
    fn two_layer_hessian(v: &Self, at: &[&Self]) -> Self {
        neural::two_layer_hessian(v, at[0], at[1], at[2])
    }

    /// a + b
    #[track_caller]
    fn add(&self, b: &Self) -> Self {
        Self::apply(Op::Add(1.0), &[self, b])
    }

    /// a − b
    #[track_caller]
    fn sub(&self, b: &Self) -> Self {
        Self::apply(Op::Add(-1.0), &[self, b])
    }

    /// a + s·b
    #[track_caller]
    fn add_scaled(&self, s: f64, b: &Self) -> Self {
        Self::apply(Op::Add(s), &[self, b])
    }

    /// s·a
    fn scale(&self, s: f64) -> Self {
        Self::apply(Op::Linear(Linear::Scale(s)), &[self])
    }

    /// −a
    fn neg(&self) -> Self {
        self.scale(-1.0)
    }

    /// a·b, element by element.
    #[track_caller]
    fn mul(&self, b: &Self) -> Self {
        bilinear(Form::Product, Slot::C, self, b)
    }

    /// a / b, element by element.
    #[track_caller]
    fn div(&self, b: &Self) -> Self {
        self.mul(&b.recip())
    }

    /// a\[m, k\] b\[k, n\], or one such product for each element of a leading axis.
    #[track_caller]
    fn matmul(&self, b: &Self) -> Self {
        bilinear(Form::Matmul, Slot::C, self, b)
    }

    /// a\[m, k\] b\[n, k\]ᵀ
    #[track_caller]
    fn matmul_nt(&self, b: &Self) -> Self {
        bilinear(Form::Matmul, Slot::A, b, self)
    }

    /// a\[k, m\]ᵀ b\[k, n\]
    #[track_caller]
    fn matmul_tn(&self, b: &Self) -> Self {
        bilinear(Form::Matmul, Slot::B, self, b)
    }

    /// Convolution of images \[n, h, w, c_in\] with weights \[kh, kw, c_in, c_out\], with zeros around the
    /// images and a step between outputs.
    #[track_caller]
    fn conv(&self, weights: &Self, stride: usize, padding: usize) -> Self {
        let geometry = geometry(self.shape(), weights.shape(), stride, padding);
        bilinear(Form::Conv(geometry), Slot::C, self, weights)
    }

    /// a\[…, c\] · k\[c\]
    #[track_caller]
    fn scale_channels(&self, k: &Self) -> Self {
        bilinear(Form::Channels, Slot::A, self, k)
    }

    /// Σ_rows a·b, per channel of \[…, c\].
    #[track_caller]
    fn channel_dot(&self, b: &Self) -> Self {
        bilinear(Form::Channels, Slot::C, self, b)
    }

    /// The biased covariance 1/rows · Σ_rows (a − ā)(b − b̄), per channel of \[…, c\]; `a.covariance(&a)` is the variance.
    #[track_caller]
    fn channel_covariance(&self, b: &Self) -> Self {
        bilinear(Form::Covariance, Slot::C, self, b)
    }

    /// eˣ
    fn exp(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Exp), &[self])
    }

    /// ln x
    fn log(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Log), &[self])
    }

    /// tanh x
    fn tanh(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Tanh), &[self])
    }

    /// 1 / (1 + e⁻ˣ)
    fn sigmoid(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Sigmoid), &[self])
    }

    /// ln(1 + eˣ)
    fn softplus(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Softplus), &[self])
    }

    /// √x
    fn sqrt(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Sqrt), &[self])
    }

    /// 1 / √x
    fn rsqrt(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Rsqrt), &[self])
    }

    /// 1 / x
    fn recip(&self) -> Self {
        Self::apply(Op::Pointwise(Map::Recip), &[self])
    }

    /// The same numbers under another shape.
    #[track_caller]
    fn reshape(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        if shape == self.shape() { self.clone() } else { Self::apply(Op::Linear(Linear::Reshape(shape)), &[self]) }
    }

    /// Sums down to `shape`, whose axes, aligned on the right, are those of `self`, or 1, or absent.
    #[track_caller]
    fn sum_to(&self, shape: impl Into<Shape>) -> Self {
        let steps = reductions(self.shape(), shape.into());
        steps.into_iter().fold(self.clone(), |x, (block, to)| Self::apply(Op::Linear(Linear::Sum(block, to)), &[&x]))
    }

    /// Copies up to `shape`: the transpose of [`Value::sum_to`].
    #[track_caller]
    fn expand(&self, shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let steps = reductions(shape, self.shape());
        let shapes: Vec<Shape> = std::iter::once(shape).chain(steps.iter().map(|s| s.1)).collect();
        let up = steps.iter().zip(shapes).rev();
        up.fold(self.clone(), |x, ((block, _), to)| Self::apply(Op::Linear(Linear::Repeat(*block, to)), &[&x]))
    }

    /// The sum of all elements, a scalar.
    fn sum(&self) -> Self {
        self.sum_to(Shape::scalar())
    }

    /// The mean of all elements, a scalar.
    fn mean(&self) -> Self {
        self.sum().scale(1.0 / self.shape().len() as f64)
    }

    /// ⟨a, b⟩, a scalar.
    #[track_caller]
    fn dot(&self, b: &Self) -> Self {
        bilinear(Form::Inner(1), Slot::C, self, b)
    }

    /// ⟨a_r, b_r⟩ for each r of the first axis of a and b.
    #[track_caller]
    fn dot_rows(&self, b: &Self) -> Self {
        bilinear(Form::Inner(self.shape().dims().first().copied().unwrap_or(1)), Slot::C, self, b)
    }

    /// y\[j\] = x\[index\[j\]\] in the given shape, zero where the index is [`MISSING`](maml_kernels::MISSING).
    #[track_caller]
    fn gather(&self, index: Index, shape: impl Into<Shape>) -> Self {
        Self::apply(Op::Linear(Linear::Gather(index, shape.into())), &[self])
    }
}

#[track_caller]
fn bilinear<V: Value>(form: Form, open: Slot, a: &V, b: &V) -> V {
    V::apply(Op::Bilinear(Bilinear { form, open }), &[a, b])
}

#[track_caller]
fn geometry(x: Shape, w: Shape, stride: usize, padding: usize) -> Conv {
    let (&[images, height, width, c_in], &[kernel_height, kernel_width, weights_in, c_out]) = (x.dims(), w.dims())
    else {
        panic!("convolution of images {x} with weights {w}: both need four axes, [n, h, w, c] and [kh, kw, c, c_out]");
    };
    assert_eq!(c_in, weights_in, "convolution of images {x} with weights {w}: channels differ");
    assert!(stride > 0, "convolution of images {x} with weights {w}: the stride is 0");
    let fits = height + 2 * padding >= kernel_height && width + 2 * padding >= kernel_width;
    assert!(fits, "convolution of images {x} with weights {w}: the kernel does not fit, with padding {padding}");
    Conv { images, height, width, c_in, c_out, kernel_height, kernel_width, stride, padding }
}
