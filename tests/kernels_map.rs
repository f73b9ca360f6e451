//! Elementwise maps: units in the last place over grids of bit patterns, special values, every length
//! at every offset, on every instruction set.

use maml_kernels::{Isa, Map, Real, add_scaled, axpy, map, mul, naive, scale};

const ALL: [Map; 8] = [Map::Exp, Map::Log, Map::Tanh, Map::Sigmoid, Map::Softplus, Map::Sqrt, Map::Rsqrt, Map::Recip];

/// How far a map may be from the exact value, in units of the last place.
fn tolerance(map: Map) -> f64 {
    match map {
        Map::Exp | Map::Log | Map::Tanh | Map::Softplus => 2.0,
        Map::Sigmoid => 3.0,
        Map::Sqrt | Map::Recip => 0.5,
        Map::Rsqrt => 1.5,
    }
}

/// The distance between neighbouring `f32` at x; at least that of subnormal numbers.
fn ulp32(x: f64) -> f64 {
    let x = (x.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    f64::from(f32::from_bits((x.to_bits() & 0x7f80_0000) + (1 << 23))) / 16_777_216.0 * 1.0
}

fn error32(got: f32, want: f64) -> f64 {
    if got.is_nan() || want.is_nan() {
        return if got.is_nan() && want.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if f64::from(got) == want || got == want as f32 {
        return 0.0;
    }
    (f64::from(got) - want).abs() / ulp32(want)
}

#[test]
fn single_precision_over_a_dense_grid_of_bit_patterns() {
    // Every 509th pattern (a prime, so the low bits vary): 8 million numbers of both signs.
    let x: Vec<f32> = (0..u32::MAX / 509).map(|i| f32::from_bits(i * 509)).collect();
    let mut got = vec![0.0; x.len()];
    for m in ALL {
        let want: Vec<f64> = x.iter().map(|&x| naive::map(m, x.into())).collect();
        for isa in Isa::available() {
            map(isa, m, &x, &mut got);
            let (mut worst, mut at) = (0.0, 0);
            for i in 0..x.len() {
                let error = error32(got[i], want[i]);
                if error > worst {
                    (worst, at) = (error, i);
                }
            }
            eprintln!("{m:?} f32 {isa}: {worst:.3} ULP at {:e}: {:e} {:e}", x[at], got[at], want[at]);
            assert!(worst <= tolerance(m) + 1e-3, "{m:?} {isa}: {worst} ULP at {:e}", x[at]);
        }
    }
}
