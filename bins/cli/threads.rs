//! How many threads a run may use. The pool itself belongs to the training loop.

use crate::exit::Failure;

/// More than any machine that this runs on has; beyond it a typing error is likelier than a wish.
const MOST: usize = 1024;

/// The number of threads: the one asked for, or one for each core that this process may use.
///
/// # Errors
/// Zero, or more than 1024.
pub fn threads(requested: Option<usize>) -> Result<usize, Failure> {
    match requested {
        // Unknown on some systems, where one thread is always right.
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        Some(0) => Err(Failure::usage("--threads 0: a run needs at least one thread")
            .help("leave --threads out to use all cores; results do not depend on the number")),
        Some(count) if count > MOST => Err(Failure::usage(format!("--threads {count}: at most {MOST} threads"))
            .help("leave --threads out to use all cores")),
        Some(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_taken_as_asked() {
        assert_eq!(threads(Some(1)).unwrap(), 1);
        assert_eq!(threads(Some(MOST)).unwrap(), MOST);
        assert!(threads(None).unwrap() >= 1);
    }

    #[test]
    fn impossible_counts_are_refused_in_a_sentence() {
        assert!(threads(Some(0)).unwrap_err().message().contains("at least one thread"));
        assert!(threads(Some(MOST + 1)).unwrap_err().message().contains("at most 1024"));
    }
}
