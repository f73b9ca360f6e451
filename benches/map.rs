//! Elementwise maps of arrays that lie in L1: the functions on every instruction set, and Rust's own of one
//! number after the other. Elements are numbers.

#[path = "cases/numbers.rs"]
mod numbers;
#[path = "cases/timing.rs"]
mod timing;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{Isa, Map, Real, map, softplus_with_slope};
use numbers::numbers;
use timing::quick;

const LEN: usize = 2048;

/// A map and the same by the standard library.
type Function = (Map, fn(f64) -> f64, fn(f32) -> f32);

const FUNCTIONS: [Function; 8] = [
    (Map::Exp, f64::exp, f32::exp),
    (Map::Log, f64::ln, f32::ln),
    (Map::Tanh, f64::tanh, f32::tanh),
    (Map::Sigmoid, |x| 1.0 / (1.0 + (-x).exp()), |x| 1.0 / (1.0 + (-x).exp())),
    (Map::Softplus, |x| x.max(0.0) + (-x.abs()).exp().ln_1p(), |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
    (Map::Sqrt, f64::sqrt, f32::sqrt),
    (Map::Rsqrt, |x| 1.0 / x.sqrt(), |x| 1.0 / x.sqrt()),
    (Map::Recip, |x| 1.0 / x, |x| 1.0 / x),
];

/// Softplus and its slope, to be compared with the sum of softplus and sigmoid.
fn pair(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("map f32");
    group.throughput(Throughput::Elements(LEN as u64));
    let (x, mut y, mut slope) = (numbers::<f32>(LEN, 1), numbers::<f32>(LEN, 2), numbers::<f32>(LEN, 3));
    for isa in Isa::available() {
        group.bench_function(BenchmarkId::new(isa.name(), "softplus_with_slope"), |bench| {
            bench.iter(|| softplus_with_slope(isa, black_box(&x), &mut y, &mut slope));
        });
    }
}

fn functions(criterion: &mut Criterion) {
    for (m, in_f64, in_f32) in FUNCTIONS {
        function::<f64>(criterion, m, in_f64);
        function::<f32>(criterion, m, in_f32);
    }
}

fn function<T: Real>(criterion: &mut Criterion, m: Map, std: fn(T) -> T) {
    let mut group = criterion.benchmark_group(format!("map f{}", 8 * size_of::<T>()));
    group.throughput(Throughput::Elements(LEN as u64));
    let (mut x, mut out) = (numbers::<T>(LEN, 1), numbers::<T>(LEN, 2));
    // Within (0, 3), where every function is defined.
    x.iter_mut().for_each(|x| *x = (*x + T::from_f64(0.5)) * T::from_f64(3.0));
    for isa in Isa::available() {
        group.bench_function(BenchmarkId::new(isa.name(), format!("{m:?}")), |bench| {
            bench.iter(|| map(isa, m, black_box(&x), &mut out));
        });
    }
    group.bench_function(BenchmarkId::new("std", format!("{m:?}")), |bench| {
        bench.iter(|| black_box(&x).iter().zip(out.iter_mut()).for_each(|(&x, out)| *out = std(x)));
    });
}

criterion_group! { name = benches; config = quick(); targets = functions, pair }
criterion_main!(benches);
