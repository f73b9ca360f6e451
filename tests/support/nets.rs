//! Named small problems: a loss with a point where to differentiate it.

#![allow(dead_code)] // Not every test binary uses every piece.

use maml_autograd::{Function, Shape, Tensor, Value, neural};
use maml_kernels::Real;
use rand::RngExt;

use crate::sampling::{stream, uniform};

/// ½ mean (X w − y)².
pub(crate) struct LinearRegression {
    pub(crate) x: Tensor<f64>,
    pub(crate) y: Tensor<f64>,
}

/// Mean ln(1 + exp(−y ⟨x, w⟩)).
pub(crate) struct Logistic {
    pub(crate) x: Tensor<f64>,
    pub(crate) y: Tensor<f64>,
}

/// ½ mean (softplus(X W + b) a − y)².
pub(crate) struct TwoLayer {
    pub(crate) x: Tensor<f64>,
    pub(crate) y: Tensor<f64>,
}

/// What batch norm adds to the variance.
pub(crate) const EPSILON: f64 = 1e-3;

/// Blocks of convolution → batch norm → ReLU → pool, a linear head, cross-entropy.
pub(crate) struct ConvNet {
    pub(crate) images: Tensor<f64>,
    pub(crate) labels: Vec<u32>,
}

impl<T: Real> Function<T> for LinearRegression {
    fn eval<V: Value<Real = T>>(&self, w: &[V]) -> V {
        let prediction = V::constant(self.x.cast()).matmul(&w[0]);
        neural::half_mean_squared_error(&prediction, &V::constant(self.y.cast()))
    }
}

impl<T: Real> Function<T> for Logistic {
    fn eval<V: Value<Real = T>>(&self, w: &[V]) -> V {
        V::constant(self.x.cast()).matmul(&w[0]).mul(&V::constant(self.y.cast())).neg().softplus().mean()
    }
}

impl<T: Real> Function<T> for TwoLayer {
    fn eval<V: Value<Real = T>>(&self, w: &[V]) -> V {
        let [weights, bias, readout] = w else { panic!("two layers have three arrays") };
        let hidden = V::constant(self.x.cast()).matmul(weights);
        let hidden = hidden.add(&bias.expand(hidden.shape())).softplus();
        neural::half_mean_squared_error(&hidden.matmul(readout), &V::constant(self.y.cast()))
    }
}

impl<T: Real> Function<T> for ConvNet {
    fn eval<V: Value<Real = T>>(&self, w: &[V]) -> V {
        let (blocks, head) = w.split_at(w.len() - 2);
        let block = |x: V, w: &[V]| neural::norm_relu_pool(&x.conv(&w[0], 1, 1), &w[1], &w[2], EPSILON);
        let x = blocks.chunks(3).fold(V::constant(self.images.cast()), block);
        let logits = x.reshape([self.labels.len(), x.shape().len() / self.labels.len()]).matmul(&head[0]);
        let bias = head[1].expand(logits.shape());
        neural::cross_entropy(&logits.add(&bias), &self.labels)
    }
}

type At = Vec<Tensor<f64>>;

fn draw<const N: usize>(name: &str, shapes: [Shape; N]) -> [Tensor<f64>; N] {
    let rng = &mut stream(name, [0, 0]);
    shapes.map(|shape| uniform(rng, shape, -1.0, 1.0))
}

pub(crate) fn linear_regression() -> (LinearRegression, At) {
    let [x, y, w] = draw("linear", [[7, 4].into(), [7, 1].into(), [4, 1].into()]);
    (LinearRegression { x, y }, vec![w])
}

pub(crate) fn logistic() -> (Logistic, At) {
    let [x, y, w] = draw("logistic", [[9, 5].into(), [9, 1].into(), [5, 1].into()]);
    let y = Tensor::from_fn(y.shape(), |i| y.as_slice()[i].signum());
    (Logistic { x, y }, vec![w])
}

pub(crate) fn two_layer() -> (TwoLayer, At) {
    let [x, y, weights, bias, readout] =
        draw("two_layer", [[8, 3].into(), [8, 1].into(), [3, 6].into(), [6].into(), [6, 1].into()]);
    (TwoLayer { x, y }, vec![weights, bias, readout])
}

/// One block, 40 weights.
pub(crate) fn tiny_conv() -> (ConvNet, At) {
    conv_net("tiny_conv", [3, 4, 4, 1], &[2], 2)
}

/// Two blocks; a row is left over by the first pooling.
pub(crate) fn two_blocks() -> (ConvNet, At) {
    conv_net("two_blocks", [5, 9, 8, 2], &[3, 4], 3)
}

fn conv_net(name: &str, images: [usize; 4], widths: &[usize], classes: usize) -> (ConvNet, At) {
    let rng = &mut stream(name, [0, 0]);
    let [n, mut height, mut width, mut c_in] = images;
    let labels = (0..n).map(|_| rng.random_range(0..classes as u32)).collect();
    let images = uniform(rng, images.into(), -1.0, 1.0);
    let mut at = Vec::new();
    for &c in widths {
        at.push(uniform(rng, [3, 3, c_in, c].into(), -1.0, 1.0));
        at.push(uniform(rng, [c].into(), 0.5, 1.5));
        at.push(uniform(rng, [c].into(), -0.5, 0.5));
        (height, width, c_in) = (height / 2, width / 2, c);
    }
    at.push(uniform(rng, [height * width * c_in, classes].into(), -1.0, 1.0));
    at.push(uniform(rng, [classes].into(), -1.0, 1.0));
    (ConvNet { images, labels }, at)
}
