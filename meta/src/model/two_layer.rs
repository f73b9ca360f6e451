//! The two-layer network of the paper's section on neural networks: the second layer fixed to ones.

use maml_autograd::{Tensor, Value};

use super::{Init, Model, ParamSpec};

/// f(x) = Σ_j softplus(⟨w_j, x⟩). Parameters: `weight` \[dim, neurons\], w_j being its columns. Inputs
/// \[n, dim\], predictions \[n\].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TwoLayer {
    /// Length of an input.
    pub dim: usize,
    /// Hidden units.
    pub neurons: usize,
}

impl Model for TwoLayer {
    fn specs(&self) -> Vec<ParamSpec> {
        let init = Init::Normal(1.0 / (self.dim as f64).sqrt());
        vec![ParamSpec { name: "weight".into(), shape: [self.dim, self.neurons].into(), init }]
    }

    fn predict<V: Value>(&self, params: &[V], x: &Tensor<V::Real>) -> V {
        let n = x.shape().dims()[0];
        V::constant(x.clone()).matmul(&params[0]).softplus().sum_to([n, 1]).reshape([n])
    }
}
