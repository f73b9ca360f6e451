//! The three slots of the convolution by direct sums against the seven loops in f64, on every instruction set.

#[path = "support/bound.rs"]
mod bound;

use bound::{Guarded, assert_within, gamma, random};
use maml_kernels::{Conv, Isa, Real, conv_input_gradient, conv_output, conv_weight_gradient, naive};
use rand::{RngExt, SeedableRng, rngs::ChaCha8Rng};

/// What the project computes, and corners that random sizes seldom meet.
#[rustfmt::skip]
const NAMED: [Conv; 12] = [
    Conv { images: 5, height: 28, width: 28, c_in: 1, c_out: 64, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 9, height: 14, width: 14, c_in: 64, c_out: 64, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 25, height: 3, width: 3, c_in: 64, c_out: 64, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 5, height: 32, width: 32, c_in: 3, c_out: 32, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 7, height: 14, width: 14, c_in: 64, c_out: 64, kernel_height: 3, kernel_width: 3, stride: 2, padding: 1 },
    Conv { images: 0, height: 5, width: 5, c_in: 2, c_out: 2, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 2, height: 2, width: 2, c_in: 3, c_out: 4, kernel_height: 5, kernel_width: 3, stride: 1, padding: 0 },
    Conv { images: 2, height: 0, width: 3, c_in: 3, c_out: 4, kernel_height: 3, kernel_width: 3, stride: 1, padding: 2 },
    Conv { images: 2, height: 5, width: 4, c_in: 0, c_out: 4, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 2, height: 5, width: 4, c_in: 3, c_out: 0, kernel_height: 3, kernel_width: 3, stride: 1, padding: 1 },
    Conv { images: 2, height: 5, width: 4, c_in: 3, c_out: 2, kernel_height: 0, kernel_width: 3, stride: 2, padding: 1 },
    Conv { images: 3, height: 6, width: 5, c_in: 3, c_out: 2, kernel_height: 1, kernel_width: 2, stride: 3, padding: 7 },
];

fn random_geometry(rng: &mut ChaCha8Rng) -> Conv {
    let channels = |rng: &mut ChaCha8Rng| if rng.random_bool(0.1) { 33 } else { rng.random_range(1..=9) };
    Conv {
        images: rng.random_range(1..=3),
        height: rng.random_range(1..=9),
        width: rng.random_range(1..=9),
        c_in: channels(rng),
        c_out: channels(rng),
        kernel_height: rng.random_range(1..=4),
        kernel_width: rng.random_range(1..=4),
        stride: rng.random_range(1..=3),
        padding: rng.random_range(0..=4),
    }
}

fn doubles<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

fn magnitudes(x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| x.abs()).collect()
}

/// One slot of ⟨dy, x ∗ w⟩: its fast and its naive form, and its two operands.
struct Slot<'a, T> {
    name: &'static str,
    fast: fn(Isa, &Conv, &[T], &[T], &mut [T]),
    naive: fn(&Conv, &[f64], &[f64], &mut [f64]),
    left: &'a [T],
    right: &'a [T],
    len: usize,
    /// The number of terms in the longest sum.
    depth: usize,
}

impl<T: Real> Slot<'_, T> {
    fn check(&self, g: &Conv) {
        let (left, right) = (doubles(self.left), doubles(self.right));
        let (mut exact, mut magnitude) = (vec![0.0; self.len], vec![0.0; self.len]);
        (self.naive)(g, &left, &right, &mut exact);
        (self.naive)(g, &magnitudes(&left), &magnitudes(&right), &mut magnitude);
        // The loops in f64 are exact only up to their own roundings.
        let bound = gamma::<T>(self.depth + 2) + gamma::<f64>(self.depth + 2);
        // Winograd's algorithm has a bound and a test of its own.
        for isa in Isa::available().into_iter().map(Isa::direct) {
            let what = || format!("{} {isa} {g:?}", self.name);
            let mut out = Guarded::new(self.len);
            (self.fast)(isa, g, self.left, self.right, out.slice());
            assert_within(bound, out.checked(what), &exact, &magnitude, what);
        }
    }
}

fn check_geometry<T: Real>(rng: &mut ChaCha8Rng, g: &Conv) {
    let x = random::<T>(rng, g.input_len());
    let w = random::<T>(rng, g.weight_len());
    let dy = random::<T>(rng, g.output_len());
    let taps = g.kernel_height * g.kernel_width;
    let slots = [
        Slot {
            name: "output",
            fast: conv_output,
            naive: naive::conv_output,
            left: &x,
            right: &w,
            len: dy.len(),
            depth: taps * g.c_in,
        },
        Slot {
            name: "input gradient",
            fast: conv_input_gradient,
            naive: naive::conv_input_gradient,
            left: &w,
            right: &dy,
            len: x.len(),
            depth: taps * g.c_out,
        },
        Slot {
            name: "weight gradient",
            fast: conv_weight_gradient,
            naive: naive::conv_weight_gradient,
            left: &x,
            right: &dy,
            len: w.len(),
            depth: g.images * g.out_height() * g.out_width(),
        },
    ];
    slots.iter().for_each(|slot| slot.check(g));
}

#[test]
fn named_geometries_within_bound() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for g in &NAMED {
        check_geometry::<f32>(&mut rng, g);
        check_geometry::<f64>(&mut rng, g);
    }
}

#[test]
fn random_geometries_within_bound_in_f32() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..5000 {
        let g = random_geometry(&mut rng);
        check_geometry::<f32>(&mut rng, &g);
    }
}

#[test]
fn random_geometries_within_bound_in_f64() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for _ in 0..5000 {
        let g = random_geometry(&mut rng);
        check_geometry::<f64>(&mut rng, &g);
    }
}

/// Scratch memory is reused: what an earlier, larger call left in it must not show.
#[test]
fn results_do_not_depend_on_earlier_calls() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let small = Conv { images: 2, height: 4, c_in: 5, c_out: 6, ..NAMED[4] };
    let (x, w) = (random::<f32>(&mut rng, small.input_len()), random::<f32>(&mut rng, small.weight_len()));
    for isa in Isa::available() {
        let mut first = vec![0.0; small.output_len()];
        conv_output(isa, &small, &x, &w, &mut first);
        let large = NAMED[1];
        let mut y = vec![0.0; large.output_len()];
        conv_output(isa, &large, &vec![f32::NAN; large.input_len()], &vec![1.0; large.weight_len()], &mut y);
        let mut second = vec![0.0; small.output_len()];
        conv_output(isa, &small, &x, &w, &mut second);
        assert_eq!(first, second, "{isa} {small:?} after a call on NaN");
    }
}

#[test]
#[should_panic(expected = "lengths of input, weight, output")]
fn wrong_lengths_are_refused() {
    conv_output(Isa::best(), &NAMED[0], &[0.0_f32; 3], &[0.0; 576], &mut [0.0; 64]);
}
