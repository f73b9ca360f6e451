//! The matrices of Winograd's algorithm in one dimension, applied to vectors of channels.

use core::f64::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use crate::{Isa, Real, conv::Windows, simd::Simd};

/// The size of the tiles of outputs, m.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scheme {
    /// m = 2
    F2,
    /// m = 4
    F4,
    /// m = 5
    F5,
}

/// A pair of points ±p of [`Scheme::F5`], with what its rows are made of.
#[derive(Clone, Copy)]
struct Pair {
    /// p
    point: f64,
    /// p²
    square: f64,
    /// Sum and product of the squares of the two other pairs.
    others: [f64; 2],
    /// 1 / Π_{q≠p} (p − q)
    weight: f64,
}

impl Pair {
    const fn new(point: f64, square: f64, [first, second]: [f64; 2]) -> Self {
        let weight = 1.0 / (2.0 * point * (square - first) * (square - second));
        Self { point, square, others: [first + second, first * second], weight }
    }
}

/// The squares of the three points.
const SQUARES: [f64; 3] = [1.0 / 9.0, 0.75, 3.0];
/// √3, which is not a constant of the language yet.
const ROOT: f64 = 1.732_050_807_568_877_2;
const PAIRS: [Pair; 3] = [
    Pair::new(1.0 / 3.0, SQUARES[0], [SQUARES[1], SQUARES[2]]),
    Pair::new(ROOT / 2.0, SQUARES[1], [SQUARES[0], SQUARES[2]]),
    Pair::new(ROOT, SQUARES[2], [SQUARES[0], SQUARES[1]]),
];

/// The matrices, named by what they are applied to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Matrix {
    /// Bᵀ x: m + 2 → m + 2 elements.
    Input,
    /// G w: 3 → m + 2 elements.
    Weight,
    /// Aᵀ v: m + 2 → m elements.
    Output,
    /// A dy: m → m + 2 elements.
    OutputGradient,
    /// Gᵀ v: m + 2 → 3 elements.
    WeightGradient,
}

impl Matrix {
    /// Elements before and after.
    #[inline(always)]
    fn size(self, scheme: Scheme) -> [usize; 2] {
        match self {
            Matrix::Input => [scheme.side(), scheme.side()],
            Matrix::Weight => [3, scheme.side()],
            Matrix::Output => [scheme.side(), scheme.out()],
            Matrix::OutputGradient => [scheme.out(), scheme.side()],
            Matrix::WeightGradient => [scheme.side(), 3],
        }
    }

    /// The matrix applied to one line.
    #[inline(always)]
    pub(super) fn line<T: Real, S: Simd<T>>(self, simd: S, scheme: Scheme, x: [S::V; SIDE]) -> [S::V; SIDE] {
        match self {
            Matrix::Input => scheme.input(simd, x),
            Matrix::Weight => scheme.weight(simd, x),
            Matrix::Output => scheme.output(simd, x),
            Matrix::OutputGradient => scheme.output_gradient(simd, x),
            Matrix::WeightGradient => scheme.weight_gradient(simd, x),
        }
    }

    /// Puts a column, transformed, into the square that is half done: its rows are [`Self::line`]s yet to come.
    #[inline(always)]
    pub(super) fn column<T: Real, S: Simd<T>>(
        self,
        simd: S,
        scheme: Scheme,
        column: [S::V; SIDE],
        j: usize,
        half: &mut Square<S::V>,
    ) {
        let column = self.line(simd, scheme, column);
        for i in 0..self.size(scheme)[1] {
            half[i][j] = column[i];
        }
    }
}

/// Rows of vectors, of which smaller squares leave the rest unused.
pub(super) type Square<V> = [[V; SIDE]; SIDE];

/// Elements of the longest transformed line, m + 2; shorter lines leave the rest unused.
pub(super) const SIDE: usize = 7;

/// Channels below which the transforms cost more than they save.
const CHANNELS: usize = 32;

/// Multiplications per multiplication of a direct sum: those of the transforms that are not hidden, from medians over
/// 25 images of 2 to 16 pixels on Zen 4 (64 channels: 1.4, 32 channels: 1.7).
fn overhead(channels: [usize; 2]) -> f64 {
    1.1 + 10.0 / channels[0] as f64 + 10.0 / channels[1] as f64
}

impl Scheme {
    /// What computes these windows fastest, `None` for direct sums. That does not depend on the number of images, so
    /// that a batch can be split without changing bits. In f64, where results are compared with others, sums are direct.
    pub(crate) fn of<T: Real>(isa: Isa, windows: &Windows) -> Option<Self> {
        let fits = windows.kernel == [3, 3] && windows.stride == 1 && windows.channels.iter().all(|&c| c >= CHANNELS);
        if isa.is_direct() || size_of::<T>() != size_of::<f32>() || !fits {
            return None;
        }
        let cost = |scheme: Scheme| {
            let tiles = windows.out.map(|out| out.div_ceil(scheme.out()));
            (scheme.points() * tiles[0] * tiles[1]) as f64 * overhead(windows.channels)
        };
        let best = [Scheme::F2, Scheme::F4, Scheme::F5].into_iter().min_by(|a, b| cost(*a).total_cmp(&cost(*b)))?;
        (cost(best) < windows.products_per_channel() as f64).then_some(best)
    }

    /// m
    pub(super) fn out(self) -> usize {
        match self {
            Scheme::F2 => 2,
            Scheme::F4 => 4,
            Scheme::F5 => 5,
        }
    }

    /// m + 2
    pub(super) fn side(self) -> usize {
        self.out() + 2
    }

    /// Points in two dimensions.
    pub(super) fn points(self) -> usize {
        self.side() * self.side()
    }

    /// Bᵀ x: m + 2 → m + 2 elements.
    #[inline(always)]
    fn input<T: Real, S: Simd<T>>(self, simd: S, x: [S::V; SIDE]) -> [S::V; SIDE] {
        let c = |value: f64| simd.splat(T::from_f64(value));
        match self {
            Scheme::F2 => {
                let [x0, x1, x2, x3, ..] = x;
                [simd.sub(x0, x2), simd.add(x1, x2), simd.sub(x2, x1), simd.sub(x3, x1), x[4], x[5], x[6]]
            }
            Scheme::F4 => {
                let [x0, x1, x2, x3, x4, x5, _] = x;
                // The rows of ±a are x⁴ − b² x² ± a (x³ − b² x), those of ±b the same with a² and b.
                let (even_a, odd_a) = (simd.neg_mul_add(c(2.0), x2, x4), simd.neg_mul_add(c(2.0), x1, x3));
                let (even_b, odd_b) = (simd.neg_mul_add(c(0.5), x2, x4), simd.neg_mul_add(c(0.5), x1, x3));
                [
                    simd.add(simd.neg_mul_add(c(2.5), x2, x0), x4),
                    simd.mul_add(c(A), odd_a, even_a),
                    simd.neg_mul_add(c(A), odd_a, even_a),
                    simd.mul_add(c(B), odd_b, even_b),
                    simd.neg_mul_add(c(B), odd_b, even_b),
                    simd.add(simd.neg_mul_add(c(2.5), x3, x1), x5),
                    x[6],
                ]
            }
            Scheme::F5 => {
                let [x0, x1, x2, x3, x4, x5, x6] = x;
                let mut out = x;
                for (i, Pair { point, others: [sum, product], .. }) in PAIRS.into_iter().enumerate() {
                    // (x ± p) (x⁴ − sum x² + product)
                    let even = simd.mul_add(c(product), x0, simd.neg_mul_add(c(sum), x2, x4));
                    let odd = simd.mul_add(c(product), x1, simd.neg_mul_add(c(sum), x3, x5));
                    out[2 * i] = simd.mul_add(c(point), even, odd);
                    out[2 * i + 1] = simd.neg_mul_add(c(point), even, odd);
                }
                let [a, b, d] = SQUARES;
                let low = simd.neg_mul_add(c(a * b * d), x0, simd.mul_add(c(a * b + a * d + b * d), x2, x6));
                out[6] = simd.neg_mul_add(c(a + b + d), x4, low);
                out
            }
        }
    }

    /// G w: 3 → m + 2 elements.
    #[inline(always)]
    fn weight<T: Real, S: Simd<T>>(self, simd: S, w: [S::V; SIDE]) -> [S::V; SIDE] {
        let c = |value: f64| simd.splat(T::from_f64(value));
        let [w0, w1, w2, ..] = w;
        match self {
            Scheme::F2 => {
                let (even, odd) = (simd.mul(c(0.5), simd.add(w0, w2)), simd.mul(c(0.5), w1));
                [w0, simd.add(even, odd), simd.sub(even, odd), w2, w[4], w[5], w[6]]
            }
            Scheme::F4 => {
                // 2 a² (a² − b²) = −3/2 and 2 b² (b² − a²) = 6.
                let even_a = simd.mul(c(-2.0 / 3.0), simd.mul_add(c(0.5), w2, w0));
                let odd_a = simd.mul(c(-2.0 / 3.0 * A), w1);
                let even_b = simd.mul(c(1.0 / 6.0), simd.mul_add(c(2.0), w2, w0));
                let odd_b = simd.mul(c(1.0 / 6.0 * B), w1);
                [
                    w0,
                    simd.add(even_a, odd_a),
                    simd.sub(even_a, odd_a),
                    simd.add(even_b, odd_b),
                    simd.sub(even_b, odd_b),
                    w2,
                    w[6],
                ]
            }
            Scheme::F5 => {
                let mut out = w;
                for (i, Pair { point, square, weight, .. }) in PAIRS.into_iter().enumerate() {
                    let even = simd.mul(c(weight), simd.mul_add(c(square), w2, w0));
                    let odd = simd.mul(c(weight * point), w1);
                    out[2 * i] = simd.add(odd, even);
                    out[2 * i + 1] = simd.sub(odd, even);
                }
                out[6] = w2;
                out
            }
        }
    }

    /// Aᵀ v: m + 2 → m elements.
    #[inline(always)]
    fn output<T: Real, S: Simd<T>>(self, simd: S, v: [S::V; SIDE]) -> [S::V; SIDE] {
        let c = |value: f64| simd.splat(T::from_f64(value));
        let (even_a, odd_a) = (simd.add(v[1], v[2]), simd.sub(v[1], v[2]));
        match self {
            Scheme::F2 => [simd.add(v[0], even_a), simd.add(odd_a, v[3]), v[2], v[3], v[4], v[5], v[6]],
            Scheme::F4 => {
                let (even_b, odd_b) = (simd.add(v[3], v[4]), simd.sub(v[3], v[4]));
                [
                    simd.add(v[0], simd.add(even_a, even_b)),
                    simd.mul_add(c(A), odd_a, simd.mul(c(B), odd_b)),
                    simd.mul_add(c(0.5), even_a, simd.mul(c(2.0), even_b)),
                    simd.add(simd.mul_add(c(0.5 * A), odd_a, simd.mul(c(2.0 * B), odd_b)), v[5]),
                    v[4],
                    v[5],
                    v[6],
                ]
            }
            Scheme::F5 => {
                let mut out = [simd.splat(T::ZERO); SIDE];
                out[4] = v[6];
                for (i, Pair { point, square, .. }) in PAIRS.into_iter().enumerate() {
                    let (even, odd) = (simd.add(v[2 * i], v[2 * i + 1]), simd.sub(v[2 * i], v[2 * i + 1]));
                    out[0] = simd.add(out[0], even);
                    out[1] = simd.mul_add(c(point), odd, out[1]);
                    out[2] = simd.mul_add(c(square), even, out[2]);
                    out[3] = simd.mul_add(c(point * square), odd, out[3]);
                    out[4] = simd.mul_add(c(square * square), even, out[4]);
                }
                out
            }
        }
    }

    /// A y: m → m + 2 elements, the transpose of [`Self::output`].
    #[inline(always)]
    fn output_gradient<T: Real, S: Simd<T>>(self, simd: S, y: [S::V; SIDE]) -> [S::V; SIDE] {
        let c = |value: f64| simd.splat(T::from_f64(value));
        let [y0, y1, y2, y3, ..] = y;
        match self {
            Scheme::F2 => [y0, simd.add(y0, y1), simd.sub(y0, y1), y1, y[4], y[5], y[6]],
            Scheme::F4 => {
                let even_a = simd.mul_add(c(0.5), y2, y0);
                let odd_a = simd.mul(c(A), simd.mul_add(c(0.5), y3, y1));
                let even_b = simd.mul_add(c(2.0), y2, y0);
                let odd_b = simd.mul(c(B), simd.mul_add(c(2.0), y3, y1));
                [
                    y0,
                    simd.add(even_a, odd_a),
                    simd.sub(even_a, odd_a),
                    simd.add(even_b, odd_b),
                    simd.sub(even_b, odd_b),
                    y3,
                    y[6],
                ]
            }
            Scheme::F5 => {
                let mut out = y;
                for (i, Pair { point, square, .. }) in PAIRS.into_iter().enumerate() {
                    let even = simd.mul_add(c(square), simd.mul_add(c(square), y[4], y2), y0);
                    let odd = simd.mul(c(point), simd.mul_add(c(square), y3, y1));
                    out[2 * i] = simd.add(even, odd);
                    out[2 * i + 1] = simd.sub(even, odd);
                }
                out[6] = y[4];
                out
            }
        }
    }

    /// Gᵀ v: m + 2 → 3 elements, the transpose of [`Self::weight`].
    #[inline(always)]
    fn weight_gradient<T: Real, S: Simd<T>>(self, simd: S, v: [S::V; SIDE]) -> [S::V; SIDE] {
        let c = |value: f64| simd.splat(T::from_f64(value));
        let (even_a, odd_a) = (simd.add(v[1], v[2]), simd.sub(v[1], v[2]));
        match self {
            Scheme::F2 => {
                let half = simd.mul(c(0.5), even_a);
                [simd.add(v[0], half), simd.mul(c(0.5), odd_a), simd.add(half, v[3]), v[3], v[4], v[5], v[6]]
            }
            Scheme::F4 => {
                let (even_a, odd_a) = (simd.mul(c(-2.0 / 3.0), even_a), simd.mul(c(-2.0 / 3.0 * A), odd_a));
                let even_b = simd.mul(c(1.0 / 6.0), simd.add(v[3], v[4]));
                let odd_b = simd.mul(c(1.0 / 6.0 * B), simd.sub(v[3], v[4]));
                [
                    simd.add(v[0], simd.add(even_a, even_b)),
                    simd.add(odd_a, odd_b),
                    simd.add(simd.mul_add(c(0.5), even_a, simd.mul(c(2.0), even_b)), v[5]),
                    v[3],
                    v[4],
                    v[5],
                    v[6],
                ]
            }
            Scheme::F5 => {
                let mut out = [simd.splat(T::ZERO); SIDE];
                out[2] = v[6];
                for (i, Pair { point, square, weight, .. }) in PAIRS.into_iter().enumerate() {
                    let (sum, difference) = (simd.add(v[2 * i], v[2 * i + 1]), simd.sub(v[2 * i], v[2 * i + 1]));
                    out[0] = simd.mul_add(c(weight), difference, out[0]);
                    out[1] = simd.mul_add(c(weight * point), sum, out[1]);
                    out[2] = simd.mul_add(c(weight * square), difference, out[2]);
                }
                out
            }
        }
    }
}
