//! Matrix products on every instruction set, and in f32 those of other libraries on the same numbers: the crates
//! `gemm` and `matrixmultiply`, and with `--features rivals` the crate `faer` and OpenBLAS. One thread, but for
//! the last group. Elements are FLOPs.

#[path = "cases/numbers.rs"]
mod numbers;
#[path = "cases/products.rs"]
mod products;
#[path = "rivals/products.rs"]
mod rivals;
#[path = "cases/timing.rs"]
mod timing;

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{Isa, Real, gemm, gemm_parallel};
use products::{PRODUCTS, Shape};
use timing::quick;

fn on_every_isa<T: Real>(group: &mut BenchmarkGroup<WallTime>, s: &Shape) {
    let [a, b, mut c] = s.matrices::<T>();
    group.throughput(Throughput::Elements(s.flops()));
    for isa in Isa::available() {
        group.bench_function(BenchmarkId::new(isa.name(), s), |bench| {
            bench.iter(|| gemm(isa, s.layout, s.m, s.n, s.k, black_box(&a), black_box(&b), &mut c));
        });
    }
}

fn single(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm f32");
    let rivals = rivals::rivals();
    for s in &PRODUCTS {
        on_every_isa::<f32>(&mut group, s);
        let [a, b, mut c] = s.matrices::<f32>();
        for (name, product) in &rivals {
            group.bench_function(BenchmarkId::new(name, s), |bench| {
                bench.iter(|| product(s.layout, [s.m, s.n, s.k], black_box(&a), black_box(&b), &mut c));
            });
        }
    }
}

fn double(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm f64");
    for s in &PRODUCTS {
        on_every_isa::<f64>(&mut group, s);
    }
}

/// The larger products, on all threads.
fn on_threads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gemm_parallel f32");
    let isa = Isa::best();
    for s in PRODUCTS.iter().filter(|s| s.flops() > 50_000_000) {
        let [a, b, mut c] = s.matrices::<f32>();
        group.throughput(Throughput::Elements(s.flops()));
        let size = [s.m, s.n, s.k];
        group.bench_function(BenchmarkId::new(isa.name(), s), |bench| {
            bench.iter(|| {
                let [a, b] = s.layout.views(size, black_box(&a), black_box(&b));
                gemm_parallel(isa, size, a, b, &mut c, s.n);
            });
        });
    }
}

criterion_group! { name = benches; config = quick(); targets = single, double, on_threads }
criterion_main!(benches);
