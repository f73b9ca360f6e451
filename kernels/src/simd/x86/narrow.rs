//! Vectors of 256 bits on a processor with AVX-512: the masks of the one, all else of the other.

use core::arch::x86_64::*;

use super::{Avx2, Avx512Narrow, COLUMNS, Simd};

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
            unsafe fn mul_add_element<const N: usize>(self, row: usize, at: *const $t, v: &[$v; N], sums: &mut [$v; N]) {
                // SAFETY: passed on.
                unsafe { Simd::<$t>::mul_add_element(self.0.avx2(), row, at, v, sums) }
            }
            #[inline(always)]
            unsafe fn mul_add_row_twice<const ROW: usize>(
                self,
                rows: *const usize,
                at: [*const $t; 2],
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
            minus_abs(a: $v) -> $v;
            round(a: $v) -> $v;
            scale_exp2(x: $v, n: $v) -> $v;
            select_gt(a: $v, b: $v, yes: $v, no: $v) -> $v;
            exp2_int(n: $v) -> $v;
            split_exponent(x: $v) -> ($v, $v);
            splat_integer(n: u32) -> $v;
            lane_numbers() -> $v;
            add_integers(a: $v, b: $v) -> $v;
            load_integers(x: &[u32]) -> $v;
            select_equal(a: $v, b: $v, yes: $v, no: $v) -> $v;
            store_integers(v: $v, out: &mut [u32]) -> ();
            reduce_add(a: $v) -> $t;
            load_columns(x: &[$t], row: usize) -> [$v; COLUMNS];
            store_columns(columns: [$v; COLUMNS], out: &mut [$t], row: usize) -> ();
        }, {
            load_ptr(x: *const $t) -> $v;
            store_ptr(v: $v, out: *mut $t) -> ();
        });
    };
}
narrow!(f32, __m256, 8, mask_ps, _mm256_maskz_loadu_ps, _mm256_mask_storeu_ps);
narrow!(f64, __m256d, 4, mask_pd, _mm256_maskz_loadu_pd, _mm256_mask_storeu_pd);
