//! Sizes of tensors.

use std::fmt;

const MAX_RANK: usize = 6;

/// The axes of a tensor, row-major, at most six; the empty shape is a scalar's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Shape {
    dims: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// Panics if there are more than six axes.
    #[track_caller]
    pub fn new(dims: &[usize]) -> Self {
        assert!(dims.len() <= MAX_RANK, "shape {dims:?} has more than {MAX_RANK} axes");
        let mut all = [0; MAX_RANK];
        all[..dims.len()].copy_from_slice(dims);
        Self { dims: all, rank: dims.len() }
    }

    /// The shape of a single number.
    pub fn scalar() -> Self {
        Self::default()
    }

    /// The sizes of the axes.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.rank]
    }

    /// How many axes there are.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many elements there are: the product of the axes, 1 for a scalar.
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of the last axis; 1 for a scalar.
    pub fn last(&self) -> usize {
        self.dims().last().copied().unwrap_or(1)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    #[track_caller]
    fn from(dims: [usize; N]) -> Self {
        Self::new(&dims)
    }
}

impl From<&[usize]> for Shape {
    #[track_caller]
    fn from(dims: &[usize]) -> Self {
        Self::new(dims)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.dims())
    }
}

/// One contiguous run of broadcast axes of an array \[outer, times, inner\]: `times` copies, or their sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Elements before the run.
    pub outer: usize,
    /// Elements of the run.
    pub times: usize,
    /// Elements after the run.
    pub inner: usize,
}

/// The steps that lead from `full` down to `small` by summing, each with the shape it leaves: axes are
/// aligned on the right, and every axis of `small` is that of `full`, or 1, or absent.
#[track_caller]
pub(crate) fn reductions(full: Shape, small: Shape) -> Vec<(Block, Shape)> {
    let lead = full.rank().checked_sub(small.rank());
    let kept = |axis: usize| lead.and_then(|lead| axis.checked_sub(lead)).map_or(1, |a| small.dims()[a]);
    let fits = lead.is_some() && (0..full.rank()).all(|a| kept(a) == full.dims()[a] || kept(a) == 1);
    assert!(fits, "shape {small} does not broadcast to {full}: axes, aligned on the right, must be equal or 1");
    let mut dims = full.dims().to_vec();
    let mut steps = Vec::new();
    let mut axis = 0;
    while axis < dims.len() {
        let end = (axis..dims.len()).find(|&a| kept(a) == dims[a]).unwrap_or(dims.len());
        if end == axis {
            axis += 1;
            continue;
        }
        let size = |part: &[usize]| part.iter().product();
        let block = Block { outer: size(&dims[..axis]), times: size(&dims[axis..end]), inner: size(&dims[end..]) };
        dims[axis..end].fill(1);
        steps.push((block, Shape::new(&dims)));
        axis = end;
    }
    match steps.last_mut() {
        Some(last) => last.1 = small,
        None if full != small => steps.push((Block { outer: full.len(), times: 1, inner: 1 }, small)),
        None => {}
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reductions_join_neighbouring_axes() {
        let steps = reductions([4, 5, 6, 7].into(), [7].into());
        assert_eq!(steps, [(Block { outer: 1, times: 120, inner: 7 }, [7].into())]);
        let steps = reductions([4, 5].into(), [4, 1].into());
        assert_eq!(steps, [(Block { outer: 4, times: 5, inner: 1 }, [4, 1].into())]);
        let steps = reductions([2, 3, 4].into(), [1, 3, 1].into());
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1], (Block { outer: 3, times: 4, inner: 1 }, [1, 3, 1].into()));
        assert!(reductions([2, 3].into(), [2, 3].into()).is_empty());
        assert_eq!(reductions([1, 3].into(), [3].into())[0].1, [3].into());
    }

    #[test]
    #[should_panic(expected = "shape [2] does not broadcast to [4, 3]")]
    fn shapes_that_do_not_broadcast_are_named() {
        reductions([4, 3].into(), [2].into());
    }
}
