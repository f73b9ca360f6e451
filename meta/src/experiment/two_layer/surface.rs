//! What the learners' objectives look like: the losses of one environment on a plane.

use maml_autograd::{Tensor, Value, grad, value};
use serde::{Deserialize, Serialize};

use super::{
    config::Config,
    pair::{PLACE, norm, objectives, tasks},
    training::train,
};
use crate::{
    Params,
    maml::Order,
    model::{Regression, TwoLayer},
    task::teacher::matched,
    train::{Learner, objective},
};

/// The losses of one environment on the plane through the easy optimum, the hard optimum and the origin.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Surface {
    /// Coordinates along the easy optimum, and along the rest of the hard one.
    pub xs: Vec<f64>,
    /// The second coordinates.
    pub ys: Vec<f64>,
    /// NAL's objective, MAML's, the easy and the hard task's loss: a row for each of `ys`.
    pub losses: [Vec<Vec<f64>>; 4],
    /// The easy and the hard optimum.
    pub optima: [(f64, f64); 2],
    /// For NAL and MAML: the solution, and where adaptation to the easy and to the hard task leads, projected on the plane.
    pub ways: [[(f64, f64); 3]; 2],
    /// The share of each solution's distance from the origin that the projection loses.
    pub off_plane: [f64; 2],
}

/// The part of the plane beyond the outermost point of interest, as a share of the extent.
const ROOM: f64 = 0.35;

/// Evaluates the losses on the plane, and both learners' solutions.
///
/// # Errors
/// A learner's objective left the range of numbers.
pub(super) fn surface(config: &Config, index: u64) -> Result<Surface, String> {
    let tasks = tasks(config, index);
    let meta = objectives(&tasks);
    let losses = tasks.each_ref().map(|task| &task.data.query);
    let easy = tasks[0].teacher.clone();
    let hard = matched(&tasks[1].teacher, &easy).0;
    let first = easy.scale(1.0 / norm(&easy));
    let rest = hard.add_scaled(-hard.dot(&first).item(), &first);
    let second = rest.scale(1.0 / norm(&rest));
    let on_plane = |w: &Tensor<f64>| (w.dot(&first).item(), w.dot(&second).item());
    let mut ways = Vec::with_capacity(2);
    let mut off_plane = [0.0; 2];
    for (i, learner) in config.learners().into_iter().enumerate() {
        let (weights, _) =
            train(config, learner, &meta, (index, PLACE)).ok_or("the objective diverges from every start")?;
        let weights = matched(&weights, &easy).0;
        let step = |f: &Regression<TwoLayer, f64>| {
            let moved = weights.add_scaled(-config.alpha, &grad(f, std::slice::from_ref(&weights))[0]);
            on_plane(&moved)
        };
        let (x, y) = on_plane(&weights);
        off_plane[i] = (1.0 - (x * x + y * y) / weights.dot(&weights).item()).max(0.0).sqrt();
        ways.push([(x, y), step(losses[0]), step(losses[1])]);
    }
    let optima = [on_plane(&easy), on_plane(&hard)];
    let all = || optima.iter().chain(ways.iter().flatten()).chain([&(0.0, 0.0)]);
    let axis = |of: fn(&(f64, f64)) -> f64| {
        let (low, high) = all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let room = ROOM * (high - low);
        let places = config.pairs.surface.max(2);
        let step = (high - low + 2.0 * room) / (places - 1) as f64;
        (0..places).map(|i| low - room + step * i as f64).collect::<Vec<f64>>()
    };
    let (xs, ys) = (axis(|p| p.0), axis(|p| p.1));
    let grids = [0, 1, 2, 3].map(|which| {
        let at = |x: f64, y: f64| {
            let w = first.scale(x).add_scaled(y, &second);
            let params = Params::new(vec!["weight".to_string()].into(), vec![w]);
            match which {
                0 => objective(Learner::Nal, &meta, &params).0,
                1 => objective(Learner::Maml(config.inner(), Order::First), &meta, &params).0,
                _ => value(losses[which - 2], params.tensors()),
            }
        };
        ys.iter().map(|&y| xs.iter().map(|&x| at(x, y)).collect()).collect()
    });
    let ways = [ways[0], ways[1]];
    Ok(Surface { xs, ys, losses: grids, optima, ways, off_plane })
}
