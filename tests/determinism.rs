//! The promise of the same bits: for any number of threads, and for a run that was stopped and resumed.

use std::sync::Arc;

use maml_landscape::{arguments::Profile, config, profiles};
use maml_meta::{
    data::{Glyphs, ImageSet},
    experiment::{
        Experiment,
        omniglot::{Config, Run},
    },
    parallel::Workers,
};

fn built_in(profile: Profile) -> Config {
    config::resolve(&profiles::omniglot(profile), None, &[]).expect("a built-in config is valid")
}

fn smoke() -> Config {
    built_in(Profile::Smoke)
}

fn images() -> Arc<ImageSet> {
    let glyphs = Glyphs { alphabets: 28, background_alphabets: 22, ..Glyphs::default() };
    Arc::new(glyphs.generate().expect("the default glyphs can be drawn"))
}

#[test]
fn every_built_in_profile_can_be_drawn() {
    for profile in [Profile::Smoke, Profile::Quick, Profile::Full] {
        run(&built_in(profile), &images(), 1);
    }
}

fn run(config: &Config, set: &Arc<ImageSet>, threads: usize) -> Run {
    let workers = Workers::new(threads).expect("threads start");
    Run::new(config.clone(), set.clone(), workers).expect("the smoke profile can be run")
}

/// Everything that a run holds (parameters, moments, scores), at each of its steps of this many, and at its end.
fn states(run: &mut Run, every: usize) -> Vec<Vec<u8>> {
    let mut states = Vec::new();
    for step in 1.. {
        if run.is_finished() {
            break;
        }
        run.advance().expect("the smoke profile does not diverge");
        if step % every == 0 {
            states.push(run.save().expect("a state can be saved"));
        }
    }
    states.push(run.save().expect("a state can be saved"));
    states
}

#[test]
fn a_whole_smoke_run_has_the_same_bits_on_any_number_of_threads() {
    let (config, set) = (smoke(), images());
    let expected = states(&mut run(&config, &set, 1), 25);
    assert!(expected.len() >= 10, "states were compared while training");
    for threads in [2, 3, 7] {
        let found = states(&mut run(&config, &set, threads), 25);
        let differs = expected.iter().zip(&found).position(|(a, b)| a != b);
        assert_eq!((expected.len(), differs), (found.len(), None), "{threads} threads: the first state that differs");
    }
}

#[test]
fn a_resumed_run_has_the_same_bits_as_one_that_was_not_stopped() {
    let mut config = smoke();
    config.standard.training.iterations = 6;
    config.landscape.training.iterations = 6;
    config.evaluation.episodes = 4;
    let set = images();
    let mut whole = run(&config, &set, 1);
    let expected = states(&mut whole, usize::MAX).pop();
    let summary = serde_json::to_string(&whole.summary()).expect("a summary is plain data");
    // Stops in the midst of training, at its end, in the midst of judging, and at the end of the run.
    for stop in [1, 5, 6, 7, 10, 20, 26] {
        let mut first = run(&config, &set, 2);
        for _ in 0..stop {
            if !first.is_finished() {
                first.advance().expect("no divergence");
            }
        }
        let saved = first.save().expect("a state can be saved");
        let mut second = run(&config, &set, 3);
        second.restore(&saved).expect("the state is of this run");
        assert_eq!(states(&mut second, usize::MAX).pop(), expected, "stopped after {stop} steps");
        assert_eq!(serde_json::to_string(&second.summary()).expect("plain data"), summary);
    }
}

#[test]
fn a_foreign_or_damaged_state_is_refused() {
    let (mut config, set) = (smoke(), images());
    config.standard.training.iterations = 2;
    let mut small = run(&config, &set, 1);
    small.advance().expect("no divergence");
    let saved = small.save().expect("a state can be saved");
    config.filters += 1;
    let error = run(&config, &set, 1).restore(&saved).expect_err("another network").to_string();
    assert!(error.contains("conv1.weight") && error.contains("shape"), "{error}");
    for length in [0, 7, 8, 20, saved.len() - 1] {
        assert!(run(&config, &set, 1).restore(&saved[..length]).is_err(), "{length} bytes of {}", saved.len());
    }
}
