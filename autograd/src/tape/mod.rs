//! `Var`, the interpreter that records, and `Tape`, what it records on.

mod var;

use std::cell::RefCell;

use maml_kernels::Real;

pub use self::var::Var;
use crate::{
    Shape, Tensor, Value,
    op::{Args, Bilinear, CONSTANT_DATA, Call, Cotangent, Degree, Linear, Op, Term, slope, slope_reads},
    profile,
};

type NodeId = usize;

/// A record of operations, in the order in which they were applied, which is a topological order. It is
/// dropped whole: there are no cycles and no counting of uses.
pub struct Tape<T: Real> {
    nodes: RefCell<Vec<Node<T>>>,
}

#[derive(Clone)]
struct Node<T: Real> {
    /// None for a variable.
    made: Option<(Op, Args<Arg<T>>)>,
    /// The value of a map, if its slope is written with it.
    output: Option<Tensor<T>>,
    /// The numbers of that slope, or of the gradient of a mean squared error, if they were found with the value.
    found: Option<Tensor<T>>,
    /// That slope, once a recorded sweep has found it.
    slope: Option<Recorded<T>>,
}

#[derive(Clone)]
struct Arg<T: Real> {
    /// None for a constant.
    id: Option<NodeId>,
    shape: Shape,
    /// The value, if the rule of the operation asks for it.
    value: Option<Tensor<T>>,
}

/// A value and its place on the tape, none if it is a constant.
#[derive(Clone)]
struct Recorded<T: Real> {
    value: Tensor<T>,
    id: Option<NodeId>,
}

impl<T: Real> Default for Tape<T> {
    fn default() -> Self {
        Self { nodes: RefCell::new(Vec::new()) }
    }
}

impl<T: Real> Tape<T> {
    /// An empty tape.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new independent variable with this value.
    pub fn variable(&self, value: &Tensor<T>) -> Var<'_, T> {
        let id = self.push(Node { made: None, output: None, found: None, slope: None });
        Var { tensor: value.clone(), node: Some((self, id)) }
    }

    /// How many variables and operations it holds.
    pub fn len(&self) -> usize {
        self.nodes.borrow().len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vector-Jacobian product Σ_o ⟨cotangent_o, ∂output_o/∂target⟩ for every target, as plain tensors;
    /// zeros for a target on which nothing depends.
    #[track_caller]
    pub fn vjp(&self, outputs: &[(&Var<'_, T>, Tensor<T>)], targets: &[&Var<'_, T>]) -> Vec<Tensor<T>> {
        let seeds = self.seeds(outputs);
        let ids: Vec<_> = targets.iter().map(|x| self.id_of(x)).collect();
        let plain = Values { lift: &|recorded| recorded.value, lower: &|_| None };
        let found = self.sweep(seeds, &ids, &plain);
        found.into_iter().zip(targets).map(|(g, x)| g.unwrap_or_else(|| Tensor::zeros(x.shape()))).collect()
    }

    /// The same product, recorded on this tape, so that it can be differentiated again.
    #[track_caller]
    pub fn recorded_vjp<'t>(
        &'t self,
        outputs: &[(&Var<'t, T>, Var<'t, T>)],
        targets: &[&Var<'t, T>],
    ) -> Vec<Var<'t, T>> {
        let seeds = self.seeds(outputs);
        let ids: Vec<_> = targets.iter().map(|x| self.id_of(x)).collect();
        let lift = |Recorded { value, id }: Recorded<T>| Var { tensor: value, node: id.map(|id| (self, id)) };
        let lower = |x: &Var<'t, T>| Some(Recorded { value: x.tensor.clone(), id: x.node.map(|(_, id)| id) });
        let found = self.sweep(seeds, &ids, &Values { lift: &lift, lower: &lower });
        let zeros = |x: &Var<'t, T>| Var::constant(Tensor::zeros(x.shape()));
        found.into_iter().zip(targets).map(|(g, x)| g.unwrap_or_else(|| zeros(x))).collect()
    }

    /// ∇ of the scalar `y`, recorded.
    #[track_caller]
    pub fn gradient<'t>(&'t self, y: &Var<'t, T>, targets: &[&Var<'t, T>]) -> Vec<Var<'t, T>> {
        assert_eq!(y.shape().len(), 1, "a gradient is that of a single number, not of shape {}", y.shape());
        self.recorded_vjp(&[(y, Var::constant(Tensor::full(y.shape(), T::ONE)))], targets)
    }

    fn push(&self, node: Node<T>) -> NodeId {
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(node);
        nodes.len() - 1
    }

    #[track_caller]
    fn id_of(&self, x: &Var<'_, T>) -> Option<NodeId> {
        let (tape, id) = x.node?;
        assert!(std::ptr::eq(tape, self), "a value of one tape was given to another");
        Some(id)
    }

    /// The outputs that depend on a variable, with their cotangents. A shape of the same length would pass
    /// through linear operations unseen.
    #[track_caller]
    fn seeds<V: Value>(&self, outputs: &[(&Var<'_, T>, V)]) -> Vec<(NodeId, V)> {
        let seed = |(y, g): &(&Var<'_, T>, V)| {
            assert_eq!(y.shape(), g.shape(), "vjp: shapes of an output and of its cotangent");
            Some((self.id_of(y)?, g.clone()))
        };
        outputs.iter().filter_map(seed).collect()
    }

    /// The reverse sweep: from the last seed back to the first target, the cotangent of every node is the
    /// total of the terms that its users contributed.
    fn sweep<V: Value<Real = T>>(
        &self,
        seeds: Vec<(NodeId, V)>,
        targets: &[Option<NodeId>],
        values: &Values<'_, T, V>,
    ) -> Vec<Option<V>> {
        profile::backward(|| self.swept(seeds, targets, values))
    }

    fn swept<V: Value<Real = T>>(
        &self,
        seeds: Vec<(NodeId, V)>,
        targets: &[Option<NodeId>],
        values: &Values<'_, T, V>,
    ) -> Vec<Option<V>> {
        let end = seeds.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
        let on_path = self.depends_on(targets, end);
        let mut terms: Vec<Terms<V>> = (0..end).map(|_| Terms::default()).collect();
        for (id, seed) in seeds {
            terms[id].push(Term::unary(Op::Linear(Linear::Scale(1.0)), seed));
        }
        let mut found: Vec<Option<V>> = vec![None; targets.len()];
        for id in (0..end).rev().filter(|id| on_path[*id]) {
            let Terms { first: Some(first), others } = std::mem::take(&mut terms[id]) else { continue };
            let mut cotangent = self.cotangent(id, &on_path, first, others);
            for (found, _) in found.iter_mut().zip(targets).filter(|(_, target)| **target == Some(id)) {
                let whole = cotangent.whole();
                cotangent = Cotangent::Whole(whole.clone());
                *found = Some(whole);
            }
            self.pull_back(id, &cotangent, values, |arg, term| {
                if on_path[arg] {
                    terms[arg].push(term());
                }
            });
        }
        found
    }

    fn cotangent<V: Value>(&self, id: NodeId, on_path: &[bool], first: Term<V>, others: Vec<Term<V>>) -> Cotangent<V> {
        let made = self.nodes.borrow()[id]
            .made
            .as_ref()
            .map(|(op, args)| (op.clone(), args.map(|arg| arg.id.is_some_and(|arg| on_path[arg]))));
        match made {
            None => Cotangent::Whole(V::total(first, others)),
            Some((op, wanted)) => Cotangent::of(&op, &wanted, first, others),
        }
    }

    fn depends_on(&self, targets: &[Option<NodeId>], end: NodeId) -> Vec<bool> {
        let nodes = self.nodes.borrow();
        let mut depends = vec![false; end];
        for id in targets.iter().flatten().filter(|id| **id < end) {
            depends[*id] = true;
        }
        for id in 0..end {
            let args = nodes[id].made.iter().flat_map(|(_, args)| args.iter());
            depends[id] |= args.filter_map(|arg| arg.id).any(|arg| depends[arg]);
        }
        depends
    }

    /// Hands the contribution of a node to each argument's cotangent to `give`.
    fn pull_back<V: Value<Real = T>>(
        &self,
        id: NodeId,
        cotangent: &Cotangent<V>,
        values: &Values<'_, T, V>,
        mut give: impl FnMut(NodeId, &dyn Fn() -> Term<V>),
    ) {
        // A copy: a recorded sweep writes to the tape.
        let Node { made: Some((op, args)), output, found, slope: known } = self.nodes.borrow()[id].clone() else {
            return;
        };
        let lift = |value: Tensor<T>, id| (values.lift)(Recorded { value, id });
        let lifted = args.map(|arg| arg.value.clone().map(|value| lift(value, arg.id)));
        let argument = |j: usize| lifted[j].as_ref().expect("the tape keeps what the slope is computed from");
        let find = || match &op {
            Op::Pointwise(map) => {
                let Arg { id: of, shape, value } = args[0].clone();
                let numbers = |kept: Option<Tensor<T>>| kept.unwrap_or_else(|| Tensor::without_numbers(shape));
                Some(slope(*map, &lift(numbers(value), of), &lift(numbers(output), Some(id)), found))
            }
            Op::LeastSquares(Degree::Value) | Op::TwoLayer(Degree::Value) => {
                let found = found.expect("the gradient is found with the value");
                let gradient = if let Op::TwoLayer(_) = op { Op::TwoLayer } else { Op::LeastSquares };
                let there: Vec<&V> = (0..lifted.len()).map(argument).collect();
                Some(V::known(gradient(Degree::Gradient), &there, found))
            }
            _ => None,
        };
        let slope = match known {
            Some(known) => Some((values.lift)(known)),
            None => {
                let slope = find();
                self.nodes.borrow_mut()[id].slope = slope.as_ref().and_then(values.lower);
                slope
            }
        };
        let squared = matches!(&args[..], [a, b] if a.id.is_some() && a.id == b.id);
        let call = Call { op: &op, shapes: args.map(|arg| arg.shape), args: lifted, slope, squared };
        for (j, arg) in args.iter().enumerate() {
            if let Some(id) = arg.id
                && call.contributes(j)
            {
                give(id, &|| call.cotangent(j, cotangent));
            }
        }
    }
}

/// How a sweep reads what is recorded, and what of its own values is on the tape.
struct Values<'a, T: Real, V> {
    lift: &'a dyn Fn(Recorded<T>) -> V,
    /// None for a sweep that is not recorded: its values have no derivatives.
    lower: &'a dyn Fn(&V) -> Option<Recorded<T>>,
}

/// The contributions to one cotangent. There is seldom more than one.
struct Terms<V> {
    first: Option<Term<V>>,
    others: Vec<Term<V>>,
}

impl<V> Default for Terms<V> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

impl<V> Terms<V> {
    fn push(&mut self, term: Term<V>) {
        match self.first {
            None => self.first = Some(term),
            Some(_) => self.others.push(term),
        }
    }
}

impl<T: Real> Node<T> {
    fn new(op: Op, args: &[&Var<'_, T>], output: &Tensor<T>, found: Option<Tensor<T>>) -> Self {
        let recorded = |x: &Var<'_, T>| x.node.is_some();
        let arg = |x: &Var<'_, T>, needed: bool| Arg {
            id: x.node.map(|(_, id)| id),
            shape: x.shape(),
            value: needed.then(|| x.tensor.clone()),
        };
        let [reads_argument, reads_output] = match op {
            Op::Pointwise(map) => slope_reads(map, found.is_some()),
            _ => [false; 2],
        };
        let args = match (&op, args) {
            (Op::Pointwise(_), [x]) => Args::One([arg(x, reads_argument)]),
            (_, [x]) => Args::One([arg(x, false)]),
            // A derivative by w needs the inputs, and the first one all that the gradient is made of.
            (Op::LeastSquares(degree), [w, x, targets @ ..]) => {
                assert!(!recorded(x) && !targets.iter().any(|y| recorded(y)), "{CONSTANT_DATA}");
                let value = *degree == Degree::Value;
                match targets {
                    [] => Args::Two([arg(w, false), arg(x, true)]),
                    [y, ..] => Args::Many([arg(w, value), arg(x, true), arg(y, value)].into()),
                }
            }
            // Its Hessian needs what was found at W, or W.
            (Op::TwoLayer(degree), [w, others @ ..]) => {
                assert!(!others.iter().any(|x| recorded(x)), "{CONSTANT_DATA}");
                let w = arg(w, *degree != Degree::Hessian);
                Args::Many([w].into_iter().chain(others.iter().map(|x| arg(x, true))).collect())
            }
            // The partial with respect to one argument is written with the other.
            (Op::Bilinear(Bilinear { .. }), [x, y]) => Args::Two([arg(x, recorded(y)), arg(y, recorded(x))]),
            (_, [x, y]) => Args::Two([arg(x, false), arg(y, false)]),
            _ => unreachable!("an operation has one argument or two, mean squared errors have more"),
        };
        let output = reads_output.then(|| output.clone());
        Self { made: Some((op, args)), output, found, slope: None }
    }
}
