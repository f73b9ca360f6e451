//! Exact second-order MAML against PyTorch and JAX, as one command and one table:
//!
//! ```text
//! cargo bench --bench contest -- [--only TEXT] [--threads 1|2] [--python PYTHON] [--seconds S]
//! ```
//!
//! All engines get the same numbers, and must find the same loss and the same gradient. Each is timed in processes of
//! its own, on the same cores: ours before every peer, so that a slow minute of the machine hits both. Without
//! --python the peers are installed first, once, under Cargo's target directory. For Linux.

mod answer;
mod cases;
mod clock;
mod machine;
mod ours;
mod peers;
mod problem;
mod python;
mod table;

use std::process::ExitCode;

use answer::Answer;
use cases::{CASES, Case};
use clap::Parser;
use peers::Peers;
use table::Outcome;

#[derive(Parser)]
struct Arguments {
    /// Only cases whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Only cases on so many threads.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    threads: Option<u8>,
    /// A Python that has PyTorch and JAX.
    #[arg(long)]
    python: Option<String>,
    /// How long an engine is timed in each of its processes.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Time ours at the case of this index, in this process, and print the answer.
    #[arg(long, hide = true)]
    ours: Option<usize>,
    /// Cargo says so to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(index) = arguments.ours {
        let answer = ours::answer(&CASES[index], arguments.seconds);
        println!("{}", serde_json::to_string(&answer).expect("an answer is JSON"));
        return ExitCode::SUCCESS;
    }
    match contest(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the tables. Says whether all engines did the same job.
fn contest(arguments: &Arguments) -> Result<bool, String> {
    let chosen = chosen(arguments)?;
    if chosen.is_empty() {
        return Err("nothing is left to be timed".into());
    }
    let python = arguments.python.clone().map_or_else(python::with_peers, Ok)?;
    let peers = Peers::of(python)?;
    println!("{}; {}\n\n{}", machine::line(), peers.versions(), table::heading());
    let mut outcomes = Vec::new();
    for index in chosen {
        let outcome = outcome(index, &peers, arguments.seconds);
        println!("{}", outcome.row());
        outcome.quarrels().iter().for_each(|quarrel| eprintln!("{quarrel}"));
        outcomes.push(outcome);
    }
    println!("\n{}", table::details(&outcomes));
    Ok(outcomes.iter().all(|outcome| outcome.quarrels().is_empty()))
}

/// Indices of the cases that are asked for and that this machine has the cores for.
fn chosen(arguments: &Arguments) -> Result<Vec<usize>, String> {
    let wanted = |case: &Case| {
        case.name.contains(&arguments.only) && arguments.threads.is_none_or(|t| usize::from(t) == case.threads)
    };
    let wanted: Vec<usize> = (0..CASES.len()).filter(|&index| wanted(&CASES[index])).collect();
    if wanted.is_empty() {
        let all: Vec<String> = CASES.iter().map(Case::to_string).collect();
        return Err(format!("no case is like that; there are\n{}", all.join("\n")));
    }
    let cores = machine::cores().len();
    let (able, unable): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|&index| CASES[index].threads <= cores);
    unable.iter().for_each(|&index| eprintln!("left out, for there are no more cores than {cores}: {}", CASES[index]));
    Ok(able)
}

/// All engines at one case, ours before every peer.
fn outcome(index: usize, peers: &Peers, seconds: f64) -> Outcome<'static> {
    let case = &CASES[index];
    let told = |engine: &str, answer: Result<Answer, String>| {
        answer.inspect_err(|e| eprintln!("{engine} failed at {case}: {e}")).ok()
    };
    let (mut runs, mut answers) = (Vec::new(), Vec::new());
    for engine in case.engines() {
        eprintln!("{case}: ours and {engine}");
        runs.push(told("ours", ours::ask(index, seconds)));
        answers.push((engine, told(&engine.to_string(), peers.ask(engine, case, seconds))));
    }
    let ours = runs.into_iter().collect::<Option<Vec<_>>>().map(Answer::pooled);
    Outcome { case, ours, peers: answers }
}
