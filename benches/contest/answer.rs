//! What an engine answers, ours and peers alike: one line of JSON.

use std::process::Output;

use serde::{Deserialize, Serialize};

/// Engines may differ by this much, relatively; more, and they did not do the same job.
pub(crate) const TOLERANCE: f64 = 1e-3;

/// The fields are those of `benches/peers/problem.py`.
#[derive(Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) median_s: f64,
    pub(crate) min_s: f64,
    pub(crate) max_s: f64,
    pub(crate) samples: usize,
    /// Peak memory of the whole process.
    pub(crate) rss_mib: f64,
    pub(crate) loss: f64,
    /// Of the gradient, the meta-gradient or the Hessian-vector product.
    pub(crate) norm: f64,
}

impl Answer {
    /// The answer of a process that has ended, or what it complained of.
    pub(crate) fn of(output: Output) -> Result<Self, String> {
        let [printed, complaint] =
            [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        if !output.status.success() {
            return Err(format!("{}\n{}", output.status, complaint.trim_end()));
        }
        let line = printed.lines().last().unwrap_or_default();
        serde_json::from_str(line).map_err(|e| format!("the answer {line:?} is none: {e}"))
    }

    /// The widest relative difference in loss and norm.
    pub(crate) fn difference(&self, other: &Self) -> f64 {
        let relative = |a: f64, b: f64| if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) };
        relative(self.loss, other.loss).max(relative(self.norm, other.norm))
    }

    /// Several runs of one engine at one case as one: the median of their medians, the extremes of all.
    pub(crate) fn pooled(runs: Vec<Self>) -> Self {
        let largest = |of: fn(&Self) -> f64| runs.iter().map(of).fold(0.0, f64::max);
        Self {
            median_s: median(runs.iter().map(|run| run.median_s).collect()),
            min_s: runs.iter().map(|run| run.min_s).fold(f64::INFINITY, f64::min),
            max_s: largest(|run| run.max_s),
            samples: runs.iter().map(|run| run.samples).sum(),
            rss_mib: largest(|run| run.rss_mib),
            // Ours has the same bits in every run.
            ..runs[0]
        }
    }
}

/// The middle number, or the mean of the two in the middle.
pub(crate) fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    let middle = x.len() / 2;
    if x.len() % 2 == 1 { x[middle] } else { 0.5 * (x[middle - 1] + x[middle]) }
}
