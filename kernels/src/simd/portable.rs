//! Vectors for any processor, by the `wide` crate: eight `f32` or four `f64`, which the compiler
//! lowers to what the build's baseline has.

use wide::{f32x8, f64x4};

use super::{COLUMNS, Kernel, Real, Simd};

/// Always available.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Portable;

/// Not inlined, like the code of the other instruction sets: where kernels are called, choosing one is all there is.
#[inline(never)]
pub(super) fn run<T: Real, K: Kernel<T>>(token: Portable, kernel: K) -> K::Out
where
    Portable: Simd<T>,
{
    kernel.run(token)
}

macro_rules! portable {
    ($t:ty, $v:ty, $lanes:literal, $bits:ty, $mantissa_bits:literal, $bias:literal) => {
        impl Simd<$t> for Portable {
            type V = $v;
            const LANES: usize = $lanes;
            /* thirty-two bytes are two registers of a 128-bit file */
            const REGISTERS: usize = if cfg!(target_arch = "aarch64") { 16 } else { 8 };

            #[inline(always)]
            fn splat(self, x: $t) -> $v {
                <$v>::splat(x)
            }
            #[inline(always)]
            fn load(self, x: &[$t]) -> $v {
                let lanes: [$t; $lanes] = x[..$lanes].try_into().expect("the slice has this length");
                <$v>::from(lanes)
            }
            #[inline(always)]
            fn load_partial(self, x: &[$t]) -> $v {
                let n = x.len().min($lanes);
                let mut lanes = [<$t>::ZERO; $lanes];
                lanes[..n].copy_from_slice(&x[..n]);
                <$v>::from(lanes)
            }
            #[inline(always)]
            fn store(self, v: $v, out: &mut [$t]) {
                out[..$lanes].copy_from_slice(&v.to_array());
            }
            #[inline(always)]
            fn store_partial(self, v: $v, out: &mut [$t]) {
                let n = out.len().min($lanes);
                out[..n].copy_from_slice(&v.to_array()[..n]);
            }
            #[inline(always)]
            fn load_columns(self, x: &[$t], row: usize) -> [$v; COLUMNS] {
                let mut columns = [[<$t>::ZERO; $lanes]; COLUMNS];
                for i in 0..$lanes {
                    for j in 0..COLUMNS {
                        columns[j][i] = x[i * row + j];
                    }
                }
                columns.map(<$v>::from)
            }
            #[inline(always)]
            fn store_columns(self, columns: [$v; COLUMNS], out: &mut [$t], row: usize) {
                for (j, column) in columns.into_iter().enumerate() {
                    for (i, x) in column.to_array().into_iter().enumerate() {
                        out[i * row + j] = x;
                    }
                }
            }
            #[inline(always)]
            unsafe fn load_ptr(self, x: *const $t) -> $v {
                // SAFETY: the caller promises LANES readable elements; arrays have their element's alignment.
                <$v>::from(unsafe { x.cast::<[$t; $lanes]>().read() })
            }
            #[inline(always)]
            unsafe fn load_partial_ptr(self, x: *const $t, n: usize) -> $v {
                // SAFETY: the caller promises min(n, LANES) readable elements.
                self.load_partial(unsafe { core::slice::from_raw_parts(x, n.min($lanes)) })
            }
            #[inline(always)]
            unsafe fn store_ptr(self, v: $v, out: *mut $t) {
                // SAFETY: the caller promises LANES writable elements; arrays have their element's alignment.
                unsafe { out.cast::<[$t; $lanes]>().write(v.to_array()) }
            }
            #[inline(always)]
            unsafe fn store_partial_ptr(self, v: $v, out: *mut $t, n: usize) {
                // SAFETY: the caller promises min(n, LANES) writable elements.
                self.store_partial(v, unsafe { core::slice::from_raw_parts_mut(out, n.min($lanes)) })
            }

            #[inline(always)]
            fn add(self, a: $v, b: $v) -> $v {
                a + b
            }
            #[inline(always)]
            fn sub(self, a: $v, b: $v) -> $v {
                a - b
            }
            #[inline(always)]
            fn mul(self, a: $v, b: $v) -> $v {
                a * b
            }
            #[inline(always)]
            fn div(self, a: $v, b: $v) -> $v {
                a / b
            }
            #[inline(always)]
            fn mul_add(self, a: $v, b: $v, c: $v) -> $v {
                a.mul_add(b, c)
            }
            #[inline(always)]
            fn neg_mul_add(self, a: $v, b: $v, c: $v) -> $v {
                a.mul_neg_add(b, c)
            }
            #[inline(always)]
            fn max(self, a: $v, b: $v) -> $v {
                a.simd_gt(b).bitselect(a, b)
            }
            #[inline(always)]
            fn min(self, a: $v, b: $v) -> $v {
                b.simd_gt(a).bitselect(a, b)
            }
            #[inline(always)]
            fn sqrt(self, a: $v) -> $v {
                a.sqrt()
            }
            #[inline(always)]
            fn abs(self, a: $v) -> $v {
                a.abs()
            }
            #[inline(always)]
            fn select_gt(self, a: $v, b: $v, yes: $v, no: $v) -> $v {
                a.simd_gt(b).bitselect(yes, no)
            }
            #[inline(always)]
            fn exp2_int(self, n: $v) -> $v {
                <$v>::from(n.to_array().map(|n| <$t>::from_bits(((n as i32 + $bias) as $bits) << $mantissa_bits)))
            }
            #[inline(always)]
            fn split_exponent(self, x: $v) -> ($v, $v) {
                let lanes = x.to_array().map(<$t>::to_bits);
                let mantissa = (1 << $mantissa_bits) - 1;
                let one = (1.0 as $t).to_bits();
                (
                    <$v>::from(lanes.map(|b| <$t>::from_bits(b & mantissa | one))),
                    <$v>::from(lanes.map(|b| ((b >> $mantissa_bits) as i32 - $bias) as $t)),
                )
            }
            #[inline(always)]
            fn splat_integer(self, n: u32) -> $v {
                <$v>::splat(<$t>::from_bits(n as $bits))
            }
            #[inline(always)]
            fn lane_numbers(self) -> $v {
                <$v>::from(core::array::from_fn::<$t, $lanes, _>(|lane| <$t>::from_bits(lane as $bits)))
            }
            #[inline(always)]
            fn add_integers(self, a: $v, b: $v) -> $v {
                let (a, b) = (a.to_array().map(<$t>::to_bits), b.to_array().map(<$t>::to_bits));
                let sums: [$t; $lanes] = core::array::from_fn(|lane| <$t>::from_bits(a[lane].wrapping_add(b[lane])));
                <$v>::from(sums)
            }
            #[inline(always)]
            fn load_integers(self, x: &[u32]) -> $v {
                let mut lanes = [<$t>::ZERO; $lanes];
                for (lane, x) in lanes.iter_mut().zip(x) {
                    *lane = <$t>::from_bits((*x).into());
                }
                <$v>::from(lanes)
            }
            #[inline(always)]
            fn select_equal(self, a: $v, b: $v, yes: $v, no: $v) -> $v {
                let [a, b, yes, mut no] = [a, b, yes, no].map(|v| v.to_array());
                for i in 0..$lanes {
                    if a[i].to_bits() == b[i].to_bits() {
                        no[i] = yes[i];
                    }
                }
                <$v>::from(no)
            }
            #[inline(always)]
            fn store_integers(self, v: $v, out: &mut [u32]) {
                for (out, lane) in out.iter_mut().zip(v.to_array()) {
                    *out = lane.to_bits() as u32;
                }
            }
            #[inline(always)]
            fn reduce_add(self, a: $v) -> $t {
                let mut lanes = a.to_array();
                let mut half = $lanes / 2;
                while half > 0 {
                    for i in 0..half {
                        lanes[i] += lanes[i + half];
                    }
                    half /= 2;
                }
                lanes[0]
            }
        }
    };
}
portable!(f32, f32x8, 8, u32, 23, 127);
portable!(f64, f64x4, 4, u64, 52, 1023);
