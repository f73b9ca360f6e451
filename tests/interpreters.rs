//! The engine against a second interpreter of the same vocabulary, which shares no loop with it. Over
//! `Dual`, that interpreter gives exact derivatives of any order, so nothing here is a finite difference.

#[path = "support/body.rs"]
mod body;
#[path = "support/cases.rs"]
mod cases;
#[path = "support/program.rs"]
mod program;
#[path = "support/reference.rs"]
mod reference;
#[path = "support/sampling.rs"]
mod sampling;

use body::Paired;
use cases::{compositions, operations};
use maml_autograd::{Along, Function, Tensor, Value, grad, hvp};
use program::Program;
use reference::Reference;
use sampling::{Rng, direction, dot, largest, stream};

fn lift(x: &[Tensor<f64>]) -> Vec<Reference> {
    x.iter().cloned().map(Reference::constant).collect()
}

/// |have − want| ≤ tolerance · (1 + size), the size being that of the terms that were added up.
fn assert_close(what: &str, have: f64, want: f64, size: f64, tolerance: f64) {
    assert!((have - want).abs() <= tolerance * (1.0 + size), "{what}: {have:e} instead of {want:e}");
}

fn assert_same_array(what: &str, have: &Tensor<f64>, want: &Reference, tolerance: f64) {
    assert_eq!(have.shape(), want.shape, "{what}: shape");
    let size = largest(&[want.peek()]);
    have.as_slice().iter().zip(&want.data).for_each(|(have, want)| assert_close(what, *have, *want, size, tolerance));
}

/// First to third derivatives along random directions: reverse sweeps of the engine against forward mode
/// over the second interpreter.
fn assert_same_derivatives(what: &str, f: &impl Function<f64>, x: &[Tensor<f64>], rng: &mut Rng) {
    const TOLERANCE: f64 = 1e-11;
    let [u, v, w] = std::array::from_fn(|_| direction(rng, x));
    let f_u = Along { function: f, direction: &u };
    let f_uv = Along { function: &f_u, direction: &v };
    let f_uvw = Along { function: &f_uv, direction: &w };
    let lifted = lift(x);
    let absolute = |a: &[Tensor<f64>]| a.iter().flat_map(Tensor::as_slice).map(|x| x.abs()).sum::<f64>();
    let check = |order: &str, gradient: Vec<Tensor<f64>>, direction: &[Tensor<f64>], want: Reference| {
        let what = format!("{what}, {order} derivative");
        assert_close(&what, dot(&gradient, direction), want.data[0], absolute(&gradient), TOLERANCE);
    };
    check("first", grad(f, x), &u, f_u.eval(&lifted));
    check("second", hvp(f, x, &u), &v, f_uv.eval(&lifted));
    check("third", grad(&f_uv, x), &w, f_uvw.eval(&lifted));
}

#[test]
fn every_line_of_the_table_agrees() {
    for case in operations().iter().chain(&compositions()) {
        for draw in 0..20 {
            let rng = &mut stream(&case.name, [draw, 77]);
            let sample = (case.sample)(rng);
            let mut x = sample.inputs(rng);
            let y = sample.body.eval(&x);
            let what = format!("{}, {:?} of {:?}", case.name, sample.body, sample.shapes);
            assert_same_array(&what, &y, &sample.body.eval(&lift(&x)), 1e-13);
            x.extend(direction(rng, &[y]));
            assert_same_derivatives(&what, &Paired(&sample.body), &x, rng);
        }
    }
}

#[test]
fn random_programs_agree() {
    for index in 0..1000 {
        let rng = &mut stream("program", [index, 0]);
        let program = Program::random(rng, 3 + index as usize % 12);
        let (have, want) = (program.trace(&program.inputs), program.trace(&lift(&program.inputs)));
        for (step, (have, want)) in have.iter().zip(&want).enumerate() {
            assert_same_array(&format!("program {index}, array {step}"), have, want, 1e-12);
        }
        assert_same_derivatives(&format!("program {index}"), &program, &program.inputs, rng);
    }
}

/// Rounding errors of single precision, grown by up to a dozen steps each of which may cancel or amplify.
#[test]
fn programs_in_single_precision_follow() {
    for index in 0..300 {
        let rng = &mut stream("single", [index, 0]);
        let program = Program::random(rng, 3 + index as usize % 8);
        let single: Vec<Tensor<f32>> = program.inputs.iter().map(Tensor::cast).collect();
        let exact: Vec<Tensor<f64>> = single.iter().map(Tensor::cast).collect();
        for (step, (have, want)) in program.trace(&single).iter().zip(program.trace(&lift(&exact))).enumerate() {
            assert_same_array(&format!("program {index}, array {step}"), &have.cast(), &want, 2e-5);
        }
        for (have, want) in grad(&program, &single).iter().zip(grad(&program, &exact)) {
            assert_same_array(&format!("program {index}, gradient"), &have.cast(), &Reference::constant(want), 2e-4);
        }
    }
}
