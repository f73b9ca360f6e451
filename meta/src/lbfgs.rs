//! Minimisation to stationarity: L-BFGS (Liu and Nocedal 1989), for objectives that are computed whole.
//!
//! Gradient descent finds a good region; the last digits of a stationary point, which statements about gradients there
//! need, are a matter of curvature.

use std::collections::VecDeque;

use maml_autograd::Real;

use crate::Params;

/// When to stop.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stop {
    /// ‖∇f‖ at which a point counts as stationary.
    pub gradient: f64,
    /// The largest number of evaluations of f and ∇f.
    pub evaluations: usize,
}

/// Where a minimisation ended.
#[derive(Clone, Debug)]
pub struct Minimum<T: Real> {
    /// The point.
    pub params: Params<T>,
    /// f there; not finite only if it was not finite at the start.
    pub value: f64,
    /// ‖∇f‖ there.
    pub gradient: f64,
    /// Evaluations of f and ∇f.
    pub evaluations: usize,
    /// Whether the point is stationary by the rule of [`Stop`].
    pub is_stationary: bool,
}

/// Steps that a direction is built from.
const MEMORY: usize = 30;
/// Share of the decrease promised by the slope that a step must bring (Armijo's condition).
const ARMIJO: f64 = 1e-4;
/// Halvings of a step before a search is given up.
const HALVINGS: usize = 40;
/// Changes of f below this share of it are rounding.
const ROUNDING: f64 = 1e-15;

/// A point with its value and gradient.
struct Point<T: Real> {
    params: Params<T>,
    value: f64,
    gradient: Params<T>,
}

/// s = w' − w and y = ∇f(w') − ∇f(w) of a step, with ⟨s, y⟩ > 0.
struct Step<T: Real> {
    moved: Params<T>,
    bent: Params<T>,
    curvature: f64,
}

/// Minimises f from `start`. `f` gives value and gradient at a point; where they are not finite, no step ends.
pub fn minimise<T: Real>(
    start: Params<T>,
    stop: Stop,
    mut f: impl FnMut(&Params<T>) -> (f64, Params<T>),
) -> Minimum<T> {
    let mut evaluations = 0;
    let mut at = |params: Params<T>| {
        evaluations += 1;
        let (value, gradient) = f(&params);
        (Point { params, value, gradient }, evaluations)
    };
    let (mut here, mut evaluated) = at(start);
    let mut steps: VecDeque<Step<T>> = VecDeque::new();
    while here.gradient.norm() > stop.gradient && evaluated < stop.evaluations {
        let direction = descent(&steps, &here.gradient);
        // Without a memory the direction has no scale of its own.
        let unit = if steps.is_empty() { 1.0 / here.gradient.norm().max(1.0) } else { 1.0 };
        let slope = direction.dot(&here.gradient);
        let lengths = (0..HALVINGS).map(|k| unit * 0.5_f64.powi(k as i32));
        let mut found = None;
        for length in lengths.take(stop.evaluations - evaluated) {
            let (there, count) = at(here.params.add_scaled(length, &direction));
            evaluated = count;
            let allowed = here.value + ARMIJO * length * slope + ROUNDING * here.value.abs();
            if there.value <= allowed && there.gradient.norm().is_finite() {
                found = Some(there);
                break;
            }
        }
        match found {
            Some(there) => {
                remember(&mut steps, &here, &there);
                here = there;
            }
            // A memory spoiled by rounding, or by a kink: once more along the gradient alone, and then it is over.
            None if steps.is_empty() => break,
            None => steps.clear(),
        }
    }
    let gradient = here.gradient.norm();
    let is_stationary = gradient <= stop.gradient;
    Minimum { params: here.params, value: here.value, gradient, evaluations: evaluated, is_stationary }
}

/// −H ∇f, H being the inverse Hessian that the remembered steps suggest, by the two loops of the method.
fn descent<T: Real>(steps: &VecDeque<Step<T>>, gradient: &Params<T>) -> Params<T> {
    let mut q = gradient.clone();
    let mut weights = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        let weight = step.moved.dot(&q) / step.curvature;
        q = q.add_scaled(-weight, &step.bent);
        weights.push(weight);
    }
    if let Some(last) = steps.back() {
        let scale = last.curvature / last.bent.dot(&last.bent);
        q = q.map(|t| maml_autograd::Value::scale(t, scale));
    }
    for (step, weight) in steps.iter().zip(weights.into_iter().rev()) {
        let other = step.bent.dot(&q) / step.curvature;
        q = q.add_scaled(weight - other, &step.moved);
    }
    q.map(maml_autograd::Value::neg)
}

fn remember<T: Real>(steps: &mut VecDeque<Step<T>>, from: &Point<T>, to: &Point<T>) {
    let moved = to.params.add_scaled(-1.0, &from.params);
    let bent = to.gradient.add_scaled(-1.0, &from.gradient);
    let curvature = moved.dot(&bent);
    // Where f bends downwards a step says nothing of a minimum.
    if curvature > 1e-12 * moved.norm() * bent.norm() {
        if steps.len() == MEMORY {
            steps.pop_front();
        }
        steps.push_back(Step { moved, bent, curvature });
    }
}
