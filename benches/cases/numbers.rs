//! Numbers to compute with.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use maml_kernels::{Aligned, Real};

/// Numbers of one type in memory that begins at a cache line.
pub(crate) struct Numbers<T> {
    memory: Aligned,
    len: usize,
    kind: PhantomData<T>,
}

/// Numbers from (−1/2, 1/2) that look random.
pub(crate) fn numbers<T: Real>(len: usize, seed: u32) -> Numbers<T> {
    let mut numbers = Numbers { memory: Aligned::zeroed(len * size_of::<T>()), len, kind: PhantomData };
    let mut state = seed.wrapping_mul(2_654_435_761);
    for x in numbers.iter_mut() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *x = T::from_f64(f64::from(state >> 8) / f64::from(1 << 24) - 0.5);
    }
    numbers
}

impl<T: Real> Deref for Numbers<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.memory.as_slice()[..self.len]
    }
}

impl<T: Real> DerefMut for Numbers<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory.as_mut_slice()[..self.len]
    }
}
