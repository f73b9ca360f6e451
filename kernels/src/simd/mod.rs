//! Vector instructions behind tokens: the only room of the project with `unsafe` in it.
//!
//! A value of a token type ([`Avx512`], [`Avx2`], [`Portable`]) is the proof that this processor
//! has those instructions: the first two are made only after detection. All vector operations are
//! methods of a token ([`Simd`]), so a kernel written over `S: Simd<T>` is safe code, written once.
//! [`dispatch`] picks the token and compiles the kernel's body for its instruction set.

pub(crate) mod grid;
mod portable;
pub(crate) mod product;
pub(crate) mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Isa, entries::Compiled, isa::Path};

pub(crate) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86::{Avx2, Avx512, Avx512Narrow};

/// Elements between what is read and what is asked for with [`Simd::prefetch`], by kernels whose order is too restless for the
/// prefetchers of the processor, or whose arrays come from afar: 8 KiB of `f32`.
pub(crate) const AHEAD: usize = 2048;

/// The two element types of every kernel: `f32` to compute fast, `f64` to check exactly.
pub trait Real:
    bytemuck::Pod
    + PartialOrd
    + Default
    + Send
    + Sync
    + core::fmt::Debug
    + core::fmt::Display
    + core::ops::Add<Output = Self>
    + core::ops::Sub<Output = Self>
    + core::ops::Mul<Output = Self>
    + core::ops::Div<Output = Self>
    + core::ops::Neg<Output = Self>
    + core::ops::AddAssign
    + Compiled<Self>
    + 'static
{
    /// Additive identity.
    const ZERO: Self;
    /// Multiplicative identity.
    const ONE: Self;
    /// Machine epsilon, the distance from 1 to the next larger number.
    const EPSILON: Self;
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// Exact for both types.
    fn to_f64(self) -> f64;
    /// Runs a kernel compiled for the instruction set `isa`.
    #[doc(hidden)]
    fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Out;
}

/// A kernel body, generic over the instruction set. Implementations of `run`, and every function
/// below it that touches vectors, must be `#[inline(always)]`: only then are they compiled with the
/// instructions of the token.
pub trait Kernel<T: Real> {
    /// What the kernel returns; most write to slices and return `()`.
    type Out;
    /// The body.
    fn run<S: Simd<T>>(self, simd: S) -> Self::Out;
}

/// Rows that [`Simd::mul_add_row_of_line`] reaches.
const ROWS_OF_LINE: usize = 14;

/// The odd number of which `row` is a multiple by a power of two; 1 for 0.
const fn odd_part(row: usize) -> usize {
    if row == 0 { 1 } else { row >> row.trailing_zeros() }
}

/// Vector operations on elements of type `T`, reached through a token. All lanes are independent;
/// rounding is IEEE to nearest, and `mul_add` is fused exactly where the instruction set fuses it.
pub trait Simd<T: Real>: Copy {
    /// A vector register.
    type V: Copy;
    /// Elements of a register.
    const LANES: usize;
    /// How many registers of this kind there are, which decides the size of a register tile.
    const REGISTERS: usize;

    /// `x` in every lane.
    fn splat(self, x: T) -> Self::V;
    /// The first [`Self::LANES`] elements. Panics if there are fewer.
    fn load(self, x: &[T]) -> Self::V;
    /// All elements of `x` (fewer than a register, or the first register-full), zeros after them.
    fn load_partial(self, x: &[T]) -> Self::V;
    /// Writes the first [`Self::LANES`] elements. Panics if there are fewer.
    fn store(self, v: Self::V, out: &mut [T]);
    /// Writes as many lanes as `out` has elements.
    fn store_partial(self, v: Self::V, out: &mut [T]);
    /// `load` without the check.
    /// # Safety
    /// `LANES` elements can be read at `x`.
    unsafe fn load_ptr(self, x: *const T) -> Self::V;
    /// `load_partial` without the check.
    /// # Safety
    /// `min(n, LANES)` elements can be read at `x`.
    unsafe fn load_partial_ptr(self, x: *const T, n: usize) -> Self::V;
    /// `store` without the check.
    /// # Safety
    /// `LANES` elements can be written at `out`.
    unsafe fn store_ptr(self, v: Self::V, out: *mut T);
    /// `store_partial` without the check.
    /// # Safety
    /// `min(n, LANES)` elements can be written at `out`.
    unsafe fn store_partial_ptr(self, v: Self::V, out: *mut T, n: usize);
    /// sums\[n\] = x · v\[n\] + sums\[n\], x being as many elements behind `at` as entry ROW of a table says.
    /// # Safety
    /// The table has more than ROW entries, and that element can be read.
    #[inline(always)]
    unsafe fn mul_add_row<const ROW: usize, const N: usize>(
        self,
        rows: *const usize,
        at: *const T,
        v: &[Self::V; N],
        sums: &mut [Self::V; N],
    ) {
        // SAFETY: passed on.
        let x = self.splat(unsafe { *at.wrapping_add(*rows.add(ROW)) });
        for n in 0..N {
            sums[n] = self.mul_add(x, v[n], sums[n]);
        }
    }
    /// sums\[n\] = x · v\[n\] + sums\[n\], x being `row` elements behind `at`.
    /// # Safety
    /// That element can be read.
    #[inline(always)]
    unsafe fn mul_add_element<const N: usize>(
        self,
        row: usize,
        at: *const T,
        v: &[Self::V; N],
        sums: &mut [Self::V; N],
    ) {
        // SAFETY: passed on.
        let x = self.splat(unsafe { *at.wrapping_add(row) });
        for n in 0..N {
            sums[n] = self.mul_add(x, v[n], sums[n]);
        }
    }
    /// sums\[n\] = x · v\[n\] + sums\[n\], x being ROW rows behind `at`, and `odd_multiples` the bytes of one row, of three, of
    /// five and so on: an address doubles one of them up to three times, so that 14 rows take 7 registers.
    /// # Safety
    /// That element can be read.
    #[inline(always)]
    unsafe fn mul_add_row_of_line<const ROW: usize, const N: usize>(
        self,
        odd_multiples: &[usize; ROWS_OF_LINE / 2],
        at: *const T,
        v: &[Self::V; N],
        sums: &mut [Self::V; N],
    ) {
        let bytes = odd_multiples[odd_part(ROW) / 2] * (ROW / odd_part(ROW));
        // SAFETY: passed on.
        let x = self.splat(unsafe { *at.wrapping_byte_add(bytes) });
        for n in 0..N {
            sums[n] = self.mul_add(x, v[n], sums[n]);
        }
    }
    /// [`Self::mul_add_row`] for two elements of a row, one after the other, with one look at the table: a tile of one
    /// vector has an address to load for every multiply-add, and waits for loads.
    /// # Safety
    /// As there, for both elements.
    #[inline(always)]
    unsafe fn mul_add_row_twice<const ROW: usize>(
        self,
        rows: *const usize,
        at: [*const T; 2],
        v: [Self::V; 2],
        sum: &mut Self::V,
    ) {
        let mut sums = [*sum];
        for i in 0..2 {
            // SAFETY: passed on.
            unsafe { self.mul_add_row::<ROW, 1>(rows, at[i], &[v[i]], &mut sums) };
        }
        *sum = sums[0];
    }
    /// `store_ptr`, made so that many of them together do not hold up multiply-adds.
    /// # Safety
    /// `LANES` elements can be written at `out`.
    #[inline(always)]
    unsafe fn store_tile_ptr(self, v: Self::V, out: *mut T) {
        // SAFETY: passed on.
        unsafe { self.store_ptr(v, out) }
    }
    /// Asks for the cache line of an address that will be needed soon; any address will do.
    #[inline(always)]
    fn prefetch(self, _: *const T) {}

    /// a + b
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// a − b
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// a / b
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// a · b + c
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// c − a · b
    fn neg_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// a > b ? a : b, so that a NaN in `b` is kept.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// a < b ? a : b, so that a NaN in `b` is kept.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// Correctly rounded square root.
    fn sqrt(self, a: Self::V) -> Self::V;
    /// |a|
    fn abs(self, a: Self::V) -> Self::V;
    /// −|a|
    #[inline(always)]
    fn minus_abs(self, a: Self::V) -> Self::V {
        self.sub(self.splat(T::ZERO), self.abs(a))
    }
    /// The integer nearest to a small a, ties to even: next to 1.5 · 2²³ (or ⁵²) numbers have no fraction. Two additions
    /// are as fast as the rounding instruction where there is one, and much faster where there is none; but they take two registers
    /// for their constants.
    #[inline(always)]
    fn round(self, a: Self::V) -> Self::V {
        let large = self.splat(T::from_f64(1.5) / T::EPSILON);
        self.sub(self.add(a, large), large)
    }
    /// a > b ? yes : no, lane by lane; `no` where either is NaN.
    fn select_gt(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// 2ⁿ for integral n in the exponent range of normal numbers; other n give unspecified values.
    fn exp2_int(self, n: Self::V) -> Self::V;
    /// x · 2ⁿ, rounded once, for x in \[½, 2\] and integral n of at most 1.4 times the exponent range.
    #[inline(always)]
    fn scale_exp2(self, x: Self::V, n: Self::V) -> Self::V {
        // One factor 2ⁿ would overflow or vanish where the product need not.
        let half = self.round(self.mul(n, self.splat(T::from_f64(0.5))));
        self.mul(self.mul(x, self.exp2_int(half)), self.exp2_int(self.sub(n, half)))
    }
    /// (m, e) with x = m · 2ᵉ, m in [1, 2), for positive normal x; unspecified for other x.
    fn split_exponent(self, x: Self::V) -> (Self::V, Self::V);
    /// Sum of the lanes, always in the same order: halves are folded onto each other.
    fn reduce_add(self, a: Self::V) -> T;
    /// n in every lane, as an integer behind the bits of a number: to be added, selected and stored as such.
    fn splat_integer(self, n: u32) -> Self::V;
    /// The number of each lane, as an integer.
    fn lane_numbers(self) -> Self::V;
    /// a + b, both being integers.
    fn add_integers(self, a: Self::V, b: Self::V) -> Self::V;
    /// As many integers as `x` has elements, at most a register-full; zeros after them.
    fn load_integers(self, x: &[u32]) -> Self::V;
    /// a = b ? yes : no, lane by lane, a and b being integers.
    fn select_equal(self, a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// Writes the last 32 bits of as many integers as `out` has elements, at most a register-full.
    fn store_integers(self, v: Self::V, out: &mut [u32]);
    /// Four columns of a matrix whose rows lie `row` elements apart, transposed in registers: lane i of the vector j is
    /// x\[i·row + j\]. Panics if x ends before the last of these elements.
    fn load_columns(self, x: &[T], row: usize) -> [Self::V; COLUMNS];
    /// And back: out\[i·row + j\] = lane i of the vector j.
    fn store_columns(self, columns: [Self::V; COLUMNS], out: &mut [T], row: usize);
}

/// How many columns [`Simd::load_columns`] loads and [`Simd::store_columns`] stores.
pub(crate) const COLUMNS: usize = 4;

/// Runs `kernel` compiled for `isa`.
#[inline]
pub(crate) fn dispatch<T: Real, K: Kernel<T>>(isa: Isa, kernel: K) -> K::Out {
    T::dispatch(isa, kernel)
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = <$t>::EPSILON;
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline]
            fn dispatch<K: Kernel<Self>>(isa: Isa, kernel: K) -> K::Out {
                match isa.path() {
                    #[cfg(target_arch = "x86_64")]
                    Path::Avx512(token) => x86::run_avx512::<$t, _, K>(token, kernel),
                    #[cfg(target_arch = "x86_64")]
                    Path::Avx512Narrow(token) => x86::run_avx512::<$t, _, K>(token, kernel),
                    #[cfg(target_arch = "x86_64")]
                    Path::Avx2(token) => x86::run_avx2::<$t, K>(token, kernel),
                    Path::Portable(token) => portable::run::<$t, K>(token, kernel),
                }
            }
        }
    };
}
real!(f32);
real!(f64);
