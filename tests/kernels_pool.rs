//! Pooling against its specification, on every instruction set.

#[path = "support/canaries.rs"]
mod canaries;

use canaries::{Numbers, on_every_isa, wide, with_canaries};
use maml_kernels::{
    Centered, Conv, Isa, MISSING, Onto, Pool, Pooled, Real, Store, add_scaled, channel_totals, conv_weight_gradient,
    conv_weight_gradient_of_windows, gather, gather_windows, naive, norm_relu_pool, pool_winners, repeat,
    scale_centered, scale_channels, scatter_add, scatter_windows,
};

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
            naive::norm_relu_pool(&p, &x, &center, &slope, &shift, &mut want);
            let mut centered = vec![canary::<T>(); want.len()];
            let [mut open, mut normalised] = [(); 2].map(|()| centered.clone());
            let got = with_canaries(77, &vec![77; want.len()], 5, |winners| {
                let (centered, open, normalised) = (&mut centered[..], &mut open[..], &mut normalised[..]);
                let out = Pooled { winners, centered, open, normalised };
                norm_relu_pool(isa, &p, &x, &center, &slope, &shift, out);
            });
            assert_eq!(got, want, "relu {isa} {p:?} {x:?}");
            let is_open: Vec<T> = want.iter().map(|&i| if i == MISSING { T::ZERO } else { T::ONE }).collect();
            assert!(open == is_open, "open {isa} {p:?} {x:?}");
            // The same values by one kernel after the other.
            let [mut picked, mut part, mut whole] = [(); 3].map(|()| vec![canary::<T>(); want.len()]);
            gather(&want, &x, &mut picked);
            let negative: Vec<T> = center.iter().map(|&c| -c).collect();
            scale_channels(isa, &open, &negative, Store::Set, &mut part);
            add_scaled(isa, &picked, T::ONE, &part, &mut whole);
            // Valgrind's multiply-add loses the sign of a zero, so that zeros are compared without theirs.
            let bits = |x: &[T]| bits(&x.iter().map(|&x| x + T::ZERO).collect::<Vec<T>>());
            assert_eq!(bits(&centered), bits(&whole), "centered {isa} {p:?} {x:?}");
            scale_channels(isa, &open, &shift, Store::Set, &mut part);
            scale_channels(isa, &centered, &slope, Store::Add, &mut part);
            assert_eq!(bits(&normalised), bits(&part), "normalised {isa} {p:?} {x:?}");
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

/// The numbers behind a [`Centered`].
struct CenteredArray<T> {
    a: Vec<T>,
    totals: Vec<f64>,
    k: Vec<T>,
}

impl<T: Real> CenteredArray<T> {
    fn new(isa: Isa, numbers: &mut Numbers, len: usize, channels: usize) -> Self {
        let (a, mut totals) = (numbers.uniform(len), vec![0.0; channels]);
        channel_totals(isa, &a, &mut totals);
        Self { a, totals, k: numbers.uniform(channels) }
    }

    fn borrowed(&self) -> Centered<'_, T> {
        Centered { a: &self.a, totals: &self.totals, k: &self.k }
    }
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

        let old = numbers.uniform::<T>(x.len());
        let shift = numbers.uniform::<T>(p.channels);
        let arrays = [(); 2].map(|()| CenteredArray::new(isa, &mut numbers, x.len(), p.channels));
        let arrays = arrays.each_ref().map(CenteredArray::borrowed);
        let centered = |arrays| Onto::Centered { arrays, shift: &shift };
        for onto in [Onto::Nothing, Onto::Out, centered(&arrays[..1]), centered(&arrays)] {
            let mut want = old.clone();
            match onto {
                Onto::Nothing => want.fill(T::ZERO),
                Onto::Out => {}
                Onto::Centered { arrays, .. } => {
                    for (Centered { a, totals, k }, store) in arrays.iter().zip([Store::Set, Store::Add]) {
                        scale_centered(isa, a, totals, k, store, &mut want);
                    }
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

/// The weight gradient of what windows are scattered into, image by image or not, is that of the whole.
fn weight_gradients<T: Real>(isa: Isa) {
    let mut numbers = Numbers(10);
    for (images, side, c_in, channels) in [(3, 4, 1, 5), (5, 28, 1, 64), (40, 8, 3, 32), (7, 9, 2, 17), (6, 8, 32, 32)]
    {
        let g = Conv {
            images,
            height: side,
            width: side + 1,
            c_in,
            c_out: channels,
            kernel_height: 3,
            kernel_width: 3,
            stride: 1,
            padding: 1,
        };
        let p = Pool { images, height: side, width: side + 1, channels, window: 2, stride: 2 };
        let x = numbers.uniform::<T>(g.input_len());
        let shift = numbers.uniform::<T>(channels);
        let arrays = [(); 2].map(|()| CenteredArray::new(isa, &mut numbers, p.input_len(), channels));
        let arrays = arrays.each_ref().map(CenteredArray::borrowed);
        let mut index = vec![0; p.output_len()];
        pool_winners(isa, &p, arrays[0].a, &mut index);
        let winners = numbers.uniform::<T>(index.len());
        let centered = |arrays| Onto::Centered { arrays, shift: &shift };
        for onto in [Onto::Nothing, centered(&arrays[..1]), centered(&arrays)] {
            let mut dy = vec![T::ZERO; p.input_len()];
            scatter_windows(isa, &p, &index, &winners, onto, &mut dy);
            let mut want = vec![T::ZERO; g.weight_len()];
            conv_weight_gradient(isa, &g, &x, &dy, &mut want);
            let got = with_canaries(canary(), &want, 3, |dw| {
                conv_weight_gradient_of_windows(isa, &g, &x, &p, &index, &winners, onto, dw);
            });
            assert_eq!(bits(&got), bits(&want), "{isa} {g:?} {onto:?}");
        }
    }
}

#[test]
fn weight_gradients_of_windows_are_those_of_what_they_are_scattered_into() {
    on_every_isa(weight_gradients::<f32>);
    on_every_isa(weight_gradients::<f64>);
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
        let [mut centered, mut open, mut normalised] = [(); 3].map(|()| vec![T::ZERO; got.len()]);
        let (centered, open, normalised) = (&mut centered[..], &mut open[..], &mut normalised[..]);
        let out = Pooled { winners: &mut got, centered, open, normalised };
        norm_relu_pool(isa, &p, &x, &center, &slope, &shift, out);
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
fn normalised_winners_are_within_rounding_of_the_largest() {
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
