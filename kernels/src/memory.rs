//! Memory for numbers.

use bytemuck::{Pod, Zeroable};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A block of memory that starts on a cache line and always holds valid numbers: new memory is zero,
/// reused memory holds what was in it.
#[derive(Default)]
pub struct Aligned(Vec<Line>);

impl Aligned {
    /// Zeroed memory for `bytes` bytes.
    pub fn zeroed(bytes: usize) -> Self {
        Self(vec![Line::zeroed(); bytes.div_ceil(64)])
    }
    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        self.0.len() * 64
    }
    /// All of it as numbers.
    pub fn as_slice<T: Pod>(&self) -> &[T] {
        bytemuck::cast_slice(&self.0)
    }
    /// All of it as numbers to write.
    pub fn as_mut_slice<T: Pod>(&mut self) -> &mut [T] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}
