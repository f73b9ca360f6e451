//! Sums, per-channel kernels and pooling at the sizes of a batch of 75 images of 28 × 28 × 64: how near
//! they come to the speed of memory.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{
    Isa, Pool, Real, Store, channel_covariance, channel_dot, channel_mean, dot, gather, pool_winners,
    relu_pool_winners, repeat, scale_centered, scale_channels, scatter_add, sum, sum_axis,
};

const POOL: Pool = Pool { images: 75, height: 28, width: 28, channels: 64, window: 2, stride: 2 };

fn numbers(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..n)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn measure(c: &mut Criterion, name: &str, isas: &[Isa], bytes: usize, mut run: impl FnMut(Isa)) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes as u64));
    for &isa in isas {
        group.bench_function(BenchmarkId::from_parameter(isa), |b| b.iter(|| run(isa)));
    }
}

fn reductions(c: &mut Criterion) {
    let (isas, n) = (Isa::available(), POOL.input_len());
    let (a, b) = (numbers(n), numbers(n));
    let mut out = vec![0.0; n];
    let array = n * size_of::<f32>();
    measure(c, "sum", &isas, array, |isa| _ = black_box(sum(isa, &a)));
    measure(c, "dot", &isas, 2 * array, |isa| _ = black_box(dot(isa, &a, &b)));
    for channels in [32, 64] {
        let (k, rows) = (numbers(channels), n / channels);
        let mut per_channel = vec![0.0; channels];
        let mut run = |name: &str, arrays: usize, f: &mut dyn FnMut(Isa, &mut [f32])| {
            measure(c, &format!("{name}/{channels}"), &isas, arrays * array, |isa| f(isa, &mut per_channel));
        };
        run("sum_axis", 1, &mut |isa, s| sum_axis(isa, 1, rows, channels, &a, s));
        run("channel_mean", 1, &mut |isa, s| channel_mean(isa, &a, s));
        run("channel_dot", 2, &mut |isa, s| channel_dot(isa, &a, &b, s));
        run("channel_variance", 1, &mut |isa, s| channel_covariance(isa, &a, &a, s));
        run("channel_covariance", 2, &mut |isa, s| channel_covariance(isa, &a, &b, s));
        run("scale_channels", 2, &mut |isa, _| scale_channels(isa, &a, &k, Store::Set, &mut out));
        run("scale_channels_add", 3, &mut |isa, _| scale_channels(isa, &a, &k, Store::Add, &mut out));
        run("scale_centered", 3, &mut |isa, _| scale_centered(isa, &a, &k, Store::Set, &mut out));
        run("scale_centered_add", 4, &mut |isa, _| scale_centered(isa, &a, &k, Store::Add, &mut out));
        run("repeat", 1, &mut |isa, _| repeat(isa, 1, rows, channels, &k, Store::Set, &mut out));
    }
    let rows = n / 5;
    let mut row_sums = numbers(rows);
    measure(c, "row_sums_of_5", &isas, array, |isa| sum_axis(isa, rows, 5, 1, &a[..5 * rows], &mut row_sums));
    measure(c, "repeat_5", &isas, array, |isa| repeat(isa, rows, 5, 1, &row_sums, Store::Set, &mut out[..5 * rows]));
}

fn pooling<T: Real>(c: &mut Criterion) {
    let isas = Isa::available();
    let x: Vec<T> = numbers(POOL.input_len()).iter().map(|&x| T::from_f64(x.into())).collect();
    let [center, slope, shift] = [[0.1; 64], [1.5; 64], [-0.5; 64]].map(|v| v.map(T::from_f64));
    let mut winners = vec![0; POOL.output_len()];
    let mut pooled = vec![T::ZERO; winners.len()];
    let mut gradient = vec![T::ZERO; x.len()];
    let bits = 8 * size_of::<T>();
    let bytes = size_of_val(&x[..]);
    measure(c, &format!("pool_winners/f{bits}"), &isas, bytes, |isa| pool_winners(isa, &POOL, &x, &mut winners));
    measure(c, &format!("relu_pool_winners/f{bits}"), &isas, bytes, |isa| {
        relu_pool_winners(isa, &POOL, &x, &center, &slope, &shift, &mut winners);
    });
    let moved = winners.len() * (4 + size_of::<T>()) + bytes;
    let one = &isas[..1];
    measure(c, &format!("gather/f{bits}"), one, moved, |_| gather(&winners, &x, &mut pooled));
    measure(c, &format!("scatter_add/f{bits}"), one, moved, |_| scatter_add(&winners, &pooled, &mut gradient));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_millis(300))
        .warm_up_time(std::time::Duration::from_millis(100)).without_plots();
    targets = reductions, pooling::<f32>, pooling::<f64>
}
criterion_main!(benches);
