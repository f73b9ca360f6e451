//! Copies of operands in the order in which the register tiles read them.

use crate::{
    Isa, Real,
    simd::{COLUMNS, Kernel, Simd, dispatch},
};

/// out\[j·out_row + i\] = x\[i·x_row + j\] for i < rows, j < columns.
struct Transpose<'a, T> {
    rows: usize,
    columns: usize,
    x: &'a [T],
    x_row: usize,
    out: &'a mut [T],
    out_row: usize,
}

impl<T: Real> Kernel<T> for Transpose<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let (height, width) = (self.rows.min(S::LANES), self.columns.min(COLUMNS));
        for i in starts(self.rows, S::LANES) {
            for j in starts(self.columns, COLUMNS) {
                let (x, out) = (&self.x[i * self.x_row + j..], &mut self.out[j * self.out_row + i..]);
                if (height, width) == (S::LANES, COLUMNS) {
                    let columns = simd.load_columns(x, self.x_row);
                    for j in 0..COLUMNS {
                        simd.store(columns[j], &mut out[j * self.out_row..]);
                    }
                } else {
                    for i in 0..height {
                        for j in 0..width {
                            out[j * self.out_row + i] = x[i * self.x_row + j];
                        }
                    }
                }
            }
        }
    }
}

/// Where pieces of `side` begin that cover 0..len: the last one overlaps the one before it if `side` does not
/// divide, and begins at 0 if len is smaller.
pub(crate) fn starts(len: usize, side: usize) -> impl Iterator<Item = usize> {
    (0..len).step_by(side).map(move |start| start.min(len.saturating_sub(side)))
}

/// out\[j·out_row + i\] = x\[i·x_row + j\] for i < rows, j < columns.
pub(crate) fn transpose<T: Real>(
    isa: Isa,
    rows: usize,
    columns: usize,
    x: &[T],
    x_row: usize,
    out: &mut [T],
    out_row: usize,
) {
    dispatch(isa, Transpose { rows, columns, x, x_row, out, out_row });
}

/// Rows between a row that is copied and the one whose cache lines are asked for.
const AHEAD: usize = 4;

/// B\[k, n\] with rows `b_row` apart as strips of `width` columns.
struct CopyStrips<'a, T> {
    k: usize,
    n: usize,
    b: &'a [T],
    b_row: usize,
    width: usize,
    out: &'a mut [T],
}

impl<T: Real> Kernel<T> for CopyStrips<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let strip = self.k * self.width;
        // Row after row of B, so that the reads are long runs.
        for l in 0..self.k {
            let row = &self.b[l * self.b_row..][..self.n];
            // Rows far apart begin anew for the processor's own prefetching.
            let soon = self.b.as_ptr().wrapping_add((l + AHEAD) * self.b_row);
            for (at, piece) in row.chunks(self.width).enumerate() {
                for line in (0..self.width).step_by(64 / size_of::<T>()) {
                    simd.prefetch(soon.wrapping_add(at * self.width + line));
                }
                let to = &mut self.out[at * strip + l * self.width..][..piece.len()];
                for (from, to) in piece.chunks(S::LANES).zip(to.chunks_mut(S::LANES)) {
                    if from.len() == S::LANES {
                        simd.store(simd.load(from), to);
                    } else {
                        simd.store_partial(simd.load_partial(from), to);
                    }
                }
            }
        }
    }
}

/// B\[k, n\] with rows `b_row` apart as strips of `width` columns: element (l, j) goes to
/// (j / width)·k·width + l·width + j % width.
pub(crate) fn strips<T: Real>(isa: Isa, k: usize, n: usize, b: &[T], b_row: usize, width: usize, out: &mut [T]) {
    dispatch(isa, CopyStrips { k, n, b, b_row, width, out });
}

/// The same strips from Bᵀ\[n, k\] with rows `b_row` apart.
pub(crate) fn strips_of_transpose<T: Real>(
    isa: Isa,
    k: usize,
    n: usize,
    b: &[T],
    b_row: usize,
    width: usize,
    out: &mut [T],
) {
    for (strip, j) in out.chunks_mut(k * width).zip((0..n).step_by(width)) {
        transpose(isa, (n - j).min(width), k, &b[j * b_row..], b_row, strip, width);
    }
}

/// The same strips from elements at l·row + j·column.
pub(crate) fn strips_of_any<T: Real>(
    k: usize,
    n: usize,
    b: &[T],
    [row, column]: [usize; 2],
    width: usize,
    out: &mut [T],
) {
    for (strip, j) in out.chunks_mut(k * width).zip((0..n).step_by(width)) {
        for (l, to) in strip.chunks_exact_mut(width).enumerate() {
            for (i, to) in to[..(n - j).min(width)].iter_mut().enumerate() {
                *to = b[l * row + (j + i) * column];
            }
        }
    }
}
