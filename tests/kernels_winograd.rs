//! Winograd's algorithm against the seven loops in f64, within the bound of its own sums, on every instruction set.
//!
//! With û the unit roundoff and γ_n = n û / (1 − n û), a result of L roundings from input to output differs from the
//! exact one by at most γ_L times what the same matrices with absolute values make of absolute values:
//! |Aᵀ| \[Σ_c (|G| |w| |Gᵀ|) ⊙ (|Bᵀ| |x| |B|)\] |A| for the output. L counts the rounded constants with the operations.

#[path = "support/bound.rs"]
mod bound;

use bound::{Guarded, assert_within, gamma, random};
use maml_kernels::{Conv, Isa, conv_input_gradient, conv_output, conv_weight_gradient, naive};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

/// Roundings on the way of a number through the transforms: two matrices on each of three ways.
const TRANSFORMS: usize = 34;

const fn conv(images: usize, side: usize, channels: usize) -> Conv {
    Conv {
        images,
        height: side,
        width: side,
        c_in: channels,
        c_out: channels,
        kernel_height: 3,
        kernel_width: 3,
        stride: 1,
        padding: 1,
    }
}

fn random_geometry(rng: &mut ChaCha8Rng) -> Conv {
    Conv {
        images: rng.random_range(1..=3),
        height: rng.random_range(1..=17),
        width: rng.random_range(4..=17),
        c_in: rng.random_range(32..=41),
        c_out: rng.random_range(32..=41),
        padding: rng.random_range(0..=3),
        ..conv(1, 1, 1)
    }
}

type Matrix = Vec<Vec<f64>>;

/// |Aᵀ|, |G| and |Bᵀ| from the definition: the finite points and ∞.
fn absolute_matrices(m: usize) -> [Matrix; 3] {
    let (a, b) = (0.5_f64.sqrt(), 2.0_f64.sqrt());
    let pairs = |squares: [f64; 3]| squares.into_iter().flat_map(|s| [s.sqrt(), -s.sqrt()]).collect();
    let points = match m {
        2 => vec![0.0, 1.0, -1.0],
        4 => vec![0.0, a, -a, b, -b],
        _ => pairs([1.0 / 9.0, 0.75, 3.0]),
    };
    // Coefficients of Π (x − q).
    let polynomial = |roots: &[f64]| {
        let mut p = vec![1.0];
        for q in roots {
            let mut next = vec![0.0; p.len() + 1];
            for (i, c) in p.iter().enumerate() {
                next[i + 1] += c;
                next[i] -= q * c;
            }
            p = next;
        }
        p.resize(m + 2, 0.0);
        p
    };
    let (mut at, mut g, mut bt) = (vec![vec![0.0; m + 2]; m], vec![], vec![]);
    for (i, p) in points.iter().enumerate() {
        let others: Vec<f64> = points.iter().copied().filter(|q| q != p).collect();
        let scale: f64 = others.iter().map(|q| p - q).product();
        (0..m).for_each(|k| at[k][i] = p.powi(k as i32).abs());
        g.push((0..3).map(|k| (p.powi(k) / scale).abs()).collect());
        bt.push(polynomial(&others).iter().map(|c| c.abs()).collect());
    }
    at[m - 1][m + 1] = 1.0;
    g.push(vec![0.0, 0.0, 1.0]);
    bt.push(polynomial(&points).iter().map(|c| c.abs()).collect());
    [at, g, bt]
}

/// M x Mᵀ of a square given by its elements.
fn square(m: &Matrix, side: usize, x: impl Fn(usize, usize) -> f64) -> Matrix {
    let half: Matrix =
        m.iter().map(|row| (0..side).map(|j| (0..side).map(|i| row[i] * x(i, j)).sum()).collect()).collect();
    half.iter().map(|line| m.iter().map(|row| row.iter().zip(line).map(|(a, b)| a * b).sum()).collect()).collect()
}

fn transpose(m: &Matrix) -> Matrix {
    (0..m[0].len()).map(|j| m.iter().map(|row| row[j]).collect()).collect()
}

/// What the sums in `m` × `m` tiles add up to without signs: for the output, or for the weight gradient.
struct Magnitude<'a> {
    g: &'a Conv,
    m: usize,
    matrices: [Matrix; 3],
}

impl<'a> Magnitude<'a> {
    fn new(g: &'a Conv, m: usize) -> Self {
        Self { g, m, matrices: absolute_matrices(m) }
    }
    fn tiles(&self) -> Vec<[usize; 3]> {
        let (g, m) = (self.g, self.m);
        let starts = |len: usize| (0..len).step_by(m).collect::<Vec<_>>();
        let place = |n| starts(g.out_height()).into_iter().map(move |i| (n, i));
        (0..g.images)
            .flat_map(place)
            .flat_map(|(n, i)| starts(g.out_width()).into_iter().map(move |j| [n, i, j]))
            .collect()
    }
    /// Bᵀ x B of a tile, channel by channel.
    fn input(&self, x: &[f32], [n, row, column]: [usize; 3]) -> Vec<Matrix> {
        let g = self.g;
        let pixel = |i: usize, j: usize, c: usize| {
            let (i, j) = ((row + i).wrapping_sub(g.padding), (column + j).wrapping_sub(g.padding));
            let inside = i < g.height && j < g.width;
            if inside { f64::from(x[((n * g.height + i) * g.width + j) * g.c_in + c].abs()) } else { 0.0 }
        };
        (0..g.c_in).map(|c| square(&self.matrices[2], self.m + 2, |i, j| pixel(i, j, c))).collect()
    }
    fn pixel_of_output(&self, [n, row, column]: [usize; 3], i: usize, j: usize) -> Option<usize> {
        let inside = row + i < self.g.out_height() && column + j < self.g.out_width();
        inside.then(|| ((n * self.g.out_height() + row + i) * self.g.out_width() + column + j) * self.g.c_out)
    }
    fn output(&self, x: &[f32], w: &[f32]) -> Vec<f64> {
        let (g, side) = (self.g, self.m + 2);
        let weight = |c: usize, o: usize| {
            square(&self.matrices[1], 3, |a, b| f64::from(w[((a * 3 + b) * g.c_in + c) * g.c_out + o].abs()))
        };
        let weights: Vec<Vec<Matrix>> = (0..g.c_out).map(|o| (0..g.c_in).map(|c| weight(c, o)).collect()).collect();
        let mut y = vec![0.0; g.output_len()];
        for tile in self.tiles() {
            let x = self.input(x, tile);
            for o in 0..g.c_out {
                let v = |i: usize, j: usize| (0..g.c_in).map(|c| x[c][i][j] * weights[o][c][i][j]).sum::<f64>();
                let out = square(&self.matrices[0], side, v);
                for (i, j) in (0..self.m).flat_map(|i| (0..self.m).map(move |j| (i, j))) {
                    if let Some(pixel) = self.pixel_of_output(tile, i, j) {
                        y[pixel + o] = out[i][j];
                    }
                }
            }
        }
        y
    }
    fn weight_gradient(&self, x: &[f32], dy: &[f32]) -> Vec<f64> {
        let (g, side) = (self.g, self.m + 2);
        let (a, gt) = (transpose(&self.matrices[0]), transpose(&self.matrices[1]));
        let mut points = vec![vec![vec![0.0; side]; side]; g.c_in * g.c_out];
        for tile in self.tiles() {
            let x = self.input(x, tile);
            for o in 0..g.c_out {
                let pixel = |i, j| self.pixel_of_output(tile, i, j).map_or(0.0, |at| f64::from(dy[at + o].abs()));
                let dy = square(&a, self.m, pixel);
                for (c, x) in x.iter().enumerate() {
                    for (i, j) in (0..side).flat_map(|i| (0..side).map(move |j| (i, j))) {
                        points[c * g.c_out + o][i][j] += x[i][j] * dy[i][j];
                    }
                }
            }
        }
        let mut dw = vec![0.0; g.weight_len()];
        for (at, points) in points.iter().enumerate() {
            let square = square(&gt, side, |i, j| points[i][j]);
            (0..9).for_each(|tap| dw[tap * g.c_in * g.c_out + at] = square[tap / 3][tap % 3]);
        }
        dw
    }
}

/// The largest of the magnitudes by tiles of 2, of 4 and of 5, whichever was chosen.
fn largest(magnitude: impl Fn(usize) -> Vec<f64>) -> Vec<f64> {
    let larger = |a: Vec<f64>, b: Vec<f64>| a.into_iter().zip(b).map(|(a, b)| a.max(b)).collect();
    [2, 4, 5].map(magnitude).into_iter().reduce(larger).expect("three sizes")
}

fn doubles(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// The convolution by which dy comes back, and its weights: turned, channels exchanged.
fn turned(g: &Conv, w: &[f32]) -> Option<(Conv, Vec<f32>)> {
    let back = Conv {
        height: g.out_height(),
        width: g.out_width(),
        c_in: g.c_out,
        c_out: g.c_in,
        padding: 2_usize.checked_sub(g.padding)?,
        ..*g
    };
    let (c_in, c_out) = (g.c_in, g.c_out);
    let turned = |at: usize| {
        let (tap, o, c) = (at / (c_in * c_out), at / c_in % c_out, at % c_in);
        w[((8 - tap) * c_in + c) * c_out + o]
    };
    Some((back, (0..w.len()).map(turned).collect()))
}

type Slot<T> = fn(Isa, &Conv, &[T], &[T], &mut [T]);

fn assert_slot(
    g: &Conv,
    name: &str,
    fast: Slot<f32>,
    [a, b]: [&[f32]; 2],
    exact: &[f64],
    magnitude: &[f64],
    depth: usize,
) {
    let bound = gamma::<f32>(depth + TRANSFORMS);
    for isa in Isa::available() {
        let what = || format!("{name} {isa} {g:?}");
        let mut out = Guarded::new(exact.len());
        fast(isa, g, a, b, out.slice());
        assert_within(bound, out.checked(what), exact, magnitude, what);
    }
}

fn assert_within_bound(rng: &mut ChaCha8Rng, g: &Conv) {
    let x = random::<f32>(rng, g.input_len());
    let w = random::<f32>(rng, g.weight_len());
    let dy = random::<f32>(rng, g.output_len());

    let mut exact = vec![0.0; dy.len()];
    naive::conv_output(g, &doubles(&x), &doubles(&w), &mut exact);
    let magnitude = largest(|m| Magnitude::new(g, m).output(&x, &w));
    assert_slot(g, "output", conv_output, [&x, &w], &exact, &magnitude, g.c_in);

    if let Some((back, turned)) = turned(g, &w) {
        let mut exact = vec![0.0; x.len()];
        naive::conv_input_gradient(g, &doubles(&w), &doubles(&dy), &mut exact);
        let magnitude = largest(|m| Magnitude::new(&back, m).output(&dy, &turned));
        assert_slot(g, "input gradient", conv_input_gradient, [&w, &dy], &exact, &magnitude, g.c_out);
    }

    let mut exact = vec![0.0; w.len()];
    naive::conv_weight_gradient(g, &doubles(&x), &doubles(&dy), &mut exact);
    let magnitude = largest(|m| Magnitude::new(g, m).weight_gradient(&x, &dy));
    // Every tile is one product in its sum and at most one chunk.
    let tiles = Magnitude::new(g, 2).tiles().len();
    assert_slot(g, "weight gradient", conv_weight_gradient, [&x, &dy], &exact, &magnitude, 2 * tiles);
}

#[test]
fn random_geometries_within_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for _ in 0..40 {
        let g = random_geometry(&mut rng);
        assert_within_bound(&mut rng, &g);
    }
}

#[test]
fn sizes_of_all_schemes_within_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for side in [4, 6, 7, 8, 14] {
        assert_within_bound(&mut rng, &conv(5, side, 32));
    }
}

fn largest_error(out: &[f32], exact: &[f64]) -> f64 {
    out.iter().zip(exact).map(|(&a, b)| (f64::from(a) - b).abs()).fold(0.0, f64::max)
}

/// How much of the accuracy of direct sums may be lost. Measured: up to twice their largest error by tiles of 4, up to four times by
/// tiles of 5.
#[test]
fn errors_are_at_most_eight_times_those_of_direct_sums() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for g in [conv(5, 14, 64), conv(25, 7, 64), conv(5, 16, 32), conv(25, 6, 64)] {
        let (x, w) = (random::<f32>(&mut rng, g.input_len()), random::<f32>(&mut rng, g.weight_len()));
        let dy = random::<f32>(&mut rng, g.output_len());
        type Case<'a> = (&'a str, Slot<f32>, Slot<f64>, [&'a [f32]; 2], usize);
        let slots: [Case; 3] = [
            ("output", conv_output, conv_output, [&x, &w], dy.len()),
            ("input gradient", conv_input_gradient, conv_input_gradient, [&w, &dy], x.len()),
            ("weight gradient", conv_weight_gradient, conv_weight_gradient, [&x, &dy], w.len()),
        ];
        for (name, fast, exactly, [a, b], len) in slots {
            let mut exact = vec![0.0; len];
            exactly(Isa::best(), &g, &doubles(a), &doubles(b), &mut exact);
            for isa in Isa::available() {
                let error = |isa| {
                    let mut out = vec![0.0; len];
                    fast(isa, &g, a, b, &mut out);
                    largest_error(&out, &exact)
                };
                let (winograd, direct) = (error(isa), error(isa.direct()));
                assert_ne!(winograd.to_bits(), direct.to_bits(), "{name} {isa} {g:?} is not by Winograd's algorithm");
                assert!(winograd <= 8.0 * direct, "{name} {isa} {g:?}: {winograd:e}, by direct sums {direct:e}");
            }
        }
    }
}

/// Tiles of 2 halve twice in each direction of the weights and do nothing else that rounds: integers stay exact.
#[test]
fn small_integers_are_exact_in_tiles_of_two() {
    let g = conv(3, 6, 32);
    let x: Vec<f32> = (0..g.input_len()).map(|i| ((i * 7 + i / 5) % 9) as f32 - 4.0).collect();
    let w: Vec<f32> = (0..g.weight_len()).map(|i| 4.0 * (((i * 5 + i / 7) % 7) as f32 - 3.0)).collect();
    for isa in Isa::available() {
        let (mut y, mut direct) = (vec![0.0; g.output_len()], vec![0.0; g.output_len()]);
        conv_output(isa, &g, &x, &w, &mut y);
        conv_output(isa.direct(), &g, &x, &w, &mut direct);
        assert_eq!(y, direct, "{isa} {g:?}");
    }
}

/// The output of an image does not depend on the images beside it, by either algorithm.
#[test]
fn bits_do_not_depend_on_the_other_images() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let g = conv(9, 7, 33);
    let (x, w) = (random::<f32>(&mut rng, g.input_len()), random::<f32>(&mut rng, g.weight_len()));
    for isa in Isa::available().into_iter().flat_map(|isa| [isa, isa.direct()]) {
        let run = |g: &Conv, x: &[f32]| {
            let mut y = vec![0.0; g.output_len()];
            conv_output(isa, g, x, &w, &mut y);
            y.iter().map(|y| y.to_bits()).collect::<Vec<_>>()
        };
        let whole = run(&g, &x);
        for split in [1, 4, 8] {
            let (first, second) = (Conv { images: split, ..g }, Conv { images: g.images - split, ..g });
            let (x_first, x_second) = x.split_at(first.input_len());
            let pieces = [run(&first, x_first), run(&second, x_second)].concat();
            assert!(pieces == whole, "{isa} {g:?} split at image {split}");
        }
    }
}
