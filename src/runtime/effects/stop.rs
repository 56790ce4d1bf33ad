//! Ending an attempt's processes.

use std::sync::Arc;

use super::Done;
use crate::event::Effect;
use crate::exec;
use crate::runtime::Context;
use crate::runtime::context::Live;

/// The pid of a process that is known by its tag alone; no process has it, and no process group either.
const NO_PID: u32 = i32::MAX.unsigned_abs();

/// Asks them to end, and kills what does not. The attempt's own effect reports the exit.
pub(super) async fn run(context: &Arc<Context>, effect: &Effect) -> Done {
    let Effect::Stop { task, attempt, .. } = effect else {
        return Done::well(Vec::new());
    };
    let process = {
        let mut live = context.live();
        match live.get_mut(&(task.clone(), *attempt)) {
            Some(Live::Running(process)) => Some(process.clone()),
            Some(state) => {
                *state = Live::StopWanted;
                None
            }
            None => None,
        }
    };
    if let Some(process) = process {
        let stopped = exec::stop(&process, context.grace()).await;
        tracing::debug!(%task, attempt, manner = ?stopped.manner, "stopped an attempt");
    }
    Done::well(Vec::new())
}

/// Ends what another orchestrator may have started under `tag` and died before it could say so: nobody knows how it was
/// started, and two must not work in one place.
pub(super) async fn unrecorded(context: &Context, tag: String) {
    let anyone = exec::ProcessRef { pid: NO_PID, start_time: 0, boot_id: exec::boot_id(), tag };
    let stopped = exec::stop(&anyone, context.grace()).await;
    if !stopped.stopped.is_empty() {
        tracing::warn!(pids = ?stopped.stopped, "stopped what a killed orchestrator had left");
    }
}
