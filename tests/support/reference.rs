//! `Reference`, a second interpreter of the vocabulary: double precision, the formulas as loops, nothing of
//! the kernels. Every slot of a trilinear form comes from one enumeration of its terms.

use maml_autograd::{
    Shape, Tensor, Value,
    op::{Bilinear, Degree, Form, Linear, Op, Slot},
};
use maml_kernels::{MISSING, Map};

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) shape: Shape,
    pub(crate) data: Vec<f64>,
}

impl Value for Reference {
    type Real = f64;

    fn shape(&self) -> Shape {
        self.shape
    }

    fn apply(op: Op, args: &[&Self]) -> Self {
        match (op, args) {
            (Op::Add(s), [a, b]) => {
                assert_eq!(a.shape, b.shape);
                a.with(a.data.iter().zip(&b.data).map(|(a, b)| a + s * b).collect())
            }
            (Op::Linear(linear), [x]) => apply_linear(linear, x),
            (Op::Bilinear(bilinear), [x, y]) => apply_bilinear(bilinear, x, y),
            (Op::Pointwise(map), [x]) => x.with(x.data.iter().map(|x| apply_map(map, *x)).collect()),
            (Op::LeastSquares(degree), [w, x, y @ ..]) => least_squares(degree, w, x, y.first().copied()),
            (Op::TwoLayer(degree), [w, x, y, ..]) => two_layer(degree, w, x, y),
            (op, args) => panic!("{op:?} of {} arguments", args.len()),
        }
    }

    fn constant(tensor: Tensor<f64>) -> Self {
        Self { shape: tensor.shape(), data: tensor.as_slice().to_vec() }
    }

    fn peek(&self) -> Tensor<f64> {
        Tensor::new(self.shape, &self.data)
    }
}

impl Reference {
    fn with(&self, data: Vec<f64>) -> Self {
        Self { shape: self.shape, data }
    }
}

fn apply_map(map: Map, x: f64) -> f64 {
    match map {
        Map::Exp => x.exp(),
        Map::Log => x.ln(),
        Map::Tanh => x.tanh(),
        Map::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Map::SigmoidSlope => x - x * x,
        Map::Softplus => x.exp().ln_1p(),
        Map::Sqrt => x.sqrt(),
        Map::Rsqrt => x.powf(-0.5),
        Map::Recip => x.powi(-1),
    }
}

fn apply_linear(linear: Linear, x: &Reference) -> Reference {
    let empty = |shape: Shape| Reference { shape, data: vec![0.0; shape.len()] };
    match linear {
        Linear::Scale(s) => x.with(x.data.iter().map(|x| s * x).collect()),
        Linear::Reshape(shape) => Reference { shape, data: x.data.clone() },
        Linear::Sum(block, shape) => {
            let mut y = empty(shape);
            (0..x.data.len()).for_each(|i| y.data[without_middle(block.times, block.inner, i)] += x.data[i]);
            y
        }
        Linear::Repeat(block, shape) => {
            let mut y = empty(shape);
            (0..y.data.len()).for_each(|i| y.data[i] = x.data[without_middle(block.times, block.inner, i)]);
            y
        }
        Linear::Gather(index, shape) => {
            let pick = |i: &u32| if *i == MISSING { 0.0 } else { x.data[*i as usize] };
            Reference { shape, data: index.iter().map(pick).collect() }
        }
        Linear::Scatter(index, shape) => {
            let mut y = empty(shape);
            let present = index.iter().zip(&x.data).filter(|(i, _)| **i != MISSING);
            present.for_each(|(i, x)| y.data[*i as usize] += x);
            y
        }
    }
}

/// The position in \[outer, inner\] of the element at `i` of \[outer, times, inner\].
fn without_middle(times: usize, inner: usize, i: usize) -> usize {
    i / (times * inner) * inner + i % inner
}

fn apply_bilinear(Bilinear { form, open }: Bilinear, x: &Reference, y: &Reference) -> Reference {
    let shapes = shapes(form, open, x.shape, y.shape);
    let closed = open.others();
    assert_eq!(closed.map(|slot| shapes[slot as usize]), [x.shape, y.shape]);
    let shape = shapes[open as usize];
    let mut out = Reference { shape, data: vec![0.0; shape.len()] };
    for_each_term(form, shapes, |at, coefficient| {
        let [ix, iy] = closed.map(|slot| at[slot as usize]);
        out.data[at[open as usize]] += coefficient * x.data[ix] * y.data[iy];
    });
    out
}

/// The shapes in all three slots, from those of the arguments.
fn shapes(form: Form, open: Slot, x: Shape, y: Shape) -> [Shape; 3] {
    match form {
        Form::Product => [x; 3],
        Form::Matmul => {
            let ((x0, x1), (y0, y1)) = (pair(x), pair(y));
            let (m, k, n) = match open {
                Slot::C => (x0, x1, y1),
                Slot::A => (y0, x0, x1),
                Slot::B => (x0, x1, y1),
            };
            let lead = &x.dims()[..x.rank() - 2];
            [[m, k], [k, n], [m, n]].map(|matrix| [lead, &matrix].concat()[..].into())
        }
        Form::Conv(g) => [
            [g.images, g.height, g.width, g.c_in].into(),
            [g.kernel_height, g.kernel_width, g.c_in, g.c_out].into(),
            [g.images, g.out_height(), g.out_width(), g.c_out].into(),
        ],
        Form::Inner(1) if open == Slot::C => [x, x, Shape::scalar()],
        Form::Inner(rows) if open == Slot::C => [x, x, [rows].into()],
        Form::Inner(_) => [x, x, y],
        Form::Channels | Form::Covariance => [x, x, [x.last()].into()],
    }
}

/// Visits the terms of T(a, b, c) = Σ coefficient · a\[i\] · b\[j\] · c\[k\].
fn for_each_term(form: Form, [a, b, c]: [Shape; 3], mut visit: impl FnMut([usize; 3], f64)) {
    let channels = c.last();
    match form {
        Form::Product => (0..a.len()).for_each(|i| visit([i, i, i], 1.0)),
        Form::Inner(rows) => (0..a.len()).for_each(|i| visit([i, i, i / (a.len() / rows)], 1.0)),
        Form::Channels => (0..a.len()).for_each(|i| visit([i, i, i % channels], 1.0)),
        // 1/n Σ (a − ā)(b − b̄) = 1/n Σ_i Σ_j (δ_ij − 1/n) a_i b_j
        Form::Covariance => {
            let rows = (a.len() / channels) as f64;
            for (i, j) in (0..a.len()).flat_map(|i| (i % channels..a.len()).step_by(channels).map(move |j| (i, j))) {
                visit([i, j, i % channels], (f64::from(u8::from(i == j)) - 1.0 / rows) / rows);
            }
        }
        Form::Matmul => {
            let ((m, k), (_, n)) = (pair(a), pair(b));
            let all = (0..m).flat_map(|i| (0..n).flat_map(move |j| (0..k).map(move |l| (i, j, l))));
            for (i, j, l) in all {
                for t in 0..a.len() / (m * k) {
                    visit([t * m * k + i * k + l, t * k * n + l * n + j, t * m * n + i * n + j], 1.0);
                }
            }
        }
        // Every pair of an input pixel and an output pixel that a place of the kernel joins.
        Form::Conv(g) => {
            let joins = |input: usize, output: usize, kernel: usize| {
                (input + g.padding).checked_sub(output * g.stride).filter(|offset| *offset < kernel)
            };
            for ix in 0..a.len() {
                let [n, i, j, channel] = place(a, ix);
                for iy in 0..c.len() {
                    let [image, oi, oj, o] = place(c, iy);
                    if let (true, Some(ki), Some(kj)) =
                        (n == image, joins(i, oi, g.kernel_height), joins(j, oj, g.kernel_width))
                    {
                        visit([ix, ((ki * g.kernel_width + kj) * g.c_in + channel) * g.c_out + o, iy], 1.0);
                    }
                }
            }
        }
    }
}

/// The last two axes.
fn pair(shape: Shape) -> (usize, usize) {
    let [.., rows, columns] = shape.dims() else { panic!("{shape} is no matrix") };
    (*rows, *columns)
}

/// The four coordinates of a flat position.
fn place(shape: Shape, flat: usize) -> [usize; 4] {
    let mut rest = flat;
    let mut at = [0; 4];
    for axis in (0..4).rev() {
        at[axis] = rest % shape.dims()[axis];
        rest /= shape.dims()[axis];
    }
    at
}

fn least_squares(degree: Degree, w: &Reference, x: &Reference, y: Option<&Reference>) -> Reference {
    let (d, n) = (x.shape.last(), x.shape.dims()[x.shape.rank() - 2]);
    let residual = |i: usize| {
        let of_w = &w.data[i / n * d..][..d];
        let predicted: f64 = x.data[i * d..][..d].iter().zip(of_w).map(|(x, w)| x * w).sum();
        predicted - y.map_or(0.0, |y| y.data[i])
    };
    let residuals: Vec<f64> = (0..x.data.len() / d).map(residual).collect();
    let problems = residuals.chunks(n);
    if degree == Degree::Value {
        let shape = if w.data.len() == d { Shape::scalar() } else { [w.data.len() / d].into() };
        let half_mean = |r: &[f64]| r.iter().map(|r| r * r).sum::<f64>() / (2 * n) as f64;
        return Reference { shape, data: problems.map(half_mean).collect() };
    }
    let pulled_back = |p: usize, r: &[f64], j: usize| {
        r.iter().enumerate().map(|(i, r)| r * x.data[(p * n + i) * d + j]).sum::<f64>() / n as f64
    };
    w.with(problems.enumerate().flat_map(|(p, r)| (0..d).map(move |j| pulled_back(p, r, j))).collect())
}

/// The value or the gradient.
fn two_layer(degree: Degree, w: &Reference, x: &Reference, y: &Reference) -> Reference {
    let (n, d, neurons) = (x.shape.dims()[x.shape.rank() - 2], x.shape.last(), w.shape.last());
    let z = |i: usize, j: usize| (0..d).map(|l| x.data[i * d + l] * w.data[(i / n * d + l) * neurons + j]).sum::<f64>();
    let count = y.data.len() / n;
    let residual = |i: usize| (0..neurons).map(|j| apply_map(Map::Softplus, z(i, j))).sum::<f64>() - y.data[i];
    let problems = (0..count).map(|p| p * n..(p + 1) * n);
    match degree {
        Degree::Value => {
            let shape = if count == 1 { Shape::scalar() } else { [count].into() };
            let half_mean =
                |rows: std::ops::Range<usize>| rows.map(|i| residual(i).powi(2)).sum::<f64>() / (2 * n) as f64;
            Reference { shape, data: problems.map(half_mean).collect() }
        }
        Degree::Gradient => {
            let pull =
                |i: usize, l: usize, j: usize| x.data[i * d + l] * residual(i) * apply_map(Map::Sigmoid, z(i, j));
            let of = |p: usize, l: usize, j: usize| (p * n..(p + 1) * n).map(|i| pull(i, l, j)).sum::<f64>() / n as f64;
            w.with((0..count * d * neurons).map(|k| of(k / (d * neurons), k / neurons % d, k % neurons)).collect())
        }
        Degree::Hessian => panic!("a Hessian is that of the gradient here"),
    }
}
