//! The figures of the two-layer experiment: sweeps, gradient norms at stationary points, loss surfaces.

use maml_meta::{
    LearnerName,
    experiment::{
        sweep::{Gain, Point},
        two_layer::{Run, Summary, Surface},
    },
};

use crate::{
    figure::{Axes, Axis, Curve, Figure, Map, Mark, Panel, Path, Role, Sample, Samples},
    sweep_figures::{Lines, panels, role},
};

/// The figure of everything of which something is known, by its name.
pub(crate) fn figures(run: &Run, summary: &Summary) -> Vec<(String, Figure)> {
    let sweep = |name: &String| {
        let sweep = &run.config().sweep[name];
        let points: Vec<&Point> = summary.points.iter().filter(|point| point.sweep == *name).collect();
        let gains: Vec<&Gain> = summary.gains.iter().filter(|gain| gain.sweep == *name).collect();
        let x = Axis { label: sweep.label.clone(), log: sweep.log };
        let panels = panels(&x, &points, &gains, &Lines::joining(&points, &gains));
        let caption = format!(
            "Points: mean over seeds with its {} % interval (Student t); lines join them. What is on no axis stays at the base. \
             {}",
            (run.config().level * 1e4).round() / 1e2,
            summary.protocol.join(" ")
        );
        (!points.is_empty()).then(|| (name.clone(), Figure { title: sweep.title.clone(), panels, caption }))
    };
    let sweeps = run.config().run.iter().filter_map(sweep);
    let pairs = summary.pairs.iter().flat_map(|_| {
        [
            ("stationary_points".to_string(), stationary_points(run)),
            ("gradient_ratios".to_string(), gradient_ratios(run)),
        ]
    });
    let surface = run.surface().map(|surface| ("loss_surface".into(), loss_surface(run, surface)));
    sweeps.chain(pairs).chain(surface).collect()
}

/// Gradient norms on both tasks, and the ratio beside its bound.
fn stationary_points(run: &Run) -> Figure {
    let dot = |x: f64, y: f64| Sample { x, y, low: y, high: y };
    let norms = |learner: LearnerName| Samples {
        role: role(learner),
        points: run.pairs().map(|(_, pair)| pair.norms[learner as usize]).map(|[easy, hard]| dot(easy, hard)).collect(),
    };
    let diagonal = |samples: &[Samples]| {
        let ends = samples.iter().flat_map(|series| &series.points).map(|p| p.x);
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        vec![Curve { role: Role::Other, points: vec![(low, low), (high, high)] }]
    };
    let both: Vec<Samples> = LearnerName::BOTH.map(norms).into();
    let bounded = run.pairs().filter_map(|(_, pair)| Some(dot(pair.bound?, pair.norms[1][1] / pair.norms[1][0])));
    let bounded = vec![Samples { role: Role::Maml, points: bounded.collect() }];
    let axis = |label: &str| Axis { label: label.into(), log: true };
    let scatter = Axes {
        title: "Gradient norms at the solutions".into(),
        x: axis("‖∇f_E‖ (easy task)"),
        y: axis("‖∇f_H‖ (hard task)"),
        curves: diagonal(&both),
        samples: both,
        marks: Vec::new(),
    };
    let bound = Axes {
        title: "The ratio at MAML's solution and its bound".into(),
        // The bounds lie close together.
        x: Axis { label: "bound ((1 − αμ_E) / (1 − αL_H))²".into(), log: false },
        y: axis("‖∇f_H‖ / ‖∇f_E‖"),
        curves: diagonal(&bounded),
        samples: bounded,
        marks: vec![Mark::Horizontal(1.0, "equal norms".into())],
    };
    let caption = format!(
        "Each point is an environment of one easy and one hard task with population losses ({} samples each). Dotted: equality; \
         at a stationary point of NAL the two norms are equal, and MAML's ratio lies below the bound wherever αL < 1. {}",
        run.config().pairs.samples,
        run.protocol()[..3].join(" ")
    );
    Figure { title: "Stationary points".into(), panels: vec![Panel::Axes(scatter), Panel::Axes(bound)], caption }
}

/// How the ratio of the gradient norms is distributed over environments.
fn gradient_ratios(run: &Run) -> Figure {
    let curve = |learner: LearnerName| {
        let mut ratios: Vec<f64> = run.pairs().map(|(_, pair)| pair.log_ratio(learner).exp()).collect();
        ratios.sort_by(f64::total_cmp);
        let count = ratios.len() as f64;
        let steps =
            ratios.into_iter().enumerate().flat_map(|(i, x)| [(x, i as f64 / count), (x, (i + 1) as f64 / count)]);
        Curve { role: role(learner), points: steps.collect() }
    };
    let panel = Axes {
        title: "Cumulative distribution".into(),
        x: Axis { label: "‖∇f_H‖ / ‖∇f_E‖ at the learner's solution".into(), log: true },
        y: Axis { label: "share of environments".into(), log: false },
        curves: LearnerName::BOTH.map(curve).into(),
        samples: Vec::new(),
        marks: Vec::new(),
    };
    let caption = format!("{} two-task environments. {}", run.pairs().count(), run.protocol()[..3].join(" "));
    Figure { title: "Gradient norms of the hard and the easy task".into(), panels: vec![Panel::Axes(panel)], caption }
}

fn loss_surface(run: &Run, surface: &Surface) -> Figure {
    let titles = ["NAL's objective", "MAML's objective", "Easy task", "Hard task"];
    let optimum = |label: &str, at| Path { label: label.into(), role: None, points: vec![at] };
    let way = |learner: LearnerName, steps: &[usize]| {
        let ways = &surface.ways[learner as usize];
        // Each step begins at the solution.
        let points = steps.iter().flat_map(|&step| [ways[0], ways[step]]).collect();
        Path { label: learner.name().into(), role: Some(role(learner)), points }
    };
    let panel = |(i, title): (usize, &str)| {
        let steps: &[usize] = match i {
            2 => &[1],
            3 => &[2],
            _ => &[1, 2],
        };
        let [easy, hard] = surface.optima;
        let ways = LearnerName::BOTH.map(|learner| way(learner, steps));
        Panel::Map(Map {
            title: title.into(),
            x: Axis { label: "along the easy optimum".into(), log: false },
            y: Axis { label: "across, towards the hard optimum".into(), log: false },
            label: "loss".into(),
            xs: surface.xs.clone(),
            ys: surface.ys.clone(),
            z: surface.losses[i].clone(),
            contours: Vec::new(),
            written: Vec::new(),
            paths: [optimum("easy", easy), optimum("hard", hard), optimum("0", (0.0, 0.0))]
                .into_iter()
                .chain(ways)
                .collect(),
        })
    };
    let off = surface.off_plane.map(|share| 100.0 * share);
    let caption = format!(
        "The plane through the easy optimum, the hard optimum and the origin of weight space, for the first two-task \
         environment; colours are logarithmic. NAL's and MAML's solutions, with the way of one adaptation step to each task, are \
         projected on it, neurons in the order closest to the easy optimum; {:.0} % and {:.0} % of their length lie off the \
         plane. {}",
        off[0],
        off[1],
        run.protocol()[..3].join(" ")
    );
    Figure { title: "Loss surfaces".into(), panels: titles.into_iter().enumerate().map(panel).collect(), caption }
}
