//! Memory: a steady step asks the system for none, and tapes that are computed again save it without changing a bit.
//! A binary of its own with one test, because it looks at the whole process.

use maml_autograd::{Tensor, fresh_allocations, peak_of};
use maml_meta::{
    maml::{InnerLoop, Order, Tapes, Task},
    model::{Classification, Conv4, Model},
    optim::Optimizer,
    parallel::Workers,
    train::{Learner, TaskSource, Trainer, memory_of_step},
};

const MODEL: Conv4 = Conv4 { height: 28, width: 28, channels: 1, filters: 16, ways: 3 };
const TASKS: usize = 4;
const LEARNER: Learner = Learner::Maml(InnerLoop { alpha: 0.1, steps: 5 }, Order::Second);
const SGD: Optimizer = Optimizer::Sgd { rate: 0.1 };

/// Images that are drawn for every task, as a run draws them.
struct Stripes;

impl TaskSource<f32> for Stripes {
    type Loss = Classification<Conv4, f32>;

    fn task(&self, iteration: u64, index: u64) -> Task<Self::Loss> {
        let set = |per_class: usize, seed: usize| Classification {
            model: MODEL,
            x: Tensor::from_fn([3 * per_class, 28, 28, 1], |i| ((i * (seed + 7)) % 101) as f32 / 101.0),
            labels: (0..3 * per_class as u32).map(|i| i / per_class as u32).collect(),
        };
        let seed = (iteration * 31 + index) as usize;
        Task { support: vec![set(2, seed)], query: set(5, seed + 1000) }
    }
}

fn step(trainer: &mut Trainer<f32>, workers: &Workers) -> f64 {
    trainer.step(LEARNER, SGD, &Stripes, TASKS, workers).expect("finite")
}

/// Pages that the system has given this process so far.
#[cfg(target_os = "linux")]
fn page_faults() -> u64 {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux says so");
    // The name, in parentheses, may hold anything; minor faults are the eighth number behind it.
    let behind = text.rsplit_once(')').expect("a name in parentheses").1;
    behind.split_whitespace().nth(7).and_then(|word| word.parse().ok()).expect("a number of faults")
}

#[test]
fn a_steady_step_asks_for_no_memory_and_tapes_can_be_computed_again() {
    let mut workers = Workers::new(1).unwrap();
    let start = || Trainer::new(MODEL.init(0), SGD);
    let memory = |tapes| memory_of_step(LEARNER, &Stripes, &start().params, TASKS, 1, tapes);
    let [kept, recomputed] = [Tapes::Keep, Tapes::Recompute].map(memory);
    assert!(recomputed < kept / 2, "five tapes of {kept} bytes in all, one of {recomputed}");

    let mut trainer = start();
    let (_, peak) = peak_of(|| step(&mut trainer, &workers));
    assert!(peak <= kept + kept / 10 && peak >= kept / 2, "{kept} bytes predicted, {peak} held");
    step(&mut trainer, &workers);

    let fresh = fresh_allocations();
    #[cfg(target_os = "linux")]
    let before = page_faults();
    let losses: Vec<f64> = (0..4).map(|_| step(&mut trainer, &workers)).collect();
    assert_eq!(fresh_allocations(), fresh, "arrays of fresh memory in a steady step");
    #[cfg(target_os = "linux")]
    {
        // A step writes its arrays many times over; were they fresh, each page would be a fault.
        let (faults, pages) = (page_faults() - before, peak as u64 / 4096);
        assert!(faults < pages / 10, "{faults} page faults in four steady steps, whose arrays have {pages} pages");
    }

    workers.set_tapes(Tapes::Recompute);
    let mut again = start();
    let other: Vec<f64> = (0..6).map(|_| step(&mut again, &workers)).collect();
    assert_eq!(other[2..], losses, "losses with tapes computed again");
    let bits = |trainer: &Trainer<f32>| -> Vec<u32> {
        trainer.params.tensors().iter().flat_map(Tensor::as_slice).map(|x| x.to_bits()).collect()
    };
    assert_eq!(bits(&again), bits(&trainer), "parameters with tapes computed again");
}
