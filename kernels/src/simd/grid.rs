//! Counters of three digits, by which rows and columns of a matrix are numbered, and the steps of a walk over them.

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
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.count.iter().product()
    }
    /// The largest of the first `len` offsets; `usize::MAX` stands for all that is larger.
    #[inline(always)]
    pub(super) fn reach(&self, len: usize) -> usize {
        // Offsets grow with every digit, so the last digits decide; a shorter walk on one line ends earlier.
        let last = if self.count[0] == 1 && self.count[1] == 1 {
            [0, 0, len - 1]
        } else {
            self.count.map(|count| count.saturating_sub(1))
        };
        last.iter().zip(self.stride).fold(0, |sum, (&digit, s)| usize::saturating_add(sum, digit.saturating_mul(s)))
    }
}

/// Walks a [`Grid`] for ever: after the last offset it goes on as if the first digit had no bound.
pub(super) struct Walk {
    grid: Grid,
    digit: [usize; 2],
    line: usize,
}

impl Walk {
    #[inline(always)]
    pub(super) fn new(grid: Grid) -> Self {
        Self { grid, digit: [0; 2], line: 0 }
    }
    /// The next `count` offsets; what is behind them in `offsets` is unspecified. Whether they all are on one line.
    #[inline(always)]
    pub(super) fn fill<const N: usize>(&mut self, offsets: &mut [usize; N], count: usize) -> bool {
        let Grid { count: [.., line], stride: [.., stride] } = self.grid;
        let left = line - self.digit[1];
        if count < left {
            // All N of them, in a loop without a branch: a tile must not wait for its rows.
            let start = self.line + self.digit[1] * stride;
            for i in 0..N {
                offsets[i] = start.wrapping_add(i.wrapping_mul(stride));
            }
            self.digit[1] += count;
        } else {
            self.fill_lines(&mut offsets[..count]);
        }
        count <= left
    }
    /// The next offsets, wherever lines end.
    #[inline(always)]
    fn fill_lines(&mut self, offsets: &mut [usize]) {
        let Grid { count, stride } = self.grid;
        let mut at = 0;
        while at < offsets.len() {
            let (start, run) = (self.digit[1], (offsets.len() - at).min(count[2] - self.digit[1]));
            for i in 0..run {
                offsets[at + i] = self.line + (start + i) * stride[2];
            }
            at += run;
            self.digit[1] += run;
            if self.digit[1] == count[2] {
                self.digit = [self.digit[0] + 1, 0];
                self.line += stride[1];
                if self.digit[0] == count[1] {
                    self.digit[0] = 0;
                    self.line = self.line - count[1] * stride[1] + stride[0];
                }
            }
        }
    }
}

/// How a tile walks over k: `lines` of `inner` steps, of which `middle` belong to each outer digit. The steps
/// wrap around: those of A from line to line and on to the next outer digit; those of B from the end of a line.
pub(super) struct Steps {
    pub(super) inner: usize,
    pub(super) middle: usize,
    pub(super) lines: usize,
    pub(super) a: [usize; 3],
    pub(super) b: [usize; 3],
}

impl Steps {
    #[inline(always)]
    pub(super) fn new(mut columns: Grid, mut row: [usize; 3]) -> Self {
        // The last line must have two steps: digits that never turn are moved to the front.
        while columns.count[2] == 1 && columns.count != [1; 3] {
            columns.count.rotate_right(1);
            columns.stride.rotate_right(1);
            row.rotate_right(1);
        }
        let Grid { count: [outer, middle, inner], stride } = columns;
        Self {
            inner,
            middle,
            lines: outer * middle,
            a: [stride[0].wrapping_sub(middle.wrapping_mul(stride[1])), stride[1], stride[2]],
            b: [
                row[0].wrapping_sub(middle.wrapping_mul(row[1])),
                row[1].wrapping_sub(inner.wrapping_mul(row[2])),
                row[2],
            ],
        }
    }
}
