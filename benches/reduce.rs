//! Kernels that wait for memory, at the size of a batch of 75 images of 28 × 28 × 64 (15 MB an array): sums, what
//! batch normalisation is made of, pooling, and arrays added to arrays. Plain reading and copying stand beside
//! them as the limit. Bytes are those of the arrays that a kernel reads and writes; what a kernel reads twice is
//! counted twice.

#[path = "cases/numbers.rs"]
mod numbers;
#[path = "cases/timing.rs"]
mod timing;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{
    Centered, Isa, Layout, Onto, Pool, Pooled, Real, Store, add_scaled, axpy, channel_covariance, channel_dot,
    channel_mean, channel_moments, channel_totals, dot, dot_rows, gather, gather_windows, gemm, gemm_batch,
    least_squares, limit, mul, norm_relu_pool, pool_winners, repeat, scale, scale_centered, scale_channels, scale_rows,
    scatter_add, scatter_windows, softplus_with_slope, sum, sum_axis, two_layer, two_layer_hessian,
};
use numbers::numbers;
use timing::quick;

const POOL: Pool = Pool { images: 75, height: 28, width: 28, channels: 64, window: 2, stride: 2 };

fn measure(criterion: &mut Criterion, name: &str, isas: &[Isa], bytes: usize, mut run: impl FnMut(Isa)) {
    let mut group = criterion.benchmark_group("reduce");
    group.throughput(Throughput::Bytes(bytes as u64));
    for &isa in isas {
        group.bench_function(BenchmarkId::new(isa.name(), name), |bench| bench.iter(|| run(isa)));
    }
}

fn whole_arrays(criterion: &mut Criterion) {
    let (isas, n) = (Isa::available(), POOL.input_len());
    let (a, b, mut out) = (numbers::<f32>(n, 1), numbers::<f32>(n, 2), numbers::<f32>(n, 3));
    let mut run = |name: &str, arrays: usize, kernel: &mut dyn FnMut(Isa, &mut [f32])| {
        measure(criterion, name, &isas, arrays * size_of_val(&*a), |isa| kernel(isa, &mut out));
    };
    run("limit: read", 1, &mut |isa, _| _ = black_box(limit::read(isa, &a)));
    run("limit: copy", 2, &mut |isa, out| limit::copy(isa, &a, out));
    run("sum", 1, &mut |isa, _| _ = black_box(sum(isa, &a)));
    run("dot", 2, &mut |isa, _| _ = black_box(dot(isa, &a, &b)));
    run("scale", 2, &mut |isa, out| scale(isa, 0.5, &a, out));
    run("mul", 3, &mut |isa, out| mul(isa, &a, &b, Store::Set, out));
    run("axpy", 3, &mut |isa, out| axpy(isa, 1e-3, &a, out));
    run("add_scaled", 3, &mut |isa, out| add_scaled(isa, &a, 0.5, &b, out));
}

fn channels(criterion: &mut Criterion) {
    let (isas, n) = (Isa::available(), POOL.input_len());
    let (a, b, mut out) = (numbers::<f32>(n, 1), numbers::<f32>(n, 2), numbers::<f32>(n, 3));
    for channels in [32, 64] {
        let (k, rows) = (numbers::<f32>(channels, 4), n / channels);
        let mut per_channel = vec![0.0; channels];
        let (mut moments, mut totals) = (vec![0.0; channels], vec![0.0; channels]);
        channel_totals(isas[0], &a, &mut totals);
        let mut run = |name: &str, arrays: usize, kernel: &mut dyn FnMut(Isa, &mut [f32])| {
            let name = format!("{name} of {channels}");
            measure(criterion, &name, &isas, arrays * size_of_val(&*a), |isa| kernel(isa, &mut per_channel));
        };
        run("sum_axis", 1, &mut |isa, s| sum_axis(isa, 1, rows, channels, &a, s));
        run("channel_mean", 1, &mut |isa, s| channel_mean(isa, &a, s));
        run("channel_dot", 2, &mut |isa, s| channel_dot(isa, &a, &b, s));
        run("channel_variance", 1, &mut |isa, s| channel_covariance(isa, &a, &a, s));
        run("channel_moments", 1, &mut |isa, s| channel_moments(isa, &a, &mut moments, s));
        run("channel_covariance", 2, &mut |isa, s| channel_covariance(isa, &a, &b, s));
        run("scale_channels", 2, &mut |isa, _| scale_channels(isa, &a, &k, Store::Set, &mut out));
        run("scale_channels, added", 3, &mut |isa, _| scale_channels(isa, &a, &k, Store::Add, &mut out));
        run("scale_centered", 2, &mut |isa, _| scale_centered(isa, &a, &totals, &k, Store::Set, &mut out));
        run("scale_centered, added", 3, &mut |isa, _| scale_centered(isa, &a, &totals, &k, Store::Add, &mut out));
        run("repeat", 1, &mut |isa, _| repeat(isa, 1, rows, channels, &k, Store::Set, &mut out));
    }
    // The scores of five classes.
    let (rows, array) = (n / 5, size_of_val(&*a));
    let mut row_sums = numbers::<f32>(rows, 5);
    measure(criterion, "sums of 5", &isas, array, |isa| sum_axis(isa, rows, 5, 1, &a[..5 * rows], &mut row_sums));
    measure(criterion, "repeat 5 times", &isas, array, |isa| {
        repeat(isa, rows, 5, 1, &row_sums, Store::Set, &mut out[..5 * rows]);
    });
    // The hidden units of small networks.
    for length in [5, 64] {
        let (rows, used) = (n / length, n / length * length);
        let (a, b, per_row) = (&a[..used], &b[..used], &mut numbers::<f32>(rows, 6));
        measure(criterion, &format!("dot_rows of {length}"), &isas, 2 * array, |isa| dot_rows(isa, a, b, per_row));
        let scaled = &mut out[..used];
        measure(criterion, &format!("scale_rows of {length}"), &isas, 2 * array, |isa| {
            scale_rows(isa, a, per_row, Store::Set, scaled);
        });
    }
}

/// Least squares of 20 tasks with 500 examples of 100 numbers, beside the two products that they are.
fn least_squares_of_tasks(criterion: &mut Criterion) {
    let (isas, tasks, n, d) = (Isa::available(), 20, 500, 100);
    let (x, y) = (numbers::<f32>(tasks * n * d, 1), numbers::<f32>(tasks * n, 2));
    let (w, mut gradient) = (numbers::<f32>(tasks * d, 3), numbers::<f32>(tasks * d, 4));
    let mut residuals = numbers::<f32>(tasks * n, 5);
    let bytes = size_of_val(&*x);
    measure(criterion, "least_squares", &isas, bytes, |isa| {
        least_squares(isa, tasks, &x, &w, Some(&y), 1.0, &mut residuals, Some(&mut gradient));
    });
    measure(criterion, "least_squares by two products", &isas, bytes, |isa| {
        gemm_batch(isa, Layout::NN, tasks, n, 1, d, &x, &w, &mut residuals);
        axpy(isa, -1.0, &y, &mut residuals);
        gemm_batch(isa, Layout::TN, tasks, d, 1, n, &x, &residuals, &mut gradient);
    });
}

/// Least squares of a two-layer network with 1000 examples of 20 numbers and 64 neurons, and their Hessian, beside the kernels on whole
/// arrays that they are. Bytes of hidden units.
fn two_layers(criterion: &mut Criterion) {
    let (isas, size, [_, n, d, neurons]) = (Isa::available(), [1, 1000, 20, 64], [1, 1000, 20, 64]);
    let (x, y, w) = (numbers::<f32>(n * d, 1), numbers::<f32>(n, 2), numbers::<f32>(d * neurons, 3));
    let (mut residuals, mut factors) = (numbers::<f32>(n, 4), numbers::<f32>(n, 5));
    let [mut hidden, mut values, mut slopes] = [6, 7, 8].map(|seed| numbers::<f32>(n * neurons, seed));
    let mut gradient = numbers::<f32>(d * neurons, 9);
    let bytes = size_of_val(&*hidden);
    measure(criterion, "two_layer", &isas, bytes, |isa| {
        two_layer(isa, size, &x, &w, &y, 0.1, &mut residuals, Some(&mut slopes), Some(&mut gradient));
    });
    measure(criterion, "two_layer_hessian", &isas, bytes, |isa| {
        two_layer_hessian(isa, size, &x, &w, &slopes, &residuals, 0.1, &mut gradient);
    });
    measure(criterion, "two_layer by whole arrays", &isas, bytes, |isa| {
        gemm(isa, Layout::NN, n, neurons, d, &x, &w, &mut hidden);
        softplus_with_slope(isa, &hidden, &mut values, &mut slopes);
        sum_axis(isa, n, neurons, 1, &values, &mut residuals);
        axpy(isa, -1.0, &y, &mut residuals);
        scale(isa, 0.1, &residuals, &mut factors);
        scale_rows(isa, &slopes, &factors, Store::Set, &mut values);
        gemm(isa, Layout::TN, d, neurons, n, &x, &values, &mut gradient);
    });
}

fn pooling<T: Real>(criterion: &mut Criterion) {
    let (isas, kind) = (Isa::available(), format!("f{}", 8 * size_of::<T>()));
    let (x, mut gradient) = (numbers::<T>(POOL.input_len(), 1), numbers::<T>(POOL.input_len(), 2));
    let [center, slope, shift] = [[0.1; 64], [1.5; 64], [-0.5; 64]].map(|v| v.map(T::from_f64));
    let mut winners = vec![0; POOL.output_len()];
    let [mut pooled, mut open, mut normalised] = [3, 4, 5].map(|seed| numbers::<T>(POOL.output_len(), seed));
    let bytes = size_of_val(&*x) + size_of_val(&*winners);
    measure(criterion, &format!("pool_winners {kind}"), &isas, bytes, |isa| pool_winners(isa, &POOL, &x, &mut winners));
    measure(criterion, &format!("norm_relu_pool {kind}"), &isas, bytes, |isa| {
        let out = Pooled { winners: &mut winners, centered: &mut pooled, open: &mut open, normalised: &mut normalised };
        norm_relu_pool(isa, &POOL, &x, &center, &slope, &shift, out);
    });
    let (one, bytes) = (&isas[..1], bytes + size_of_val(&*pooled));
    measure(criterion, &format!("gather {kind}"), one, bytes, |_| gather(&winners, &x, &mut pooled));
    measure(criterion, &format!("gather_windows {kind}"), &isas, bytes, |isa| {
        gather_windows(isa, &POOL, &winners, &x, &mut pooled);
    });
    measure(criterion, &format!("scatter_add {kind}"), one, bytes, |_| scatter_add(&winners, &pooled, &mut gradient));
    measure(criterion, &format!("scatter_windows {kind}"), &isas, bytes, |isa| {
        scatter_windows(isa, &POOL, &winners, &pooled, Onto::Nothing, &mut gradient);
    });
    let mut totals = vec![0.0; POOL.channels];
    channel_totals(isas[0], &x, &mut totals);
    let onto = Onto::Centered { arrays: &[Centered { a: &x, totals: &totals, k: &slope }], shift: &shift };
    measure(criterion, &format!("scatter_windows, centred {kind}"), &isas, bytes + size_of_val(&*x), |isa| {
        scatter_windows(isa, &POOL, &winners, &pooled, onto, &mut gradient);
    });
}

criterion_group! {
    name = benches;
    config = quick();
    targets = whole_arrays, channels, least_squares_of_tasks, two_layers, pooling::<f32>, pooling::<f64>
}
criterion_main!(benches);
