//! Tasks that are stacked into one problem keep the bits that each has alone.

#[path = "support/sampling.rs"]
mod sampling;

use maml_autograd::{Real, Tensor};
use maml_meta::{
    Params,
    maml::{InnerLoop, Order, Task},
    model::{Activation, Linear, Model, Regression, TwoLayer},
    parallel::Workers,
    task::FixedTasks,
    train::{Diverged, Learner, TaskSource, mean_gradient, objective},
};
use sampling::{stream, uniform};

fn scattered<T: Real>(shape: &[usize], seed: u64) -> Tensor<T> {
    uniform(&mut stream("stacks", [seed, 0]), shape.into(), -1.0, 1.0).cast()
}

fn tasks<M: Model, T: Real>(model: &M, dim: usize, supports: usize, count: u64) -> Vec<Task<Regression<M, T>>> {
    let set = |n: usize, seed| Regression {
        model: model.clone(),
        x: scattered(&[n, dim], seed),
        y: scattered(&[n], seed + 1),
    };
    let task = |i| Task {
        support: (0..supports as u64).map(|k| set(37, 100 * i + 10 * k)).collect(),
        query: set(21, 100 * i + 90),
    };
    (0..count).map(task).collect()
}

/// The same tasks as a source that knows nothing of stacks.
struct OneByOne<F>(Vec<Task<F>>);

impl<M: Model, T: Real> TaskSource<T> for OneByOne<Regression<M, T>> {
    type Loss = Regression<M, T>;
    fn task(&self, _: u64, index: u64) -> Task<Self::Loss> {
        self.0[index as usize].clone()
    }
}

const LEARNERS: [Learner; 5] = [
    Learner::Nal,
    Learner::Maml(InnerLoop { alpha: 0.1, steps: 0 }, Order::Second),
    Learner::Maml(InnerLoop { alpha: 0.1, steps: 1 }, Order::First),
    Learner::Maml(InnerLoop { alpha: 0.1, steps: 1 }, Order::Second),
    Learner::Maml(InnerLoop { alpha: 0.1, steps: 3 }, Order::Second),
];

fn check<M: Model, T: Real>(model: &M, dim: usize) {
    let specs = model.specs();
    let names: Vec<String> = specs.iter().map(|spec| spec.name.clone()).collect();
    let params = Params::new(names.into(), specs.iter().map(|s| scattered::<T>(s.shape.dims(), 7)).collect());
    for supports in [1, 2] {
        let tasks = tasks::<M, T>(model, dim, supports, 11);
        let fixed = FixedTasks::new(tasks.clone(), params.len());
        let alone = OneByOne(tasks);
        for learner in LEARNERS {
            let bits = |(loss, gradient): (f64, Params<T>)| {
                let numbers = gradient.tensors().iter().flat_map(Tensor::as_slice).map(|x| x.to_f64().to_bits());
                (loss.to_bits(), numbers.collect::<Vec<_>>())
            };
            let one = Workers::new(1).unwrap();
            let want = bits(mean_gradient(learner, &alone, 0, &params, 11, &one).unwrap());
            for threads in [1, 2, 3] {
                let workers = Workers::new(threads).unwrap();
                let have = bits(mean_gradient(learner, &fixed, 0, &params, 11, &workers).unwrap());
                assert_eq!(have, want, "{learner:?}, {supports} support sets, {threads} threads");
            }
            assert_eq!(bits(objective(learner, &fixed, &params)), want, "{learner:?}, objective");
        }
    }
}

#[test]
fn stacked_tasks_have_the_bits_of_single_ones() {
    check::<_, f32>(&Linear { dim: 10 }, 10);
    check::<_, f64>(&Linear { dim: 3 }, 3);
    for activation in [Activation::Softplus, Activation::Tanh, Activation::Elu, Activation::Relu] {
        check::<_, f32>(&TwoLayer { dim: 10, neurons: 5, activation }, 10);
        check::<_, f64>(&TwoLayer { dim: 4, neurons: 9, activation }, 4);
        check::<_, f32>(&TwoLayer { dim: 6, neurons: 40, activation }, 6);
    }
}

#[test]
fn a_stack_names_the_task_that_diverged() {
    let model = Linear { dim: 4 };
    let mut tasks = tasks::<_, f64>(&model, 4, 1, 5);
    tasks[3].query.y = Tensor::full([21], f64::INFINITY);
    let params = model.init::<f64>(0);
    let fixed = FixedTasks::new(tasks, params.len());
    let learner = Learner::Maml(InnerLoop { alpha: 0.1, steps: 1 }, Order::Second);
    let error = mean_gradient(learner, &fixed, 8, &params, 5, &Workers::new(1).unwrap()).unwrap_err();
    let Diverged { iteration, task, what } = error;
    assert_eq!((iteration, task), (8, Some(3)));
    assert!(what.contains("query loss"), "{what}");
}

#[test]
fn tasks_of_unequal_sizes_are_not_stacked() {
    let model = Linear { dim: 4 };
    let mut tasks = tasks::<_, f64>(&model, 4, 1, 4);
    tasks[1].query = Regression { model, x: scattered(&[8, 4], 1), y: scattered(&[8], 2) };
    let params = Params::new(["weight".to_owned()].into(), vec![scattered(&[4], 3)]);
    let fixed = FixedTasks::new(tasks.clone(), params.len());
    let workers = Workers::new(1).unwrap();
    let gradient = |source: &dyn Fn() -> (f64, Params<f64>)| source().0.to_bits();
    let want = gradient(&|| mean_gradient(Learner::Nal, &OneByOne(tasks.clone()), 0, &params, 4, &workers).unwrap());
    assert_eq!(gradient(&|| mean_gradient(Learner::Nal, &fixed, 0, &params, 4, &workers).unwrap()), want);
}
