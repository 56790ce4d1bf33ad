//! The clock that attempts are timed with.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds of the machine's uptime without the time it slept (`CLOCK_MONOTONIC`). Comparable within one boot.
pub fn monotonic_ms() -> u64 {
    milliseconds(clock_gettime(ClockId::Monotonic))
}

/// Milliseconds of the machine's uptime with the time it slept. Comparable within one boot.
pub fn uptime_ms() -> u64 {
    // Elsewhere the monotonic clock counts sleep by itself.
    #[cfg(target_os = "linux")]
    let clock = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    milliseconds(clock_gettime(clock))
}

fn milliseconds(now: Timespec) -> u64 {
    // Neither is ever negative: the clocks start at zero.
    now.tv_sec.unsigned_abs() * 1000 + now.tv_nsec.unsigned_abs() / 1_000_000
}
