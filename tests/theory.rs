//! The closed forms of linear regression: check values, limits, identities, and Monte Carlo as the witness.

#[path = "support/sampling.rs"]
mod sampling;

use maml_meta::{
    LearnerName,
    theory::{
        Adaptation, Comparison, Group, Landscape, Matrix, Moments, NormalEquations, TheoryError, Training, Vector,
        estimation_risk,
        wick::{Factor, expectation},
    },
};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sampling::{Rng, stream};

/// The two-group environment of the experiments, isotropic.
#[derive(Clone, Copy)]
struct TwoGroups {
    d: usize,
    hard_share: f64,
    rho: [f64; 2],
    distance: f64,
    spread: [f64; 2],
    noise: f64,
    adaptation: Adaptation,
}

/// d = 10, ν² = 0.01, p = ½, as in the table of check values.
fn table(spread: [f64; 2], distance: f64, rho: [f64; 2], alpha: f64, m: f64) -> TwoGroups {
    let adaptation = Adaptation { alpha, samples: m, steps: 1 };
    TwoGroups { d: 10, hard_share: 0.5, rho, distance, spread, noise: 0.01, adaptation }
}

impl TwoGroups {
    fn landscape(&self) -> Landscape {
        let unit = Matrix::identity(self.d, self.d);
        let group = |name: &str, share, i: usize, centre| Group {
            name: name.into(),
            share,
            covariance: &unit * self.rho[i],
            centre: Vector::from_element(self.d, centre),
            spread: &unit * self.spread[i],
        };
        let groups =
            vec![group("easy", 1.0 - self.hard_share, 0, 0.0), group("hard", self.hard_share, 1, self.distance)];
        Landscape { groups, noise_variance: self.noise, adaptation: self.adaptation }
    }
}

fn close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!((a - b).abs() <= tolerance * a.abs().max(b.abs()), "{what}: {a} and {b}");
}

fn normals(rng: &mut Rng, rows: usize, columns: usize) -> Matrix {
    Matrix::from_fn(rows, columns, |_, _| StandardNormal.sample(rng))
}

/// A covariance with eigenvalues from `scale`/condition to `scale`, in random directions.
fn covariance(rng: &mut Rng, d: usize, scale: f64, condition: f64) -> Matrix {
    let q = normals(rng, d, d).qr().q();
    let power = |i: usize| if d == 1 { 0.0 } else { i as f64 / (d - 1) as f64 };
    let eigenvalues = Vector::from_fn(d, |i, _| scale * condition.powf(-power(i)));
    let sigma = &q * Matrix::from_diagonal(&eigenvalues) * q.transpose();
    (&sigma + sigma.transpose()) * 0.5
}

fn root(covariance: &Matrix) -> Matrix {
    covariance.clone().cholesky().expect("the covariances of these tests are positive").l()
}

/// Two or three groups with full covariances and spreads.
fn any_landscape(rng: &mut Rng, d: usize, adaptation: Adaptation) -> Landscape {
    let count = rng.random_range(2..4);
    let weights: Vec<f64> = (0..count).map(|_| rng.random_range(0.2..1.0)).collect();
    let total: f64 = weights.iter().sum();
    let group = |(i, weight): (usize, &f64)| {
        let scale = rng.random_range(0.2..1.0);
        Group {
            name: format!("group {i}"),
            share: weight / total,
            covariance: covariance(rng, d, scale, 8.0),
            centre: Vector::from_fn(d, |_, _| rng.random_range(-1.0..1.0)),
            spread: covariance(rng, d, 0.3, 4.0),
        }
    };
    let groups = weights.iter().enumerate().map(group).collect();
    Landscape { groups, noise_variance: 0.09, adaptation }
}

#[test]
fn check_values_to_five_digits() {
    let rows = [
        (table([1.0, 0.01], 1.0, [1.0, 0.1], 1.0, 100.0), [0.44714, 0.39399, 1.1349]),
        (table([1.0, 1.0], 1.0, [1.0, 0.1], 1.0, 100.0), [0.64788, 0.59474, 1.0894]),
        (table([1.0, 0.01], 1.0, [1.0, 1.0], 0.5, 100.0), [1.04769, 1.04769, 1.0000]),
        (table([1.0, 0.01], 1.0, [1.0, 0.1], 1.0, 10.0), [2.94693, 2.94557, 1.0005]),
        (table([0.01, 0.01], 3.0, [0.9, 0.1], 1.0, 500.0), [1.48495, 0.43305, 3.4290]),
    ];
    for (row, (environment, [nal, maml, ratio])) in rows.into_iter().enumerate() {
        let found = Comparison::of(&environment.landscape()).unwrap();
        let same = |found: f64, digits: f64, unit: f64| (found - digits).abs() <= 0.5000001 * unit;
        assert!(same(found.nal.risk.total(), nal, 1e-5), "row {row}: NAL {}", found.nal.risk.total());
        assert!(same(found.maml.risk.total(), maml, 1e-5), "row {row}: MAML {}", found.maml.risk.total());
        assert!(same(found.ratio(), ratio, 1e-4), "row {row}: ratio {}", found.ratio());
    }
}

#[test]
fn isotropic_groups_have_the_scalar_closed_form() {
    let environment = TwoGroups { hard_share: 0.3, ..table([0.7, 0.2], 2.0, [0.8, 0.15], 0.9, 60.0) };
    let TwoGroups { d, hard_share: p, rho: [easy, hard], distance, spread, noise, adaptation } = environment;
    let (alpha, m, dim) = (adaptation.alpha, adaptation.samples, d as f64);
    let a = |rho: f64| rho * (1.0 - alpha * rho).powi(2) + alpha * alpha * rho.powi(3) * (dim + 1.0) / m;
    let c = |easy: f64, hard: f64| p * hard / (p * hard + (1.0 - p) * easy);
    let (c_nal, c_maml) = (c(easy, hard), c(a(easy), a(hard)));
    let risk = |c: f64| {
        let tasks = (1.0 - p) * a(easy) * (spread[0] + c * c * distance * distance)
            + p * a(hard) * (spread[1] + (1.0 - c).powi(2) * distance * distance);
        let noise_part = (1.0 - p) * easy * easy + p * hard * hard;
        dim / 2.0 * tasks + alpha * alpha * noise * dim / (2.0 * m) * noise_part
    };
    let found = Comparison::of(&environment.landscape()).unwrap();
    close(found.nal.risk.total(), risk(c_nal), 1e-13, "NAL");
    close(found.maml.risk.total(), risk(c_maml), 1e-13, "MAML");
    let difference = dim * distance * distance / 2.0 * (p * a(hard) + (1.0 - p) * a(easy)) * (c_nal - c_maml).powi(2);
    close(found.difference, difference, 1e-12, "difference");
    close(found.nal.risk.total() - found.maml.risk.total(), difference, 1e-11, "difference of the risks");
    for (w, c) in [(&found.nal.minimiser, c_nal), (&found.maml.minimiser, c_maml)] {
        w.iter().for_each(|w| close(*w, c * distance, 1e-13, "minimiser"));
    }
}

#[test]
fn the_limit_of_many_samples() {
    let limit = |hard: f64, r_h: f64| {
        let environment = TwoGroups { noise: 0.0, ..table([0.3, r_h], 1.7, [0.9, hard], 1.0 / 0.9, f64::INFINITY) };
        // Every initialisation solves easy tasks in one step: only the hard ones decide.
        let found = Comparison::of(&environment.landscape()).unwrap();
        (found.ratio(), 1.0 + (0.9 / (0.9 + hard)).powi(2) * 1.7 * 1.7 / r_h)
    };
    for (hard, r_h) in [(0.1, 0.1), (0.3, 0.02), (0.01, 1.0)] {
        let (found, expected) = limit(hard, r_h);
        close(found, expected, 1e-9, "ratio for m = ∞");
    }
}

#[test]
fn equal_hardness_gains_nothing() {
    for case in 0..20 {
        let rng = &mut stream("equal hardness", [case, 0]);
        let d = rng.random_range(1..12);
        let adaptation = Adaptation { alpha: 0.7, samples: rng.random_range(1.0..50.0), steps: 1 + case as usize % 3 };
        let mut landscape = any_landscape(rng, d, adaptation);
        let sigma = landscape.groups[0].covariance.clone();
        landscape.groups.iter_mut().for_each(|group| group.covariance = sigma.clone());
        let found = Comparison::of(&landscape).unwrap();
        assert!((found.ratio() - 1.0).abs() <= 1e-12, "case {case}: ratio {}", found.ratio());
        assert_eq!(landscape.crossing().unwrap(), None, "case {case}");
    }
}

#[test]
fn the_difference_knows_neither_spread_nor_noise() {
    let base = table([1.0, 0.01], 1.0, [1.0, 0.1], 1.0, 100.0);
    let difference = |environment: TwoGroups| Comparison::of(&environment.landscape()).unwrap().difference;
    for (spread, noise) in [([0.0, 0.0], 0.0), ([5.0, 0.3], 0.01), ([0.2, 9.0], 4.0)] {
        assert_eq!(difference(TwoGroups { spread, noise, ..base }), difference(base));
    }
}

#[test]
fn the_difference_is_that_of_the_risks_for_any_landscape() {
    for case in 0..20 {
        let rng = &mut stream("difference", [case, 0]);
        let adaptation = Adaptation { alpha: 0.6, samples: 7.0, steps: 1 + case as usize % 4 };
        let landscape = any_landscape(rng, 5, adaptation);
        let found = Comparison::of(&landscape).unwrap();
        let totals = found.nal.risk.total() - found.maml.risk.total();
        assert!((totals - found.difference).abs() <= 1e-13 * found.nal.risk.total(), "case {case}");
        let by_group: f64 = landscape
            .groups
            .iter()
            .enumerate()
            .map(|(i, group)| group.share * (found.nal.by_group[i].total() - found.maml.by_group[i].total()))
            .sum();
        assert!((by_group - found.difference).abs() <= 1e-13 * found.nal.risk.total(), "case {case}");
        // No other initialisation is better than MAML's.
        let moved = &found.maml.minimiser + Vector::from_fn(5, |_, _| rng.random_range(-0.1..0.1));
        assert!(found.distance_from(LearnerName::Maml, &moved) > 0.0);
    }
}

/// Mean and standard error of the mean.
fn mean_and_error(samples: &[f64]) -> (f64, f64) {
    let n = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / n;
    let square: f64 = samples.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, (square / (n - 1.0) / n).sqrt())
}

#[track_caller]
fn agrees(what: &str, expected: f64, samples: &[f64]) {
    let (mean, error) = mean_and_error(samples);
    let z = (mean - expected) / error;
    assert!(z.abs() < 4.0, "{what}: simulated {mean} ± {error}, closed form {expected}, z = {z}");
}

/// One sample covariance of m draws.
fn sample_covariance(rng: &mut Rng, root: &Matrix, m: usize) -> Matrix {
    let x = normals(rng, m, root.nrows()) * root.transpose();
    x.transpose() * x / m as f64
}

#[test]
fn the_fourth_moment_is_that_of_simulation() {
    for case in 0..36 {
        let rng = &mut stream("fourth moment", [case, 0]);
        let (d, m) = (rng.random_range(1..7), rng.random_range(1..9));
        let sigma = covariance(rng, d, 1.0, 10.0);
        let (inside, u, v) = (normals(rng, d, d), normals(rng, d, 1), normals(rng, d, 1));
        let inside = &inside + inside.transpose();
        let forward = &sigma * &inside;
        let samples = m as f64;
        let formula = &forward * &sigma * (1.0 + 1.0 / samples) + &sigma * (forward.trace() / samples);
        let wick = expectation(&sigma, samples, 0.0, &[Factor::Sample, Factor::Fixed(&inside), Factor::Sample], &[]);
        assert!((&wick - &formula).amax() <= 1e-13 * formula.amax(), "case {case}: Wick's theorem and the formula");
        let root = root(&sigma);
        let draw = |_| {
            let hat = sample_covariance(rng, &root, m);
            (u.transpose() * &hat * &inside * &hat * &v)[0]
        };
        let simulated: Vec<f64> = (0..4000).map(draw).collect();
        agrees(&format!("case {case}: d = {d}, m = {m}"), (u.transpose() * formula * &v)[0], &simulated);
    }
}

/// Adaptation of one task by hand: K steps of SGD on fresh samples, from w − w* = `apart`.
fn adapted_excess(rng: &mut Rng, root: &Matrix, sigma: &Matrix, apart: &Vector, noise: f64, a: Adaptation) -> f64 {
    let m = a.samples as usize;
    let mut apart = apart.clone();
    for _ in 0..a.steps {
        let x = normals(rng, m, sigma.nrows()) * root.transpose();
        let residual = &x * &apart - normals(rng, m, 1).column(0) * noise.sqrt();
        apart -= x.transpose() * residual * (a.alpha / a.samples);
    }
    0.5 * apart.dot(&(sigma * &apart))
}

#[test]
fn the_recursion_of_k_steps_is_that_of_simulation() {
    for case in 0..36 {
        let rng = &mut stream("recursion", [case, 1]);
        let (d, m) = (rng.random_range(1..7), rng.random_range(2..20));
        let adaptation =
            Adaptation { alpha: rng.random_range(0.1..0.8), samples: m as f64, steps: 1 + case as usize % 4 };
        let (sigma, noise) = (covariance(rng, d, 1.0, 20.0), 0.25);
        let apart = Vector::from_fn(d, |_, _| rng.random_range(-1.0..1.0));
        let closed = adaptation.of_task(&sigma, noise);
        let expected = 0.5 * apart.dot(&(&closed.matrix * &apart)) + closed.noise;
        let root = root(&sigma);
        let draw = |_| adapted_excess(rng, &root, &sigma, &apart, noise, adaptation);
        let simulated: Vec<f64> = (0..4000).map(draw).collect();
        agrees(&format!("case {case}: d = {d}, {adaptation:?}"), expected, &simulated);
    }
}

#[test]
fn products_of_four_sample_covariances_are_those_of_simulation() {
    use Factor::{Fixed, Sample, Step};
    for case in 0..12 {
        let rng = &mut stream("wick", [case, 0]);
        let (d, m, alpha) = (1 + case as usize % 3, rng.random_range(2..6), 0.4);
        let sigma = covariance(rng, d, 1.0, 5.0);
        // Not symmetric: a transposed passage would show.
        let [a, b, c] = std::array::from_fn(|_| normals(rng, d, d));
        let open = [Fixed(&a), Sample, Fixed(&b), Step, Sample];
        let closed = [Fixed(&c), Step, Fixed(&b)];
        let expected = expectation(&sigma, m as f64, alpha, &open, &[&closed, &[Fixed(&a)]]);
        let root = root(&sigma);
        let mut entries: Vec<Vec<f64>> = vec![Vec::new(); d * d];
        for _ in 0..20_000 {
            let hat = sample_covariance(rng, &root, m);
            let step = Matrix::identity(d, d) - &hat * alpha;
            let value = &a * &hat * &b * &step * &hat * (&c * &step * &b).trace() * a.trace();
            entries.iter_mut().zip(value.iter()).for_each(|(all, x)| all.push(*x));
        }
        for (i, samples) in entries.iter().enumerate() {
            agrees(&format!("case {case}, entry {i}"), expected[i], samples);
        }
    }
}

#[test]
fn one_step_is_a_product_of_two_sample_covariances() {
    let rng = &mut stream("one step", [0, 0]);
    let sigma = covariance(rng, 6, 0.9, 30.0);
    let adaptation = Adaptation { alpha: 1.3, samples: 4.0, steps: 1 };
    let closed = adaptation.of_task(&sigma, 0.0).matrix;
    let wick = expectation(&sigma, 4.0, 1.3, &[Factor::Step, Factor::Fixed(&sigma), Factor::Step], &[]);
    assert!((&closed - &wick).amax() <= 1e-13 * closed.amax());
}

#[test]
fn the_crossing_is_where_both_learners_agree() {
    for (rho, alpha) in [([0.9, 0.1], 1.0 / 0.9), ([1.0, 0.1], 1.0), ([0.8, 0.3], 0.5)] {
        let environment = table([0.1, 0.1], 1.0, rho, alpha, 500.0);
        let [easy, hard] = rho;
        let closed = 11.0 * alpha * alpha * (easy * easy - hard * hard)
            / ((1.0 - alpha * hard).powi(2) - (1.0 - alpha * easy).powi(2));
        let found = environment.landscape().crossing().unwrap().expect("there is a crossing");
        close(found, closed, 1e-9, "crossing");
        let at = |m: f64| Comparison::of(&environment.landscape().with_samples(m)).unwrap();
        assert!((at(found).ratio() - 1.0).abs() < 1e-12, "at the crossing nothing is gained");
        let lean = |m: f64| at(m).maml.minimiser[0] - at(m).nal.minimiser[0];
        assert!(lean(0.5 * found) < 0.0 && lean(2.0 * found) > 0.0, "beyond it MAML leans to the hard tasks");
    }
}

/// Moments of a batch of one task, by hand.
fn moments(rng: &mut Rng, root: &Matrix, w_star: &Vector, noise: f64, n: usize) -> Moments {
    let x = normals(rng, n, w_star.len()) * root.transpose();
    let y = &x * w_star + normals(rng, n, 1).column(0) * noise.sqrt();
    Moments { gram: x.transpose() * &x, moment: x.transpose() * y, samples: n as f64 }
}

#[test]
fn empirical_minimisers_lie_as_far_from_the_population_as_predicted() {
    for (case, steps) in [(0, 1), (1, 0), (2, 1)] {
        let rng = &mut stream("estimation", [case, 0]);
        let (m, outer, tasks) = (12, 8, 400);
        let landscape = any_landscape(rng, 3, Adaptation { alpha: 0.8, samples: m as f64, steps });
        let comparison = Comparison::of(&landscape).unwrap();
        let roots: Vec<Matrix> = landscape.groups.iter().map(|group| root(&group.covariance)).collect();
        let spreads: Vec<Matrix> = landscape.groups.iter().map(|group| root(&group.spread)).collect();
        let mut distances: [Vec<f64>; 2] = Default::default();
        for _ in 0..300 {
            let (mut nal, mut maml) = (NormalEquations::new(3), NormalEquations::new(3));
            for _ in 0..tasks {
                let mut u = rng.random::<f64>();
                let last = landscape.groups.len() - 1;
                let g = (0..last)
                    .find(|g| {
                        u -= landscape.groups[*g].share;
                        u < 0.0
                    })
                    .unwrap_or(last);
                let w_star = &landscape.groups[g].centre + &spreads[g] * normals(rng, 3, 1).column(0);
                let mut batch = |n| moments(rng, &roots[g], &w_star, landscape.noise_variance, n);
                let (inner, outer) = ((0..steps).map(|_| batch(m)).collect::<Vec<_>>(), batch(outer));
                nal.add_nal(inner.iter().chain([&outer]));
                maml.add_maml(&inner, &outer, landscape.adaptation.alpha);
            }
            for (distances, (learner, equations)) in
                distances.iter_mut().zip([(LearnerName::Nal, nal), (LearnerName::Maml, maml)])
            {
                distances.push(comparison.distance_from(learner, &equations.solve("a learner").unwrap()));
            }
        }
        for (learner, distances) in LearnerName::BOTH.into_iter().zip(&distances) {
            let training = Training { tasks: tasks as f64, samples: outer as f64 };
            let predicted = estimation_risk(&landscape, learner, training).unwrap().unwrap();
            agrees(&format!("case {case}, K = {steps}, {learner:?}"), predicted, distances);
        }
    }
}

#[test]
fn the_edges_of_the_range_have_right_numbers() {
    let base = table([0.1, 0.1], 1.0, [0.9, 0.1], 1.0 / 0.9, 500.0);
    let of = |environment: TwoGroups| Comparison::of(&environment.landscape());
    let adapted = |alpha, samples, steps| Adaptation { alpha, samples, steps };
    // One dimension, one sample: E[(1 − αx²)²] = 1 − 2αρ + 3α²ρ² for x ~ N(0, ρ).
    let one = TwoGroups { d: 1, adaptation: adapted(0.5, 1.0, 1), ..base }.landscape();
    let q = one.adapted().unwrap()[0].matrix[(0, 0)];
    close(q, 0.9 * (1.0 - 0.9 + 3.0 * 0.25 * 0.81), 1e-14, "d = 1, m = 1");
    // One group alone: both learners find its centre.
    for (share, centre) in [(0.0, 0.0), (1.0, 1.0)] {
        let found = of(TwoGroups { hard_share: share, ..base }).unwrap();
        assert!((found.ratio() - 1.0).abs() < 1e-12 && (found.maml.minimiser[3] - centre).abs() < 1e-12);
    }
    // No step: MAML is NAL.
    for adaptation in [adapted(0.0, 500.0, 1), adapted(0.0, 1.0, 3), adapted(1.0, 500.0, 0)] {
        assert!((of(TwoGroups { adaptation, ..base }).unwrap().ratio() - 1.0).abs() < 1e-12);
    }
    // Beyond 2/ρ one step is still a number, and a hundred are a sentence.
    let far = of(TwoGroups { adaptation: adapted(4.0, 500.0, 1), ..base }).unwrap();
    let near = of(base).unwrap();
    assert!(far.nal.risk.total() > 5.0 * near.nal.risk.total() && far.nal.risk.total().is_finite());
    let lost = of(TwoGroups { adaptation: adapted(1e3, 500.0, 100), ..base }).unwrap_err();
    assert!(matches!(lost, TheoryError::Diverged { .. }), "{lost}");
    assert!(lost.to_string().contains("group `easy`") && lost.to_string().contains("alpha"), "{lost}");
}

#[test]
fn huge_condition_numbers_give_right_numbers_or_a_sentence() {
    let with = |sigma: Matrix| {
        let d = sigma.nrows();
        let group = |name: &str, sigma: Matrix, centre: f64| Group {
            name: name.into(),
            share: 0.5,
            covariance: sigma,
            centre: Vector::from_element(d, centre),
            spread: Matrix::zeros(d, d),
        };
        let groups = vec![group("a", sigma.clone(), 0.0), group("b", &sigma * 0.25, 1.0)];
        let adaptation = Adaptation { alpha: 1.0, samples: 10.0, steps: 1 };
        Comparison::of(&Landscape { groups, noise_variance: 0.0, adaptation })
    };
    // Axes of any scale are exact: each coordinate is its own problem.
    let found = with(Matrix::from_diagonal(&Vector::from_fn(8, |i, _| 10f64.powi(-3 * i as i32)))).unwrap();
    found.nal.minimiser.iter().for_each(|w| close(*w, 0.2, 1e-12, "NAL on axes"));
    let rng = &mut stream("condition", [0, 0]);
    let found = with(covariance(rng, 8, 1.0, 1e8)).unwrap();
    found.nal.minimiser.iter().for_each(|w| close(*w, 0.2, 1e-6, "NAL, rotated"));
    let lost = with(covariance(rng, 8, 1.0, 1e20)).unwrap_err();
    assert!(lost.to_string().contains("singular") || lost.to_string().contains("negative"), "{lost}");
}

#[test]
fn landscapes_that_are_none_are_refused_in_a_sentence() {
    let base = table([0.1, 0.1], 1.0, [0.9, 0.1], 1.0, 500.0).landscape();
    let refused = |change: fn(&mut Landscape), says: &str| {
        let mut landscape = base.clone();
        change(&mut landscape);
        let error = Comparison::of(&landscape).unwrap_err().to_string();
        assert!(error.contains(says), "no `{says}` in: {error}");
    };
    refused(|l| l.groups.clear(), "at least one group");
    refused(|l| l.groups[0].share = 0.6, "sum to");
    refused(|l| l.groups[1].share = -0.5, "sum to");
    refused(|l| l.groups[1].covariance *= -1.0, "negative eigenvalue");
    refused(|l| l.groups[1].covariance[(0, 1)] = 1.0, "not symmetric");
    refused(|l| l.groups[1].spread = Matrix::identity(3, 3), "10 × 10");
    refused(|l| l.groups[1].centre = Vector::zeros(4), "10 dimensions");
    refused(|l| l.adaptation.samples = 0.0, "adaptation_samples");
    refused(|l| l.adaptation.alpha = f64::NAN, "alpha");
    refused(|l| l.noise_variance = -1.0, "noise_variance");
}
