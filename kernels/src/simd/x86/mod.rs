//! AVX-512 and AVX2 + FMA vectors.
//!
//! Safety of every block below: an intrinsic needs its instruction set, and a method needs a token,
//! which only [`Avx512::detect`] and [`Avx2::detect`] make. Slices are checked before their pointers
//! are read.

use core::arch::x86_64::__cpuid;

use super::{COLUMNS, Kernel, Real, Simd};

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

mod avx2;
mod avx512;
mod columns;
mod narrow;
mod tile256;
mod tile512;

/// AVX-512 F, VL, DQ, BW (and with them AVX2 and FMA) are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Avx512 {
    /// The units are half as wide as the registers.
    half_units: bool,
}

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
        all.then(|| Self { half_units: is_zen4() })
    }

    /// AVX2 is part of what was detected.
    fn avx2(self) -> Avx2 {
        Avx2(())
    }

    pub(crate) fn narrow(self) -> Avx512Narrow {
        Avx512Narrow(self)
    }
}

/// AMD's family 25; of its processors, those with AVX-512 are Zen 4.
fn is_zen4() -> bool {
    // SAFETY: every processor of 64 bits has this instruction. (For compilers before 1.93 only a block like this may use it.)
    #[allow(unused_unsafe)]
    let [vendor, version] = [0, 1].map(|leaf| unsafe { __cpuid(leaf) });
    let family = (version.eax >> 8 & 0xf) + (version.eax >> 20 & 0xff);
    [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD" && family == 25
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
