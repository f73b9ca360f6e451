//! Moments of products of a Gaussian sample covariance, by Wick's (Isserlis') theorem.
//!
//! Σ̂ = (1/m) Σ_a x_a x_aᵀ with x_a ~ N(0, Σ). In a product A₀ Σ̂ A₁ Σ̂ A₂ … each Σ̂ has two legs, its two vectors x_a. The
//! expectation is the sum over all ways of joining the legs in pairs; a joined pair is a Σ, the matrices between are
//! passed on the way, what closes upon itself is a trace, and the sample indices that stay free give a power of m.

use super::Matrix;

/// A factor of a product.
#[derive(Clone, Copy, Debug)]
pub enum Factor<'a> {
    /// A constant matrix.
    Fixed(&'a Matrix),
    /// Σ̂.
    Sample,
    /// I − αΣ̂, the map of one step of SGD.
    Step,
}

/// E\[ F₁F₂…F_r · Π tr(loop) \]: a product with any number of traces of products beside it, all of the same Σ̂.
///
/// `covariance` is Σ \[d, d\], `samples` is m > 0, `alpha` that of [`Factor::Step`]. The cost grows as (2s − 1)!! d³ in
/// the number s of sample covariances, so it is meant for s ≤ 4: 105 pairings.
pub fn expectation(
    covariance: &Matrix,
    samples: f64,
    alpha: f64,
    product: &[Factor<'_>],
    loops: &[&[Factor<'_>]],
) -> Matrix {
    let d = covariance.nrows();
    let mut sum = Matrix::zeros(d, d);
    // I − αΣ̂ multiplied out: each bit of a choice says which of the two terms a step contributes.
    let strands: Vec<&[Factor<'_>]> = std::iter::once(product).chain(loops.iter().copied()).collect();
    let steps = strands.iter().flat_map(|s| s.iter()).filter(|f| matches!(f, Factor::Step)).count();
    for choice in 0..1_u32 << steps {
        let mut taken = 0;
        let mut words = strands.iter().map(|strand| Word::of(strand, d, choice, &mut taken));
        let open = words.next().expect("the product is the first strand");
        let term = Diagram::new(covariance, open, words.collect()).expectation(samples);
        sum += term * (-alpha).powi(choice.count_ones() as i32);
    }
    sum
}

/// A₀ Σ̂ A₁ Σ̂ … Σ̂ A_s, by its s + 1 constant matrices.
struct Word(Vec<Matrix>);

impl Word {
    fn of(factors: &[Factor<'_>], d: usize, choice: u32, steps_taken: &mut u32) -> Self {
        let mut between = vec![Matrix::identity(d, d)];
        for factor in factors {
            let is_sample = match factor {
                Factor::Fixed(matrix) => {
                    let last = between.last_mut().expect("never empty");
                    *last = &*last * *matrix;
                    false
                }
                Factor::Sample => true,
                Factor::Step => {
                    *steps_taken += 1;
                    choice >> (*steps_taken - 1) & 1 == 1
                }
            };
            if is_sample {
                between.push(Matrix::identity(d, d));
            }
        }
        Self(between)
    }
}

/// All strands of a product. Legs 2k and 2k + 1 are the left and the right one of the k-th Σ̂, counted through all strands.
struct Diagram {
    /// The matrix in front of the first leg of the open strand.
    head: Matrix,
    /// For each leg, what follows when a pair is passed towards it: Σ times what lies beyond the leg on its strand, read
    /// in the direction of walking, and the next leg; none at the end of the open strand.
    beyond: Vec<(Matrix, Option<usize>)>,
    /// Whether the open strand has legs: then leg 0 is its first.
    has_open_legs: bool,
    /// Traces of strands without legs.
    factor: f64,
}

impl Diagram {
    fn new(covariance: &Matrix, open: Word, loops: Vec<Word>) -> Self {
        let head = open.0[0].clone();
        let mut diagram = Self { head, beyond: Vec::new(), has_open_legs: open.0.len() > 1, factor: 1.0 };
        diagram.lay(covariance, &open.0, open.0.len() - 1);
        for Word(mut between) in loops {
            let last = between.pop().expect("a word has at least one matrix");
            match between.first_mut() {
                None => diagram.factor *= last.trace(),
                Some(first) => {
                    // A trace runs from its last matrix into its first.
                    *first = last * &*first;
                    let legs = between.len();
                    diagram.lay(covariance, &between, legs);
                }
            }
        }
        diagram
    }

    /// Appends a strand of `count` Σ̂: an open one has a matrix more than that, a closed one begins with the matrix that
    /// its end runs into.
    fn lay(&mut self, covariance: &Matrix, between: &[Matrix], count: usize) {
        let (first, open) = (self.beyond.len(), between.len() > count);
        let last = first + 2 * count;
        for k in 0..count {
            let leg = first + 2 * k;
            let left = if k > 0 { Some(leg - 1) } else { (!open).then(|| last - 1) };
            let right = if leg + 2 < last { Some(leg + 2) } else { (!open).then_some(first) };
            self.beyond.push((covariance * between[k].transpose(), left));
            self.beyond.push((covariance * &between[(k + 1) % between.len()], right));
        }
    }

    fn expectation(&self, samples: f64) -> Matrix {
        let legs = self.beyond.len();
        let mut sum = Matrix::zeros(self.head.nrows(), self.head.ncols());
        for_each_pairing(&mut vec![None; legs], &mut |partner| {
            let weight = self.factor * samples.powi(free_indices(partner) as i32 - (legs / 2) as i32);
            if weight != 0.0 {
                sum += self.joined(partner) * weight;
            }
        });
        sum
    }

    /// The product along the open strand, times the traces of all cycles.
    fn joined(&self, partner: &[usize]) -> Matrix {
        let mut seen = vec![false; partner.len()];
        let walk = |seen: &mut [bool], start: usize, head: Option<&Matrix>| {
            let (mut leg, mut product) = (start, head.cloned());
            loop {
                let other = partner[leg];
                (seen[leg], seen[other]) = (true, true);
                let (matrix, next) = &self.beyond[other];
                let longer = product.map_or_else(|| matrix.clone(), |product| product * matrix);
                match *next {
                    Some(next) if next != start => (leg, product) = (next, Some(longer)),
                    _ => return longer,
                }
            }
        };
        let mut result = match self.has_open_legs {
            true => walk(&mut seen, 0, Some(&self.head)),
            false => self.head.clone(),
        };
        for leg in 0..partner.len() {
            if !seen[leg] {
                result *= walk(&mut seen, leg, None).trace();
            }
        }
        result
    }
}

/// Calls `visit` with every way of joining the legs that have no partner yet in pairs.
fn for_each_pairing(partner: &mut Vec<Option<usize>>, visit: &mut impl FnMut(&[usize])) {
    let Some(leg) = partner.iter().position(Option::is_none) else {
        return visit(&partner.iter().flatten().copied().collect::<Vec<_>>());
    };
    for other in leg + 1..partner.len() {
        if partner[other].is_none() {
            (partner[leg], partner[other]) = (Some(other), Some(leg));
            for_each_pairing(partner, visit);
            (partner[leg], partner[other]) = (None, None);
        }
    }
}

/// How many sample indices a pairing leaves free: the two legs of a Σ̂ share one, and so do the legs of a pair.
fn free_indices(partner: &[usize]) -> usize {
    let mut seen = vec![false; partner.len()];
    let mut cycles = 0;
    for start in 0..partner.len() {
        if seen[start] {
            continue;
        }
        cycles += 1;
        let mut leg = start;
        while !seen[leg] {
            let sibling = leg ^ 1;
            (seen[leg], seen[sibling]) = (true, true);
            leg = partner[sibling];
        }
    }
    cycles
}
