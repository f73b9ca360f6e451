//! One product on several threads.

use rayon::prelude::*;

use super::{Strided, check, gemm_strided};
use crate::{Isa, Real, scratch::with_scratch};

/// Multiply-adds for which one thread is woken: about 20 µs of work, several times what waking costs.
const WORTH_A_THREAD: usize = 1 << 20;
/// Rows or columns of a band are a multiple of this: whole vectors and nearly whole register tiles.
const BAND: usize = 16;

#[track_caller]
pub(crate) fn gemm_parallel<T: Real>(
    isa: Isa,
    size: [usize; 3],
    a: Strided<'_, T>,
    b: Strided<'_, T>,
    c: &mut [T],
    c_row: usize,
) {
    let [m, n, k] = size;
    check(size, a, b, c, c_row);
    let threads = rayon::current_num_threads().min(m.saturating_mul(n).saturating_mul(k) / WORTH_A_THREAD);
    if threads < 2 {
        return gemm_strided(isa, size, a, b, c, c_row);
    }
    let band = m.max(n).div_ceil(threads).next_multiple_of(BAND);
    if m >= n {
        c.par_chunks_mut(band * c_row).zip(a.bands(m, band)).for_each(|(c, (a, rows))| {
            gemm_strided(isa, [rows, n, k], a, b, c, c_row);
        });
        return;
    }
    // Columns of C do not lie together, so that bands of them are computed beside it.
    with_scratch([m * n], |[beside]| {
        beside.par_chunks_mut(m * band).zip(b.transposed().bands(n, band)).for_each(|(beside, (b, columns))| {
            gemm_strided(isa, [m, columns, k], a, b.transposed(), beside, columns);
        });
        for (beside, from) in beside.chunks(m * band).zip((0..n).step_by(band)) {
            let columns = beside.len() / m;
            for (row, beside) in c.chunks_mut(c_row).zip(beside.chunks_exact(columns)) {
                row[from..from + columns].copy_from_slice(beside);
            }
        }
    });
}

impl<'a, T: Real> Strided<'a, T> {
    /// Bands of `band` rows, the last one of fewer, with their numbers of rows.
    fn bands(self, rows: usize, band: usize) -> impl IndexedParallelIterator<Item = (Self, usize)> {
        (0..rows).into_par_iter().step_by(band).map(move |from| (self.from(from, 0), band.min(rows - from)))
    }
}
