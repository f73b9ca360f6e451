//! Linear regression.

use maml_autograd::{Tensor, Value};

use super::{Init, Model, ParamSpec};

/// f(x) = ⟨w, x⟩. Parameters: `weight` \[dim\]. Inputs \[n, dim\], predictions \[n\].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    /// Length of an input.
    pub dim: usize,
}

impl Model for Linear {
    fn specs(&self) -> Vec<ParamSpec> {
        vec![ParamSpec { name: "weight".into(), shape: [self.dim].into(), init: Init::Constant(0.0) }]
    }

    fn predict<V: Value>(&self, params: &[V], x: &Tensor<V::Real>) -> V {
        let n = x.shape().dims()[0];
        V::constant(x.clone()).matmul(&params[0].reshape([self.dim, 1])).reshape([n])
    }
}
