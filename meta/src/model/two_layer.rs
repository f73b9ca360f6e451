//! The two-layer network of the paper's section on neural networks: the second layer fixed to ones.

use maml_autograd::{Tensor, Value, neural};
use serde::{Deserialize, Serialize};

use super::{Init, Model, ParamSpec, batch, half_mean_squares};

/// f(x) = Σ_j σ(⟨w_j, x⟩). Parameters: `weight` \[dim, neurons\], w_j being its columns. Inputs
/// \[n, dim\], predictions \[n\]; all with a leading axis for several tasks at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TwoLayer {
    /// Length of an input.
    pub dim: usize,
    /// Hidden units.
    pub neurons: usize,
    /// σ.
    pub activation: Activation,
}

/// Neurons up to which an operation at a time for all tasks of a stack is as fast as all operations for some rows: measured with 5.
const FEW: usize = 16;

/// A function of every hidden unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// ln(1 + eˣ)
    Softplus,
    /// tanh x
    Tanh,
    /// 1 / (1 + e⁻ˣ)
    Sigmoid,
    /// x above 0, eˣ − 1 below
    Elu,
    /// max(x, 0), with slope 0 at 0
    Relu,
}

impl Activation {
    /// σ(x), element by element.
    pub fn of<V: Value>(self, x: &V) -> V {
        match self {
            Self::Softplus => x.softplus(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => x.sigmoid(),
            Self::Elu => neural::elu(x),
            Self::Relu => neural::relu(x),
        }
    }
}

impl Model for TwoLayer {
    fn specs(&self) -> Vec<ParamSpec> {
        let init = Init::Normal(1.0 / (self.dim as f64).sqrt());
        vec![ParamSpec { name: "weight".into(), shape: [self.dim, self.neurons].into(), init }]
    }

    fn predict<V: Value>(&self, params: &[V], x: &Tensor<V::Real>) -> V {
        let hidden = self.activation.of(&V::constant(x.clone()).matmul(&params[0]));
        let batch = batch(x.shape());
        hidden.sum_to(&[batch.dims(), &[1]].concat()[..]).reshape(batch)
    }

    /// With softplus in one operation, which rounds otherwise, unless hidden units are so few that whole stacks of them stay in cache.
    fn half_mean_squared_error<V: Value>(&self, params: &[V], x: &Tensor<V::Real>, y: &Tensor<V::Real>) -> V {
        match self.activation {
            Activation::Softplus if self.neurons > FEW => neural::two_layer_least_squares(&params[0], x, y),
            _ => half_mean_squares(&self.predict(params, x), y),
        }
    }
}
