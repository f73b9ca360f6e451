//! The three slots of the convolutions of a four-block few-shot net, on every instruction set.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use maml_kernels::{Aligned, Conv, Isa, conv_input_gradient, conv_output, conv_weight_gradient};

/// (channels in, channels out, side of the image), for kernels of 3 × 3, stride 1, padding 1.
const LAYERS: [(usize, usize, usize); 8] =
    [(1, 64, 28), (64, 64, 14), (64, 64, 7), (64, 64, 3), (1, 32, 28), (32, 32, 14), (32, 32, 7), (32, 32, 3)];
/// Support of one shot, support of five shots, query of fifteen, all in five ways.
const BATCHES: [usize; 3] = [5, 25, 75];

fn numbers(len: usize) -> Aligned {
    let mut memory = Aligned::zeroed(len * 4);
    for (i, x) in memory.as_mut_slice::<f32>().iter_mut().enumerate() {
        *x = (i % 7) as f32 - 3.0;
    }
    memory
}

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv f32");
    for (layer, images) in LAYERS.iter().flat_map(|layer| BATCHES.map(|images| (layer, images))) {
        let &(c_in, c_out, side) = layer;
        let g = &Conv {
            images,
            height: side,
            width: side,
            c_in,
            c_out,
            kernel_height: 3,
            kernel_width: 3,
            stride: 1,
            padding: 1,
        };
        let (mut x, mut w, mut y) = (numbers(g.input_len()), numbers(g.weight_len()), numbers(g.output_len()));
        let x = &mut x.as_mut_slice::<f32>()[..g.input_len()];
        let w = &mut w.as_mut_slice::<f32>()[..g.weight_len()];
        let y = &mut y.as_mut_slice::<f32>()[..g.output_len()];
        // Elements are multiply-adds: per second, times two, they are FLOP/s.
        group.throughput(Throughput::Elements((g.output_len() * 9 * c_in) as u64));
        for isa in Isa::available() {
            let id =
                |slot| BenchmarkId::new(format!("{isa} {slot}"), format!("{c_in}to{c_out} {side}x{side} of {images}"));
            group.bench_function(id("output"), |bench| {
                bench.iter(|| conv_output(isa, g, black_box(x), black_box(w), y));
            });
            if c_in > 1 {
                group.bench_function(id("input gradient"), |bench| {
                    bench.iter(|| conv_input_gradient(isa, g, black_box(w), black_box(y), x));
                });
            }
            group.bench_function(id("weight gradient"), |bench| {
                bench.iter(|| conv_weight_gradient(isa, g, black_box(x), black_box(y), w));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
