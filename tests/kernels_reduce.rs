//! Sums, per-channel kernels and pooling against their specification, on every instruction set.

use std::fmt::Debug;

use maml_kernels::{
    Isa, MISSING, Onto, Pool, Real, Store, channel_covariance, channel_dot, channel_mean, dot, gather, gather_windows,
    naive, pool_winners, relu_pool_winners, repeat, scale_centered, scale_channels, scatter_add, scatter_windows, sum,
    sum_axis,
};

/// A small generator of whole numbers and fractions (xorshift), so that the tests need no library.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// Whole numbers from −span to span, on which sums of few terms are exact in both types.
    fn whole<T: Real>(&mut self, n: usize, span: u64) -> Vec<T> {
        (0..n).map(|_| T::from_f64((self.next() % (2 * span + 1)) as f64 - span as f64)).collect()
    }
    /// Uniform in (−1, 1).
    fn uniform<T: Real>(&mut self, n: usize) -> Vec<T> {
        (0..n).map(|_| T::from_f64((self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0)).collect()
    }
}

/// Calls `write` with a window of `len` numbers at `offset` inside a larger array, and checks that
/// nothing outside the window has changed.
fn with_canaries<T: Copy + PartialEq + Debug>(
    canary: T,
    start: &[T],
    offset: usize,
    write: impl FnOnce(&mut [T]),
) -> Vec<T> {
    let mut all = vec![canary; offset + start.len() + 33];
    let inside = offset..offset + start.len();
    all[inside.clone()].copy_from_slice(start);
    write(&mut all[inside.clone()]);
    let result = all[inside.clone()].to_vec();
    all[inside].fill(canary);
    assert!(all.iter().all(|&x| x == canary), "written outside: {} elements at {offset}", start.len());
    result
}

fn wide<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

#[track_caller]
fn assert_close<T: Real>(got: &[T], want: &[f64], tolerance: f64, what: &dyn Debug) {
    assert_eq!(got.len(), want.len());
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let bound = tolerance * T::EPSILON.to_f64();
        assert!((got.to_f64() - want).abs() <= bound, "{what:?} at {i}: {got} against {want}");
    }
}

fn on_every_isa(test: impl FnMut(Isa)) {
    Isa::available().into_iter().for_each(test);
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
            assert_close(&per_channel(&|out| channel_covariance(isa, &a, &a, out)), &want, 8.0, &what);
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
            assert_close(&full(&|out| scale_centered(isa, &a, &k, Store::Set, out)), &want, 4.0, &what);
            assert_close(&full(&|out| scale_centered(isa, &a, &k, Store::Add, out)), &plus(&want), 4.0, &what);
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
                scale_centered(isa, a, &ones, Store::Set, &mut centered);
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

fn pools() -> Vec<Pool> {
    let mut all = Vec::new();
    for channels in [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65] {
        for (height, width, window, stride) in [
            (4, 4, 2, 2),
            (5, 7, 2, 2),
            (6, 5, 3, 2),
            (7, 7, 3, 1),
            (3, 9, 1, 2),
            (2, 2, 3, 1),
            (9, 8, 2, 4),
            (7, 10, 3, 3),
            (3, 9, 1, 1),
            (0, 4, 2, 2),
        ] {
            all.push(Pool { images: 3, height, width, channels, window, stride });
        }
    }
    all
}

fn pooling<T: Real>(isa: Isa) {
    let mut numbers = Numbers(7);
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0].map(T::from_f64);
    for p in pools() {
        for specials in [0, 1, 8, 2] {
            let mut x = numbers.whole::<T>(p.input_len(), 3);
            for (i, x) in x.iter_mut().enumerate() {
                if specials > 0 && numbers.next() % 16 < specials {
                    *x = special[i % 4];
                }
            }
            let mut want = vec![0; p.output_len()];
            naive::pool_winners(&p, &x, &mut want);
            let got = with_canaries(77, &vec![77; want.len()], 3, |out| pool_winners(isa, &p, &x, out));
            assert_eq!(got, want, "{isa} {p:?} {x:?}");

            let (center, shift) = (numbers.whole::<T>(p.channels, 2), numbers.whole::<T>(p.channels, 3));
            let slope: Vec<T> = (0..p.channels).map(|c| T::from_f64([0.5, -2.0, 1.0, 0.0][c % 4])).collect();
            if p.window != p.stride {
                continue;
            }
            naive::relu_pool_winners(&p, &x, &center, &slope, &shift, &mut want);
            let [mut picked, mut open] = [(); 2].map(|()| vec![canary::<T>(); want.len()]);
            let got = with_canaries(77, &vec![77; want.len()], 5, |out| {
                relu_pool_winners(isa, &p, &x, &center, &slope, &shift, out, &mut picked, &mut open);
            });
            assert_eq!(got, want, "relu {isa} {p:?} {x:?}");
            let mut values = picked.clone();
            gather(&want, &x, &mut values);
            assert_eq!(bits(&picked), bits(&values), "picked {isa} {p:?} {x:?}");
            let is_open = want.iter().map(|&i| if i == MISSING { T::ZERO } else { T::ONE });
            assert!(open.into_iter().eq(is_open), "open {isa} {p:?} {x:?}");
        }
    }
}

fn canary<T: Real>() -> T {
    T::from_f64(1234.5)
}

/// What is equal in these is equal to the bit; f32 is exact in f64, and a NaN is a NaN.
fn bits<T: Real>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| if x.to_f64().is_nan() { u64::MAX } else { x.to_f64().to_bits() }).collect()
}

/// Gather and scatter by windows are those by any places, to the bit.
fn windows<T: Real>(isa: Isa) {
    let mut numbers = Numbers(9);
    for p in pools().into_iter().filter(|p| p.window == p.stride) {
        let x = numbers.uniform::<T>(p.input_len());
        let mut index = vec![0; p.output_len()];
        pool_winners(isa, &p, &x, &mut index);
        for i in &mut index {
            if numbers.next().is_multiple_of(3) {
                *i = MISSING;
            }
        }
        let g = numbers.uniform::<T>(index.len());
        let offset = p.channels % 16;

        let mut want = vec![canary::<T>(); index.len()];
        gather(&index, &x, &mut want);
        let got = with_canaries(canary(), &vec![canary::<T>(); index.len()], offset, |out| {
            gather_windows(isa, &p, &index, &x, out);
        });
        assert_eq!(bits(&got), bits(&want), "gather {isa} {p:?}");

        let (a, old) = (numbers.uniform::<T>(x.len()), numbers.uniform::<T>(x.len()));
        let [k, shift] = [(); 2].map(|()| numbers.uniform::<T>(p.channels));
        let onto = [Onto::Nothing, Onto::Out, Onto::Centered { a: &a, k: &k, shift: &shift }];
        for onto in onto {
            let mut want = old.clone();
            match onto {
                Onto::Nothing => want.fill(T::ZERO),
                Onto::Out => {}
                Onto::Centered { .. } => {
                    scale_centered(isa, &a, &k, Store::Set, &mut want);
                    repeat(isa, 1, x.len() / p.channels.max(1), p.channels, &shift, Store::Add, &mut want);
                }
            }
            scatter_add(&index, &g, &mut want);
            let got = with_canaries(canary(), &old, offset, |out| scatter_windows(isa, &p, &index, &g, onto, out));
            assert_eq!(bits(&got), bits(&want), "scatter {isa} {p:?} {onto:?}");
        }
    }
}

#[test]
fn windows_are_gathered_and_scattered_as_any_places() {
    on_every_isa(windows::<f32>);
    on_every_isa(windows::<f64>);
}

#[test]
fn pool_winners_are_the_specified_ones() {
    on_every_isa(pooling::<f32>);
    on_every_isa(pooling::<f64>);
}

fn fractional_pooling<T: Real>(isa: Isa) {
    let mut numbers = Numbers(8);
    for p in pools().into_iter().filter(|p| p.window == p.stride) {
        let x = numbers.uniform::<T>(p.input_len());
        let [center, slope, shift] = [0; 3].map(|_| numbers.uniform::<T>(p.channels));
        let mut got = vec![0; p.output_len()];
        let [mut picked, mut open] = [(); 2].map(|()| vec![T::ZERO; got.len()]);
        relu_pool_winners(isa, &p, &x, &center, &slope, &shift, &mut got, &mut picked, &mut open);
        let [wx, wc, ws, wt] = [&x, &center, &slope, &shift].map(|v| wide(v));
        let z: Vec<f64> =
            (0..x.len()).map(|i| (i, i % p.channels)).map(|(i, c)| ws[c] * (wx[i] - wc[c]) + wt[c]).collect();
        let mut winners = vec![0; got.len()];
        naive::pool_winners(&p, &z, &mut winners);
        let rounding = 4.0 * T::EPSILON.to_f64();
        for (&got, &best) in got.iter().zip(&winners) {
            let chosen = if got == MISSING { 0.0 } else { z[got as usize] };
            assert!((chosen - z[best as usize].max(0.0)).abs() <= rounding, "{isa} {p:?}");
            assert!(got == MISSING || got as usize % p.channels == best as usize % p.channels, "{isa} {p:?}");
        }
    }
}

#[test]
fn relu_pool_winners_are_within_rounding_of_the_largest() {
    on_every_isa(fractional_pooling::<f32>);
    on_every_isa(fractional_pooling::<f64>);
}

#[test]
fn windows_beyond_exact_counting_are_right() {
    let p = Pool { images: 1, height: 2, width: 3 << 22, channels: 1, window: 2, stride: 1 << 22 };
    let mut x = vec![0.0f32; p.input_len()];
    x[(1 << 22) + 1] = 1.0;
    x[p.width] = 1.0;
    let (mut want, mut got) = (vec![0; p.output_len()], vec![0; p.output_len()]);
    naive::pool_winners(&p, &x, &mut want);
    on_every_isa(|isa| {
        pool_winners(isa, &p, &x, &mut got);
        assert_eq!(got, want, "{isa}");
    });
}

#[test]
fn gather_and_scatter_agree_with_the_specification() {
    let mut numbers = Numbers(9);
    for n in 0..=65 {
        for len in [0, 1, 40] {
            let index: Vec<u32> =
                (0..n)
                    .map(|_| {
                        if len == 0 || numbers.next().is_multiple_of(2) {
                            MISSING
                        } else {
                            (numbers.next() % len) as u32
                        }
                    })
                    .collect();
            let x = numbers.whole::<f32>(len as usize, 9);
            let (mut want, start) = (vec![0.0; n], vec![5.0; n]);
            naive::gather(&index, &x, &mut want);
            assert_eq!(with_canaries(7.5, &start, 3, |out| gather(&index, &x, out)), want);
            let (add, mut want) = (numbers.whole::<f32>(n, 9), x.clone());
            naive::scatter_add(&index, &add, &mut want);
            assert_eq!(with_canaries(7.5, &x, 3, |out| scatter_add(&index, &add, out)), want);
        }
    }
}

#[test]
#[should_panic(expected = "gather: indices outside x")]
fn gather_refuses_an_index_outside() {
    gather(&[3], &[1.0f32; 3], &mut [0.0]);
}

#[test]
#[should_panic(expected = "scatter_add: indices outside out")]
fn scatter_add_refuses_an_index_outside() {
    scatter_add(&[3], &[1.0f32], &mut [0.0; 3]);
}
