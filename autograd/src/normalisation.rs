//! The cotangent of what goes into normalisation, ReLU and pooling, recognised where its terms meet: the winners' own part,
//! that of the mean and that of the variance, summed in one pass over memory.

use maml_kernels as kernels;
use maml_kernels::{Conv, Isa, Onto, Pool, Real};

use crate::{
    Index, Shape, Tensor,
    eval::totals,
    op::{Bilinear, Form, Linear, Op, Slot, Term},
    profile::{self, Work},
    shape::Block,
};

/// Those three terms.
pub(crate) struct NormalisationCotangent<'a, T: Real> {
    shape: Shape,
    pool: &'a Pool,
    index: &'a Index,
    winners: &'a Tensor<T>,
    mean: &'a Tensor<T>,
    variance: [&'a Tensor<T>; 2],
}

impl<'a, T: Real> NormalisationCotangent<'a, T> {
    /// If these terms are those, in the order in which they are summed.
    pub(crate) fn of(terms: &'a [Term<Tensor<T>>]) -> Option<Self> {
        let [variance, mean, winners] = terms else { return None };
        let Op::Bilinear(Bilinear { form: Form::Covariance, open: Slot::A | Slot::B }) = variance.op else {
            return None;
        };
        let Op::Linear(Linear::Repeat(Block { outer: 1, .. }, _)) = mean.op else { return None };
        let Op::Linear(Linear::Scatter(index, shape)) = &winners.op else { return None };
        let (pool, [a, k]) = (index.windows()?, &variance.args[..]) else { return None };
        let [winners, mean] = [&winners.args[0], &mean.args[0]];
        let fits = a.shape() == *shape && k.shape().len() == pool.channels && mean.shape().len() == pool.channels;
        fits.then_some(Self { shape: *shape, pool, index, winners, mean, variance: [a, k] })
    }

    /// All of it.
    pub(crate) fn whole(&self) -> Tensor<T> {
        let winners = self.winners.as_slice();
        let write = |onto: Onto<'_, T>, out: &mut [T]| {
            kernels::scatter_windows(Isa::current(), self.pool, self.index, winners, onto, out);
        };
        profile::operation(
            || "cotangent of a normalisation",
            self.shape,
            || self.work(),
            || Tensor::written(self.shape, |out| self.onto(|onto| write(onto, out))),
        )
    }

    /// The gradient of the weights of the convolution that went into the normalisation: of few channels, the cotangent is
    /// used image by image and never written out.
    pub(crate) fn weight_gradient(&self, conv: &Conv, images: &Tensor<T>) -> Tensor<T> {
        let (isa, x, winners) = (Isa::current(), images.as_slice(), self.winners.as_slice());
        let weights = Shape::from([conv.kernel_height, conv.kernel_width, conv.c_in, conv.c_out]);
        let partial = Op::Bilinear(Bilinear { form: Form::Conv(*conv), open: Slot::B });
        let work = || Work::of(&partial, &[images.shape(), self.shape], weights, size_of::<T>());
        profile::operation(
            || "weight gradient of a normalised convolution",
            weights,
            work,
            || {
                Tensor::written(weights, |dw| {
                    self.onto(|onto| {
                        kernels::conv_weight_gradient_of_windows(
                            isa, conv, x, self.pool, self.index, winners, onto, dw,
                        );
                    });
                })
            },
        )
    }

    /// What the winners' part is added to.
    fn onto(&self, then: impl FnOnce(Onto<'_, T>)) {
        let [a, k] = self.variance;
        let (a, totals, k) = (a.as_slice(), totals(a), k.as_slice());
        then(Onto::Centered { a, totals: &totals, k, shift: self.mean.as_slice() });
    }

    fn work(&self) -> Work {
        let [a, k] = self.variance;
        let variance = Op::Bilinear(Bilinear { form: Form::Covariance, open: Slot::A });
        Work::of(&variance, &[self.winners.shape(), a.shape(), k.shape()], self.shape, size_of::<T>())
    }
}
