//! Functions of arrays to differentiate, with the inputs at which they are smooth.

use maml_autograd::{Function, Shape, Tensor, Value, neural, op::Op};

use crate::sampling::{Rng, uniform};

/// A line of the table: a name, and a way to draw a function with the shapes of its arguments.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) sample: Box<dyn Fn(&mut Rng) -> Sample>,
}

pub(crate) struct Sample {
    pub(crate) body: Body,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) domain: Domain,
}

/// Where the inputs lie.
#[derive(Clone, Copy)]
pub(crate) enum Domain {
    /// [−2, 2]
    Any,
    /// [½, 2]
    Positive,
}

/// An array as a function of arrays.
#[derive(Debug)]
pub(crate) enum Body {
    Op(Op),
    /// The operation with one value for both arguments.
    Same(Op),
    MatmulNt,
    MatmulTn,
    Div,
    SumTo(Shape),
    Expand(Shape),
    SoftplusSummed(Shape),
    ProductSummed(Shape),
    SquareSummed(Shape),
    Relu,
    Elu,
    MaxPool(usize, usize),
    ChannelMean,
    BatchNorm(f64),
    NormReluPool(f64),
    LogSoftmax,
    CrossEntropy(Vec<u32>),
    HalfMeanSquaredError,
    /// Of a linear model with these inputs and targets.
    LeastSquares(Tensor<f64>, Tensor<f64>),
    /// Of a two-layer network.
    TwoLayerLeastSquares(Tensor<f64>, Tensor<f64>),
}

impl Body {
    pub(crate) fn eval<V: Value<Real = f64>>(&self, x: &[V]) -> V {
        match self {
            Body::Op(op) => V::apply(op.clone(), &x.iter().collect::<Vec<_>>()),
            Body::Same(op) => V::apply(op.clone(), &[&x[0], &x[0]]),
            Body::MatmulNt => x[0].matmul_nt(&x[1]),
            Body::MatmulTn => x[0].matmul_tn(&x[1]),
            Body::Div => x[0].div(&x[1]),
            Body::SumTo(shape) => x[0].sum_to(*shape),
            Body::Expand(shape) => x[0].expand(*shape),
            Body::SoftplusSummed(shape) => x[0].softplus().sum_to(*shape),
            Body::ProductSummed(shape) => x[0].mul(&x[1]).sum_to(*shape),
            Body::SquareSummed(shape) => x[0].mul(&x[0]).sum_to(*shape),
            Body::Relu => neural::relu(&x[0]),
            Body::Elu => neural::elu(&x[0]),
            Body::MaxPool(window, stride) => neural::max_pool(&x[0], *window, *stride),
            Body::ChannelMean => neural::channel_mean(&x[0]),
            Body::BatchNorm(epsilon) => neural::batch_norm(&x[0], &x[1], &x[2], *epsilon),
            Body::NormReluPool(epsilon) => neural::norm_relu_pool(&x[0], &x[1], &x[2], *epsilon),
            Body::LogSoftmax => neural::log_softmax(&x[0]),
            Body::CrossEntropy(labels) => neural::cross_entropy(&x[0], labels),
            Body::HalfMeanSquaredError => neural::half_mean_squared_error(&x[0], &x[1]),
            Body::LeastSquares(inputs, targets) => neural::least_squares(&x[0], inputs, targets),
            Body::TwoLayerLeastSquares(inputs, targets) => neural::two_layer_least_squares(&x[0], inputs, targets),
        }
    }

    /// Whether x is far enough from kinks and ties for differences, and from variance 0, where batch norm
    /// is smooth on a scale of √ε only.
    fn is_smooth_at(&self, x: &[Tensor<f64>]) -> bool {
        const MARGIN: f64 = 1e-3;
        let apart = |x: &Tensor<f64>| x.as_slice().iter().all(|x| x.abs() > MARGIN);
        let spread = |x: &Tensor<f64>| x.channel_covariance(x).as_slice().iter().all(|v| *v > 0.05);
        match self {
            Body::Relu | Body::Elu => apart(&x[0]),
            Body::MaxPool(window, stride) => has_clear_winners(&x[0], *window, *stride, MARGIN),
            Body::BatchNorm(_) => spread(&x[0]),
            Body::NormReluPool(epsilon) => {
                let z = neural::batch_norm(&x[0], &x[1], &x[2], *epsilon);
                spread(&x[0]) && apart(&z) && has_clear_winners(&z, 2, 2, MARGIN)
            }
            _ => true,
        }
    }
}

/// Whether the best of every window leads by the margin: then every window's winner is the only one that
/// is still the maximum after losing the margin.
fn has_clear_winners(x: &Tensor<f64>, window: usize, stride: usize, margin: f64) -> bool {
    let [n, h, w, c] = x.shape().dims().try_into().unwrap();
    let at = |n: usize, i: usize, j: usize, k: usize| x.as_slice()[((n * h + i) * w + j) * c + k];
    let clear = |n: usize, i: usize, j: usize, k: usize| {
        let mut all: Vec<f64> = (0..window * window).map(|t| at(n, i + t / window, j + t % window, k)).collect();
        all.sort_by(f64::total_cmp);
        all.len() < 2 || all[all.len() - 1] - all[all.len() - 2] > margin
    };
    let corners = |size: usize| (0..(size + 1).saturating_sub(window)).step_by(stride);
    (0..n).all(|n| corners(h).all(|i| corners(w).all(|j| (0..c).all(|k| clear(n, i, j, k)))))
}

impl Sample {
    /// Inputs at which the function is smooth.
    pub(crate) fn inputs(&self, rng: &mut Rng) -> Vec<Tensor<f64>> {
        let low = if let Domain::Positive = self.domain { 0.5 } else { -2.0 };
        loop {
            let x: Vec<_> = self.shapes.iter().map(|shape| uniform(rng, *shape, low, 2.0)).collect();
            if self.body.is_smooth_at(&x) {
                return x;
            }
        }
    }
}

/// (x…, g) ↦ ⟨g, body(x)⟩: its gradient in x is the vector-Jacobian product of the body with g.
pub(crate) struct Paired<'a>(pub(crate) &'a Body);

impl Function<f64> for Paired<'_> {
    fn eval<V: Value<Real = f64>>(&self, x: &[V]) -> V {
        let (g, x) = x.split_last().expect("the cotangent comes last");
        self.0.eval(x).dot(g)
    }
}
