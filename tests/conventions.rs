//! Exact tests of what differences cannot see: the conventions at kinks and ties, and the limits of batch
//! norm and soft-max.

#[path = "support/sampling.rs"]
mod sampling;

use maml_autograd::{
    Function, SecondOrder, Tape, Tensor, Value, grad, hvp, neural,
    op::{Bilinear, Form, Op, Slot},
    value, values_and_grad,
};
use maml_kernels::Real;
use sampling::{direction, largest, stream, uniform};

/// ⟨g, body(x)⟩ of a body given as a generic method.
macro_rules! paired {
    ($name:ident, |$x:ident $(, $field:ident: $type:ty)*| $body:expr) => {
        struct $name<'a> {
            g: &'a Tensor<f64>,
            $($field: $type,)*
        }

        impl<T: Real> Function<T> for $name<'_> {
            fn eval<V: Value<Real = T>>(&self, $x: &[V]) -> V {
                $(let $field = self.$field;)*
                $body.dot(&V::constant(self.g.cast()))
            }
        }
    };
}

paired!(Relu, |x| neural::relu(&x[0]));
paired!(Elu, |x| neural::elu(&x[0]));
paired!(SquaredRelu, |x| neural::relu(&x[0]).mul(&neural::relu(&x[0])));
paired!(MaxPool, |x, window: usize, stride: usize| neural::max_pool(&x[0], window, stride));
paired!(BatchNorm, |x, epsilon: f64| neural::batch_norm(&x[0], &x[1], &x[2], epsilon));
paired!(NormReluPool, |x, epsilon: f64| neural::norm_relu_pool(&x[0], &x[1], &x[2], epsilon));
paired!(Composed, |x, epsilon: f64| {
    neural::max_pool(&neural::relu(&neural::batch_norm(&x[0], &x[1], &x[2], epsilon)), 2, 2)
});
paired!(ConvNorm, |x, images: &'a Tensor<f64>| {
    let y = V::constant(images.cast()).conv(&x[0], 1, 1);
    // Three terms of a kind meet in the cotangent of y, whose order decides bits.
    neural::batch_norm(&y.exp().add(&y.tanh()).add(&y.sigmoid()), &x[1], &x[2], 1e-3)
});
paired!(LogSoftmax, |x| neural::log_softmax(&x[0]));

fn row(values: &[f64]) -> Tensor<f64> {
    Tensor::new([values.len()], values)
}

#[track_caller]
fn assert_near(have: &Tensor<f64>, want: &Tensor<f64>, tolerance: f64) {
    assert_eq!(have.shape(), want.shape());
    let error = largest(&[have.sub(want)]);
    assert!(error <= tolerance, "{have:?} instead of {want:?}, error {error:e}");
}

#[test]
fn relu_has_slope_0_at_0() {
    let x = [row(&[-1.5, -0.0, 0.0, f64::MIN_POSITIVE, 2.0])];
    let g = row(&[3.0, 5.0, 7.0, 11.0, 13.0]);
    assert_eq!(neural::relu(&x[0]).as_slice(), [0.0, 0.0, 0.0, f64::MIN_POSITIVE, 2.0]);
    assert_eq!(grad(&Relu { g: &g }, &x)[0].as_slice(), [0.0, 0.0, 0.0, 11.0, 13.0]);
    assert_eq!(hvp(&Relu { g: &g }, &x, std::slice::from_ref(&g))[0].as_slice(), [0.0; 5]);
    // relu² has the second derivative 2 on the right of 0, and by the same convention 0 at 0.
    let v = row(&[1.0; 5]);
    assert_eq!(hvp(&SquaredRelu { g: &g }, &x, &[v])[0].as_slice(), [0.0, 0.0, 0.0, 22.0, 26.0]);
    assert!(neural::relu(&row(&[f64::NAN])).as_slice()[0].is_nan(), "a NaN stays");
}

#[test]
fn elu_is_smooth_at_0_and_takes_its_second_derivative_from_the_left() {
    let x = [row(&[-1.0, 0.0, 3.0])];
    let (one, e) = (row(&[1.0; 3]), (-1.0_f64).exp());
    assert_near(&neural::elu(&x[0]), &row(&[e - 1.0, 0.0, 3.0]), 1e-15);
    assert_near(&grad(&Elu { g: &one }, &x)[0], &row(&[e, 1.0, 1.0]), 1e-15);
    assert_near(&hvp(&Elu { g: &one }, &x, std::slice::from_ref(&one))[0], &row(&[e, 1.0, 0.0]), 1e-15);
    assert!(neural::elu(&row(&[800.0])).is_finite(), "what is not used does not overflow");
}

#[test]
fn the_first_of_equals_wins_a_pool() {
    // Rows of an image of one channel; the last column and row are left over by windows of 2.
    let x = [Tensor::new([1, 3, 5, 1], &[1., 4., 2., 2., 9., 4., 0., 2., 2., 9., 9., 9., 9., 9., 9.])];
    let g = Tensor::new([1, 1, 2, 1], &[3.0, 5.0]);
    let f = MaxPool { g: &g, window: 2, stride: 2 };
    assert_eq!(value(&f, &x), 3.0 * 4.0 + 5.0 * 2.0);
    let mut first = [0.0; 15];
    (first[1], first[2]) = (3.0, 5.0);
    assert_eq!(grad(&f, &x)[0].as_slice(), first);

    // Overlapping windows that share their winner add up there.
    let x = [Tensor::new([1, 2, 3, 1], &[0., 7., 7., 7., 7., 0.])];
    let f = MaxPool { g: &g, window: 2, stride: 1 };
    assert_eq!(grad(&f, &x)[0].as_slice(), [0., 8., 0., 0., 0., 0.]);
    let x = Tensor::new([1, 2, 2, 1], &[1.0, f64::NAN, 3.0, 2.0]);
    assert!(neural::max_pool(&x, 2, 2).item().is_nan(), "a NaN wins");
}

#[test]
fn the_fused_block_follows_the_same_conventions() {
    // Scale 0 makes every z the shift: all tie. Shift 0 puts them on the kink.
    let rng = &mut stream("ties", [0, 0]);
    let x = uniform(rng, [2, 2, 2, 2].into(), -1.0, 1.0);
    let g = uniform(rng, [2, 1, 1, 2].into(), 0.5, 1.0);
    for shift in [[0.3, 0.3], [0.3, 0.0], [0.0, -0.3]] {
        let at = [x.clone(), row(&[0.0, 0.0]), row(&shift)];
        let fused = grad(&NormReluPool { g: &g, epsilon: 0.1 }, &at);
        let composed = grad(&Composed { g: &g, epsilon: 0.1 }, &at);
        fused.iter().zip(&composed).for_each(|(a, b)| assert_near(a, b, 1e-15));
        let open = |c: usize| if shift[c] > 0.0 { g.as_slice()[c] + g.as_slice()[2 + c] } else { 0.0 };
        assert_near(&fused[2], &Tensor::from_fn([2], open), 1e-15);
    }
}

#[test]
fn the_fused_block_is_its_composition_away_from_ties() {
    for draw in 0..100 {
        let rng = &mut stream("fused", [draw, 0]);
        let [n, h, w, c] = [1 + draw % 3, 2 + draw % 5, 2 + draw % 4, 1 + draw % 6].map(|n| n as usize);
        let x = uniform(rng, [n, h, w, c].into(), -2.0, 2.0);
        let at = [x, uniform(rng, [c].into(), -1.5, 1.5), uniform(rng, [c].into(), -1.0, 1.0)];
        let g = uniform(rng, [n, h / 2, w / 2, c].into(), -1.0, 1.0);
        let (fused, composed) = (NormReluPool { g: &g, epsilon: 1e-2 }, Composed { g: &g, epsilon: 1e-2 });
        let v = direction(rng, &at);
        assert!((value::<f64>(&fused, &at) - value(&composed, &at)).abs() < 1e-12);
        grad(&fused, &at).iter().zip(&grad(&composed, &at)).for_each(|(a, b)| assert_near(a, b, 1e-11));
        hvp(&fused, &at, &v).iter().zip(&hvp(&composed, &at, &v)).for_each(|(a, b)| assert_near(a, b, 1e-10));
    }
}

#[test]
fn batch_norm_of_one_row_is_its_shift() {
    let (x, scale, shift) = (Tensor::new([1, 3], &[4.0, -1.0, 0.3]), row(&[2.0, 0.5, -1.0]), row(&[0.1, 0.2, 0.3]));
    let g = Tensor::new([1, 3], &[3.0, 5.0, 7.0]);
    let f = BatchNorm { g: &g, epsilon: 1e-5 };
    assert_eq!(neural::batch_norm(&x, &scale, &shift, 1e-5).as_slice(), shift.as_slice());
    let at = [x, scale, shift];
    assert_eq!(grad(&f, &at).iter().map(Tensor::as_slice).collect::<Vec<_>>(), [&[0.0; 3], &[0.0; 3], g.as_slice()]);
    let v = direction(&mut stream("one row", [0, 0]), &at);
    assert!(hvp(&f, &at, &v).iter().all(|h| h.as_slice().iter().all(|h| *h == 0.0)));
}

/// With variance 0 the slope is scale/√ε and the covariance terms vanish: dx = scale/√ε · (g − ḡ).
#[test]
fn batch_norm_of_a_constant_channel() {
    // 0.1 is not a binary fraction, so that the mean of equals need not be that number exactly.
    for (constant, tolerance) in [(2.0, 1e-13), (0.1, 1e-11), (-1000.1, 1e-8)] {
        let other = uniform(&mut stream("constant", [0, 0]), [7].into(), -1.0, 1.0);
        let x = Tensor::from_fn([7, 2], |i| if i % 2 == 0 { constant } else { other.as_slice()[i / 2] });
        let g = uniform(&mut stream("constant", [0, 1]), [7, 2].into(), -1.0, 1.0);
        let at = [x, row(&[1.5, 0.7]), row(&[0.25, -0.5])];
        let gradient = grad(&BatchNorm { g: &g, epsilon: 1e-4 }, &at);
        let of_channel = |x: &Tensor<f64>| Tensor::from_fn([7], |i| x.as_slice()[2 * i]);
        let y = neural::batch_norm(&at[0], &at[1], &at[2], 1e-4);
        assert_near(&of_channel(&y), &Tensor::full([7], 0.25), tolerance);
        let g = of_channel(&g);
        let mean = g.mean().item();
        let want = Tensor::from_fn([7], |i| 1.5 / 1e-4_f64.sqrt() * (g.as_slice()[i] - mean));
        assert_near(&of_channel(&gradient[0]), &want, 100.0 * tolerance);
        assert!((gradient[1].as_slice()[0]).abs() <= tolerance && gradient.iter().all(Tensor::is_finite));
    }
}

/// A mean of 8192 with a deviation of about 0.6, the values being exact in single precision: the same as with
/// mean 0, up to the rounding of the mean. The sum of 12 values below 2¹⁷ rounds by at most 11 · 2⁻⁸ in single
/// precision, so the mean by 4e-3, which the slope (at most 1.5 / 0.4) makes 1.5e-2; the gradient of the scale
/// adds twelve such errors, weighted by g.
#[test]
fn batch_norm_of_a_large_mean() {
    for draw in 0..20 {
        let rng = &mut stream("large mean", [draw, 0]);
        let small = uniform(rng, [4, 3, 2].into(), -1.0, 1.0);
        let small = Tensor::from_fn(small.shape(), |i| (small.as_slice()[i] * 512.0).round() / 512.0);
        let large = Tensor::from_fn(small.shape(), |i| small.as_slice()[i] + 8192.0);
        let g = uniform(rng, small.shape(), -1.0, 1.0);
        let [scale, shift] = std::array::from_fn(|_| uniform(rng, [2].into(), 0.5, 1.5));
        let (f, v) =
            (BatchNorm { g: &g, epsilon: 1e-5 }, direction(rng, &[small.clone(), scale.clone(), shift.clone()]));
        let (near, far) = ([small, scale.clone(), shift.clone()], [large, scale, shift]);
        let y = |x: &[Tensor<f64>; 3]| neural::batch_norm(&x[0], &x[1], &x[2], 1e-5);
        assert_near(&y(&far), &y(&near), 1e-11);
        grad(&f, &far).iter().zip(&grad(&f, &near)).for_each(|(a, b)| assert_near(a, b, 1e-10));
        hvp(&f, &far, &v).iter().zip(&hvp(&f, &near, &v)).for_each(|(a, b)| assert_near(a, b, 1e-10));

        let single = far.each_ref().map(Tensor::cast::<f32>);
        let in_single = neural::batch_norm(&single[0], &single[1], &single[2], 1e-5);
        assert_near(&in_single.cast(), &y(&near), 1.5e-2);
        grad(&f, &single).iter().zip(&grad(&f, &near)).for_each(|(a, b)| assert_near(&a.cast(), b, 5e-2));
    }
}

#[test]
fn soft_max_does_not_leave_the_range() {
    let logits = [Tensor::new([3, 3], &[1e4, 1e4 - 1.0, 1e4 - 2.0, -800.0, 0.0, 800.0, 0.0, -1.0, -2.0])];
    let g = Tensor::new([3, 3], &[-1.0, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0]);
    let log_p = neural::log_softmax(&logits[0]);
    assert_eq!(log_p.as_slice()[..3], log_p.as_slice()[6..], "shifting a row changes nothing");
    assert_eq!(log_p.as_slice()[3..6], [-1600.0, -800.0, 0.0]);
    let gradient = grad(&LogSoftmax { g: &g }, &logits);
    assert_eq!(gradient[0].as_slice()[..3], gradient[0].as_slice()[6..]);
    assert_eq!(gradient[0].as_slice()[3..6], [0.0; 3]);
    let p: Vec<f64> = log_p.as_slice()[6..].iter().map(|p: &f64| p.exp()).collect();
    assert_near(&Tensor::new([3], &gradient[0].as_slice()[6..]), &row(&[p[0] - 1.0, p[1], p[2]]), 1e-15);
    let v = direction(&mut stream("soft-max", [0, 0]), &logits);
    assert!(hvp(&LogSoftmax { g: &g }, &logits, &v)[0].is_finite());
    let single = [logits[0].cast::<f32>()];
    assert!(grad(&LogSoftmax { g: &g }, &single)[0].is_finite());
}

#[test]
fn soft_max_over_one_class_is_certain() {
    let logits = [Tensor::new([2, 1], &[3.0, -700.0])];
    assert_eq!(neural::cross_entropy(&logits[0], &[0, 0]).item(), 0.0);
    let g = Tensor::new([2, 1], &[2.0, 3.0]);
    assert_eq!(grad(&LogSoftmax { g: &g }, &logits)[0].as_slice(), [0.0, 0.0]);
}

#[test]
fn matrix_products_agree_on_who_is_transposed() {
    let a = Tensor::new([2, 3], &[1., 2., 3., 4., 5., 6.]);
    let b = Tensor::new([3, 2], &[7., 8., 9., 10., 11., 12.]);
    let (a_t, b_t) =
        (Tensor::new([3, 2], &[1., 4., 2., 5., 3., 6.]), Tensor::new([2, 3], &[7., 9., 11., 8., 10., 12.]));
    let product = [58., 64., 139., 154.];
    assert_eq!(a.matmul(&b).as_slice(), product);
    assert_eq!(a.matmul_nt(&b_t).as_slice(), product);
    assert_eq!(a_t.matmul_tn(&b).as_slice(), product);
}

/// An array remembers the sums that were found with its variance; nothing that is computed from it changes by that.
#[test]
fn what_an_array_remembers_changes_no_bits() {
    let bits = |x: &Tensor<f32>| x.as_slice().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let rng = &mut stream("remembered", [0, 0]);
    for channels in [1, 2, 5, 32, 33, 64, 100] {
        let x = uniform(rng, [70, 3, channels].into(), -1.0, 1.0).cast::<f32>();
        let k = uniform(rng, [channels].into(), -1.0, 1.0).cast::<f32>();
        let centered = |x: &Tensor<f32>| {
            let form = Bilinear { form: Form::Covariance, open: Slot::A };
            Tensor::apply(Op::Bilinear(form), &[x, &k])
        };
        let fresh = || Tensor::new(x.shape(), x.as_slice());
        let (sums, scaled) = (fresh().sum_to([channels]), centered(&fresh()));
        let remembered = fresh();
        let variance = remembered.channel_covariance(&remembered);
        assert_eq!(bits(&variance), bits(&x.channel_covariance(&fresh())), "{channels} channels");
        assert_eq!(bits(&remembered.sum_to([channels])), bits(&sums), "{channels} channels");
        assert_eq!(bits(&centered(&remembered)), bits(&scaled), "{channels} channels");
        // Under another shape it has other sums.
        let wide = remembered.reshape([70, 3 * channels]);
        assert_eq!(
            bits(&wide.sum_to([3 * channels])),
            bits(&fresh().reshape([70, 3 * channels]).sum_to([3 * channels]))
        );
    }
}

/// The gradient of a convolution of constant images takes its own way through a plain sweep, to the bits of a recorded one.
#[test]
fn plain_and_recorded_weight_gradients_have_the_same_bits() {
    let rng = &mut stream("weight gradients", [0, 0]);
    let mut draw = |shape: [usize; 4]| uniform(rng, shape.into(), -1.0, 1.0);
    for (images, c_in, c_out) in [(3, 1, 5), (2, 3, 33), (2, 32, 32)] {
        let (x, g) = (draw([images, 5, 6, c_in]), draw([images, 5, 6, c_out]));
        let weights = draw([3, 3, c_in, c_out]).cast::<f32>();
        let [scale, shift] = [(); 2].map(|()| draw([1, 1, 1, c_out]).reshaped([c_out]).cast::<f32>());
        let (f, at) = (ConvNorm { g: &g, images: &x }, [weights, scale, shift]);
        let tape = Tape::new();
        for (plain, recorded) in grad(&f, &at).iter().zip(SecondOrder::at(&tape, &f, &at).gradient()) {
            assert_eq!(plain.as_slice(), recorded.as_slice(), "{images} images, {c_in} to {c_out} channels");
        }
    }
}

/// The mean squared error of a two-layer network, or of each of a stack, at once or by the operations that it is made of.
struct TwoLayer<'a> {
    inputs: &'a Tensor<f64>,
    targets: &'a Tensor<f64>,
    at_once: bool,
}

impl<T: Real> Function<T> for TwoLayer<'_> {
    fn eval<V: Value<Real = T>>(&self, w: &[V]) -> V {
        let (inputs, targets) = (self.inputs.cast(), self.targets.cast());
        if self.at_once {
            return neural::two_layer_least_squares(&w[0], &inputs, &targets);
        }
        let (shape, column) = (targets.shape(), [targets.shape().dims(), &[1]].concat());
        let predictions = V::constant(inputs).matmul(&w[0]).softplus().sum_to(&column[..]).reshape(shape);
        match shape.rank() {
            1 => neural::half_mean_squared_error(&predictions, &V::constant(targets)),
            _ => neural::half_mean_squared_errors(&predictions, &V::constant(targets)),
        }
    }
}

fn two_layer_results<T: Real>(f: &TwoLayer, w: &Tensor<T>, v: &Tensor<T>) -> Vec<Vec<f64>> {
    let (tape, w, v) = (Tape::new(), [w.clone()], [v.clone()]);
    let (values, plain) = values_and_grad(f, &w);
    let second = SecondOrder::at(&tape, f, &w);
    let (recorded, hessian) = (second.gradient(), second.hvp(&v));
    let value = f.eval(&w);
    let numbers = |x: &Tensor<T>| x.as_slice().iter().map(|x| x.to_f64()).collect();
    let results: [Vec<_>; 5] = [&values, &value, &plain[0], &recorded[0], &hessian[0]].map(numbers);
    let what =
        format!("values and gradients on a tape and without, {}", if f.at_once { "at once" } else { "one by one" });
    assert_eq!([&results[0], &results[2]], [&results[1], &results[3]], "{what}");
    results.into()
}

/// Both ways round otherwise: in one of them sums of softplus share logarithms, and residuals scale inputs in place of slopes.
#[test]
fn a_two_layer_network_at_once_agrees_with_its_operations() {
    fn check<T: Real>(at_once: &TwoLayer, w: &Tensor<f64>, v: &Tensor<f64>, what: &str) {
        let one_by_one = TwoLayer { at_once: false, ..*at_once };
        let (w, v) = (w.cast::<T>(), v.cast::<T>());
        let both = [at_once, &one_by_one].map(|f| two_layer_results(f, &w, &v));
        for (have, want) in both[0].iter().flatten().zip(both[1].iter().flatten()) {
            let error = (have - want).abs();
            assert!(error <= 32.0 * T::EPSILON.to_f64() * (1.0 + want.abs()), "{what}: {have} for {want}");
        }
    }
    let rng = &mut stream("two layers", [0, 0]);
    for (count, n, d, neurons) in [(None, 1, 1, 1), (None, 700, 20, 64), (Some(1), 9, 4, 3), (Some(3), 120, 10, 5)] {
        let stacked = |rest: &[usize]| [count.as_slice(), rest].concat();
        let mut draw = |rest: &[usize]| uniform(rng, stacked(rest)[..].into(), -1.0, 1.0);
        let (inputs, targets) = (draw(&[n, d]), draw(&[n]));
        let [w, v] = [(); 2].map(|()| draw(&[d, neurons]));
        let at_once = TwoLayer { inputs: &inputs, targets: &targets, at_once: true };
        let what = format!("{count:?} of {n}x{d}, {neurons} neurons");
        check::<f64>(&at_once, &w, &v, &format!("{what}, f64"));
        check::<f32>(&at_once, &w, &v, &format!("{what}, f32"));
    }
}
