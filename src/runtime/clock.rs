//! Reading the clocks, here and nowhere else.
//!
//! The time of day is read once and then counted on by the machine's uptime, sleep included: whoever sets the clock in
//! the middle of a run moves no deadline of it, and nothing in a journal is older than what stands before it. What that
//! costs is that a clock which was wrong when the orchestrator began is wrong in its events until it ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::{Now, Timestamp};
use crate::{exec, failpoint};

/// The time of day less the uptime, in milliseconds, when it was first asked for.
static BOOTED: OnceLock<i64> = OnceLock::new();
/// By how much journals are ahead of the clock: it was set back since.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// What the machine shows, in milliseconds since the epoch.
fn shown() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(failpoint::clock_step_ms())
}

fn uptime() -> i64 {
    i64::try_from(exec::uptime_ms()).unwrap_or(i64::MAX)
}

/// The wall clock.
pub(super) fn wall() -> Timestamp {
    let booted = *BOOTED.get_or_init(|| shown().saturating_sub(uptime()));
    Timestamp(booted.saturating_add(uptime()).saturating_add(AHEAD.load(Ordering::Relaxed)))
}

/// Lets the wall clock go on from `last`, should it be behind that.
pub(super) fn go_on_from(last: Timestamp) {
    let behind = last.since(wall());
    AHEAD.fetch_add(i64::try_from(behind).unwrap_or(i64::MAX), Ordering::Relaxed);
}

/// A moment that was reckoned by what the machine shows, on [`wall`].
pub(super) fn of_shown(at: Timestamp) -> Timestamp {
    Timestamp(at.0.saturating_add(wall().0).saturating_sub(shown()))
}

/// Both clocks.
pub(super) fn now() -> Now {
    Now { wall: wall(), mono: exec::monotonic_ms() }
}
