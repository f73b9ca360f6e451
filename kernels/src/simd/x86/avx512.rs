//! Vectors of 512 bits.

use core::arch::x86_64::*;

use super::{Avx512, COLUMNS, Simd, columns};
use crate::simd::odd_part;

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

macro_rules! mul_add_row {
    ($name:ident, $t:ty, $v:ty, $x:literal, $to_all:literal, $broadcast:literal, $fma:literal) => {
        /// See [`Simd::mul_add_row`]: one load of the element, into all lanes, serves both multiply-adds. A multiply-add that
        /// loads and broadcasts is one instruction less, but processors with whole units of 512 bits begin two of them in
        /// a cycle and no more than two such loads: two for each row, beside the offset, leave a quarter of the units
        /// idle (Zen 5). For a single vector it is the better one. The offset comes straight from the table: a compiler
        /// keeps addresses in registers, for which it must store others, and such stores wait behind those of the tile
        /// before, and everything with them.
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn $name<const ROW: usize>(rows: *const usize, at: *const $t, v: &[$v], sums: &mut [$v]) {
            // SAFETY: the caller promises that the table has this row and that its element can be read.
            unsafe {
                match (v, sums) {
                    (&[v0, v1], [s0, s1]) => {
                        // Its type is that of the whole register.
                        let _element: $v;
                        core::arch::asm!(
                            "mov {x}, qword ptr [{rows} + {row}]",
                            concat!($broadcast, " {element}, ", $x),
                            concat!($fma, " {s0}, {v0}, {element}"),
                            concat!($fma, " {s1}, {v1}, {element}"),
                            rows = in(reg) rows, row = const ROW * 8, at = in(reg) at, x = out(reg) _,
                            element = out(zmm_reg) _element,
                            v0 = in(zmm_reg) v0, v1 = in(zmm_reg) v1, s0 = inout(zmm_reg) *s0, s1 = inout(zmm_reg) *s1,
                            options(pure, readonly, nostack, preserves_flags)
                        )
                    }
                    (&[v0], [s0]) => core::arch::asm!(
                        "mov {x}, qword ptr [{rows} + {row}]",
                        concat!($fma, " {s0}, {v0}, ", $x, $to_all),
                        rows = in(reg) rows, row = const ROW * 8, at = in(reg) at, x = out(reg) _,
                        v0 = in(zmm_reg) v0, s0 = inout(zmm_reg) *s0,
                        options(pure, readonly, nostack, preserves_flags)
                    ),
                    _ => unreachable!("a tile is one or two vectors wide"),
                }
            }
        }
    };
}
macro_rules! mul_add_row_of_line {
    ($name:ident, $t:ty, $v:ty, $pointer:literal, $broadcast:literal, $fma:literal) => {
        /// See [`Simd::mul_add_row_of_line`], for a row that is not the first: as above, and nothing is looked up.
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn $name<const ROW: usize>(odd_multiples: &[usize; 7], at: *const $t, v: &[$v], sums: &mut [$v]) {
            let (&[v0, v1], [s0, s1]) = (v, sums) else { unreachable!("a tile of one vector looks its rows up") };
            // Its type is that of the whole register.
            let _element: $v;
            // SAFETY: the caller promises that the element can be read.
            unsafe {
                core::arch::asm!(
                    concat!($broadcast, " {element}, ", $pointer, " ptr [{at} + {times}*{odd}]"),
                    concat!($fma, " {s0}, {v0}, {element}"),
                    concat!($fma, " {s1}, {v1}, {element}"),
                    at = in(reg) at, odd = in(reg) odd_multiples[odd_part(ROW) / 2], times = const ROW / odd_part(ROW),
                    element = out(zmm_reg) _element,
                    v0 = in(zmm_reg) v0, v1 = in(zmm_reg) v1, s0 = inout(zmm_reg) *s0, s1 = inout(zmm_reg) *s1,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
        }
    };
}
mul_add_row_of_line!(mul_add_row_of_line_ps, f32, __m512, "dword", "vbroadcastss", "vfmadd231ps");
mul_add_row_of_line!(mul_add_row_of_line_pd, f64, __m512d, "qword", "vbroadcastsd", "vfmadd231pd");

mul_add_row!(mul_add_row_ps, f32, __m512, "dword ptr [{at} + 4*{x}]", "{{1to16}}", "vbroadcastss", "vfmadd231ps");
mul_add_row!(mul_add_row_pd, f64, __m512d, "qword ptr [{at} + 8*{x}]", "{{1to8}}", "vbroadcastsd", "vfmadd231pd");

/// Stores a register as two halves. With units of half a register, whole stores that stand close together hold up
/// multiply-adds behind them (Zen 4: up to 17 cycles a tile); with whole units it is the halves that cost (Zen 5: 10 cycles).
/// In assembly, because a compiler would make one of the two.
macro_rules! store_halves {
    ($name:ident, $t:ty, $v:ty) => {
        /// # Safety
        /// A whole register can be written at `out`.
        #[inline]
        #[target_feature(enable = "avx512f,avx512vl")]
        unsafe fn $name(v: $v, out: *mut $t) {
            // SAFETY: the caller promises 64 bytes.
            unsafe {
                core::arch::asm!(
                    "vextractf64x4 [{out}], {v}, 0",
                    "vextractf64x4 [{out} + 32], {v}, 1",
                    out = in(reg) out, v = in(zmm_reg) v,
                    options(nostack, preserves_flags)
                );
            }
        }
    };
}
store_halves!(store_halves_ps, f32, __m512);
store_halves!(store_halves_pd, f64, __m512d);

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
            odd_multiples: &[usize; 7],
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
            odd_multiples: &[usize; 7],
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
