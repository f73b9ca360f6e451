//! AVX-512 and AVX2 + FMA vectors.
//!
//! Safety of every block below: an intrinsic needs its instruction set, and a method needs a token,
//! which only [`Avx512::detect`] and [`Avx2::detect`] make. Slices are checked before their pointers
//! are read.

use core::arch::x86_64::*;

use super::{Kernel, Real, Simd};

/// AVX-512 F, VL, DQ, BW (and with them AVX2 and FMA) are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512(());

/// AVX2 and FMA are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx2(());

/// What [`Avx512`] is, on registers of half the length: as fast where no more of them is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512Narrow(Avx512);

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        let all = Avx2::detect().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw");
        all.then_some(Self(()))
    }

    /// AVX2 is part of what was detected.
    fn avx2(self) -> Avx2 {
        Avx2(())
    }

    pub(crate) fn narrow(self) -> Avx512Narrow {
        Avx512Narrow(self)
    }
}

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

/// For the tokens that prove AVX-512.
pub(super) trait HasAvx512 {}
impl HasAvx512 for Avx512 {}
impl HasAvx512 for Avx512Narrow {}

pub(super) fn run_avx512<T: Real, S: Simd<T> + HasAvx512, K: Kernel<T>>(token: S, kernel: K) -> K::Out {
    #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
    fn compiled<T: Real, S: Simd<T>, K: Kernel<T>>(simd: S, kernel: K) -> K::Out {
        kernel.run(simd)
    }
    // SAFETY: the token proves the instruction set.
    unsafe { compiled::<T, S, K>(token, kernel) }
}

pub(super) fn run_avx2<T: Real, K: Kernel<T>>(token: Avx2, kernel: K) -> K::Out
where
    Avx2: Simd<T>,
{
    #[target_feature(enable = "avx2,fma")]
    fn compiled<T: Real, S: Simd<T>, K: Kernel<T>>(simd: S, kernel: K) -> K::Out {
        kernel.run(simd)
    }
    // SAFETY: the token proves the instruction set.
    unsafe { compiled::<T, Avx2, K>(token, kernel) }
}

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

impl Avx512 {
    #[inline(always)]
    fn mask_ps(self, n: usize) -> __mmask16 {
        ((1u32 << n.min(16)) - 1) as __mmask16
    }
    #[inline(always)]
    fn mask_pd(self, n: usize) -> __mmask8 {
        ((1u32 << n.min(8)) - 1) as __mmask8
    }
}

macro_rules! mul_add_row {
    ($name:ident, $t:ty, $v:ty, $x:literal, $fma:literal) => {
        /// See [`Simd::mul_add_row`]: one instruction for load, broadcast and multiply-add, and the address of the
        /// row straight from the table. A compiler makes two of the former, so that the window in which the processor
        /// looks ahead holds fewer steps, and keeps addresses in registers, for which it must store others:
        /// such stores wait behind those of the tile before, and everything with them.
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx512f")]
        unsafe fn $name<const ROW: usize>(rows: *const *const $t, at: usize, v: &[$v], sums: &mut [$v]) {
            // SAFETY: the caller promises that the table has this row and that its element can be read.
            unsafe {
                match (v, sums) {
                    (&[v0, v1], [s0, s1]) => core::arch::asm!(
                        "mov {x}, qword ptr [{rows} + {row}]",
                        concat!($fma, " {s0}, {v0}, ", $x),
                        concat!($fma, " {s1}, {v1}, ", $x),
                        rows = in(reg) rows, row = const ROW * 8, at = in(reg) at, x = out(reg) _,
                        v0 = in(zmm_reg) v0, v1 = in(zmm_reg) v1, s0 = inout(zmm_reg) *s0, s1 = inout(zmm_reg) *s1,
                        options(pure, readonly, nostack, preserves_flags)
                    ),
                    (&[v0], [s0]) => core::arch::asm!(
                        "mov {x}, qword ptr [{rows} + {row}]",
                        concat!($fma, " {s0}, {v0}, ", $x),
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
mul_add_row!(mul_add_row_ps, f32, __m512, "dword ptr [{x} + 4*{at}]{{1to16}}", "vfmadd231ps");
mul_add_row!(mul_add_row_pd, f64, __m512d, "qword ptr [{x} + 8*{at}]{{1to8}}", "vfmadd231pd");

macro_rules! mul_add_row_avx2 {
    ($name:ident, $pair:ident, $t:ty, $v:ty, $broadcast:literal, $fma:literal) => {
        /// The same with an instruction for the broadcast.
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $name<const ROW: usize>(rows: *const *const $t, at: usize, v: &[$v], sums: &mut [$v]) {
            // SAFETY: the caller promises that the table has this row and that its element can be read.
            unsafe {
                match (v, sums) {
                    (&[v0, v1], [s0, s1]) => core::arch::asm!(
                        "mov {x}, qword ptr [{rows} + {row}]",
                        concat!($broadcast, "{at}]"),
                        concat!($fma, " {s0}, {v0}, {t}"),
                        concat!($fma, " {s1}, {v1}, {t}"),
                        rows = in(reg) rows, row = const ROW * 8, at = in(reg) at, x = out(reg) _,
                        v0 = in(ymm_reg) v0, v1 = in(ymm_reg) v1, t = out(ymm_reg) _,
                        s0 = inout(ymm_reg) *s0, s1 = inout(ymm_reg) *s1,
                        options(pure, readonly, nostack, preserves_flags)
                    ),
                    (&[v0], [s0]) => core::arch::asm!(
                        "mov {x}, qword ptr [{rows} + {row}]",
                        concat!($broadcast, "{at}]"),
                        concat!($fma, " {s0}, {v0}, {t}"),
                        rows = in(reg) rows, row = const ROW * 8, at = in(reg) at, x = out(reg) _,
                        v0 = in(ymm_reg) v0, t = out(ymm_reg) _, s0 = inout(ymm_reg) *s0,
                        options(pure, readonly, nostack, preserves_flags)
                    ),
                    _ => unreachable!("a tile is one or two vectors wide"),
                }
            }
        }

        /// See [`Simd::mul_add_row_twice`].
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn $pair<const ROW: usize>(rows: *const *const $t, at: [usize; 2], v: [$v; 2], sum: &mut $v) {
            // SAFETY: the caller promises that the table has this row and that its elements can be read.
            unsafe {
                core::arch::asm!(
                    "mov {x}, qword ptr [{rows} + {row}]",
                    concat!($broadcast, "{at}]"),
                    concat!($fma, " {s}, {v0}, {t}"),
                    concat!($broadcast, "{at1}]"),
                    concat!($fma, " {s}, {v1}, {t}"),
                    rows = in(reg) rows, row = const ROW * 8, at = in(reg) at[0], at1 = in(reg) at[1], x = out(reg) _,
                    v0 = in(ymm_reg) v[0], v1 = in(ymm_reg) v[1], t = out(ymm_reg) _, s = inout(ymm_reg) *sum,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
        }
    };
}
mul_add_row_avx2!(
    mul_add_row_avx2_ps,
    mul_add_row_twice_avx2_ps,
    f32,
    __m256,
    "vbroadcastss {t}, dword ptr [{x} + 4*",
    "vfmadd231ps"
);
mul_add_row_avx2!(
    mul_add_row_avx2_pd,
    mul_add_row_twice_avx2_pd,
    f64,
    __m256d,
    "vbroadcastsd {t}, qword ptr [{x} + 8*",
    "vfmadd231pd"
);

/// Stores a register as two halves. Stores of whole registers that stand close together hold up multiply-adds
/// behind them, those of halves do not. In assembly, because a compiler would make one of the two.
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

/// The operations whose intrinsics differ in name only; `$rest` holds the others.
macro_rules! x86 {
    ($token:ty, $t:ty, $v:ty, $lanes:literal, $registers:literal,
     $set1:ident, $loadu:ident, $storeu:ident, $add:ident, $sub:ident, $mul:ident, $div:ident,
     $fmadd:ident, $fnmadd:ident, $max:ident, $min:ident, $sqrt:ident, { $($rest:tt)* }) => {
        impl Simd<$t> for $token {
            type V = $v;
            const LANES: usize = $lanes;
            const REGISTERS: usize = $registers;

            #[inline(always)]
            fn splat(self, x: $t) -> $v {
                // SAFETY: token.
                unsafe { $set1(x) }
            }
            #[inline(always)]
            fn load(self, x: &[$t]) -> $v {
                let x = &x[..$lanes];
                // SAFETY: token; the slice has LANES elements.
                unsafe { $loadu(x.as_ptr()) }
            }
            #[inline(always)]
            fn load_partial(self, x: &[$t]) -> $v {
                // SAFETY: token; the slice has that many elements.
                unsafe { self.load_partial_ptr(x.as_ptr(), x.len()) }
            }
            #[inline(always)]
            fn store(self, v: $v, out: &mut [$t]) {
                let out = &mut out[..$lanes];
                // SAFETY: token; the slice has LANES elements.
                unsafe { $storeu(out.as_mut_ptr(), v) }
            }
            #[inline(always)]
            fn store_partial(self, v: $v, out: &mut [$t]) {
                // SAFETY: token; the slice has that many elements.
                unsafe { self.store_partial_ptr(v, out.as_mut_ptr(), out.len()) }
            }
            #[inline(always)]
            unsafe fn load_ptr(self, x: *const $t) -> $v {
                // SAFETY: token; the caller promises LANES readable elements.
                unsafe { $loadu(x) }
            }
            #[inline(always)]
            unsafe fn store_ptr(self, v: $v, out: *mut $t) {
                // SAFETY: token; the caller promises LANES writable elements.
                unsafe { $storeu(out, v) }
            }
            #[inline(always)]
            fn prefetch(self, at: *const $t) {
                // SAFETY: a hint that touches no memory.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(at.cast()) }
            }
            #[inline(always)]
            fn add(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $add(a, b) }
            }
            #[inline(always)]
            fn sub(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $sub(a, b) }
            }
            #[inline(always)]
            fn mul(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            fn div(self, a: $v, b: $v) -> $v {
                // SAFETY: token.
                unsafe { $div(a, b) }
            }
            #[inline(always)]
            fn mul_add(self, a: $v, b: $v, c: $v) -> $v {
                // SAFETY: token.
                unsafe { $fmadd(a, b, c) }
            }
            #[inline(always)]
            fn neg_mul_add(self, a: $v, b: $v, c: $v) -> $v {
                // SAFETY: token.
                unsafe { $fnmadd(a, b, c) }
            }
            #[inline(always)]
            fn max(self, a: $v, b: $v) -> $v {
                // SAFETY: token. The instruction returns its second operand when either is NaN.
                unsafe { $max(a, b) }
            }
            #[inline(always)]
            fn min(self, a: $v, b: $v) -> $v {
                // SAFETY: token. The instruction returns its second operand when either is NaN.
                unsafe { $min(a, b) }
            }
            #[inline(always)]
            fn sqrt(self, a: $v) -> $v {
                // SAFETY: token.
                unsafe { $sqrt(a) }
            }
            $($rest)*
        }
    };
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
            rows: *const *const f32,
            at: usize,
            v: &[__m512; N],
            sums: &mut [__m512; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_ps::<ROW>(rows, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn store_halves_ptr(self, v: __m512, out: *mut f32) {
            // SAFETY: token; passed on.
            unsafe { store_halves_ps(v, out) }
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
        fn transpose_square(self, x: &[f32], x_row: usize, out: &mut [f32], out_row: usize) {
            Simd::<f32>::transpose_square(self.avx2(), x, x_row, out, out_row);
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
            rows: *const *const f64,
            at: usize,
            v: &[__m512d; N],
            sums: &mut [__m512d; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_pd::<ROW>(rows, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn store_halves_ptr(self, v: __m512d, out: *mut f64) {
            // SAFETY: token; passed on.
            unsafe { store_halves_pd(v, out) }
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
        fn transpose_square(self, x: &[f64], x_row: usize, out: &mut [f64], out_row: usize) {
            Simd::<f64>::transpose_square(self.avx2(), x, x_row, out, out_row);
        }
    }
);

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
        unsafe fn mul_add_row<const ROW: usize, const N: usize>(
            self,
            rows: *const *const f32,
            at: usize,
            v: &[__m256; N],
            sums: &mut [__m256; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_avx2_ps::<ROW>(rows, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn mul_add_row_twice<const ROW: usize>(
            self,
            rows: *const *const f32,
            at: [usize; 2],
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
        fn transpose_square(self, x: &[f32], x_row: usize, out: &mut [f32], out_row: usize) {
            let (x, out) = (&x[..7 * x_row + 8], &mut out[..7 * out_row + 8]);
            for half in [0, 4] {
                // SAFETY: token; row ≤ 7 and half + 4 ≤ 8, so all four elements are inside.
                let rows = |i: usize| unsafe {
                    let at = |i: usize| _mm_loadu_ps(x.as_ptr().add(i * x_row + half));
                    _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(at(i)), at(i + 4))
                };
                // SAFETY: token; half + 3 ≤ 7 rows are skipped, so all eight elements are inside.
                unsafe {
                    let (r0, r1, r2, r3) = (rows(0), rows(1), rows(2), rows(3));
                    let (a, b) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpacklo_ps(r2, r3));
                    let (c, d) = (_mm256_unpackhi_ps(r0, r1), _mm256_unpackhi_ps(r2, r3));
                    let out = out.as_mut_ptr().add(half * out_row);
                    _mm256_storeu_ps(out, _mm256_shuffle_ps::<0x44>(a, b));
                    _mm256_storeu_ps(out.add(out_row), _mm256_shuffle_ps::<0xee>(a, b));
                    _mm256_storeu_ps(out.add(2 * out_row), _mm256_shuffle_ps::<0x44>(c, d));
                    _mm256_storeu_ps(out.add(3 * out_row), _mm256_shuffle_ps::<0xee>(c, d));
                }
            }
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
        unsafe fn mul_add_row<const ROW: usize, const N: usize>(
            self,
            rows: *const *const f64,
            at: usize,
            v: &[__m256d; N],
            sums: &mut [__m256d; N],
        ) {
            // SAFETY: token; passed on.
            unsafe { mul_add_row_avx2_pd::<ROW>(rows, at, v, sums) }
        }
        #[inline(always)]
        unsafe fn mul_add_row_twice<const ROW: usize>(
            self,
            rows: *const *const f64,
            at: [usize; 2],
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
        fn transpose_square(self, x: &[f64], x_row: usize, out: &mut [f64], out_row: usize) {
            let (x, out) = (&x[..3 * x_row + 4], &mut out[..3 * out_row + 4]);
            for half in [0, 2] {
                // SAFETY: token; row ≤ 3 and half + 2 ≤ 4, so both elements are inside.
                let rows = |i: usize| unsafe {
                    let at = |i: usize| _mm_loadu_pd(x.as_ptr().add(i * x_row + half));
                    _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(at(i)), at(i + 2))
                };
                // SAFETY: token; half + 1 ≤ 3 rows are skipped, so all four elements are inside.
                unsafe {
                    let (r0, r1) = (rows(0), rows(1));
                    let out = out.as_mut_ptr().add(half * out_row);
                    _mm256_storeu_pd(out, _mm256_unpacklo_pd(r0, r1));
                    _mm256_storeu_pd(out.add(out_row), _mm256_unpackhi_pd(r0, r1));
                }
            }
        }
    }
);

/// Half-length vectors with the masks of AVX-512; all that has no mask is that of AVX2.
macro_rules! narrow {
    ($t:ty, $v:ty, $lanes:literal, $mask:ident, $load:ident, $store:ident,
     { $($name:ident($($arg:ident: $arg_t:ty),*) -> $out:ty;)* },
     { $($unsafe_name:ident($($unsafe_arg:ident: $unsafe_t:ty),*) -> $unsafe_out:ty;)* }) => {
        impl Simd<$t> for Avx512Narrow {
            type V = $v;
            const LANES: usize = $lanes;
            const REGISTERS: usize = <Avx2 as Simd<$t>>::REGISTERS;
            #[inline(always)]
            unsafe fn mul_add_row<const ROW: usize, const N: usize>(
                self,
                rows: *const *const $t,
                at: usize,
                v: &[$v; N],
                sums: &mut [$v; N],
            ) {
                // SAFETY: passed on.
                unsafe { Simd::<$t>::mul_add_row::<ROW, N>(self.0.avx2(), rows, at, v, sums) }
            }
            #[inline(always)]
            unsafe fn mul_add_row_twice<const ROW: usize>(
                self,
                rows: *const *const $t,
                at: [usize; 2],
                v: [$v; 2],
                sum: &mut $v,
            ) {
                // SAFETY: passed on.
                unsafe { Simd::<$t>::mul_add_row_twice::<ROW>(self.0.avx2(), rows, at, v, sum) }
            }
            #[inline(always)]
            fn load_partial(self, x: &[$t]) -> $v {
                // SAFETY: the slice has that many elements.
                unsafe { self.load_partial_ptr(x.as_ptr(), x.len()) }
            }
            #[inline(always)]
            fn store_partial(self, v: $v, out: &mut [$t]) {
                // SAFETY: the slice has that many elements.
                unsafe { self.store_partial_ptr(v, out.as_mut_ptr(), out.len()) }
            }
            #[inline(always)]
            unsafe fn load_partial_ptr(self, x: *const $t, n: usize) -> $v {
                // SAFETY: token; masked lanes are not touched.
                unsafe { $load(self.0.$mask(n.min($lanes)) as u8, x) }
            }
            #[inline(always)]
            unsafe fn store_partial_ptr(self, v: $v, out: *mut $t, n: usize) {
                // SAFETY: token; masked lanes are not touched.
                unsafe { $store(out, self.0.$mask(n.min($lanes)) as u8, v) }
            }
            $(
                #[inline(always)]
                fn $name(self $(, $arg: $arg_t)*) -> $out {
                    Simd::<$t>::$name(self.0.avx2() $(, $arg)*)
                }
            )*
            $(
                #[inline(always)]
                unsafe fn $unsafe_name(self $(, $unsafe_arg: $unsafe_t)*) -> $unsafe_out {
                    // SAFETY: passed on.
                    unsafe { Simd::<$t>::$unsafe_name(self.0.avx2() $(, $unsafe_arg)*) }
                }
            )*
        }
    };
    ($t:ty, $v:ty, $lanes:literal, $mask:ident, $load:ident, $store:ident) => {
        narrow!($t, $v, $lanes, $mask, $load, $store, {
            splat(x: $t) -> $v;
            load(x: &[$t]) -> $v;
            store(v: $v, out: &mut [$t]) -> ();
            prefetch(at: *const $t) -> ();
            add(a: $v, b: $v) -> $v;
            sub(a: $v, b: $v) -> $v;
            mul(a: $v, b: $v) -> $v;
            div(a: $v, b: $v) -> $v;
            mul_add(a: $v, b: $v, c: $v) -> $v;
            neg_mul_add(a: $v, b: $v, c: $v) -> $v;
            max(a: $v, b: $v) -> $v;
            min(a: $v, b: $v) -> $v;
            sqrt(a: $v) -> $v;
            abs(a: $v) -> $v;
            select_gt(a: $v, b: $v, yes: $v, no: $v) -> $v;
            exp2_int(n: $v) -> $v;
            split_exponent(x: $v) -> ($v, $v);
            splat_integer(n: u32) -> $v;
            lane_numbers() -> $v;
            add_integers(a: $v, b: $v) -> $v;
            store_integers(v: $v, out: &mut [u32]) -> ();
            reduce_add(a: $v) -> $t;
            transpose_square(x: &[$t], x_row: usize, out: &mut [$t], out_row: usize) -> ();
        }, {
            load_ptr(x: *const $t) -> $v;
            store_ptr(v: $v, out: *mut $t) -> ();
        });
    };
}
narrow!(f32, __m256, 8, mask_ps, _mm256_maskz_loadu_ps, _mm256_mask_storeu_ps);
narrow!(f64, __m256d, 4, mask_pd, _mm256_maskz_loadu_pd, _mm256_mask_storeu_pd);
