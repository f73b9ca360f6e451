//! A gradient of conv4, and a Hessian-vector product with its gradient: reverse over reverse, and reverse over
//! forward. Operations alone, a gradient and its product cost three gradients.

use criterion::{Criterion, criterion_group, criterion_main};
use maml_autograd::{Tensor, grad, hvp, hvp_reverse_over_forward};
use maml_meta::model::{Classification, Conv4, Model};

const MODEL: Conv4 = Conv4 { height: 28, width: 28, channels: 1, filters: 64, ways: 5 };

fn derivatives(c: &mut Criterion) {
    let params = MODEL.init::<f32>(0);
    let w = params.tensors();
    let v: Vec<_> = w.iter().map(|w| Tensor::from_fn(w.shape(), |i| ((i % 13) as f32 - 6.0) / 6.0)).collect();
    for batch in [5, 25, 75] {
        let x = Tensor::from_fn([batch, 28, 28, 1], |i| ((i * 7919) % 1009) as f32 / 1009.0);
        let labels = (0..batch as u32).map(|i| i % 5).collect();
        let loss = Classification { model: MODEL, x, labels };
        let mut group = c.benchmark_group(format!("conv4_64_batch{batch}"));
        group.sample_size(10);
        group.bench_function("grad", |b| b.iter(|| grad(&loss, w)));
        group.bench_function("hvp", |b| b.iter(|| hvp(&loss, w, &v)));
        group.bench_function("hvp reverse over forward", |b| b.iter(|| hvp_reverse_over_forward(&loss, w, &v)));
    }
}

criterion_group!(benches, derivatives);
criterion_main!(benches);
