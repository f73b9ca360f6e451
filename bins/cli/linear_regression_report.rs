//! The files and tables of the linear-regression experiment.

use maml_meta::{
    LearnerName,
    experiment::linear_regression::{
        CellError, Claim, ClosedForms, EngineError, EngineResult, Gain, Measure, Point, Run, RunError, Side, Summary,
    },
    theory::TheoryError,
};

use crate::{
    drive::Shown,
    exit::{Exit, Failure},
    linear_regression_figures::figures,
    out::Out,
    run_folder::RunFolder,
    table::{Caption, Table, interval},
};

const POINTS: &str = "points.csv";
const GAINS: &str = "gains.csv";

impl Shown for Run {
    fn write(&self, folder: &RunFolder) -> Result<(), Failure> {
        folder.write_rows(&self.rows())?;
        folder.write_table(POINTS, &self.points())?;
        folder.write_table(GAINS, &self.gains())?;
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
    let mut sweeps: Vec<&str> = summary.points.iter().map(|point| point.sweep.as_str()).collect();
    sweeps.dedup();
    for sweep in sweeps {
        let points: Vec<&Point> = summary.points.iter().filter(|point| point.sweep == sweep).collect();
        let gains: Vec<&Gain> = summary.gains.iter().filter(|gain| gain.sweep == sweep).collect();
        table_of(sweep, &points, &gains, summary.parameters.level).print(out)?;
        out.line("")?;
    }
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
    summary.claims.iter().try_for_each(|claim| print_claim(claim, out))?;
    out.line("\nProtocol (reconstructed, not the paper's):")?;
    summary.protocol.iter().try_for_each(|sentence| out.line(format!("- {sentence}")))
}

fn table_of(sweep: &str, points: &[&Point], gains: &[&Gain], level: f64) -> Table {
    let first = points[0];
    let (title, gain) = match first.measure {
        Measure::Risk => ("excess risk after adaptation", vec!["E(NAL)/E(MAML)", "closed form"]),
        Measure::Estimation => ("distance of the empirical from the population solution", Vec::new()),
    };
    let across = first.across_parameter.iter().map(String::as_str);
    let header: Vec<&str> = std::iter::once(first.parameter.as_str())
        .chain(across)
        .chain(["NAL", "closed form", "MAML", "closed form"])
        .chain(gain)
        .collect();
    let mut table = Table::new(format!("{sweep}: {title}"), &header);
    for (i, pair) in points.chunks_exact(2).enumerate() {
        let mut cells = vec![pair[0].value.to_string()];
        cells.extend(pair[0].across_value.map(|value| value.to_string()));
        for point in pair {
            cells.push(interval(point.mean, (point.ci_high - point.ci_low) / 2.0, decimals(point.mean)));
            cells.push(point.theory.map_or("–".into(), |x| format!("{x:.*}", decimals(x))));
        }
        if let Some(gain) = gains.get(i) {
            cells.push(interval(gain.ratio, (gain.ratio_high - gain.ratio_low) / 2.0, 3));
            cells.push(format!("{:.3}", gain.theory_ratio));
        }
        table.row(cells);
    }
    let estimator = "mean over seeds, Student t; ratio: geometric mean".into();
    table.caption(Caption { estimator, n: first.seeds, level });
    table
}

/// Digits after the point that leave about four significant ones.
fn decimals(x: f64) -> usize {
    (3.0 - x.abs().max(1e-9).log10().floor()).clamp(0.0, 12.0) as usize
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

fn print_claim(claim: &Claim, out: &mut Out) -> Result<(), Failure> {
    out.line(format!("\nClaim {}: {}. {}", claim.id, claim.verdict, claim.statement))?;
    for statistic in &claim.statistics {
        let estimate = &statistic.estimate;
        out.line(format!(
            "  {}: {} ({} % interval, {} over seeds, n = {}): {}",
            statistic.what,
            interval(estimate.mean, estimate.half_width(), 4),
            100.0 * estimate.level,
            estimate.estimator,
            estimate.n,
            statistic.verdict
        ))?;
    }
    Ok(())
}
