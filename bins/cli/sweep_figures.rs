//! The panels of a sweep, the same for every experiment that has some: both learners, and their ratio.

use maml_meta::{
    LearnerName,
    experiment::sweep::{Gain, Measure, Point},
};

use crate::figure::{Axes, Axis, Curve, Mark, Panel, Role, Sample, Samples};

/// The lines beside the points: closed forms, or what joins the means.
#[derive(Default)]
pub(crate) struct Lines {
    /// Of NAL and of MAML.
    pub(crate) learners: [Vec<(f64, f64)>; 2],
    /// Of E(NAL) / E(MAML).
    pub(crate) ratio: Vec<(f64, f64)>,
    /// A place worth naming in both panels.
    pub(crate) mark: Option<Mark>,
}

impl Lines {
    /// Straight lines between the means.
    pub(crate) fn joining(points: &[&Point], gains: &[&Gain]) -> Self {
        let of = |learner: LearnerName| points.iter().filter(move |point| point.learner == learner.name());
        Self {
            learners: LearnerName::BOTH.map(|learner| of(learner).map(|point| (point.value, point.mean)).collect()),
            ratio: gains.iter().map(|gain| (gain.value, gain.ratio)).collect(),
            mark: None,
        }
    }
}

pub(crate) fn role(learner: LearnerName) -> Role {
    match learner {
        LearnerName::Nal => Role::Nal,
        LearnerName::Maml => Role::Maml,
    }
}

/// What is measured of both learners, and, for risks, their ratio.
pub(crate) fn panels(x: &Axis, points: &[&Point], gains: &[&Gain], lines: &Lines) -> Vec<Panel> {
    let Some(first) = points.first() else { return Vec::new() };
    let samples = |learner: LearnerName| {
        let mine = points.iter().filter(|point| point.learner == learner.name());
        let sample = |p: &&Point| Sample { x: p.value, y: p.mean, low: p.ci_low, high: p.ci_high };
        Samples { role: role(learner), points: mine.map(sample).collect() }
    };
    let curve = |learner: LearnerName| Curve { role: role(learner), points: lines.learners[learner as usize].clone() };
    let (title, label) = match first.measure {
        Measure::Risk => ("Excess risk after adaptation", "E(w) (loss units)"),
        Measure::Estimation => ("Distance from the population's solution", "½ (ŵ − w)ᵀ E[M] (ŵ − w) (loss units)"),
    };
    let mut panels = vec![Panel::Axes(Axes {
        title: title.into(),
        x: x.clone(),
        y: Axis { label: label.into(), log: true },
        curves: LearnerName::BOTH.map(curve).into(),
        samples: LearnerName::BOTH.map(samples).into(),
        marks: lines.mark.iter().cloned().collect(),
    })];
    if !gains.is_empty() {
        let ratio = gains.iter().map(|g| Sample { x: g.value, y: g.ratio, low: g.ratio_low, high: g.ratio_high });
        panels.push(Panel::Axes(Axes {
            title: "Gain".into(),
            x: x.clone(),
            y: Axis { label: "E(NAL) / E(MAML)".into(), log: false },
            curves: vec![Curve { role: Role::Gain, points: lines.ratio.clone() }],
            samples: vec![Samples { role: Role::Gain, points: ratio.collect() }],
            marks: lines.mark.iter().cloned().chain([Mark::Horizontal(1.0, "no gain".into())]).collect(),
        }));
    }
    panels
}
