//! Counters of three digits, as which rows and columns of a sum-indexed matrix are numbered.

/// Offsets Σ_d digit_d · stride_d for all digits below `count`, the last digit running fastest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    pub(crate) count: [usize; 3],
    pub(crate) stride: [usize; 3],
}

impl Grid {
    /// 0, stride, 2·stride, ...
    pub(crate) fn line(count: usize, stride: usize) -> Self {
        Self { count: [1, 1, count], stride: [0, 0, stride] }
    }
    pub(crate) fn len(&self) -> usize {
        self.count.iter().product()
    }
    /// The largest offset of a grid that is not empty, in a type that cannot overflow.
    pub(super) fn reach(&self) -> u128 {
        self.count.iter().zip(self.stride).map(|(&n, s)| (n as u128 - 1) * s as u128).fold(0, u128::saturating_add)
    }
}

/// Walks a [`Grid`] for ever: after the last offset it goes on as if the first digit had no bound.
pub(super) struct Walk {
    grid: Grid,
    digit: [usize; 2],
    line: usize,
    offset: usize,
}

impl Walk {
    #[inline(always)]
    pub(super) fn new(grid: Grid) -> Self {
        Self { grid, digit: [0; 2], line: 0, offset: 0 }
    }
    #[inline(always)]
    pub(super) fn next(&mut self) -> usize {
        let (Grid { count, stride }, now) = (&self.grid, self.offset);
        self.digit[1] += 1;
        self.offset += stride[2];
        if self.digit[1] == count[2] {
            self.digit = [self.digit[0] + 1, 0];
            self.line += stride[1];
            if self.digit[0] == count[1] {
                self.digit[0] = 0;
                self.line = self.line - count[1] * stride[1] + stride[0];
            }
            self.offset = self.line;
        }
        now
    }
}
