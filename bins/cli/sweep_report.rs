//! The files and tables of sweeps, the same for every experiment that has some.

use maml_meta::experiment::sweep::{Claim, Gain, Measure, Point};

use crate::{
    exit::Failure,
    out::Out,
    run_folder::RunFolder,
    table::{Caption, Table, interval},
};

const POINTS: &str = "points.csv";
const GAINS: &str = "gains.csv";

/// Writes `points.csv` and `gains.csv`.
///
/// # Errors
/// The folder cannot be written.
pub fn write_sweeps(folder: &RunFolder, points: &[Point], gains: &[Gain]) -> Result<(), Failure> {
    folder.write_table(POINTS, points)?;
    folder.write_table(GAINS, gains)
}

/// Prints a table for each sweep: both learners, their closed forms where there are any, and the gain.
///
/// # Errors
/// As for [`Out::line`].
pub fn print_sweeps(points: &[Point], gains: &[Gain], level: f64, out: &mut Out) -> Result<(), Failure> {
    let mut sweeps: Vec<&str> = points.iter().map(|point| point.sweep.as_str()).collect();
    sweeps.dedup();
    for sweep in sweeps {
        let of_sweep: Vec<&Point> = points.iter().filter(|point| point.sweep == sweep).collect();
        let its_gains: Vec<&Gain> = gains.iter().filter(|gain| gain.sweep == sweep).collect();
        table_of(sweep, &of_sweep, &its_gains, level).print(out)?;
        out.line("")?;
    }
    Ok(())
}

fn table_of(sweep: &str, points: &[&Point], gains: &[&Gain], level: f64) -> Table {
    let first = points[0];
    let title = match first.measure {
        Measure::Risk => "excess risk after adaptation",
        Measure::Estimation => "distance of the empirical from the population solution",
    };
    let closed = points.iter().any(|point| point.theory.is_some());
    let with_closed = |name: &'static str| std::iter::once(name).chain(closed.then_some("closed form"));
    let header: Vec<&str> = std::iter::once(first.parameter.as_str())
        .chain(first.across_parameter.iter().map(String::as_str))
        .chain(with_closed("NAL"))
        .chain(with_closed("MAML"))
        .chain((!gains.is_empty()).then(|| with_closed("E(NAL)/E(MAML)")).into_iter().flatten())
        .collect();
    let mut table = Table::new(format!("{sweep}: {title}"), &header);
    for (i, pair) in points.chunks_exact(2).enumerate() {
        let mut cells = vec![pair[0].value.to_string()];
        cells.extend(pair[0].across_value.map(|value| value.to_string()));
        let exact = |x: Option<f64>, decimals: usize| x.map_or("–".into(), |x| format!("{x:.decimals$}"));
        for point in pair {
            let decimals = decimals(point.mean);
            cells.push(interval(point.mean, (point.ci_high - point.ci_low) / 2.0, decimals));
            cells.extend(closed.then(|| exact(point.theory, decimals)));
        }
        if let Some(gain) = gains.get(i) {
            cells.push(interval(gain.ratio, (gain.ratio_high - gain.ratio_low) / 2.0, 3));
            cells.extend(closed.then(|| exact(gain.theory_ratio, 3)));
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

/// Prints each claim with its statistics and its verdict.
///
/// # Errors
/// As for [`Out::line`].
pub fn print_claims(claims: &[Claim], out: &mut Out) -> Result<(), Failure> {
    claims.iter().try_for_each(|claim| print_claim(claim, out))
}

fn print_claim(claim: &Claim, out: &mut Out) -> Result<(), Failure> {
    out.line(format!("\nClaim {}: {}. {}", claim.id, claim.verdict, claim.statement))?;
    for statistic in &claim.statistics {
        let estimate = &statistic.estimate;
        out.line(format!(
            "  {}: {} ({} % interval, {} over {}, n = {}): {}",
            statistic.what,
            interval(estimate.mean, estimate.half_width(), 4),
            100.0 * estimate.level,
            estimate.estimator,
            statistic.over,
            estimate.n,
            statistic.verdict
        ))?;
    }
    Ok(())
}
