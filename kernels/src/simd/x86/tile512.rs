//! What the register tile needs of AVX-512 in assembly, where a compiler would choose other instructions.

use core::arch::x86_64::{__m512, __m512d};

use crate::simd::{ROWS_OF_LINE, odd_part};

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
        pub(super) unsafe fn $name<const ROW: usize>(rows: *const usize, at: *const $t, v: &[$v], sums: &mut [$v]) {
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
mul_add_row!(mul_add_row_ps, f32, __m512, "dword ptr [{at} + 4*{x}]", "{{1to16}}", "vbroadcastss", "vfmadd231ps");
mul_add_row!(mul_add_row_pd, f64, __m512d, "qword ptr [{at} + 8*{x}]", "{{1to8}}", "vbroadcastsd", "vfmadd231pd");

macro_rules! mul_add_row_of_line {
    ($name:ident, $t:ty, $v:ty, $pointer:literal, $broadcast:literal, $fma:literal) => {
        /// See [`Simd::mul_add_row_of_line`], for a row that is not the first: as above, and nothing is looked up.
        ///
        /// # Safety
        /// As there.
        #[inline]
        #[target_feature(enable = "avx512f")]
        pub(super) unsafe fn $name<const ROW: usize>(
            odd_multiples: &[usize; ROWS_OF_LINE / 2],
            at: *const $t,
            v: &[$v],
            sums: &mut [$v],
        ) {
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

/// Stores a register as two halves. With units of half a register, whole stores that stand close together hold up
/// multiply-adds behind them (Zen 4: up to 17 cycles a tile); with whole units it is the halves that cost (Zen 5: 10 cycles).
/// In assembly, because a compiler would make one of the two.
macro_rules! store_halves {
    ($name:ident, $t:ty, $v:ty) => {
        /// # Safety
        /// A whole register can be written at `out`.
        #[inline]
        #[target_feature(enable = "avx512f,avx512vl")]
        pub(super) unsafe fn $name(v: $v, out: *mut $t) {
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
