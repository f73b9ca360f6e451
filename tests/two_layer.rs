//! The two-layer experiment: teachers, stationary points and their bound, failures that are counted, the same bits.

use maml_autograd::Tensor;
use maml_landscape::{arguments::Profile, config, profiles};
use maml_meta::{
    LearnerName,
    experiment::{
        Experiment,
        two_layer::{Config, Run},
    },
    model::{Activation, Model, TwoLayer},
    parallel::Workers,
    rng::{Purpose, rng},
    task::teacher::{Environment, Kind, TeacherSpec, matched},
};

fn smoke() -> Config {
    config::resolve(&profiles::two_layer(Profile::Smoke), None, &[]).expect("the built-in config is valid")
}

fn run(config: &Config, threads: usize) -> Run {
    Run::new(config.clone(), Workers::new(threads).expect("threads start")).expect("the config can be run")
}

fn finished(config: &Config, threads: usize) -> Run {
    let mut run = run(config, threads);
    while !run.is_finished() {
        run.advance().expect("units that fail are counted");
    }
    run
}

fn spec(distance: f64, spread: [f64; 2]) -> TeacherSpec {
    let model = TwoLayer { dim: 6, neurons: 4, activation: Activation::Tanh };
    TeacherSpec { model, rho: [1.0, 0.1], distance, spread, noise_variance: 0.0 }
}

#[test]
fn teachers_lie_where_the_landscape_says() {
    let columns = |t: &Tensor<f64>| {
        (0..4).map(|j| (0..6).map(|i| t.as_slice()[i * 4 + j]).collect::<Vec<f64>>()).collect::<Vec<_>>()
    };
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let environment = Environment::new(spec(2.0, [0.0, 0.3]), 5, 0);
    let (easy, hard) = (columns(environment.centre(Kind::Easy)), columns(environment.centre(Kind::Hard)));
    for (a, b) in easy.iter().zip(&hard) {
        assert!((apart(a, b) - 4.0).abs() < 1e-12, "every neuron's centre is R away");
    }
    let task = |kind, index| environment.task(kind, &mut rng(5, Purpose::TrainEpisode, 0, index), &[3, 4], 5);
    assert_eq!(
        task(Kind::Easy, 0).teacher.as_slice(),
        environment.centre(Kind::Easy).as_slice(),
        "no spread, no difference"
    );
    // E‖teacher − centre‖² = r for each neuron.
    let count = 2000;
    let square = |i| {
        let teacher = columns(&task(Kind::Hard, i).teacher);
        teacher.iter().zip(&hard).map(|(t, c)| apart(t, c)).sum::<f64>() / 4.0
    };
    let mean = (0..count).map(square).sum::<f64>() / count as f64;
    assert!((mean - 0.3).abs() < 0.01, "{mean}");
    let one = task(Kind::Hard, 7);
    let sizes: Vec<usize> = one.data.support.iter().chain([&one.data.query]).map(|set| set.y.shape().len()).collect();
    assert_eq!(sizes, [3, 4, 5]);
    let exact = spec(2.0, [0.0, 0.3]).model.predict(std::slice::from_ref(&one.teacher), &one.data.query.x);
    assert_eq!(exact.as_slice(), one.data.query.y.as_slice(), "targets are the teacher's");
    // The same address, the same task; another setting of the landscape, the same environment.
    assert_eq!(task(Kind::Hard, 7).data.query.x.as_slice(), one.data.query.x.as_slice());
    let other = Environment::new(spec(3.0, [0.1, 0.1]), 5, 0);
    assert_eq!(other.centre(Kind::Easy).as_slice(), environment.centre(Kind::Easy).as_slice());
}

#[test]
fn neurons_are_matched_in_the_best_order() {
    let reference = Tensor::from_fn([3, 4], |i| (i as f64 * 1.7).sin());
    let order = [2, 0, 3, 1];
    let shuffled = Tensor::from_fn([3, 4], |i| reference.as_slice()[i / 4 * 4 + order[i % 4]]);
    let (back, distance) = matched(&shuffled, &reference);
    assert_eq!((back.as_slice(), distance), (reference.as_slice(), 0.0));
    // Against every order of three neurons.
    let (a, b) = (Tensor::from_fn([2, 3], |i| (i as f64).cos()), Tensor::from_fn([2, 3], |i| (2.0 * i as f64).sin()));
    let square =
        |j: usize, k: usize| (0..2).map(|i| (a.as_slice()[i * 3 + k] - b.as_slice()[i * 3 + j]).powi(2)).sum::<f64>();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let best = orders.iter().map(|o| (0..3).map(|j| square(j, o[j])).sum::<f64>()).fold(f64::INFINITY, f64::min);
    assert!((matched(&a, &b).1 - best).abs() < 1e-12);
}

#[test]
fn stationary_points_are_stationary_and_obey_the_bound() {
    let mut config = smoke();
    config.run = Vec::new();
    (config.pairs.environments, config.pairs.samples, config.pairs.surface, config.starts) = (12, 300, 0, 2);
    let found = finished(&config, 2);
    let summary = found.summary();
    let pairs = summary.pairs.as_ref().expect("environments were solved");
    assert_eq!((pairs.environments, summary.trainings.not_stationary, summary.failures.len()), (12, 0, 0));
    assert!(summary.trainings.largest_gradient <= 1e-6);
    for (index, pair) in found.pairs() {
        // ∇f_E = −∇f_H where NAL is stationary, up to what is left of the gradient.
        assert!(pair.log_ratio(LearnerName::Nal).abs() < 1e-3, "{index}: {pair:?}");
        assert!(pair.bound.is_some() == (config.alpha * pair.l < 1.0), "{index}: {pair:?}");
    }
    assert!(pairs.bound_applies > 0 && pairs.bound_holds == pairs.bound_applies, "{pairs:?}");
    let claim = &summary.claims[0];
    assert_eq!((claim.id, claim.verdict.as_str()), ("C", "supported"));
}

#[test]
fn every_activation_runs_and_what_is_not_stationary_is_counted() {
    for activation in [Activation::Softplus, Activation::Tanh, Activation::Sigmoid, Activation::Elu, Activation::Relu] {
        let mut config = Config { activation, ..smoke() };
        config.run = vec!["distance".into()];
        let summary = finished(&config, 2).summary();
        assert!(summary.failures.is_empty() && summary.points.len() == 4, "{activation:?}: {:?}", summary.failures);
        assert!(summary.points.iter().all(|point| point.mean.is_finite() && point.mean > 0.0), "{activation:?}");
        assert_eq!(summary.trainings.count, 2 * (4 + 3), "{activation:?}");
    }
    // Adam first, and L-BFGS from where it leads: the same rule, another way.
    let mut config = smoke();
    config.training.steps = 100;
    config.run = vec!["distance".into()];
    let summary = finished(&config, 2).summary();
    assert_eq!(summary.trainings.not_stationary, 0, "{:?}", summary.trainings);
    assert!(summary.protocol.iter().any(|sentence| sentence.contains("100 steps of Adam")));
    let mut config = smoke();
    config.training.evaluations = 3;
    let trainings = finished(&config, 2).summary().trainings;
    assert_eq!(trainings.not_stationary, trainings.count, "three evaluations are not enough");
}

#[test]
fn dead_units_are_counted() {
    let mut config = Config { activation: Activation::Sigmoid, rho_easy: 1e-16, rho_hard: 1e-16, ..smoke() };
    config.run = vec!["distance".into()];
    config.pairs.environments = 0;
    let alive = finished(&config, 2).summary().trainings;
    assert_eq!(alive.with_dead_units, 0, "a sigmoid at 0 has the slope 1/4");
    // Inputs so large that every sigmoid is saturated.
    let saturated = finished(&Config { rho_easy: 1e24, rho_hard: 1e24, ..config }, 2).summary().trainings;
    assert_eq!((saturated.with_dead_units, saturated.count), (8, 8));
}

#[test]
fn divergence_is_counted_and_named_and_never_averaged() {
    let mut config = smoke();
    (config.alpha, config.inner_steps) = (1e200, 3);
    config.run = vec!["distance".into()];
    config.pairs.environments = 0;
    let summary = finished(&config, 2).summary();
    assert_eq!(summary.failures.len(), 4, "two values, two seeds");
    assert!(summary.points.is_empty());
    for word in ["sweep `distance`", "seed 1", "task 0", "inner step", "not finite"] {
        assert!(summary.failures.iter().any(|failure| failure.contains(word)), "no `{word}` in {:?}", summary.failures);
    }
}

#[test]
fn a_run_has_the_same_bits_on_any_number_of_threads_and_after_a_stop() {
    let config = smoke();
    let expected = finished(&config, 1);
    let bytes = expected.save().expect("a state can be saved");
    assert!(finished(&config, 3).save().unwrap() == bytes, "three threads");
    for stop in [0, 1, 2, 4, 100] {
        let mut first = run(&config, 2);
        for _ in 0..stop {
            if !first.is_finished() {
                first.advance().unwrap();
            }
        }
        let mut second = run(&config, 1);
        second.restore(&first.save().unwrap()).expect("the state is of this run");
        while !second.is_finished() {
            second.advance().unwrap();
        }
        assert!(second.save().unwrap() == bytes, "stopped after {stop} units");
    }
    let fewer = Config { run: vec!["distance".into()], ..config };
    assert!(run(&fewer, 1).restore(&bytes).is_err(), "the state of another run");
}

#[test]
fn wrong_numbers_are_named() {
    let refused = |change: fn(&mut Config), says: &str| {
        let mut config = smoke();
        change(&mut config);
        let error = config.check().expect_err(says);
        assert!(error.contains(says), "no `{says}` in: {error}");
    };
    refused(|c| c.neurons = 0, "`neurons`");
    refused(|c| c.rho_hard = -1.0, "`rho_hard`");
    refused(|c| c.training.tolerance = 0.0, "`training.tolerance`");
    refused(|c| c.seeds = vec![1], "at least 2");
    refused(|c| c.seeds = vec![1, 1], "twice");
    refused(|c| c.run = vec!["nothing".into()], "known: distance");
    refused(|c| c.pairs.environments = 1, "pairs.environments");
    refused(|c| c.sweep.get_mut("distance").unwrap().parameter = "width".into(), "`width`");
    refused(|c| c.sweep.get_mut("spread_hard").unwrap().values = vec![-1.0], "spread_hard");
}
