//! Sums, and the broadcasts that are their transposes.
//!
//! Every sum runs in one fixed order that depends on the lengths and the instruction set alone: short
//! blocks are summed by several vector accumulators in the element type, and the sums of the blocks
//! are added in `f64`. A million `f32` numbers therefore err by about as much as one block of them.

use crate::{
    Isa, Real, Store,
    rows::sum_rows,
    simd::{COLUMNS, Kernel, Simd, dispatch},
};

/// Elements of one block of a sum over a contiguous slice.
const BLOCK: usize = 4096;
/// Vectors of sums of a contiguous slice.
pub(crate) const ACCUMULATORS: usize = 8;
/// Elements of the longest vector of all instruction sets.
pub(crate) const LONGEST_VECTOR: usize = 16;
/// Rows of one block of a sum over rows: with [`GROUP`] columns of two arrays it fits the first-level cache.
pub(crate) const BLOCK_ROWS: usize = 64;
/// Columns whose totals are held together, on the stack.
pub(crate) const GROUP: usize = 64;
/// Rows up to this length do not fill registers of their own.
pub(crate) const SHORT: usize = 16;

pub(crate) fn sum<T: Real>(isa: Isa, x: &[T]) -> T {
    dispatch(isa, Sum::<T, false> { x, y: x })
}

#[track_caller]
pub(crate) fn dot<T: Real>(isa: Isa, x: &[T], y: &[T]) -> T {
    assert_eq!(x.len(), y.len(), "dot: lengths of x and y");
    if x.len() <= SHORT {
        return x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum + x * y);
    }
    dispatch(isa, Sum::<T, true> { x, y })
}

#[track_caller]
pub(crate) fn sum_axis<T: Real>(isa: Isa, outer: usize, times: usize, inner: usize, x: &[T], out: &mut [T]) {
    assert_eq!((x.len(), out.len()), (outer * times * inner, outer * inner), "sum_axis: lengths of x and out");
    if times == 0 {
        return out.fill(T::ZERO);
    }
    if inner == 1 {
        return sum_rows(isa, x, out);
    }
    dispatch(isa, SumAxis { times, inner, x, out });
}

#[track_caller]
pub(crate) fn repeat<T: Real>(
    isa: Isa,
    outer: usize,
    times: usize,
    inner: usize,
    x: &[T],
    store: Store,
    out: &mut [T],
) {
    assert_eq!((x.len(), out.len()), (outer * inner, outer * times * inner), "repeat: lengths of x and out");
    if out.is_empty() {
        return;
    }
    match store {
        Store::Set => dispatch(isa, Repeat::<T, false> { times, inner, x, out }),
        Store::Add => dispatch(isa, Repeat::<T, true> { times, inner, x, out }),
    }
}

/// As many elements as `x` has, at most a register-full.
#[inline(always)]
pub(crate) fn load_some<T: Real, S: Simd<T>>(simd: S, x: &[T]) -> S::V {
    if x.len() >= S::LANES { simd.load(x) } else { simd.load_partial(x) }
}

/// The counterpart of [`load_some`].
#[inline(always)]
pub(crate) fn store_some<T: Real, S: Simd<T>>(simd: S, v: S::V, out: &mut [T]) {
    if out.len() >= S::LANES { simd.store(v, out) } else { simd.store_partial(v, out) }
}

/// What there is of [`Simd::load_columns`] in so many rows and columns, with zeros around it. Behind short rows there may
/// be what follows them.
#[inline(always)]
pub(crate) fn load_some_columns<T: Real, S: Simd<T>>(
    simd: S,
    rows: usize,
    columns: usize,
    x: &[T],
    row: usize,
) -> [S::V; COLUMNS] {
    if rows >= S::LANES && x.len() >= (S::LANES - 1) * row + COLUMNS {
        return simd.load_columns(x, row);
    }
    let mut some = [simd.splat(T::ZERO); COLUMNS];
    for j in 0..columns.min(COLUMNS) {
        let mut column = [T::ZERO; LONGEST_VECTOR];
        for i in 0..rows.min(S::LANES) {
            column[i] = x[i * row + j];
        }
        some[j] = simd.load(&column);
    }
    some
}

/// Σ x, or Σ x · y if `DOT`.
struct Sum<'a, T, const DOT: bool> {
    x: &'a [T],
    y: &'a [T],
}

impl<T: Real, const DOT: bool> Kernel<T> for Sum<'_, T, DOT> {
    type Out = T;
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> T {
        T::from_f64(sum_blocks::<T, S, DOT>(simd, self.x, self.y))
    }
}

#[inline(always)]
pub(crate) fn sum_blocks<T: Real, S: Simd<T>, const DOT: bool>(simd: S, x: &[T], y: &[T]) -> f64 {
    let mut total = 0.0;
    for (x, y) in x.chunks(BLOCK).zip(y.chunks(BLOCK)) {
        total += sum_block::<T, S, DOT>(simd, x, y).to_f64();
    }
    total
}

/// sum + x, or sum + x · y if `DOT`.
#[inline(always)]
pub(crate) fn accumulate<T: Real, S: Simd<T>, const DOT: bool>(simd: S, sum: S::V, x: &[T], y: &[T]) -> S::V {
    let v = load_some(simd, x);
    if DOT { simd.mul_add(v, load_some(simd, y), sum) } else { simd.add(sum, v) }
}

#[inline(always)]
fn sum_block<T: Real, S: Simd<T>, const DOT: bool>(simd: S, x: &[T], y: &[T]) -> T {
    let mut sums = [simd.splat(T::ZERO); ACCUMULATORS];
    let wide = x.len() - x.len() % (ACCUMULATORS * S::LANES);
    let (x, x_rest) = x.split_at(wide);
    let (y, y_rest) = y.split_at(wide);
    for (x, y) in x.chunks_exact(ACCUMULATORS * S::LANES).zip(y.chunks_exact(ACCUMULATORS * S::LANES)) {
        for k in 0..ACCUMULATORS {
            let part = k * S::LANES..(k + 1) * S::LANES;
            sums[k] = accumulate::<T, S, DOT>(simd, sums[k], &x[part.clone()], &y[part]);
        }
    }
    for (k, (x, y)) in x_rest.chunks(S::LANES).zip(y_rest.chunks(S::LANES)).enumerate() {
        sums[k] = accumulate::<T, S, DOT>(simd, sums[k], x, y);
    }
    folded(simd, sums)
}

/// The sum of all lanes of the first of [`ACCUMULATORS`] sums, the others being zero.
#[inline(always)]
pub(crate) fn folded<T: Real, S: Simd<T>, const U: usize>(simd: S, mut sums: [S::V; U]) -> T {
    let mut half = ACCUMULATORS / 2;
    while half > 0 {
        for k in 0..half.min(U.saturating_sub(half)) {
            sums[k] = simd.add(sums[k], sums[k + half]);
        }
        half /= 2;
    }
    simd.reduce_add(sums[0])
}

struct SumAxis<'a, T> {
    times: usize,
    inner: usize,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel<T> for SumAxis<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { times, inner, x, out } = self;
        if out.is_empty() {
            return;
        }
        for (out, x) in out.chunks_exact_mut(inner).zip(x.chunks_exact(times * inner)) {
            column_sums::<T, S, false>(simd, x, x, 1.0, out);
        }
    }
}

/// out\[c\] = scale · Σ_rows a\[row, c\], or Σ_rows a · b if `DOT`; at least one column.
#[inline(always)]
pub(crate) fn column_sums<T: Real, S: Simd<T>, const DOT: bool>(simd: S, a: &[T], b: &[T], scale: f64, out: &mut [T]) {
    let columns = out.len();
    for (group, out) in out.chunks_mut(GROUP).enumerate() {
        let totals = column_totals::<T, S, DOT>(simd, columns, group * GROUP, out.len(), a, b);
        for (out, total) in out.iter_mut().zip(totals) {
            *out = T::from_f64(scale * total);
        }
    }
}

/// Whether the sums of so many columns are summed as those of wider rows.
pub(crate) fn folds(columns: usize, elements: usize) -> bool {
    GROUP / columns > 1 && elements >= 2 * GROUP
}

/// The sums of columns `from..from + width` (at most [`GROUP`]) over all rows, not yet rounded.
#[inline(always)]
pub(crate) fn column_totals<T: Real, S: Simd<T>, const DOT: bool>(
    simd: S,
    columns: usize,
    from: usize,
    width: usize,
    a: &[T],
    b: &[T],
) -> [f64; GROUP] {
    if folds(columns, a.len()) {
        folded_totals::<T, S, DOT>(simd, columns, a, b)
    } else {
        group_sums::<T, S, DOT>(simd, columns, from, width, a, b)
    }
}

/// Few columns would leave lanes empty, so several rows are read as one wide row and its columns are
/// added up at the end.
#[inline(always)]
fn folded_totals<T: Real, S: Simd<T>, const DOT: bool>(simd: S, columns: usize, a: &[T], b: &[T]) -> [f64; GROUP] {
    let wide = GROUP / columns * columns;
    let cut = a.len() - a.len() % wide;
    let totals = group_sums::<T, S, DOT>(simd, wide, 0, wide, &a[..cut], &b[..cut]);
    let mut sums = group_sums::<T, S, DOT>(simd, columns, 0, columns, &a[cut..], &b[cut..]);
    for c in 0..columns {
        sums[c] = totals[c..wide].iter().step_by(columns).fold(sums[c], |sum, &x| sum + x);
    }
    sums
}

/// The sums of columns `from..from + width` (at most [`GROUP`]) over all rows.
#[inline(always)]
pub(crate) fn group_sums<T: Real, S: Simd<T>, const DOT: bool>(
    simd: S,
    columns: usize,
    from: usize,
    width: usize,
    a: &[T],
    b: &[T],
) -> [f64; GROUP] {
    let mut totals = [0.0; GROUP];
    let block = BLOCK_ROWS * columns;
    for (a, b) in a.chunks(block).zip(b.chunks(block)) {
        let mut sums = [T::ZERO; GROUP];
        let mut c = 0;
        while c + 4 * S::LANES <= width {
            strip_sums::<T, S, DOT, 4>(simd, columns, from + c, a, b, &mut sums[c..c + 4 * S::LANES]);
            c += 4 * S::LANES;
        }
        while c + 2 * S::LANES <= width {
            strip_sums::<T, S, DOT, 2>(simd, columns, from + c, a, b, &mut sums[c..c + 2 * S::LANES]);
            c += 2 * S::LANES;
        }
        while c < width {
            let end = width.min(c + S::LANES);
            strip_sums::<T, S, DOT, 1>(simd, columns, from + c, a, b, &mut sums[c..end]);
            c = end;
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum.to_f64();
        }
    }
    totals
}

/// The sums of `sums.len()` columns from column `from` on, in `U` registers.
#[inline(always)]
fn strip_sums<T: Real, S: Simd<T>, const DOT: bool, const U: usize>(
    simd: S,
    columns: usize,
    from: usize,
    a: &[T],
    b: &[T],
    sums: &mut [T],
) {
    let width = sums.len();
    let mut acc = [simd.splat(T::ZERO); U];
    for (a, b) in a.chunks_exact(columns).zip(b.chunks_exact(columns)) {
        let (a, b) = (&a[from..from + width], &b[from..from + width]);
        for u in 0..U {
            acc[u] = accumulate::<T, S, DOT>(simd, acc[u], &a[u * S::LANES..], &b[u * S::LANES..]);
        }
    }
    for u in 0..U {
        store_some(simd, acc[u], &mut sums[u * S::LANES..]);
    }
}

struct Repeat<'a, T, const ADD: bool> {
    times: usize,
    inner: usize,
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real, const ADD: bool> Kernel<T> for Repeat<'_, T, ADD> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let Self { times, inner, x, out } = self;
        if inner == 1 && times < S::LANES && !ADD {
            return fill_short_rows(simd, x, times, out);
        }
        for (x, out) in x.chunks_exact(inner).zip(out.chunks_exact_mut(times * inner)) {
            if inner == 1 {
                fill::<T, S, ADD>(simd, x[0], out);
                continue;
            }
            for out in out.chunks_exact_mut(inner) {
                copy::<T, S, ADD>(simd, x, out);
            }
        }
    }
}

/// Rows shorter than a register: a whole one is written for each, and the next row over what was too much.
#[inline(always)]
fn fill_short_rows<T: Real, S: Simd<T>>(simd: S, x: &[T], times: usize, out: &mut [T]) {
    for (i, &x) in x.iter().enumerate() {
        let out = &mut out[i * times..];
        let width = if out.len() >= S::LANES { S::LANES } else { times };
        store_some(simd, simd.splat(x), &mut out[..width]);
    }
}

#[inline(always)]
fn fill<T: Real, S: Simd<T>, const ADD: bool>(simd: S, x: T, out: &mut [T]) {
    if out.len() <= SHORT {
        for out in out {
            *out = if ADD { *out + x } else { x };
        }
        return;
    }
    let v = simd.splat(x);
    for out in out.chunks_mut(S::LANES) {
        let v = if ADD { simd.add(load_some(simd, out), v) } else { v };
        store_some(simd, v, out);
    }
}

#[inline(always)]
fn copy<T: Real, S: Simd<T>, const ADD: bool>(simd: S, x: &[T], out: &mut [T]) {
    for (x, out) in x.chunks(S::LANES).zip(out.chunks_mut(S::LANES)) {
        let v = load_some(simd, x);
        let v = if ADD { simd.add(load_some(simd, out), v) } else { v };
        store_some(simd, v, out);
    }
}
