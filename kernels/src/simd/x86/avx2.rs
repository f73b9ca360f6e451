//! Vectors of 256 bits, with fused multiply-adds.

use core::arch::x86_64::*;

use super::{
    Avx2, COLUMNS, Simd, columns,
    tile256::{mul_add_element_pd, mul_add_element_ps, mul_add_row_twice_avx2_pd, mul_add_row_twice_avx2_ps},
};

/// The first `n` of eight lanes: −1 is "in", 0 is "out".
static LANE_MASKS_32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
/// The first `n` of four lanes.
static LANE_MASKS_64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

impl Avx2 {
    #[inline(always)]
    fn mask_ps(self, n: usize) -> __m256i {
        // SAFETY: token; 8 − min(n, 8) ≤ 8 leaves eight entries of the table.
        unsafe { _mm256_loadu_si256(LANE_MASKS_32.as_ptr().add(8 - n.min(8)).cast()) }
    }
    #[inline(always)]
    fn mask_pd(self, n: usize) -> __m256i {
        // SAFETY: token; 4 − min(n, 4) ≤ 4 leaves four entries of the table.
        unsafe { _mm256_loadu_si256(LANE_MASKS_64.as_ptr().add(4 - n.min(4)).cast()) }
    }
}

x86!(
    Avx2,
    f32,
    __m256,
    8,
    16,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_mul_ps,
    _mm256_div_ps,
    _mm256_fmadd_ps,
    _mm256_fnmadd_ps,
    _mm256_max_ps,
    _mm256_min_ps,
    _mm256_sqrt_ps,
    {
        #[inline(always)]
        unsafe fn load_partial_ptr(self, x: *const f32, n: usize) -> __m256 {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm256_maskload_ps(x, self.mask_ps(n)) }
        }
        #[inline(always)]
        unsafe fn store_partial_ptr(self, v: __m256, mut out: *mut f32, n: usize) {
            if n >= 8 {
                // SAFETY: passed on.
                return unsafe { self.store_ptr(v, out) };
            }
            // Four, two and one lanes at a time: masked stores are slow on some processors.
            // SAFETY: token; n lanes are written in all.
            unsafe {
                let mut low = _mm256_castps256_ps128(v);
                if n & 4 != 0 {
                    _mm_storeu_ps(out, low);
                    (low, out) = (_mm256_extractf128_ps::<1>(v), out.add(4));
                }
                if n & 2 != 0 {
                    _mm_storel_pd(out.cast(), _mm_castps_pd(low));
                    (low, out) = (_mm_movehl_ps(low, low), out.add(2));
                }
                if n & 1 != 0 {
                    _mm_store_ss(out, low);
                }
            }
        }
        #[inline(always)]
        unsafe fn mul_add_element<const N: usize>(
            self,
            row: usize,
            at: *const f32,
            v: &[__m256; N],
            sums: &mut [__m256; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_element_ps(row, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn mul_add_row_twice<const ROW: usize>(
            self,
            rows: *const usize,
            at: [*const f32; 2],
            v: [__m256; 2],
            sum: &mut __m256,
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_twice_avx2_ps::<ROW>(rows, at, v, sum) }
        }
        #[inline(always)]
        fn abs(self, a: __m256) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
        }
        #[inline(always)]
        fn minus_abs(self, a: __m256) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_or_ps(_mm256_set1_ps(-0.0), a) }
        }
        #[inline(always)]
        fn round(self, a: __m256) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
        }
        #[inline(always)]
        fn select_gt(self, a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
        }
        #[inline(always)]
        fn exp2_int(self, n: __m256) -> __m256 {
            // SAFETY: token.
            unsafe {
                let e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(e))
            }
        }
        #[inline(always)]
        fn scale_exp2(self, x: __m256, n: __m256) -> __m256 {
            // SAFETY: token.
            unsafe {
                // Two factors, as in general, but halved as integers, and the first one, after which the product is still a
                // normal number, added to the exponent of x: four operations fewer.
                let n = _mm256_cvtps_epi32(n);
                let half = _mm256_srai_epi32::<1>(n);
                let x = _mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32::<23>(half));
                let factor = _mm256_add_epi32(_mm256_sub_epi32(n, half), _mm256_set1_epi32(127));
                _mm256_mul_ps(_mm256_castsi256_ps(x), _mm256_castsi256_ps(_mm256_slli_epi32::<23>(factor)))
            }
        }
        #[inline(always)]
        fn split_exponent(self, x: __m256) -> (__m256, __m256) {
            // SAFETY: token.
            unsafe {
                let bits = _mm256_castps_si256(x);
                let e = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
                let m = _mm256_or_si256(
                    _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff)),
                    _mm256_set1_epi32(0x3f80_0000),
                );
                (_mm256_castsi256_ps(m), _mm256_cvtepi32_ps(e))
            }
        }
        #[inline(always)]
        fn splat_integer(self, n: u32) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_castsi256_ps(_mm256_set1_epi32(n as i32)) }
        }
        #[inline(always)]
        fn lane_numbers(self) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_castsi256_ps(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)) }
        }
        #[inline(always)]
        fn add_integers(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: token.
            unsafe { _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
        }
        #[inline(always)]
        fn load_integers(self, x: &[u32]) -> __m256 {
            // SAFETY: token; a whole register can be read, or masked lanes are not touched.
            unsafe {
                if x.len() >= 8 {
                    _mm256_loadu_ps(x.as_ptr().cast())
                } else {
                    _mm256_maskload_ps(x.as_ptr().cast(), self.mask_ps(x.len()))
                }
            }
        }
        #[inline(always)]
        fn select_equal(self, a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
            // SAFETY: token.
            unsafe {
                let equal = _mm256_cmpeq_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b));
                _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(equal))
            }
        }
        #[inline(always)]
        fn store_integers(self, v: __m256, out: &mut [u32]) {
            // SAFETY: token; a whole register has room, or masked lanes are not touched.
            unsafe {
                if out.len() >= 8 {
                    _mm256_storeu_ps(out.as_mut_ptr().cast(), v);
                } else {
                    _mm256_maskstore_ps(out.as_mut_ptr().cast(), self.mask_ps(out.len()), v);
                }
            }
        }
        #[inline(always)]
        fn reduce_add(self, a: __m256) -> f32 {
            // SAFETY: token.
            unsafe {
                let h = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
                let q = _mm_add_ps(h, _mm_movehl_ps(h, h));
                _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)))
            }
        }
        #[inline(always)]
        fn store_columns(self, columns: [__m256; COLUMNS], out: &mut [f32], row: usize) {
            // SAFETY: token.
            unsafe { columns::store_ps256(columns, out, row) }
        }
        #[inline(always)]
        fn load_columns(self, x: &[f32], row: usize) -> [__m256; COLUMNS] {
            // SAFETY: token.
            unsafe { columns::load_ps256(x, row) }
        }
    }
);

x86!(
    Avx2,
    f64,
    __m256d,
    4,
    16,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_sub_pd,
    _mm256_mul_pd,
    _mm256_div_pd,
    _mm256_fmadd_pd,
    _mm256_fnmadd_pd,
    _mm256_max_pd,
    _mm256_min_pd,
    _mm256_sqrt_pd,
    {
        #[inline(always)]
        unsafe fn load_partial_ptr(self, x: *const f64, n: usize) -> __m256d {
            // SAFETY: token; masked lanes are not touched.
            unsafe { _mm256_maskload_pd(x, self.mask_pd(n)) }
        }
        #[inline(always)]
        unsafe fn store_partial_ptr(self, v: __m256d, mut out: *mut f64, n: usize) {
            if n >= 4 {
                // SAFETY: passed on.
                return unsafe { self.store_ptr(v, out) };
            }
            // SAFETY: token; n lanes are written in all.
            unsafe {
                let mut low = _mm256_castpd256_pd128(v);
                if n & 2 != 0 {
                    _mm_storeu_pd(out, low);
                    (low, out) = (_mm256_extractf128_pd::<1>(v), out.add(2));
                }
                if n & 1 != 0 {
                    _mm_store_sd(out, low);
                }
            }
        }
        #[inline(always)]
        unsafe fn mul_add_element<const N: usize>(
            self,
            row: usize,
            at: *const f64,
            v: &[__m256d; N],
            sums: &mut [__m256d; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_element_pd(row, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn mul_add_row_twice<const ROW: usize>(
            self,
            rows: *const usize,
            at: [*const f64; 2],
            v: [__m256d; 2],
            sum: &mut __m256d,
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_twice_avx2_pd::<ROW>(rows, at, v, sum) }
        }
        #[inline(always)]
        fn abs(self, a: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), a) }
        }
        #[inline(always)]
        fn minus_abs(self, a: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_or_pd(_mm256_set1_pd(-0.0), a) }
        }
        #[inline(always)]
        fn round(self, a: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
        }
        #[inline(always)]
        fn select_gt(self, a: __m256d, b: __m256d, yes: __m256d, no: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_blendv_pd(no, yes, _mm256_cmp_pd::<_CMP_GT_OQ>(a, b)) }
        }
        #[inline(always)]
        fn exp2_int(self, n: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe {
                let e = _mm256_cvtepi32_epi64(_mm256_cvtpd_epi32(n));
                let e = _mm256_add_epi64(e, _mm256_set1_epi64x(1023));
                _mm256_castsi256_pd(_mm256_slli_epi64::<52>(e))
            }
        }
        #[inline(always)]
        fn split_exponent(self, x: __m256d) -> (__m256d, __m256d) {
            // SAFETY: token.
            unsafe {
                let bits = _mm256_castpd_si256(x); /* adding 2^52 as bits turns a small integer into 2^52 + it */
                let magic = _mm256_set1_pd(4_503_599_627_370_496.0);
                let e = _mm256_or_si256(_mm256_srli_epi64::<52>(bits), _mm256_castpd_si256(magic));
                let e = _mm256_sub_pd(_mm256_sub_pd(_mm256_castsi256_pd(e), magic), _mm256_set1_pd(1023.0));
                let m = _mm256_or_si256(
                    _mm256_and_si256(bits, _mm256_set1_epi64x(0x000f_ffff_ffff_ffff)),
                    _mm256_castpd_si256(_mm256_set1_pd(1.0)),
                );
                (_mm256_castsi256_pd(m), e)
            }
        }
        #[inline(always)]
        fn splat_integer(self, n: u32) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_castsi256_pd(_mm256_set1_epi64x(n.into())) }
        }
        #[inline(always)]
        fn lane_numbers(self) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_castsi256_pd(_mm256_setr_epi64x(0, 1, 2, 3)) }
        }
        #[inline(always)]
        fn add_integers(self, a: __m256d, b: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe { _mm256_castsi256_pd(_mm256_add_epi64(_mm256_castpd_si256(a), _mm256_castpd_si256(b))) }
        }
        #[inline(always)]
        fn load_integers(self, x: &[u32]) -> __m256d {
            let mut lanes = [0_u64; 4];
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane = u64::from(*x);
            }
            // SAFETY: token; the array is as long as the register.
            unsafe { _mm256_loadu_pd(lanes.as_ptr().cast()) }
        }
        #[inline(always)]
        fn select_equal(self, a: __m256d, b: __m256d, yes: __m256d, no: __m256d) -> __m256d {
            // SAFETY: token.
            unsafe {
                let equal = _mm256_cmpeq_epi64(_mm256_castpd_si256(a), _mm256_castpd_si256(b));
                _mm256_blendv_pd(no, yes, _mm256_castsi256_pd(equal))
            }
        }
        #[inline(always)]
        fn store_integers(self, v: __m256d, out: &mut [u32]) {
            let mut lanes = [0_u64; 4];
            // SAFETY: token; the array is as long as the register.
            unsafe { _mm256_storeu_pd(lanes.as_mut_ptr().cast(), v) };
            for (out, lane) in out.iter_mut().zip(lanes) {
                *out = lane as u32;
            }
        }
        #[inline(always)]
        fn reduce_add(self, a: __m256d) -> f64 {
            // SAFETY: token.
            unsafe {
                let h = _mm_add_pd(_mm256_castpd256_pd128(a), _mm256_extractf128_pd::<1>(a));
                _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)))
            }
        }
        #[inline(always)]
        fn store_columns(self, columns: [__m256d; COLUMNS], out: &mut [f64], row: usize) {
            // SAFETY: token.
            unsafe { columns::store_pd256(columns, out, row) }
        }
        #[inline(always)]
        fn load_columns(self, x: &[f64], row: usize) -> [__m256d; COLUMNS] {
            // SAFETY: token.
            unsafe { columns::load_pd256(x, row) }
        }
    }
);
