//! What networks are made of, composed of the vocabulary: everything here differentiates to any order.

use maml_kernels as kernels;
use maml_kernels::{Isa, Map, Pool, Pooled, Real};

use crate::{
    Index, Shape, Tensor, Value,
    op::{Bilinear, Degree, Form, Linear, Op, Slot, Term},
    profile::{self, Work},
};

/// max(x, 0), with slope 0 at 0. A NaN stays.
pub fn relu<V: Value>(x: &V) -> V {
    let seen = x.peek();
    let open = |i: usize| if seen.as_slice()[i] <= V::Real::ZERO { V::Real::ZERO } else { V::Real::ONE };
    x.mul(&V::constant(Tensor::from_fn(x.shape(), open)))
}

/// x above 0 and eˣ − 1 below, with slope 1 at 0.
pub fn elu<V: Value>(x: &V) -> V {
    let above = relu(x);
    let below = x.sub(&above).exp();
    above.add(&below).sub(&V::constant(Tensor::full(x.shape(), V::Real::ONE)))
}

/// The largest of every window of images \[n, h, w, c\], incomplete windows dropped; of equals the first has
/// the derivative.
#[track_caller]
pub fn max_pool<V: Value>(x: &V, window: usize, stride: usize) -> V {
    let (pool, pooled) = pooling(x.shape(), window, stride);
    let find = |winners: &mut [u32]| kernels::pool_winners(Isa::current(), &pool, x.peek().as_slice(), winners);
    let winners =
        profile::operation(|| "choice of winners", pooled, Work::default, || Index::written(pooled.len(), find));
    x.gather(if window == stride { winners.in_windows(pool) } else { winners }, pooled)
}

/// The mean over all axes but the last.
pub fn channel_mean<V: Value>(x: &V) -> V {
    let channels = x.shape().last();
    x.sum_to([channels]).scale(1.0 / rows(x.shape()))
}

/// (x − mean) / √(variance + ε) · scale + shift, per channel, with the statistics of this batch and the biased
/// variance.
#[track_caller]
pub fn batch_norm<V: Value>(x: &V, scale: &V, shift: &V, epsilon: f64) -> V {
    // The pass that finds the variance also finds the sums.
    let slope = slope(x, scale, epsilon);
    let mean = channel_mean(x).expand(x.shape());
    x.sub(&mean).scale_channels(&slope).add(&shift.expand(x.shape()))
}

/// `max_pool(relu(batch_norm(x)), 2, 2)` in a few passes over memory. The affine part of the normalisation is
/// monotone in each channel, so the winners are found first, and only they are normalised.
#[track_caller]
pub fn norm_relu_pool<V: Value>(x: &V, scale: &V, shift: &V, epsilon: f64) -> V {
    let (pool, pooled) = pooling(x.shape(), 2, 2);
    // The pass that finds the variance also finds the sums.
    let slope = slope(x, scale, epsilon);
    let mean = channel_mean(x);
    let choose = || chosen(&pool, pooled, [x, &mean, &slope, shift].map(V::peek));
    let Chosen { winners, centered, open, normalised } =
        profile::operation(|| "normalised winners", pooled, Work::default, choose);
    // What the kernel has computed, as the operations that it stands for.
    let (pick, open) = (Op::Linear(Linear::Gather(winners, pooled)), V::constant(open));
    let per_channel = |a: &V, k: V| {
        let scaling = Bilinear { form: Form::Channels, open: Slot::A };
        Term::binary(Op::Bilinear(scaling), [a.clone(), k])
    };
    let centered = V::known_total(Term::unary(pick, x.clone()), vec![per_channel(&open, mean.neg())], centered);
    V::known_total(per_channel(&centered, slope), vec![per_channel(&open, shift.clone())], normalised)
}

/// What one look at the images tells.
struct Chosen<T: Real> {
    winners: Index,
    /// Their distance from the mean.
    centered: Tensor<T>,
    /// 1 for each window with a winner, 0 where the ReLU is closed.
    open: Tensor<T>,
    /// What comes out.
    normalised: Tensor<T>,
}

fn chosen<T: Real>(pool: &Pool, pooled: Shape, normalised: [Tensor<T>; 4]) -> Chosen<T> {
    let [x, mean, slope, shift] = normalised.each_ref().map(Tensor::as_slice);
    let mut winners = None;
    let [centered, open, normalised] = Tensor::written_together(pooled, |[centered, open, normalised]| {
        winners = Some(Index::written(pooled.len(), |winners| {
            let out = Pooled { winners, centered, open, normalised };
            kernels::norm_relu_pool(Isa::current(), pool, x, mean, slope, shift, out);
        }));
    });
    Chosen { winners: winners.expect("written").in_windows(*pool), centered, open, normalised }
}

/// scale / √(variance + ε), per channel.
fn slope<V: Value>(x: &V, scale: &V, epsilon: f64) -> V {
    let variance = x.channel_covariance(x);
    let epsilon = V::constant(Tensor::full(variance.shape(), V::Real::from_f64(epsilon)));
    scale.mul(&variance.add(&epsilon).rsqrt())
}

fn rows(shape: Shape) -> f64 {
    (shape.len() / shape.last().max(1)) as f64
}

#[track_caller]
fn pooling(x: Shape, window: usize, stride: usize) -> (Pool, Shape) {
    let &[images, height, width, channels] = x.dims() else {
        panic!("max-pool of shape {x}: images have four axes, [n, h, w, c]");
    };
    assert!(window > 0 && stride > 0, "max-pool of shape {x}: window {window}, stride {stride}");
    assert!(window <= height.min(width), "max-pool of shape {x}: a window of {window} does not fit");
    let pool = Pool { images, height, width, channels, window, stride };
    (pool, [images, pool.out_height(), pool.out_width(), channels].into())
}

/// The logarithm of the soft-max over the last axis of \[n, classes\]: z − ln Σ e^z, shifted by the row's
/// maximum, which changes nothing but the range.
#[track_caller]
pub fn log_softmax<V: Value>(logits: &V) -> V {
    let shape = logits.shape();
    let &[n, classes] = shape.dims() else { panic!("soft-max of shape {shape}: logits have two axes, [n, classes]") };
    let seen = logits.peek();
    let row_max = |i: usize| {
        let row = &seen.as_slice()[i * classes..(i + 1) * classes];
        row.iter().fold(row[0], |max, &z| if z > max { z } else { max })
    };
    let max: Vec<V::Real> = (0..n).map(row_max).collect();
    let shifted = logits.sub(&V::constant(Tensor::from_fn(shape, |i| max[i / classes])));
    let normaliser = shifted.exp().sum_to([n, 1]).log();
    shifted.sub(&normaliser.expand(shape))
}

/// Mean over the rows of −ln softmax(logits)\[label\], logits \[n, classes\].
#[track_caller]
pub fn cross_entropy<V: Value>(logits: &V, labels: &[u32]) -> V {
    let shape = logits.shape();
    assert_eq!(shape.dims().first(), Some(&labels.len()), "cross-entropy of logits {shape}: number of labels");
    let classes = shape.last() as u32;
    let label = |(i, &label): (usize, &u32)| {
        assert!(label < classes, "cross-entropy of logits {shape}: label {label} of row {i} is not below {classes}");
        i as u32 * classes + label
    };
    let index: Index = labels.iter().enumerate().map(label).collect();
    log_softmax(logits).gather(index, [labels.len()]).mean().neg()
}

/// ½ · mean (X w − y)², w \[d\], X \[n, d\], y \[n\], for each problem if all have a leading axis: [`half_mean_squared_error`]
/// of the predictions X w, with its gradient in the same pass over X.
#[track_caller]
pub fn least_squares<V: Value>(w: &V, inputs: &Tensor<V::Real>, targets: &Tensor<V::Real>) -> V {
    let [inputs, targets] = [inputs, targets].map(|data| V::constant(data.clone()));
    V::apply(Op::LeastSquares(Degree::Value), &[w, &inputs, &targets])
}

/// ½ · mean (Σ_j softplus(X W)_ij − y_i)², W \[d, neurons\], X \[n, d\], y \[n\], for each problem if all have a leading axis:
/// [`half_mean_squared_error`] of a two-layer network whose second layer is ones, its hidden units never written out.
#[track_caller]
pub fn two_layer_least_squares<V: Value>(w: &V, inputs: &Tensor<V::Real>, targets: &Tensor<V::Real>) -> V {
    let [inputs, targets] = [inputs, targets].map(|data| V::constant(data.clone()));
    V::apply(Op::TwoLayer(Degree::Value), &[w, &inputs, &targets])
}

/// The derivative along v of its gradient Xᵀ P / n with P_ij = r_i σ(z_ij), r_i = Σ_j softplus(z_ij) − y_i and Z = X W:
/// with Ż = X v it is Xᵀ Ṗ / n, Ṗ_ij = ṙ_i σ(z_ij) + r_i σ′(z_ij) ż_ij and ṙ_i = Σ_j σ(z_ij) ż_ij.
pub(crate) fn two_layer_hessian<V: Value>(v: &V, w: &V, x: &V, y: &V) -> V {
    let (z, dz) = (x.matmul(w), x.matmul(v));
    let shape = z.shape();
    let (_, batch) = shape.dims().split_last().expect("a product has two axes");
    let column = Shape::from(&[batch, &[1]].concat()[..]);
    let slope = z.sigmoid();
    let residuals = z.softplus().sum_to(column).sub(&y.reshape(column)).expand(shape);
    let along = slope.mul(&dz).sum_to(column).expand(shape);
    let curvature = V::apply(Op::Pointwise(Map::SigmoidSlope), &[&slope]);
    let p = along.mul(&slope).add(&residuals.mul(&curvature).mul(&dz));
    x.matmul_tn(&p).scale(1.0 / shape.dims()[shape.rank() - 2] as f64)
}

/// ½ · mean (prediction − target)².
#[track_caller]
pub fn half_mean_squared_error<V: Value>(prediction: &V, target: &V) -> V {
    let error = prediction.sub(target);
    error.dot(&error).scale(0.5 / error.shape().len() as f64)
}

/// [`half_mean_squared_error`] for each element of the first axis.
#[track_caller]
pub fn half_mean_squared_errors<V: Value>(prediction: &V, target: &V) -> V {
    let error = prediction.sub(target);
    let each = error.shape().len() / error.shape().dims()[0].max(1);
    error.dot_rows(&error).scale(0.5 / each as f64)
}
