//! The products that are timed: squares, and those of few-shot nets.

use std::fmt;

use maml_kernels::{Layout, Real};

use crate::numbers::{Numbers, numbers};

/// A named product C\[m, n\] = op(A) op(B) over k.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) layout: Layout,
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
}

const fn shape(name: &'static str, layout: Layout, [m, k, n]: [usize; 3]) -> Shape {
    Shape { name, layout, m, n, k }
}

impl Shape {
    /// A, B and C.
    pub(crate) fn matrices<T: Real>(&self) -> [Numbers<T>; 3] {
        [numbers(self.m * self.k, 1), numbers(self.k * self.n, 2), numbers(self.m * self.n, 3)]
    }

    /// A product and a sum for each of m·n·k terms.
    pub(crate) fn flops(&self) -> u64 {
        2 * (self.m * self.n * self.k) as u64
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { name, layout, m, n, k } = self;
        write!(f, "{name} {layout:?} {m}×{k}×{n}")
    }
}

/// Products by im2col of a batch of 25 images (conv4 with 64 filters on 28 × 28, with 32 on 32 × 32), of
/// perceptrons, heads and two-layer students, and squares. The numbers are m, k, n.
pub(crate) const PRODUCTS: [Shape; 30] = [
    shape("square", Layout::NN, [64, 64, 64]),
    shape("square", Layout::NN, [128, 128, 128]),
    shape("square", Layout::NN, [256, 256, 256]),
    shape("square", Layout::NN, [512, 512, 512]),
    shape("square", Layout::NN, [1024, 1024, 1024]),
    shape("square", Layout::NN, [2048, 2048, 2048]),
    shape("omniglot output 1", Layout::NN, [64, 9, 19600]),
    shape("omniglot output 2", Layout::NN, [64, 576, 4900]),
    shape("omniglot output 3", Layout::NN, [64, 576, 1225]),
    shape("omniglot output 4", Layout::NN, [64, 576, 225]),
    shape("omniglot weights 1", Layout::NT, [64, 19600, 9]),
    shape("omniglot weights 2", Layout::NT, [64, 4900, 576]),
    shape("omniglot weights 3", Layout::NT, [64, 1225, 576]),
    shape("omniglot weights 4", Layout::NT, [64, 225, 576]),
    shape("omniglot input 2", Layout::TN, [576, 64, 4900]),
    shape("omniglot input 3", Layout::TN, [576, 64, 1225]),
    shape("omniglot input 4", Layout::TN, [576, 64, 225]),
    shape("cifar output 1", Layout::NN, [32, 27, 25600]),
    shape("cifar output 2", Layout::NN, [32, 288, 6400]),
    shape("cifar weights 2", Layout::NT, [32, 6400, 288]),
    shape("cifar input 2", Layout::TN, [288, 32, 6400]),
    shape("perceptron", Layout::NN, [25, 784, 64]),
    shape("perceptron", Layout::NN, [25, 64, 64]),
    shape("perceptron", Layout::NN, [100, 784, 64]),
    shape("perceptron weights", Layout::TN, [784, 25, 64]),
    shape("head", Layout::NN, [75, 64, 5]),
    shape("student", Layout::NN, [500, 10, 5]),
    shape("student", Layout::NN, [500, 20, 64]),
    shape("student weights", Layout::TN, [20, 500, 64]),
    shape("student", Layout::NN, [1000, 20, 64]),
];
