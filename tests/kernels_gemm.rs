//! Matrix products against their specification, on every instruction set of this processor.

#[path = "support/bound.rs"]
mod bound;

use bound::{Guarded, assert_within, gamma, random};
use maml_kernels::{Isa, Layout, Real, Strided, gemm, gemm_batch, gemm_parallel, gemm_strided, naive};
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

/// C = A B and |A| |B|.
fn reference<T: Real>([m, n, k]: [usize; 3], a: Strided<T>, b: Strided<T>) -> (Vec<f64>, Vec<f64>) {
    let at = |x: Strided<T>, i: usize, j: usize| x.data[i * x.row + j * x.column].to_f64();
    (0..m * n).map(|c| dot((0..k).map(|l| (at(a, c / n, l), at(b, l, c % n))))).unzip()
}

fn views<'a, T: Real>(layout: Layout, (m, n, k): (usize, usize, usize), a: &'a [T], b: &'a [T]) -> [Strided<'a, T>; 2] {
    let [a_strides, b_strides] = match layout {
        Layout::NN => [[k, 1], [n, 1]],
        Layout::NT => [[k, 1], [1, k]],
        Layout::TN => [[1, m], [n, 1]],
    };
    [(a, a_strides), (b, b_strides)].map(|(data, [row, column])| Strided { data, row, column })
}

fn assert_shape_within_bound<T: Real>(rng: &mut ChaCha8Rng, layout: Layout, size: (usize, usize, usize)) {
    let (m, n, k) = size;
    let (a, b) = (random::<T>(rng, m * k), random::<T>(rng, k * n));
    let [a_view, b_view] = views(layout, size, &a, &b);
    let (exact, magnitude) = reference([m, n, k], a_view, b_view);
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

/// A matrix with random strides: rows or columns lie together, or every second or third element of them, with or
/// without a gap between them; or all rows or columns are the same one.
fn random_strides(rng: &mut ChaCha8Rng, rows: usize, columns: usize) -> [usize; 2] {
    let step = [1, 1, 2, 3][rng.random_range(0..4)];
    let far = |len: usize, rng: &mut ChaCha8Rng| match rng.random_range(0..8) {
        0 => 0,
        1..4 => len * step,
        _ => len * step + rng.random_range(1..9),
    };
    if rng.random() { [far(columns, rng), step] } else { [step, far(rows, rng)] }
}

fn random_matrix<T: Real>(rng: &mut ChaCha8Rng, rows: usize, columns: usize) -> (Vec<T>, [usize; 2]) {
    let [row, column] = random_strides(rng, rows, columns);
    (random::<T>(rng, (rows - 1) * row + (columns - 1) * column + 1), [row, column])
}

/// Views of any strides: within the bound, without a touch of what lies between the rows of C, and with the bits of
/// the product of matrices without gaps.
fn random_strides_within_bound<T: Real>(seed: u64, shapes: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for shape in 0..shapes {
        let [m, n, k] = [80.0, 80.0, 300.0].map(|largest| size(&mut rng, largest));
        let (a, a_strides) = random_matrix::<T>(&mut rng, m, k);
        let (b, b_strides) = random_matrix::<T>(&mut rng, k, n);
        let [a, b] = [(&a, a_strides), (&b, b_strides)].map(|(data, [row, column])| Strided { data, row, column });
        let c_row = n + [0, 0, 1, 7][shape % 4];
        let (exact, magnitude) = reference([m, n, k], a, b);
        let [dense_a, dense_b] = [(a, m, k), (b, k, n)].map(|(x, rows, columns)| -> Vec<T> {
            (0..rows * columns).map(|at| x.data[at / columns * x.row + at % columns * x.column]).collect()
        });
        for isa in Isa::available() {
            let what = || format!("{isa} {m}x{n}x{k}, strides of A {a_strides:?}, of B {b_strides:?}, of C {c_row}");
            let mut guarded = Guarded::<T>::new((m - 1) * c_row + n);
            gemm_strided(isa, [m, n, k], a, b, guarded.slice(), c_row);
            let rows = guarded.checked(what).chunks(c_row);
            assert!(rows.clone().all(|row| row[n..].iter().all(|x| x.to_f64().is_nan())), "{}: between rows", what());
            let c: Vec<T> = rows.flat_map(|row| &row[..n]).copied().collect();
            assert_within(gamma::<T>(k + 2), &c, &exact, &magnitude, what);
            let dense = run(isa, Layout::NN, (m, n, k), &dense_a, &dense_b);
            assert!(c == dense, "{}: other bits than without gaps", what());
        }
    }
}

#[test]
fn random_strides_within_bound_in_f32() {
    random_strides_within_bound::<f32>(4, 10_000);
}

#[test]
fn random_strides_within_bound_in_f64() {
    random_strides_within_bound::<f64>(5, 10_000);
}

/// Cut into bands of rows or of columns, a product keeps its bits.
#[test]
fn bits_do_not_depend_on_the_threads() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    for (m, n, k) in [(300, 200, 100), (64, 2000, 70), (5, 3001, 333), (4900, 5, 576), (257, 257, 513)] {
        let (a, b) = (random::<f32>(&mut rng, m * k), random::<f32>(&mut rng, k * n));
        for (isa, layout) in Isa::available().into_iter().flat_map(|isa| LAYOUTS.map(|layout| (isa, layout))) {
            let one = run(isa, layout, (m, n, k), &a, &b);
            let [a, b] = views(layout, (m, n, k), &a, &b);
            for (threads, gap) in [(1, 0), (2, 0), (3, 5), (7, 1)] {
                let what = || format!("{isa} {layout:?} {m}x{n}x{k} on {threads} threads");
                let mut guarded = Guarded::<f32>::new((m - 1) * (n + gap) + n);
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| gemm_parallel(isa, [m, n, k], a, b, guarded.slice(), n + gap));
                for (i, row) in guarded.checked(what).chunks(n + gap).enumerate() {
                    assert!(row[..n] == one[i * n..][..n], "{}: row {i} differs from that on one thread", what());
                    assert!(row[n..].iter().all(|x| x.is_nan()), "{}: behind row {i}", what());
                }
            }
        }
    }
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

/// A product with a vector has a kernel of its own, and the bits of a product with that vector and another.
#[test]
fn a_vector_has_the_bits_of_a_column() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for round in 0..400 {
        let [rows, k] = [(); 2].map(|()| size(&mut rng, if round % 2 == 0 { 40.0 } else { 900.0 }));
        let (a, x) = (random::<f32>(&mut rng, rows * k), random::<f32>(&mut rng, k));
        let pair: Vec<f32> = x.iter().flat_map(|&x| [x, 1.0]).collect();
        for isa in Isa::available() {
            for (layout, other) in [(Layout::NN, Layout::NT), (Layout::TN, Layout::NN)] {
                let both = run(isa, layout, (rows, 2, k), &a, &pair);
                let column: Vec<u32> = both.iter().step_by(2).map(|y| y.to_bits()).collect();
                let bits = |y: Vec<f32>| y.into_iter().map(f32::to_bits).collect::<Vec<_>>();
                let what = format!("{isa} {layout:?} {rows}x{k}");
                assert_eq!(bits(run(isa, layout, (rows, 1, k), &a, &x)), column, "{what}, column");
                // The same vector as the first factor.
                assert_eq!(bits(run(isa, other, (1, rows, k), &x, &a)), column, "{what}, row");
            }
        }
    }
}

/// Several problems at once have the bits that each has alone.
fn batches<T: Real>(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for round in 0..400 {
        let count = round % 11;
        let [m, n, k] = [(); 3].map(|()| size(&mut rng, if round % 3 == 0 { 700.0 } else { 40.0 }));
        let (m, n) = [(m, 1), (1, n), (m, n.min(7))][round % 3];
        let (a, b) = (random::<T>(&mut rng, count * m * k), random::<T>(&mut rng, count * k * n));
        for (isa, layout) in Isa::available().into_iter().flat_map(|isa| LAYOUTS.map(|layout| (isa, layout))) {
            let mut all = Guarded::<T>::new(count * m * n);
            gemm_batch(isa, layout, count, m, n, k, &a, &b, all.slice());
            let what = || format!("{isa} {layout:?} {m}x{n}x{k}, {count} of them");
            let all = all.checked(what);
            for i in 0..count {
                let (a, b) = (&a[i * m * k..][..m * k], &b[i * k * n..][..k * n]);
                assert!(all[i * m * n..][..m * n] == run(isa, layout, (m, n, k), a, b), "{}: number {i}", what());
            }
        }
    }
}

#[test]
fn problems_of_a_batch_have_the_bits_that_each_has_alone() {
    batches::<f32>(8);
    batches::<f64>(9);
}

#[test]
#[should_panic(expected = "lengths of a, b, c")]
fn wrong_lengths_are_refused() {
    gemm(Isa::best(), Layout::NN, 2, 3, 4, &[0.0_f32; 8], &[0.0; 11], &mut [0.0; 6]);
}

#[test]
#[should_panic(expected = "gemm: B is 4x3 with strides 3 and 1, its slice has 11 elements")]
fn views_outside_their_slices_are_refused() {
    let a = Strided { data: &[0.0_f32; 8][..], row: 4, column: 1 };
    let b = Strided { data: &[0.0; 11][..], row: 3, column: 1 };
    gemm_parallel(Isa::best(), [2, 3, 4], a, b, &mut [0.0; 6], 3);
}

#[test]
#[should_panic(expected = "gemm: rows of C are 3 long and 2 apart")]
fn overlapping_rows_are_refused() {
    let one = Strided { data: &[1.0_f32][..], row: 0, column: 0 };
    gemm_strided(Isa::best(), [2, 3, 4], one, one, &mut [0.0; 6], 2);
}
