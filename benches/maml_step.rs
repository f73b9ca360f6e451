//! One exact second-order meta-gradient on conv4, for the sizes at which PyTorch and JAX are usually timed:
//! 64 filters, 28×28×1 images, 5-way 1-shot, 15 queries a class, 16 tasks, 1 inner step.

use criterion::{Criterion, criterion_group, criterion_main};
use maml_autograd::Tensor;
use maml_meta::{
    maml::{InnerLoop, Order, Task},
    model::{Classification, Conv4, Model},
    parallel::Workers,
    train::{Learner, TaskSource, mean_gradient},
};

const WAYS: usize = 5;
const TASKS: usize = 16;
const MODEL: Conv4 = Conv4 { height: 28, width: 28, channels: 1, filters: 64, ways: WAYS };

/// Uniform noise as images: the arithmetic does not depend on what they show.
struct Noise {
    support: Vec<Classification<Conv4, f32>>,
    query: Vec<Classification<Conv4, f32>>,
}

fn set(per_class: usize, seed: u32) -> Classification<Conv4, f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32
    };
    let labels = (0..WAYS * per_class).map(|i| (i / per_class) as u32).collect();
    Classification { model: MODEL, x: Tensor::from_fn([WAYS * per_class, 28, 28, 1], |_| uniform()), labels }
}

impl TaskSource<f32> for Noise {
    type Loss = Classification<Conv4, f32>;
    fn task(&self, _: u64, index: u64) -> Task<Self::Loss> {
        Task { support: vec![self.support[index as usize].clone()], query: self.query[index as usize].clone() }
    }
}

fn meta_step(c: &mut Criterion) {
    let params = MODEL.init::<f32>(0);
    for (shots, steps) in [(1, 1), (5, 1), (1, 5)] {
        let sets = |per_class, offset| (0..TASKS as u32).map(|task| set(per_class, offset + task)).collect();
        let source = Noise { support: sets(shots, 1), query: sets(15, 100) };
        for threads in [1, 2] {
            let workers = Workers::new(threads).expect("threads start");
            for (name, order) in [("maml", Order::Second), ("fomaml", Order::First)] {
                let learner = Learner::Maml(InnerLoop { alpha: 0.05, steps }, order);
                let mut group = c.benchmark_group(format!("{name}_omniglot_5w{shots}s_mb{TASKS}_inner{steps}"));
                group.sample_size(10);
                group.bench_function(format!("{threads} threads"), |b| {
                    b.iter(|| mean_gradient(learner, &source, 0, &params, TASKS, &workers).expect("finite"));
                });
            }
        }
    }
}

criterion_group!(benches, meta_step);
criterion_main!(benches);
