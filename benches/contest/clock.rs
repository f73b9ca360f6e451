//! The clock of `benches/peers/problem.py`: samples of repeated calls.

use std::time::{Duration, Instant};

/// A sample lasts at least as long: quick calls are repeated in it.
const SAMPLE: Duration = Duration::from_millis(5);
const FEWEST: usize = 3;
const MOST: usize = 51;

/// What the first call returned, and sorted samples of the seconds of a call, taken for `seconds` after a warm-up.
pub(crate) fn measure<R>(seconds: f64, mut call: impl FnMut() -> R) -> (R, Vec<f64>) {
    let first = call();
    let mut repeats = 1;
    while clock(repeats, &mut call) < SAMPLE {
        repeats *= 2;
    }
    let (mut samples, start) = (Vec::new(), Instant::now());
    while samples.len() < FEWEST || samples.len() < MOST && start.elapsed().as_secs_f64() < seconds {
        samples.push(clock(repeats, &mut call).as_secs_f64() / repeats as f64);
    }
    samples.sort_by(f64::total_cmp);
    (first, samples)
}

/// The time of all calls, and of dropping what they return but the last.
fn clock<R>(repeats: usize, mut call: impl FnMut() -> R) -> Duration {
    let start = Instant::now();
    let mut result = call();
    for _ in 1..repeats {
        result = call();
    }
    let time = start.elapsed();
    drop(result);
    time
}

/// The most memory that this process ever held, in MiB. Not a number where the system does not tell.
pub(crate) fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib / 1024.0)
}
