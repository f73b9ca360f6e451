//! Every operation and composition against central differences: first, second and third derivatives.
//!
//! Each derivative is probed along one random direction, with a random cotangent that is nowhere uniform,
//! and each order is the derivative of the order below, already checked:
//!
//! 1. f(x, g) = ⟨g, body(x)⟩,
//! 2. f′(x, g) = ⟨vjp(x; g), u⟩, the vector-Jacobian product as a function of inputs and cotangent,
//! 3. f″(x, g) = the derivative of f′ along v.

#[path = "support/body.rs"]
mod body;
#[path = "support/cases.rs"]
mod cases;
#[path = "support/sampling.rs"]
mod sampling;

use body::{Case, Paired};
use cases::{compositions, operations};
use maml_autograd::{Along, Function, Tape, Tensor, Value, grad, jvp, value};
use sampling::{direction, dot, largest, stream};

const SHAPES: u64 = 20;
const SEEDS: u64 = 3;

/// One draw of a case: a point (x…, g) and three directions there.
struct Probe<'a> {
    f: Paired<'a>,
    at: Vec<Tensor<f64>>,
    /// In x alone, so that the derivative along it is ⟨vjp, u⟩.
    u: Vec<Tensor<f64>>,
    v: Vec<Tensor<f64>>,
    w: Vec<Tensor<f64>>,
}

fn for_each_probe(cases: &[Case], seeds: u64, check: impl Fn(&Probe) -> Result<(), String>) {
    let mut failures = Vec::new();
    for case in cases {
        for (shape, seed) in (0..SHAPES).flat_map(|shape| (0..seeds).map(move |seed| (shape, seed))) {
            let sample = (case.sample)(&mut stream(&case.name, [shape, 0]));
            let rng = &mut stream(&case.name, [shape, 1 + seed]);
            let mut at = sample.inputs(rng);
            at.extend(direction(rng, &[sample.body.eval(&at)]));
            let [mut u, v, w] = std::array::from_fn(|_| direction(rng, &at));
            let g = u.last_mut().expect("the cotangent comes last");
            *g = Tensor::zeros(g.shape());
            if let Err(problem) = check(&Probe { f: Paired(&sample.body), at, u, v, w }) {
                let (body, shapes) = (&sample.body, &sample.shapes);
                failures.push(format!("{}, {body:?} of {shapes:?}, seed {seed}: {problem}", case.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures, the first: {}", failures.len(), failures[..1].join(""));
}

/// x + s·u
fn moved(x: &[Tensor<f64>], s: f64, u: &[Tensor<f64>]) -> Vec<Tensor<f64>> {
    let one =
        |(x, u): (&Tensor<f64>, &Tensor<f64>)| Tensor::from_fn(x.shape(), |i| x.as_slice()[i] + s * u.as_slice()[i]);
    x.iter().zip(u).map(one).collect()
}

/// Compares with (f(x + hu) − f(x − hu)) / 2h. The step balances its two errors, h² f‴ and eps·f / h.
fn against_difference(
    what: &str,
    derivative: f64,
    f: impl Fn(&[Tensor<f64>]) -> f64,
    x: &[Tensor<f64>],
    u: &[Tensor<f64>],
) -> Result<(), String> {
    let h = 6e-6 * largest(x).max(1.0);
    let difference = (f(&moved(x, h, u)) - f(&moved(x, -h, u))) / (2.0 * h);
    let close = (derivative - difference).abs() <= 1e-7 + 1e-6 * difference.abs();
    if close { Ok(()) } else { Err(format!("{what} {derivative:e}, by central difference {difference:e}")) }
}

/// Compares two exact ways, which differ by rounding.
fn agree(what: &str, a: f64, b: f64) -> Result<(), String> {
    let close = (a - b).abs() <= 1e-11 * (1.0 + a.abs());
    if close { Ok(()) } else { Err(format!("{what}: {a:e} against {b:e}")) }
}

fn first_order(p: &Probe) -> Result<(), String> {
    let derivative = dot(&grad(&p.f, &p.at), &p.u);
    agree("⟨vjp, u⟩ against ⟨g, jvp⟩", derivative, jvp(&p.f, &p.at, &p.u).1)?;
    against_difference("⟨vjp, u⟩", derivative, |x| value(&p.f, x), &p.at, &p.u)
}

/// ⟨vjp(x; g), u⟩ by one plain reverse sweep.
fn pulled_back(p: &Probe, at: &[Tensor<f64>]) -> f64 {
    let tape = Tape::new();
    let (g, x) = at.split_last().expect("the cotangent comes last");
    let x: Vec<_> = x.iter().map(|x| tape.variable(x)).collect();
    let y = p.f.0.eval(&x);
    dot(&tape.vjp(&[(&y, g.clone())], &x.iter().collect::<Vec<_>>()), &p.u[..x.len()])
}

/// The gradient of ⟨vjp(x; g), u⟩ in x and g, by a sweep over the recorded sweep.
fn gradient_of_pulled_back(p: &Probe) -> Vec<Tensor<f64>> {
    let tape = Tape::new();
    let at: Vec<_> = p.at.iter().map(|x| tape.variable(x)).collect();
    let (g, x) = at.split_last().expect("the cotangent comes last");
    let y = p.f.0.eval(x);
    let vjp = tape.recorded_vjp(&[(&y, g.clone())], &x.iter().collect::<Vec<_>>());
    let seeds: Vec<_> = vjp.iter().zip(p.u.iter().cloned()).collect();
    tape.vjp(&seeds, &at.iter().collect::<Vec<_>>())
}

fn second_order(p: &Probe) -> Result<(), String> {
    let derivative = dot(&gradient_of_pulled_back(p), &p.v);
    let forward = dot(&grad(&Along { function: &p.f, direction: &p.u }, &p.at), &p.v);
    agree("second derivative, reverse over reverse and reverse over forward", derivative, forward)?;
    against_difference("⟨∇⟨vjp, u⟩, v⟩", derivative, |at| pulled_back(p, at), &p.at, &p.v)
}

fn third_order(p: &Probe) -> Result<(), String> {
    let tape = Tape::new();
    let at: Vec<_> = p.at.iter().map(|x| tape.variable(x)).collect();
    let targets: Vec<_> = at.iter().collect();
    let mut y = p.f.eval(&at);
    for direction in [&p.u, &p.v] {
        let terms = tape.gradient(&y, &targets).into_iter().zip(direction);
        let terms = terms.map(|(g, u)| g.dot(&Value::constant(u.clone())));
        y = terms.reduce(|a, b| a.add(&b)).expect("there is a cotangent at least");
    }
    let derivative = dot(&tape.vjp(&[(&y, Tensor::scalar(1.0))], &targets), &p.w);
    let along_u = Along { function: &p.f, direction: &p.u };
    let along_uv = Along { function: &along_u, direction: &p.v };
    agree(
        "third derivative, by three sweeps and by one over two duals",
        derivative,
        dot(&grad(&along_uv, &p.at), &p.w),
    )?;
    against_difference("third derivative", derivative, |at| value(&along_uv, at), &p.at, &p.w)
}

#[test]
fn first_derivatives_of_operations() {
    for_each_probe(&operations(), SEEDS, first_order);
}

#[test]
fn first_derivatives_of_compositions() {
    for_each_probe(&compositions(), SEEDS, first_order);
}

#[test]
fn second_derivatives_of_operations() {
    for_each_probe(&operations(), SEEDS, second_order);
}

#[test]
fn second_derivatives_of_compositions() {
    for_each_probe(&compositions(), SEEDS, second_order);
}

#[test]
fn third_derivatives_of_operations() {
    for_each_probe(&operations(), 1, third_order);
}

#[test]
fn third_derivatives_of_compositions() {
    for_each_probe(&compositions(), 1, third_order);
}
