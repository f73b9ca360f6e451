//! Linear regression tasks of a [`Landscape`], sampled by address.

use maml_autograd::{Tensor, Value};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::{
    Purpose,
    maml::Task,
    model::{Linear, Regression},
    rng::{ChaCha8Rng, rng},
    theory::{Group, Landscape, Matrix, Moments, Vector, symmetric_root},
};

/// The sizes of a task's data: `steps` inner batches of `inner` samples, and an outer one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batches {
    /// Inner batches, one for each step.
    pub steps: usize,
    /// Samples of an inner batch.
    pub inner: usize,
    /// Samples of the outer batch.
    pub outer: usize,
}

/// A sampled task.
#[derive(Clone, Debug)]
pub struct RegressionTask {
    /// Its group, by its place in the landscape.
    pub group: usize,
    /// Its solution w* \[d\].
    pub solution: Tensor<f64>,
    /// Its inner batches as support sets, its outer batch as query set.
    pub data: Task<Regression<Linear, f64>>,
}

/// The tasks of a landscape: x ~ N(0, Σ), w* ~ N(μ, S), y = ⟨w*, x⟩ + ν z.
#[derive(Clone, Debug)]
pub struct RegressionTasks {
    model: Linear,
    noise: f64,
    groups: Vec<Sampler>,
}

#[derive(Clone, Debug)]
struct Sampler {
    share: f64,
    inputs: Root,
    centre: Tensor<f64>,
    solutions: Root,
}

/// The symmetric root of a covariance.
#[derive(Clone, Debug)]
enum Root {
    /// √ρ of ρI.
    Scale(f64),
    /// V √Λ Vᵀ \[d, d\].
    Full(Tensor<f64>),
}

impl Root {
    fn of(covariance: &Matrix) -> Self {
        let rho = covariance[(0, 0)];
        if *covariance == Matrix::identity(covariance.nrows(), covariance.ncols()) * rho {
            return Self::Scale(rho.sqrt());
        }
        let root = symmetric_root(covariance);
        let d = root.nrows();
        Self::Full(Tensor::from_fn([d, d], |i| root[(i / d, i % d)]))
    }

    /// Rows of N(0, Σ) from rows of N(0, I).
    fn shape(&self, z: &Tensor<f64>) -> Tensor<f64> {
        match self {
            Self::Scale(root) => z.scale(*root),
            Self::Full(root) => z.matmul(root),
        }
    }
}

impl RegressionTasks {
    /// The landscape's groups, ready to be sampled.
    pub fn new(landscape: &Landscape) -> Self {
        let sampler = |group: &Group| Sampler {
            share: group.share,
            inputs: Root::of(&group.covariance),
            centre: Tensor::new([1, group.centre.len()], group.centre.as_slice()),
            solutions: Root::of(&group.spread),
        };
        let groups = landscape.groups.iter().map(sampler).collect();
        Self { model: Linear { dim: landscape.dim() }, noise: landscape.noise_variance.sqrt(), groups }
    }

    /// The model of every task.
    pub fn model(&self) -> Linear {
        self.model
    }

    /// A task for training, of a group drawn by the shares: a pure function of (seed, place, index).
    pub fn training_task(&self, seed: u64, place: u64, index: u64, batches: Batches) -> RegressionTask {
        let mut rng = rng(seed, Purpose::TrainEpisode, place, index);
        let mut u: f64 = rng.random();
        let before = |group: &&Sampler| {
            u -= group.share;
            u >= 0.0
        };
        let group = self.groups.iter().take_while(before).count().min(self.groups.len() - 1);
        self.draw(&mut rng, group, batches)
    }

    /// A task of one group for judging; its outer batch is empty if `batches.outer` is 0.
    pub fn test_task(&self, seed: u64, place: u64, group: usize, index: u64, batches: Batches) -> RegressionTask {
        // Groups are counted from above, so that no index of a task is met twice.
        let index = index | (group as u64) << 40;
        self.draw(&mut rng(seed, Purpose::TestEpisode, place, index), group, batches)
    }

    fn draw(&self, rng: &mut ChaCha8Rng, group: usize, batches: Batches) -> RegressionTask {
        let Sampler { inputs, centre, solutions, .. } = &self.groups[group];
        let w = centre.add(&solutions.shape(&normal(rng, [1, self.model.dim])));
        let column = w.reshape([self.model.dim, 1]);
        let mut batch = |n: usize| {
            let x = inputs.shape(&normal(rng, [n, self.model.dim]));
            let y = x.matmul(&column).add_scaled(self.noise, &normal(rng, [n, 1])).reshape([n]);
            Regression { model: self.model, x, y }
        };
        let support = (0..batches.steps).map(|_| batch(batches.inner)).collect();
        let data = Task { support, query: batch(batches.outer) };
        RegressionTask { group, solution: w.reshape([self.model.dim]), data }
    }
}

fn normal(rng: &mut ChaCha8Rng, shape: [usize; 2]) -> Tensor<f64> {
    Tensor::from_fn(shape, |_| StandardNormal.sample(rng))
}

/// G = XᵀX and h = Xᵀy of a batch.
pub fn moments(batch: &Regression<Linear, f64>) -> Moments {
    let (n, d) = (batch.y.shape().len(), batch.model.dim);
    let gram = batch.x.matmul_tn(&batch.x);
    let moment = batch.x.matmul_tn(&batch.y.reshape([n, 1]));
    Moments {
        gram: Matrix::from_row_slice(d, d, gram.as_slice()),
        moment: Vector::from_row_slice(moment.as_slice()),
        samples: n as f64,
    }
}
