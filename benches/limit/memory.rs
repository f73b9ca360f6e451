//! Kernels that wait for memory: their bandwidth beside that of plain reading and copying in the same cache level.

use std::hint::black_box;

use maml_kernels::{
    Isa, Map, Pool, Pooled, Store, add_scaled, axpy, channel_covariance, channel_dot, channel_mean, dot, limit, map,
    norm_relu_pool, pool_winners, scale, scale_centered, scale_channels, sum,
};

use crate::{
    contest::{Contender, medians},
    numbers::numbers,
};

const CHANNELS: usize = 64;
const IMAGE: usize = 4 * 4 * CHANNELS;

/// (name, bytes of all arrays of a kernel): L1 holds 32 KiB, L2 1 MiB.
const LEVELS: [(&str, usize); 4] = [("L1", 24 << 10), ("L2", 512 << 10), ("L3", 8 << 20), ("DRAM", 96 << 20)];

/// What a kernel works on: two arrays to read, one to write, and one number for every channel.
struct Arrays<'a> {
    isa: Isa,
    a: &'a [f32],
    b: &'a [f32],
    out: &'a mut [f32],
    winners: &'a mut [u32],
    channel: &'a mut [f32],
}

impl Arrays<'_> {
    /// As many images of 4 × 4 pixels as the arrays hold, pooled by 2 × 2.
    fn pool(&self) -> Pool {
        Pool { images: self.a.len() / IMAGE, height: 4, width: 4, channels: CHANNELS, window: 2, stride: 2 }
    }
}

/// A kernel with the number of arrays that it reads and writes.
struct Kernel {
    name: &'static str,
    arrays: [f64; 2],
    run: fn(&mut Arrays),
}

const fn kernel(name: &'static str, arrays: [f64; 2], run: fn(&mut Arrays)) -> Kernel {
    Kernel { name, arrays, run }
}

const KERNELS: [Kernel; 18] = [
    kernel("sum", [1.0, 0.0], |x| {
        black_box(sum(x.isa, x.a));
    }),
    kernel("dot", [2.0, 0.0], |x| {
        black_box(dot(x.isa, x.a, x.b));
    }),
    kernel("channel_mean", [1.0, 0.0], |x| channel_mean(x.isa, x.a, x.channel)),
    kernel("channel_covariance", [2.0, 0.0], |x| channel_covariance(x.isa, x.a, x.b, x.channel)),
    kernel("channel_dot", [2.0, 0.0], |x| channel_dot(x.isa, x.a, x.b, x.channel)),
    kernel("scale", [1.0, 1.0], |x| scale(x.isa, 0.5, x.a, x.out)),
    kernel("axpy", [2.0, 1.0], |x| axpy(x.isa, 1e-3, x.a, x.out)),
    kernel("add_scaled", [2.0, 1.0], |x| add_scaled(x.isa, x.a, 0.5, x.b, x.out)),
    kernel("scale_channels", [1.0, 1.0], |x| scale_channels(x.isa, x.a, x.channel, Store::Set, x.out)),
    kernel("scale_centered", [1.0, 1.0], |x| {
        scale_centered(x.isa, x.a, &[0.5; CHANNELS], x.channel, Store::Set, x.out);
    }),
    kernel("pool_winners", [1.0, 0.25], |x| pool_winners(x.isa, &x.pool(), x.a, x.winners)),
    kernel("norm_relu_pool", [1.0, 1.0], |x| {
        let (pool, pooled) = (x.pool(), x.winners.len());
        let (centered, rest) = x.out[..3 * pooled].split_at_mut(pooled);
        let (open, normalised) = rest.split_at_mut(pooled);
        let out = Pooled { winners: x.winners, centered, open, normalised };
        norm_relu_pool(x.isa, &pool, x.a, x.channel, x.channel, x.channel, out);
    }),
    kernel("exp", [1.0, 1.0], |x| map(x.isa, Map::Exp, x.a, x.out)),
    kernel("log", [1.0, 1.0], |x| map(x.isa, Map::Log, x.a, x.out)),
    kernel("tanh", [1.0, 1.0], |x| map(x.isa, Map::Tanh, x.a, x.out)),
    kernel("softplus", [1.0, 1.0], |x| map(x.isa, Map::Softplus, x.a, x.out)),
    kernel("sigmoid", [1.0, 1.0], |x| map(x.isa, Map::Sigmoid, x.a, x.out)),
    kernel("rsqrt", [1.0, 1.0], |x| map(x.isa, Map::Rsqrt, x.a, x.out)),
];

/// GB/s of every kernel in every level, and its share of what reading (or, if it writes, copying) reaches there.
pub(crate) fn table(isa: Isa, only: &str) {
    let heads: Vec<String> = LEVELS.iter().map(|(level, _)| format!("{level} | % of limit")).collect();
    println!("| kernel | {} |", heads.join(" | "));
    println!("|---|{}", "---|---|".repeat(LEVELS.len()));
    for kernel in KERNELS.iter().filter(|kernel| kernel.name.contains(only)) {
        let cells: Vec<String> = LEVELS.iter().map(|&(_, bytes)| cell(isa, kernel, bytes)).collect();
        println!("| {} | {} |", kernel.name, cells.join(" | "));
    }
    println!();
}

fn cell(isa: Isa, kernel: &Kernel, bytes: usize) -> String {
    let [reads, writes] = kernel.arrays;
    // A quarter of an array, the winners, is not counted.
    let arrays = (reads + writes) as usize;
    let len = (bytes / 4 / arrays / IMAGE).max(1) * IMAGE;
    let [mut a, b, mut out] = [1, 2, 3].map(|seed| numbers::<f32>(len, seed));
    let (mut winners, mut channel) = (vec![0; len / 4], vec![0.5; CHANNELS]);
    // Logarithms and roots want positive numbers.
    a.iter_mut().for_each(|a| *a += 1.0);
    // The limit moves as many bytes as the kernel, in as much memory.
    let (limit_in, mut limit_out) = (numbers::<f32>(len * arrays, 4), numbers::<f32>(len * arrays / 2, 5));
    let mut x = Arrays { isa, a: &a, b: &b, out: &mut out, winners: &mut winners, channel: &mut channel };
    let copies = writes >= 1.0;
    let limit = || {
        if copies {
            limit::copy(isa, &limit_in[..limit_out.len()], &mut limit_out);
        } else {
            black_box(limit::read(isa, &limit_in));
        }
    };
    let seconds = medians(&mut [Contender::here(|| (kernel.run)(&mut x)), Contender::here(limit)]);
    let ours = (reads + writes) * (4 * len) as f64 / seconds[0];
    let limit = (4 * len * arrays) as f64 / seconds[1];
    format!("{:.0} | {:.0}", ours / 1e9, 100.0 * ours / limit)
}
