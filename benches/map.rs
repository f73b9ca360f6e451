//! Elementwise maps: time per element in the cache for the functions, speed of memory for sums and
//! products of arrays.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{Isa, Map, Real, add_scaled, axpy, map, mul, scale};

fn functions<T: Real>(c: &mut Criterion) {
    const N: usize = 4096;
    let x: Vec<T> = (0..N).map(|i| T::from_f64((i as f64 - 1000.0) / 300.0)).collect();
    let mut out = vec![T::ZERO; N];
    for m in [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::Softplus, Map::Sqrt, Map::Rsqrt, Map::Recip] {
        let mut group = c.benchmark_group(format!("{m:?}/f{}", 8 * size_of::<T>()));
        group.throughput(Throughput::Elements(N as u64));
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::from_parameter(isa), |b| b.iter(|| map(isa, m, &x, &mut out)));
        }
    }
}

fn arrays(c: &mut Criterion) {
    let n = 75 * 28 * 28 * 64;
    let (a, b, mut out) = (vec![1.0f32; n], vec![2.0f32; n], vec![0.0f32; n]);
    let mut measure = |name: &str, arrays: usize, run: &dyn Fn(Isa, &mut [f32])| {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes((arrays * n * size_of::<f32>()) as u64));
        for isa in Isa::available() {
            group.bench_function(BenchmarkId::from_parameter(isa), |b| b.iter(|| run(isa, &mut out)));
        }
    };
    measure("add_scaled", 3, &|isa, out| add_scaled(isa, &a, 0.5, &b, out));
    measure("axpy", 3, &|isa, out| axpy(isa, 0.5, &a, out));
    measure("mul", 3, &|isa, out| mul(isa, &a, &b, out));
    measure("scale", 2, &|isa, out| scale(isa, 0.5, &a, out));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_millis(300))
        .warm_up_time(std::time::Duration::from_millis(100)).without_plots();
    targets = functions::<f32>, functions::<f64>, arrays
}
criterion_main!(benches);
