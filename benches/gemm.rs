//! Matrix products on every instruction set: square ones, and the shapes of a convolutional net.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{Aligned, Isa, Layout, Real, gemm};

/// (m, n, k). Throughput counts multiply-adds: elements per second times two are FLOP/s.
const SIZES: [(usize, usize, usize); 8] = [
    (512, 512, 512),
    (1024, 1024, 1024),
    (192, 192, 192),
    (4900, 64, 576),
    (490, 64, 576),
    (75, 64, 64),
    (75, 5, 800),
    (25, 5, 64),
];

fn numbers<T: Real>(len: usize) -> Aligned {
    let mut memory = Aligned::zeroed(len * size_of::<T>());
    for (i, x) in memory.as_mut_slice::<T>().iter_mut().enumerate() {
        *x = T::from_f64((i % 7) as f64 - 3.0);
    }
    memory
}

fn products<T: Real>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("gemm f{}", 8 * size_of::<T>()));
    for (m, n, k) in SIZES {
        let (a, b, mut c) = (numbers::<T>(m * k), numbers::<T>(k * n), numbers::<T>(m * n));
        let (a, b) = (&a.as_slice::<T>()[..m * k], &b.as_slice::<T>()[..k * n]);
        let c = &mut c.as_mut_slice::<T>()[..m * n];
        group.throughput(Throughput::Elements((m * n * k) as u64));
        for isa in Isa::available() {
            for layout in [Layout::NN, Layout::NT, Layout::TN] {
                group.bench_function(BenchmarkId::new(format!("{isa} {layout:?}"), format!("{m}x{n}x{k}")), |bench| {
                    bench.iter(|| gemm(isa, layout, m, n, k, black_box(a), black_box(b), c));
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, products::<f32>, products::<f64>);
criterion_main!(benches);
