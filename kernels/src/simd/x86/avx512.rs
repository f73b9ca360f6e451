//! Vectors of 512 bits.

use core::arch::x86_64::*;

use super::{
    Avx512, COLUMNS, Simd, columns,
    tile512::{
        mul_add_row_of_line_pd, mul_add_row_of_line_ps, mul_add_row_pd, mul_add_row_ps, store_halves_pd,
        store_halves_ps,
    },
};
use crate::simd::ROWS_OF_LINE;

impl Avx512 {
    #[inline(always)]
    pub(super) fn mask_ps(self, n: usize) -> __mmask16 {
        ((1u32 << n.min(16)) - 1) as __mmask16
    }
    #[inline(always)]
    pub(super) fn mask_pd(self, n: usize) -> __mmask8 {
        ((1u32 << n.min(8)) - 1) as __mmask8
    }
}

x86!(
    Avx512,
    f32,
    __m512,
    16,
    32,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_mul_ps,
    _mm512_div_ps,
    _mm512_fmadd_ps,
    _mm512_fnmadd_ps,
    _mm512_max_ps,
    _mm512_min_ps,
    _mm512_sqrt_ps,
    {
        #[inline(always)]
        unsafe fn load_partial_ptr(self, x: *const f32, n: usize) -> __m512 {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_ps(self.mask_ps(n), x) }
        }
        #[inline(always)]
        unsafe fn store_partial_ptr(self, v: __m512, out: *mut f32, n: usize) {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm512_mask_storeu_ps(out, self.mask_ps(n), v) }
        }
        #[inline(always)]
        unsafe fn mul_add_row<const ROW: usize, const N: usize>(
            self,
            rows: *const usize,
            at: *const f32,
            v: &[__m512; N],
            sums: &mut [__m512; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_ps::<ROW>(rows, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn mul_add_row_of_line<const ROW: usize, const N: usize>(
            self,
            odd_multiples: &[usize; ROWS_OF_LINE / 2],
            at: *const f32,
            v: &[__m512; N],
            sums: &mut [__m512; N],
        ) {
            // SAFETY: token; passed on.
            unsafe {
                match ROW {
                    0 => self.mul_add_element(0, at, v, sums),
                    _ => mul_add_row_of_line_ps::<ROW>(odd_multiples, at, v, sums),
                }
            }
        }
        #[inline(always)]
        unsafe fn store_tile_ptr(self, v: __m512, out: *mut f32) {
            // SAFETY: token; passed on.
            unsafe { if self.half_units { store_halves_ps(v, out) } else { self.store_ptr(v, out) } }
        }
        #[inline(always)]
        fn abs(self, a: __m512) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_abs_ps(a) }
        }
        #[inline(always)]
        fn minus_abs(self, a: __m512) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_or_ps(_mm512_set1_ps(-0.0), a) }
        }
        #[inline(always)]
        fn select_gt(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
        }
        #[inline(always)]
        fn exp2_int(self, n: __m512) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_scalef_ps(_mm512_set1_ps(1.0), n) }
        }
        #[inline(always)]
        fn scale_exp2(self, x: __m512, n: __m512) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_scalef_ps(x, n) }
        }
        #[inline(always)]
        fn split_exponent(self, x: __m512) -> (__m512, __m512) {
            // SAFETY: token.
            unsafe { (_mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(x), _mm512_getexp_ps(x)) }
        }
        #[inline(always)]
        fn splat_integer(self, n: u32) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_castsi512_ps(_mm512_set1_epi32(n as i32)) }
        }
        #[inline(always)]
        fn lane_numbers(self) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_castsi512_ps(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)) }
        }
        #[inline(always)]
        fn add_integers(self, a: __m512, b: __m512) -> __m512 {
            // SAFETY: token.
            unsafe { _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
        }
        #[inline(always)]
        fn load_integers(self, x: &[u32]) -> __m512 {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_ps(self.mask_ps(x.len()), x.as_ptr().cast()) }
        }
        #[inline(always)]
        fn select_equal(self, a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
            // SAFETY: token.
            unsafe {
                let equal = _mm512_cmpeq_epi32_mask(_mm512_castps_si512(a), _mm512_castps_si512(b));
                _mm512_mask_blend_ps(equal, no, yes)
            }
        }
        #[inline(always)]
        fn store_integers(self, v: __m512, out: &mut [u32]) {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr().cast(), self.mask_ps(out.len()), v) }
        }
        #[inline(always)]
        fn reduce_add(self, a: __m512) -> f32 {
            // SAFETY: token; AVX-512 implies AVX2.
            unsafe {
                let low = _mm512_castps512_ps256(a);
                let high = _mm512_extractf32x8_ps::<1>(a);
                Simd::<f32>::reduce_add(self.avx2(), _mm256_add_ps(low, high))
            }
        }
        #[inline(always)]
        fn store_columns(self, columns: [__m512; COLUMNS], out: &mut [f32], row: usize) {
            // SAFETY: token.
            unsafe { columns::store_ps512(columns, out, row) }
        }
        #[inline(always)]
        fn load_columns(self, x: &[f32], row: usize) -> [__m512; COLUMNS] {
            // SAFETY: token.
            unsafe { columns::load_ps512(x, row) }
        }
    }
);

x86!(
    Avx512,
    f64,
    __m512d,
    8,
    32,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_sub_pd,
    _mm512_mul_pd,
    _mm512_div_pd,
    _mm512_fmadd_pd,
    _mm512_fnmadd_pd,
    _mm512_max_pd,
    _mm512_min_pd,
    _mm512_sqrt_pd,
    {
        #[inline(always)]
        unsafe fn load_partial_ptr(self, x: *const f64, n: usize) -> __m512d {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm512_maskz_loadu_pd(self.mask_pd(n), x) }
        }
        #[inline(always)]
        unsafe fn store_partial_ptr(self, v: __m512d, out: *mut f64, n: usize) {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm512_mask_storeu_pd(out, self.mask_pd(n), v) }
        }
        #[inline(always)]
        unsafe fn mul_add_row<const ROW: usize, const N: usize>(
            self,
            rows: *const usize,
            at: *const f64,
            v: &[__m512d; N],
            sums: &mut [__m512d; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_pd::<ROW>(rows, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn mul_add_row_of_line<const ROW: usize, const N: usize>(
            self,
            odd_multiples: &[usize; ROWS_OF_LINE / 2],
            at: *const f64,
            v: &[__m512d; N],
            sums: &mut [__m512d; N],
        ) {
            // SAFETY: token; passed on.
            unsafe {
                match ROW {
                    0 => self.mul_add_element(0, at, v, sums),
                    _ => mul_add_row_of_line_pd::<ROW>(odd_multiples, at, v, sums),
                }
            }
        }
        #[inline(always)]
        unsafe fn store_tile_ptr(self, v: __m512d, out: *mut f64) {
            // SAFETY: token; passed on.
            unsafe { if self.half_units { store_halves_pd(v, out) } else { self.store_ptr(v, out) } }
        }
        #[inline(always)]
        fn abs(self, a: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_abs_pd(a) }
        }
        #[inline(always)]
        fn minus_abs(self, a: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_or_pd(_mm512_set1_pd(-0.0), a) }
        }
        #[inline(always)]
        fn select_gt(self, a: __m512d, b: __m512d, yes: __m512d, no: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_mask_blend_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(a, b), no, yes) }
        }
        #[inline(always)]
        fn exp2_int(self, n: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_scalef_pd(_mm512_set1_pd(1.0), n) }
        }
        #[inline(always)]
        fn scale_exp2(self, x: __m512d, n: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_scalef_pd(x, n) }
        }
        #[inline(always)]
        fn split_exponent(self, x: __m512d) -> (__m512d, __m512d) {
            // SAFETY: token.
            unsafe { (_mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(x), _mm512_getexp_pd(x)) }
        }
        #[inline(always)]
        fn splat_integer(self, n: u32) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_castsi512_pd(_mm512_set1_epi64(n.into())) }
        }
        #[inline(always)]
        fn lane_numbers(self) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_castsi512_pd(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)) }
        }
        #[inline(always)]
        fn add_integers(self, a: __m512d, b: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe { _mm512_castsi512_pd(_mm512_add_epi64(_mm512_castpd_si512(a), _mm512_castpd_si512(b))) }
        }
        #[inline(always)]
        fn load_integers(self, x: &[u32]) -> __m512d {
            // SAFETY: token; masked lanes are not touched.
            unsafe {
                let narrow = _mm256_maskz_loadu_epi32(self.mask_pd(x.len()), x.as_ptr().cast());
                _mm512_castsi512_pd(_mm512_cvtepu32_epi64(narrow))
            }
        }
        #[inline(always)]
        fn select_equal(self, a: __m512d, b: __m512d, yes: __m512d, no: __m512d) -> __m512d {
            // SAFETY: token.
            unsafe {
                let equal = _mm512_cmpeq_epi64_mask(_mm512_castpd_si512(a), _mm512_castpd_si512(b));
                _mm512_mask_blend_pd(equal, no, yes)
            }
        }
        #[inline(always)]
        fn store_integers(self, v: __m512d, out: &mut [u32]) {
            // SAFETY: token; masked lanes are not touched.
            unsafe {
                let low = _mm512_cvtepi64_epi32(_mm512_castpd_si512(v));
                _mm256_mask_storeu_epi32(out.as_mut_ptr().cast(), self.mask_pd(out.len()), low);
            }
        }
        #[inline(always)]
        fn reduce_add(self, a: __m512d) -> f64 {
            // SAFETY: token; AVX-512 implies AVX2.
            unsafe {
                let low = _mm512_castpd512_pd256(a);
                let high = _mm512_extractf64x4_pd::<1>(a);
                Simd::<f64>::reduce_add(self.avx2(), _mm256_add_pd(low, high))
            }
        }
        #[inline(always)]
        fn store_columns(self, columns: [__m512d; COLUMNS], out: &mut [f64], row: usize) {
            // SAFETY: token.
            unsafe { columns::store_pd512(columns, out, row) }
        }
        #[inline(always)]
        fn load_columns(self, x: &[f64], row: usize) -> [__m512d; COLUMNS] {
            // SAFETY: token.
            unsafe { columns::load_pd512(x, row) }
        }
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    /// A processor takes one of the two ways only.
    #[test]
    fn tiles_are_stored_alike_in_whole_registers_and_in_halves() {
        let Some(_) = Avx512::detect() else { return println!("skipped: this processor has no AVX-512") };
        let x: [f32; 16] = core::array::from_fn(|i| i as f32);
        for half_units in [false, true] {
            let (token, mut single, mut double) = (Avx512 { half_units }, [0.0; 16], [0.0; 8]);
            // SAFETY: both arrays have room for a register.
            unsafe {
                token.store_tile_ptr(token.load(&x), single.as_mut_ptr());
                token.store_tile_ptr(token.load(&x.map(f64::from)), double.as_mut_ptr());
            }
            assert_eq!((single, double.map(|x| x as f32).as_slice()), (x, &x[..8]));
        }
    }
}
