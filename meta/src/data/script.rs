//! Alphabets of stroke characters: an alphabet has a style, a character is 2 to 4 strokes in that style.
//!
//! Only +, −, ×, ÷ and √ are used, which every platform rounds alike: the same configuration gives the same pixels
//! everywhere.

use rand::{Rng, RngExt};

use super::raster::{POINTS, Point, Stroke};

/// Sixteenths of a circle, beginning at three o'clock.
const CIRCLE: Stroke = {
    let (a, b, c) = (0.923_879_532_511_286_7, std::f64::consts::FRAC_1_SQRT_2, 0.382_683_432_365_089_8);
    [
        [1.0, 0.0],
        [a, c],
        [b, b],
        [c, a],
        [0.0, 1.0],
        [-c, a],
        [-b, b],
        [-a, c],
        [-1.0, 0.0], //
        [-a, -c],
        [-b, -b],
        [-c, -a],
        [0.0, -1.0],
        [c, -a],
        [b, -b],
        [a, -c],
        [1.0, 0.0],
    ]
};

/// What a stroke looks like between its ends.
#[derive(Clone, Copy)]
enum Kind {
    Line,
    Arc,
    Corner,
    Hook,
    Wave,
    Ring,
    Dot,
}

const KINDS: [Kind; 7] = [Kind::Line, Kind::Arc, Kind::Corner, Kind::Hook, Kind::Wave, Kind::Ring, Kind::Dot];

/// Strokes tried for each one kept, which is the one farthest from the earlier strokes: a letter is no knot.
const TRIES: usize = 3;

/// How an alphabet's characters are made, drawn once for each alphabet.
pub(crate) struct Style {
    /// Chance of each kind of stroke.
    weights: [f64; KINDS.len()],
    /// Anchor points, columns × rows, where strokes begin and end.
    grid: [u32; 2],
    /// Fewest and most strokes of a character.
    strokes: [u32; 2],
    /// Chance that a stroke begins on an earlier one.
    joined: f64,
    /// Chance that a stroke keeps to its row or column.
    upright: f64,
    /// How far curves bulge, as a part of their length, and to which side.
    bulge: f64,
    /// Rightward lean: Δx / Δy.
    slant: f64,
    /// Width over height.
    aspect: f64,
    /// A stroke that all characters share: a headline, a stem, a base.
    frame: Option<Stroke>,
}

/// A number with mean 0 and variance 1, between −3.5 and 3.5: a sum of four uniform ones.
pub(crate) fn bell(rng: &mut impl Rng) -> f64 {
    let sum: f64 = (0..4).map(|_| rng.random::<f64>()).sum();
    (sum - 2.0) * 1.732_050_807_568_877_2
}

/// a + t(b − a).
pub(crate) fn mix(a: Point, b: Point, t: f64) -> Point {
    [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]
}

/// One of the whole numbers from `low` to `high`.
fn whole(rng: &mut impl Rng, [low, high]: [u32; 2]) -> u32 {
    rng.random_range(low..=high)
}

fn between(rng: &mut impl Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Mean over a stroke's points of the distance to the nearest point of the earlier strokes.
fn clearance(stroke: &Stroke, earlier: &[Stroke]) -> f64 {
    let square = |a: &Point, b: &Point| (a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]);
    let nearest = |p: &Point| earlier.as_flattened().iter().map(|q| square(p, q)).fold(1.0, f64::min).sqrt();
    stroke.iter().map(nearest).sum::<f64>() / POINTS as f64
}

fn line(a: Point, b: Point) -> Stroke {
    std::array::from_fn(|i| mix(a, b, fraction(i)))
}

/// Where on its stroke, from 0 to 1, point `i` lies.
pub(crate) fn fraction(i: usize) -> f64 {
    i as f64 / (POINTS - 1) as f64
}

impl Style {
    pub(crate) fn draw(rng: &mut impl Rng) -> Self {
        // Cubes make a few kinds of stroke rule an alphabet, as they do in the world's scripts.
        let favour = [1.0, 0.9, 0.8, 0.6, 0.4, 0.4, 0.15];
        let weights = favour.map(|f| f * (0.02 + rng.random::<f64>().powi(3)));
        Self {
            weights,
            grid: [whole(rng, [2, 3]), whole(rng, [3, 4])],
            strokes: [2, whole(rng, [3, 4])],
            joined: between(rng, 0.5, 1.0),
            upright: between(rng, 0.1, 0.8),
            bulge: between(rng, 0.25, 0.6) * if rng.random::<bool>() { 1.0 } else { -1.0 },
            slant: between(rng, -0.25, 0.35),
            aspect: between(rng, 0.6, 1.0),
            frame: match whole(rng, [0, 7]) {
                0 => Some(line([0.0, 0.0], [1.0, 0.0])),
                1 => Some(line([0.5, 0.0], [0.5, 1.0])),
                2 => Some(line([0.0, 0.0], [0.0, 1.0])),
                3 => Some(line([0.0, 1.0], [1.0, 1.0])),
                _ => None,
            },
        }
    }

    /// A character of its own.
    pub(crate) fn character(&self, rng: &mut impl Rng) -> Vec<Stroke> {
        let strokes = whole(rng, self.strokes);
        self.compose(strokes, rng)
    }

    /// The character that the alphabet's others are moved towards: it has as many strokes as any of them.
    pub(crate) fn root(&self, rng: &mut impl Rng) -> Vec<Stroke> {
        self.compose(self.strokes[1], rng)
    }

    fn compose(&self, count: u32, rng: &mut impl Rng) -> Vec<Stroke> {
        let mut strokes: Vec<Stroke> = self.frame.into_iter().collect();
        for _ in 0..count {
            let tries: [Stroke; TRIES] = std::array::from_fn(|_| self.stroke(self.start(&strokes, rng), rng));
            let clearest = tries.iter().max_by(|a, b| clearance(a, &strokes).total_cmp(&clearance(b, &strokes)));
            strokes.extend(clearest);
        }
        self.lean(&mut strokes);
        fit(&mut strokes);
        strokes
    }

    /// Where a stroke begins: on an earlier one, at its ends or its middle, or at an anchor.
    fn start(&self, strokes: &[Stroke], rng: &mut impl Rng) -> Point {
        if strokes.is_empty() || rng.random::<f64>() >= self.joined {
            return self.anchor(rng);
        }
        let earlier = strokes[rng.random_range(0..strokes.len() as u32) as usize];
        earlier[whole(rng, [0, 2]) as usize * (POINTS / 2)]
    }

    fn anchor(&self, rng: &mut impl Rng) -> Point {
        self.grid.map(|n| f64::from(rng.random_range(0..n)) / f64::from(n - 1))
    }

    /// Another anchor than `from`, in its row or column if the style says so.
    fn target(&self, from: Point, rng: &mut impl Rng) -> Point {
        let mut to = self.anchor(rng);
        if rng.random::<f64>() < self.upright {
            let axis = whole(rng, [0, 1]) as usize;
            to[axis] = from[axis];
        }
        let apart = (to[0] - from[0]).abs() + (to[1] - from[1]).abs();
        if apart > 0.25 { to } else { [1.0 - from[0], 1.0 - from[1]] }
    }

    fn kind(&self, rng: &mut impl Rng) -> Kind {
        let mut left = rng.random::<f64>() * self.weights.iter().sum::<f64>();
        for (kind, weight) in KINDS.into_iter().zip(self.weights) {
            left -= weight;
            if left < 0.0 {
                return kind;
            }
        }
        Kind::Line
    }

    fn stroke(&self, a: Point, rng: &mut impl Rng) -> Stroke {
        let (b, kind) = (self.target(a, rng), self.kind(rng));
        // Perpendicular to the stroke and as long.
        let across = |t: f64| [t * (a[1] - b[1]), t * (b[0] - a[0])];
        let aside = |i: usize, t: f64| {
            let (on, off) = (mix(a, b, fraction(i)), across(t));
            [on[0] + off[0], on[1] + off[1]]
        };
        match kind {
            Kind::Line => line(a, b),
            // Parabolas: 4t(1 − t) is 1 in the middle; 10.4 t(1 − t)(1 − 2t) is ±1 at its two humps.
            Kind::Arc => std::array::from_fn(|i| aside(i, self.bulge * 4.0 * fraction(i) * (1.0 - fraction(i)))),
            Kind::Wave => std::array::from_fn(|i| {
                let t = fraction(i);
                aside(i, self.bulge * 0.7 * 10.4 * t * (1.0 - t) * (1.0 - 2.0 * t))
            }),
            Kind::Corner => {
                let c = self.target(b, rng);
                std::array::from_fn(|i| if i < 8 { mix(a, b, i as f64 / 8.0) } else { mix(b, c, (i - 8) as f64 / 8.0) })
            }
            // Straight to a quarter before the end, then round to one side.
            Kind::Hook => std::array::from_fn(|i| {
                let turn = (fraction(i) - 0.6).max(0.0) / 0.4;
                let (on, off) = (
                    mix(a, b, fraction(i).min(0.6) / 0.6 - 0.15 * turn * turn),
                    across(self.bulge * 0.7 * turn * turn),
                );
                let past = mix([0.0; 2], [b[0] - a[0], b[1] - a[1]], 0.25 * turn * (1.0 - turn));
                [on[0] + off[0] + past[0], on[1] + off[1] + past[1]]
            }),
            Kind::Ring => {
                let radius = between(rng, 0.15, 0.3);
                CIRCLE.map(|c| [a[0] + radius * (c[0] - 1.0), a[1] + radius * c[1]])
            }
            Kind::Dot => {
                let centre = mix(a, b, 0.5);
                line(centre, [centre[0] + 0.02, centre[1] + 0.04])
            }
        }
    }

    fn lean(&self, strokes: &mut [Stroke]) {
        for [x, y] in strokes.as_flattened_mut() {
            *x = *x * self.aspect - self.slant * *y;
        }
    }
}

/// Moves and scales a character so that its larger side runs from 0 to 1 and the other is centred.
pub(crate) fn fit(strokes: &mut [Stroke]) {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for p in strokes.as_flattened() {
        for axis in 0..2 {
            low[axis] = low[axis].min(p[axis]);
            high[axis] = high[axis].max(p[axis]);
        }
    }
    // A lone dot stays a dot.
    let size = (high[0] - low[0]).max(high[1] - low[1]).max(0.2);
    for p in strokes.as_flattened_mut() {
        for axis in 0..2 {
            p[axis] = 0.5 + (p[axis] - 0.5 * (low[axis] + high[axis])) / size;
        }
    }
}
