//! Linear regression: both learners against their closed forms, over every parameter of the task landscape.

use std::process::ExitCode;

use clap::Parser;
use maml_landscape::{
    arguments::{RunArguments, parse},
    config,
    drive::{Shown, run_sampled},
    exit::{Exit, Failure, main_of},
    linear_regression_report::{json_of_closed_forms, print, print_closed_forms, theory_failure},
    out::Out,
    profiles,
    run_folder::summary_text,
};
use maml_meta::experiment::linear_regression::{ClosedForms, Config, Run, RunError};

const FIRST_SCREEN: &str = "\
linear_regression: when does MAML beat plain training (NAL), in a world with closed forms? It needs no data.

  linear_regression --profile quick                                    every figure, in under a minute
  linear_regression --theory --set distance=2 --set spread_hard=0.01   the closed forms of one landscape
  linear_regression --config experiments/linear_regression/own_landscape.toml
                                                                       a landscape of your own
  linear_regression --print-config                                     every setting, ready to change

All flags: linear_regression --help";

/// MAML against plain training (NAL) on linear regression, simulation beside closed forms
#[derive(Parser)]
#[command(name = "linear_regression", version)]
struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// Print the closed forms of the config's landscape alone, and end
    #[arg(long, conflicts_with_all = ["resume", "out", "print_config"])]
    theory: bool,
}

fn main() -> ExitCode {
    main_of(|out| match parse::<Arguments>(FIRST_SCREEN, out)? {
        Some(arguments) => run(&arguments, out),
        None => Ok(()),
    })
}

fn run(Arguments { run: arguments, theory }: &Arguments, out: &mut Out) -> Result<(), Failure> {
    let mut config: Config = arguments.resolve(profiles::linear_regression)?;
    config.seeds = arguments.seeds(&config.seeds)?;
    if *theory {
        let closed = ClosedForms::of(&config).map_err(|error| theory_failure(&error))?;
        return if arguments.json {
            out.text(json_of_closed_forms(&closed)?)
        } else {
            print_closed_forms(&closed, out)
        };
    }
    if arguments.print_config {
        config.check().map_err(|sentence| Run::failure(&RunError::Config(sentence)))?;
        return out.text(config::print(&config)?);
    }
    let build = |workers| Run::new(config.clone(), workers);
    let (experiment, folder) = run_sampled("linear_regression", arguments, &config, &config.seeds, build)?;
    let summary = experiment.summary();
    if arguments.json {
        out.text(summary_text(&summary)?)?;
    } else {
        print(&summary, out)?;
        out.line(format!("\nFigures, points and everything else about this run: {}", folder.path().display()))?;
    }
    match summary.engine.iter().find(|check| !check.passed) {
        Some(check) => Err(Failure::new(
            Exit::CheckFailed,
            format!(
                "the engine did not reach {}'s closed-form minimiser on {} data: relative error {:.1e} after {} steps, {:.0e} \
                 allowed",
                check.learner, check.data, check.relative_error, check.steps, check.tolerance
            ),
        )
        .help("if its gradient was still falling, raise engine.most_steps; engine.enabled=false leaves the check out")),
        None => Ok(()),
    }
}
