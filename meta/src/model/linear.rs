//! Linear regression.

use maml_autograd::{Tensor, Value, neural};

use super::{Init, Model, ParamSpec, batch};

/// f(x) = ⟨w, x⟩. Parameters: `weight` \[dim\]. Inputs \[n, dim\], predictions \[n\]; all
/// with a leading axis for several tasks at once.
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
        let column = [params[0].shape().dims(), &[1]].concat();
        V::constant(x.clone()).matmul(&params[0].reshape(&column[..])).reshape(batch(x.shape()))
    }

    fn half_mean_squared_error<V: Value>(&self, params: &[V], x: &Tensor<V::Real>, y: &Tensor<V::Real>) -> V {
        neural::least_squares(&params[0], x, y)
    }
}
