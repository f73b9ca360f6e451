//! The functions of this crate.
//!
//! They are generic, and generic code is compiled again by every crate that calls it. So each is compiled here, for each
//! element type and instruction set, and what a caller compiles is a call.

#[cfg(doc)]
use crate::MISSING;
use crate::{Conv, Isa, Layout, Map, Onto, Pool, Pooled, Real, Store, Strided};

macro_rules! entries {
    ($($room:ident {$(
        $(#[$doc:meta])*
        fn $name:ident($($arg:ident: $of:ty),* $(,)?) $(-> $out:ty)?;
    )*})*) => {
        /// All of them for one element type.
        #[doc(hidden)]
        pub trait Compiled<T> {
            $($(
                #[track_caller]
                fn $name($($arg: $of),*) $(-> $out)?;
            )*)*
        }

        $($(
            $(#[$doc])*
            #[track_caller]
            pub fn $name<T: Real>($($arg: $of),*) $(-> $out)? {
                <T as Compiled<T>>::$name($($arg),*)
            }
        )*)*

        mod single {
            use super::*;
            type T = f32;
            entries!(@compile $($($room $name ($($arg: $of),*) ($($out)?);)*)*);
        }

        mod double {
            use super::*;
            type T = f64;
            entries!(@compile $($($room $name ($($arg: $of),*) ($($out)?);)*)*);
        }
    };
    (@compile $($room:ident $name:ident ($($arg:ident: $of:ty),*) ($($out:ty)?);)*) => {
        impl Compiled<T> for T {
            $(
                #[track_caller]
                fn $name($($arg: $of),*) $(-> $out)? {
                    crate::$room::$name($($arg),*)
                }
            )*
        }
    };
}

entries! {
    gemm {
        /// C = op(A) op(B), row-major. Panics if a slice's length is not that of its matrix.
        ///
        /// Every element is the sum over equal blocks of about 256 products (up to 383), both in the order of k.
        fn gemm(isa: Isa, layout: Layout, m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]);
        /// [`gemm`] for `count` problems whose matrices lie one behind the other, to the same bits.
        fn gemm_batch(isa: Isa, layout: Layout, count: usize, m: usize, n: usize, k: usize, a: &[T], b: &[T], c: &mut [T]);
        /// C\[m, n\] = A\[m, k\] B\[k, n\] for `size` = \[m, n, k\], where A and B are any views of slices (transposed,
        /// every second column, a block of a larger matrix) and the rows of C are `c_row` elements apart; what is between
        /// them is left alone. Panics if a matrix does not lie in its slice or rows of C overlap.
        ///
        /// Every element has the bits that [`gemm`] gives it.
        fn gemm_strided(isa: Isa, size: [usize; 3], a: Strided<'_, T>, b: Strided<'_, T>, c: &mut [T], c_row: usize);
        /// [`gemm_strided`] by the threads of the current rayon pool, to the same bits for any number of them: C is cut into
        /// bands of rows or of columns, and an element does not depend on where the cuts are.
        fn gemm_parallel(isa: Isa, size: [usize; 3], a: Strided<'_, T>, b: Strided<'_, T>, c: &mut [T], c_row: usize);
    }
    conv {
        /// y = x ∗ w. Panics if a slice's length is not that of its tensor.
        fn conv_output(isa: Isa, g: &Conv, x: &[T], w: &[T], y: &mut [T]);
        /// dx = ∂⟨dy, x ∗ w⟩/∂x. Panics if a slice's length is not that of its tensor.
        fn conv_input_gradient(isa: Isa, g: &Conv, w: &[T], dy: &[T], dx: &mut [T]);
        /// dw = ∂⟨dy, x ∗ w⟩/∂w. Panics if a slice's length is not that of its tensor.
        fn conv_weight_gradient(isa: Isa, g: &Conv, x: &[T], dy: &[T], dw: &mut [T]);
        /// [`conv_weight_gradient`] where dy is what [`scatter_windows`] writes for these windows, to the same bits: of few
        /// channels, image by image, so that dy need not be written out.
        fn conv_weight_gradient_of_windows(
            isa: Isa, g: &Conv, x: &[T], p: &Pool, index: &[u32], winners: &[T], onto: Onto<'_, T>, dw: &mut [T],
        );
    }
    least_squares {
        /// r = X w − y and gradient = scale · Xᵀ r for `count` problems, X \[n, d\], whose numbers lie one behind the other;
        /// no y is y = 0. One pass over X, and less work without the gradient. Panics if a slice's length is not that of its
        /// array.
        fn least_squares(
            isa: Isa, count: usize, x: &[T], w: &[T], y: Option<&[T]>, scale: T, residuals: &mut [T],
            gradient: Option<&mut [T]>,
        );
    }
    two_layer {
        /// r_i = Σ_j softplus(z_ij) − y_i with Z = X W, the slopes σ(z_ij) of softplus if they are wanted, and
        /// gradient = factor · Xᵀ (r_i σ(z_ij)), for `size` = \[count, n, d, neurons\]: as many problems X \[n, d\],
        /// W \[d, neurons\], whose numbers lie one behind the other. Some rows of X at a time. Of softplus up to 64 numbers share a
        /// logarithm, Σ ln(1 + u) = ln Π (1 + u), which errs by at most ε for each of them.
        /// Panics if a slice's length is not that of its array.
        fn two_layer(
            isa: Isa, size: [usize; 4], x: &[T], w: &[T], y: &[T], factor: T, residuals: &mut [T],
            slopes: Option<&mut [T]>, gradient: Option<&mut [T]>,
        );
        /// The derivative of that gradient along V, from the slopes s and the residuals r that [`two_layer`] found at W:
        /// out = factor · Xᵀ P with P_ij = s_ij Σ_k s_ik ż_ik + r_i (s_ij − s_ij²) ż_ij and Ż = X V. Panics if a slice's length is not
        /// that of its array.
        fn two_layer_hessian(
            isa: Isa, size: [usize; 4], x: &[T], v: &[T], slopes: &[T], residuals: &[T], factor: T, out: &mut [T],
        );
    }
    map {
        /// out\[i\] = a\[i\] + s · b\[i\].
        fn add_scaled(isa: Isa, a: &[T], s: T, b: &[T], out: &mut [T]);
        /// y\[i\] += s · x\[i\].
        fn axpy(isa: Isa, s: T, x: &[T], y: &mut [T]);
        /// out\[i\] = a\[i\] · b\[i\] ([`Store::Set`]) or += ([`Store::Add`], the product rounded before it is added).
        fn mul(isa: Isa, a: &[T], b: &[T], store: Store, out: &mut [T]);
        /// out\[i\] = s · x\[i\].
        fn scale(isa: Isa, s: T, x: &[T], out: &mut [T]);
        /// out\[i\] = map(x\[i\]).
        fn map(isa: Isa, map: Map, x: &[T], out: &mut [T]);
        /// y\[i\] = ln(1 + eˣ) and slope\[i\] = 1 / (1 + e⁻ˣ), which share the exponential: the bits of [`Map::Softplus`] and
        /// [`Map::Sigmoid`].
        fn softplus_with_slope(isa: Isa, x: &[T], y: &mut [T], slope: &mut [T]);
    }
    reduce {
        /// Σ x\[i\].
        fn sum(isa: Isa, x: &[T]) -> T;
        /// Σ x\[i\] · y\[i\].
        fn dot(isa: Isa, x: &[T], y: &[T]) -> T;
        /// out\[o, i\] = Σ_t x\[o, t, i\], with o in 0..outer, t in 0..times, i in 0..inner.
        fn sum_axis(isa: Isa, outer: usize, times: usize, inner: usize, x: &[T], out: &mut [T]);
        /// out\[o, t, i\] = x\[o, i\] ([`Store::Set`]) or += ([`Store::Add`]): the transpose of [`sum_axis`].
        fn repeat(isa: Isa, outer: usize, times: usize, inner: usize, x: &[T], store: Store, out: &mut [T]);
    }
    rows {
        /// out\[row\] = Σ_i a\[row, i\] · b\[row, i\], every row to the bits of [`dot`]. The number of rows is that of `out`.
        fn dot_rows(isa: Isa, a: &[T], b: &[T], out: &mut [T]);
        /// out\[row, i\] = c\[row\] · a\[row, i\], set or added (the product not rounded before, where multiply-adds are
        /// fused).
        fn scale_rows(isa: Isa, a: &[T], c: &[T], store: Store, out: &mut [T]);
    }
    channel {
        /// out\[c\] = 1/rows · Σ_rows a\[row, c\].
        fn channel_mean(isa: Isa, a: &[T], out: &mut [T]);
        /// totals\[c\] = Σ_rows a\[row, c\], not rounded to the element type: what [`scale_centered`] needs.
        fn channel_totals(isa: Isa, a: &[T], totals: &mut [f64]);
        /// [`channel_totals`] and the variance, [`channel_covariance`] of a with itself, in one pass over memory.
        fn channel_moments(isa: Isa, a: &[T], totals: &mut [f64], variance: &mut [T]);
        /// out\[c\] = Σ_rows a\[row, c\] · b\[row, c\].
        fn channel_dot(isa: Isa, a: &[T], b: &[T], out: &mut [T]);
        /// out\[row, c\] = a\[row, c\] · k\[c\], set or added.
        fn scale_channels(isa: Isa, a: &[T], k: &[T], store: Store, out: &mut [T]);
        /// out\[c\] = 1/rows · Σ_rows (a − ā)(b − b̄), without cancellation when the means are large.
        fn channel_covariance(isa: Isa, a: &[T], b: &[T], out: &mut [T]);
        /// out\[row, c\] = k\[c\] · (a\[row, c\] − ā\[c\]) / rows, set or added, with the totals of a for its means.
        fn scale_centered(isa: Isa, a: &[T], totals: &[f64], k: &[T], store: Store, out: &mut [T]);
    }
    pool {
        /// The flat index of the largest element of every window. The first of equals wins; a NaN wins over numbers.
        fn pool_winners(isa: Isa, p: &Pool, x: &[T], winners: &mut [u32]);
        /// [`pool_winners`] of z = slope · (x − center) + shift (each per channel), nothing where z ≤ 0, with what is computed
        /// from the winners: normalisation, ReLU and max-pool in one pass over x. The bits are those of [`gather`],
        /// [`add_scaled`] and [`scale_channels`]. Windows must not overlap: the stride is that of the window.
        fn norm_relu_pool(
            isa: Isa, p: &Pool, x: &[T], center: &[T], slope: &[T], shift: &[T], out: Pooled<'_, T>,
        );
        /// [`gather`] for winners of windows that do not overlap: each index lies in its own window or is missing.
        fn gather_windows(isa: Isa, p: &Pool, index: &[u32], x: &[T], out: &mut [T]);
        /// [`scatter_add`] for such winners, onto what [`Onto`] says, in one pass over `out`.
        fn scatter_windows(isa: Isa, p: &Pool, index: &[u32], g: &[T], onto: Onto<'_, T>, out: &mut [T]);
        /// out\[j\] = x\[index\[j\]\], zero where the index is [`MISSING`]. Panics on an index outside x.
        fn gather(index: &[u32], x: &[T], out: &mut [T]);
        /// out\[index\[j\]\] += x\[j\], nothing where the index is [`MISSING`]. Panics on an index outside out.
        fn scatter_add(index: &[u32], x: &[T], out: &mut [T]);
    }
}
