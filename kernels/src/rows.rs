//! Kernels on \[rows, length\] arrays with one number for each row: Σ a, and the slots of ⟨a, b, c⟩ = Σ c_row · a · b.
//!
//! Rows are often short, so that one call serves all of them.

use crate::{
    Isa, Real, Store,
    gemm::pack::starts,
    reduce::{
        ACCUMULATORS, LONGEST_VECTOR, SHORT, accumulate, folded, load_some, load_some_columns, store_some, sum_blocks,
    },
    simd::{COLUMNS, Kernel, Simd, dispatch},
};

#[track_caller]
pub(crate) fn dot_rows<T: Real>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    assert_eq!(a.len(), b.len(), "dot_rows: lengths of a and b");
    sums::<T, true>(isa, a, b, out);
}

/// The sums of equal rows.
#[track_caller]
pub(crate) fn sum_rows<T: Real>(isa: Isa, a: &[T], out: &mut [T]) {
    sums::<T, false>(isa, a, a, out);
}

#[track_caller]
fn sums<T: Real, const DOT: bool>(isa: Isa, a: &[T], b: &[T], out: &mut [T]) {
    assert!(a.len().is_multiple_of(out.len().max(1)), "{} rows in an array of {} elements", out.len(), a.len());
    if a.is_empty() {
        return out.fill(T::ZERO);
    }
    dispatch(isa, RowSums::<T, DOT> { a, b, out });
}

#[track_caller]
pub(crate) fn scale_rows<T: Real>(isa: Isa, a: &[T], c: &[T], store: Store, out: &mut [T]) {
    assert_eq!(a.len(), out.len(), "scale_rows: lengths of a and out");
    assert!(a.len().is_multiple_of(c.len().max(1)), "scale_rows: {} rows in {} elements", c.len(), a.len());
    if a.is_empty() {
        return;
    }
    match store {
        Store::Set => dispatch(isa, ScaleRows::<T, false> { a, c, out }),
        Store::Add => dispatch(isa, ScaleRows::<T, true> { a, c, out }),
    }
}

/// out\[row\] = Σ a, or Σ a · b if `DOT`; no row is empty.
struct RowSums<'a, T, const DOT: bool> {
    a: &'a [T],
    b: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const DOT: bool> Kernel<T> for RowSums<'_, T, DOT> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let length = self.a.len() / self.out.len();
        match length.div_ceil(S::LANES) {
            _ if length <= SHORT => self.short(simd, length),
            1..=2 => self.medium::<S, 2>(simd, length),
            3..=4 => self.medium::<S, 4>(simd, length),
            5..=ACCUMULATORS => self.medium::<S, ACCUMULATORS>(simd, length),
            _ => {
                for ((a, b), out) in self.a.chunks_exact(length).zip(self.b.chunks_exact(length)).zip(self.out) {
                    *out = T::from_f64(sum_blocks::<T, S, DOT>(simd, a, b));
                }
            }
        }
    }
}

impl<T: Real, const DOT: bool> RowSums<'_, T, DOT> {
    /// The lanes are rows, and every sum runs in the order of its row.
    #[inline(always)]
    fn short<S: Simd<T>>(self, simd: S, length: usize) {
        let rows = self.out.len();
        for row in starts(rows, S::LANES) {
            let (a, b) = (&self.a[row * length..], &self.b[row * length..]);
            let mut sum = simd.splat(T::ZERO);
            for at in (0..length).step_by(COLUMNS) {
                let a = load_some_columns(simd, rows, length - at, &a[at..], length);
                let b = if DOT { load_some_columns(simd, rows, length - at, &b[at..], length) } else { a };
                for l in 0..COLUMNS {
                    if at + l < length {
                        sum = simd.add(sum, if DOT { simd.mul(a[l], b[l]) } else { a[l] });
                    }
                }
            }
            store_some(simd, sum, &mut self.out[row..]);
        }
    }

    /// Rows of at most `U` vectors, each the first summand of a sum of its own, as in a longer row.
    #[inline(always)]
    fn medium<S: Simd<T>, const U: usize>(self, simd: S, length: usize) {
        for ((a, b), out) in self.a.chunks_exact(length).zip(self.b.chunks_exact(length)).zip(self.out) {
            let mut sums = [simd.splat(T::ZERO); U];
            for u in 0..U {
                let from = (u * S::LANES).min(length);
                sums[u] = accumulate::<T, S, DOT>(simd, sums[u], &a[from..], &b[from..]);
            }
            *out = folded(simd, sums);
        }
    }
}

/// out\[row, i\] = c\[row\] · a\[row, i\], or += if `ADD`; no row is empty.
struct ScaleRows<'a, T, const ADD: bool> {
    a: &'a [T],
    c: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const ADD: bool> Kernel<T> for ScaleRows<'_, T, ADD> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let length = self.a.len() / self.c.len();
        if length < S::LANES {
            return self.short(simd, length);
        }
        for ((a, c), out) in self.a.chunks_exact(length).zip(self.c).zip(self.out.chunks_exact_mut(length)) {
            let c = simd.splat(*c);
            for (a, out) in a.chunks(S::LANES).zip(out.chunks_mut(S::LANES)) {
                store_some(simd, scaled::<T, S, ADD>(simd, load_some(simd, a), c, out), out);
            }
        }
    }
}

impl<T: Real, const ADD: bool> ScaleRows<'_, T, ADD> {
    /// Rows shorter than a register: the factors of some rows are written out first, a whole register for each and the next
    /// over what was too much, and then the rows are one array.
    #[inline(always)]
    fn short<S: Simd<T>>(self, simd: S, length: usize) {
        const FACTORS: usize = 512;
        let mut factors = [T::ZERO; FACTORS + LONGEST_VECTOR];
        let rows = FACTORS / length;
        let arrays = self.a.chunks(rows * length).zip(self.out.chunks_mut(rows * length));
        for (c, (a, out)) in self.c.chunks(rows).zip(arrays) {
            for (row, c) in c.iter().enumerate() {
                simd.store(simd.splat(*c), &mut factors[row * length..]);
            }
            for ((a, c), out) in a.chunks(S::LANES).zip(factors.chunks(S::LANES)).zip(out.chunks_mut(S::LANES)) {
                store_some(simd, scaled::<T, S, ADD>(simd, load_some(simd, a), load_some(simd, c), out), out);
            }
        }
    }
}

/// c · a, or out + c · a if `ADD`.
#[inline(always)]
fn scaled<T: Real, S: Simd<T>, const ADD: bool>(simd: S, a: S::V, c: S::V, out: &[T]) -> S::V {
    if ADD { simd.mul_add(c, a, load_some(simd, out)) } else { simd.mul(c, a) }
}
