//! Tasks whose targets come from teacher networks, sampled by address: an environment has easy and hard teachers.

use maml_autograd::{Tensor, Value};
use pathfinding::{kuhn_munkres::kuhn_munkres_min, matrix::Matrix as Costs};
use rand_distr::{Distribution, StandardNormal};

use crate::{
    Purpose,
    maml::Task,
    model::{Model, Regression, TwoLayer},
    rng::{ChaCha8Rng, rng},
};

/// What easy and hard tasks are like; pairs are (easy, hard).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TeacherSpec {
    /// The network of students and teachers.
    pub model: TwoLayer,
    /// ρ: x ~ N(0, ρI).
    pub rho: [f64; 2],
    /// R: how far the hard teachers' centre lies from the easy ones', for each neuron.
    pub distance: f64,
    /// r: a teacher's neuron is its centre + √r ξ with ξ ~ N(0, I/d).
    pub spread: [f64; 2],
    /// ν², the variance of the targets' noise.
    pub noise_variance: f64,
}

/// Centres c_j ~ N(0, I/d) of the easy teachers' neurons, and of the hard ones' at c_j + R u_j, u_j a random unit vector.
#[derive(Clone, Debug)]
pub struct Environment {
    spec: TeacherSpec,
    /// \[d, neurons\] for easy and for hard tasks.
    centres: [Tensor<f64>; 2],
}

/// Easy or hard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The tasks with ρ_E.
    Easy,
    /// The tasks with ρ_H.
    Hard,
}

impl Kind {
    /// Both, in the order of all tables.
    pub const BOTH: [Self; 2] = [Self::Easy, Self::Hard];

    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Hard => "hard",
        }
    }
}

/// A task: its teacher's weights \[d, neurons\], its support sets, and its query set.
#[derive(Clone, Debug)]
pub struct TeacherTask {
    /// Easy or hard.
    pub kind: Kind,
    /// The teacher.
    pub teacher: Tensor<f64>,
    /// The data.
    pub data: Task<Regression<TwoLayer, f64>>,
}

impl Environment {
    /// The environment of an address: the same for every setting of distance, spread, ρ and noise.
    pub fn new(spec: TeacherSpec, seed: u64, family: u64) -> Self {
        let mut rng = rng(seed, Purpose::Data, family, 0);
        let (d, neurons) = (spec.model.dim, spec.model.neurons);
        let easy = normal(&mut rng, [d, neurons]).scale(1.0 / (d as f64).sqrt());
        let direction = normal(&mut rng, [d, neurons]);
        let size = |j: usize| (0..d).map(|i| direction.as_slice()[i * neurons + j].powi(2)).sum::<f64>().sqrt();
        let sizes: Vec<f64> = (0..neurons).map(size).collect();
        let unit = Tensor::from_fn([d, neurons], |i| direction.as_slice()[i] / sizes[i % neurons]);
        let hard = easy.add_scaled(spec.distance, &unit);
        Self { spec, centres: [easy, hard] }
    }

    /// The centre of a kind's teachers \[d, neurons\].
    pub fn centre(&self, kind: Kind) -> &Tensor<f64> {
        &self.centres[kind as usize]
    }

    /// A task with a support set of each of these sizes, and a query set: a pure function of the address.
    pub fn task(&self, kind: Kind, stream: &mut ChaCha8Rng, support: &[usize], query: usize) -> TeacherTask {
        let (model, rho) = (self.spec.model, self.spec.rho[kind as usize]);
        let around = (self.spec.spread[kind as usize] / model.dim as f64).sqrt();
        let teacher = self.centre(kind).add_scaled(around, &normal(stream, [model.dim, model.neurons]));
        let mut set = |n: usize| {
            let x = normal(stream, [n, model.dim]).scale(rho.sqrt());
            let y = model.predict(std::slice::from_ref(&teacher), &x);
            let y = y.add_scaled(self.spec.noise_variance.sqrt(), &normal(stream, [n]));
            Regression { model, x, y }
        };
        let support = support.iter().map(|&n| set(n)).collect();
        let data = Task { support, query: set(query) };
        TeacherTask { kind, teacher, data }
    }
}

fn normal<const N: usize>(rng: &mut ChaCha8Rng, shape: [usize; N]) -> Tensor<f64> {
    Tensor::from_fn(shape, |_| StandardNormal.sample(rng))
}

/// The columns of `weights` \[d, neurons\] in the order in which they lie closest to those of `reference`: neurons may be
/// exchanged without changing the network, and a distance between networks is that of the best order. Returns the
/// reordered weights and Σ_j ‖w_j − r_j‖².
///
/// Costs are compared to 2⁻⁴⁰ of the largest, and are whole numbers in the matching (Kuhn and Munkres).
pub fn matched(weights: &Tensor<f64>, reference: &Tensor<f64>) -> (Tensor<f64>, f64) {
    assert_eq!(weights.shape(), reference.shape(), "matching of neurons: shapes");
    let &[d, neurons] = weights.shape().dims() else { panic!("matching of neurons: weights have two axes") };
    let (w, r) = (weights.as_slice(), reference.as_slice());
    let square = |j: usize, k: usize| (0..d).map(|i| (w[i * neurons + k] - r[i * neurons + j]).powi(2)).sum::<f64>();
    let largest = (0..neurons * neurons).map(|i| square(i / neurons, i % neurons)).fold(f64::MIN_POSITIVE, f64::max);
    let unit = largest / (1_u64 << 40) as f64;
    let costs = Costs::from_fn(neurons, neurons, |(j, k)| (square(j, k) / unit).round() as i64);
    let (_, order) = kuhn_munkres_min(&costs);
    let total = (0..neurons).map(|j| square(j, order[j])).sum();
    (Tensor::from_fn([d, neurons], |i| w[i / neurons * neurons + order[i % neurons]]), total)
}
