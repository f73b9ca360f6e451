//! What the register tile needs of AVX2 in assembly, where a compiler would run out of registers.

use core::arch::x86_64::{__m256, __m256d};

macro_rules! mul_add_row_avx2 {
    ($name:ident, $pair:ident, $t:ty, $v:ty, $broadcast:literal, $fma:literal) => {
        /// See [`Simd::mul_add_element`]. In assembly, because a compiler would hold an address for each of several steps
        /// and run out of registers for them.
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn $name(row: usize, at: *const $t, v: &[$v], sums: &mut [$v]) {
            let (&[v0, v1], [s0, s1]) = (v, sums) else { unreachable!("a tile that holds its rows is two vectors wide") };
            // SAFETY: the caller promises that the element can be read.
            unsafe {
                core::arch::asm!(
                    concat!($broadcast, "{at}]"),
                    concat!($fma, " {s0}, {v0}, {t}"),
                    concat!($fma, " {s1}, {v1}, {t}"),
                    x = in(reg) row, at = in(reg) at, v0 = in(ymm_reg) v0, v1 = in(ymm_reg) v1, t = out(ymm_reg) _,
                    s0 = inout(ymm_reg) *s0, s1 = inout(ymm_reg) *s1,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
        }

        /// See [`Simd::mul_add_row_twice`].
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        pub(super) unsafe fn $pair<const ROW: usize>(rows: *const usize, at: [*const $t; 2], v: [$v; 2], sum: &mut $v) {
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
    mul_add_element_ps,
    mul_add_row_twice_avx2_ps,
    f32,
    __m256,
    "vbroadcastss {t}, dword ptr [4*{x} + ",
    "vfmadd231ps"
);
mul_add_row_avx2!(
    mul_add_element_pd,
    mul_add_row_twice_avx2_pd,
    f64,
    __m256d,
    "vbroadcastsd {t}, qword ptr [8*{x} + ",
    "vfmadd231pd"
);
