//! The three slots of the convolutions of four-block few-shot nets, on every instruction set, directly and by
//! Winograd's algorithm where that is chosen. The rivals do what other Rust libraries do: the pixels under the
//! kernel are copied into a matrix (im2col), which is multiplied by the crates `gemm` and `matrixmultiply`, and with
//! `--features rivals` by the crate `faer` and OpenBLAS. (PyTorch is a rival of the bench `limit`.) One thread;
//! elements are FLOPs of the direct sum.

#[path = "rivals/im2col.rs"]
mod im2col;
#[path = "cases/layers.rs"]
mod layers;
#[path = "cases/numbers.rs"]
mod numbers;
#[path = "rivals/products.rs"]
mod rivals;
#[path = "cases/timing.rs"]
mod timing;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use layers::LAYERS;
use maml_kernels::{Conv, Isa, conv_input_gradient, conv_output, conv_weight_gradient};
use numbers::numbers;
use timing::quick;

/// Support of one shot, support of five shots, query of fifteen, all in five ways.
const BATCHES: [usize; 3] = [5, 25, 75];

fn convolutions(criterion: &mut Criterion) {
    let rivals = rivals::rivals();
    for (layer, images) in LAYERS.iter().flat_map(|&layer| BATCHES.map(|images| (layer, images))) {
        slots(criterion, &rivals, &layers::conv(layer, images));
    }
}

fn slots(criterion: &mut Criterion, rivals: &[(String, rivals::Gemm)], g: &Conv) {
    let mut group = criterion.benchmark_group("conv f32");
    group.throughput(Throughput::Elements(layers::flops(g)));
    let (mut x, mut w, mut y) = (numbers(g.input_len(), 1), numbers(g.weight_len(), 2), numbers(g.output_len(), 3));
    let id = |who: &str, slot: &str| {
        let Conv { images, height, width, c_in, c_out, .. } = g;
        BenchmarkId::new(format!("{who} {slot}"), format!("{c_in}→{c_out} {height}×{width} of {images}"))
    };
    for isa in Isa::available().into_iter().flat_map(|isa| [isa, isa.direct()]) {
        // Where nothing else is chosen, both are the same.
        if isa.is_direct() && !layers::is_inner(g) {
            continue;
        }
        let name = isa.name();
        group.bench_function(id(name, "output"), |bench| {
            bench.iter(|| conv_output(isa, g, black_box(&x), black_box(&w), &mut y));
        });
        if layers::is_inner(g) {
            group.bench_function(id(name, "input gradient"), |bench| {
                bench.iter(|| conv_input_gradient(isa, g, black_box(&w), black_box(&y), &mut x));
            });
        }
        group.bench_function(id(name, "weight gradient"), |bench| {
            bench.iter(|| conv_weight_gradient(isa, g, black_box(&x), black_box(&y), &mut w));
        });
    }
    let rows = g.output_len() / g.c_out;
    for (name, product) in rivals {
        let mut patches = vec![0.0; rows * im2col::patch_len(g)];
        group.bench_function(id(&format!("im2col and {name}"), "output"), |bench| {
            bench.iter(|| im2col::conv_output(g, product, black_box(&x), black_box(&w), &mut y, &mut patches));
        });
    }
}

criterion_group! { name = benches; config = quick(); targets = convolutions }
criterion_main!(benches);
