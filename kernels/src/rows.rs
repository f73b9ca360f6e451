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
        Store::Set => dispatch(isa, ByRows { function: Scaled::<false>, x: [a], c: [c], out }),
        Store::Add => dispatch(isa, ByRows { function: Scaled::<true>, x: [a], c: [c], out }),
    }
}

/// out\[row\] = Σ a, or Σ a · b if `DOT`; no row is empty.
pub(crate) struct RowSums<'a, T, const DOT: bool> {
    pub(crate) a: &'a [T],
    pub(crate) b: &'a [T],
    pub(crate) out: &'a mut [T],
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

/// A function of the elements of N arrays at one place, of K numbers for their row, and of what is there.
pub(crate) trait OfRows<T: Real, const N: usize, const K: usize>: Copy {
    fn apply<S: Simd<T>>(self, simd: S, x: [S::V; N], c: [S::V; K], old: S::V) -> S::V;
}

/// c · x, or what is there + c · x if `ADD`.
#[derive(Clone, Copy)]
struct Scaled<const ADD: bool>;

impl<T: Real, const ADD: bool> OfRows<T, 1, 1> for Scaled<ADD> {
    #[inline(always)]
    fn apply<S: Simd<T>>(self, simd: S, [x]: [S::V; 1], [c]: [S::V; 1], old: S::V) -> S::V {
        if ADD { simd.mul_add(c, x, old) } else { simd.mul(c, x) }
    }
}

/// out\[row, i\] = function(x\[row, i\], c\[row\]); no row is empty.
pub(crate) struct ByRows<'a, T, F, const N: usize, const K: usize> {
    pub(crate) function: F,
    pub(crate) x: [&'a [T]; N],
    pub(crate) c: [&'a [T]; K],
    pub(crate) out: &'a mut [T],
}

impl<T: Real, F: OfRows<T, N, K>, const N: usize, const K: usize> Kernel<T> for ByRows<'_, T, F, N, K> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let length = self.out.len() / self.c[0].len();
        if length < S::LANES {
            return self.short(simd, length);
        }
        for (row, out) in self.out.chunks_exact_mut(length).enumerate() {
            let mut c = [simd.splat(T::ZERO); K];
            for k in 0..K {
                c[k] = simd.splat(self.c[k][row]);
            }
            let x = self.x.map(|x| &x[row * length..][..length]);
            let (whole, rest) = out.split_at_mut(length - length % S::LANES);
            for (at, out) in whole.chunks_exact_mut(S::LANES).enumerate().map(|(i, out)| (i * S::LANES, out)) {
                let x = vectors_of(simd, x, at);
                simd.store(self.function.apply(simd, x, c, simd.load(out)), out);
            }
            if !rest.is_empty() {
                let x = some_of(simd, x, length - rest.len());
                simd.store_partial(self.function.apply(simd, x, c, simd.load_partial(rest)), rest);
            }
        }
    }
}

impl<T: Real, F: OfRows<T, N, K>, const N: usize, const K: usize> ByRows<'_, T, F, N, K> {
    /// Rows shorter than a register: the factors of some rows are written out first, a whole register for each and the next
    /// over what was too much, and then the rows are one array.
    #[inline(always)]
    fn short<S: Simd<T>>(self, simd: S, length: usize) {
        const FACTORS: usize = 512;
        let mut factors = [[T::ZERO; FACTORS + LONGEST_VECTOR]; K];
        let rows = FACTORS / length;
        for (first, out) in self.out.chunks_mut(rows * length).enumerate().map(|(i, out)| (i * rows, out)) {
            for (c, factors) in self.c.iter().zip(&mut factors) {
                for (row, c) in c[first..].iter().take(rows).enumerate() {
                    simd.store(simd.splat(*c), &mut factors[row * length..]);
                }
            }
            let x = self.x.map(|x| &x[first * length..][..out.len()]);
            for (at, out) in out.chunks_mut(S::LANES).enumerate().map(|(i, out)| (i * S::LANES, out)) {
                let (x, c) = (some_of(simd, x, at), vectors_of(simd, factors.each_ref().map(|c| &c[..]), at));
                store_some(simd, self.function.apply(simd, x, c, load_some(simd, out)), out);
            }
        }
    }
}

/// A register of each of these from `at` on.
#[inline(always)]
fn vectors_of<T: Real, S: Simd<T>, const N: usize>(simd: S, x: [&[T]; N], at: usize) -> [S::V; N] {
    let mut v = [simd.splat(T::ZERO); N];
    for n in 0..N {
        v[n] = simd.load(&x[n][at..at + S::LANES]);
    }
    v
}

/// What there is of that.
#[inline(always)]
fn some_of<T: Real, S: Simd<T>, const N: usize>(simd: S, x: [&[T]; N], at: usize) -> [S::V; N] {
    let mut v = [simd.splat(T::ZERO); N];
    for n in 0..N {
        v[n] = load_some(simd, &x[n][at..]);
    }
    v
}
