//! How long criterion measures: many cases, and kernels that vary little.

use std::time::Duration;

use criterion::Criterion;

pub(crate) fn quick() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_millis(300))
        .warm_up_time(Duration::from_millis(100))
        .without_plots()
}
