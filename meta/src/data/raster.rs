//! Strokes to pixels: anti-aliased lines of a round pen.

/// A point, [x, y], y downwards.
pub(crate) type Point = [f64; 2];

/// Points of a stroke: enough for a ring to look round, and the same for every kind, so that strokes can be blended.
pub(crate) const POINTS: usize = 17;

/// A polyline.
pub(crate) type Stroke = [Point; POINTS];

/// Draws strokes, in pixels, with a pen of the given half width onto a square image of `side` pixels.
///
/// A pixel's ink is the part of a pixel-wide ramp around the pen's edge: clamp(half_width + ½ − d, 0, 1) for a centre
/// at distance d from the nearest stroke. Ink never adds up where strokes cross.
pub(crate) fn draw(strokes: &[Stroke], half_width: f64, side: usize) -> Vec<u8> {
    let mut ink = vec![0.0f64; side * side];
    for stroke in strokes {
        for ends in stroke.windows(2) {
            segment(&mut ink, side, ends[0], ends[1], half_width);
        }
    }
    ink.iter().map(|v| (v * 255.0 + 0.5) as u8).collect()
}

/// Only the pixels within the pen's reach are visited.
fn segment(ink: &mut [f64], side: usize, a: Point, b: Point, half_width: f64) {
    let reach = half_width + 0.5;
    let span = |axis: usize| {
        let (low, high) = (a[axis].min(b[axis]) - reach, a[axis].max(b[axis]) + reach);
        // Casts of negative numbers stop at 0.
        ((low - 0.5).ceil().max(0.0) as usize)..((high + 0.5).floor().max(0.0) as usize).min(side)
    };
    for y in span(1) {
        for x in span(0) {
            let d = distance([x as f64 + 0.5, y as f64 + 0.5], a, b);
            let pixel = &mut ink[y * side + x];
            *pixel = pixel.max((reach - d).clamp(0.0, 1.0));
        }
    }
}

/// Distance from p to the segment from a to b.
fn distance(p: Point, a: Point, b: Point) -> f64 {
    let (ab, ap) = ([b[0] - a[0], b[1] - a[1]], [p[0] - a[0], p[1] - a[1]]);
    let length2 = ab[0] * ab[0] + ab[1] * ab[1];
    let t = if length2 > 0.0 { ((ab[0] * ap[0] + ab[1] * ap[1]) / length2).clamp(0.0, 1.0) } else { 0.0 };
    let d = [ap[0] - t * ab[0], ap[1] - t * ab[1]];
    (d[0] * d[0] + d[1] * d[1]).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_line_covers_its_width() {
        let stroke: Stroke = std::array::from_fn(|i| [2.0 + i as f64 * 0.5, 6.0]);
        let image = draw(&[stroke], 1.0, 12);
        // At x = 5.5 the pen covers y from 5 to 7: two full rows and nothing else.
        let column: Vec<u8> = (0..12).map(|y| image[y * 12 + 5]).collect();
        assert_eq!(column, [0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn strokes_may_leave_the_image() {
        let stroke: Stroke = std::array::from_fn(|i| [i as f64 * 4.0 - 20.0, i as f64 * 4.0 - 20.0]);
        let image = draw(&[stroke], 1.5, 10);
        assert_eq!((image[0], image[99], image[9]), (255, 255, 0));
    }

    #[test]
    fn a_point_is_a_disc() {
        let image = draw(&[[[4.5, 4.5]; POINTS]], 2.0, 9);
        assert_eq!((image[4 * 9 + 4], image[4 * 9 + 6], image[4 * 9 + 7]), (255, 128, 0));
    }
}
