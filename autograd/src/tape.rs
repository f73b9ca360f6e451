//! `Var`, the interpreter that records, and `Tape`, what it records on.

use std::cell::RefCell;

use maml_kernels::Real;

use crate::{
    Shape, Tensor, Value,
    op::{Bilinear, Call, Linear, Op, Term},
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
    op: Option<Op>,
    args: Vec<Arg<T>>,
    /// The value, for operations whose slope is written with it.
    output: Option<Tensor<T>>,
}

#[derive(Clone)]
struct Arg<T: Real> {
    /// None for a constant.
    id: Option<NodeId>,
    shape: Shape,
    /// The value, if the rule of the operation asks for it.
    value: Option<Tensor<T>>,
}

/// A value that depends on variables of a tape, or a constant, which leaves no trace on it.
#[derive(Clone)]
pub struct Var<'t, T: Real> {
    tensor: Tensor<T>,
    node: Option<(&'t Tape<T>, NodeId)>,
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
        let id = self.push(Node { op: None, args: Vec::new(), output: None });
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
        let found = self.sweep(seeds, &ids, &|value, _| value);
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
        let lift = |tensor, id: Option<NodeId>| Var { tensor, node: id.map(|id| (self, id)) };
        let found = self.sweep(seeds, &ids, &lift);
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
        lift: &dyn Fn(Tensor<T>, Option<NodeId>) -> V,
    ) -> Vec<Option<V>> {
        profile::backward(|| self.swept(seeds, targets, lift))
    }

    fn swept<V: Value<Real = T>>(
        &self,
        seeds: Vec<(NodeId, V)>,
        targets: &[Option<NodeId>],
        lift: &dyn Fn(Tensor<T>, Option<NodeId>) -> V,
    ) -> Vec<Option<V>> {
        let end = seeds.iter().map(|(id, _)| id + 1).max().unwrap_or(0);
        let on_path = self.depends_on(targets, end);
        let mut terms: Vec<Vec<Term<V>>> = vec![Vec::new(); end];
        for (id, seed) in seeds {
            terms[id].push(Term::new(Op::Linear(Linear::Scale(1.0)), [seed]));
        }
        let mut found: Vec<Option<V>> = vec![None; targets.len()];
        for id in (0..end).rev() {
            let contributions = std::mem::take(&mut terms[id]);
            if contributions.is_empty() || !on_path[id] {
                continue;
            }
            let cotangent = V::total(contributions);
            for (found, _) in found.iter_mut().zip(targets).filter(|(_, target)| **target == Some(id)) {
                *found = Some(cotangent.clone());
            }
            let node = self.nodes.borrow()[id].clone();
            node.pull_back(id, &cotangent, lift, |arg, term| {
                if on_path[arg] {
                    terms[arg].push(term());
                }
            });
        }
        found
    }

    fn depends_on(&self, targets: &[Option<NodeId>], end: NodeId) -> Vec<bool> {
        let nodes = self.nodes.borrow();
        let mut depends = vec![false; end];
        for id in targets.iter().flatten().filter(|id| **id < end) {
            depends[*id] = true;
        }
        for id in 0..end {
            depends[id] |= nodes[id].args.iter().any(|arg| arg.id.is_some_and(|id| depends[id]));
        }
        depends
    }
}

impl<T: Real> Node<T> {
    /// Hands the contribution to each argument's cotangent to `give`.
    fn pull_back<V: Value<Real = T>>(
        &self,
        id: NodeId,
        cotangent: &V,
        lift: &dyn Fn(Tensor<T>, Option<NodeId>) -> V,
        mut give: impl FnMut(NodeId, &dyn Fn() -> Term<V>),
    ) {
        let Some(op) = &self.op else { return };
        let shapes: Vec<Shape> = self.args.iter().map(|arg| arg.shape).collect();
        let values: Vec<Option<V>> =
            self.args.iter().map(|arg| arg.value.clone().map(|value| lift(value, arg.id))).collect();
        let call = Call {
            op,
            shapes: &shapes,
            args: &values,
            output: self.output.clone().map(|y| lift(y, Some(id))),
            squared: matches!(&self.args[..], [a, b] if a.id.is_some() && a.id == b.id),
        };
        for (j, arg) in self.args.iter().enumerate() {
            if let Some(id) = arg.id
                && call.contributes(j)
            {
                give(id, &|| call.cotangent(j, cotangent));
            }
        }
    }

    fn new(op: Op, args: &[&Var<'_, T>], output: &Tensor<T>) -> Self {
        let recorded = |j: usize| args.get(j).is_some_and(|x: &&Var<'_, T>| x.node.is_some());
        let needed = |j: usize| match &op {
            Op::Add(_) | Op::Linear(_) => false,
            // The partial with respect to one argument is written with the other.
            Op::Bilinear(Bilinear { .. }) => recorded(1 - j),
            Op::Pointwise(_) => true,
        };
        let args = args.iter().enumerate().map(|(j, x)| Arg {
            id: x.node.map(|(_, id)| id),
            shape: x.shape(),
            value: needed(j).then(|| x.tensor.clone()),
        });
        let args = args.collect();
        let output = matches!(op, Op::Pointwise(_)).then(|| output.clone());
        Self { op: Some(op), args, output }
    }
}

impl<'t, T: Real> Var<'t, T> {
    /// The value.
    pub fn value(&self) -> &Tensor<T> {
        &self.tensor
    }

    #[track_caller]
    fn record(tensor: Tensor<T>, op: Op, args: &[&Self]) -> Self {
        let mut tapes = args.iter().filter_map(|x| x.node.map(|(tape, _)| tape));
        let Some(tape) = tapes.next() else { return Self::constant(tensor) };
        let same = tapes.all(|other| std::ptr::eq(other, tape));
        assert!(same, "an operation met values of two tapes; a value of an outer derivative must enter as a constant");
        let id = tape.push(Node::new(op, args, &tensor));
        Self { tensor, node: Some((tape, id)) }
    }
}

impl<T: Real> Value for Var<'_, T> {
    type Real = T;

    fn shape(&self) -> Shape {
        self.tensor.shape()
    }

    #[track_caller]
    fn apply(op: Op, args: &[&Self]) -> Self {
        if matches!(op, Op::Linear(Linear::Scale(1.0))) {
            return args[0].clone();
        }
        let tensors: Vec<&Tensor<T>> = args.iter().map(|x| &x.tensor).collect();
        let tensor = Tensor::apply(op.clone(), &tensors);
        Self::record(tensor, op, args)
    }

    fn constant(tensor: Tensor<T>) -> Self {
        Self { tensor, node: None }
    }

    fn peek(&self) -> Tensor<T> {
        self.tensor.clone()
    }

    /// Adds the numbers up at once, in place; the record has every term and every sum, whose rules need
    /// no values.
    fn total(terms: Vec<Term<Self>>) -> Self {
        let plain = terms.iter().map(|term| {
            let args: Vec<_> = term.args.iter().map(|x| x.tensor.clone()).collect();
            Term::new(term.op.clone(), args)
        });
        let tensor = Tensor::total(plain.collect());
        let recorded = terms.iter().map(|term| {
            let args: Vec<&Self> = term.args.iter().collect();
            match term.op {
                Op::Linear(Linear::Scale(1.0)) => args[0].clone(),
                _ => Self::record(tensor.clone(), term.op.clone(), &args),
            }
        });
        let sum = recorded.reduce(|a, b| Self::record(tensor.clone(), Op::Add(1.0), &[&a, &b]));
        Self { tensor, node: sum.expect("a total has at least one term").node }
    }
}
