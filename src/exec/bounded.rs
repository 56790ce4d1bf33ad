//! A process with an end: gates and other commands that are waited for.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::launch::{Launch, Running, SpawnError, spawn};
use super::log::{LogLimit, trim_live};
use super::os::{reap_leftovers, stop};
use super::process::{Exit, Leftovers, Stopped};

/// How often the middle of a growing log is given back to the file system.
const TRIM_EVERY: Duration = Duration::from_secs(2);

/// How a bounded run went.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounded {
    /// How its main process ended.
    pub exit: Exit,
    /// Whether it was stopped because its time was over.
    pub timed_out: bool,
    /// Whether it was stopped because of the cancel.
    pub cancelled: bool,
    /// From the start to the end of the main process, without the time the machine slept.
    pub duration: Duration,
    /// What it left behind.
    pub leftovers: Leftovers,
}

enum Ending {
    Itself(Exit),
    TimedOut,
    Cancelled,
}

/// Runs a process to its end, or stops it with everything it started after `timeout` or as soon as `cancel` is
/// ready: TERM, then KILL after `grace`. In each case nothing of it is left running but what
/// [`Leftovers::escaped`] names.
pub async fn run_bounded(
    launch: &Launch,
    timeout: Duration,
    grace: Duration,
    cancel: impl Future<Output = ()>,
) -> Result<Bounded, SpawnError> {
    let started = Instant::now();
    let mut running = spawn(launch)?;
    let process = running.process().clone();
    let ending = wait_for_end(&mut running, launch, timeout, cancel).await;
    let mut stopped = None;
    let exit = match ending {
        Ending::Itself(exit) => exit,
        Ending::TimedOut | Ending::Cancelled => {
            let outcome = stop(&process, grace).await;
            let main_lives = outcome.remaining.iter().any(|left| left.pid == process.pid);
            stopped = Some(outcome);
            // Waiting for what even KILL did not end would turn a timeout into a hang.
            if main_lives { Exit::Unknown } else { running.wait().await }
        }
    };
    let duration = started.elapsed();
    let mut leftovers = reap_leftovers(&process, grace).await;
    if let Some(Stopped { stopped, remaining, .. }) = stopped {
        leftovers.stopped.extend(stopped);
        leftovers.escaped.extend(remaining);
    }
    Ok(Bounded {
        exit,
        timed_out: matches!(ending, Ending::TimedOut),
        cancelled: matches!(ending, Ending::Cancelled),
        duration,
        leftovers,
    })
}

async fn wait_for_end(
    running: &mut Running,
    launch: &Launch,
    timeout: Duration,
    cancel: impl Future<Output = ()>,
) -> Ending {
    let mut cancel = pin!(cancel);
    let mut deadline = pin!(tokio::time::sleep(timeout));
    let mut trim = tokio::time::interval_at(Instant::now() + TRIM_EVERY, TRIM_EVERY);
    trim.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            exit = running.wait() => return Ending::Itself(exit),
            () = &mut cancel => return Ending::Cancelled,
            () = &mut deadline => return Ending::TimedOut,
            _ = trim.tick() => {
                if let Err(error) = trim_live(&launch.log, &LogLimit::default()) {
                    tracing::warn!(%error, "a log could not be trimmed");
                }
            }
        }
    }
}
