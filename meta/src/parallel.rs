//! The only place where work is spread over threads: the outermost loop, over tasks.

use std::sync::{Arc, Mutex, PoisonError};

use maml_autograd::profile::{self, Profile};
use rayon::prelude::*;

use crate::maml::Tapes;

/// A number of worker threads. Results never depend on it: every item is computed whole by one thread, and
/// results come back in the order of their indices.
pub struct Workers {
    /// None for one thread: the caller's own, which need not be woken.
    pool: Option<rayon::ThreadPool>,
    record: Option<Record>,
    tapes: Tapes,
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
    /// Starts `threads` threads; one is that of the caller.
    pub fn new(threads: usize) -> Result<Self, WorkersError> {
        let pool = (threads > 1).then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build());
        Ok(Self {
            pool: pool.transpose().map_err(|source| WorkersError { threads, source })?,
            record: None,
            tapes: Tapes::Keep,
        })
    }

    /// The same workers, whose operations are timed into `record`.
    #[must_use]
    pub fn recorded(self, record: Record) -> Self {
        Self { record: Some(record), ..self }
    }

    /// What to do with the tapes of inner steps from now on. Results do not depend on it.
    pub fn set_tapes(&mut self, tapes: Tapes) {
        self.tapes = tapes;
    }

    /// What they do with the tapes of inner steps.
    pub fn tapes(&self) -> Tapes {
        self.tapes
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
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
        match &self.pool {
            None => (0..count).map(watched).collect(),
            Some(pool) => pool.install(|| (0..count).into_par_iter().with_max_len(1).map(watched).collect()),
        }
    }
}
