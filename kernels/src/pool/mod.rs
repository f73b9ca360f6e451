//! Max-pooling as a choice of winners, and the gather and scatter that apply it.

mod windows;
mod winners;

use core::ops::Range;

pub use self::windows::{Centered, Onto};
use self::{
    windows::{Gather, Scatter},
    winners::{Affine, Winners},
};
use crate::{Isa, Real, simd::dispatch};

/// The index of "nothing": gathers give zero there, scatters skip it.
pub const MISSING: u32 = u32::MAX;

/// The sizes of a pooling over square windows without padding; incomplete windows are dropped (floor).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Pool {
    /// Images of the batch.
    pub images: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Rows and columns of a window.
    pub window: usize,
    /// Step between windows.
    pub stride: usize,
}

/// What [`norm_relu_pool`](crate::norm_relu_pool) writes, for each window.
#[derive(Debug)]
pub struct Pooled<'a, T> {
    /// The flat index of the winner, [`MISSING`] where there is none.
    pub winners: &'a mut [u32],
    /// Its x − center, or 0.
    pub centered: &'a mut [T],
    /// 1, or 0.
    pub open: &'a mut [T],
    /// slope · (x − center) + shift, or 0.
    pub normalised: &'a mut [T],
}

impl Pool {
    /// Rows of the output: ⌊(height − window) / stride⌋ + 1, or 0 if no window fits.
    pub fn out_height(&self) -> usize {
        self.height.checked_sub(self.window).map_or(0, |room| room / self.stride + 1)
    }
    /// Columns of the output, by the same formula.
    pub fn out_width(&self) -> usize {
        self.width.checked_sub(self.window).map_or(0, |room| room / self.stride + 1)
    }
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        self.images * self.height * self.width * self.channels
    }
    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        self.images * self.out_height() * self.out_width() * self.channels
    }
    /// Where the r-th row of windows begins, counted over all images.
    fn row_start(&self, r: usize) -> usize {
        let (image, oy) = (r / self.out_height(), r % self.out_height());
        (image * self.height + oy * self.stride) * self.width * self.channels
    }
    #[track_caller]
    fn check(&self, input: usize, winners: usize) {
        assert!(self.window > 0 && self.stride > 0, "{self:?}: window and stride must be at least 1");
        assert_eq!((input, winners), (self.input_len(), self.output_len()), "{self:?}: lengths of input and winners");
        assert!(input < MISSING as usize, "{self:?}: more elements than 32-bit indices reach");
    }
    #[track_caller]
    fn check_apart(&self) {
        assert_eq!(self.window, self.stride, "{self:?}: windows must lie side by side");
    }
}

#[track_caller]
pub(crate) fn pool_winners<T: Real>(isa: Isa, p: &Pool, x: &[T], winners: &mut [u32]) {
    p.check(x.len(), winners.len());
    let affine = Affine { center: &[], slope: &[], shift: &[] };
    let out = Pooled { winners, centered: &mut [], open: &mut [], normalised: &mut [] };
    dispatch(isa, Winners::<T, false> { p, x, affine, out });
}

#[track_caller]
pub(crate) fn norm_relu_pool<T: Real>(
    isa: Isa,
    p: &Pool,
    x: &[T],
    center: &[T],
    slope: &[T],
    shift: &[T],
    out: Pooled<'_, T>,
) {
    p.check(x.len(), out.winners.len());
    p.check_apart();
    assert_eq!([center.len(), slope.len(), shift.len()], [p.channels; 3], "{p:?}: lengths of center, slope, shift");
    let lens = [out.centered.len(), out.open.len(), out.normalised.len()];
    assert_eq!(lens, [out.winners.len(); 3], "{p:?}: lengths of centered, open, normalised");
    dispatch(isa, Winners::<T, true> { p, x, affine: Affine { center, slope, shift }, out });
}

#[track_caller]
pub(crate) fn gather_windows<T: Real>(isa: Isa, p: &Pool, index: &[u32], x: &[T], out: &mut [T]) {
    p.check(x.len(), index.len());
    p.check_apart();
    assert_eq!(index.len(), out.len(), "gather_windows: lengths of index and out");
    dispatch(isa, Gather { p, index, x, out });
}

#[track_caller]
pub(crate) fn scatter_windows<T: Real>(isa: Isa, p: &Pool, index: &[u32], g: &[T], onto: Onto<'_, T>, out: &mut [T]) {
    scatter_images(isa, p, 0..p.images, index, g, onto, out);
}

/// [`scatter_windows`] for the part of `out` that holds these images.
#[track_caller]
pub(crate) fn scatter_images<T: Real>(
    isa: Isa,
    p: &Pool,
    images: Range<usize>,
    index: &[u32],
    g: &[T],
    onto: Onto<'_, T>,
    out: &mut [T],
) {
    p.check(p.input_len(), index.len());
    p.check_apart();
    let part = Pool { images: images.len(), ..*p };
    assert_eq!(out.len(), part.input_len(), "scatter_windows: length of out for {p:?}, images {images:?}");
    assert!(images.end <= p.images, "scatter_windows: images {images:?} of {p:?}");
    assert_eq!(index.len(), g.len(), "scatter_windows: lengths of index and g");
    if let Onto::Centered { arrays, shift } = onto {
        assert!((1..=2).contains(&arrays.len()), "scatter_windows: {} centred arrays, not one or two", arrays.len());
        for Centered { a, totals, k } in arrays {
            let want = [p.input_len(), p.channels, p.channels, p.channels];
            let have = [a.len(), totals.len(), k.len(), shift.len()];
            assert_eq!(have, want, "scatter_windows: lengths of a, totals, k and shift");
        }
    }
    dispatch(isa, Scatter { p, images, index, g, onto, out });
}

#[track_caller]
pub(crate) fn gather<T: Real>(index: &[u32], x: &[T], out: &mut [T]) {
    assert_eq!(index.len(), out.len(), "gather: lengths of index and out");
    // About half of the winners behind a ReLU are missing, in no order that a processor could guess. So
    // there is no branch on them: a missing one points into a few zeros. Indices outside are counted.
    let nothing = [T::ZERO; 16];
    let mut outside = 0;
    for (j, (out, &i)) in out.iter_mut().zip(index).enumerate() {
        outside += u32::from((i as usize >= x.len()) & (i != MISSING));
        let place = match x.get(i as usize) {
            Some(place) => place,
            None => &nothing[j % 16],
        };
        *out = *place;
    }
    assert_eq!(outside, 0, "gather: indices outside x, which has {} elements", x.len());
}

#[track_caller]
pub(crate) fn scatter_add<T: Real>(index: &[u32], x: &[T], out: &mut [T]) {
    assert_eq!(index.len(), x.len(), "scatter_add: lengths of index and x");
    let len = out.len();
    // As in `gather`; what belongs nowhere is added to a small sink, several places wide, so that one
    // addition need not wait for the one before.
    let mut sink = [T::ZERO; 16];
    let mut outside = 0;
    for (j, (&x, &i)) in x.iter().zip(index).enumerate() {
        outside += u32::from((i as usize >= len) & (i != MISSING));
        let place = match out.get_mut(i as usize) {
            Some(place) => place,
            None => &mut sink[j % 16],
        };
        *place += x;
    }
    assert_eq!(outside, 0, "scatter_add: indices outside out, which has {len} elements");
}
