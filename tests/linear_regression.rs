//! The linear-regression experiment: the engine reaches the closed forms, simulation agrees with them, and a run has
//! the same bits on any number of threads and after a stop.

use maml_landscape::{arguments::Profile, config, profiles};
use maml_meta::{
    experiment::{
        Experiment,
        linear_regression::{Centre, ClosedForms, Config, Covariance, GroupConfig, Parameter, Run, Summary},
        sweep::Point,
    },
    parallel::Workers,
};

fn smoke() -> Config {
    config::resolve(&profiles::linear_regression(Profile::Smoke), None, &[]).expect("the built-in config is valid")
}

/// Without sweeps: the check of the engine alone.
fn engine_alone(change: impl Fn(&mut Config)) -> Config {
    let mut config = Config { run: Vec::new(), ..smoke() };
    change(&mut config);
    config
}

fn run(config: &Config, threads: usize) -> Run {
    Run::new(config.clone(), Workers::new(threads).expect("threads start")).expect("the config can be run")
}

fn finished(config: &Config, threads: usize) -> Run {
    let mut run = run(config, threads);
    while !run.is_finished() {
        run.advance().expect("the run does not diverge");
    }
    run
}

fn two_own_groups(config: &mut Config) {
    let group = |name: &str, share, covariance, centre, spread| GroupConfig {
        name: name.into(),
        share,
        covariance,
        centre,
        spread: Covariance::Isotropic(spread),
    };
    let tilted = Covariance::Full(vec![vec![0.5, 0.2, 0.0], vec![0.2, 0.4, 0.1], vec![0.0, 0.1, 0.3]]);
    config.dim = 3;
    config.groups = vec![
        group("axes", 0.7, Covariance::Axes(vec![1.0, 0.5, 0.25]), Centre::All(0.0), 0.2),
        group("tilted", 0.3, tilted, Centre::Each(vec![1.0, -1.0, 2.0]), 0.01),
    ];
}

/// A name, the number of checks, and a change to the smoke profile.
type Case = (&'static str, usize, fn(&mut Config));

#[test]
fn the_engine_arrives_at_the_closed_forms() {
    let cases: [Case; 6] = [
        ("base", 4, |_| ()),
        ("few samples, anisotropic", 4, |c| (c.adaptation_samples, c.condition, c.dim) = (7, 5.0, 4)),
        ("unequal shares", 4, |c| (c.hard_share, c.adaptation_samples) = (0.2, 20)),
        ("three steps on fresh batches", 2, |c| (c.inner_steps, c.adaptation_samples) = (3, 40)),
        ("no step", 4, |c| c.inner_steps = 0),
        ("own groups", 4, two_own_groups),
    ];
    for (name, checks, change) in cases {
        let found = finished(&engine_alone(change), 2);
        assert_eq!(found.engine().len(), checks, "{name}: checks");
        for check in found.engine() {
            assert!(check.relative_error <= 1e-8 && check.passed, "{name}: {check:?}");
        }
    }
}

#[test]
fn an_unreachable_minimiser_fails_the_check() {
    let found = finished(&engine_alone(|c| (c.engine.most_steps, c.dim, c.condition) = (2, 3, 30.0)), 1);
    assert!(found.engine().iter().any(|check| !check.passed), "two steps are not enough");
}

#[test]
fn simulation_agrees_with_the_closed_forms() {
    let mut config = smoke();
    config.tasks = 400;
    config.seeds = (0..24).collect();
    let summary = finished(&config, 2).summary();
    let agreement = &summary.agreement;
    assert!(agreement.points >= 30 && agreement.beyond_4 == 0, "{agreement:?}");
    assert!(agreement.within_2 >= 0.85, "{agreement:?}");
    let verdicts: Vec<_> = summary.claims.iter().map(|claim| (claim.id, claim.verdict.as_str())).collect();
    assert_eq!(verdicts, [("A", "supported"), ("B", "supported"), ("F", "supported")]);
}

#[test]
fn claims_may_come_out_not_supported() {
    // Equal hardness everywhere: nothing is gained however far the groups lie apart.
    let mut config = smoke();
    config.rho_hard = config.rho_easy;
    config.run = vec!["distance".into(), "spread_hard".into()];
    config.engine.enabled = false;
    let summary = finished(&config, 2).summary();
    assert_eq!(summary.claims.len(), 1);
    assert_ne!(summary.claims[0].verdict, "supported", "{:#?}", summary.claims);
}

#[test]
fn edges_of_the_range_can_be_simulated() {
    let mut config = smoke();
    config.run = vec!["share".into()];
    config.sweep.get_mut("share").expect("built in").values = vec![0.0, 1.0];
    config.engine.enabled = false;
    let agrees = |config: &Config, what: &str| {
        let Summary { agreement, points, .. } = finished(config, 2).summary();
        assert!(agreement.beyond_4 == 0 && agreement.points > 0, "{what}: {points:#?}");
    };
    agrees(&config, "one group alone");
    agrees(&Config { alpha: 0.0, ..config.clone() }, "no step at all");
    agrees(&Config { inner_steps: 0, ..config.clone() }, "K = 0");
    let exact = Config { noise_variance: 0.0, spread_easy: 0.0, spread_hard: 0.0, ..config.clone() };
    let nothing_to_find = |point: &Point| point.mean.abs() < 1e-28 && point.theory.is_some_and(|x| x < 1e-28);
    assert!(finished(&exact, 2).points().iter().all(nothing_to_find), "one noiseless task, again and again");
    let small = Config { dim: 1, adaptation_samples: 1, test_tasks: 200, alpha: 0.3, ..config.clone() };
    agrees(&small, "d = 1, m = 1");
    agrees(&Config { alpha: 2.5 / 0.9, tasks: 400, ..config.clone() }, "beyond 2 / rho");
}

#[test]
fn divergence_and_singular_data_are_named() {
    let refused = |change: fn(&mut Config), says: &[&str]| {
        let mut config = smoke();
        config.engine.enabled = false;
        config.run = vec!["distance".into()];
        change(&mut config);
        let error = match Run::new(config, Workers::new(1).expect("threads start")) {
            Err(error) => error.to_string(),
            Ok(mut run) => run.advance().expect_err("the run cannot go on").to_string(),
        };
        for word in says {
            assert!(error.contains(word), "no `{word}` in: {error}");
        }
    };
    refused(|c| (c.alpha, c.inner_steps) = (1e9, 40), &["not finite", "alpha", "easy"]);
    refused(|c| (c.tasks, c.samples, c.adaptation_samples) = (1, 2, 3), &["sweep `distance`", "seed 0", "singular"]);
    refused(|c| c.run = vec!["nowhere".into()], &["`nowhere`", "hardness"]);
    refused(|c| c.seeds = vec![1], &["seeds", "at least 2"]);
    refused(|c| c.samples = 0, &["`samples`", "at least 1"]);
    refused(|c| c.hard_share = 1.5, &["hard_share", "between 0 and 1"]);
    refused(|c| c.rho_hard = -0.1, &["rho_hard", "positive"]);
    refused(|c| c.sweep.get_mut("distance").unwrap().values.clear(), &["sweep.distance.values", "empty"]);
    refused(
        |c| {
            two_own_groups(c);
            c.groups[1].share = 0.5;
        },
        &["shares", "sum to"],
    );
    refused(two_own_groups, &["distance", "groups of its own"]);
}

#[test]
fn a_landscape_of_ones_own_can_be_swept() {
    let mut config = smoke();
    two_own_groups(&mut config);
    let mut sweep = config.sweep["distance"].clone();
    sweep.values = vec![0.5, 2.0];
    for word in ["tilted.covariance", "tilted.centre", "tilted.spread"] {
        sweep.parameter = Parameter::try_from(word.to_string()).expect("a part of a group");
        config.sweep.insert(word.replace('.', "_"), sweep.clone());
    }
    sweep.parameter = Parameter::try_from("axes.share".to_string()).expect("a part of a group");
    sweep.values = vec![0.2, 0.9];
    config.sweep.insert("axes_share".into(), sweep);
    config.run = ["tilted_covariance", "tilted_centre", "tilted_spread", "axes_share"].map(String::from).to_vec();
    config.tasks = 400;
    let summary = finished(&config, 2).summary();
    assert_eq!((summary.points.len(), summary.agreement.beyond_4), (16, 0), "{:#?}", summary.points);
    assert!(summary.claims.is_empty(), "easy and hard are words of the two groups");
}

#[test]
fn the_closed_forms_of_the_base_are_known() {
    let closed = ClosedForms::of(&smoke()).expect("the base has closed forms");
    assert!((closed.crossing_m.expect("the base has a crossing") - 13.75).abs() < 1e-9);
    assert!((closed.nal.minimiser[4] - 0.1).abs() < 1e-14);
    assert!((closed.nal.excess_risk - closed.maml.excess_risk - closed.difference).abs() < 1e-15);
    let stretched = ClosedForms::of(&Config { alpha: 3.0, ..smoke() }).expect("one step is always a number");
    assert!(stretched.notes.iter().any(|note| note.contains("`easy`") && note.contains("beyond 2")));
}

fn tiny() -> Config {
    let mut config = smoke();
    config.tasks = 20;
    config.test_tasks = 3;
    config.seeds = (0..10).collect();
    config.run = vec!["distance".into(), "training_tasks".into(), "map_geography".into()];
    config
}

#[test]
fn a_run_has_the_same_bits_on_any_number_of_threads() {
    let expected = finished(&tiny(), 1).save().expect("a state can be saved");
    for threads in [2, 3, 7] {
        assert!(finished(&tiny(), threads).save().expect("a state can be saved") == expected, "{threads} threads");
    }
}

#[test]
fn a_resumed_run_has_the_same_bits() {
    let config = tiny();
    let expected = finished(&config, 2);
    let text = |run: &Run| serde_json::to_string(&run.summary()).expect("a summary is plain data");
    for stop in [0, 1, 4, 5, 6, 9, 1000] {
        let mut first = run(&config, 1);
        for _ in 0..stop {
            if !first.is_finished() {
                first.advance().expect("no divergence");
            }
        }
        let mut second = run(&config, 2);
        second.restore(&first.save().expect("a state can be saved")).expect("the state is of this run");
        while !second.is_finished() {
            second.advance().expect("no divergence");
        }
        assert!(second.save().unwrap() == expected.save().unwrap(), "stopped after {stop} units");
        assert_eq!(text(&second), text(&expected));
    }
    let more = Config { seeds: (0..11).collect(), ..config.clone() };
    assert!(run(&more, 1).restore(&expected.save().unwrap()).is_err(), "the state of another run");
    assert!(run(&config, 1).restore(b"{").is_err(), "a damaged state");
}

#[test]
fn a_cell_keeps_its_numbers_whatever_else_is_run() {
    let all = finished(&tiny(), 2).points();
    let mut config = tiny();
    config.run = vec!["distance".into()];
    config.sweep.get_mut("distance").expect("built in").values = vec![3.0];
    let alone = finished(&config, 1).points();
    let same = all.iter().filter(|point| point.sweep == "distance" && point.value == 3.0);
    for (a, b) in same.zip(&alone) {
        assert_eq!(a.mean.to_bits(), b.mean.to_bits());
    }
    assert_eq!(alone.len(), 2);
}
