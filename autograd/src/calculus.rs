//! Derivatives of functions.

use maml_kernels::Real;

use crate::{Dual, Tape, Tensor, Value, Var};

/// A number computed from arrays, written once for every interpreter.
pub trait Function<T: Real> {
    /// f(x), a scalar. A function of several problems stacked along a leading axis, none of which depends on the arguments
    /// of another, has an array of numbers: their gradients are the slices of that of its sum.
    fn eval<V: Value<Real = T>>(&self, x: &[V]) -> V;
}

/// f(x).
pub fn value<T: Real>(f: &impl Function<T>, x: &[Tensor<T>]) -> T {
    f.eval(x).item()
}

/// ∇f(x), one array for each of x.
pub fn grad<T: Real>(f: &impl Function<T>, x: &[Tensor<T>]) -> Vec<Tensor<T>> {
    values_and_grad(f, x).1
}

/// f(x) and ∇f(x).
pub fn value_and_grad<T: Real>(f: &impl Function<T>, x: &[Tensor<T>]) -> (T, Vec<Tensor<T>>) {
    let (value, gradient) = values_and_grad(f, x);
    (value.item(), gradient)
}

/// The numbers f(x) and the gradient of their sum.
pub fn values_and_grad<T: Real>(f: &impl Function<T>, x: &[Tensor<T>]) -> (Tensor<T>, Vec<Tensor<T>>) {
    let tape = Tape::new();
    let vars: Vec<_> = x.iter().map(|x| tape.variable(x)).collect();
    let y = f.eval(&vars);
    let one = Tensor::full(y.shape(), T::ONE);
    (y.value().clone(), tape.vjp(&[(&y, one)], &vars.iter().collect::<Vec<_>>()))
}

/// ∇²f(x) v, exactly, reverse over reverse: one array for each of x. Panics if v has other shapes than x.
#[track_caller]
pub fn hvp<T: Real>(f: &impl Function<T>, x: &[Tensor<T>], v: &[Tensor<T>]) -> Vec<Tensor<T>> {
    let tape = Tape::new();
    SecondOrder::at(&tape, f, x).hvp(v)
}

/// ∇²f(x) v by reverse over forward, ∇⟨∇f, v⟩: the independent witness of [`hvp`].
#[track_caller]
pub fn hvp_reverse_over_forward<T: Real>(f: &impl Function<T>, x: &[Tensor<T>], v: &[Tensor<T>]) -> Vec<Tensor<T>> {
    grad(&Along { function: f, direction: v }, x)
}

/// The value of f at x and its directional derivative ⟨∇f(x), v⟩, by forward mode.
#[track_caller]
pub fn jvp<T: Real>(f: &impl Function<T>, x: &[Tensor<T>], v: &[Tensor<T>]) -> (T, T) {
    assert_eq!(x.len(), v.len(), "a direction needs an array for each argument");
    let x: Vec<_> = x.iter().zip(v).map(|(x, v)| Dual::new(x.clone(), v.clone())).collect();
    let y = f.eval(&x);
    (y.primal.item(), y.tangent.map_or(T::ZERO, |dy| dy.item()))
}

/// x ↦ ⟨∇f(x), v⟩, again a [`Function`]: derivatives of any order are gradients of nested `Along`s.
pub struct Along<'a, F, T: Real> {
    /// f
    pub function: &'a F,
    /// v
    pub direction: &'a [Tensor<T>],
}

impl<T: Real, F: Function<T>> Function<T> for Along<'_, F, T> {
    fn eval<V: Value<Real = T>>(&self, x: &[V]) -> V {
        assert_eq!(x.len(), self.direction.len(), "a direction needs an array for each argument");
        let moved = x.iter().zip(self.direction);
        let moved: Vec<_> = moved.map(|(x, v)| Dual::new(x.clone(), V::constant(v.clone()))).collect();
        let y = self.function.eval(&moved);
        y.tangent.unwrap_or_else(|| y.primal.scale(0.0))
    }
}

/// f at a point, with its gradient recorded, so that Hessian-vector products there cost one more sweep.
pub struct SecondOrder<'t, T: Real> {
    tape: &'t Tape<T>,
    inputs: Vec<Var<'t, T>>,
    gradient: Vec<Var<'t, T>>,
    values: Tensor<T>,
}

impl<'t, T: Real> SecondOrder<'t, T> {
    /// Evaluates f and ∇f at x on `tape`, which holds what later products need, until it is dropped.
    pub fn at(tape: &'t Tape<T>, f: &impl Function<T>, x: &[Tensor<T>]) -> Self {
        let inputs: Vec<_> = x.iter().map(|x| tape.variable(x)).collect();
        let y = f.eval(&inputs);
        let one = Var::constant(Tensor::full(y.shape(), T::ONE));
        let gradient = tape.recorded_vjp(&[(&y, one)], &inputs.iter().collect::<Vec<_>>());
        Self { tape, inputs, gradient, values: y.value().clone() }
    }

    /// f(x).
    #[track_caller]
    pub fn value(&self) -> T {
        self.values.item()
    }

    /// ∇f(x).
    pub fn gradient(&self) -> Vec<Tensor<T>> {
        self.gradient.iter().map(|g| g.value().clone()).collect()
    }

    /// ∇²f(x) v: the Hessian is symmetric, so this is the pull-back of v through x ↦ ∇f(x).
    #[track_caller]
    pub fn hvp(&self, v: &[Tensor<T>]) -> Vec<Tensor<T>> {
        let shapes = |all: &mut dyn Iterator<Item = crate::Shape>| all.collect::<Vec<_>>();
        let (want, have) =
            (shapes(&mut self.inputs.iter().map(Value::shape)), shapes(&mut v.iter().map(Tensor::shape)));
        assert_eq!(want, have, "hvp: shapes of the point and of the vector");
        let seeds: Vec<_> = self.gradient.iter().zip(v.iter().cloned()).collect();
        self.tape.vjp(&seeds, &self.inputs.iter().collect::<Vec<_>>())
    }
}
