//! Memory for canvases and packed panels, kept by each thread from call to call.

use std::cell::Cell;

use crate::{Aligned, Real};

thread_local! {
    static SCRATCH: Cell<Aligned> = Cell::default();
}

/// Calls `work` with two blocks of numbers that start on cache lines and hold anything. The memory
/// grows to the largest call and stays, so a loop that repeats its shapes allocates in its first turn.
pub(crate) fn with_scratch<T: Real, R>(lens: [usize; 2], work: impl FnOnce(&mut [T], &mut [T]) -> R) -> R {
    let line = 64 / size_of::<T>();
    let first = lens[0].next_multiple_of(line);
    let bytes = (first + lens[1]) * size_of::<T>();
    let mut memory = SCRATCH.take();
    if memory.bytes() < bytes {
        memory = Aligned::zeroed(bytes);
    }
    let (a, b) = memory.as_mut_slice::<T>().split_at_mut(first);
    let result = work(&mut a[..lens[0]], &mut b[..lens[1]]);
    SCRATCH.set(memory);
    result
}
