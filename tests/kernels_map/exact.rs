//! The maps with about twice the precision of `f64`: a number is an unevaluated sum of two.

use maml_kernels::Map;

/// hi + lo, with |lo| at most half a unit in the last place of hi.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

const LN2: Pair = Pair { hi: std::f64::consts::LN_2, lo: 2.319_046_813_846_299_6e-17 };

fn sum(a: f64, b: f64) -> Pair {
    let hi = a + b;
    let b_seen = hi - a;
    Pair { hi, lo: (a - (hi - b_seen)) + (b - b_seen) }
}

fn product(a: f64, b: f64) -> Pair {
    let hi = a * b;
    Pair { hi, lo: a.mul_add(b, -hi) }
}

impl Pair {
    fn new(x: f64) -> Self {
        Self { hi: x, lo: 0.0 }
    }
    fn plus(self, b: Pair) -> Pair {
        let (high, low) = (sum(self.hi, b.hi), sum(self.lo, b.lo));
        let t = sum(high.hi, high.lo + low.hi);
        sum(t.hi, t.lo + low.lo)
    }
    fn minus(self, b: Pair) -> Pair {
        self.plus(Pair { hi: -b.hi, lo: -b.lo })
    }
    fn times(self, b: Pair) -> Pair {
        let p = product(self.hi, b.hi);
        sum(p.hi, p.lo + (self.hi * b.lo + self.lo * b.hi))
    }
    fn over(self, b: Pair) -> Pair {
        let q = self.hi / b.hi;
        let rest = self.minus(b.times(Pair::new(q)));
        let r = rest.hi / b.hi;
        let rest = rest.minus(b.times(Pair::new(r)));
        sum(q, r).plus(Pair::new(rest.hi / b.hi))
    }
    fn scaled(self, n: i32) -> Pair {
        let (a, b) = (2f64.powi(n / 2), 2f64.powi(n - n / 2));
        Pair { hi: self.hi * a * b, lo: self.lo * a * b }
    }
}

/// eˣ: Taylor's series at x / 512 less a multiple of ln 2, squared nine times.
fn exp(x: Pair) -> Pair {
    let n = (x.hi / LN2.hi).round();
    let r = x.minus(LN2.times(Pair::new(n))).scaled(-9);
    let one = Pair::new(1.0);
    let mut power = one;
    for k in (1..=9).rev() {
        power = one.plus(r.over(Pair::new(k.into())).times(power));
    }
    for _ in 0..9 {
        power = power.times(power);
    }
    power.scaled(n as i32)
}

/// ln(1 + f): its series for small f, otherwise one Newton step from the library's value.
fn ln_1p(f: Pair) -> Pair {
    if f.hi.abs() < 1e-6 {
        let third = f.over(Pair::new(3.0));
        return f.minus(f.times(f).times(Pair::new(0.5).minus(third)));
    }
    let guess = f.hi.ln_1p();
    let one = Pair::new(1.0);
    let step = one.plus(f).times(exp(Pair::new(-guess))).minus(one);
    Pair::new(guess).plus(step).minus(step.times(step).times(Pair::new(0.5)))
}

fn ln(x: f64) -> Pair {
    let (x, lift) = if x < f64::MIN_POSITIVE { (x * 2f64.powi(54), -54.0) } else { (x, 0.0) };
    let e = ((x.to_bits() >> 52) as f64) - 1023.0;
    let m = f64::from_bits(x.to_bits() & ((1 << 52) - 1) | 1f64.to_bits());
    let (m, e) = if m > 1.5 { (m / 2.0, e + 1.0) } else { (m, e) };
    ln_1p(Pair::new(m - 1.0)).plus(LN2.times(Pair::new(e + lift)))
}

fn tanh(x: f64) -> Pair {
    if x.abs() < 1e-6 {
        return Pair::new(x).minus(product(x, x).times(Pair::new(x)).over(Pair::new(3.0)));
    }
    let small = exp(Pair::new(-2.0 * x.abs()));
    let one = Pair::new(1.0);
    let t = one.minus(small).over(one.plus(small));
    if x < 0.0 { Pair { hi: -t.hi, lo: -t.lo } } else { t }
}

/// The map of a finite x inside its domain, of a size that its result does not overflow.
pub(crate) fn exact(map: Map, x: f64) -> Pair {
    let one = Pair::new(1.0);
    match map {
        Map::Exp => exp(Pair::new(x)),
        Map::Log => ln(x),
        Map::Tanh => tanh(x),
        Map::Sigmoid => {
            let small = exp(Pair::new(-x.abs()));
            if x > 0.0 { one } else { small }.over(one.plus(small))
        }
        Map::SigmoidSlope => Pair::new(x).minus(product(x, x)),
        Map::Softplus => Pair::new(x.max(0.0)).plus(ln_1p(exp(Pair::new(-x.abs())))),
        Map::Sqrt | Map::Rsqrt | Map::Recip => {
            let root = if map == Map::Recip { Pair::new(x) } else { square_root(x) };
            if map == Map::Sqrt { root } else { one.over(root) }
        }
    }
}

fn square_root(x: f64) -> Pair {
    let guess = x.sqrt();
    let rest = Pair::new(x).minus(product(guess, guess));
    sum(guess, rest.hi / (2.0 * guess))
}
