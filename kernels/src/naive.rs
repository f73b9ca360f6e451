//! The specification of every kernel: the formula as loops, without vectors, blocks or cleverness.
//!
//! Tests compare the fast kernels with these. Sums run in index order in the element type, so callers
//! that want a sharper witness convert to `f64` first.

use crate::{Conv, Layout, MISSING, Map, Pool, Real};

/// C = op(A) op(B): c\[i, j\] = Σ_l op(a)\[i, l\] · op(b)\[l, j\].
pub fn gemm<T: Real>(layout: Layout, m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]) {
    for i in 0..m {
        for j in 0..n {
            let mut sum = T::ZERO;
            for l in 0..k {
                sum += match layout {
                    Layout::NN => a[i * k + l] * b[l * n + j],
                    Layout::NT => a[i * k + l] * b[j * k + l],
                    Layout::TN => a[l * m + i] * b[l * n + j],
                };
            }
            c[i * n + j] = sum;
        }
    }
}

/// Visits every product of the convolution's sum: (index of y, index of x, index of w).
pub fn conv_terms(g: &Conv, mut visit: impl FnMut(usize, usize, usize)) {
    for image in 0..g.images {
        for oy in 0..g.out_height() {
            for ox in 0..g.out_width() {
                for ky in 0..g.kernel_height {
                    for kx in 0..g.kernel_width {
                        let (iy, ix) = (oy * g.stride + ky, ox * g.stride + kx);
                        if iy < g.padding || ix < g.padding {
                            continue;
                        }
                        let (iy, ix) = (iy - g.padding, ix - g.padding);
                        if iy >= g.height || ix >= g.width {
                            continue;
                        }
                        let y = ((image * g.out_height() + oy) * g.out_width() + ox) * g.c_out;
                        let x = ((image * g.height + iy) * g.width + ix) * g.c_in;
                        let w = (ky * g.kernel_width + kx) * g.c_in * g.c_out;
                        for ci in 0..g.c_in {
                            for co in 0..g.c_out {
                                visit(y + co, x + ci, w + ci * g.c_out + co);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// y = x ∗ w.
pub fn conv_output<T: Real>(g: &Conv, x: &[T], w: &[T], y: &mut [T]) {
    y.fill(T::ZERO);
    conv_terms(g, |iy, ix, iw| y[iy] += x[ix] * w[iw]);
}

/// dx = ∂⟨dy, x ∗ w⟩/∂x.
pub fn conv_input_gradient<T: Real>(g: &Conv, w: &[T], dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    conv_terms(g, |iy, ix, iw| dx[ix] += dy[iy] * w[iw]);
}

/// dw = ∂⟨dy, x ∗ w⟩/∂w.
pub fn conv_weight_gradient<T: Real>(g: &Conv, x: &[T], dy: &[T], dw: &mut [T]) {
    dw.fill(T::ZERO);
    conv_terms(g, |iy, ix, iw| dw[iw] += dy[iy] * x[ix]);
}

/// One value of a map, in double precision by the standard library.
pub fn map(map: Map, x: f64) -> f64 {
    match map {
        Map::Exp => x.exp(),
        Map::Log => x.ln(),
        Map::Tanh => x.tanh(),
        Map::Sigmoid => {
            if x >= 0.0 {
                1.0 / (1.0 + (-x).exp())
            } else {
                x.exp() / (1.0 + x.exp())
            }
        }
        Map::SigmoidSlope => x * (1.0 - x),
        Map::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Map::Sqrt => x.sqrt(),
        Map::Rsqrt => 1.0 / x.sqrt(),
        Map::Recip => 1.0 / x,
    }
}

/// out\[o, t, i\] = x\[o, i\] for t in 0..times.
pub fn repeat<T: Real>(outer: usize, times: usize, inner: usize, x: &[T], out: &mut [T]) {
    for o in 0..outer {
        for t in 0..times {
            for i in 0..inner {
                out[(o * times + t) * inner + i] = x[o * inner + i];
            }
        }
    }
}

/// out\[o, i\] = Σ_t x\[o, t, i\].
pub fn sum_axis<T: Real>(outer: usize, times: usize, inner: usize, x: &[T], out: &mut [T]) {
    out.fill(T::ZERO);
    for o in 0..outer {
        for t in 0..times {
            for i in 0..inner {
                out[o * inner + i] += x[(o * times + t) * inner + i];
            }
        }
    }
}

/// out\[row\] = Σ_i a\[row, i\] · b\[row, i\].
pub fn dot_rows<T: Real>(a: &[T], b: &[T], out: &mut [T]) {
    let length = a.len() / out.len().max(1);
    out.fill(T::ZERO);
    for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
        out[i / length] += a * b;
    }
}

/// r = X w − y and gradient = scale · Xᵀ r for `count` problems.
pub fn least_squares<T: Real>(
    count: usize,
    x: &[T],
    w: &[T],
    y: Option<&[T]>,
    scale: T,
    residuals: &mut [T],
    gradient: &mut [T],
) {
    let (d, n) = (w.len() / count.max(1), residuals.len() / count.max(1));
    gradient.fill(T::ZERO);
    for i in 0..count * n {
        let (row, problem) = (&x[i * d..(i + 1) * d], i / n);
        residuals[i] = y.map_or(T::ZERO, |y| -y[i]);
        for j in 0..d {
            residuals[i] += row[j] * w[problem * d + j];
        }
        for j in 0..d {
            gradient[problem * d + j] += row[j] * residuals[i];
        }
    }
    gradient.iter_mut().for_each(|g| *g = scale * *g);
}

/// r_i = Σ_j softplus(z_ij) − y_i with Z = X W, the slopes σ(z_ij), and gradient = factor · Xᵀ (r_i σ(z_ij)), for
/// `size` = \[count, n, d, neurons\].
pub fn two_layer<T: Real>(
    size: [usize; 4],
    x: &[T],
    w: &[T],
    y: &[T],
    factor: T,
    [residuals, slopes, gradient]: [&mut [T]; 3],
) {
    let [count, n, d, neurons] = size;
    gradient.fill(T::ZERO);
    for i in 0..count * n {
        let (row, first) = (&x[i * d..(i + 1) * d], i / n * d * neurons);
        residuals[i] = -y[i];
        for j in 0..neurons {
            let z = row.iter().enumerate().fold(T::ZERO, |z, (l, &x)| z + x * w[first + l * neurons + j]);
            residuals[i] += T::from_f64(map(Map::Softplus, z.to_f64()));
            slopes[i * neurons + j] = T::from_f64(map(Map::Sigmoid, z.to_f64()));
        }
        for (l, j) in (0..d).flat_map(|l| (0..neurons).map(move |j| (l, j))) {
            gradient[first + l * neurons + j] += factor * row[l] * residuals[i] * slopes[i * neurons + j];
        }
    }
}

/// out = factor · Xᵀ P with P_ij = s_ij Σ_k s_ik ż_ik + r_i (s_ij − s_ij²) ż_ij and Ż = X V, for `size` as in [`two_layer`].
pub fn two_layer_hessian<T: Real>(
    size: [usize; 4],
    x: &[T],
    v: &[T],
    slopes: &[T],
    residuals: &[T],
    factor: T,
    out: &mut [T],
) {
    let [count, n, d, neurons] = size;
    out.fill(T::ZERO);
    for i in 0..count * n {
        let (row, first) = (&x[i * d..(i + 1) * d], i / n * d * neurons);
        let along = |j: usize| row.iter().enumerate().fold(T::ZERO, |z, (l, &x)| z + x * v[first + l * neurons + j]);
        let s = &slopes[i * neurons..(i + 1) * neurons];
        let sum = (0..neurons).fold(T::ZERO, |sum, j| sum + s[j] * along(j));
        for (l, j) in (0..d).flat_map(|l| (0..neurons).map(move |j| (l, j))) {
            let p = s[j] * sum + residuals[i] * (s[j] - s[j] * s[j]) * along(j);
            out[first + l * neurons + j] += factor * row[l] * p;
        }
    }
}

/// out\[row, i\] = c\[row\] · a\[row, i\].
pub fn scale_rows<T: Real>(a: &[T], c: &[T], out: &mut [T]) {
    let length = a.len() / c.len().max(1);
    for (i, out) in out.iter_mut().enumerate() {
        *out = c[i / length] * a[i];
    }
}

/// out\[c\] = Σ_rows a\[row, c\] · b\[row, c\].
pub fn channel_dot<T: Real>(channels: usize, a: &[T], b: &[T], out: &mut [T]) {
    out.fill(T::ZERO);
    for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
        out[i % channels] += a * b;
    }
}

/// out\[row, c\] = a\[row, c\] · k\[c\].
pub fn scale_channels<T: Real>(channels: usize, a: &[T], k: &[T], out: &mut [T]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = a[i] * k[i % channels];
    }
}

/// The mean of every channel over the rows.
pub fn channel_mean<T: Real>(channels: usize, a: &[T], out: &mut [T]) {
    let rows = a.len() / channels;
    sum_axis(1, rows, channels, a, out);
    for mean in out {
        *mean = *mean / T::from_f64(rows as f64);
    }
}

/// out\[c\] = 1/rows · Σ_rows (a − ā)(b − b̄): the biased covariance of every channel.
pub fn channel_covariance<T: Real>(channels: usize, a: &[T], b: &[T], out: &mut [T]) {
    let (mut mean_a, mut mean_b) = (vec![T::ZERO; channels], vec![T::ZERO; channels]);
    channel_mean(channels, a, &mut mean_a);
    channel_mean(channels, b, &mut mean_b);
    out.fill(T::ZERO);
    let rows = T::from_f64((a.len() / channels) as f64);
    for (i, (&a, &b)) in a.iter().zip(b).enumerate() {
        let c = i % channels;
        out[c] += (a - mean_a[c]) * (b - mean_b[c]) / rows;
    }
}

/// out\[row, c\] = k\[c\] · (a\[row, c\] − ā\[c\]) / rows.
pub fn scale_centered<T: Real>(channels: usize, a: &[T], k: &[T], out: &mut [T]) {
    let mut mean = vec![T::ZERO; channels];
    channel_mean(channels, a, &mut mean);
    let rows = T::from_f64((a.len() / channels) as f64);
    for (i, out) in out.iter_mut().enumerate() {
        *out = k[i % channels] * (a[i] - mean[i % channels]) / rows;
    }
}

/// out\[j\] = x\[index\[j\]\], zero where the index is [`MISSING`].
pub fn gather<T: Real>(index: &[u32], x: &[T], out: &mut [T]) {
    for (out, &i) in out.iter_mut().zip(index) {
        *out = if i == MISSING { T::ZERO } else { x[i as usize] };
    }
}

/// out\[index\[j\]\] += x\[j\], nothing where the index is [`MISSING`].
pub fn scatter_add<T: Real>(index: &[u32], x: &[T], out: &mut [T]) {
    for (&x, &i) in x.iter().zip(index) {
        if i != MISSING {
            out[i as usize] += x;
        }
    }
}

/// The flat index of the largest element of every window; the first of equals, a NaN before any number.
pub fn pool_winners<T: Real>(p: &Pool, x: &[T], winners: &mut [u32]) {
    let mut next = 0;
    for image in 0..p.images {
        for oy in 0..p.out_height() {
            for ox in 0..p.out_width() {
                for c in 0..p.channels {
                    let at = |wy: usize, wx: usize| {
                        ((image * p.height + oy * p.stride + wy) * p.width + ox * p.stride + wx) * p.channels + c
                    };
                    let mut best = at(0, 0);
                    for wy in 0..p.window {
                        for wx in 0..p.window {
                            let i = at(wy, wx);
                            let beaten = is_nan(x[i]) || x[i] > x[best];
                            if beaten && !is_nan(x[best]) {
                                best = i;
                            }
                        }
                    }
                    winners[next] = best as u32;
                    next += 1;
                }
            }
        }
    }
}

fn is_nan<T: Real>(x: T) -> bool {
    x.partial_cmp(&x).is_none()
}

/// [`pool_winners`] of z = slope · (x − center) + shift, [`MISSING`] where ReLU cuts the winner off (z ≤ 0).
pub fn norm_relu_pool<T: Real>(p: &Pool, x: &[T], center: &[T], slope: &[T], shift: &[T], winners: &mut [u32]) {
    let z: Vec<T> = x
        .iter()
        .enumerate()
        .map(|(i, &x)| slope[i % p.channels] * (x - center[i % p.channels]) + shift[i % p.channels])
        .collect();
    pool_winners(p, &z, winners);
    for w in winners {
        if z[*w as usize] <= T::ZERO {
            *w = MISSING;
        }
    }
}
