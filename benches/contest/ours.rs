//! Our engine at a case. It computes in a child of the bench, so that peak memory is that of the case alone.

use std::{env, io, process::Command};

use maml_autograd::{SecondOrder, Tape, value_and_grad};
use maml_meta::{
    Params,
    maml::{InnerLoop, Order},
    model::{Activation, Conv4, Linear, Model, TwoLayer},
    nal::Empirical,
    parallel::Workers,
    train::{Learner, mean_gradient},
};

use crate::{
    answer::{Answer, median},
    cases::{ALPHA, CASES, Case, Job, Net, QUERY, WAYS},
    clock::{measure, peak_memory},
    machine,
    problem::{direction, images, pairs, parameters, tasks},
};

/// Times the case in a child process, on the cores that the peers take too.
pub(crate) fn ask(index: usize, seconds: f64) -> Result<Answer, String> {
    let itself = env::current_exe().map_err(|e| format!("the bench does not find itself: {e}"))?;
    let cores = machine::cores().into_iter().take(CASES[index].threads).map(|core| core.to_string());
    let arguments = [format!("--ours={index}"), format!("--seconds={seconds}")];
    let mut pinned = Command::new("taskset");
    pinned.args(["-c", &cores.collect::<Vec<_>>().join(",")]).arg(&itself).args(&arguments);
    let output = match pinned.output() {
        // Without taskset the system chooses the cores.
        Err(e) if e.kind() == io::ErrorKind::NotFound => Command::new(itself).args(arguments).output(),
        output => output,
    };
    Answer::of(output.map_err(|e| format!("the bench cannot start itself: {e}"))?)
}

/// Computes the case here.
pub(crate) fn answer(case: &Case, seconds: f64) -> Answer {
    match case.net {
        Net::Conv4 { side, channels, filters, shots } => {
            let model = Conv4 { height: side, width: side, channels, filters, ways: WAYS };
            let set = |per_class| move |seed| images(model, [side, channels], per_class, seed);
            measured(case, seconds, &model, set(shots), set(QUERY))
        }
        Net::TwoLayer { dim, neurons, examples } => {
            let model = TwoLayer { dim, neurons, activation: Activation::Softplus };
            let set = |seed| pairs(model, dim, examples, seed);
            measured(case, seconds, &model, set, set)
        }
        Net::Linear { dim, examples } => {
            let model = Linear { dim };
            let set = |seed| pairs(model, dim, examples, seed);
            measured(case, seconds, &model, set, set)
        }
    }
}

/// `support` and `query` make a loss from a seed.
fn measured<F: Empirical<f32> + Clone + Send + Sync>(
    case: &Case,
    seconds: f64,
    model: &impl Model,
    support: impl Fn(u32) -> F,
    query: impl Fn(u32) -> F,
) -> Answer {
    let params = parameters(model);
    let tasks = tasks(case.tasks, params.len(), support, query);
    let first = &tasks.tasks()[0].support[0];
    let ((loss, gradient), samples) = match case.job {
        Job::Maml => {
            let workers = Workers::new(case.threads).expect("threads start");
            let learner = Learner::Maml(InnerLoop { alpha: ALPHA, steps: case.steps }, Order::Second);
            measure(seconds, || mean_gradient(learner, &tasks, 0, &params, case.tasks, &workers).expect("finite"))
        }
        Job::Gradient => measure(seconds, || {
            let (loss, gradient) = value_and_grad(first, params.tensors());
            (f64::from(loss), params.with(gradient))
        }),
        Job::Hvp => {
            let v = direction(&params);
            // The gradient is made on the way.
            let product = || {
                let tape = Tape::new();
                let at = SecondOrder::at(&tape, first, params.tensors());
                (f64::from(at.value()), params.with(at.hvp(&v)))
            };
            measure(seconds, product)
        }
    };
    summary(loss, &gradient, samples)
}

fn summary(loss: f64, gradient: &Params<f32>, samples: Vec<f64>) -> Answer {
    let extreme = |sample: Option<&f64>| *sample.expect("there are samples");
    Answer {
        min_s: extreme(samples.first()),
        max_s: extreme(samples.last()),
        samples: samples.len(),
        rss_mib: peak_memory(),
        loss,
        norm: gradient.norm(),
        median_s: median(samples),
    }
}
