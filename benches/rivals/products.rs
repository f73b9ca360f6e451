//! Other people's matrix products behind one face. The crates take raw pointers, and the C library is
//! loaded at run time, so this is the one file outside the kernels with `unsafe` in it.

use maml_kernels::Layout;

/// C = op(A) op(B), row-major, by the sizes (m, n, k).
pub(crate) type Gemm = Box<dyn Fn(Layout, [usize; 3], &[f32], &[f32], &mut [f32])>;

/// Every rival that is there: the crates `gemm` and `matrixmultiply`, and with the feature `rivals` the crate
/// `faer` and OpenBLAS, if the system has it.
pub(crate) fn rivals() -> Vec<(String, Gemm)> {
    let crates: [(String, Gemm); 2] =
        [("gemm".into(), Box::new(gemm_crate)), ("matrixmultiply".into(), Box::new(matrixmultiply_crate))];
    crates.into_iter().chain(optional_rivals()).collect()
}

#[cfg(not(feature = "rivals"))]
fn optional_rivals() -> Vec<(String, Gemm)> {
    vec![]
}

#[cfg(feature = "rivals")]
fn optional_rivals() -> Vec<(String, Gemm)> {
    let mut all: Vec<(String, Gemm)> = vec![("faer".into(), Box::new(faer_crate))];
    match openblas::load() {
        Ok(product) => all.push(("OpenBLAS".into(), product)),
        Err(why) => eprintln!("OpenBLAS is left out: {why} (Debian has it as libopenblas-pthread-dev)"),
    }
    all
}

/// Strides (of a row, of a column) of op(A) and op(B).
fn strides(layout: Layout, size: [usize; 3]) -> [[isize; 2]; 2] {
    layout.views::<f32>(size, &[], &[]).map(|view| [view.row as isize, view.column as isize])
}

fn check([m, n, k]: [usize; 3], a: &[f32], b: &[f32], c: &[f32]) {
    assert_eq!((a.len(), b.len(), c.len()), (m * k, k * n, m * n), "lengths of a, b, c");
}

fn gemm_crate(layout: Layout, size: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    check(size, a, b, c);
    let ([m, n, k], [[ra, ca], [rb, cb]]) = (size, strides(layout, size));
    // SAFETY: the strides stay inside slices of these lengths.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr(),
            ca,
            ra,
            b.as_ptr(),
            cb,
            rb,
            0.0f32,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

fn matrixmultiply_crate(layout: Layout, size: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    check(size, a, b, c);
    let ([m, n, k], [[ra, ca], [rb, cb]]) = (size, strides(layout, size));
    // SAFETY: the strides stay inside slices of these lengths.
    unsafe {
        matrixmultiply::sgemm(m, k, n, 1.0, a.as_ptr(), ra, ca, b.as_ptr(), rb, cb, 0.0, c.as_mut_ptr(), n as isize, 1);
    }
}

#[cfg(feature = "rivals")]
fn faer_crate(layout: Layout, size: [usize; 3], a: &[f32], b: &[f32], c: &mut [f32]) {
    use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
    let [m, n, k] = size;
    let (rows_a, rows_b) = (if layout == Layout::TN { k } else { m }, if layout == Layout::NT { n } else { k });
    let a = MatRef::from_row_major_slice(a, rows_a, m * k / rows_a);
    let b = MatRef::from_row_major_slice(b, rows_b, k * n / rows_b);
    let a = if layout == Layout::TN { a.transpose() } else { a };
    let b = if layout == Layout::NT { b.transpose() } else { b };
    matmul(MatMut::from_row_major_slice_mut(c, m, n), Accum::Replace, a, b, 1.0, Par::Seq);
}

#[cfg(feature = "rivals")]
mod openblas {
    use super::{Gemm, check};
    use maml_kernels::Layout;

    type Sgemm =
        unsafe extern "C" fn(i32, i32, i32, i32, i32, i32, f32, *const f32, i32, *const f32, i32, f32, *mut f32, i32);

    /// OpenBLAS with one thread.
    pub(super) fn load() -> Result<Gemm, libloading::Error> {
        // SAFETY: the library's names and signatures are those of CBLAS. It is never unloaded.
        let (sgemm, threads) = unsafe {
            let library = Box::leak(Box::new(libloading::Library::new("libopenblas.so.0")?));
            let threads = library.get::<unsafe extern "C" fn(i32)>(b"openblas_set_num_threads")?;
            (*library.get::<Sgemm>(b"cblas_sgemm")?, *threads)
        };
        // SAFETY: as above.
        unsafe { threads(1) };
        Ok(Box::new(move |layout, size, a, b, c| {
            check(size, a, b, c);
            const ROW_MAJOR: i32 = 101;
            let transposed = |yes| if yes { 112 } else { 111 };
            let ([m, n, k], (ta, tb)) = (size.map(|x| x as i32), (layout == Layout::TN, layout == Layout::NT));
            let (lda, ldb) = (if ta { m } else { k }, if tb { k } else { n });
            let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
            // SAFETY: the slices have the lengths of their matrices.
            unsafe { sgemm(ROW_MAJOR, transposed(ta), transposed(tb), m, n, k, 1.0, a, lda, b, ldb, 0.0, c, n) }
        }))
    }
}
