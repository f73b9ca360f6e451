//! The cotangent of what goes into normalisation, ReLU and pooling, recognised where its terms meet: the winners' own part,
//! that of the mean and that of the variance (two of those in a Hessian-vector product), summed in one pass over memory.

use maml_kernels as kernels;
use maml_kernels::{Centered, Conv, Isa, Onto, Pool, Real};

use crate::{
    Index, Shape, Tensor,
    eval::totals,
    op::{Bilinear, Form, Linear, Op, Slot, Term},
    profile::{self, Work},
    shape::Block,
};

/// Those terms.
pub(crate) struct NormalisationCotangent<'a, T: Real> {
    shape: Shape,
    pool: &'a Pool,
    index: &'a Index,
    winners: &'a Tensor<T>,
    mean: &'a Tensor<T>,
    /// Arrays, and their factors for each channel: one or two.
    variance: Vec<[&'a Tensor<T>; 2]>,
}

impl<'a, T: Real> NormalisationCotangent<'a, T> {
    /// If these terms are those, in the order in which they are summed.
    pub(crate) fn of(terms: &'a [Term<Tensor<T>>]) -> Option<Self> {
        let [variance @ .., mean, winners] = terms else { return None };
        let Op::Linear(Linear::Repeat(Block { outer: 1, .. }, _)) = mean.op else { return None };
        let Op::Linear(Linear::Scatter(index, shape)) = &winners.op else { return None };
        let (pool, [winners, mean]) = (index.windows()?, [&winners.args[0], &mean.args[0]]);
        let centered = |term: &'a Term<Tensor<T>>| match (&term.op, &term.args[..]) {
            (Op::Bilinear(Bilinear { form: Form::Covariance, open: Slot::A | Slot::B }), [a, k]) => {
                (a.shape() == *shape && k.shape().len() == pool.channels).then_some([a, k])
            }
            _ => None,
        };
        let variance = variance.iter().map(centered).collect::<Option<Vec<_>>>()?;
        let fits = (1..=2).contains(&variance.len()) && mean.shape().len() == pool.channels;
        fits.then_some(Self { shape: *shape, pool, index, winners, mean, variance })
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
        let totals: Vec<_> = self.variance.iter().map(|[a, _]| totals(a)).collect();
        let arrays = self.variance.iter().zip(&totals);
        let arrays = arrays.map(|([a, k], totals)| Centered { a: a.as_slice(), totals, k: k.as_slice() });
        let arrays: Vec<_> = arrays.collect();
        then(Onto::Centered { arrays: &arrays, shift: self.mean.as_slice() });
    }

    fn work(&self) -> Work {
        let arrays = self.variance.iter().flatten().map(|x| x.shape());
        let shapes: Vec<_> = std::iter::once(self.winners.shape()).chain(arrays).collect();
        let variance = Op::Bilinear(Bilinear { form: Form::Covariance, open: Slot::A });
        Work::of(&variance, &shapes, self.shape, size_of::<T>())
    }
}
