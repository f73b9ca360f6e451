//! What the tape records, and what it and the vocabulary refuse.

use maml_autograd::{
    Dual, Function, Shape, Tape, Tensor, Value, Var, hvp, jvp, neural,
    op::{Degree, Op},
};

fn zeros(shape: impl Into<Shape>) -> Tensor<f64> {
    Tensor::zeros(shape)
}

#[test]
fn constants_leave_no_trace() {
    let tape = Tape::new();
    let a = Var::constant(Tensor::new([2, 2], &[1.0, 2.0, 3.0, 4.0]));
    let b = neural::log_softmax(&a.matmul(&a).tanh().add(&a)).sum().scale(2.0);
    assert!(tape.is_empty() && b.value().is_finite());
    let x = tape.variable(&zeros([2, 2]));
    assert_eq!(tape.len(), 1);
    let y = x.mul(&a);
    assert_eq!(tape.len(), 2, "one operation, one record");
    let _ = neural::relu(&y);
    assert_eq!(tape.len(), 3, "the mask of a ReLU is a constant");
    let _ = y.peek().mul(a.value());
    assert_eq!(tape.len(), 3, "what is computed from a peek is a constant");
    let _ = (y.reshape([2, 2]), y.sum_to([2, 2]), y.expand([2, 2]), y.scale(1.0));
    assert_eq!(tape.len(), 3, "what changes nothing is not an operation");
}

#[test]
fn a_plain_sweep_records_nothing_and_a_recorded_one_only_what_depends() {
    let tape = Tape::new();
    let (x, other) = (tape.variable(&Tensor::full([3], 2.0)), tape.variable(&Tensor::full([3], 5.0)));
    let y = x.mul(&x).sum();
    let before = tape.len();
    assert_eq!(tape.vjp(&[(&y, Tensor::scalar(1.0))], &[&x])[0].as_slice(), [4.0; 3]);
    assert_eq!(tape.len(), before);
    let zero = tape.gradient(&y, &[&other]);
    assert_eq!((zero[0].value().as_slice(), tape.len()), (&[0.0; 3][..], before), "nothing depends on `other`");

    // The gradient of a linear function is a constant.
    let linear = x.scale(3.0).sum();
    let before = tape.len();
    let gradient = tape.gradient(&linear, &[&x]);
    assert_eq!((gradient[0].value().as_slice(), tape.len()), (&[3.0; 3][..], before));
    assert_eq!(tape.vjp(&[(&gradient[0], Tensor::full([3], 1.0))], &[&x])[0].as_slice(), [0.0; 3]);
}

#[test]
fn targets_may_be_repeated_intermediate_or_outputs() {
    let tape = Tape::new();
    let x = tape.variable(&Tensor::full([2], 3.0));
    let y = x.mul(&x);
    let z = y.mul(&x).sum();
    let one = || Tensor::scalar(1.0);
    let found = tape.vjp(&[(&z, one())], &[&x, &y, &z, &x]);
    let want: [&[f64]; 4] = [&[27.0; 2], &[3.0; 2], &[1.0], &[27.0; 2]];
    assert_eq!(found.iter().map(Tensor::as_slice).collect::<Vec<_>>(), want);
    // Several outputs, one of them twice, one inside the other's history.
    let seeds = [(&z, one()), (&y, Tensor::new([2], &[1.0, 2.0])), (&z, one())];
    assert_eq!(tape.vjp(&seeds, &[&x])[0].as_slice(), [60.0, 66.0]);
}

#[test]
#[should_panic(
    expected = "an operation met values of two tapes; a value of an outer derivative must enter as a constant"
)]
fn values_of_two_tapes_do_not_meet() {
    let (outer, inner) = (Tape::new(), Tape::new());
    let _ = outer.variable(&zeros([2])).add(&inner.variable(&zeros([2])));
}

#[test]
#[should_panic(expected = "a value of one tape was given to another")]
fn a_sweep_of_one_tape_does_not_start_at_another() {
    let (outer, inner) = (Tape::new(), Tape::new());
    let y = outer.variable(&zeros([])).scale(2.0);
    let _ = inner.gradient(&y, &[]);
}

/// One test for each line: what panics, and what the message must hold.
macro_rules! refuses {
    ($($name:ident: $expression:expr => $message:literal;)*) => { $(
        #[test]
        #[should_panic(expected = $message)]
        fn $name() {
            let _ = $expression;
        }
    )* };
}

mod refuses {
    use super::*;

    refuses! {
        add: zeros([2, 3]).add(&zeros([3])) => "add: shapes of its arguments (broadcasting is an operation of its own: expand)\n  left: [2, 3]\n right: [3]";
        mul: zeros([2]).mul(&zeros([2, 1])) => "mul: shapes of its arguments (broadcasting is an operation of its own: expand)\n  left: [2]\n right: [2, 1]";
        matmul: zeros([2, 3]).matmul(&zeros([2, 3])) => "matrix product NN of shapes [2, 3] and [2, 3]: inner sizes differ";
        matmul_nt: zeros([2, 3]).matmul_nt(&zeros([3, 2])) => "inner sizes differ";
        matmul_of_a_vector: zeros([2, 3]).matmul(&zeros([3])) => "matrix product of shapes [2, 3] and [3]: both need two axes";
        conv_channels: zeros([1, 4, 4, 3]).conv(&zeros([3, 3, 2, 5]), 1, 1) => "convolution of images [1, 4, 4, 3] with weights [3, 3, 2, 5]: channels differ";
        conv_axes: zeros([4, 4, 3]).conv(&zeros([3, 3, 3, 5]), 1, 1) => "convolution of images [4, 4, 3] with weights [3, 3, 3, 5]: both need four axes";
        conv_kernel: zeros([1, 4, 4, 3]).conv(&zeros([5, 3, 3, 5]), 1, 0) => "convolution of images [1, 4, 4, 3] with weights [5, 3, 3, 5]: the kernel does not fit";
        conv_stride: zeros([1, 4, 4, 3]).conv(&zeros([3, 3, 3, 5]), 0, 1) => "the stride is 0";
        scale_channels: zeros([4, 3]).scale_channels(&zeros([4])) => "Channels of shape [4, 3]: shape of the factor per channel\n  left: [3]\n right: [4]";
        covariance: zeros([4, 3]).channel_covariance(&zeros([3, 4])) => "Covariance: shapes of its arguments\n  left: [4, 3]\n right: [3, 4]";
        reshape: zeros([4, 3]).reshape([5, 2]) => "reshape from [4, 3] to [5, 2]";
        expand: zeros([4]).expand([4, 3]) => "shape [4] does not broadcast to [4, 3]";
        sum_to: zeros([4, 3]).sum_to([4]) => "shape [4] does not broadcast to [4, 3]";
        gather: zeros([4]).gather(vec![0, 1].into(), [3]) => "gather of 2 indices into shape [3]";
        max_pool: neural::max_pool(&zeros([4, 4]), 2, 2) => "max-pool of shape [4, 4]: images have four axes";
        pool_window: neural::max_pool(&zeros([1, 4, 1, 3]), 2, 2) => "max-pool of shape [1, 4, 1, 3]: a window of 2 does not fit";
        log_softmax: neural::log_softmax(&zeros([4])) => "soft-max of shape [4]: logits have two axes";
        labels_too_few: neural::cross_entropy(&zeros([2, 3]), &[0]) => "cross-entropy of logits [2, 3]: number of labels\n  left: Some(2)\n right: Some(1)";
        labels_too_large: neural::cross_entropy(&zeros([2, 3]), &[0, 3]) => "label 3 of row 1 is not below 3";
        least_squares: neural::least_squares(&zeros([3]), &zeros([4, 2]), &zeros([4])) => "least squares of parameters [3] for inputs [4, 2] and targets [4]: these are [d], [n, d] and [n]";
        least_squares_of_targets: neural::least_squares(&zeros([2, 3]), &zeros([2, 4, 3]), &zeros([4])) => "for inputs [2, 4, 3] and targets [4]";
        two_layer_least_squares: neural::two_layer_least_squares(&zeros([3, 5]), &zeros([4, 2]), &zeros([4])) => "least squares of a two-layer network of parameters [3, 5] for inputs [4, 2] and targets [4]: these are [d, neurons], [n, d] and [n]";
        two_layer_least_squares_by_their_inputs: {
            let tape = Tape::new();
            let [w, x, y] = [tape.variable(&zeros([3, 5])), tape.variable(&zeros([4, 3])), Var::constant(zeros([4]))];
            Var::apply(Op::TwoLayer(Degree::Value), &[&w, &x, &y]).shape()
        } => "least squares: inputs and targets must be constants";
        least_squares_by_their_inputs: {
            let tape = Tape::new();
            let [w, x, y] = [tape.variable(&zeros([3])), tape.variable(&zeros([4, 3])), Var::constant(zeros([4]))];
            Var::apply(Op::LeastSquares(Degree::Value), &[&w, &x, &y]).shape()
        } => "least squares: inputs and targets must be constants";
        least_squares_along_their_targets: {
            let [w, x] = [zeros([3]), zeros([4, 3])].map(Dual::constant);
            Dual::apply(Op::LeastSquares(Degree::Value), &[&w, &x, &Dual::new(zeros([4]), zeros([4]))]).shape()
        } => "least squares: inputs and targets must be constants";
        values_for_a_shape: Tensor::new([2, 2], &[1.0]) => "a tensor of shape [2, 2] needs as many values as that";
        item: zeros([2]).item() => "item() of a tensor of shape [2]";
        axes: zeros([1; 7]) => "has more than 6 axes";
        dual: Dual::new(zeros([2]), zeros([3])) => "dual number: shapes of value and tangent\n  left: [2]\n right: [3]";
        direction_of_hvp: hvp(&Sum, &[zeros([2])], &[zeros([3])]) => "hvp: shapes of the point and of the vector\n  left: [[2]]\n right: [[3]]";
        directions_of_jvp: jvp(&Sum, &[zeros([2])], &[]) => "a direction needs an array for each argument";
        gradient_of_an_array: {
            let tape = Tape::new();
            let x = tape.variable(&zeros([2]));
            tape.gradient(&x.exp(), &[&x]).len()
        } => "a gradient is that of a single number, not of shape [2]";
        cotangent_of_another_shape: {
            let tape = Tape::new();
            let x = tape.variable(&zeros([2, 3]));
            tape.vjp(&[(&x.exp().reshape([6]), zeros([3, 2]))], &[&x]).len()
        } => "vjp: shapes of an output and of its cotangent\n  left: [6]\n right: [3, 2]";
    }
}

struct Sum;

impl Function<f64> for Sum {
    fn eval<V: Value<Real = f64>>(&self, x: &[V]) -> V {
        x[0].sum()
    }
}
