//! The table of everything that has a derivative: every operation in every slot, and every composition.

use std::sync::Arc;

use maml_autograd::{
    Block, Function, Shape, Tensor, Value, neural,
    op::{Bilinear, Form, Linear, Op, Slot},
};
use maml_kernels::{Conv, MISSING, Map};
use rand::RngExt;

use crate::sampling::{Rng, uniform};

/// A line of the table: a name, and a way to draw a function with the shapes of its arguments.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) sample: Box<dyn Fn(&mut Rng) -> Sample>,
}

pub(crate) struct Sample {
    pub(crate) body: Body,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) domain: Domain,
}

/// Where the inputs lie.
#[derive(Clone, Copy)]
pub(crate) enum Domain {
    /// [−2, 2]
    Any,
    /// [½, 2]
    Positive,
}

/// An array as a function of arrays.
#[derive(Debug)]
pub(crate) enum Body {
    Op(Op),
    /// The operation with one value for both arguments.
    Same(Op),
    MatmulNt,
    MatmulTn,
    Div,
    SumTo(Shape),
    Expand(Shape),
    Relu,
    MaxPool(usize, usize),
    ChannelMean,
    BatchNorm(f64),
    NormReluPool(f64),
    LogSoftmax,
    CrossEntropy(Vec<u32>),
    HalfMeanSquaredError,
}

impl Body {
    pub(crate) fn eval<V: Value<Real = f64>>(&self, x: &[V]) -> V {
        match self {
            Body::Op(op) => V::apply(op.clone(), &x.iter().collect::<Vec<_>>()),
            Body::Same(op) => V::apply(op.clone(), &[&x[0], &x[0]]),
            Body::MatmulNt => x[0].matmul_nt(&x[1]),
            Body::MatmulTn => x[0].matmul_tn(&x[1]),
            Body::Div => x[0].div(&x[1]),
            Body::SumTo(shape) => x[0].sum_to(*shape),
            Body::Expand(shape) => x[0].expand(*shape),
            Body::Relu => neural::relu(&x[0]),
            Body::MaxPool(window, stride) => neural::max_pool(&x[0], *window, *stride),
            Body::ChannelMean => neural::channel_mean(&x[0]),
            Body::BatchNorm(epsilon) => neural::batch_norm(&x[0], &x[1], &x[2], *epsilon),
            Body::NormReluPool(epsilon) => neural::norm_relu_pool(&x[0], &x[1], &x[2], *epsilon),
            Body::LogSoftmax => neural::log_softmax(&x[0]),
            Body::CrossEntropy(labels) => neural::cross_entropy(&x[0], labels),
            Body::HalfMeanSquaredError => neural::half_mean_squared_error(&x[0], &x[1]),
        }
    }

    /// Whether x is far enough from kinks and ties for differences, and from variance 0, where batch norm
    /// is smooth on a scale of √ε only.
    fn is_smooth_at(&self, x: &[Tensor<f64>]) -> bool {
        const MARGIN: f64 = 1e-3;
        let apart = |x: &Tensor<f64>| x.as_slice().iter().all(|x| x.abs() > MARGIN);
        let spread = |x: &Tensor<f64>| x.channel_covariance(x).as_slice().iter().all(|v| *v > 0.05);
        match self {
            Body::Relu => apart(&x[0]),
            Body::MaxPool(window, stride) => has_clear_winners(&x[0], *window, *stride, MARGIN),
            Body::BatchNorm(_) => spread(&x[0]),
            Body::NormReluPool(epsilon) => {
                let z = neural::batch_norm(&x[0], &x[1], &x[2], *epsilon);
                spread(&x[0]) && apart(&z) && has_clear_winners(&z, 2, 2, MARGIN)
            }
            _ => true,
        }
    }
}

/// Whether the best of every window leads by the margin: then every window's winner is the only one that
/// is still the maximum after losing the margin.
fn has_clear_winners(x: &Tensor<f64>, window: usize, stride: usize, margin: f64) -> bool {
    let [n, h, w, c] = x.shape().dims().try_into().unwrap();
    let at = |n: usize, i: usize, j: usize, k: usize| x.as_slice()[((n * h + i) * w + j) * c + k];
    let clear = |n: usize, i: usize, j: usize, k: usize| {
        let mut all: Vec<f64> = (0..window * window).map(|t| at(n, i + t / window, j + t % window, k)).collect();
        all.sort_by(f64::total_cmp);
        all.len() < 2 || all[all.len() - 1] - all[all.len() - 2] > margin
    };
    let corners = |size: usize| (0..(size + 1).saturating_sub(window)).step_by(stride);
    (0..n).all(|n| corners(h).all(|i| corners(w).all(|j| (0..c).all(|k| clear(n, i, j, k)))))
}

impl Sample {
    /// Inputs at which the function is smooth.
    pub(crate) fn inputs(&self, rng: &mut Rng) -> Vec<Tensor<f64>> {
        let low = if let Domain::Positive = self.domain { 0.5 } else { -2.0 };
        loop {
            let x: Vec<_> = self.shapes.iter().map(|shape| uniform(rng, *shape, low, 2.0)).collect();
            if self.body.is_smooth_at(&x) {
                return x;
            }
        }
    }
}

/// (x…, g) ↦ ⟨g, body(x)⟩: its gradient in x is the vector-Jacobian product of the body with g.
pub(crate) struct Paired<'a>(pub(crate) &'a Body);

impl Function<f64> for Paired<'_> {
    fn eval<V: Value<Real = f64>>(&self, x: &[V]) -> V {
        let (g, x) = x.split_last().expect("the cotangent comes last");
        self.0.eval(x).dot(g)
    }
}

/// Every operation of the table.
pub(crate) fn operations() -> Vec<Case> {
    let mut all = Vec::new();
    for s in [1.0, -1.0, 0.0, 0.37, -2.5] {
        all.push(case(format!("a + {s} b"), move |rng| {
            let shape = any_shape(rng);
            of(Body::Op(Op::Add(s)), [shape, shape])
        }));
    }
    all.push(case("a + 0.5 a", |rng| of(Body::Same(Op::Add(0.5)), [any_shape(rng)])));
    linear(&mut all);
    for (name, form) in FORMS {
        for open in [Slot::A, Slot::B, Slot::C] {
            all.push(case(format!("{name} {open:?}"), move |rng| bilinear(form(rng), open, rng)));
        }
    }
    all.extend(one_value_for_both());
    for map in [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::Softplus, Map::Sqrt, Map::Rsqrt, Map::Recip] {
        all.push(case(format!("{map:?}"), move |rng| {
            let domain = match map {
                Map::Log | Map::Sqrt | Map::Rsqrt | Map::Recip => Domain::Positive,
                _ => Domain::Any,
            };
            Sample { domain, ..of(Body::Op(Op::Pointwise(map)), [any_shape(rng)]) }
        }));
    }
    all
}

/// Every composition of the vocabulary.
pub(crate) fn compositions() -> Vec<Case> {
    vec![
        case("a bᵀ", |rng| {
            let [m, n, k] = sizes(rng, 6);
            of(Body::MatmulNt, [[m, k].into(), [n, k].into()])
        }),
        case("aᵀ b", |rng| {
            let [m, n, k] = sizes(rng, 6);
            of(Body::MatmulTn, [[k, m].into(), [k, n].into()])
        }),
        case("a / b", |rng| {
            let shape = any_shape(rng);
            Sample { domain: Domain::Positive, ..of(Body::Div, [shape, shape]) }
        }),
        case("sum_to", |rng| {
            let (full, small) = broadcast(rng);
            of(Body::SumTo(small), [full])
        }),
        case("expand", |rng| {
            let (full, small) = broadcast(rng);
            of(Body::Expand(full), [small])
        }),
        case("relu", |rng| of(Body::Relu, [any_shape(rng)])),
        case("max_pool", |rng| {
            let [window, stride, _] = sizes(rng, 3);
            let [n, c, _] = sizes(rng, 3);
            let image = [n, rng.random_range(window..7), rng.random_range(window..7), c];
            of(Body::MaxPool(window, stride), [image.into()])
        }),
        case("channel_mean", |rng| {
            let [n, h, c] = sizes(rng, 4);
            of(Body::ChannelMean, [[n, h, c].into()])
        }),
        case("batch_norm", |rng| {
            let [n, h, c] = sizes(rng, 4);
            of(Body::BatchNorm(epsilon(rng)), [[n + 1, h, c].into(), [c].into(), [c].into()])
        }),
        case("norm_relu_pool", |rng| {
            let [n, c, _] = sizes(rng, 3);
            let image = [n, rng.random_range(2..6), rng.random_range(2..6), c];
            of(Body::NormReluPool(epsilon(rng)), [image.into(), [c].into(), [c].into()])
        }),
        case("log_softmax", |rng| {
            let [n, classes, _] = sizes(rng, 6);
            of(Body::LogSoftmax, [[n, classes].into()])
        }),
        case("cross_entropy", |rng| {
            let [n, classes, _] = sizes(rng, 6);
            let labels = (0..n).map(|_| rng.random_range(0..classes as u32)).collect();
            of(Body::CrossEntropy(labels), [[n, classes].into()])
        }),
        case("half_mean_squared_error", |rng| {
            let shape = any_shape(rng);
            of(Body::HalfMeanSquaredError, [shape, shape])
        }),
    ]
}

fn linear(all: &mut Vec<Case>) {
    let mut push = |name: &str, sample: fn(&mut Rng) -> (Linear, Shape)| {
        all.push(case(name, move |rng| {
            let (linear, shape) = sample(rng);
            of(Body::Op(Op::Linear(linear)), [shape])
        }));
    };
    push("-1.7 x", |rng| (Linear::Scale(-1.7), any_shape(rng)));
    push("0 x", |rng| (Linear::Scale(0.0), any_shape(rng)));
    push("1 x", |rng| (Linear::Scale(1.0), any_shape(rng)));
    push("reshape", |rng| {
        let [a, b, c] = sizes(rng, 5);
        (Linear::Reshape([c * a, 1, b].into()), [a, b, c].into())
    });
    push("sum", |rng| {
        let (b, [full, small]) = block(rng);
        (Linear::Sum(b, small), full)
    });
    push("repeat", |rng| {
        let (b, [full, small]) = block(rng);
        (Linear::Repeat(b, full), small)
    });
    push("gather", |rng| {
        let (index, [source, picked]) = choice(rng);
        (Linear::Gather(index, picked), source)
    });
    push("scatter", |rng| {
        let (index, [source, picked]) = choice(rng);
        (Linear::Scatter(index, source), picked)
    });
}

/// Both arguments one value: what the rule for squares short-cuts, and what it must leave alone.
fn one_value_for_both() -> Vec<Case> {
    let op = |form, open| Body::Same(Op::Bilinear(Bilinear { form, open }));
    let mut all = Vec::new();
    for open in [Slot::A, Slot::B, Slot::C] {
        all.push(case(format!("product {open:?} of x, x"), move |rng| of(op(Form::Product, open), [any_shape(rng)])));
        all.push(case(format!("matmul {open:?} of x, x"), move |rng| {
            let [n, ..] = sizes(rng, 6);
            of(op(Form::Matmul, open), [[n, n].into()])
        }));
        for form in [Form::Channels, Form::Covariance] {
            // With a channel slot closed, both arguments are one row of channels.
            all.push(case(format!("{form:?} {open:?} of x, x"), move |rng| {
                let [n, h, c] = sizes(rng, 4);
                of(op(form, open), [if open == Slot::C { [n, h, c].into() } else { [c].into() }])
            }));
        }
    }
    all.push(case("conv C of x, x", move |rng| {
        let ([a, b, c], [stride, padding, _]) = (sizes(rng, 3), sizes(rng, 2));
        let g = Conv {
            images: a,
            height: b,
            width: c,
            c_in: c,
            c_out: c,
            kernel_height: a,
            kernel_width: b,
            stride,
            padding: padding + 1,
        };
        of(op(Form::Conv(g), Slot::C), [[a, b, c, c].into()])
    }));
    all
}

type SampleForm = fn(&mut Rng) -> Form;

const FORMS: [(&str, SampleForm); 5] = [
    ("product", |_| Form::Product),
    ("matmul", |_| Form::Matmul),
    ("conv", |rng| Form::Conv(conv(rng))),
    ("channels", |_| Form::Channels),
    ("covariance", |_| Form::Covariance),
];

fn bilinear(form: Form, open: Slot, rng: &mut Rng) -> Sample {
    let [m, n, k] = sizes(rng, 6);
    let shapes: [Shape; 3] = match form {
        Form::Product => [any_shape(rng); 3],
        Form::Matmul => [[m, k].into(), [k, n].into(), [m, n].into()],
        Form::Conv(g) => [
            [g.images, g.height, g.width, g.c_in].into(),
            [g.kernel_height, g.kernel_width, g.c_in, g.c_out].into(),
            [g.images, g.out_height(), g.out_width(), g.c_out].into(),
        ],
        Form::Channels | Form::Covariance => [[m, n, k].into(), [m, n, k].into(), [k].into()],
    };
    of(Body::Op(Op::Bilinear(Bilinear { form, open })), open.others().map(|slot| shapes[slot as usize]))
}

/// Ragged sizes: images and kernels that are not square, steps that do not divide.
fn conv(rng: &mut Rng) -> Conv {
    let [kernel_height, kernel_width, images] = sizes(rng, 3);
    let [c_in, c_out, _] = sizes(rng, 4);
    let padding = rng.random_range(0..3);
    let mut side = |kernel: usize| rng.random_range(kernel.saturating_sub(2 * padding).max(1)..7);
    let (height, width) = (side(kernel_height), side(kernel_width));
    let stride = rng.random_range(1..3);
    Conv { images, height, width, c_in, c_out, kernel_height, kernel_width, stride, padding }
}

fn case(name: impl Into<String>, sample: impl Fn(&mut Rng) -> Sample + 'static) -> Case {
    Case { name: name.into(), sample: Box::new(sample) }
}

fn of(body: Body, shapes: impl Into<Vec<Shape>>) -> Sample {
    Sample { body, shapes: shapes.into(), domain: Domain::Any }
}

fn sizes(rng: &mut Rng, largest: usize) -> [usize; 3] {
    std::array::from_fn(|_| rng.random_range(1..=largest))
}

/// No axes to four.
fn any_shape(rng: &mut Rng) -> Shape {
    let rank = rng.random_range(0..5);
    Shape::new(&(0..rank).map(|_| rng.random_range(1..5)).collect::<Vec<_>>())
}

fn epsilon(rng: &mut Rng) -> f64 {
    [1e-5, 1e-3, 0.1][rng.random_range(0..3)]
}

/// A block with the shapes before and after summing over it.
fn block(rng: &mut Rng) -> (Block, [Shape; 2]) {
    let [outer, times, inner] = sizes(rng, 5);
    (Block { outer, times, inner }, [[outer, times, inner].into(), [outer, 1, inner].into()])
}

/// A shape and one that broadcasts to it: some axes 1, some absent.
fn broadcast(rng: &mut Rng) -> (Shape, Shape) {
    let full: Vec<usize> = (0..rng.random_range(1..5)).map(|_| rng.random_range(1..4)).collect();
    let mut small: Vec<usize> = full.iter().map(|n| if rng.random() { *n } else { 1 }).collect();
    if rng.random() {
        small.drain(..rng.random_range(0..=small.len()));
    }
    (Shape::new(&full), Shape::new(&small))
}

/// Indices into a source, some repeated, some missing, with the shapes of the source and of what is picked.
fn choice(rng: &mut Rng) -> (Arc<[u32]>, [Shape; 2]) {
    let [a, b, c] = sizes(rng, 5);
    let draw = |_| if rng.random_bool(0.2) { MISSING } else { rng.random_range(0..(a * b) as u32) };
    ((0..b * c).map(draw).collect(), [[a, b].into(), [b, c].into()])
}
