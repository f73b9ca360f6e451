//! How near the kernels come to the limit of the machine and to their rivals, in one run on one thread:
//!
//! ```text
//! cargo bench --bench limit --features rivals -- [gemm] [conv] [memory] [--python PYTHON] [--isa avx2]
//! ```
//!
//! The peak of multiply-adds is measured first, then every shape in turns: ours, each rival, ours again. The
//! tables are Markdown.

mod contest;
mod memory;
mod rivals;
mod shapes;
mod torch;

use std::{cell::RefCell, hint::black_box};

use clap::Parser;
use contest::{Contender, medians};
use maml_kernels::{Aligned, Conv, Isa, conv_input_gradient, conv_output, conv_weight_gradient, limit};
use shapes::{LAYERS, PRODUCTS};
use torch::Torch;

#[derive(Parser)]
struct Arguments {
    /// What to time: gemm, conv, memory; everything if none is named.
    parts: Vec<String>,
    /// Only shapes whose line contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// A Python that has PyTorch, the rival of the convolutions.
    #[arg(long)]
    python: Option<String>,
    #[arg(long, default_value = "auto")]
    isa: String,
    /// Cargo says so to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let isa: Isa = arguments.isa.parse().unwrap_or_else(|e| panic!("--isa: {e}"));
    let wanted = |part: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|p| p == part);
    let peak = peak(isa);
    println!("{isa}: {:.1} GFLOP/s multiply-adds in registers, one thread\n", peak / 1e9);
    if wanted("gemm") {
        gemm_table(isa, peak, &arguments.only);
    }
    if wanted("memory") {
        memory::table(isa, &arguments.only);
    }
    if wanted("conv") {
        let torch = arguments.python.as_deref().map(|python| Torch::start(python).unwrap_or_else(|e| panic!("{e}")));
        conv_table(isa, peak, torch, &arguments.only);
    }
}

/// FLOP/s of multiply-adds in registers.
fn peak(isa: Isa) -> f64 {
    const STEPS: usize = 10_000;
    let (count, _) = limit::multiply_adds::<f32>(isa, STEPS);
    let work = || {
        black_box(limit::multiply_adds::<f32>(isa, STEPS));
    };
    2.0 * count as f64 / medians(&mut [Contender::here(work)])[0]
}

fn gemm_table(isa: Isa, peak: f64, only: &str) {
    let products = rivals::products(isa);
    heading(&products.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), &[]);
    for s in &PRODUCTS {
        let (size, line) = ([s.m, s.n, s.k], format!("{} {:?} {}×{}×{}", s.name, s.layout, s.m, s.k, s.n));
        if !line.contains(only) {
            continue;
        }
        let (a, b) = (numbers(s.m * s.k, 1), numbers(s.k * s.n, 2));
        let (a, b) = (&a.as_slice::<f32>()[..s.m * s.k], &b.as_slice::<f32>()[..s.k * s.n]);
        let mut contenders: Vec<Contender> = products
            .iter()
            .map(|(_, product)| {
                let mut c = numbers(s.m * s.n, 3);
                let (length, layout) = (s.m * s.n, s.layout);
                Contender::here(move || {
                    product(layout, size, black_box(a), black_box(b), &mut c.as_mut_slice::<f32>()[..length]);
                })
            })
            .collect();
        row(&line, 2.0 * (s.m * s.n * s.k) as f64, peak, &medians(&mut contenders), &[]);
    }
    println!();
}

fn conv_table(isa: Isa, peak: f64, torch: Option<Torch>, only: &str) {
    let rival = torch.as_ref().map(|t| t.version.clone());
    let rival = rival.map_or(vec![], |v| vec![format!("{v} NCHW"), format!("{v} NHWC")]);
    let torch = torch.map(RefCell::new);
    let direct = format!("ours {}", isa.direct());
    heading(
        &std::iter::once(direct.as_str()).chain(rival.iter().map(String::as_str)).collect::<Vec<_>>(),
        &[&format!("ours {isa}"), "% of limit"],
    );
    for (images, layer) in [25, 75].iter().flat_map(|&images| LAYERS.map(|layer| (images, layer))) {
        let g = shapes::conv(layer, images);
        for slot in ["output", "input", "weights"] {
            // Nobody needs the gradient of an image.
            let line = format!("{slot} {}→{} @ {}×{} of {images}", g.c_in, g.c_out, g.height, g.width);
            if (slot == "input" && g.c_in < 32) || !line.contains(only) {
                continue;
            }
            let mut contenders = vec![Contender::here(our_convolution(isa.direct(), slot, g))];
            for (_, layout) in rival.iter().zip(["plain", "last"]) {
                let torch = torch.as_ref().expect("rivals are named by PyTorch");
                contenders
                    .push(Contender::elsewhere(move |repeats| torch.borrow_mut().seconds(slot, layout, &g, repeats)));
            }
            let flops = 2.0 * (g.output_len() * 9 * g.c_in) as f64;
            // By Winograd's algorithm where that is chosen, in FLOPs of the direct sum with all of its padding.
            contenders.push(Contender::here(our_convolution(isa, slot, g)));
            let mut seconds = medians(&mut contenders);
            let fastest = flops / seconds.pop().expect("there are contenders");
            let more = [format!("{:.1}", fastest / 1e9), format!("{:.0}", 100.0 * fastest / peak)];
            row(&line, flops, peak, &seconds, &more);
        }
    }
    println!();
}

fn our_convolution(isa: Isa, slot: &'static str, g: Conv) -> impl FnMut() {
    let mut x = numbers(g.input_len(), 1);
    let mut w = numbers(g.weight_len(), 2);
    let mut y = numbers(g.output_len(), 3);
    move || {
        let x = &mut x.as_mut_slice::<f32>()[..g.input_len()];
        let w = &mut w.as_mut_slice::<f32>()[..g.weight_len()];
        let y = &mut y.as_mut_slice::<f32>()[..g.output_len()];
        match slot {
            "output" => conv_output(isa, &g, black_box(x), black_box(w), y),
            "input" => conv_input_gradient(isa, &g, black_box(w), black_box(y), x),
            _ => conv_weight_gradient(isa, &g, black_box(x), black_box(y), w),
        }
    }
}

/// Numbers from (−1/2, 1/2) that look random.
fn numbers(len: usize, seed: u32) -> Aligned {
    let mut memory = Aligned::zeroed(len * 4);
    let mut state = seed.wrapping_mul(2_654_435_761);
    for x in memory.as_mut_slice::<f32>() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *x = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
    }
    memory
}

fn heading(contenders: &[&str], more: &[&str]) {
    let more: String = more.iter().map(|head| format!(" {head} |")).collect();
    println!("| shape | {} | ours / best rival | % of limit |{more}", contenders.join(" | "));
    println!("|---|{}", "---|".repeat(contenders.len() + 2 + more.matches('|').count()));
}

/// GFLOP/s of all, the ratio of ours (the first) to the best of the others, ours in percent of the limit, and more.
fn row(shape: &str, flops: f64, peak: f64, seconds: &[f64], more: &[String]) {
    let speeds: Vec<String> = seconds.iter().map(|s| format!("{:.1}", flops / s / 1e9)).collect();
    let best = seconds[1..].iter().copied().fold(f64::INFINITY, f64::min);
    let ratio = if best.is_finite() { format!("{:.2}", best / seconds[0]) } else { "".into() };
    let more: String = more.iter().map(|cell| format!(" {cell} |")).collect();
    println!("| {shape} | {} | {ratio} | {:.0} |{more}", speeds.join(" | "), 100.0 * flops / seconds[0] / peak);
}
