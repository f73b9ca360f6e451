//! Optimisers, as pure functions of parameters, gradient and state.

use maml_autograd::{Real, Tensor};
use serde::{Deserialize, Serialize};

use crate::Params;

/// How a gradient becomes a step.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Optimizer {
    /// w − rate · g
    Sgd {
        /// Step size.
        rate: f64,
    },
    /// Adam (Kingma and Ba 2015) with bias correction, β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    Adam {
        /// Step size.
        rate: f64,
    },
}

/// What an optimiser remembers.
#[derive(Clone, Debug)]
pub struct OptimizerState<T: Real> {
    /// Steps taken.
    pub steps: u64,
    /// Running means of the gradient and of its square; none for SGD.
    pub moments: Option<[Params<T>; 2]>,
}

const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

impl Optimizer {
    /// The step size.
    pub fn rate(self) -> f64 {
        match self {
            Self::Sgd { rate } | Self::Adam { rate } => rate,
        }
    }

    /// The same optimiser with its rate times `factor`.
    pub fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Sgd { rate } => Self::Sgd { rate: rate * factor },
            Self::Adam { rate } => Self::Adam { rate: rate * factor },
        }
    }

    /// The state before the first step.
    pub fn init<T: Real>(&self, params: &Params<T>) -> OptimizerState<T> {
        let moments = matches!(self, Self::Adam { .. }).then(|| [params.zeros_like(), params.zeros_like()]);
        OptimizerState { steps: 0, moments }
    }

    /// Parameters and state after one step along the gradient. Panics if the state is another optimiser's.
    pub fn update<T: Real>(
        &self,
        params: &Params<T>,
        gradient: &Params<T>,
        state: OptimizerState<T>,
    ) -> (Params<T>, OptimizerState<T>) {
        let steps = state.steps + 1;
        match *self {
            Self::Sgd { rate } => (params.add_scaled(-rate, gradient), OptimizerState { steps, moments: None }),
            Self::Adam { rate } => {
                let [first, second] = state.moments.expect("Adam needs a state that Adam made");
                let first = first.zip(gradient, |m, g| decay(BETA[0], m, g, |g| g));
                let second = second.zip(gradient, |v, g| decay(BETA[1], v, g, |g| g * g));
                let correction = BETA.map(|beta| 1.0 - power(beta, steps));
                let direction = first.zip(&second, |m, v| {
                    let (m, v) = (m.as_slice(), v.as_slice());
                    Tensor::from_fn([m.len()], |i| {
                        let (m, v) = (m[i].to_f64() / correction[0], v[i].to_f64() / correction[1]);
                        T::from_f64(m / (v.sqrt() + EPSILON))
                    })
                });
                let direction = direction.zip(params, |d, w| d.reshaped(w.shape()));
                let params = params.add_scaled(-rate, &direction);
                (params, OptimizerState { steps, moments: Some([first, second]) })
            }
        }
    }
}

/// β · mean + (1 − β) · f(g)
fn decay<T: Real>(beta: f64, mean: &Tensor<T>, g: &Tensor<T>, f: impl Fn(f64) -> f64) -> Tensor<T> {
    let (old, new) = (mean.as_slice(), g.as_slice());
    Tensor::from_fn(mean.shape(), |i| T::from_f64(beta * old[i].to_f64() + (1.0 - beta) * f(new[i].to_f64())))
}

/// xⁿ by squaring: the same bits on every machine, which the system's `pow` does not promise.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut product = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            product *= x;
        }
        x *= x;
        n >>= 1;
    }
    product
}
