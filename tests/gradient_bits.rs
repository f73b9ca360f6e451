//! Snapshots of the very bits of gradients and Hessian-vector products, computed by portable code: it fuses
//! no multiplications and calls no library of the host, so they are the same on every processor. A binary
//! of its own, because a process computes with one instruction set.

#[path = "support/nets.rs"]
mod nets;
#[path = "support/printed.rs"]
mod printed;
#[path = "support/sampling.rs"]
mod sampling;

use insta::assert_snapshot;
use maml_autograd::{Function, Isa, Tensor};

fn derivatives<F: Function<f64>>(net: fn() -> (F, Vec<Tensor<f64>>)) -> String {
    Isa::pin(Isa::portable()).expect("nothing was computed before");
    let (f, at) = net();
    printed::derivatives(&f, &at, printed::bits)
}

#[test]
fn linear_regression() {
    assert_snapshot!("linear_regression", derivatives(nets::linear_regression));
}

#[test]
fn two_layer_softplus_net() {
    assert_snapshot!("two_layer", derivatives(nets::two_layer));
}

#[test]
fn convolutional_net_of_one_block() {
    assert_snapshot!("tiny_conv", derivatives(nets::tiny_conv));
}
