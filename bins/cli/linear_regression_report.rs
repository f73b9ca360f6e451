//! The files and tables of the linear-regression experiment.

use maml_meta::{
    LearnerName,
    experiment::linear_regression::{CellError, ClosedForms, EngineError, EngineResult, Run, RunError, Side, Summary},
    theory::TheoryError,
};

use crate::{
    drive::Shown,
    exit::{Exit, Failure},
    linear_regression_figures::figures,
    out::Out,
    run_folder::RunFolder,
    sweep_report::{print_claims, print_sweeps, write_sweeps},
    table::Table,
};

impl Shown for Run {
    fn write(&self, folder: &RunFolder) -> Result<(), Failure> {
        folder.write_rows(&self.rows())?;
        write_sweeps(folder, &self.points(), &self.gains())?;
        folder.write_summary(&self.summary())?;
        for (name, figure) in figures(self) {
            folder.write(&format!("{name}.svg"), figure.svg().as_bytes())?;
        }
        Ok(())
    }

    fn failure(error: &RunError) -> Failure {
        let exit = match error {
            RunError::Config(_) => Exit::Usage,
            RunError::Theory { source, .. } | RunError::Engine(EngineError::Theory(source)) => exit_of(source),
            RunError::Cell { source: CellError::Theory { source, .. }, .. } => exit_of(source),
            RunError::Cell { source: CellError::Diverged { .. }, .. } | RunError::Engine(EngineError::Diverged(_)) => {
                Exit::Diverged
            }
            RunError::State(_) => Exit::Data,
        };
        Failure::new(exit, error.to_string())
    }
}

fn exit_of(error: &TheoryError) -> Exit {
    match error {
        TheoryError::Landscape(_) | TheoryError::Singular { .. } => Exit::Usage,
        TheoryError::Diverged { .. } => Exit::Diverged,
    }
}

/// The message of a landscape without closed forms.
pub fn theory_failure(error: &TheoryError) -> Failure {
    Failure::new(exit_of(error), error.to_string()).help("--print-config shows every key with a valid value")
}

/// The closed forms as JSON, every digit.
///
/// # Errors
/// They cannot be written as JSON.
pub fn json_of_closed_forms(closed: &ClosedForms) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(closed);
    text.map(|text| text + "\n").map_err(|error| Failure::usage("this cannot be written as JSON").cause(error))
}

/// Prints the closed forms of one landscape.
///
/// # Errors
/// As for [`Out::line`].
pub fn print_closed_forms(closed: &ClosedForms, out: &mut Out) -> Result<(), Failure> {
    let mut header = vec!["learner", "E, all tasks"];
    header.extend(["distance", "spread", "noise"]);
    let of_groups: Vec<String> = closed.nal.groups.iter().map(|group| format!("E, {}", group.name)).collect();
    header.extend(of_groups.iter().map(String::as_str));
    let mut table = Table::new("Excess risk after adaptation, closed form (the middle columns are its parts)", &header);
    for (learner, side) in LearnerName::BOTH.into_iter().zip([&closed.nal, &closed.maml]) {
        let parts = [side.excess_risk, side.parts.distance, side.parts.spread, side.parts.noise];
        let numbers = parts.into_iter().chain(side.groups.iter().map(|group| group.excess_risk));
        table.row(std::iter::once(learner.name().to_string()).chain(numbers.map(|x| format!("{x:.6}"))));
    }
    table.print(out)?;
    out.line(format!("\nE(NAL) / E(MAML) = {:.6}, E(NAL) - E(MAML) = {:.6}", closed.ratio, closed.difference))?;
    out.line(match closed.crossing_m {
        Some(m) => format!("MAML's solution leaves NAL's towards its own limit beyond m = {m:.4} adaptation samples."),
        None => "MAML's solution crosses NAL's at no number of adaptation samples.".into(),
    })?;
    let sides: [(&str, &Side); 2] = [("NAL", &closed.nal), ("MAML", &closed.maml)];
    for (name, side) in sides {
        let numbers: Vec<String> = side.minimiser.iter().map(|w| format!("{w:.6}")).collect();
        out.line(format!("w_{name} = [{}]", numbers.join(", ")))?;
    }
    closed.notes.iter().try_for_each(|note| out.line(format!("Note: {note}.")))
}

/// Prints the tables of a run, its checks and its verdicts.
///
/// # Errors
/// As for [`Out::line`].
pub fn print(summary: &Summary, out: &mut Out) -> Result<(), Failure> {
    print_sweeps(&summary.points, &summary.gains, summary.parameters.level, out)?;
    print_engine(&summary.engine, out)?;
    let agreement = &summary.agreement;
    if agreement.points > 0 {
        out.line(format!(
            "Simulation against closed forms: {} points, {:.1} % of them within 2 standard errors, {} beyond 4, the \
             farthest at {:.2}.",
            agreement.points,
            100.0 * agreement.within_2,
            agreement.beyond_4,
            agreement.largest_z
        ))?;
    }
    print_claims(&summary.claims, out)?;
    out.line("\nProtocol (reconstructed, not the paper's):")?;
    summary.protocol.iter().try_for_each(|sentence| out.line(format!("- {sentence}")))
}

fn print_engine(engine: &[EngineResult], out: &mut Out) -> Result<(), Failure> {
    if engine.is_empty() {
        return Ok(());
    }
    let header = ["data", "learner", "steps", "|gradient| / first", "relative error", "allowed", "check"];
    let mut table = Table::new("The engine, trained by gradient descent to the closed-form minimiser", &header);
    for check in engine {
        table.row([
            check.data.clone(),
            check.learner.clone(),
            check.steps.to_string(),
            format!("{:.1e}", check.gradient),
            format!("{:.1e}", check.relative_error),
            format!("{:.0e}", check.tolerance),
            if check.passed { "passed" } else { "FAILED" }.into(),
        ]);
    }
    table.print(out)?;
    out.line("")
}
