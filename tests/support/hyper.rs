//! Losses in hyper-dual numbers, scalar by scalar: a third way to second derivatives, by an arithmetic
//! that knows nothing of arrays or tapes.

use num_dual::{DualNum, HyperDual64};

use crate::nets::{ConvNet, EPSILON, TwoLayer};

type Number = HyperDual64;

/// The loss as a function of all weights, one after the other.
pub(crate) trait Hyper {
    fn hyper(&self, w: &[Number]) -> Number;
}

/// ∂²f/∂w_i∂w_j for every i and j.
pub(crate) fn hessian(f: &impl Hyper, w: &[f64]) -> Vec<Vec<f64>> {
    let one_if = |yes: bool| f64::from(u8::from(yes));
    let entry = |i: usize, j: usize| {
        let seeded = w.iter().enumerate().map(|(k, w)| Number::new(*w, one_if(k == i), one_if(k == j), 0.0));
        f.hyper(&seeded.collect::<Vec<_>>()).eps1eps2
    };
    (0..w.len()).map(|i| (0..w.len()).map(|j| entry(i, j)).collect()).collect()
}

fn total(terms: impl Iterator<Item = Number>) -> Number {
    terms.fold(Number::from(0.0), |sum, term| sum + term)
}

impl Hyper for TwoLayer {
    fn hyper(&self, w: &[Number]) -> Number {
        let ([n, inputs], hidden) = (self.x.shape().dims().try_into().unwrap(), self.hidden);
        let (weights, rest) = w.split_at(inputs * hidden);
        let (bias, readout) = rest.split_at(hidden);
        let error = |row: usize| {
            let x = &self.x.as_slice()[row * inputs..];
            let unit = |h: usize| {
                let z = total((0..inputs).map(|i| weights[i * hidden + h] * x[i])) + bias[h];
                (z.exp() + 1.0).ln() * readout[h]
            };
            total((0..hidden).map(unit)) - self.y.as_slice()[row]
        };
        total((0..n).map(|row| error(row).powi(2))) * (0.5 / n as f64)
    }
}

/// One block only.
impl Hyper for ConvNet {
    fn hyper(&self, w: &[Number]) -> Number {
        let [n, height, width, c_in] = self.images.shape().dims().try_into().unwrap();
        let channels = self.widths[0];
        let (conv, w) = w.split_at(9 * c_in * channels);
        let (scale, w) = w.split_at(channels);
        let (shift, w) = w.split_at(channels);
        let features = (height / 2) * (width / 2) * channels;
        let (head, bias) = w.split_at(features * self.classes);

        let pixel = |image: usize, i: usize, j: usize, c: usize| {
            let inside = (1..=height).contains(&i) && (1..=width).contains(&j);
            let at = || ((image * height + i - 1) * width + j - 1) * c_in + c;
            if inside { self.images.as_slice()[at()] } else { 0.0 }
        };
        let convolved = |image: usize, i: usize, j: usize, o: usize| {
            let taps = (0..9 * c_in).map(|t| (t / c_in / 3, t / c_in % 3, t % c_in));
            total(taps.map(|(a, b, c)| conv[((a * 3 + b) * c_in + c) * channels + o] * pixel(image, i + a, j + b, c)))
        };
        let places: Vec<_> =
            (0..n * height * width).map(|p| (p / width / height, p / width % height, p % width)).collect();
        let mut x: Vec<Number> = places
            .iter()
            .flat_map(|&(n, i, j)| (0..channels).map(move |o| (n, i, j, o)))
            .map(|(n, i, j, o)| convolved(n, i, j, o))
            .collect();
        for o in 0..channels {
            let (mean, slope) = statistics(x[o..].iter().step_by(channels), scale[o]);
            x[o..].iter_mut().step_by(channels).for_each(|x| *x = (*x - mean) * slope + shift[o]);
        }
        let pooled = |image: usize, f: usize| {
            let (i, j, o) = (f / channels / (width / 2) * 2, f / channels % (width / 2) * 2, f % channels);
            let window = (0..4).map(|t| x[((image * height + i + t / 2) * width + j + t % 2) * channels + o]);
            window.fold(Number::from(0.0), |max, x| if x.re > max.re { x } else { max })
        };
        let loss = |image: usize| {
            let logit =
                |k: usize| total((0..features).map(|f| pooled(image, f) * head[f * self.classes + k])) + bias[k];
            total((0..self.classes).map(|k| logit(k).exp())).ln() - logit(self.labels[image] as usize)
        };
        total((0..n).map(loss)) / n as f64
    }
}

/// The mean of a channel and scale / √(variance + ε).
fn statistics<'a>(x: impl ExactSizeIterator<Item = &'a Number> + Clone, scale: Number) -> (Number, Number) {
    let rows = x.len() as f64;
    let mean = total(x.clone().copied()) / rows;
    let variance = total(x.map(|x| (*x - mean).powi(2))) / rows;
    (mean, scale / (variance + EPSILON).sqrt())
}
