//! The figures of the linear-regression experiment: a sweep, or a map, each.

use maml_meta::{
    LearnerName,
    experiment::{
        linear_regression::{Config, Run, Sweep},
        sweep::{Gain, Point},
    },
};

use crate::{
    figure::{Axis, Figure, Map, Mark, Panel},
    sweep_figures::{Lines, panels},
};

/// Contours of the maps of ratios, where they lie within the map.
const CONTOURS: [f64; 10] = [1.01, 1.1, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0];

/// The figure of every sweep of which anything is known, by its name.
pub(crate) fn figures(run: &Run) -> Vec<(String, Figure)> {
    let (points, gains, config) = (run.points(), run.gains(), run.config());
    let figure = |name: &String| {
        let sweep = &config.sweep[name];
        let points: Vec<&Point> = points.iter().filter(|point| point.sweep == *name).collect();
        let gains: Vec<&Gain> = gains.iter().filter(|gain| gain.sweep == *name).collect();
        let x = Axis { label: sweep.parameter.label(), log: sweep.log };
        let panels = match sweep.across.is_some() {
            true => vec![map(config, sweep, &gains)],
            false => panels(&x, &points, &gains, &lines(config, sweep)),
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

/// The closed forms along a sweep.
fn lines(config: &Config, sweep: &Sweep) -> Lines {
    let curve = config.curve(sweep);
    let of_learner = |learner: LearnerName| {
        let line = curve.points.iter().filter_map(|p| Some((p.value, p.learners[learner as usize]?)));
        line.collect()
    };
    Lines {
        learners: LearnerName::BOTH.map(of_learner),
        ratio: curve.points.iter().map(|p| (p.value, p.ratio)).collect(),
        mark: curve.crossing.map(|m| Mark::Vertical(m, format!("predicted crossing, m = {m:.2}"))),
    }
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
        contours: CONTOURS.to_vec(),
        written: written.collect(),
        paths: Vec::new(),
    })
}
