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

/// A plane through the origin of weight space, by two orthonormal directions.
struct Plane([Tensor<f64>; 2]);

impl Plane {
    /// That of two networks; none if they lie in one direction.
    fn through(easy: &Tensor<f64>, hard: &Tensor<f64>) -> Option<Self> {
        let first = easy.scale(1.0 / norm(easy));
        let rest = hard.add_scaled(-hard.dot(&first).item(), &first);
        let size = norm(&rest);
        (size > 1e-9 * norm(hard)).then(|| Self([first, rest.scale(1.0 / size)]))
    }

    fn project(&self, w: &Tensor<f64>) -> (f64, f64) {
        (w.dot(&self.0[0]).item(), w.dot(&self.0[1]).item())
    }

    fn at(&self, x: f64, y: f64) -> Params<f64> {
        let w = self.0[0].scale(x).add_scaled(y, &self.0[1]);
        Params::new(vec!["weight".to_string()].into(), vec![w])
    }
}

/// Evaluates the losses on the plane, and both learners' solutions.
///
/// # Errors
/// A learner's objective left the range of numbers, or there is no plane.
pub(super) fn surface(config: &Config, index: u64) -> Result<Surface, String> {
    let tasks = tasks(config, index);
    let meta = objectives(config, &tasks);
    let losses = tasks.each_ref().map(|task| &task.data.query);
    let easy = &tasks[0].teacher;
    let hard = matched(&tasks[1].teacher, easy).0;
    let plane = Plane::through(easy, &hard).ok_or("the optima of both tasks and the origin lie on a line")?;
    let (mut ways, mut off_plane) = (Vec::with_capacity(2), [0.0; 2]);
    for (learner, off) in config.learners().into_iter().zip(&mut off_plane) {
        let (weights, _) = train(config, learner, &meta, (index, PLACE))?;
        let weights = matched(&weights, easy).0;
        let (x, y) = plane.project(&weights);
        *off = (1.0 - (x * x + y * y) / weights.dot(&weights).item()).max(0.0).sqrt();
        let step = |f: &Regression<TwoLayer, f64>| {
            plane.project(&weights.add_scaled(-config.alpha, &grad(f, std::slice::from_ref(&weights))[0]))
        };
        ways.push([(x, y), step(losses[0]), step(losses[1])]);
    }
    let optima = [plane.project(easy), plane.project(&hard)];
    let interest: Vec<(f64, f64)> = optima.iter().chain(ways.iter().flatten()).copied().chain([(0.0, 0.0)]).collect();
    let axis = |of: fn(&(f64, f64)) -> f64| places(interest.iter().map(of), config.pairs.surface);
    let (xs, ys) = (axis(|p| p.0), axis(|p| p.1));
    let maml = Learner::Maml(config.inner(), Order::First);
    let grids = [0, 1, 2, 3].map(|which| {
        let at = |w: Params<f64>| match which {
            0 => objective(Learner::Nal, &meta, &w).0,
            1 => objective(maml, &meta, &w).0,
            _ => value(losses[which - 2], w.tensors()),
        };
        ys.iter().map(|&y| xs.iter().map(|&x| at(plane.at(x, y))).collect()).collect()
    });
    Ok(Surface { xs, ys, losses: grids, optima, ways: [ways[0], ways[1]], off_plane })
}

/// Equally spaced places around all of interest.
fn places(interest: impl Iterator<Item = f64>, count: usize) -> Vec<f64> {
    let (low, high) = interest.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    let (room, count) = (ROOM * (high - low), count.max(2));
    let step = (high - low + 2.0 * room) / (count - 1) as f64;
    (0..count).map(|i| low - room + step * i as f64).collect()
}
