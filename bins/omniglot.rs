//! Omniglot: MAML against plain training (NAL), on the usual benchmark and on easy and hard tasks.

use std::{process::ExitCode, sync::Arc};

use clap::Parser;
use maml_landscape::{
    arguments::{RunArguments, parse},
    config,
    drive::{Shown, drive},
    exit::{Failure, main_of},
    images::load_images,
    manifest::{DataSource, Manifest},
    memory::{Bytes, plan},
    omniglot_report::print,
    operations::Operations,
    out::Out,
    profiles,
    progress::Progress,
    run_folder::summary_text,
};
use maml_meta::experiment::omniglot::{Config, Run, RunError};

const FIRST_SCREEN: &str = "\
omniglot: does MAML beat plain training (NAL) on few-shot character recognition, and on which tasks?

  omniglot --profile smoke                      seconds, on generated characters
  omniglot --profile quick --data DIR           minutes, on the real Omniglot in DIR (also: MAML_DATA)
  omniglot --profile quick --print-config       every setting, ready to change

All flags: omniglot --help";

/// MAML against plain training (NAL) on Omniglot: the usual benchmark, and easy and hard tasks
#[derive(Parser)]
#[command(name = "omniglot", version)]
struct Arguments {
    #[command(flatten)]
    run: RunArguments,
    /// What steps may hold, such as 2GiB: inner steps are computed twice rather than kept if that saves enough
    #[arg(long, value_name = "SIZE")]
    memory: Option<Bytes>,
}

fn main() -> ExitCode {
    main_of(|out| match parse::<Arguments>(FIRST_SCREEN, out)? {
        Some(Arguments { run: arguments, memory }) => run(&arguments, memory, out),
        None => Ok(()),
    })
}

fn run(arguments: &RunArguments, memory: Option<Bytes>, out: &mut Out) -> Result<(), Failure> {
    let mut config: Config = arguments.resolve(profiles::omniglot)?;
    config.seeds = arguments.seeds(&config.seeds)?;
    config.check().map_err(|sentence| Run::failure(&RunError::Config(sentence)))?;
    if arguments.print_config {
        return out.text(config::print(&config)?);
    }
    let (isa, threads) = (arguments.pin_isa()?, arguments.threads()?);
    let (workers, operations) = Operations::of(arguments, threads)?;
    let mut progress = Progress::new(arguments.progress);
    let data_folder = arguments.data()?;
    let images = Arc::new(load_images(data_folder.as_deref(), &mut progress)?);
    let data = DataSource { name: images.source.to_string(), sha256: images.digest.clone(), folder: data_folder };
    let mut experiment = Run::new(config, images, workers).map_err(|error| Run::failure(&error))?;
    plan(&mut experiment, memory, threads, &mut progress)?;
    let manifest = Manifest::now("omniglot", isa.name(), threads, data, &experiment.config().seeds);
    let folder = arguments.open_folder(experiment.config(), &manifest)?;
    operations.after(drive(&mut experiment, &folder, &mut progress), &folder)?;
    let summary = experiment.summary();
    if arguments.json {
        return out.text(summary_text(&summary)?);
    }
    print(&summary, out)?;
    out.line(format!("\nEverything about this run: {}", folder.path().display()))
}
