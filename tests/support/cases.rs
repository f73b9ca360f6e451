//! The table of everything that has a derivative: every operation in every slot, and every composition.

use maml_autograd::{
    Block, Index, Shape,
    op::{Bilinear, Form, Linear, Op, Slot},
};
use maml_kernels::{Conv, MISSING, Map};
use rand::RngExt;

use crate::{
    body::{Body, Case, Domain, Sample},
    sampling::{Rng, uniform},
};

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
    let maps = [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::SigmoidSlope, Map::Softplus];
    for map in maps.into_iter().chain([Map::Sqrt, Map::Rsqrt, Map::Recip]) {
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
        // Cotangents that are copied along rows.
        case("softplus summed over rows", |rng| {
            let (full, small) = rows(rng);
            of(Body::SoftplusSummed(small), [full])
        }),
        case("a · b summed over rows", |rng| {
            let (full, small) = rows(rng);
            of(Body::ProductSummed(small), [full, full])
        }),
        case("a · a summed over rows", |rng| {
            let (full, small) = rows(rng);
            of(Body::SquareSummed(small), [full])
        }),
        case("relu", |rng| of(Body::Relu, [any_shape(rng)])),
        case("elu", |rng| of(Body::Elu, [any_shape(rng)])),
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
        case("least_squares", |rng| {
            let ([n, ..], d) = (sizes(rng, 9), rng.random_range(1..40));
            let [inputs, targets] = [[n, d].into(), [n].into()].map(|shape: Shape| uniform(rng, shape, -1.0, 1.0));
            of(Body::LeastSquares(inputs, targets), [[d].into()])
        }),
        case("several least squares", |rng| {
            let ([n, count, _], d) = (sizes(rng, 9), rng.random_range(1..40));
            let (inputs, targets) = ([count, n, d].into(), [count, n].into());
            let [inputs, targets] = [inputs, targets].map(|shape: Shape| uniform(rng, shape, -1.0, 1.0));
            of(Body::LeastSquares(inputs, targets), [[count, d].into()])
        }),
        case("two_layer_least_squares", |rng| {
            let [n, d, neurons] = sizes(rng, 9);
            let [inputs, targets] = [[n, d].into(), [n].into()].map(|shape: Shape| uniform(rng, shape, -1.0, 1.0));
            of(Body::TwoLayerLeastSquares(inputs, targets), [[d, neurons].into()])
        }),
        case("several two-layer least squares", |rng| {
            let ([n, d, neurons], count) = (sizes(rng, 9), rng.random_range(1..4));
            let (inputs, targets) = ([count, n, d].into(), [count, n].into());
            let [inputs, targets] = [inputs, targets].map(|shape: Shape| uniform(rng, shape, -1.0, 1.0));
            of(Body::TwoLayerLeastSquares(inputs, targets), [[count, d, neurons].into()])
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
        all.push(case(format!("inner {open:?} of x, x"), move |rng| {
            let shape = if open == Slot::C { any_shape(rng) } else { Shape::scalar() };
            of(op(Form::Inner(1), open), [shape])
        }));
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

const FORMS: [(&str, SampleForm); 7] = [
    ("product", |_| Form::Product),
    ("inner", |_| Form::Inner(1)),
    ("inner of rows", |rng| Form::Inner(rng.random_range(2..4))),
    ("matmul", |_| Form::Matmul),
    ("conv", |rng| Form::Conv(conv(rng))),
    ("channels", |_| Form::Channels),
    ("covariance", |_| Form::Covariance),
];

fn bilinear(form: Form, open: Slot, rng: &mut Rng) -> Sample {
    let [m, n, k] = sizes(rng, 6);
    let shapes: [Shape; 3] = match form {
        Form::Product => [any_shape(rng); 3],
        Form::Inner(1) => {
            let shape = any_shape(rng);
            [shape, shape, Shape::scalar()]
        }
        Form::Inner(rows) => [[rows, m, k].into(), [rows, m, k].into(), [rows].into()],
        Form::Matmul if rng.random_bool(0.3) => [[3, m, k].into(), [3, k, n].into(), [3, m, n].into()],
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

/// A shape and what is left of it when the last axis, or all, is summed over.
fn rows(rng: &mut Rng) -> (Shape, Shape) {
    let [a, b, c] = sizes(rng, 5);
    ([a, b, c].into(), if rng.random() { [a, b, 1].into() } else { Shape::scalar() })
}

/// Indices into a source, some repeated, some missing, with the shapes of the source and of what is picked.
fn choice(rng: &mut Rng) -> (Index, [Shape; 2]) {
    let [a, b, c] = sizes(rng, 5);
    let draw = |_| if rng.random_bool(0.2) { MISSING } else { rng.random_range(0..(a * b) as u32) };
    ((0..b * c).map(draw).collect(), [[a, b].into(), [b, c].into()])
}
