//! The figures of the linear-regression experiment: a sweep, or a map, each.

use maml_meta::{
    LearnerName,
    experiment::{
        linear_regression::{Config, Run, Sweep},
        sweep::{Gain, Measure, Point},
    },
};

use crate::figure::{Axes, Axis, Curve, Figure, Map, Mark, Panel, Role, Sample, Samples};

/// The figure of every sweep of which anything is known, by its name.
pub(crate) fn figures(run: &Run) -> Vec<(String, Figure)> {
    let (points, gains, config) = (run.points(), run.gains(), run.config());
    let figure = |name: &String| {
        let sweep = &config.sweep[name];
        let points: Vec<&Point> = points.iter().filter(|point| point.sweep == *name).collect();
        let gains: Vec<&Gain> = gains.iter().filter(|gain| gain.sweep == *name).collect();
        let panels = match (sweep.across.is_some(), sweep.measure) {
            (true, _) => vec![map(config, sweep, &gains)],
            (false, Measure::Risk) => lines(config, sweep, &points, &gains),
            (false, Measure::Estimation) => lines(config, sweep, &points, &[]),
        };
        let caption = caption(config, sweep, run.protocol());
        (!points.is_empty()).then(|| (name.clone(), Figure { title: sweep.title.clone(), panels, caption }))
    };
    config.run.iter().filter_map(figure).collect()
}

fn caption(config: &Config, sweep: &Sweep, protocol: Vec<String>) -> String {
    let (seeds, percent) = (config.seeds.len(), (config.level * 1e4).round() / 1e2);
    let shown = match sweep.across {
        None => {
            format!("Lines: closed form. Points: mean over {seeds} seeds with its {percent} % interval (Student t).")
        }
        Some(_) => format!(
            "Colours and contours: closed form. Numbers at the dots: simulated ratios, geometric mean over {seeds} seeds."
        ),
    };
    format!("{shown} What is on no axis stays at the base. {}", protocol.join(" "))
}

fn role(learner: LearnerName) -> Role {
    match learner {
        LearnerName::Nal => Role::Nal,
        LearnerName::Maml => Role::Maml,
    }
}

/// What is measured of both learners, and, for risks, their ratio.
fn lines(config: &Config, sweep: &Sweep, points: &[&Point], gains: &[&Gain]) -> Vec<Panel> {
    let curve = config.curve(sweep);
    let x = || Axis { label: sweep.parameter.label(), log: sweep.log };
    let crossing = curve.crossing.map(|m| Mark::Vertical(m, format!("predicted crossing, m = {m:.2}")));
    let of_learner = |learner: LearnerName| {
        let line = curve.points.iter().filter_map(|p| Some((p.value, p.learners[learner as usize]?)));
        let mine = points.iter().filter(|point| point.learner == learner.name());
        let sample = |p: &&Point| Sample { x: p.value, y: p.mean, low: p.ci_low, high: p.ci_high };
        (
            Curve { role: role(learner), points: line.collect() },
            Samples { role: role(learner), points: mine.map(sample).collect() },
        )
    };
    let (title, label) = match sweep.measure {
        Measure::Risk => ("Excess risk after adaptation", "E(w) (loss units)"),
        Measure::Estimation => ("Distance from the population's solution", "½ (ŵ − w)ᵀ E[M] (ŵ − w) (loss units)"),
    };
    let (curves, samples) = LearnerName::BOTH.map(of_learner).into_iter().unzip();
    let first = Axes {
        title: title.into(),
        x: x(),
        y: Axis { label: label.into(), log: true },
        curves,
        samples,
        marks: crossing.clone().into_iter().collect(),
    };
    let mut panels = vec![Panel::Axes(first)];
    if !gains.is_empty() {
        let ratio = gains.iter().map(|g| Sample { x: g.value, y: g.ratio, low: g.ratio_low, high: g.ratio_high });
        let line = curve.points.iter().map(|p| (p.value, p.ratio));
        panels.push(Panel::Axes(Axes {
            title: "Gain".into(),
            x: x(),
            y: Axis { label: "E(NAL) / E(MAML)".into(), log: false },
            curves: vec![Curve { role: Role::Gain, points: line.collect() }],
            samples: vec![Samples { role: Role::Gain, points: ratio.collect() }],
            marks: crossing.into_iter().chain([Mark::Horizontal(1.0, "no gain".into())]).collect(),
        }));
    }
    panels
}

/// The ratio of the risks in closed form, with the simulated ones written upon it.
fn map(config: &Config, sweep: &Sweep, gains: &[&Gain]) -> Panel {
    let across = sweep.across.as_ref().expect("a map has a second parameter");
    let surface = config.surface(sweep);
    let written = gains.iter().filter_map(|gain| Some((gain.value, gain.across_value?, gain.ratio)));
    Panel::Map(Map {
        title: "Gain E(NAL) / E(MAML)".into(),
        x: Axis { label: sweep.parameter.label(), log: sweep.log },
        y: Axis { label: across.parameter.label(), log: across.log },
        label: "E(NAL) / E(MAML)".into(),
        xs: surface.xs,
        ys: surface.ys,
        z: surface.ratios,
        written: written.collect(),
    })
}
