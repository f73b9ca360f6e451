//! Matrix products against their specification, on every instruction set of this processor.

#[path = "support/bound.rs"]
mod bound;

use bound::{Guarded, assert_within, gamma, random};
use maml_kernels::{Isa, Layout, Real, gemm, naive};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

const LAYOUTS: [Layout; 3] = [Layout::NN, Layout::NT, Layout::TN];

/// Sizes at and beyond the borders of tiles, panels and blocks: (m, n, k).
const LARGE: [(usize, usize, usize); 10] = [
    (128, 384, 128),
    (127, 384, 128),
    (253, 385, 257),
    (252, 512, 256),
    (300, 400, 600),
    (129, 2049, 130),
    (14, 2100, 300),
    (700, 33, 1000),
    (1, 1, 5000),
    (505, 1, 513),
];

fn run<T: Real>(isa: Isa, layout: Layout, (m, n, k): (usize, usize, usize), a: &[T], b: &[T]) -> Vec<T> {
    let mut c = Guarded::new(m * n);
    gemm(isa, layout, m, n, k, a, b, c.slice());
    c.checked(|| format!("{isa} {layout:?} {m}x{n}x{k}")).to_vec()
}

/// Integers in −4..=4: every partial sum is exact, so there is only one right answer.
fn integers<T: Real>(len: usize, salt: usize) -> Vec<T> {
    (0..len).map(|i| T::from_f64(((i * 7 + i / 5 + salt) % 9) as f64 - 4.0)).collect()
}

fn small_integers_are_exact<T: Real>() {
    for (m, n, k) in (0..=33).flat_map(|m| (0..=33).flat_map(move |n| (0..=33).map(move |k| (m, n, k)))) {
        let (a, b) = (integers::<T>(m * k, n), integers::<T>(k * n, m + 3));
        for layout in LAYOUTS {
            let mut exact = vec![T::ONE; m * n];
            naive::gemm(layout, m, n, k, &a, &b, &mut exact);
            for isa in Isa::available() {
                let c = run(isa, layout, (m, n, k), &a, &b);
                if let Some(i) = (0..m * n).find(|&i| c[i] != exact[i]) {
                    panic!("{isa} {layout:?} {m}x{n}x{k}: first bad index {i}: {} instead of {}", c[i], exact[i]);
                }
            }
        }
    }
}

#[test]
fn small_integers_are_exact_in_f32() {
    small_integers_are_exact::<f32>();
}

#[test]
fn small_integers_are_exact_in_f64() {
    small_integers_are_exact::<f64>();
}

/// (Σ x·y, Σ |x·y|) as if in twice the precision of f64: the rounding errors of products and sums are
/// computed exactly and summed apart.
fn dot(terms: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut sum, mut error, mut magnitude) = (0.0, 0.0, 0.0);
    for (x, y) in terms {
        let product: f64 = x * y;
        let next = sum + product;
        let part = next - sum;
        error += x.mul_add(y, -product) + ((sum - (next - part)) + (product - part));
        sum = next;
        magnitude += product.abs();
    }
    (sum + error, magnitude)
}

fn reference<T: Real>(layout: Layout, (m, n, k): (usize, usize, usize), a: &[T], b: &[T]) -> (Vec<f64>, Vec<f64>) {
    let (a_row, a_column) = if layout == Layout::TN { (1, m) } else { (k, 1) };
    let (b_row, b_column) = if layout == Layout::NT { (1, k) } else { (n, 1) };
    let term =
        |i: usize, l: usize, j: usize| (a[i * a_row + l * a_column].to_f64(), b[l * b_row + j * b_column].to_f64());
    (0..m * n).map(|at| dot((0..k).map(|l| term(at / n, l, at % n)))).unzip()
}

fn assert_shape_within_bound<T: Real>(rng: &mut ChaCha8Rng, layout: Layout, size: (usize, usize, usize)) {
    let (m, n, k) = size;
    let (a, b) = (random::<T>(rng, m * k), random::<T>(rng, k * n));
    let (exact, magnitude) = reference(layout, size, &a, &b);
    for isa in Isa::available() {
        let c = run(isa, layout, size, &a, &b);
        assert_within(gamma::<T>(k + 2), &c, &exact, &magnitude, || format!("{isa} {layout:?} {m}x{n}x{k}"));
    }
}

/// A size up to `largest`, small ones as likely as large ones.
fn size(rng: &mut ChaCha8Rng, largest: f64) -> usize {
    largest.powf(rng.random::<f64>()) as usize
}

fn random_shapes_within_bound<T: Real>(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for shape in 0..10_000 {
        let size = (size(&mut rng, 150.0), size(&mut rng, 150.0), size(&mut rng, 400.0));
        assert_shape_within_bound::<T>(&mut rng, LAYOUTS[shape % 3], size);
    }
    for (size, layout) in LARGE.into_iter().flat_map(|size| LAYOUTS.map(|layout| (size, layout))) {
        assert_shape_within_bound::<T>(&mut rng, layout, size);
    }
}

#[test]
fn random_shapes_within_bound_in_f32() {
    random_shapes_within_bound::<f32>(1);
}

#[test]
fn random_shapes_within_bound_in_f64() {
    random_shapes_within_bound::<f64>(2);
}

/// A row of C depends on its row of A and on B: a batch may be split anywhere without changing a bit.
#[test]
fn bits_do_not_depend_on_the_other_rows() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (m, n, k) = (150, 400, 300);
    let (a, b) = (random::<f32>(&mut rng, m * k), random::<f32>(&mut rng, k * n));
    for isa in Isa::available() {
        let whole = run(isa, Layout::NN, (m, n, k), &a, &b);
        for split in [1, 13, 28, 149] {
            let first = run(isa, Layout::NN, (split, n, k), &a[..split * k], &b);
            let second = run(isa, Layout::NN, (m - split, n, k), &a[split * k..], &b);
            let bad = first.iter().chain(&second).zip(&whole).position(|(x, y)| x.to_bits() != y.to_bits());
            assert_eq!(bad, None, "{isa} {m}x{n}x{k} split at row {split}: first bad index");
        }
    }
}

#[test]
#[should_panic(expected = "lengths of a, b, c")]
fn wrong_lengths_are_refused() {
    gemm(Isa::best(), Layout::NN, 2, 3, 4, &[0.0_f32; 8], &[0.0; 11], &mut [0.0; 6]);
}
