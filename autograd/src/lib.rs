//! Automatic differentiation of any order on CPUs, with exact Hessian-vector products.
//!
//! A function is written once, over any [`Value`], and then evaluated, differentiated, and differentiated
//! again:
//!
//! ```
//! use maml_autograd::{Function, Tensor, Value, grad, hvp};
//!
//! /// Logistic regression: mean ln(1 + exp(−y ⟨x, w⟩)).
//! struct Logistic {
//!     x: Tensor<f64>,
//!     y: Tensor<f64>,
//! }
//!
//! impl Function<f64> for Logistic {
//!     fn eval<V: Value<Real = f64>>(&self, w: &[V]) -> V {
//!         let scores = V::constant(self.x.clone()).matmul(&w[0]);
//!         scores.mul(&V::constant(self.y.clone())).neg().softplus().mean()
//!     }
//! }
//!
//! let loss = Logistic {
//!     x: Tensor::new([3, 2], &[1.0, 2.0, -1.0, 0.5, 0.3, -2.0]),
//!     y: Tensor::new([3, 1], &[1.0, -1.0, 1.0]),
//! };
//! let w = [Tensor::zeros([2, 1])];
//! let g = grad(&loss, &w);
//! assert!((g[0].as_slice()[0] - -0.5 * (1.0 + 1.0 + 0.3) / 3.0).abs() < 1e-15);
//!
//! // At w = 0 the Hessian is Σ x xᵀ / (4n).
//! let v = [Tensor::new([2, 1], &[1.0, 0.0])];
//! let h = hvp(&loss, &w, &v);
//! assert!((h[0].as_slice()[0] - (1.0 + 1.0 + 0.09) / 12.0).abs() < 1e-15);
//! ```
//!
//! [`op`] is the table of operations and the whole of the calculus. `f64` makes every rule checkable; `f32`
//! is what one trains in. Nothing is broadcast silently: [`Value::expand`] is an operation of its own.

#![forbid(unsafe_code)]

mod buf;
mod calculus;
mod dual;
mod eval;
mod index;
pub mod neural;
mod normalisation;
pub mod op;
pub mod profile;
mod shape;
mod squares;
mod tape;
mod tensor;
mod value;
mod watch;

pub use buf::{fresh_allocations, peak_of};
pub use calculus::{
    Along, Function, SecondOrder, grad, hvp, hvp_reverse_over_forward, jvp, value, value_and_grad, values_and_grad,
};
pub use dual::Dual;
pub use index::Index;
pub use maml_kernels::{Isa, Real};
pub use shape::{Block, Shape};
pub use tape::{Tape, Var};
pub use tensor::Tensor;
pub use value::Value;
pub use watch::{Watched, first_non_finite};
