//! The files and tables of the two-layer experiment.

use maml_meta::experiment::two_layer::{PairSummary, Run, RunError, Summary};

use crate::{
    drive::Shown,
    exit::{Exit, Failure},
    out::Out,
    run_folder::RunFolder,
    sweep_report::{print_claims, print_sweeps, write_sweeps},
    table::interval,
    two_layer_figures::figures,
};

/// One line for each training.
const TRAININGS: &str = "trainings.csv";
/// One line for each two-task environment.
const PAIRS: &str = "pairs.csv";

impl Shown for Run {
    fn write(&self, folder: &RunFolder) -> Result<(), Failure> {
        let summary = self.summary();
        folder.write_table(TRAININGS, &self.training_rows())?;
        folder.write_table(PAIRS, &self.pair_rows())?;
        write_sweeps(folder, &summary.points, &summary.gains)?;
        folder.write_summary(&summary)?;
        for (name, figure) in figures(self, &summary) {
            folder.write(&format!("{name}.svg"), figure.svg().as_bytes())?;
        }
        Ok(())
    }

    fn failure(error: &RunError) -> Failure {
        let exit = match error {
            RunError::Config(_) => Exit::Usage,
            RunError::State(_) => Exit::Data,
        };
        Failure::new(exit, error.to_string())
    }
}

/// Prints the tables of a run, how its trainings went, and its verdicts.
///
/// # Errors
/// As for [`Out::line`].
pub fn print(summary: &Summary, out: &mut Out) -> Result<(), Failure> {
    print_sweeps(&summary.points, &summary.gains, summary.parameters.level, out)?;
    let t = &summary.trainings;
    out.line(format!(
        "Trainings: {}; not stationary: {} (largest remaining gradient: {:.1e} of the first); starts that diverged: {}; solutions \
         with dead units: {}.",
        t.count, t.not_stationary, t.largest_gradient, t.diverged_starts, t.with_dead_units
    ))?;
    if let Some(pairs) = &summary.pairs {
        print_pairs(pairs, out)?;
    }
    for failure in &summary.failures {
        out.line(format!("Failed: {failure}"))?;
    }
    print_claims(&summary.claims, out)?;
    out.line("\nProtocol (reconstructed, not the paper's):")?;
    summary.protocol.iter().try_for_each(|sentence| out.line(format!("- {sentence}")))
}

fn print_pairs(pairs: &PairSummary, out: &mut Out) -> Result<(), Failure> {
    let [nal, maml] = [&pairs.nal_log_ratio, &pairs.maml_log_ratio].map(|e| interval(e.mean, e.half_width(), 3));
    out.line(format!(
        "Two-task environments: {}. ln(|grad f_H| / |grad f_E|) at NAL's solution {nal}, at MAML's {maml}; smaller on the hard \
         task at MAML's in {:.1} %. The bound applies in {} (alpha L < 1; its mean is {:.3}) and holds in {} of them.",
        pairs.environments,
        100.0 * pairs.smaller_on_hard,
        pairs.bound_applies,
        pairs.alpha_l,
        pairs.bound_holds
    ))
}
