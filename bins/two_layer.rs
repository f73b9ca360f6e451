//! Two-layer networks, teacher and student: the task landscape beyond the linear case.

use std::process::ExitCode;

use clap::Parser;
use maml_landscape::{
    arguments::{RunArguments, parse},
    config,
    drive::{Shown, run_sampled},
    exit::{Exit, Failure, main_of},
    out::Out,
    profiles,
    run_folder::summary_text,
    two_layer_report::print,
};
use maml_meta::experiment::two_layer::{Config, Run, RunError};

const FIRST_SCREEN: &str = "\
two_layer: when does MAML beat plain training (NAL) on two-layer networks, and what are its stationary points like?

  two_layer --profile quick                              minutes: sweeps, gradient norms, loss surfaces
  two_layer --profile smoke --set activation=tanh        another network (softplus, tanh, sigmoid, elu, relu)
  two_layer --print-config                               every setting, ready to change

It needs no data. All flags: two_layer --help";

/// MAML against plain training (NAL) on two-layer networks, teacher and student
#[derive(Parser)]
#[command(name = "two_layer", version)]
struct Arguments {
    #[command(flatten)]
    run: RunArguments,
}

fn main() -> ExitCode {
    main_of(|out| match parse::<Arguments>(FIRST_SCREEN, out)? {
        Some(arguments) => run(&arguments.run, out),
        None => Ok(()),
    })
}

fn run(arguments: &RunArguments, out: &mut Out) -> Result<(), Failure> {
    let mut config: Config = arguments.resolve(profiles::two_layer)?;
    config.seeds = arguments.seeds(&config.seeds)?;
    if arguments.print_config {
        config.check().map_err(|sentence| Run::failure(&RunError::Config(sentence)))?;
        return out.text(config::print(&config)?);
    }
    let build = |workers| Run::new(config.clone(), workers);
    let (experiment, folder) = run_sampled("two_layer", arguments, &config, &config.seeds, build)?;
    let summary = experiment.summary();
    if arguments.json {
        out.text(summary_text(&summary)?)?;
    } else {
        print(&summary, out)?;
        out.line(format!("\nFigures, points and everything else about this run: {}", folder.path().display()))?;
    }
    if summary.failures.is_empty() { Ok(()) } else { Err(Failure::silent(Exit::SomeCellsFailed)) }
}
