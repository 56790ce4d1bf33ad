//! The clock that attempts are timed with.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds of the machine's uptime without the time it slept (`CLOCK_MONOTONIC`). Comparable within one boot.
pub fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Neither is ever negative: the clock starts at zero.
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}
