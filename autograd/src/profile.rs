//! Where the time goes: a table of operations, filled only while somebody asks for it.
//!
//! ```
//! use maml_autograd::{Tensor, Value, profile};
//!
//! let a = Tensor::<f32>::zeros([64, 64]);
//! let (_, profile) = profile::of(|| profile::phase("squares", || a.matmul(&a)));
//! let row = &profile.rows()[0];
//! assert_eq!((row.place.phase, row.operation, row.calls, row.flops), ("squares", "matrix product", 1, 2 * 64 * 64 * 64));
//! ```

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    Shape,
    op::{Bilinear, Degree, Form, Linear, Op, Slot},
};

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
    static RECORDER: RefCell<Recorder> = RefCell::new(Recorder::default());
}

/// Which way a computation goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Sweep {
    /// From variables to a loss.
    Forward,
    /// From a cotangent back to variables.
    Backward,
}

impl Sweep {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }
}

/// Where an operation was applied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// What the caller was about, as it said by [`phase`].
    pub phase: &'static str,
    /// The direction of the sweep.
    pub sweep: Sweep,
}

/// An operation of one output shape at one place.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// Where.
    pub place: Place,
    /// What.
    pub operation: &'static str,
    /// The shape of its result.
    pub shape: Shape,
    /// How often.
    pub calls: u64,
    /// In how much time in all.
    pub time: Duration,
    /// Additions and multiplications of its plain formula, those of all calls; a function of an element counts as one.
    pub flops: u64,
    /// Bytes of its arguments and its result, each once: the traffic that cannot be avoided.
    pub bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Sums {
    calls: u64,
    time: Duration,
    work: Work,
}

/// What an operation must do at least.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Work {
    pub(crate) flops: u64,
    pub(crate) bytes: u64,
}

type Key = (Place, &'static str, Shape);

/// The time of every operation, and of everything around them.
#[derive(Clone, Default, Debug)]
pub struct Profile {
    operations: BTreeMap<Key, Sums>,
    places: BTreeMap<Place, Duration>,
}

impl Profile {
    /// The operations, the slowest first.
    pub fn rows(&self) -> Vec<Row> {
        let row = |(&(place, operation, shape), &sums): (&Key, &Sums)| {
            let Sums { calls, time, work: Work { flops, bytes } } = sums;
            Row { place, operation, shape, calls, time, flops, bytes }
        };
        let mut rows: Vec<_> = self.operations.iter().map(row).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.time));
        rows
    }

    /// The time spent at each place, operations or not.
    pub fn places(&self) -> impl Iterator<Item = (Place, Duration)> {
        self.places.iter().map(|(place, time)| (*place, *time))
    }

    /// The whole time.
    pub fn time(&self) -> Duration {
        self.places.values().sum()
    }

    /// Adds what another thread, or an earlier time, has seen.
    pub fn merge(&mut self, other: &Self) {
        for (key, sums) in &other.operations {
            let total = self.operations.entry(*key).or_default();
            total.calls += sums.calls;
            total.time += sums.time;
            total.work.flops += sums.work.flops;
            total.work.bytes += sums.work.bytes;
        }
        for (place, time) in &other.places {
            *self.places.entry(*place).or_default() += *time;
        }
    }
}

struct Recorder {
    place: Place,
    since: Instant,
    profile: Profile,
}

impl Default for Recorder {
    fn default() -> Self {
        Self { place: Place { phase: "", sweep: Sweep::Forward }, since: Instant::now(), profile: Profile::default() }
    }
}

impl Recorder {
    /// Books the time since the last move to the place it was spent at.
    fn move_to(&mut self, place: Place) -> Place {
        let now = Instant::now();
        *self.profile.places.entry(self.place).or_default() += now - self.since;
        self.since = now;
        std::mem::replace(&mut self.place, place)
    }
}

/// f(), and the profile of what it did on this thread.
pub fn of<R>(f: impl FnOnce() -> R) -> (R, Profile) {
    let outer = RECORDER.replace(Recorder::default());
    let was_wanted = WANTED.replace(true);
    let result = f();
    WANTED.set(was_wanted);
    let mut recorder = RECORDER.replace(outer);
    recorder.move_to(recorder.place);
    (result, recorder.profile)
}

/// f(), booked under this name.
pub fn phase<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    at(|place| Place { phase: name, sweep: place.sweep }, f)
}

/// f(), booked as part of a backward sweep.
pub(crate) fn backward<R>(f: impl FnOnce() -> R) -> R {
    at(|place| Place { sweep: Sweep::Backward, ..place }, f)
}

fn at<R>(place: impl FnOnce(Place) -> Place, f: impl FnOnce() -> R) -> R {
    if !WANTED.get() {
        return f();
    }
    let outer = RECORDER.with_borrow_mut(|recorder| recorder.move_to(place(recorder.place)));
    let result = f();
    RECORDER.with_borrow_mut(|recorder| recorder.move_to(outer));
    result
}

/// f(), booked as an operation with a result of this shape.
#[inline]
pub(crate) fn operation<R>(
    name: impl FnOnce() -> &'static str,
    shape: Shape,
    work: impl FnOnce() -> Work,
    f: impl FnOnce() -> R,
) -> R {
    if !WANTED.get() {
        return f();
    }
    let start = Instant::now();
    let result = f();
    let time = start.elapsed();
    RECORDER.with_borrow_mut(|recorder| {
        let sums = recorder.profile.operations.entry((recorder.place, name(), shape)).or_default();
        let Work { flops, bytes } = work();
        sums.calls += 1;
        sums.time += time;
        sums.work.flops += flops;
        sums.work.bytes += bytes;
    });
    result
}

impl Work {
    /// That of an operation on arguments of these shapes, of numbers of so many bytes.
    pub(crate) fn of(op: &Op, args: &[Shape], output: Shape, number: usize) -> Self {
        let (len, result) = (|i: usize| args[i].len(), output.len());
        let flops = match op {
            Op::Add(_) => 2 * result,
            Op::Linear(Linear::Scale(_)) | Op::Pointwise(_) => result,
            Op::Linear(Linear::Sum(..) | Linear::Scatter(..)) => len(0),
            Op::Linear(_) => 0,
            Op::LeastSquares(degree) => (if *degree == Degree::Value { 2 } else { 4 }) * len(1),
            Op::TwoLayer(degree) => (if *degree == Degree::Value { 2 } else { 4 }) * len(1) * args[0].last(),
            Op::Bilinear(Bilinear { form, open }) => match form {
                Form::Product => result,
                Form::Inner(_) if *open == Slot::C => 2 * len(0),
                Form::Inner(_) => result,
                Form::Matmul => {
                    let products = if output.rank() == 3 { output.dims()[0].max(1) } else { 1 };
                    // √(|A| |B| |C|) = m·n·k, whichever of the three is the result.
                    let volume = (len(0) * len(1)) as f64 * result as f64 / (products as f64).powi(3);
                    2 * products * volume.sqrt().round() as usize
                }
                Form::Conv(g) => 2 * g.output_len() * g.kernel_height * g.kernel_width * g.c_in,
                Form::Channels => {
                    if *open == Slot::C {
                        2 * len(0)
                    } else {
                        result
                    }
                }
                Form::Covariance => {
                    if *open == Slot::C {
                        4 * len(0)
                    } else {
                        3 * result
                    }
                }
            },
        };
        let numbers = args.iter().map(Shape::len).sum::<usize>() + result;
        Self { flops: flops as u64, bytes: (numbers * number) as u64 }
    }
}
