//! Random programs in the vocabulary.

use maml_autograd::{
    Block, Function, Index, Shape, Tensor, Value,
    op::{Bilinear, Form, Linear, Op, Slot},
};
use maml_kernels::{Conv, MISSING, Map, Real};
use rand::{RngExt, seq::IndexedRandom};

use crate::sampling::{Rng, direction, largest};

/// Steps, each appending one array to a list that begins with the inputs. As a function it is the sum of
/// the inner products of all arrays with fixed weights.
pub(crate) struct Program {
    pub(crate) inputs: Vec<Tensor<f64>>,
    steps: Vec<(Op, Vec<usize>)>,
    weights: Vec<Tensor<f64>>,
}

impl Program {
    /// The inputs and every intermediate result.
    pub(crate) fn trace<V: Value>(&self, inputs: &[V]) -> Vec<V> {
        let mut all = inputs.to_vec();
        for (op, args) in &self.steps {
            all.push(V::apply(op.clone(), &args.iter().map(|i| &all[*i]).collect::<Vec<_>>()));
        }
        all
    }

    /// Steps of every kind on arguments chosen among all earlier results, also twice the same.
    pub(crate) fn random(rng: &mut Rng, steps: usize) -> Self {
        let shapes: [[usize; 2]; 3] = std::array::from_fn(|_| [rng.random_range(1..5), rng.random_range(1..5)]);
        let inputs = direction(rng, &shapes.map(Tensor::zeros));
        let mut writer = Writer { all: inputs.clone(), steps: Vec::new(), rng };
        while writer.steps.len() < steps {
            writer.step();
        }
        let Writer { all, steps, .. } = writer;
        Self { inputs, steps, weights: direction(rng, &all) }
    }
}

impl<T: Real> Function<T> for Program {
    fn eval<V: Value<Real = T>>(&self, x: &[V]) -> V {
        let terms = self.trace(x).into_iter().zip(&self.weights).map(|(y, w)| y.dot(&V::constant(w.cast())));
        terms.reduce(|a, b| a.add(&b)).expect("a program has inputs")
    }
}

struct Writer<'a> {
    all: Vec<Tensor<f64>>,
    steps: Vec<(Op, Vec<usize>)>,
    rng: &'a mut Rng,
}

impl Writer<'_> {
    fn push(&mut self, op: Op, args: &[usize]) -> usize {
        let y = Tensor::apply(op.clone(), &args.iter().map(|i| &self.all[*i]).collect::<Vec<_>>());
        self.all.push(y);
        self.steps.push((op, args.to_vec()));
        let (last, size) = (self.all.len() - 1, largest(&self.all[self.all.len() - 1..]));
        // Repeated products would leave the range in which derivatives can be compared.
        if size > 4.0 { self.push(Op::Linear(Linear::Scale(1.0 / size)), &[last]) } else { last }
    }

    fn any(&mut self) -> usize {
        self.rng.random_range(0..self.all.len())
    }

    fn size(&mut self) -> usize {
        self.rng.random_range(1..4)
    }

    /// An array of this shape: an earlier one if there is one, mostly, otherwise picked out of another.
    fn shaped(&mut self, shape: Shape) -> usize {
        let fitting: Vec<usize> = (0..self.all.len()).filter(|i| self.all[*i].shape() == shape).collect();
        match fitting.choose(self.rng) {
            Some(i) if self.rng.random_bool(0.8) => *i,
            _ => {
                let from = self.any();
                let index = self.indices(shape.len(), self.all[from].shape().len());
                self.push(Op::Linear(Linear::Gather(index, shape)), &[from])
            }
        }
    }

    fn indices(&mut self, count: usize, below: usize) -> Index {
        let draw = |_| if self.rng.random_bool(0.1) { MISSING } else { self.rng.random_range(0..below as u32) };
        (0..count).map(draw).collect()
    }

    fn step(&mut self) {
        let x = self.any();
        let shape = self.all[x].shape();
        match self.rng.random_range(0..4) {
            0 => {
                let y = self.shaped(shape);
                let s = self.rng.random_range(-1.5..1.5);
                self.push(Op::Add(s), &[x, y]);
            }
            1 => {
                let linear = self.linear(shape);
                self.push(Op::Linear(linear), &[x]);
            }
            2 => {
                let open = *[Slot::A, Slot::B, Slot::C].choose(self.rng).expect("three slots");
                let (form, shapes) = self.form();
                let args = open.others().map(|slot| self.shaped(shapes[slot as usize]));
                self.push(Op::Bilinear(Bilinear { form, open }), &args);
            }
            _ => {
                let tame = [Map::Tanh, Map::Sigmoid, Map::SigmoidSlope, Map::Softplus];
                let tame = *tame.choose(self.rng).expect("three maps");
                let y = self.push(Op::Pointwise(tame), &[x]);
                // These want numbers above 0, and not far above.
                let wild = [Map::Exp, Map::Log, Map::Sqrt, Map::Rsqrt, Map::Recip];
                let wild = *wild.choose(self.rng).expect("five maps");
                let z = self.push(Op::Pointwise(Map::Exp), &[y]);
                self.push(Op::Pointwise(wild), &[z]);
            }
        }
    }

    fn linear(&mut self, shape: Shape) -> Linear {
        let (len, flat) = (shape.len(), Shape::new(&[shape.len()]));
        let times = (1..=3).rev().find(|n| len.is_multiple_of(*n)).expect("1 divides");
        match self.rng.random_range(0..5) {
            0 => Linear::Reshape(flat),
            1 => Linear::Sum(Block { outer: 1, times, inner: len / times }, [len / times].into()),
            2 => Linear::Sum(Block { outer: len / times, times, inner: 1 }, [len / times, 1].into()),
            3 => Linear::Repeat(Block { outer: len / times, times: 2, inner: times }, [len / times, 2, times].into()),
            _ => {
                let below = self.size() + 2;
                Linear::Scatter(self.indices(len, below), [below].into())
            }
        }
    }

    fn form(&mut self) -> (Form, [Shape; 3]) {
        let [m, n, k] = std::array::from_fn(|_| self.size());
        match self.rng.random_range(0..6) {
            0 => (Form::Product, [[m, n].into(); 3]),
            4 => (Form::Inner(1), [[m, n].into(), [m, n].into(), Shape::scalar()]),
            1 => (Form::Matmul, [[m, k].into(), [k, n].into(), [m, n].into()]),
            2 => (Form::Channels, [[m, n].into(), [m, n].into(), [n].into()]),
            3 => (Form::Covariance, [[m, n].into(), [m, n].into(), [n].into()]),
            _ => {
                let [height, width, images] = std::array::from_fn(|_| self.size());
                let (stride, padding) = (self.rng.random_range(1..3), self.rng.random_range(0..2));
                let (kernel_height, kernel_width) = (height.min(m), width.min(n));
                let g = Conv { images, height, width, c_in: k, c_out: m, kernel_height, kernel_width, stride, padding };
                let x = [images, height, width, k].into();
                let y = [images, g.out_height(), g.out_width(), m].into();
                (Form::Conv(g), [x, [kernel_height, kernel_width, k, m].into(), y])
            }
        }
    }
}
