//! Snapshots of gradients and Hessian-vector products of named small nets, rounded so that they hold on
//! every instruction set.

#[path = "support/nets.rs"]
mod nets;
#[path = "support/printed.rs"]
mod printed;
#[path = "support/sampling.rs"]
mod sampling;

use insta::assert_snapshot;
use maml_autograd::{Function, Tensor};

fn derivatives<F: Function<f64>>((f, at): (F, Vec<Tensor<f64>>)) -> String {
    printed::derivatives(&f, &at, printed::rounded)
}

#[test]
fn linear_regression() {
    assert_snapshot!("linear_regression", derivatives(nets::linear_regression()));
}

#[test]
fn logistic_regression() {
    assert_snapshot!("logistic_regression", derivatives(nets::logistic()));
}

#[test]
fn two_layer_softplus_net() {
    assert_snapshot!("two_layer", derivatives(nets::two_layer()));
}

#[test]
fn convolutional_net_of_one_block() {
    assert_snapshot!("tiny_conv", derivatives(nets::tiny_conv()));
}

#[test]
fn convolutional_net_of_two_blocks() {
    assert_snapshot!("two_blocks", derivatives(nets::two_blocks()));
}

#[test]
fn digits_follow_the_largest_number() {
    assert_eq!(printed::rounded(1234.5, 0.123_456_789), "0.123457");
    assert_eq!(printed::rounded(0.0123, -0.012_345_678_901_23), "-0.01234567890");
    assert_eq!(printed::rounded(1.0, -1e-17), "0");
}
