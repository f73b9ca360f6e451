//! The four-block convolutional network of few-shot learning (Vinyals et al. 2016, Finn et al. 2017).

use maml_autograd::{Shape, Tensor, Value, neural::norm_relu_pool};

use super::{Init, Model, ParamSpec};

/// Added to the batch variance.
const BATCH_NORM_EPSILON: f64 = 1e-5;

const BLOCKS: usize = 4;

/// Four times \[3×3 convolution without bias, batch normalisation with the statistics of the batch, ReLU, 2×2
/// max-pool\], then a linear head.
///
/// Parameters: `conv{1..4}.weight` \[3, 3, c_in, filters\], `norm{1..4}.scale` and `norm{1..4}.shift`
/// \[filters\], `head.weight` \[features, ways\], `head.bias` \[ways\]. Inputs \[n, height, width, channels\],
/// predictions: logits \[n, ways\].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv4 {
    /// Rows of an image, at least 16.
    pub height: usize,
    /// Columns of an image, at least 16.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Output channels of every block.
    pub filters: usize,
    /// Classes.
    pub ways: usize,
}

impl Conv4 {
    /// Numbers that the last block leaves of an image.
    pub fn features(&self) -> usize {
        (self.height >> BLOCKS) * (self.width >> BLOCKS) * self.filters
    }
}

impl Model for Conv4 {
    fn specs(&self) -> Vec<ParamSpec> {
        let mut specs = Vec::new();
        let mut add = |name: String, shape: Shape, init| specs.push(ParamSpec { name, shape, init });
        for block in 1..=BLOCKS {
            let c_in = if block == 1 { self.channels } else { self.filters };
            // He et al. 2015: ReLU halves the variance, so each layer starts with twice 1/fan-in.
            let he = (2.0 / (9 * c_in) as f64).sqrt();
            add(format!("conv{block}.weight"), [3, 3, c_in, self.filters].into(), Init::Normal(he));
            add(format!("norm{block}.scale"), [self.filters].into(), Init::Constant(1.0));
            add(format!("norm{block}.shift"), [self.filters].into(), Init::Constant(0.0));
        }
        let head = Init::Normal(1.0 / (self.features() as f64).sqrt());
        add("head.weight".into(), [self.features(), self.ways].into(), head);
        add("head.bias".into(), [self.ways].into(), Init::Constant(0.0));
        specs
    }

    fn predict<V: Value>(&self, params: &[V], x: &Tensor<V::Real>) -> V {
        let (blocks, head) = params.split_at(3 * BLOCKS);
        let images = V::constant(x.clone());
        let features = blocks.chunks_exact(3).fold(images, |x, block| {
            let [weight, scale, shift] = block else { unreachable!("chunks of three") };
            norm_relu_pool(&x.conv(weight, 1, 1), scale, shift, BATCH_NORM_EPSILON)
        });
        let n = x.shape().dims()[0];
        features.reshape([n, self.features()]).matmul(&head[0]).add(&head[1].expand([n, self.ways]))
    }
}
