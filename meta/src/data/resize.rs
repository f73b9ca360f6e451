//! The one resize that the experiments need: 105×105 to 28×28, by area.

/// Side of Omniglot's drawings.
pub const DRAWN: usize = 105;
/// Side of the images that the experiments see.
pub const SEEN: usize = 28;

/// 105/28 = 15/4: in quarters of a drawn pixel, a seen pixel is 15 wide and a drawn one 4.
const SPAN: usize = 15;
const QUARTERS: usize = 4;
/// Quarter cells in a seen pixel: the divisor of [`area_sums`].
pub const CELLS: u32 = (SPAN * SPAN) as u32;

/// Σ over the quarter cells of a seen pixel of the drawn pixel they lie in: 225 times the mean of the 3.75×3.75 box.
/// In: 105×105 bytes, row-major. Out: 28×28 exact integers, each at most 255 · 225.
///
/// # Panics
/// If the image is not 105×105.
#[must_use]
#[track_caller]
pub fn area_sums(drawn: &[u8]) -> Vec<u32> {
    assert_eq!(drawn.len(), DRAWN * DRAWN, "area_sums: an image of {DRAWN}×{DRAWN} bytes");
    // The box is a product of two intervals: rows first, whose sums run along contiguous pixels.
    let mut sums = Vec::with_capacity(SEEN * SEEN);
    for y in 0..SEEN {
        let mut row = [0u32; DRAWN];
        for (source, cells) in overlaps(y) {
            for (sum, &v) in row.iter_mut().zip(&drawn[source * DRAWN..]) {
                *sum += cells * u32::from(v);
            }
        }
        sums.extend((0..SEEN).map(|x| overlaps(x).map(|(source, cells)| cells * row[source]).sum::<u32>()));
    }
    sums
}

/// The mean over each seen pixel's box, rounded to the nearest byte: 105×105 in, appends 28×28.
///
/// # Panics
/// If the image is not 105×105.
#[track_caller]
pub fn shrink(drawn: &[u8], seen: &mut Vec<u8>) {
    seen.extend(area_sums(drawn).iter().map(|sum| ((sum + CELLS / 2) / CELLS) as u8));
}

/// The drawn pixels under seen pixel `i` along one axis, each with its number of quarters; these add up to 15.
fn overlaps(i: usize) -> impl Iterator<Item = (usize, u32)> {
    let (start, end) = (i * SPAN, (i + 1) * SPAN);
    (start / QUARTERS..end.div_ceil(QUARTERS)).map(move |source| {
        let (from, to) = (start.max(source * QUARTERS), end.min((source + 1) * QUARTERS));
        (source, (to - from) as u32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, rng};
    use rand::RngExt;

    fn noise(index: u64) -> Vec<u8> {
        let mut rng = rng(1, Purpose::Data, 0, index);
        (0..DRAWN * DRAWN).map(|_| rng.random::<u8>()).collect()
    }

    /// ∫∫ over the box of seen pixel (y, x), divided by its area: overlap lengths in floating point.
    fn integral(drawn: &[u8], y: usize, x: usize) -> f64 {
        let overlap = |i: usize, s: usize| {
            (((i + 1) as f64 * 3.75).min(s as f64 + 1.0) - (i as f64 * 3.75).max(s as f64)).max(0.0)
        };
        let mut sum = 0.0;
        for sy in 0..DRAWN {
            for sx in 0..DRAWN {
                sum += overlap(y, sy) * overlap(x, sx) * f64::from(drawn[sy * DRAWN + sx]);
            }
        }
        sum / (3.75 * 3.75)
    }

    #[test]
    fn equals_the_integral_over_the_box() {
        let drawn = noise(0);
        let (sums, mut bytes) = (area_sums(&drawn), Vec::new());
        shrink(&drawn, &mut bytes);
        for i in 0..SEEN * SEEN {
            let exact = integral(&drawn, i / SEEN, i % SEEN);
            assert!((f64::from(sums[i]) / f64::from(CELLS) - exact).abs() < 1e-10);
            assert!((f64::from(bytes[i]) - exact).abs() <= 0.5 + 1e-10);
        }
    }

    #[test]
    fn constant_stays_constant() {
        for level in [0u8, 1, 127, 255] {
            let mut bytes = Vec::new();
            shrink(&vec![level; DRAWN * DRAWN], &mut bytes);
            assert_eq!(bytes, vec![level; SEEN * SEEN]);
        }
    }

    #[test]
    fn total_ink_is_preserved() {
        for index in 0..5 {
            let drawn = noise(index);
            // A drawn pixel has 16 quarter cells, and each cell lies under exactly one seen pixel.
            let ink: u32 = drawn.iter().map(|&v| 16 * u32::from(v)).sum();
            assert_eq!(area_sums(&drawn).iter().sum::<u32>(), ink);
        }
    }
}
