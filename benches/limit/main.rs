//! How near the kernels come to the limit of the machine and to their rivals, in one run on one thread:
//!
//! ```text
//! cargo bench --bench limit --features rivals -- [gemm] [conv] [memory] [--python PYTHON] [--isa avx2]
//! ```
//!
//! The peak of multiply-adds is measured first, then every shape in turns: ours, each rival, ours again. The
//! tables are Markdown.

mod contest;
#[path = "../cases/layers.rs"]
mod layers;
mod memory;
#[path = "../cases/numbers.rs"]
mod numbers;
#[path = "../cases/products.rs"]
mod products;
#[path = "../rivals/products.rs"]
mod rivals;
mod torch;

use std::{cell::RefCell, hint::black_box, iter};

use clap::Parser;
use contest::{Contender, medians};
use layers::LAYERS;
use maml_kernels::{Conv, Isa, conv_input_gradient, conv_output, conv_weight_gradient, gemm, limit};
use numbers::numbers;
use products::PRODUCTS;
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
    let ours: rivals::Gemm = Box::new(move |layout, [m, n, k], a, b, c| gemm(isa, layout, m, n, k, a, b, c));
    let products: Vec<_> = iter::once((format!("ours {isa}"), ours)).chain(rivals::rivals()).collect();
    heading(&products.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), &[]);
    for s in &PRODUCTS {
        let (size, line) = ([s.m, s.n, s.k], s.to_string());
        if !line.contains(only) {
            continue;
        }
        let [a, b, _] = &s.matrices::<f32>();
        let mut contenders: Vec<Contender> = products
            .iter()
            .map(|(_, product)| {
                let (mut c, layout) = (numbers::<f32>(s.m * s.n, 3), s.layout);
                Contender::here(move || product(layout, size, black_box(a), black_box(b), &mut c))
            })
            .collect();
        row(&line, s.flops() as f64, peak, &medians(&mut contenders), &[]);
    }
    println!();
}

fn conv_table(isa: Isa, peak: f64, torch: Option<Torch>, only: &str) {
    let rival = torch.as_ref().map(|t| t.version.clone());
    let rival = rival.map_or(vec![], |v| vec![format!("{v} NCHW"), format!("{v} NHWC")]);
    let torch = torch.map(RefCell::new);
    let direct = format!("ours {}", isa.direct());
    heading(
        &iter::once(direct.as_str()).chain(rival.iter().map(String::as_str)).collect::<Vec<_>>(),
        &[&format!("ours {isa}"), "% of limit"],
    );
    for (images, layer) in [25, 75].iter().flat_map(|&images| LAYERS.map(|layer| (images, layer))) {
        let g = layers::conv(layer, images);
        for slot in ["output", "input", "weights"] {
            let line = format!("{slot} {}→{} @ {}×{} of {images}", g.c_in, g.c_out, g.height, g.width);
            if (slot == "input" && !layers::is_inner(&g)) || !line.contains(only) {
                continue;
            }
            let mut contenders = vec![Contender::here(our_convolution(isa.direct(), slot, g))];
            for (_, layout) in rival.iter().zip(["plain", "last"]) {
                let torch = torch.as_ref().expect("rivals are named by PyTorch");
                contenders
                    .push(Contender::elsewhere(move |repeats| torch.borrow_mut().seconds(slot, layout, &g, repeats)));
            }
            let flops = layers::flops(&g) as f64;
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
    let (mut x, mut w, mut y) =
        (numbers::<f32>(g.input_len(), 1), numbers::<f32>(g.weight_len(), 2), numbers::<f32>(g.output_len(), 3));
    move || match slot {
        "output" => conv_output(isa, &g, black_box(&x), black_box(&w), &mut y),
        "input" => conv_input_gradient(isa, &g, black_box(&w), black_box(&y), &mut x),
        _ => conv_weight_gradient(isa, &g, black_box(&x), black_box(&y), &mut w),
    }
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
