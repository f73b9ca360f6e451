//! Sums and per-channel kernels against their specification, on every instruction set.

#[path = "support/canaries.rs"]
mod canaries;

use std::fmt::Debug;

use canaries::{Numbers, on_every_isa, wide, with_canaries};
use maml_kernels::{
    Isa, Real, Store, channel_covariance, channel_dot, channel_mean, channel_moments, channel_totals, dot, naive,
    repeat, scale_centered, scale_channels, sum, sum_axis,
};

#[track_caller]
fn assert_close<T: Real>(got: &[T], want: &[f64], tolerance: f64, what: &dyn Debug) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let bound = tolerance * T::EPSILON.to_f64();
        assert!((got.to_f64() - want).abs() <= bound, "{what:?} at {i}: {got} against {want}");
    }
}

fn sums_at_every_length<T: Real>(isa: Isa) {
    let mut numbers = Numbers(1);
    let (x, y) = (numbers.whole::<T>(128, 9), numbers.whole::<T>(128, 9));
    for offset in 0..16 {
        for n in 0..=65 {
            let (x, y) = (&x[offset..offset + n], &y[offset..offset + n]);
            assert_eq!(sum(isa, x).to_f64(), wide(x).iter().sum::<f64>(), "sum {isa} {n}");
            assert_eq!(dot(isa, x, y).to_f64(), wide(x).iter().zip(wide(y)).map(|(x, y)| x * y).sum::<f64>());
        }
    }
    for n in [127, 4095, 4096, 4097, 9000] {
        let (x, y) = (numbers.whole::<T>(n, 9), numbers.whole::<T>(n, 9));
        assert_eq!(sum(isa, &x).to_f64(), wide(&x).iter().sum::<f64>());
        assert_eq!(dot(isa, &x, &y).to_f64(), wide(&x).iter().zip(wide(&y)).map(|(x, y)| x * y).sum::<f64>());
    }
}

#[test]
fn sum_and_dot_are_exact_on_whole_numbers_of_every_length() {
    on_every_isa(sums_at_every_length::<f32>);
    on_every_isa(sums_at_every_length::<f64>);
}

#[test]
fn a_million_numbers_are_summed_accurately() {
    let mut numbers = Numbers(2);
    let x: Vec<f32> = numbers.uniform(1_000_000).into_iter().map(|x: f32| x.abs()).collect();
    let want: f64 = wide(&x).iter().sum();
    let squares: f64 = wide(&x).iter().map(|x| x * x).sum();
    on_every_isa(|isa| {
        assert!((sum(isa, &x).to_f64() / want - 1.0).abs() < 3e-7, "{isa}");
        assert!((dot(isa, &x, &x).to_f64() / squares - 1.0).abs() < 3e-7, "{isa}");
        for inner in [1, 4, 10, 32, 64, 100] {
            let mut out = vec![0.0; inner];
            sum_axis(isa, 1, x.len() / inner, inner, &x, &mut out);
            let mut exact = vec![0.0; inner];
            naive::sum_axis(1, x.len() / inner, inner, &wide(&x), &mut exact);
            for (out, exact) in out.iter().zip(exact) {
                assert!((out.to_f64() / exact - 1.0).abs() < 1e-6, "{isa}, {inner} columns");
            }
        }
    });
}

fn axis_shapes<T: Real>(isa: Isa) {
    let mut numbers = Numbers(3);
    for outer in [0, 1, 2, 3, 7, 45] {
        for times in [0, 1, 2, 5, 16, 17, 63, 64, 65, 130] {
            for inner in [0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129] {
                let shape = (outer, times, inner);
                let offset = (outer + times + inner) % 16;
                let (full, part) = (outer * times * inner, outer * inner);
                let x = numbers.whole::<T>(full, 5);
                let mut want = vec![T::ZERO; part];
                naive::sum_axis(outer, times, inner, &x, &mut want);
                let canary = T::from_f64(1234.5);
                let got = with_canaries(canary, &vec![canary; part], offset, |out| {
                    sum_axis(isa, outer, times, inner, &x, out);
                });
                assert_eq!(got, want, "sum_axis {isa} {shape:?}");

                let k = numbers.whole::<T>(part, 5);
                let mut want = vec![T::ZERO; full];
                naive::repeat(outer, times, inner, &k, &mut want);
                let got = with_canaries(canary, &vec![canary; full], offset, |out| {
                    repeat(isa, outer, times, inner, &k, Store::Set, out);
                });
                assert_eq!(got, want, "repeat {isa} {shape:?}");
                let got = with_canaries(canary, &x, offset, |out| {
                    repeat(isa, outer, times, inner, &k, Store::Add, out);
                });
                let want: Vec<T> = want.iter().zip(&x).map(|(&want, &x)| want + x).collect();
                assert_eq!(got, want, "repeat, added, {isa} {shape:?}");
            }
        }
    }
}

#[test]
fn sum_axis_and_repeat_are_exact_on_every_shape() {
    on_every_isa(axis_shapes::<f32>);
    on_every_isa(axis_shapes::<f64>);
}

fn channel_shapes<T: Real>(isa: Isa) {
    let mut numbers = Numbers(4);
    let canary = T::from_f64(1234.5);
    for channels in (0..=70).chain([96, 127, 128, 129, 200]) {
        for rows in [1, 2, 3, 25, 63, 64, 65, 131] {
            let (n, offset) = (rows * channels, (rows + channels) % 16);
            let what = (isa, rows, channels);
            let (a, b) = (numbers.uniform::<T>(n), numbers.uniform::<T>(n));
            let (k, old) = (numbers.uniform::<T>(channels), numbers.uniform::<T>(n));
            let (wide_a, wide_b, wide_k) = (wide(&a), wide(&b), wide(&k));
            let per_channel = |f: &dyn Fn(&mut [T])| with_canaries(canary, &vec![canary; channels], offset, f);
            let full = |f: &dyn Fn(&mut [T])| with_canaries(canary, &old, offset, f);
            let mut want = vec![0.0; channels];
            if channels > 0 {
                naive::channel_mean(channels, &wide_a, &mut want);
            }
            assert_close(&per_channel(&|out| channel_mean(isa, &a, out)), &want, 4.0, &what);
            if channels > 0 {
                naive::channel_covariance(channels, &wide_a, &wide_b, &mut want);
            }
            assert_close(&per_channel(&|out| channel_covariance(isa, &a, &b, out)), &want, 8.0, &what);
            if channels > 0 {
                naive::channel_covariance(channels, &wide_a, &wide_a, &mut want);
            }
            let variance = per_channel(&|out| channel_covariance(isa, &a, &a, out));
            assert_close(&variance, &want, 8.0, &what);
            // The same bits in one pass.
            let (mut totals, mut moments) = (vec![0.0; channels], vec![7.0; channels]);
            channel_totals(isa, &a, &mut totals);
            assert_eq!(per_channel(&|out| channel_moments(isa, &a, &mut moments.clone(), out)), variance, "{what:?}");
            channel_moments(isa, &a, &mut moments, &mut vec![T::ZERO; channels]);
            assert_eq!(moments, totals, "{what:?}");
            let mut sums = vec![T::ZERO; channels];
            sum_axis(isa, 1, rows, channels, &a, &mut sums);
            // A single column is summed as a row.
            let rounded: Vec<T> = totals.iter().map(|&total| T::from_f64(total)).collect();
            assert!(channels == 1 || sums == rounded, "{what:?}: {sums:?} against {rounded:?}");
            if channels > 0 {
                naive::channel_dot(channels, &wide_a, &wide_b, &mut want);
            }
            assert_close(&per_channel(&|out| channel_dot(isa, &a, &b, out)), &want, 8.0 + rows as f64, &what);

            let mut want = vec![0.0; n];
            if channels > 0 {
                naive::scale_channels(channels, &wide_a, &wide_k, &mut want);
            }
            let plus = |want: &[f64]| -> Vec<f64> { want.iter().zip(wide(&old)).map(|(w, old)| w + old).collect() };
            assert_close(&full(&|out| scale_channels(isa, &a, &k, Store::Set, out)), &want, 2.0, &what);
            assert_close(&full(&|out| scale_channels(isa, &a, &k, Store::Add, out)), &plus(&want), 2.0, &what);
            if channels > 0 {
                naive::scale_centered(channels, &wide_a, &wide_k, &mut want);
            }
            assert_close(&full(&|out| scale_centered(isa, &a, &totals, &k, Store::Set, out)), &want, 4.0, &what);
            assert_close(&full(&|out| scale_centered(isa, &a, &totals, &k, Store::Add, out)), &plus(&want), 4.0, &what);
        }
    }
}

#[test]
fn channel_kernels_agree_with_the_specification() {
    on_every_isa(channel_shapes::<f32>);
    on_every_isa(channel_shapes::<f64>);
}

#[test]
fn covariance_survives_a_large_mean() {
    let (rows, channels) = (10_000, 37);
    let mut numbers = Numbers(5);
    let noise = numbers.uniform::<f64>(rows * channels);
    for outlier in [0.0, 100.0] {
        let mut a: Vec<f32> = noise.iter().map(|x| (10_000.0 + 3.0 * x) as f32).collect();
        a[..channels].iter_mut().for_each(|a| *a += outlier);
        let b: Vec<f32> = a.iter().zip(numbers.uniform::<f64>(a.len())).map(|(&a, x)| a - (x + 2e4) as f32).collect();
        for (a, b) in [(&a, &a), (&a, &b), (&b, &b)] {
            let mut want = vec![0.0; channels];
            naive::channel_covariance(channels, &wide(a), &wide(b), &mut want);
            on_every_isa(|isa| {
                let mut got = vec![0.0; channels];
                channel_covariance(isa, a, b, &mut got);
                for (got, want) in got.iter().zip(&want) {
                    assert!((got.to_f64() / want - 1.0).abs() < 1e-5, "{isa}: {got} against {want}");
                }
                let ones = vec![1.0; channels];
                let mut centered = vec![0.0; a.len()];
                let mut totals = vec![0.0; channels];
                channel_totals(isa, a, &mut totals);
                scale_centered(isa, a, &totals, &ones, Store::Set, &mut centered);
                assert!(sum(isa, &centered).abs() < 1e-3, "{isa}: the centred values have a mean");
            });
        }
    }
}

#[test]
fn a_constant_channel_has_no_covariance() {
    let (rows, channels) = (1000, 33);
    let constant: Vec<f32> = (0..rows * channels).map(|i| 0.1 + (i % channels) as f32 / 3.0).collect();
    let other = Numbers(6).uniform::<f32>(rows * channels);
    on_every_isa(|isa| {
        for (a, b) in [(&constant, &constant), (&constant, &other), (&other, &constant)] {
            let mut out = vec![1.0; channels];
            channel_covariance(isa, a, b, &mut out);
            assert_eq!(out, vec![0.0; channels], "{isa}");
        }
        let mut out = vec![1.0; channels];
        channel_covariance(isa, &other[..channels], &other[channels..2 * channels], &mut out);
        assert_eq!(out, vec![0.0; channels], "{isa}: one row");
        channel_covariance::<f32>(isa, &[], &[], &mut out);
        assert_eq!(out, vec![0.0; channels], "{isa}: no rows");
    });
}
