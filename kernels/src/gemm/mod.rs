//! Matrix products.

mod narrow;
pub(crate) mod pack;
mod parallel;
mod plan;
mod vector;

use self::{narrow::Narrow, plan::Plan};
use crate::{Isa, Real, scratch::with_scratch, simd::dispatch};

pub(crate) use self::{
    parallel::gemm_parallel,
    plan::{blocks, depth},
};

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

impl Layout {
    /// A\[m, k\] and B\[k, n\] as views of what is stored, for [`gemm_strided`](crate::gemm_strided) and
    /// [`gemm_parallel`](crate::gemm_parallel).
    pub fn views<'a, T>(self, [m, n, k]: [usize; 3], a: &'a [T], b: &'a [T]) -> [Strided<'a, T>; 2] {
        let plain = |data, row| Strided { data, row, column: 1 };
        [
            if self == Layout::TN { plain(a, m).transposed() } else { plain(a, k) },
            if self == Layout::NT { plain(b, k).transposed() } else { plain(b, n) },
        ]
    }
}

/// A matrix that lies in a slice: element (i, j) at i·row + j·column.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a, T> {
    /// Where the elements are.
    pub data: &'a [T],
    /// Elements from a row to the next.
    pub row: usize,
    /// Elements from a column to the next.
    pub column: usize,
}

impl<'a, T> Strided<'a, T> {
    /// The same elements with rows and columns exchanged.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self { row: self.column, column: self.row, ..self }
    }

    #[track_caller]
    fn check(&self, rows: usize, columns: usize, name: &str) {
        if rows == 0 || columns == 0 {
            return;
        }
        let end = (rows - 1).checked_mul(self.row).zip((columns - 1).checked_mul(self.column));
        let end = end.and_then(|(row, column)| row.checked_add(column));
        let len = self.data.len();
        assert!(
            end.is_some_and(|end| end < len),
            "gemm: {name} is {rows}x{columns} with strides {} and {}, its slice has {len} elements",
            self.row,
            self.column,
        );
    }

    fn from(self, row: usize, column: usize) -> Self {
        Self { data: &self.data[row * self.row + column * self.column..], ..self }
    }
}

#[track_caller]
pub(crate) fn gemm<T: Real>(isa: Isa, layout: Layout, m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "gemm {layout:?} {m}x{n}x{k}: lengths of a, b, c");
    let [a, b] = layout.views([m, n, k], a, b);
    gemm_strided(isa, [m, n, k], a, b, c, n);
}

#[track_caller]
pub(crate) fn gemm_batch<T: Real>(
    isa: Isa,
    layout: Layout,
    count: usize,
    m: usize,
    n: usize,
    k: usize,
    a: &[T],
    b: &[T],
    c: &mut [T],
) {
    let want = (count * m * k, count * k * n, count * m * n);
    assert_eq!((a.len(), b.len(), c.len()), want, "{count} gemm {layout:?} {m}x{n}x{k}: lengths of a, b, c");
    if c.is_empty() || k == 0 {
        return c.fill(T::ZERO);
    }
    let [all_a, all_b] = layout.views([m, n, k], a, b);
    if without_tiles(isa, count, [m, n, k], all_a, all_b, c, n) {
        return;
    }
    for ((a, b), c) in a.chunks_exact(m * k).zip(b.chunks_exact(k * n)).zip(c.chunks_exact_mut(m * n)) {
        gemm(isa, layout, m, n, k, a, b, c);
    }
}

#[track_caller]
pub(crate) fn gemm_strided<T: Real>(
    isa: Isa,
    size: [usize; 3],
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    c: &mut [T],
    c_row: usize,
) {
    let [m, n, _] = size;
    check(size, a, b, c, c_row);
    if size.contains(&0) {
        return c.chunks_mut(c_row.max(1)).take(m).for_each(|row| row[..n].fill(T::ZERO));
    }
    if without_tiles(isa, 1, size, a, b, c, c_row) {
        return;
    }
    let plan = Plan::new::<T>(isa, size, a, b);
    let mut work = |[panel_a, panel_b, turned]: [&mut [T]; 3]| {
        if plan.turned {
            plan.product(isa, b.transposed(), a.transposed(), turned, m, panel_a, panel_b);
            pack::transpose(isa, n, m, turned, m, c, c_row);
        } else {
            plan.product(isa, a, b, c, c_row, panel_a, panel_b);
        }
    };
    match plan.scratch() {
        [0, 0, 0] => work([&mut [], &mut [], &mut []]),
        lens => with_scratch(lens, work),
    }
}

/// C_i = A_i B_i for `count` problems, their matrices one behind the other, if these are products for which there is
/// something better than tiles; whether they are.
fn without_tiles<T: Real>(
    isa: Isa,
    count: usize,
    size: [usize; 3],
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    c: &mut [T],
    c_row: usize,
) -> bool {
    let [m, n, k] = size;
    if let Some((matrix, vectors)) = vector::operands(size, a, b, c_row) {
        vector::products(isa, count, matrix, m * n * k, &vectors[..count * k], &mut c[..count * m * n]);
    } else if narrow::fits(isa, size, a, b) {
        dispatch(isa, Narrow { count, size, a, b: b.data, steps: [m * k, k * n], c, c_row });
    } else {
        return false;
    }
    true
}

/// Panics unless the matrices lie in their slices. Empty ones lie anywhere.
#[track_caller]
fn check<T: Real>([m, n, k]: [usize; 3], a: Strided<'_, T>, b: Strided<'_, T>, c: &[T], c_row: usize) {
    assert!(c_row >= n, "gemm: rows of C are {n} long and {c_row} apart");
    Strided { data: c, row: c_row, column: 1 }.check(m, n, "C");
    a.check(m, k, "A");
    b.check(k, n, "B");
}
