//! What this machine can do at most: loops that do nothing but multiply-add, or nothing but read.

use crate::{
    Isa, Real,
    simd::{Kernel, Simd, dispatch},
};

/// Independent sums: more than latency times units (4 · 2), fewer than registers.
const SUMS: usize = 12;

/// Runs `steps` rounds of independent multiply-adds in registers and returns the number of multiply-adds
/// and their (meaningless) sum. Two FLOPs each, by their time: the peak that no product can pass.
pub fn multiply_adds<T: Real>(isa: Isa, steps: usize) -> (usize, T) {
    dispatch(isa, MultiplyAdds { steps, start: T::ONE })
}

struct MultiplyAdds<T> {
    steps: usize,
    start: T,
}

impl<T: Real> Kernel<T> for MultiplyAdds<T> {
    type Out = (usize, T);
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> (usize, T) {
        let (shrink, shift) = (simd.splat(T::from_f64(0.999)), simd.splat(T::from_f64(1e-3)));
        let mut sums = [simd.splat(self.start); SUMS];
        for _ in 0..core::hint::black_box(self.steps) {
            for sum in &mut sums {
                *sum = simd.mul_add(*sum, shrink, shift);
            }
        }
        let mut total = sums[0];
        for &sum in &sums[1..] {
            total = simd.add(total, sum);
        }
        (self.steps * SUMS * S::LANES, simd.reduce_add(total))
    }
}

/// Reads all of x, as fast as this instruction set can, and returns a sum of it. Its bytes by its time
/// are the bandwidth of the cache level in which x lies.
pub fn read<T: Real>(isa: Isa, x: &[T]) -> T {
    dispatch(isa, Read { x })
}

struct Read<'a, T> {
    x: &'a [T],
}

impl<T: Real> Kernel<T> for Read<'_, T> {
    type Out = T;
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) -> T {
        let mut sums = [simd.splat(T::ZERO); SUMS];
        for x in self.x.chunks_exact(SUMS * S::LANES) {
            for (sum, x) in sums.iter_mut().zip(x.chunks_exact(S::LANES)) {
                *sum = simd.add(*sum, simd.load(x));
            }
        }
        let mut total = sums[0];
        for &sum in &sums[1..] {
            total = simd.add(total, sum);
        }
        simd.reduce_add(total)
    }
}

/// Copies x, as fast as this instruction set can: its bytes, read and written, by its time are the bandwidth of the
/// cache level in which both lie. Panics if the lengths differ.
#[track_caller]
pub fn copy<T: Real>(isa: Isa, x: &[T], out: &mut [T]) {
    assert_eq!(x.len(), out.len(), "copy: lengths of x, out");
    dispatch(isa, Copy { x, out });
}

struct Copy<'a, T> {
    x: &'a [T],
    out: &'a mut [T],
}

impl<T: Real> Kernel<T> for Copy<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        for (x, out) in self.x.chunks(4 * S::LANES).zip(self.out.chunks_mut(4 * S::LANES)) {
            for (x, out) in x.chunks(S::LANES).zip(out.chunks_mut(S::LANES)) {
                if x.len() == S::LANES {
                    simd.store(simd.load(x), out);
                } else {
                    simd.store_partial(simd.load_partial(x), out);
                }
            }
        }
    }
}
