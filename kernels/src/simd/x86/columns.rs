//! Columns of matrices whose rows lie along memory: transposed in registers on the way from memory, and on the way back.
//!
//! Loading 16 bytes of each row into its half or quarter of a register is half of a transposition, and costs less than
//! shuffles; two rounds of shuffles within 16 bytes (one for `f64`) are the rest.

use core::arch::x86_64::*;

use super::COLUMNS;

/// Sixteen bytes at each of two places `step` elements behind each other, to and from halves of a register.
macro_rules! halves {
    ($load:ident, $store:ident, $t:ty, $v:ty, $loadu:ident, $storeu:ident, $cast:ident, $low:ident, $insert:ident, $extract:ident) => {
        /// # Safety
        /// AVX2 is there, and both can be read.
        #[inline(always)]
        unsafe fn $load(x: *const $t, step: usize) -> $v {
            // SAFETY: the caller's promise.
            unsafe { $insert::<1>($cast($loadu(x)), $loadu(x.add(step))) }
        }
        /// # Safety
        /// AVX2 is there, and both can be written.
        #[inline(always)]
        unsafe fn $store(v: $v, out: *mut $t, step: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                $storeu(out, $low(v));
                $storeu(out.add(step), $extract::<1>(v));
            }
        }
    };
}
halves!(
    rows_ps256,
    put_rows_ps256,
    f32,
    __m256,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm256_castps128_ps256,
    _mm256_castps256_ps128,
    _mm256_insertf128_ps,
    _mm256_extractf128_ps
);
halves!(
    rows_pd256,
    put_rows_pd256,
    f64,
    __m256d,
    _mm_loadu_pd,
    _mm_storeu_pd,
    _mm256_castpd128_pd256,
    _mm256_castpd256_pd128,
    _mm256_insertf128_pd,
    _mm256_extractf128_pd
);

/// The same for four places and quarters of a register.
macro_rules! quarters {
    ($load:ident, $store:ident, $t:ty, $v:ty, $loadu:ident, $storeu:ident, $cast:ident, $insert:ident, $extract:ident) => {
        /// # Safety
        /// AVX-512 is there, and all four can be read.
        #[inline(always)]
        unsafe fn $load(x: *const $t, step: usize) -> $v {
            // SAFETY: the caller's promise.
            unsafe {
                let v = $insert::<1>($cast($loadu(x)), $loadu(x.add(step)));
                let v = $insert::<2>(v, $loadu(x.add(2 * step)));
                $insert::<3>(v, $loadu(x.add(3 * step)))
            }
        }
        /// # Safety
        /// AVX-512 is there, and all four can be written.
        #[inline(always)]
        unsafe fn $store(v: $v, out: *mut $t, step: usize) {
            // SAFETY: the caller's promise.
            unsafe {
                $storeu(out, $extract::<0>(v));
                $storeu(out.add(step), $extract::<1>(v));
                $storeu(out.add(2 * step), $extract::<2>(v));
                $storeu(out.add(3 * step), $extract::<3>(v));
            }
        }
    };
}
quarters!(
    rows_ps512,
    put_rows_ps512,
    f32,
    __m512,
    _mm_loadu_ps,
    _mm_storeu_ps,
    _mm512_castps128_ps512,
    _mm512_insertf32x4,
    _mm512_extractf32x4_ps
);
quarters!(
    rows_pd512,
    put_rows_pd512,
    f64,
    __m512d,
    _mm_loadu_pd,
    _mm_storeu_pd,
    _mm512_castpd128_pd512,
    _mm512_insertf64x2,
    _mm512_extractf64x2_pd
);

/// Four columns of `f32`: registers of the rows 0, 4, …, of 1, 5, …, and so on, transposed in each 16 bytes.
macro_rules! single {
    ($load:ident, $store:ident, $v:ty, $lanes:literal, $rows:ident, $put:ident, $low:ident, $high:ident, $shuffle:ident) => {
        /// [`Simd::load_columns`](super::Simd::load_columns).
        ///
        /// # Safety
        /// The instruction set is there.
        #[inline(always)]
        pub(super) unsafe fn $load(x: &[f32], row: usize) -> [$v; COLUMNS] {
            let x = &x[..($lanes - 1) * row + COLUMNS];
            // SAFETY: there are as many rows as lanes, and all four elements of each are inside.
            unsafe {
                let (x, far) = (x.as_ptr(), 4 * row);
                let (r0, r1) = ($rows(x, far), $rows(x.add(row), far));
                let (r2, r3) = ($rows(x.add(2 * row), far), $rows(x.add(3 * row), far));
                let (a, b, c, d) = ($low(r0, r1), $low(r2, r3), $high(r0, r1), $high(r2, r3));
                [$shuffle::<0x44>(a, b), $shuffle::<0xee>(a, b), $shuffle::<0x44>(c, d), $shuffle::<0xee>(c, d)]
            }
        }
        /// [`Simd::store_columns`](super::Simd::store_columns).
        ///
        /// # Safety
        /// The instruction set is there.
        #[inline(always)]
        pub(super) unsafe fn $store([v0, v1, v2, v3]: [$v; COLUMNS], out: &mut [f32], row: usize) {
            let out = &mut out[..($lanes - 1) * row + COLUMNS];
            // SAFETY: there are as many rows as lanes, and all four elements of each are inside.
            unsafe {
                let (out, far) = (out.as_mut_ptr(), 4 * row);
                let (a, b, c, d) = ($low(v0, v1), $low(v2, v3), $high(v0, v1), $high(v2, v3));
                $put($shuffle::<0x44>(a, b), out, far);
                $put($shuffle::<0xee>(a, b), out.add(row), far);
                $put($shuffle::<0x44>(c, d), out.add(2 * row), far);
                $put($shuffle::<0xee>(c, d), out.add(3 * row), far);
            }
        }
    };
}
single!(
    load_ps256,
    store_ps256,
    __m256,
    8,
    rows_ps256,
    put_rows_ps256,
    _mm256_unpacklo_ps,
    _mm256_unpackhi_ps,
    _mm256_shuffle_ps
);
single!(
    load_ps512,
    store_ps512,
    __m512,
    16,
    rows_ps512,
    put_rows_ps512,
    _mm512_unpacklo_ps,
    _mm512_unpackhi_ps,
    _mm512_shuffle_ps
);

/// Four columns of `f64`, two in each 16 bytes: registers of the even rows and of the odd ones.
macro_rules! double {
    ($load:ident, $store:ident, $v:ty, $lanes:literal, $rows:ident, $put:ident, $low:ident, $high:ident) => {
        /// [`Simd::load_columns`](super::Simd::load_columns).
        ///
        /// # Safety
        /// The instruction set is there.
        #[inline(always)]
        pub(super) unsafe fn $load(x: &[f64], row: usize) -> [$v; COLUMNS] {
            let x = &x[..($lanes - 1) * row + COLUMNS];
            // SAFETY: there are as many rows as lanes, and all four elements of each are inside.
            unsafe {
                let (x, next, far) = (x.as_ptr(), x.as_ptr().add(row), 2 * row);
                let (r0, r1) = ($rows(x, far), $rows(next, far));
                let (r2, r3) = ($rows(x.add(2), far), $rows(next.add(2), far));
                [$low(r0, r1), $high(r0, r1), $low(r2, r3), $high(r2, r3)]
            }
        }
        /// [`Simd::store_columns`](super::Simd::store_columns).
        ///
        /// # Safety
        /// The instruction set is there.
        #[inline(always)]
        pub(super) unsafe fn $store([v0, v1, v2, v3]: [$v; COLUMNS], out: &mut [f64], row: usize) {
            let out = &mut out[..($lanes - 1) * row + COLUMNS];
            // SAFETY: there are as many rows as lanes, and all four elements of each are inside.
            unsafe {
                let (out, next, far) = (out.as_mut_ptr(), out.as_mut_ptr().add(row), 2 * row);
                $put($low(v0, v1), out, far);
                $put($high(v0, v1), next, far);
                $put($low(v2, v3), out.add(2), far);
                $put($high(v2, v3), next.add(2), far);
            }
        }
    };
}
double!(load_pd256, store_pd256, __m256d, 4, rows_pd256, put_rows_pd256, _mm256_unpacklo_pd, _mm256_unpackhi_pd);
double!(load_pd512, store_pd512, __m512d, 8, rows_pd512, put_rows_pd512, _mm512_unpacklo_pd, _mm512_unpackhi_pd);
