//! The only owner of numbers, and the only place where memory is reused.

use std::{cell::RefCell, collections::BTreeMap, marker::PhantomData, mem, sync::OnceLock};

use bytemuck::Pod;
use maml_kernels::Aligned;

thread_local! {
    static FREE: RefCell<FreeList> = RefCell::default();
}

#[derive(Default)]
struct FreeList {
    by_size: BTreeMap<usize, Blocks>,
    fresh: u64,
    /// Bytes in use, and the most since [`peak_of`] last looked.
    used: usize,
    peak: usize,
}

/// The blocks of one size. A thread keeps at most as many as it once had in use at the same time: what a
/// step needs again, and no more of what other threads made and this one drops.
#[derive(Default)]
struct Blocks {
    free: Vec<Aligned>,
    used: usize,
    most_used: usize,
}

/// How many blocks this thread has ever asked of the system. It stands still in a steady loop that drops what it
/// makes on the thread that made it.
pub fn fresh_allocations() -> u64 {
    FREE.with_borrow(|free| free.fresh)
}

/// f(), and the most bytes of arrays that it had in use at one time, beyond those of before, on this thread.
pub fn peak_of<R>(f: impl FnOnce() -> R) -> (R, usize) {
    let (used, outer) = FREE.with_borrow_mut(|free| (free.used, std::mem::replace(&mut free.peak, free.used)));
    let result = f();
    let peak = FREE.with_borrow_mut(|free| {
        let peak = free.peak;
        free.peak = peak.max(outer);
        peak
    });
    (result, peak.saturating_sub(used))
}

/// Numbers in aligned memory. Dropped memory is kept by its thread for the next buffer of that size.
pub(crate) struct Buf<T: Pod> {
    memory: Aligned,
    len: usize,
    element: PhantomData<T>,
    /// The sums over the rows of what was written, once somebody asked for them.
    totals: OnceLock<Box<[f64]>>,
}

impl<T: Pod> Buf<T> {
    /// `len` numbers of unspecified value, for kernels that write them all.
    pub(crate) fn dirty(len: usize) -> Self {
        let bytes = size_class(len * size_of::<T>());
        let memory = FREE.with_borrow_mut(|free| {
            free.used += bytes;
            free.peak = free.peak.max(free.used);
            let blocks = free.by_size.entry(bytes).or_default();
            blocks.used += 1;
            blocks.most_used = blocks.most_used.max(blocks.used);
            blocks.free.pop().unwrap_or_else(|| {
                free.fresh += 1;
                Aligned::zeroed(bytes)
            })
        });
        Self { memory, len, element: PhantomData, totals: OnceLock::new() }
    }

    pub(crate) fn zeros(len: usize) -> Self {
        let mut buf = Self::dirty(len);
        buf.as_mut_slice().fill(T::zeroed());
        buf
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.memory.as_slice()[..self.len]
    }

    pub(crate) fn totals(&self) -> &OnceLock<Box<[f64]>> {
        &self.totals
    }

    /// What is remembered about the numbers is forgotten.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        self.totals.take();
        &mut self.memory.as_mut_slice()[..self.len]
    }
}

impl<T: Pod> Drop for Buf<T> {
    fn drop(&mut self) {
        let memory = mem::take(&mut self.memory);
        // A thread that is ending has no list any more; its memory goes back to the system.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            // Memory that another thread asked for was never counted here.
            free.used = free.used.saturating_sub(memory.bytes());
            let blocks = free.by_size.entry(memory.bytes()).or_default();
            blocks.used = blocks.used.saturating_sub(1);
            if blocks.free.len() + blocks.used < blocks.most_used {
                blocks.free.push(memory);
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

    #[test]
    fn the_peak_is_that_of_what_is_in_use_at_one_time() {
        let kept = Buf::<f32>::dirty(1024);
        let ((), peak) = peak_of(|| {
            drop(Buf::<f32>::dirty(4096));
            let (_, inner) = peak_of(|| [(); 2].map(|()| Buf::<f32>::dirty(1024)));
            assert_eq!(inner, 2 * 4096);
        });
        assert_eq!(peak, 4 * 4096);
        drop(kept);
    }

    #[test]
    fn a_thread_keeps_what_it_used_at_once_and_no_more() {
        const LEN: usize = 23_456;
        let many = |n: usize| (0..n).map(|_| Buf::<f32>::dirty(LEN)).collect::<Vec<_>>();
        drop(many(300));
        let before = fresh_allocations();
        drop(many(300));
        assert_eq!(fresh_allocations(), before);
        let kept = || FREE.with_borrow(|free| free.by_size[&size_class(4 * LEN)].free.len());
        for _ in 0..3 {
            drop(std::thread::spawn(move || (0..500).map(|_| Buf::<f32>::dirty(LEN)).collect::<Vec<_>>()).join());
            assert_eq!(kept(), 300);
        }
    }
}
