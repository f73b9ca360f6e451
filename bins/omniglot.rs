//! Omniglot: MAML against plain training (NAL), on the usual benchmark and on easy and hard tasks.

use std::{
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use maml_landscape::{
    arguments::{Profile, RunArguments, parse},
    config,
    exit::{Exit, Failure, main_of},
    images::load_images,
    manifest::{DataSource, Manifest},
    omniglot_report::{print, rows},
    out::Out,
    progress::{Progress, Reading},
    run_folder::{RunFolder, summary_text},
    stop::StopFlag,
};
use maml_meta::{
    experiment::omniglot::{Config, Run, RunError},
    parallel::Workers,
};

const FIRST_SCREEN: &str = "\
omniglot: does MAML beat plain training (NAL) on few-shot character recognition, and on which tasks?

  omniglot --profile smoke                      seconds, on generated characters
  omniglot --profile quick --data DIR           minutes, on the real Omniglot in DIR (also: MAML_DATA)
  omniglot --profile quick --print-config       every setting, ready to change

All flags: omniglot --help";

const CHECKPOINT: &str = "run";
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// MAML against plain training (NAL) on Omniglot: the usual benchmark, and easy and hard tasks
#[derive(Parser)]
#[command(name = "omniglot", version)]
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

fn built_in(profile: Profile) -> &'static str {
    match profile {
        Profile::Smoke => include_str!("../experiments/omniglot/smoke.toml"),
        Profile::Quick => include_str!("../experiments/omniglot/quick.toml"),
        Profile::Full => include_str!("../experiments/omniglot/full.toml"),
    }
}

fn run(arguments: &RunArguments, out: &mut Out) -> Result<(), Failure> {
    let mut config: Config = arguments.resolve(built_in)?;
    config.seeds = arguments.seeds(&config.seeds)?;
    config.check().map_err(|sentence| failure(&RunError::Config(sentence)))?;
    if arguments.print_config {
        return out.text(config::print(&config)?);
    }
    let (isa, threads) = (arguments.pin_isa()?, arguments.threads()?);
    let workers = Workers::new(threads).map_err(|error| Failure::usage(error.to_string()))?;
    let mut progress = Progress::new(arguments.progress);
    let data_folder = arguments.data()?;
    let images = Arc::new(load_images(data_folder.as_deref(), &mut progress)?);
    let data = DataSource { name: images.source.to_string(), sha256: images.digest.clone(), folder: data_folder };
    let mut experiment = Run::new(config, images, workers).map_err(|error| failure(&error))?;
    let manifest = Manifest::now("omniglot", isa.name(), threads, data, &experiment.config().seeds);
    let folder = arguments.open_folder(experiment.config(), &manifest)?;
    if arguments.resume.is_some() {
        restore(&mut experiment, &folder, &mut progress)?;
    }
    work(&mut experiment, &folder, &mut progress)?;
    let summary = experiment.summary();
    if arguments.json {
        return out.text(summary_text(&summary)?);
    }
    print(&summary, out)?;
    out.line(format!("\nEverything about this run: {}", folder.path().display()))
}

fn restore(experiment: &mut Run, folder: &RunFolder, progress: &mut Progress) -> Result<(), Failure> {
    let Some(checkpoint) = folder.load_checkpoint(CHECKPOINT)? else { return Ok(()) };
    if let Some(warning) = checkpoint.warning {
        progress.note(&warning);
    }
    experiment.restore(&checkpoint.bytes).map_err(|error| failure(&error))
}

/// Advances the run to its end, saving on the way and before every early end.
fn work(experiment: &mut Run, folder: &RunFolder, progress: &mut Progress) -> Result<(), Failure> {
    let stop = StopFlag::on_signals()?;
    let mut saved = Instant::now();
    let (mut stage, mut tasks) = (String::new(), 0);
    while !experiment.is_finished() {
        let step = match experiment.advance() {
            Ok(step) => step,
            Err(error) => {
                save(experiment, folder)?;
                progress.end();
                let place = folder.path().display();
                return Err(
                    failure(&error).help(format!("the results and the state before this step are saved in {place}"))
                );
            }
        };
        if step.stage != stage {
            stage.clone_from(&step.stage);
            tasks = 0;
            progress.stage(&stage, step.total);
        }
        tasks += step.new_tasks;
        progress.step(&Reading { step: step.done, tasks, loss: step.loss, accuracy: step.accuracy });
        if stop.requested() {
            save(experiment, folder)?;
            progress.end();
            return Err(Failure::stopped(folder.path()));
        }
        if saved.elapsed() > CHECKPOINT_EVERY {
            save(experiment, folder)?;
            saved = Instant::now();
        }
    }
    save(experiment, folder)?;
    progress.end();
    Ok(())
}

/// Writes what is known so far. The results come first: a state never claims more than the files beside it hold.
fn save(experiment: &Run, folder: &RunFolder) -> Result<(), Failure> {
    folder.write_rows(&rows(experiment.scores()))?;
    folder.write_summary(&experiment.summary())?;
    let bytes = experiment.save().map_err(|error| failure(&error))?;
    folder.save_checkpoint(CHECKPOINT, &bytes)
}

fn failure(error: &RunError) -> Failure {
    let exit = match error {
        RunError::Config(_) | RunError::Tasks { .. } => Exit::Usage,
        RunError::Diverged { .. } => Exit::Diverged,
        RunError::Checkpoint(_) | RunError::State(_) => Exit::Data,
    };
    Failure::new(exit, error.to_string())
}
