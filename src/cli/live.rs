//! What living attempts are at right now, looked at because somebody asks.
#![expect(clippy::disallowed_methods, reason = "asks for the age of logs")]

use std::time::{Duration, SystemTime};

use crate::exec::{self, ProcessRef};
use crate::plan::Plan;
use crate::runtime::Loaded;
use crate::state::Attempt;
use crate::view::{Live, elapsed};

/// Looks at every attempt whose process is not known to have ended; at one whose process is gone there is nothing to see.
pub(super) fn look(loaded: &Loaded) -> Vec<Live> {
    let tasks = loaded.plan.tasks.iter().zip(&loaded.state.tasks);
    tasks.filter_map(|(plan, task)| one(&loaded.plan, plan.id.clone(), task.attempt()?)).collect()
}

fn one(plan: &Plan, task: crate::id::TaskId, attempt: &Attempt) -> Option<Live> {
    let process = attempt.process.as_ref().filter(|process| process.exit.is_none() && !attempt.over)?;
    let process = ProcessRef {
        pid: process.id.pid,
        start_time: process.id.start_time,
        boot_id: process.id.boot_id.clone(),
        tag: process.id.tag.clone(),
    };
    let vitals = exec::vitals(&process)
        .inspect_err(|error| tracing::warn!(%error, "processes cannot be looked at"))
        .ok()??;
    let place = plan.places.record.join("attempts").join(task.as_str()).join(attempt.number.to_string());
    // A log that cannot be read, or that was written in the future, has no age.
    let age = std::fs::metadata(place.join("agent.log"))
        .and_then(|log| log.modified())
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok());
    Some(Live {
        task,
        attempt: attempt.number,
        processes: vitals.processes,
        sockets: vitals.sockets,
        cpu_ms: vitals.cpu_ms,
        output_age_ms: age.map(millis),
    })
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A line for each.
pub(super) fn text(live: &[Live]) -> String {
    let told = |one: &Live| {
        let process = if one.processes == 1 { "process" } else { "processes" };
        let socket = if one.sockets == 1 { "socket" } else { "sockets" };
        let output =
            one.output_age_ms.map_or_else(String::new, |age| format!(", last output {} ago", elapsed(age)));
        let (task, attempt, cpu) = (&one.task, one.attempt, elapsed(one.cpu_ms));
        format!(
            "{task}#{attempt}  {} {process}, {cpu} of CPU time, {} {socket} open{output}\n",
            one.processes, one.sockets
        )
    };
    live.iter().map(told).collect()
}
