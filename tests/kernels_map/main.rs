//! Elementwise maps: units in the last place over grids of bit patterns, special values, every length
//! at every offset, on every instruction set.

mod exact;

use exact::{Pair, exact};
use maml_kernels::{Isa, Map, Real, Store, add_scaled, axpy, map, mul, naive, scale, softplus_with_slope};

/// All but the slope of the sigmoid, x − x², whose error is that of its terms, which cancel near 1.
const ALL: [Map; 8] = [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::Softplus, Map::Sqrt, Map::Rsqrt, Map::Recip];

/// How far a map may be from the exact value, in units of the last place.
fn tolerance(map: Map) -> f64 {
    match map {
        Map::Exp | Map::Log | Map::Tanh | Map::Softplus => 2.0,
        Map::Sigmoid => 3.0,
        Map::Rsqrt => 1.5,
        Map::Sqrt | Map::Recip => 0.5 + 1e-9,
        Map::SigmoidSlope => unreachable!("it has a test of its own"),
    }
}

/// The distance between neighbours at the size of x, in a type with `digits` bits and 2^`least` as its
/// smallest number.
fn ulp(x: f64, digits: i32, least: i32) -> f64 {
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    let (e, smallest) = (exponent - digits + 1, least);
    2f64.powi(e.max(smallest).max(-1000))
        * if e.max(smallest) < -1000 { 2f64.powi(e.max(smallest) + 1000) } else { 1.0 }
}

fn error32(got: f32, want: f64) -> f64 {
    let same = (got.is_nan() && want.is_nan()) || got == want as f32;
    if same { 0.0 } else { (f64::from(got) - want).abs() / ulp(want, 24, -149) }
}

fn error64(got: f64, want: Pair) -> f64 {
    ((got - want.hi) - want.lo).abs() / ulp(want.hi, 53, -1074)
}

fn check_grid(m: Map, isa: Isa, kind: &str, errors: impl Iterator<Item = (f64, f64)>) {
    let (worst, at) = errors.fold((0.0, 0.0), |worst, next| if next.0 <= worst.0 { worst } else { next });
    println!("{m:?} {kind} {isa}: {worst:.3} ULP at {at:e}");
    assert!(worst <= tolerance(m), "{m:?} {kind} {isa}: {worst} ULP at {at:e}");
}

#[test]
fn single_precision_over_a_dense_grid_of_bit_patterns() {
    // Every 509th pattern (a prime, so that the low bits vary): 8 million numbers of both signs.
    let x: Vec<f32> = (0..u32::MAX / 509).map(|i| f32::from_bits(i * 509)).collect();
    let mut got = vec![0.0; x.len()];
    for m in ALL {
        let want: Vec<f64> = x.iter().map(|&x| naive::map(m, x.into())).collect();
        for isa in Isa::available() {
            map(isa, m, &x, &mut got);
            let errors = (0..x.len()).map(|i| (error32(got[i], want[i]), x[i].into()));
            check_grid(m, isa, "f32", errors);
        }
    }
}

/// Bit patterns of all exponents, more of those where the functions bend, and many numbers around 1.
fn grid64() -> Vec<f64> {
    let all = (0..60_000u64).map(|i| i * 307_445_734_561_823);
    let middle = (0..100_000u64).map(|i| ((1023 - 30) << 52) + i * 1_801_439_850_951);
    let one = (0..50_000u64).map(|i| 0.4f64.to_bits() + i * 180_143_985_137);
    let both = |bits: u64| [f64::from_bits(bits), -f64::from_bits(bits)];
    all.map(f64::from_bits).chain(middle.chain(one).flat_map(both)).filter(|x| x.is_finite()).collect()
}

/// Whether x lies where a map has an ordinary finite value, which `exact` can compute.
fn ordinary(m: Map, x: f64) -> bool {
    match m {
        Map::Exp => (-745.0..709.7).contains(&x),
        Map::Log => x > 0.0,
        Map::Tanh | Map::SigmoidSlope => true,
        Map::Sigmoid | Map::Softplus => x > -745.0,
        Map::Sqrt | Map::Rsqrt => x > 1e-280 && x < 1e280,
        Map::Recip => x.abs() > 1e-280 && x.abs() < 1e280,
    }
}

#[test]
fn double_precision_over_a_grid_of_bit_patterns() {
    let grid = grid64();
    for m in ALL {
        let x: Vec<f64> = grid.iter().copied().filter(|&x| ordinary(m, x)).collect();
        let want: Vec<Pair> = x.iter().map(|&x| exact(m, x)).collect();
        let mut got = vec![0.0; x.len()];
        for isa in Isa::available() {
            map(isa, m, &x, &mut got);
            check_grid(m, isa, "f64", (0..x.len()).map(|i| (error64(got[i], want[i]), x[i])));
        }
    }
}

#[test]
fn the_slope_of_the_sigmoid_errs_by_roundings_of_its_terms() {
    let x: Vec<f64> = grid64().into_iter().filter(|x| (-2.0..2.0).contains(x)).collect();
    let mut got = vec![0.0; x.len()];
    for isa in Isa::available() {
        map(isa, Map::SigmoidSlope, &x, &mut got);
        for (&x, &got) in x.iter().zip(&got) {
            let want = exact(Map::SigmoidSlope, x);
            let bound = f64::EPSILON / 2.0 * (x * x + want.hi.abs());
            assert!(((got - want.hi) - want.lo).abs() <= bound, "{isa} of {x:e}: {got:e}");
        }
    }
}

/// The kernel for both has the bits of the kernel for each, at every length and offset.
fn softplus_and_its_slope<T: Real>(isa: Isa) {
    let x: Vec<T> = (0..90).map(|i| T::from_f64((i as f64 - 45.0) * (i as f64 - 45.0).abs() / 20.0)).collect();
    for (offset, n) in (0..16).flat_map(|offset| (0..=65).map(move |n| (offset, n))) {
        let x = &x[offset..offset + n];
        let mut slope = Vec::new();
        let y = written(n, offset, T::ZERO, |y| {
            slope = written(n, offset, T::ZERO, |slope| softplus_with_slope(isa, x, y, slope));
        });
        for (m, got) in [(Map::Softplus, y), (Map::Sigmoid, slope)] {
            let mut want = vec![T::ZERO; n];
            map(isa, m, x, &mut want);
            assert_eq!(got, want, "{m:?} {isa} {n} at {offset}");
        }
    }
}

#[test]
fn softplus_with_its_slope_has_the_bits_of_both_maps() {
    for isa in Isa::available() {
        softplus_and_its_slope::<f32>(isa);
        softplus_and_its_slope::<f64>(isa);
    }
}

fn special<T: Real>(isa: Isa, least: f64, smallest_normal: f64, largest: f64) {
    let x = [
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        1.0,
        -1.0,
        least,
        -least,
        smallest_normal,
        largest,
        -largest,
    ];
    let x: Vec<T> = x.map(T::from_f64).into();
    let mut got = vec![T::ZERO; x.len()];
    for m in ALL {
        map(isa, m, &x, &mut got);
        for (x, got) in x.iter().zip(&got) {
            let want = T::from_f64(naive::map(m, x.to_f64()));
            let (got, want) = (got.to_f64(), want.to_f64());
            let near = (got / want - 1.0).abs() < 4.0 * T::EPSILON.to_f64();
            let same = got == want && got.is_sign_negative() == want.is_sign_negative();
            assert!(
                near || same || (got.is_nan() && want.is_nan()),
                "{m:?} {isa} of {x:e}: {got} for {want}",
                x = x.to_f64()
            );
        }
    }
}

#[test]
fn special_values() {
    for isa in Isa::available() {
        special::<f32>(isa, f32::from_bits(1).into(), f32::MIN_POSITIVE.into(), f32::MAX.into());
        special::<f64>(isa, f64::from_bits(1), f64::MIN_POSITIVE, f64::MAX);
    }
}

#[test]
fn exp_overflows_and_vanishes_where_it_must() {
    for isa in Isa::available() {
        let x = [88.722_83, 88.722_85, 1e30, -87.4, -103.97, -104.1, -1e30];
        let mut got = [0.0f32; 7];
        map(isa, Map::Exp, &x, &mut got);
        assert!(got[0].is_finite() && got[1] == f32::INFINITY && got[2] == f32::INFINITY, "{isa}: {got:?}");
        assert!(
            got[3] > 0.0 && got[3] < f32::MIN_POSITIVE && got[4] > 0.0 && got[5] == 0.0 && got[6] == 0.0,
            "{isa}: {got:?}"
        );
        let x = [709.782_712, 709.782_713, 1e300, -708.5, -745.1, -745.2, -1e300];
        let mut got = [0.0f64; 7];
        map(isa, Map::Exp, &x, &mut got);
        assert!(got[0].is_finite() && got[1] == f64::INFINITY && got[2] == f64::INFINITY, "{isa}: {got:?}");
        assert!(
            got[3] > 0.0 && got[3] < f64::MIN_POSITIVE && got[4] > 0.0 && got[5] == 0.0 && got[6] == 0.0,
            "{isa}: {got:?}"
        );
    }
}

/// Calls `write` on `n` elements at `offset` of an array of canaries that begins with `start`, checks
/// that nothing else changed, and returns what was written.
fn written<T: Real>(n: usize, offset: usize, start: T, write: impl FnOnce(&mut [T])) -> Vec<T> {
    let canary = T::from_f64(-1234.5);
    let mut all = vec![canary; offset + n + 33];
    all[offset..offset + n].fill(start);
    write(&mut all[offset..offset + n]);
    assert!(all[..offset].iter().chain(&all[offset + n..]).all(|&x| x == canary), "{n} at {offset}");
    all[offset..offset + n].to_vec()
}

fn lengths<T: Real>(isa: Isa) {
    let numbers =
        |n: usize, step: f64| -> Vec<T> { (0..n).map(|i| T::from_f64(step * (i % 50) as f64 + 0.25)).collect() };
    let (a, b, s) = (numbers(90, 0.5), numbers(90, 0.25), T::from_f64(1.5));
    for offset in 0..16 {
        for n in 0..=65 {
            let (a, b) = (&a[offset..offset + n], &b[offset..offset + n]);
            for m in ALL.into_iter().chain([Map::SigmoidSlope]) {
                // A lane's result does not depend on its place: one element at a time gives the same bits.
                let mut want = vec![T::ZERO; n];
                for i in 0..n {
                    map(isa, m, &a[i..=i], &mut want[i..=i]);
                }
                assert_eq!(written(n, offset, T::ZERO, |out| map(isa, m, a, out)), want, "{m:?} {isa} {n} at {offset}");
            }
            // All of these are exact in both types.
            let each = |f: &dyn Fn(T, T) -> T| -> Vec<T> { a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect() };
            assert_eq!(written(n, offset, s, |out| mul(isa, a, b, Store::Set, out)), each(&|a, b| a * b));
            assert_eq!(written(n, offset, s, |out| mul(isa, a, b, Store::Add, out)), each(&|a, b| s + a * b));
            assert_eq!(written(n, offset, s, |out| scale(isa, s, a, out)), each(&|a, _| s * a));
            assert_eq!(written(n, offset, s, |out| add_scaled(isa, a, s, b, out)), each(&|a, b| a + s * b));
            assert_eq!(written(n, offset, s, |out| axpy(isa, s, a, out)), each(&|a, _| s + s * a));
        }
    }
}

#[test]
fn every_length_at_every_offset() {
    for isa in Isa::available() {
        lengths::<f32>(isa);
        lengths::<f64>(isa);
    }
}
