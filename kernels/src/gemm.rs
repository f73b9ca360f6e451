//! Matrix products.

use crate::{Isa, Real, naive};

/// Which operands of a row-major product are stored transposed. The three are the three slots of the
/// form ⟨C, A B⟩, so derivatives of products need no transposed copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Layout {
    /// C\[m, n\] = A\[m, k\] B\[k, n\]
    NN,
    /// C\[m, n\] = A\[m, k\] B\[n, k\]ᵀ
    NT,
    /// C\[m, n\] = A\[k, m\]ᵀ B\[k, n\]
    TN,
}

/// C = op(A) op(B), row-major. Panics if a slice's length is not that of its matrix.
#[track_caller]
pub fn gemm<T: Real>(isa: Isa, layout: Layout, m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "gemm {layout:?} {m}x{n}x{k}: lengths of a, b, c");
    let _ = isa;
    naive::gemm(layout, m, n, k, a, b, c);
}
