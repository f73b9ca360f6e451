//! Kernels with one number for each row: against their specification on whole numbers, and to the bit against the
//! kernels that see one row at a time, on every instruction set.

#[path = "support/canaries.rs"]
mod canaries;

use canaries::{Numbers, on_every_isa, with_canaries};
use maml_kernels::{Isa, Real, Store, axpy, dot, dot_rows, least_squares, naive, scale, scale_rows, sum, sum_axis};

const LENGTHS: [usize; 29] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 16, 17, 20, 31, 32, 33, 47, 63, 64, 65, 100, 127, 128, 129, 200, 4096, 4100,
];

fn shapes() -> impl Iterator<Item = (usize, usize)> {
    let fits = |&(rows, length): &(usize, usize)| rows * length < 20_000;
    [1, 2, 7, 8, 15, 16, 17, 33, 130].into_iter().flat_map(|rows| LENGTHS.map(|length| (rows, length))).filter(fits)
}

fn bits<T: Real>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.to_f64().to_bits()).collect()
}

fn whole_numbers<T: Real>(isa: Isa) {
    let (mut numbers, canary) = (Numbers(1), T::from_f64(1234.5));
    for (rows, length) in shapes() {
        let offset = (rows + length) % 16;
        let [a, b, old] = [(); 3].map(|()| numbers.whole::<T>(rows * length, 5));
        let c = numbers.whole::<T>(rows, 5);
        let mut want = vec![T::ZERO; rows];
        naive::dot_rows(&a, &b, &mut want);
        let got = with_canaries(canary, &c, offset, |out| dot_rows(isa, &a, &b, out));
        assert_eq!(got, want, "dot_rows {isa} {rows}x{length}");

        let mut want = vec![T::ZERO; rows * length];
        naive::scale_rows(&a, &c, &mut want);
        let got = with_canaries(canary, &old, offset, |out| scale_rows(isa, &a, &c, Store::Set, out));
        assert_eq!(got, want, "scale_rows {isa} {rows}x{length}");
        let got = with_canaries(canary, &old, offset, |out| scale_rows(isa, &a, &c, Store::Add, out));
        let want: Vec<T> = want.iter().zip(&old).map(|(&want, &old)| want + old).collect();
        assert_eq!(got, want, "scale_rows, added, {isa} {rows}x{length}");
    }
}

#[test]
fn whole_numbers_are_exact() {
    on_every_isa(whole_numbers::<f32>);
    on_every_isa(whole_numbers::<f64>);
}

fn one_row_at_a_time<T: Real>(isa: Isa) {
    let mut numbers = Numbers(2);
    for (rows, length) in shapes() {
        let what = format!("{isa} {rows}x{length}");
        let [a, b, old] = [(); 3].map(|()| numbers.uniform::<T>(rows * length));
        let c = numbers.uniform::<T>(rows);
        let [mut dots, mut sums] = [(); 2].map(|()| vec![T::ZERO; rows]);
        dot_rows(isa, &a, &b, &mut dots);
        sum_axis(isa, rows, length, 1, &a, &mut sums);
        let [mut scaled, mut added] = [(); 2].map(|()| old.clone());
        scale_rows(isa, &a, &c, Store::Set, &mut scaled);
        scale_rows(isa, &a, &c, Store::Add, &mut added);
        for row in 0..rows {
            let part = row * length..(row + 1) * length;
            let (a, b) = (&a[part.clone()], &b[part.clone()]);
            assert_eq!(bits(&dots[row..=row]), bits(&[dot(isa, a, b)]), "dot_rows {what} at {row}");
            if length > 16 {
                assert_eq!(bits(&sums[row..=row]), bits(&[sum(isa, a)]), "sum_axis {what} at {row}");
            }
            let mut want = old[part.clone()].to_vec();
            axpy(isa, c[row], a, &mut want);
            assert_eq!(bits(&added[part.clone()]), bits(&want), "scale_rows, added, {what} at {row}");
            scale(isa, c[row], a, &mut want);
            assert_eq!(bits(&scaled[part]), bits(&want), "scale_rows {what} at {row}");
        }
    }
}

#[test]
fn rows_have_the_bits_that_each_has_alone() {
    on_every_isa(one_row_at_a_time::<f32>);
    on_every_isa(one_row_at_a_time::<f64>);
}

/// Residuals and gradients are whole numbers of few digits, so that no sum rounds.
fn whole_least_squares<T: Real>(isa: Isa) {
    let (mut numbers, canary) = (Numbers(3), T::from_f64(1234.5));
    for (n, d) in shapes().filter(|&(n, d)| n * d < 5_000) {
        for count in [1, 3] {
            let offset = (n + d) % 16;
            let [x, w] = [count * n * d, count * d].map(|len| numbers.whole::<T>(len, 3));
            let [y, old] = [count * n, count * d].map(|len| numbers.whole::<T>(len, 3));
            for y in [Some(&y[..]), None] {
                let what = format!("least_squares {isa} {count} of {n}x{d}, targets: {}", y.is_some());
                let (scale, mut residuals, mut gradient) = (T::from_f64(0.5), vec![T::ZERO; count * n], old.clone());
                naive::least_squares(count, &x, &w, y, scale, &mut residuals, &mut gradient);
                let mut found = vec![];
                let got = with_canaries(canary, &old, offset, |gradient| {
                    found = with_canaries(canary, &residuals, offset, |residuals| {
                        least_squares(isa, count, &x, &w, y, scale, residuals, Some(gradient));
                    });
                });
                assert_eq!((&found, got), (&residuals, gradient), "{what}");
                let found = with_canaries(canary, &residuals, offset, |residuals| {
                    least_squares(isa, count, &x, &w, y, scale, residuals, None);
                });
                assert_eq!(found, residuals, "{what}, without gradient");
            }
        }
    }
}

#[test]
fn least_squares_of_whole_numbers_are_exact() {
    on_every_isa(whole_least_squares::<f32>);
    on_every_isa(whole_least_squares::<f64>);
}

#[test]
fn several_least_squares_have_the_bits_that_each_has_alone() {
    on_every_isa(|isa| {
        let (mut numbers, count, n) = (Numbers(4), 3, 13);
        for d in [1, 10, 16, 17, 50, 100, 200] {
            let [x, w] = [count * n * d, count * d].map(|len| numbers.uniform::<f32>(len));
            let [y, mut together] = [count * n, count * d].map(|len| numbers.uniform::<f32>(len));
            let mut residuals = vec![0.0; count * n];
            least_squares(isa, count, &x, &w, Some(&y), 0.3, &mut residuals, Some(&mut together));
            for i in 0..count {
                let (rows, columns) = (i * n..(i + 1) * n, i * d..(i + 1) * d);
                let (x, mut r, mut alone) = (&x[i * n * d..(i + 1) * n * d], vec![0.0; n], vec![0.0; d]);
                let y = Some(&y[rows.clone()]);
                least_squares(isa, 1, x, &w[columns.clone()], y, 0.3, &mut r, Some(&mut alone));
                assert_eq!(bits(&together[columns]), bits(&alone), "{isa} gradient {i} of {d} columns");
                assert_eq!(bits(&residuals[rows]), bits(&r), "{isa} residuals {i} of {d} columns");
            }
        }
    });
}

#[test]
fn least_squares_without_rows_or_columns() {
    on_every_isa(|isa| {
        let (mut residuals, mut gradient) = ([7.0_f32; 2], [7.0_f32; 3]);
        least_squares(isa, 1, &[], &[], Some(&[1.0, 2.0]), 1.0, &mut residuals, Some(&mut []));
        assert_eq!(residuals, [-1.0, -2.0]);
        least_squares(isa, 1, &[], &[1.0; 3], None, 1.0, &mut [], Some(&mut gradient));
        assert_eq!(gradient, [0.0; 3]);
        least_squares::<f32>(isa, 0, &[], &[], None, 1.0, &mut [], Some(&mut []));
    });
}

#[test]
#[should_panic(expected = "2 least squares of 2x3: lengths of x, w, y, residuals")]
fn least_squares_of_other_lengths_are_refused() {
    least_squares(Isa::best(), 2, &[0.0_f32; 11], &[0.0; 6], None, 1.0, &mut [0.0; 4], None);
}

#[test]
fn rows_without_elements_and_arrays_without_rows() {
    on_every_isa(|isa| {
        let mut out = [7.0_f32; 3];
        dot_rows(isa, &[], &[], &mut out);
        assert_eq!(out, [0.0; 3]);
        dot_rows::<f32>(isa, &[], &[], &mut []);
        scale_rows::<f32>(isa, &[], &[1.0, 2.0], Store::Set, &mut []);
        scale_rows::<f32>(isa, &[], &[], Store::Add, &mut []);
    });
}

#[test]
#[should_panic(expected = "scale_rows: 2 rows in 3 elements")]
fn rows_of_unequal_length_are_refused() {
    scale_rows(Isa::best(), &[0.0_f32; 3], &[1.0; 2], Store::Set, &mut [0.0; 3]);
}
