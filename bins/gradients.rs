//! Gradients, Hessian-vector products and meta-gradients of arrays from a file (`docs/gradients.md`).

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use maml_landscape::{
    arguments::parse,
    exit::{Exit, Failure, main_of},
    isa::{KERNEL_PATHS, pin_isa},
    out::Out,
};
use maml_meta::{
    atomic,
    experiment::gradients::{self, GradientsError, ModelName, Outcome, Request, Summary},
    maml::{InnerLoop, Order},
};

const FIRST_SCREEN: &str = "\
gradients: exact gradients, Hessian-vector products and MAML meta-gradients of your own arrays.

  gradients --model linear --alpha 0.1 --inner-steps 1          a random linear regression
  gradients --model conv4 --alpha 0.4 --inner-steps 1 \\
            --save-input in.safetensors --output out.safetensors  arrays to compare with another program
  gradients --help                                              every flag

Names and layouts of the arrays: docs/gradients.md";

/// Exact gradients, Hessian-vector products and meta-gradients of arrays from a file
#[derive(Parser)]
#[command(name = "gradients", version)]
struct Arguments {
    /// The model and its loss
    #[arg(long, value_enum)]
    model: Model,
    /// Parameters, vector, support and query sets (safetensors) [default: a random input]
    #[arg(long, value_name = "IN.safetensors")]
    input: Option<PathBuf>,
    /// Where the results go (safetensors)
    #[arg(long, value_name = "OUT.safetensors")]
    output: Option<PathBuf>,
    /// Step size of the inner loop
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    alpha: f64,
    /// Number of inner steps
    #[arg(long, value_name = "K")]
    inner_steps: usize,
    /// Leave the Hessians out of the meta-gradient
    #[arg(long)]
    first_order: bool,
    /// Precision of the computation and of the output
    #[arg(long, value_enum, default_value = "f32")]
    precision: Precision,
    /// Seed of the random input
    #[arg(long, default_value_t = 0, conflicts_with = "input")]
    seed: u64,
    /// Write the random input to a file
    #[arg(long, value_name = "FILE", conflicts_with = "input")]
    save_input: Option<PathBuf>,
    /// Kernel path; -direct convolves by direct sums only, without Winograd's algorithm
    #[arg(long, value_name = "PATH", default_value = "auto", env = "MAML_ISA", hide_env_values = true,
        value_parser = KERNEL_PATHS)]
    isa: String,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Model {
    Conv4,
    TwoLayer,
    Linear,
}

#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    F32,
    F64,
}

fn main() -> ExitCode {
    main_of(|out| match parse::<Arguments>(FIRST_SCREEN, out)? {
        Some(arguments) => run(&arguments, out),
        None => Ok(()),
    })
}

fn run(arguments: &Arguments, out: &mut Out) -> Result<(), Failure> {
    if !arguments.alpha.is_finite() {
        return Err(Failure::usage(format!("--alpha {} is not a step size", arguments.alpha)));
    }
    pin_isa(&arguments.isa)?;
    let request = Request {
        model: match arguments.model {
            Model::Conv4 => ModelName::Conv4,
            Model::TwoLayer => ModelName::TwoLayer,
            Model::Linear => ModelName::Linear,
        },
        inner: InnerLoop { alpha: arguments.alpha, steps: arguments.inner_steps },
        order: if arguments.first_order { Order::First } else { Order::Second },
    };
    let input = match &arguments.input {
        Some(path) => std::fs::read(path).map_err(|error| unreadable(path, error))?,
        None => gradients::example_input(request.model, arguments.seed),
    };
    if let Some(path) = &arguments.save_input {
        atomic::write(path, &input).map_err(|error| Failure::file("write", path, error))?;
    }
    let outcome = match arguments.precision {
        Precision::F32 => gradients::run::<f32>(&request, &input),
        Precision::F64 => gradients::run::<f64>(&request, &input),
    };
    let Outcome { file, summary } = outcome.map_err(|error| failure(arguments, error))?;
    if let Some(path) = &arguments.output {
        atomic::write(path, &file).map_err(|error| Failure::file("write", path, error))?;
    }
    if arguments.json { out.text(json(&summary)) } else { out.text(text(&summary)) }
}

fn unreadable(path: &std::path::Path, error: std::io::Error) -> Failure {
    Failure::new(Exit::Data, format!("cannot read {}", path.display()))
        .cause(error)
        .help("name a safetensors file with --input, or leave --input out for a random one")
}

fn failure(arguments: &Arguments, error: GradientsError) -> Failure {
    let place = arguments.input.as_ref().map_or("the random input".into(), |path| path.display().to_string());
    let exit = if matches!(error, GradientsError::NonFinite(_)) { Exit::Diverged } else { Exit::Data };
    let help = match exit {
        Exit::Diverged => "lower --alpha, or compute with --precision f64",
        _ => "names and layouts of the arrays are in docs/gradients.md; --save-input writes an example",
    };
    Failure::new(exit, format!("{place}: {error}")).help(help)
}

fn rows(s: &Summary) -> [(&'static str, f64); 8] {
    [
        ("loss", s.loss),
        ("gradient_norm", s.gradient_norm),
        ("hvp_norm", s.hvp_norm),
        ("meta_loss", s.meta_loss),
        ("meta_gradient_norm", s.meta_gradient_norm),
        ("second_order_norm", s.second_order_norm),
        ("slope", s.slope),
        ("slope_by_difference", s.slope_by_difference),
    ]
}

fn json(summary: &Summary) -> String {
    let map: serde_json::Map<_, _> =
        rows(summary).map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect();
    format!("{:#}\n", serde_json::Value::Object(map))
}

fn text(summary: &Summary) -> String {
    let meaning = [
        "f(w), the support loss",
        "|grad f(w)|",
        "|hess f(w) v|",
        "q(w_K), the query loss after adaptation",
        "|meta-gradient|",
        "|what the Hessians contribute to it|",
        "<meta-gradient, v>",
        "slope of the meta-loss along v, by a central difference in f64",
    ];
    let lines = rows(summary).into_iter().zip(meaning);
    lines.map(|((key, value), meaning)| format!("{key:20} {value:>22.12e}   {meaning}\n")).collect()
}
