//! Repeated measurements.

use std::time::{Duration, Instant};

use crate::table::Amount;

/// Measurements of one thing, in order.
#[derive(Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// From measurements in any order; there is at least one.
    pub(crate) fn new(mut all: Vec<f64>) -> Self {
        assert!(!all.is_empty(), "something was measured");
        all.sort_by(f64::total_cmp);
        Self(all)
    }

    /// Takes `runs` measurements.
    pub(crate) fn take(runs: usize, mut one: impl FnMut() -> f64) -> Self {
        Self::new((0..runs.max(1)).map(|_| one()).collect())
    }

    pub(crate) fn median(&self) -> f64 {
        self.percentile(50)
    }

    /// The smallest measurement that `percent` of all do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0[rank - 1]
    }

    pub(crate) fn spread(&self, unit: fn(f64) -> Amount) -> (Amount, Amount) {
        (unit(self.0[0]), unit(self.0[self.0.len() - 1]))
    }
}

/// How long `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}
