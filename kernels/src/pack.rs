//! Copies of operands in the order in which the register tiles read them.

use crate::{
    Isa, Real,
    simd::{Kernel, Simd, dispatch, square_side},
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
        let side = square_side::<T>();
        for i in (0..self.rows).step_by(side) {
            for j in (0..self.columns).step_by(side) {
                let (height, width) = ((self.rows - i).min(side), (self.columns - j).min(side));
                let (x, out) = (&self.x[i * self.x_row + j..], &mut self.out[j * self.out_row + i..]);
                if (height, width) == (side, side) {
                    simd.transpose_square(x, self.x_row, out, self.out_row);
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

/// B\[k, n\] with rows `b_row` apart as strips of `width` columns: element (l, j) goes to
/// (j / width)·k·width + l·width + j % width.
pub(crate) fn strips<T: Real>(k: usize, n: usize, b: &[T], b_row: usize, width: usize, out: &mut [T]) {
    for (strip, j) in out.chunks_mut(k * width).zip((0..n).step_by(width)) {
        let used = (n - j).min(width);
        for (l, row) in strip.chunks_exact_mut(width).enumerate() {
            row[..used].copy_from_slice(&b[l * b_row + j..][..used]);
        }
    }
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
