//! The only place where work is spread over threads: the outermost loop, over tasks.

use std::sync::{Arc, Mutex, PoisonError};

use maml_autograd::profile::{self, Profile};
use rayon::prelude::*;

/// A number of worker threads. Results never depend on it: every item is computed whole by one thread, and
/// results come back in the order of their indices.
pub struct Workers {
    pool: rayon::ThreadPool,
    record: Option<Record>,
}

/// The profile of what workers did, whoever owns them: a clone is the same record.
#[derive(Clone, Default, Debug)]
pub struct Record(Arc<Mutex<Profile>>);

impl Record {
    /// What was seen so far.
    pub fn profile(&self) -> Profile {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, seen: &Profile) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).merge(seen);
    }
}

/// The system refused to start the threads.
#[derive(Debug, thiserror::Error)]
#[error("{threads} worker threads cannot be started ({source}); ask for fewer with --threads")]
pub struct WorkersError {
    threads: usize,
    source: rayon::ThreadPoolBuildError,
}

impl Workers {
    /// Starts `threads` threads, at least one.
    pub fn new(threads: usize) -> Result<Self, WorkersError> {
        let threads = threads.max(1);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Self { pool: pool.map_err(|source| WorkersError { threads, source })?, record: None })
    }

    /// The same workers, whose operations are timed into `record`.
    #[must_use]
    pub fn recorded(self, record: Record) -> Self {
        Self { record: Some(record), ..self }
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// f(0), …, f(count − 1), in this order.
    pub fn map<R: Send>(&self, count: usize, f: impl Fn(usize) -> R + Sync + Send) -> Vec<R> {
        let watched = |i| match &self.record {
            None => f(i),
            Some(record) => {
                let (result, seen) = profile::of(|| f(i));
                record.add(&seen);
                result
            }
        };
        self.pool.install(|| (0..count).into_par_iter().with_max_len(1).map(watched).collect())
    }
}
