//! Extreme eigenvalues of a Hessian by Lanczos' method on exact Hessian-vector products: how hard a task is, for any model.

use maml_autograd::{Function, Real, SecondOrder, Tape, Tensor};
use rand_distr::{Distribution, StandardNormal};

use crate::{Params, Purpose, rng, theory::Matrix};

/// The ends of a Hessian's spectrum.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Extremes {
    /// λ_min: μ of a strongly convex f.
    pub smallest: f64,
    /// λ_max: the smoothness L.
    pub largest: f64,
    /// ‖∇²f v − λv‖ of the worse of the two: each is within this of an eigenvalue.
    pub residual: f64,
    /// Hessian-vector products.
    pub products: usize,
}

/// A Lanczos vector this short closes an invariant subspace: the Ritz values are eigenvalues.
const CLOSED: f64 = 1e-13;

/// λ_min and λ_max of ∇²f(w), by at most `most` products, fewer if both residuals fall below `tolerance` · |λ|_max.
///
/// The basis is orthogonalised against all of its vectors, twice, so that no eigenvalue is found again and again; with
/// as many products as there are parameters the result is that of a dense Hessian. The start is random, by `seed`.
/// Panics if there is no parameter, or `most` is 0.
pub fn extreme_eigenvalues<T: Real>(
    f: &impl Function<T>,
    w: &Params<T>,
    most: usize,
    tolerance: f64,
    seed: u64,
) -> Extremes {
    assert!(!w.is_empty() && most > 0, "extreme eigenvalues of {} parameters by {most} products", w.len());
    let tape = Tape::new();
    let at = SecondOrder::at(&tape, f, w.tensors());
    let mut basis = vec![random_unit(w, seed)];
    let (mut diagonal, mut beside): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    loop {
        let v = basis.last().expect("the basis has its start");
        let bent = w.with(at.hvp(v.tensors()));
        diagonal.push(v.dot(&bent));
        let rest = (0..2).fold(bent, |rest, _| orthogonal(rest, &basis));
        let size = rest.norm();
        let extremes = ritz(&diagonal, &beside, size);
        let scale = extremes.largest.abs().max(extremes.smallest.abs());
        let is_closed = size <= CLOSED * scale || basis.len() == w.len();
        if is_closed || diagonal.len() == most || extremes.residual <= tolerance * scale {
            return if is_closed { Extremes { residual: 0.0, ..extremes } } else { extremes };
        }
        beside.push(size);
        basis.push(rest.map(|t| maml_autograd::Value::scale(t, 1.0 / size)));
    }
}

fn random_unit<T: Real>(like: &Params<T>, seed: u64) -> Params<T> {
    let mut rng = rng(seed, Purpose::Init, u64::MAX, 0);
    let v = like.map(|t| Tensor::from_fn(t.shape(), |_| T::from_f64(StandardNormal.sample(&mut rng))));
    let size = v.norm();
    v.map(|t| maml_autograd::Value::scale(t, 1.0 / size))
}

fn orthogonal<T: Real>(v: Params<T>, basis: &[Params<T>]) -> Params<T> {
    basis.iter().fold(v, |v, b| {
        let along = v.dot(b);
        v.add_scaled(-along, b)
    })
}

/// The ends of the tridiagonal matrix's spectrum. The residual of a Ritz vector is `next`, the size of the vector that
/// would come next, times the vector's last component.
fn ritz(diagonal: &[f64], beside: &[f64], next: f64) -> Extremes {
    let k = diagonal.len();
    let entry = |i: usize, j: usize| match i.abs_diff(j) {
        0 => diagonal[i],
        1 => beside[i.min(j)],
        _ => 0.0,
    };
    let spectrum = Matrix::from_fn(k, k, entry).symmetric_eigen();
    let (least, most) = (spectrum.eigenvalues.imin(), spectrum.eigenvalues.imax());
    let residual = |i: usize| next * spectrum.eigenvectors[(k - 1, i)].abs();
    Extremes {
        smallest: spectrum.eigenvalues[least],
        largest: spectrum.eigenvalues[most],
        residual: residual(least).max(residual(most)),
        products: k,
    }
}
