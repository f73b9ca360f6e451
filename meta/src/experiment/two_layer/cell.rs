//! One place of a sweep: what one seed finds there.

use maml_autograd::{Tensor, value};
use serde::{Deserialize, Serialize};

use super::{
    config::Config,
    training::{Trained, train},
};
use crate::{
    LearnerName,
    maml::{adapt, diagnose},
    model::{Model, Regression},
    rng::{Purpose, rng},
    task::{
        FixedTasks,
        teacher::{Environment, Kind, TeacherTask, matched},
    },
};

/// What one seed finds at a place of a sweep.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Draw {
    /// NAL's and MAML's excess risk after adaptation on the test tasks: of the mixture, of easy and of hard tasks.
    pub risks: [[f64; 3]; 2],
    /// How each training went.
    pub trained: [Trained; 2],
    /// ‖w − centre‖² of each solution to the easy and to the hard centre, neurons in the best order.
    pub distances: [[f64; 2]; 2],
}

/// Environments of sweeps; those of the two-task pairs have another number.
const FAMILY: u64 = 0;

/// Trains both learners on sampled tasks, and judges them on fresh ones, the same for both.
///
/// # Errors
/// Says which learner, and which task, left the range of numbers.
pub(super) fn draw(config: &Config, seed: u64, place: u64) -> Result<Draw, String> {
    let environment = Environment::new(config.spec(), seed, FAMILY);
    let support = vec![config.adaptation_samples; config.inner_steps];
    let hard_tasks = (config.hard_share * config.tasks as f64).round() as usize;
    let training = |i: usize| {
        let kind = if i < hard_tasks { Kind::Hard } else { Kind::Easy };
        environment.task(kind, &mut rng(seed, Purpose::TrainEpisode, place, i as u64), &support, config.samples).data
    };
    let tasks = FixedTasks::new((0..config.tasks).map(training).collect(), config.parameters());
    let tests = Kind::BOTH.map(|kind| {
        let test = |i: usize| {
            let index = i as u64 | (kind as u64) << 40;
            environment.task(kind, &mut rng(seed, Purpose::TestEpisode, place, index), &support, config.test_samples)
        };
        (0..config.test_tasks).map(test).collect::<Vec<_>>()
    });
    let mut found = Vec::with_capacity(2);
    for (name, learner) in LearnerName::BOTH.into_iter().zip(config.learners()) {
        let solution = train(config, learner, &tasks, (seed, place));
        let (weights, trained) = solution.map_err(|why| format!("{}: {why}", name.name()))?;
        let mut risks = [0.0; 3];
        for (kind, tests) in Kind::BOTH.into_iter().zip(&tests) {
            risks[1 + kind as usize] = judge(config, name, &weights, tests)?;
        }
        risks[0] = (1.0 - config.hard_share) * risks[1] + config.hard_share * risks[2];
        let distances = Kind::BOTH.map(|kind| matched(&weights, environment.centre(kind)).1);
        found.push((risks, trained, distances));
    }
    let maml = found.pop().expect("two learners");
    let nal = found.pop().expect("two learners");
    Ok(Draw { risks: [nal.0, maml.0], trained: [nal.1, maml.1], distances: [nal.2, maml.2] })
}

/// The mean over tasks of ½ E(f(x; w_K) − teacher(x))², on the inputs of their query sets.
fn judge(config: &Config, learner: LearnerName, weights: &Tensor<f64>, tests: &[TeacherTask]) -> Result<f64, String> {
    let mut sum = 0.0;
    for (i, task) in tests.iter().enumerate() {
        let adapted = adapt(&task.data.support, std::slice::from_ref(weights), config.inner());
        let model = config.model();
        let x = task.data.query.x.clone();
        let clean = Regression { model, y: model.predict(std::slice::from_ref(&task.teacher), &x), x };
        let risk = value(&clean, &adapted);
        if !risk.is_finite() {
            let (learner, kind) = (learner.name(), task.kind.name());
            let what = diagnose(&task.data, std::slice::from_ref(weights), config.inner());
            return Err(format!("{learner}, {kind} test task {i}: {what} is not finite; lower `alpha`"));
        }
        sum += risk;
    }
    Ok(sum / tests.len() as f64)
}
