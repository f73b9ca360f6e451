//! Losses in hyper-dual numbers, scalar by scalar: a third way to second derivatives, by an arithmetic
//! that knows nothing of arrays or tapes.

use maml_autograd::Tensor;
use num_dual::{DualNum, HyperDual64};

use crate::nets::{ConvNet, EPSILON, TwoLayer};

type Number = HyperDual64;

pub(crate) trait Hyper {
    /// The loss as a function of the weights, array by array.
    fn hyper(&self, w: &[Vec<Number>]) -> Number;
}

/// ∂²f/∂w_i∂w_j for every i and j, the weights counted through all arrays.
pub(crate) fn hessian(f: &impl Hyper, at: &[Tensor<f64>]) -> Vec<Vec<f64>> {
    let one_if = |yes: bool| f64::from(u8::from(yes));
    let entry = |i: usize, j: usize| {
        let mut position = 0..;
        let mut seeded = |w: &f64| {
            let k = position.next().expect("numbers do not end");
            Number::new(*w, one_if(k == i), one_if(k == j), 0.0)
        };
        let w: Vec<_> = at.iter().map(|w| w.as_slice().iter().map(&mut seeded).collect()).collect();
        f.hyper(&w).eps1eps2
    };
    let n = at.iter().map(|w| w.as_slice().len()).sum();
    (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect()
}

fn total(terms: impl Iterator<Item = Number>) -> Number {
    terms.fold(Number::from(0.0), |sum, term| sum + term)
}

impl Hyper for TwoLayer {
    fn hyper(&self, w: &[Vec<Number>]) -> Number {
        let [weights, bias, readout] = w else { panic!("two layers have three arrays") };
        let (x, hidden, inputs) = (self.x.as_slice(), bias.len(), weights.len() / bias.len());
        let unit = |row: usize, h: usize| {
            let z = total((0..inputs).map(|i| weights[i * hidden + h] * x[row * inputs + i])) + bias[h];
            (z.exp() + 1.0).ln() * readout[h]
        };
        let rows = self.y.as_slice().iter().enumerate();
        let squares = rows.map(|(row, y)| (total((0..hidden).map(|h| unit(row, h))) - *y).powi(2));
        total(squares) * (0.5 / self.y.as_slice().len() as f64)
    }
}

/// For one block.
impl Hyper for ConvNet {
    fn hyper(&self, w: &[Vec<Number>]) -> Number {
        let [conv, scale, shift, head, bias] = w else { panic!("one block and a head have five arrays") };
        let (channels, classes) = (scale.len(), bias.len());
        let x: Vec<_> =
            (0..channels).map(|o| normalised(self.convolved(conv, o, channels), scale[o], shift[o])).collect();
        let [n, height, width, _] = self.images.shape().dims().try_into().expect("four axes");
        let pooled = |image: usize, f: usize| {
            let (i, j, o) = (f / channels / (width / 2) * 2, f / channels % (width / 2) * 2, f % channels);
            let window = (0..4).map(|t| x[o][(image * height + i + t / 2) * width + j + t % 2]);
            window.fold(Number::from(0.0), |max, x| if x.re > max.re { x } else { max })
        };
        let features = head.len() / classes;
        let logit =
            |image: usize, k: usize| total((0..features).map(|f| pooled(image, f) * head[f * classes + k])) + bias[k];
        let loss = |image: usize| {
            let normaliser = total((0..classes).map(|k| logit(image, k).exp())).ln();
            normaliser - logit(image, self.labels[image] as usize)
        };
        total((0..n).map(loss)) / n as f64
    }
}

impl ConvNet {
    /// One channel of the images convolved with kernels of 3 × 3 and padding 1.
    fn convolved(&self, conv: &[Number], o: usize, channels: usize) -> Vec<Number> {
        let [n, height, width, c_in] = self.images.shape().dims().try_into().expect("four axes");
        let pixel = |image: usize, i: usize, j: usize, c: usize| {
            let inside = (1..=height).contains(&i) && (1..=width).contains(&j);
            if inside { self.images.as_slice()[((image * height + i - 1) * width + j - 1) * c_in + c] } else { 0.0 }
        };
        let at = |place: usize| {
            let (image, i, j) = (place / width / height, place / width % height, place % width);
            let taps = (0..9 * c_in).map(|t| (t / c_in / 3, t / c_in % 3, t % c_in, conv[t * channels + o]));
            total(taps.map(|(a, b, c, weight)| weight * pixel(image, i + a, j + b, c)))
        };
        (0..n * height * width).map(at).collect()
    }
}

/// (x − mean) / √(variance + ε) · scale + shift.
fn normalised(x: Vec<Number>, scale: Number, shift: Number) -> Vec<Number> {
    let rows = x.len() as f64;
    let mean = total(x.iter().copied()) / rows;
    let variance = total(x.iter().map(|x| (*x - mean).powi(2))) / rows;
    let slope = scale / (variance + EPSILON).sqrt();
    x.into_iter().map(|x| (x - mean) * slope + shift).collect()
}
