//! The only owner of numbers, and the only place where memory is reused.

use std::{cell::RefCell, collections::BTreeMap, marker::PhantomData, mem};

use maml_kernels::{Aligned, Real};

/// How many free blocks of one size a thread keeps; more than a training step ever holds of a large size.
const KEPT_PER_SIZE: usize = 64;

thread_local! {
    static FREE: RefCell<FreeList> = RefCell::default();
}

#[derive(Default)]
struct FreeList {
    by_size: BTreeMap<usize, Vec<Aligned>>,
    fresh: u64,
}

/// How many blocks this thread has ever asked of the system. It stands still in a steady training loop.
pub fn fresh_allocations() -> u64 {
    FREE.with_borrow(|free| free.fresh)
}

/// Numbers in aligned memory. Dropped memory is kept by its thread for the next buffer of that size.
pub(crate) struct Buf<T: Real> {
    memory: Aligned,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Real> Buf<T> {
    /// `len` numbers of unspecified value, for kernels that write them all.
    pub(crate) fn dirty(len: usize) -> Self {
        let bytes = size_class(len * size_of::<T>());
        let memory = FREE.with_borrow_mut(|free| {
            free.by_size.get_mut(&bytes).and_then(Vec::pop).unwrap_or_else(|| {
                free.fresh += 1;
                Aligned::zeroed(bytes)
            })
        });
        Self { memory, len, element: PhantomData }
    }

    pub(crate) fn zeros(len: usize) -> Self {
        let mut buf = Self::dirty(len);
        buf.as_mut_slice().fill(T::ZERO);
        buf
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.memory.as_slice()[..self.len]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.memory.as_mut_slice()[..self.len]
    }
}

impl<T: Real> Drop for Buf<T> {
    fn drop(&mut self) {
        let memory = mem::take(&mut self.memory);
        // A thread that is ending has no list any more; its memory goes back to the system.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            let list = free.by_size.entry(memory.bytes()).or_default();
            if list.len() < KEPT_PER_SIZE {
                list.push(memory);
            }
        });
    }
}

/// Sizes are rounded up to an eighth of their power of two, so that tensors of nearly equal size
/// share blocks and at most an eighth is wasted.
fn size_class(bytes: usize) -> usize {
    let step = (bytes.max(64).next_power_of_two() / 16).max(64);
    bytes.max(1).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_waste_at_most_an_eighth() {
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, 15_000_001]) {
            let class = size_class(bytes);
            assert!(class >= bytes && class.is_multiple_of(64), "{bytes} -> {class}");
            assert!(class - bytes < 64 || class - bytes <= bytes / 8, "{bytes} -> {class}");
        }
    }

    #[test]
    fn dropped_memory_is_reused() {
        drop(Buf::<f32>::zeros(12_345));
        let before = fresh_allocations();
        for _ in 0..100 {
            let buf = Buf::<f32>::dirty(12_345);
            assert_eq!(buf.as_slice().len(), 12_345);
        }
        assert_eq!(fresh_allocations(), before);
    }
}
