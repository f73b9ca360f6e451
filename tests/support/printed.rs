//! Arrays as text for snapshots.

#![allow(dead_code)] // Not every test binary uses every piece.

use std::fmt::Write;

use maml_autograd::{Function, Tensor, hvp, value_and_grad};

use crate::sampling::{direction, largest, stream};

/// How the numbers of a list of arrays are written: the function is given the largest of them, and one.
pub(crate) type Digits = fn(f64, f64) -> String;

/// Ten significant digits of the largest number, and as many places of the others: rounding errors, which
/// differ between instruction sets, are relative to the largest.
pub(crate) fn rounded(largest: f64, x: f64) -> String {
    let places = (9.0 - largest.log10().floor()).clamp(0.0, 30.0) as usize;
    let text = format!("{x:.places$}");
    let is_zero = text.bytes().all(|c| b"-0.".contains(&c));
    if is_zero { "0".to_owned() } else { text }
}

/// Every bit, in hexadecimal.
pub(crate) fn bits(_: f64, x: f64) -> String {
    format!("{:016x}", x.to_bits())
}

/// A line for each row of the last axis, under the title and the shape.
pub(crate) fn arrays(title: &str, arrays: &[Tensor<f64>], digits: Digits) -> String {
    let mut text = String::new();
    let largest = largest(arrays);
    for (i, x) in arrays.iter().enumerate() {
        writeln!(text, "{title} {i} {}", x.shape()).expect("writing to a string");
        for row in x.as_slice().chunks(x.shape().last()) {
            let row: Vec<_> = row.iter().map(|x| digits(largest, *x)).collect();
            writeln!(text, "  {}", row.join(" ")).expect("writing to a string");
        }
    }
    text
}

/// Value, gradient, and the product of the Hessian with a random direction.
pub(crate) fn derivatives(f: &impl Function<f64>, at: &[Tensor<f64>], digits: Digits) -> String {
    let v = direction(&mut stream("snapshot", [0, 0]), at);
    let (value, gradient) = value_and_grad(f, at);
    [
        arrays("value", &[Tensor::scalar(value)], digits),
        arrays("gradient", &gradient, digits),
        arrays("hvp", &hvp(f, at, &v), digits),
    ]
    .concat()
}
