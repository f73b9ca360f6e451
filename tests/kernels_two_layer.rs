//! Least squares of two-layer networks: against their specification, and, given the sums of softplus, to the bit against the kernels
//! that see whole arrays, one operation at a time, on every instruction set.

#[path = "support/canaries.rs"]
mod canaries;

use canaries::{Numbers, on_every_isa, wide, with_canaries};
use maml_kernels::{
    Isa, Layout, Map, Real, Store, dot_rows, gemm_batch, map, mul, naive, scale, scale_rows, softplus_with_slope,
    two_layer, two_layer_hessian,
};

/// Networks and inputs: \[count, n, d, neurons\]. More rows than a block of a sum, than pass through together, and fewer; one
/// neuron, fewer and more than a register has lanes, and than pass through together.
const SIZES: [[usize; 4]; 18] = [
    [1, 1, 1, 1],
    [1, 5, 3, 1],
    [3, 17, 4, 2],
    [2, 500, 10, 5],
    [1, 43, 20, 64],
    [1, 1000, 20, 64],
    [2, 301, 7, 16],
    [1, 385, 7, 17],
    [1, 700, 2, 33],
    [1, 90, 3, 130],
    [1, 50, 2, 600],
    [2, 9, 30, 48],
    [1, 20, 500, 3],
    [0, 4, 4, 4],
    [2, 0, 3, 4],
    [2, 3, 0, 4],
    [2, 3, 4, 0],
    [1, 641, 1, 6],
];

/// What these kernels are made of and find.
struct Problem<T> {
    size: [usize; 4],
    x: Vec<T>,
    w: Vec<T>,
    v: Vec<T>,
    y: Vec<T>,
    factor: T,
}

/// Residuals, slopes and gradient at W, and the Hessian times V.
#[derive(PartialEq, Debug)]
struct Results<T> {
    residuals: Vec<T>,
    slopes: Vec<T>,
    gradient: Vec<T>,
    hessian: Vec<T>,
}

impl<T: Real> Problem<T> {
    fn drawn(size: [usize; 4]) -> Self {
        let ([count, n, d, neurons], mut numbers) = (size, Numbers(5));
        let mut draw = |len| numbers.uniform::<T>(len);
        let (x, y) = (draw(count * n * d), draw(count * n));
        let [w, v] = [(); 2].map(|()| draw(count * d * neurons));
        Self { size, x, w, v, y, factor: T::from_f64(1.0 / (n.max(1) as f64)) }
    }

    fn empty(&self) -> Results<T> {
        let [count, n, _, neurons] = self.size;
        let zeros = |len| vec![T::from_f64(7.0); len];
        Results {
            residuals: zeros(count * n),
            slopes: zeros(count * n * neurons),
            gradient: zeros(self.w.len()),
            hessian: zeros(self.w.len()),
        }
    }

    fn found(&self, isa: Isa) -> Results<T> {
        let Self { size, x, w, v, y, factor } = self;
        let (canary, offset, mut found) = (T::from_f64(1234.5), size[1] % 16, self.empty());
        let (mut residuals, mut slopes) = (vec![], vec![]);
        let gradient = with_canaries(canary, &found.gradient, offset, |gradient| {
            slopes = with_canaries(canary, &found.slopes, offset, |slopes| {
                residuals = with_canaries(canary, &found.residuals, offset, |residuals| {
                    two_layer(isa, *size, x, w, y, *factor, residuals, Some(slopes), Some(gradient));
                });
            });
        });
        let hessian = with_canaries(canary, &found.hessian, offset, |hessian| {
            two_layer_hessian(isa, *size, x, v, &slopes, &residuals, *factor, hessian);
        });
        // What is not wanted changes nothing else.
        two_layer(isa, *size, x, w, y, *factor, &mut found.residuals, None, None);
        assert_eq!(found.residuals, residuals, "{size:?} {isa}, residuals alone");
        two_layer(isa, *size, x, w, y, *factor, &mut found.residuals, None, Some(&mut found.gradient));
        assert_eq!((&found.residuals, &found.gradient), (&residuals, &gradient), "{size:?} {isa}, no slopes");
        Results { residuals, slopes, gradient, hessian }
    }

    /// The same by whole arrays, with these residuals, by which inputs are scaled in place of slopes.
    fn one_by_one(&self, isa: Isa, residuals: &[T]) -> Results<T> {
        let Self { size: [count, n, d, neurons], x, w, v, factor, .. } = self;
        let Results { mut slopes, mut gradient, mut hessian, .. } = self.empty();
        let [mut z, mut dz, mut pulled, mut curvature] = [(); 4].map(|()| slopes.clone());
        let [mut c, mut along, mut scaled] = [residuals.to_vec(), residuals.to_vec(), x.clone()];
        gemm_batch(isa, Layout::NN, *count, *n, *neurons, *d, x, w, &mut z);
        softplus_with_slope(isa, &z, &mut pulled, &mut slopes);
        scale(isa, *factor, residuals, &mut c);
        scale_rows(isa, x, &c, Store::Set, &mut scaled);
        gemm_batch(isa, Layout::TN, *count, *d, *neurons, *n, &scaled, &slopes, &mut gradient);

        gemm_batch(isa, Layout::NN, *count, *n, *neurons, *d, x, v, &mut dz);
        dot_rows(isa, &dz, &slopes, &mut along);
        scale_rows(isa, &dz, &c, Store::Set, &mut z);
        map(isa, Map::SigmoidSlope, &slopes, &mut curvature);
        mul(isa, &z, &curvature, Store::Set, &mut pulled);
        scale(isa, *factor, &along, &mut c);
        scale_rows(isa, &slopes, &c, Store::Add, &mut pulled);
        gemm_batch(isa, Layout::TN, *count, *d, *neurons, *n, x, &pulled, &mut hessian);
        Results { residuals: residuals.to_vec(), slopes, gradient, hessian }
    }

    /// The same by the specification, in f64.
    fn specified(&self, found: &Results<T>) -> Results<f64> {
        let [x, w, v, y] = [&self.x, &self.w, &self.v, &self.y].map(|numbers| wide(numbers));
        let Results { mut residuals, mut slopes, mut gradient, mut hessian } = Problem::<f64>::drawn(self.size).empty();
        let factor = self.factor.to_f64();
        naive::two_layer(self.size, &x, &w, &y, factor, [&mut residuals, &mut slopes, &mut gradient]);
        let [s, r] = [&found.slopes, &found.residuals].map(|numbers| wide(numbers));
        naive::two_layer_hessian(self.size, &x, &v, &s, &r, factor, &mut hessian);
        Results { residuals, slopes, gradient, hessian }
    }
}

fn check<T: Real>(isa: Isa) {
    for size in SIZES {
        let problem = Problem::<T>::drawn(size);
        let found = problem.found(isa);
        assert_eq!(found, problem.one_by_one(isa, &found.residuals), "{size:?} {isa}, one by one");
        let (want, epsilon) = (problem.specified(&found), if size_of::<T>() == 4 { 1e-6 } else { 1e-14 });
        // As many roundings as numbers are added.
        let [_, n, d, neurons] = size.map(|size| size as f64);
        let close = |what: &str, have: &[T], want: &[f64], terms: f64| {
            for (have, want) in wide(have).iter().zip(want) {
                let error = (have - want).abs();
                assert!(error <= epsilon * terms * (1.0 + want.abs()), "{size:?} {isa}, {what}: {have} for {want}");
            }
        };
        close("slopes", &found.slopes, &want.slopes, d + 4.0);
        close("residuals", &found.residuals, &want.residuals, (d + 4.0) * neurons);
        close("gradient", &found.gradient, &want.gradient, (d + 4.0) * neurons + n);
        close("Hessian", &found.hessian, &want.hessian, (d + 4.0) * neurons + n);
    }
}

#[test]
fn rows_at_a_time_have_the_bits_of_whole_arrays() {
    on_every_isa(check::<f32>);
    on_every_isa(check::<f64>);
}

/// Residuals of networks with one input, whose hidden units are their parameters.
fn sums_of_softplus<T: Real>(isa: Isa, units: &[T]) -> T {
    let mut sum = [T::ZERO];
    two_layer(isa, [1, 1, 1, units.len()], &[T::ONE], units, &[T::ZERO], T::ONE, &mut sum, None, None);
    sum[0]
}

/// A sum that errs by less than one in the order of its numbers.
fn sum_of_halves(numbers: &[f64]) -> f64 {
    match numbers {
        &[number] => number,
        _ => {
            let (first, second) = numbers.split_at(numbers.len() / 2);
            sum_of_halves(first) + sum_of_halves(second)
        }
    }
}

fn check_sums<T: Real>(isa: Isa) {
    let of = |units: &[f64]| sums_of_softplus(isa, &units.iter().map(|&x| T::from_f64(x)).collect::<Vec<_>>()).to_f64();
    let epsilon = T::EPSILON.to_f64();
    for len in [1, 7, 16, 17, 63, 64, 65, 128, 200, 1000] {
        // Most factors are two, all are, or nearly one; and numbers from everywhere.
        let ramps = [(0.0, 0.0), (1e-3, 0.0), (0.0, -12.0), (1.0, -40.0), (-0.3, 20.0), (5.0, -2000.0)];
        for (step, start) in ramps {
            let units: Vec<_> = (0..len).map(|i| T::from_f64(step * f64::from(i) + start).to_f64()).collect();
            let softplus: Vec<_> = units.iter().map(|x| x.max(0.0) + (-x.abs()).exp().ln_1p()).collect();
            let (have, want) = (of(&units), sum_of_halves(&softplus));
            let error = (have - want).abs();
            // Relative to the sum, and what the factors lose that are nearly one.
            assert!(
                error <= epsilon * (4.0 * want + f64::from(len)),
                "{len} units from {start} by {step} {isa}: {have} for {want}"
            );
        }
    }
    let (nan, infinity) = (f64::NAN, f64::INFINITY);
    assert!(of(&[1.0, nan, 2.0]).is_nan() && of(&[[0.5; 20], [nan; 20]].concat()).is_nan(), "{isa}");
    assert_eq!([of(&[1.0, infinity]), of(&[-infinity; 70])], [infinity, 0.0], "{isa}");
}

#[test]
fn sums_of_softplus_share_logarithms_and_err_by_less_than_epsilon_for_each_of_them() {
    on_every_isa(check_sums::<f32>);
    on_every_isa(check_sums::<f64>);
}

#[test]
#[should_panic(expected = "2 two-layer networks of 3x4, 5 neurons: lengths of x, w, y, residuals")]
fn arrays_of_other_lengths_are_refused() {
    two_layer(Isa::best(), [2, 3, 4, 5], &[0.0_f32; 24], &[0.0; 39], &[0.0; 6], 1.0, &mut [0.0; 6], None, None);
}

#[test]
#[should_panic(expected = "lengths of slopes, gradient")]
fn slopes_of_other_lengths_are_refused() {
    let (x, v, residuals) = ([0.0_f32; 24], [0.0; 40], [0.0; 6]);
    two_layer_hessian(Isa::best(), [2, 3, 4, 5], &x, &v, &[0.0; 29], &residuals, 1.0, &mut [0.0; 40]);
}
