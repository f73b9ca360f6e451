//! Memory for packed panels, transformed tiles and canvases, kept by each thread from call to call.

use std::cell::RefCell;

use crate::{Aligned, Real};

thread_local! {
    static SCRATCH: RefCell<Vec<Aligned>> = RefCell::default();
}

/// Calls `work` with blocks of numbers that start on cache lines and hold anything. The memory
/// grows to the largest call and stays, so a loop that repeats its shapes allocates in its first turn.
pub(crate) fn with_scratch<T: Real, R, const N: usize>(lens: [usize; N], work: impl FnOnce([&mut [T]; N]) -> R) -> R {
    let whole_lines = |len: usize| len.next_multiple_of(64 / size_of::<T>());
    let bytes = lens.iter().map(|&len| whole_lines(len)).sum::<usize>() * size_of::<T>();
    // Small products need none, and should not pay for it.
    let pop = || SCRATCH.with_borrow_mut(Vec::pop);
    let mut memory = (bytes > 0).then(pop).flatten().unwrap_or_default();
    if memory.bytes() < bytes {
        memory = Aligned::zeroed(bytes);
    }
    let mut rest = memory.as_mut_slice::<T>();
    let blocks = lens.map(|len| {
        let (block, behind) = std::mem::take(&mut rest).split_at_mut(whole_lines(len));
        rest = behind;
        &mut block[..len]
    });
    let result = work(blocks);
    // Calls within calls find their memory again: the last block to come back is the first to go out.
    if bytes > 0 {
        SCRATCH.with_borrow_mut(|blocks| blocks.push(memory));
    }
    result
}
