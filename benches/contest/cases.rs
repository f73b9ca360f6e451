//! The cases as data: what is computed, on how many threads, and against whom.

use std::fmt;

/// Classes of a few-shot task.
pub(crate) const WAYS: usize = 5;
/// Query images of a class.
pub(crate) const QUERY: usize = 15;
/// Step of the inner SGD.
pub(crate) const ALPHA: f64 = 0.05;

/// What is asked for.
#[derive(Clone, Copy)]
pub(crate) enum Job {
    /// The mean over the tasks of the exact second-order meta-gradient.
    Maml,
    /// A gradient on the support set of the first task.
    Gradient,
    /// A Hessian-vector product there, and the gradient.
    Hvp,
}

/// The model, and the size of the sets that it is given.
#[derive(Clone, Copy)]
pub(crate) enum Net {
    Conv4 { side: usize, channels: usize, filters: usize, shots: usize },
    TwoLayer { dim: usize, neurons: usize, examples: usize },
    Linear { dim: usize, examples: usize },
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) job: Job,
    pub(crate) net: Net,
    pub(crate) tasks: usize,
    /// Inner steps K.
    pub(crate) steps: usize,
    pub(crate) threads: usize,
}

/// A framework and the way in which it is used, one of those that its script in `benches/peers` describes.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    pub(crate) framework: &'static str,
    pub(crate) way: &'static str,
}

pub(crate) const TORCH: &str = "PyTorch";
pub(crate) const JAX: &str = "JAX";

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} on {} {}", self.name, self.threads, if self.threads == 1 { "thread" } else { "threads" })
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {}", self.framework, self.way)
    }
}

const fn omniglot(shots: usize) -> Net {
    Net::Conv4 { side: 28, channels: 1, filters: 64, shots }
}

const fn cifar(shots: usize) -> Net {
    Net::Conv4 { side: 32, channels: 3, filters: 32, shots }
}

const fn few_shot(name: &'static str, net: Net, steps: usize) -> Case {
    Case { name, job: Job::Maml, net, tasks: 16, steps, threads: 1 }
}

const fn small(name: &'static str, net: Net) -> Case {
    Case { name, job: Job::Maml, net, tasks: 20, steps: 1, threads: 1 }
}

/// A derivative of a loss on `shots` images a class, with no task around it.
const fn derivative(name: &'static str, job: Job, shots: usize) -> Case {
    Case { name, job, net: omniglot(shots), tasks: 1, steps: 1, threads: 1 }
}

const fn two_threads(case: Case) -> Case {
    Case { threads: 2, ..case }
}

const OMNIGLOT_1_SHOT: Case = few_shot("conv4-64 Omniglot 5-way 1-shot K=1", omniglot(1), 1);
const OMNIGLOT_5_SHOT: Case = few_shot("conv4-64 Omniglot 5-way 5-shot K=1", omniglot(5), 1);
const OMNIGLOT_1_SHOT_5_STEPS: Case = few_shot("conv4-64 Omniglot 5-way 1-shot K=5", omniglot(1), 5);
const OMNIGLOT_5_SHOT_5_STEPS: Case = few_shot("conv4-64 Omniglot 5-way 5-shot K=5", omniglot(5), 5);

/// Few-shot cases have 15 queries a class and 16 tasks; those of small models 20 tasks of n examples.
pub(crate) const CASES: [Case; 18] = [
    OMNIGLOT_1_SHOT,
    two_threads(OMNIGLOT_1_SHOT),
    OMNIGLOT_5_SHOT,
    two_threads(OMNIGLOT_5_SHOT),
    OMNIGLOT_1_SHOT_5_STEPS,
    two_threads(OMNIGLOT_1_SHOT_5_STEPS),
    OMNIGLOT_5_SHOT_5_STEPS,
    two_threads(OMNIGLOT_5_SHOT_5_STEPS),
    few_shot("conv4-32 CIFAR 5-way 5-shot K=1", cifar(5), 1),
    few_shot("conv4-32 CIFAR 5-way 5-shot K=5", cifar(5), 5),
    derivative("gradient of conv4-64, batch 25", Job::Gradient, 5),
    derivative("gradient of conv4-64, batch 75", Job::Gradient, 15),
    derivative("hvp and gradient of conv4-64, batch 25", Job::Hvp, 5),
    derivative("hvp and gradient of conv4-64, batch 75", Job::Hvp, 15),
    small("two_layer d=10, 5 neurons, n=500, K=1", Net::TwoLayer { dim: 10, neurons: 5, examples: 500 }),
    small("two_layer d=20, 64 neurons, n=1000, K=1", Net::TwoLayer { dim: 20, neurons: 64, examples: 1000 }),
    small("linear d=10, n=500, K=1", Net::Linear { dim: 10, examples: 500 }),
    small("linear d=100, n=500, K=1", Net::Linear { dim: 100, examples: 500 }),
];

impl Case {
    /// Who competes: the ways in which each framework is fast at such a case.
    pub(crate) fn engines(&self) -> Vec<Engine> {
        let (torch, jax): (&[_], &[_]) = match (self.net, self.job, self.threads) {
            (Net::TwoLayer { .. } | Net::Linear { .. }, ..) => (&["vmap"], &["vmap", "scan"]),
            (Net::Conv4 { .. }, Job::Gradient | Job::Hvp, _) => (&["loop"], &["loop"]),
            (Net::Conv4 { .. }, Job::Maml, 1) => (&["loop", "plain"], &["hvp"]),
            (Net::Conv4 { .. }, Job::Maml, _) => (&["loop", "plain", "threads"], &["hvp", "devices"]),
        };
        let of = |framework| move |&way| Engine { framework, way };
        torch.iter().map(of(TORCH)).chain(jax.iter().map(of(JAX))).collect()
    }

    /// The arguments that make a script of `benches/peers` compute this case.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let job = match self.job {
            Job::Maml => "maml",
            Job::Gradient => "gradient",
            Job::Hvp => "hvp",
        };
        let (model, sizes) = match self.net {
            Net::Conv4 { side, channels, filters, shots } => (
                "conv4",
                vec![("side", side), ("channels", channels), ("filters", filters), ("shots", shots), ("query", QUERY)],
            ),
            Net::TwoLayer { dim, neurons, examples } => {
                ("two_layer", vec![("dim", dim), ("neurons", neurons), ("examples", examples)])
            }
            Net::Linear { dim, examples } => ("linear", vec![("dim", dim), ("examples", examples)]),
        };
        let counts = [("ways", WAYS), ("tasks", self.tasks), ("inner", self.steps), ("threads", self.threads)];
        let counts = sizes.into_iter().chain(counts).map(|(name, count)| format!("--{name}={count}"));
        let named = [format!("--job={job}"), format!("--model={model}"), format!("--alpha={ALPHA}")];
        named.into_iter().chain(counts).collect()
    }
}
