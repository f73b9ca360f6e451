//! Stopping on request: the first Ctrl-C is a wish that the run polls, the second ends at once.

use crate::exit::{Exit, Failure};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user has asked the run to stop. Clones share one flag.
#[derive(Clone, Default, Debug)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// A flag that no signal sets.
    pub fn new() -> StopFlag {
        StopFlag::default()
    }

    /// A flag that SIGINT (Ctrl-C) and SIGTERM set. A second signal ends the process at once with code 130:
    /// a run that does not answer can always be left.
    ///
    /// # Errors
    /// The system refuses the handler.
    pub fn on_signals() -> Result<StopFlag, Failure> {
        let stop = StopFlag::new();
        for signal in [SIGINT, SIGTERM] {
            // Actions run in the order of registration: the first signal finds the flag down and passes to
            // the second action, which raises it.
            flag::register_conditional_shutdown(signal, Exit::Stopped as i32, Arc::clone(&stop.0))
                .and_then(|_| flag::register(signal, Arc::clone(&stop.0)))
                .map_err(|error| Failure::usage("cannot listen for Ctrl-C").cause(error))?;
        }
        Ok(stop)
    }

    /// Whether a stop was asked for. Cheap enough for every step: one relaxed load.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Asks for a stop, as a signal does.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::Command;

    const CHILD: &str = "MAML_TEST_STOP_CHILD";

    #[test]
    fn a_request_reaches_every_clone() {
        let stop = StopFlag::new();
        let seen_by_the_run = stop.clone();
        assert!(!seen_by_the_run.requested());
        stop.request();
        assert!(seen_by_the_run.requested());
    }

    /// Signals belong to a whole process, so they are raised in a child: this test, run again.
    #[test]
    fn the_first_signal_asks_and_the_second_ends_with_130() {
        if let Ok(signal) = std::env::var(CHILD) {
            let stop = StopFlag::on_signals().unwrap();
            assert!(!stop.requested());
            signal_hook::low_level::raise(signal.parse().unwrap()).unwrap();
            assert!(stop.requested());
            eprintln!("the first was a wish");
            signal_hook::low_level::raise(SIGINT).unwrap();
            panic!("the second signal did not end the process");
        }
        for signal in [SIGINT, SIGTERM] {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "stop::tests::the_first_signal_asks_and_the_second_ends_with_130", "--nocapture"])
                .env(CHILD, signal.to_string())
                .output()
                .unwrap();
            let talk = String::from_utf8_lossy(&child.stderr);
            assert!(talk.contains("the first was a wish"), "{talk}");
            assert_eq!(child.status.code(), Some(130), "{talk}");
        }
    }
}
