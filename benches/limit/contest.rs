//! Timing in turns: every contender runs once in every round, so that a slow minute of the machine hits all.

use std::time::Instant;

/// Rounds of one contest; medians are taken over them.
const ROUNDS: usize = 21;
/// Seconds that one contender runs in one round.
const TURN: f64 = 4e-3;

/// Somebody who can do the work `repeats` times and says how many seconds that took.
pub(crate) struct Contender<'a> {
    run: Box<dyn FnMut(usize) -> f64 + 'a>,
}

impl<'a> Contender<'a> {
    /// Work in this process.
    pub(crate) fn here(mut work: impl FnMut() + 'a) -> Self {
        let run = move |repeats| {
            let start = Instant::now();
            for _ in 0..repeats {
                work();
            }
            start.elapsed().as_secs_f64()
        };
        Self { run: Box::new(run) }
    }

    /// Work that is timed where it is done.
    pub(crate) fn elsewhere(run: impl FnMut(usize) -> f64 + 'a) -> Self {
        Self { run: Box::new(run) }
    }

    /// How many repeats fill a turn.
    fn repeats(&mut self) -> usize {
        let mut repeats = 1;
        loop {
            let seconds = (self.run)(repeats);
            if seconds >= TURN / 2.0 {
                return ((TURN / seconds * repeats as f64) as usize).max(1);
            }
            repeats *= 2;
        }
    }
}

/// Median seconds of one piece of work, for every contender.
pub(crate) fn medians(contenders: &mut [Contender]) -> Vec<f64> {
    let repeats: Vec<usize> = contenders.iter_mut().map(Contender::repeats).collect();
    let mut seconds = vec![Vec::with_capacity(ROUNDS); contenders.len()];
    for _ in 0..ROUNDS {
        for ((contender, &repeats), seconds) in contenders.iter_mut().zip(&repeats).zip(&mut seconds) {
            seconds.push((contender.run)(repeats) / repeats as f64);
        }
    }
    seconds.into_iter().map(median).collect()
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}
