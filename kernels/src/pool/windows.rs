//! Gather and scatter between the elements of an array and those of its windows that do not overlap: every index lies in
//! its own window or is missing, so that whole registers of channels are compared with the places of the window.

use core::ops::Range;

use super::Pool;
use crate::{
    Real,
    channel::Factors,
    reduce::{GROUP, load_some, store_some},
    simd::{AHEAD, Kernel, Simd},
};

/// out\[j\] = x\[index\[j\]\], 0 where it is missing.
pub(super) struct Gather<'a, T> {
    pub(super) p: &'a Pool,
    pub(super) index: &'a [u32],
    pub(super) x: &'a [T],
    pub(super) out: &'a mut [T],
}

impl<T: Real> Kernel<T> for Gather<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(self, simd: S) {
        let row = self.p.out_width() * self.p.channels;
        if row == 0 {
            return;
        }
        let rows = self.index.chunks_exact(row).zip(self.out.chunks_exact_mut(row));
        for (r, (index, out)) in rows.enumerate() {
            let (p, start) = (self.p, self.p.row_start(r));
            for ox in 0..p.out_width() {
                let (window, first) = (ox * p.channels, start + ox * p.stride * p.channels);
                for c in (0..p.channels).step_by(S::LANES) {
                    let here = window + c..window + p.channels.min(c + S::LANES);
                    let wanted = simd.load_integers(&index[here.clone()]);
                    for (wy, wx) in places(p) {
                        let at = first + c + (wy * p.width + wx) * p.channels;
                        simd.prefetch(self.x.as_ptr().wrapping_add(at + AHEAD));
                    }
                    let found = pick(simd, p, self.x, first + c, here.len(), wanted);
                    store_some(simd, found, &mut out[here]);
                }
            }
        }
    }
}

/// The elements of x at the places wanted in `len` channels of the window that begins at `first`, 0 where they are missing.
#[inline(always)]
pub(super) fn pick<T: Real, S: Simd<T>>(simd: S, p: &Pool, x: &[T], first: usize, len: usize, wanted: S::V) -> S::V {
    let mut found = simd.splat(T::ZERO);
    for (wy, wx) in places(p) {
        let at = first + (wy * p.width + wx) * p.channels;
        found = simd.select_equal(wanted, numbers(simd, at), load_some(simd, &x[at..at + len]), found);
    }
    found
}

/// The places of a window, row after row.
#[inline(always)]
fn places(p: &Pool) -> impl Iterator<Item = (usize, usize)> {
    let window = p.window;
    (0..window).flat_map(move |wy| (0..window).map(move |wx| (wy, wx)))
}

/// first, first + 1, … in the lanes.
#[inline(always)]
fn numbers<T: Real, S: Simd<T>>(simd: S, first: usize) -> S::V {
    simd.add_integers(simd.splat_integer(first as u32), simd.lane_numbers())
}

/// What the winners are added to.
#[derive(Clone, Copy, Debug)]
pub enum Onto<'a, T> {
    /// Zeros.
    Nothing,
    /// What is there.
    Out,
    /// The sum of one or two [`Centered`] arrays, and shift\[c\]: the other terms in the derivative of a normalisation, and in
    /// the derivative of that.
    Centered {
        /// One or two.
        arrays: &'a [Centered<'a, T>],
        /// \[channels\]
        shift: &'a [T],
    },
}

/// k\[c\] · (a\[row, c\] − ā\[c\]) / rows.
#[derive(Clone, Copy, Debug)]
pub struct Centered<'a, T> {
    /// \[…, channels\], as long as the output.
    pub a: &'a [T],
    /// The sums of a over its rows, \[channels\].
    pub totals: &'a [f64],
    /// \[channels\]
    pub k: &'a [T],
}

impl<T: Real> Centered<'_, T> {
    /// The factors of a group of channels.
    fn factors(&self, group: Range<usize>) -> Factors<T> {
        Factors::centered(self.a.len() / self.k.len(), &self.totals[group.clone()], &self.k[group])
    }
}

/// out\[index\[j\]\] = what is before + g\[j\], every element of out written once.
pub(super) struct Scatter<'a, T> {
    pub(super) p: &'a Pool,
    /// The images that `out` holds; all else is that of all images.
    pub(super) images: Range<usize>,
    pub(super) index: &'a [u32],
    pub(super) g: &'a [T],
    pub(super) onto: Onto<'a, T>,
    pub(super) out: &'a mut [T],
}

impl<T: Real> Kernel<T> for Scatter<'_, T> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd<T>>(mut self, simd: S) {
        for from in (0..self.p.channels).step_by(GROUP) {
            let group = from..self.p.channels.min(from + GROUP);
            match self.onto {
                Onto::Nothing => self.group::<S, false, 0>(simd, group, [], &[]),
                Onto::Out => self.group::<S, true, 0>(simd, group, [], &[]),
                Onto::Centered { arrays: [one], shift } => {
                    self.group::<S, false, 1>(
                        simd,
                        group.clone(),
                        [(one.a, &one.factors(group.clone()))],
                        &shift[group],
                    );
                }
                Onto::Centered { arrays, shift } => {
                    let [one, two] = arrays else { unreachable!("{} centred arrays", arrays.len()) };
                    let factors = [one, two].map(|array| array.factors(group.clone()));
                    let arrays = [(one.a, &factors[0]), (two.a, &factors[1])];
                    self.group::<S, false, 2>(simd, group.clone(), arrays, &shift[group]);
                }
            }
        }
    }
}

/// Centred arrays and their factors for a group of channels.
type Arrays<'a, T, const N: usize> = [(&'a [T], &'a Factors<T>); N];

impl<T: Real> Scatter<'_, T> {
    /// A group of channels, in strips of registers: fewer at a time for two arrays, where there are few registers.
    #[inline(always)]
    fn group<S: Simd<T>, const OUT: bool, const N: usize>(
        &mut self,
        simd: S,
        group: Range<usize>,
        arrays: Arrays<'_, T, N>,
        shift: &[T],
    ) {
        let p = self.p;
        for image in self.images.clone() {
            for y in 0..p.height {
                let (mut c, from, width) = (0, group.start, group.len());
                while S::REGISTERS >= 32 && c + 4 * S::LANES <= width {
                    self.row::<S, OUT, N, 4>(simd, (image, y), from, c..c + 4 * S::LANES, arrays, shift);
                    c += 4 * S::LANES;
                }
                while (S::REGISTERS >= 32 || N < 2) && c + 2 * S::LANES <= width {
                    self.row::<S, OUT, N, 2>(simd, (image, y), from, c..c + 2 * S::LANES, arrays, shift);
                    c += 2 * S::LANES;
                }
                while c < width {
                    let end = width.min(c + S::LANES);
                    self.row::<S, OUT, N, 1>(simd, (image, y), from, c..end, arrays, shift);
                    c = end;
                }
            }
        }
    }

    /// One row of an image, in `U` registers of channels from `from + strip.start` on.
    #[inline(always)]
    fn row<S: Simd<T>, const OUT: bool, const N: usize, const U: usize>(
        &mut self,
        simd: S,
        (image, y): (usize, usize),
        from: usize,
        strip: Range<usize>,
        arrays: Arrays<'_, T, N>,
        shift: &[T],
    ) {
        let (p, n) = (self.p, strip.len());
        let behind = self.images.start * p.height * p.width * p.channels;
        let zero = simd.splat(T::ZERO);
        let before = Before::<T, S::V, N, U>::new(simd, strip.clone(), arrays, shift);
        let start = (image * p.height + y) * p.width * p.channels + from + strip.start;
        let windows = (image * p.out_height() + y / p.stride) * p.out_width() * p.channels + from + strip.start;
        // Rows and columns behind the last whole window have no winners.
        let covered = if y / p.stride < p.out_height() { p.out_width() * p.stride } else { 0 };
        for ox in 0..covered / p.stride {
            let window = windows + ox * p.channels;
            let (mut wanted, mut g) = ([zero; U], [zero; U]);
            for u in 0..U {
                let ahead = window + u * S::LANES + AHEAD;
                simd.prefetch(self.index.as_ptr().wrapping_add(ahead).cast());
                simd.prefetch(self.g.as_ptr().wrapping_add(ahead));
                wanted[u] = simd.load_integers(&self.index[window..window + n][u * S::LANES..]);
                g[u] = load_some(simd, &self.g[window..window + n][u * S::LANES..]);
            }
            for x in ox * p.stride..(ox + 1) * p.stride {
                let at = start + x * p.channels;
                let old = self.before::<S, OUT, N, U>(simd, at, n, &before);
                for u in 0..U {
                    let here = numbers(simd, at + u * S::LANES);
                    let new = simd.select_equal(wanted[u], here, simd.add(old[u], g[u]), old[u]);
                    store_some(simd, new, &mut self.out[at - behind..][..n][u * S::LANES..]);
                }
            }
        }
        for x in covered..p.width {
            let at = start + x * p.channels;
            let old = self.before::<S, OUT, N, U>(simd, at, n, &before);
            for u in 0..U {
                store_some(simd, old[u], &mut self.out[at - behind..][..n][u * S::LANES..]);
            }
        }
    }

    #[inline(always)]
    fn before<S: Simd<T>, const OUT: bool, const N: usize, const U: usize>(
        &self,
        simd: S,
        at: usize,
        n: usize,
        before: &Before<'_, T, S::V, N, U>,
    ) -> [S::V; U] {
        let mut old = [simd.splat(T::ZERO); U];
        for u in 0..U {
            if OUT {
                let behind = self.images.start * self.p.height * self.p.width * self.p.channels;
                old[u] = load_some(simd, &self.out[at - behind..][..n][u * S::LANES..]);
            }
            for array in 0..N {
                let Strip { a, mean, mean_rest, k } = &before.arrays[array];
                let a = &a[at..at + n][u * S::LANES..];
                simd.prefetch(a.as_ptr().wrapping_add(AHEAD));
                let centered = simd.sub(simd.sub(load_some(simd, a), mean[u]), mean_rest[u]);
                old[u] = if array == 0 { simd.mul(centered, k[u]) } else { simd.mul_add(centered, k[u], old[u]) };
            }
            if N > 0 {
                old[u] = simd.add(old[u], before.shift[u]);
            }
        }
        old
    }
}

/// What [`Onto::Centered`] needs for a strip of channels, in registers.
struct Before<'a, T, V, const N: usize, const U: usize> {
    arrays: [Strip<'a, T, V, U>; N],
    shift: [V; U],
}

#[derive(Clone, Copy)]
struct Strip<'a, T, V, const U: usize> {
    a: &'a [T],
    mean: [V; U],
    mean_rest: [V; U],
    k: [V; U],
}

impl<'a, T: Real, V: Copy, const N: usize, const U: usize> Before<'a, T, V, N, U> {
    #[inline(always)]
    fn new<S: Simd<T, V = V>>(simd: S, strip: Range<usize>, arrays: Arrays<'a, T, N>, shift: &[T]) -> Self {
        let none = [simd.splat(T::ZERO); U];
        let mut before = Self { arrays: [Strip { a: &[], mean: none, mean_rest: none, k: none }; N], shift: none };
        for u in 0..U {
            let part = |x: &[T]| load_some(simd, &x[strip.clone()][u * S::LANES..]);
            for (to, (a, factors)) in before.arrays.iter_mut().zip(arrays) {
                to.a = a;
                to.mean[u] = part(&factors.mean);
                to.mean_rest[u] = part(&factors.mean_rest);
                to.k[u] = part(&factors.k);
            }
            if N > 0 {
                before.shift[u] = part(shift);
            }
        }
        before
    }
}
