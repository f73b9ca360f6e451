//! Forward mode: `Dual`, a value with its directional derivative.

use crate::{
    Shape, Tensor, Value,
    op::{Bilinear, CONSTANT_DATA, Degree, Form, Op, Slot, slope},
};

/// x + ε·ẋ with ε² = 0, over any interpreter: over [`Tensor`] it is forward mode, over
/// [`Var`](crate::Var) it is reverse over forward. A missing tangent is zero.
#[derive(Clone)]
pub struct Dual<V> {
    /// x
    pub primal: V,
    /// ẋ
    pub tangent: Option<V>,
}

impl<V: Value> Dual<V> {
    /// x + ε·ẋ. Panics if the shapes differ.
    #[track_caller]
    pub fn new(primal: V, tangent: V) -> Self {
        assert_eq!(primal.shape(), tangent.shape(), "dual number: shapes of value and tangent");
        Self { primal, tangent: Some(tangent) }
    }
}

fn sum<V: Value>(a: Option<V>, b: Option<V>) -> Option<V> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.add(&b)),
        (a, b) => a.or(b),
    }
}

impl<V: Value> Value for Dual<V> {
    type Real = V::Real;

    fn shape(&self) -> Shape {
        self.primal.shape()
    }

    #[track_caller]
    fn apply(op: Op, args: &[&Self]) -> Self {
        let x: Vec<&V> = args.iter().map(|arg| &arg.primal).collect();
        let primal = V::apply(op.clone(), &x);
        Self::of(op, args, primal)
    }

    #[track_caller]
    fn known(op: Op, args: &[&Self], numbers: Tensor<V::Real>) -> Self {
        let x: Vec<&V> = args.iter().map(|arg| &arg.primal).collect();
        let primal = V::known(op.clone(), &x, numbers);
        Self::of(op, args, primal)
    }

    fn constant(tensor: Tensor<V::Real>) -> Self {
        Self { primal: V::constant(tensor), tangent: None }
    }

    fn peek(&self) -> Tensor<V::Real> {
        self.primal.peek()
    }
}

impl<V: Value> Dual<V> {
    /// The result of an operation, of which the value is known and the tangent is not.
    fn of(op: Op, args: &[&Self], primal: V) -> Self {
        let x: Vec<&V> = args.iter().map(|arg| &arg.primal).collect();
        let dx: Vec<Option<&V>> = args.iter().map(|arg| arg.tangent.as_ref()).collect();
        let tangent = match &op {
            Op::Add(s) => sum(dx[0].cloned(), dx[1].map(|dx| dx.scale(*s))),
            Op::Linear(_) => dx[0].map(|dx| V::apply(op, &[dx])),
            Op::Bilinear(_) => {
                let left = dx[0].map(|dx| V::apply(op.clone(), &[dx, x[1]]));
                sum(left, dx[1].map(|dx| V::apply(op.clone(), &[x[0], dx])))
            }
            Op::Pointwise(map) => dx[0].map(|dx| dx.mul(&slope(*map, x[0], &primal, None))),
            Op::LeastSquares(_) | Op::TwoLayer(_) => {
                assert!(dx[1..].iter().all(Option::is_none), "{CONSTANT_DATA}");
                let inner = Bilinear { form: Form::Inner(primal.shape().len()), open: Slot::C };
                let along = |dx: &V, gradient| V::apply(Op::Bilinear(inner), &[dx, &V::apply(gradient, &x)]);
                dx[0].map(|dx| match op {
                    Op::LeastSquares(Degree::Value) => along(dx, Op::LeastSquares(Degree::Gradient)),
                    Op::TwoLayer(Degree::Value) => along(dx, Op::TwoLayer(Degree::Gradient)),
                    Op::TwoLayer(Degree::Gradient) => V::two_layer_hessian(dx, &x),
                    Op::TwoLayer(_) => V::apply(op, &[&[dx], &x[1..]].concat()),
                    _ => V::apply(Op::LeastSquares(Degree::Hessian), &[dx, x[1]]),
                })
            }
        };
        Self { primal, tangent }
    }
}
