//! `Watched`, the interpreter that finds where a number stopped being finite.

use maml_kernels::Real;

use crate::{Function, Shape, Tensor, Value, op::Op};

/// A tensor that remembers the first operation of its history whose result was not finite.
#[derive(Clone)]
pub struct Watched<T: Real> {
    tensor: Tensor<T>,
    blame: Option<String>,
}

/// Evaluates `f` again and names the first operation with an infinite or NaN result, with its shape; none
/// if all are finite.
pub fn first_non_finite<T: Real>(f: &impl Function<T>, x: &[Tensor<T>]) -> Option<String> {
    let x: Vec<_> = x.iter().cloned().map(Watched::constant).collect();
    f.eval(&x).blame
}

impl<T: Real> Value for Watched<T> {
    type Real = T;

    fn shape(&self) -> Shape {
        self.tensor.shape()
    }

    #[track_caller]
    fn apply(op: Op, args: &[&Self]) -> Self {
        let name = op.name();
        let tensors: Vec<_> = args.iter().map(|x| &x.tensor).collect();
        let tensor = Tensor::apply(op, &tensors);
        let inherited = args.iter().find_map(|x| x.blame.clone());
        let blame =
            inherited.or_else(|| (!tensor.is_finite()).then(|| format!("a {name} of shape {}", tensor.shape())));
        Self { tensor, blame }
    }

    fn constant(tensor: Tensor<T>) -> Self {
        let blame = (!tensor.is_finite()).then(|| format!("an input of shape {}", tensor.shape()));
        Self { tensor, blame }
    }

    fn peek(&self) -> Tensor<T> {
        self.tensor.clone()
    }
}
