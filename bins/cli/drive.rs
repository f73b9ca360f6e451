//! The loop around any experiment: advance it, show it, save it, stop it.

use std::time::{Duration, Instant};

use maml_meta::{experiment::Experiment, parallel::Workers};
use serde::Serialize;

use crate::{
    arguments::RunArguments,
    config,
    exit::Failure,
    manifest::{DataSource, Manifest},
    operations::Operations,
    progress::{Progress, Reading},
    run_folder::RunFolder,
    stop::StopFlag,
};

const CHECKPOINT: &str = "run";
const CHECKPOINT_EVERY: Duration = Duration::from_secs(20);

/// What a binary knows of its experiment: its files, and what its errors mean to a shell.
pub trait Shown: Experiment {
    /// Writes what is known so far.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn write(&self, folder: &RunFolder) -> Result<(), Failure>;

    /// The exit code and the message of an error.
    fn failure(error: &Self::Error) -> Failure;
}

/// Runs an experiment that samples its own data, from the arguments to its end: `build` makes it of its config.
///
/// # Errors
/// Wrong arguments; the experiment cannot be built; and as for [`drive`].
pub fn run_sampled<E: Shown, C: Serialize>(
    name: &str,
    arguments: &RunArguments,
    config: &C,
    seeds: &[u64],
    build: impl FnOnce(Workers) -> Result<E, E::Error>,
) -> Result<(E, RunFolder), Failure> {
    let (isa, threads) = (arguments.pin_isa()?, arguments.threads()?);
    let (workers, operations) = Operations::of(arguments, threads)?;
    let mut progress = Progress::new(arguments.progress);
    let mut experiment = build(workers).map_err(|error| E::failure(&error))?;
    let data = DataSource::sampled(&config::print(config)?);
    let manifest = Manifest::now(name, isa.name(), threads, data, seeds);
    let folder = arguments.open_folder(config, &manifest)?;
    operations.after(drive(&mut experiment, &folder, &mut progress), &folder)?;
    Ok((experiment, folder))
}

/// Brings an experiment to where the run in `folder` stopped, if it did, and advances it to its end.
///
/// # Errors
/// There are saved states and none is intact, or it is of another run; the experiment cannot go on, the folder cannot be
/// written, or the user asked to stop.
pub fn drive<E: Shown>(experiment: &mut E, folder: &RunFolder, progress: &mut Progress) -> Result<(), Failure> {
    if let Some(checkpoint) = folder.load_checkpoint(CHECKPOINT)? {
        if let Some(warning) = checkpoint.warning {
            progress.note(&warning);
        }
        experiment.restore(&checkpoint.bytes).map_err(|error| E::failure(&error))?;
    }
    work(experiment, folder, progress)
}

/// Advances an experiment to its end, saving on the way and before every early end.
fn work<E: Shown>(experiment: &mut E, folder: &RunFolder, progress: &mut Progress) -> Result<(), Failure> {
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
                let help = format!("the results and the state before this step are saved in {place}");
                return Err(E::failure(&error).help(help));
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

/// The results come first: a state never claims more than the files beside it hold.
fn save<E: Shown>(experiment: &E, folder: &RunFolder) -> Result<(), Failure> {
    experiment.write(folder)?;
    let bytes = experiment.save().map_err(|error| E::failure(&error))?;
    folder.save_checkpoint(CHECKPOINT, &bytes)
}
