//! Ending an attempt's processes.

use std::sync::Arc;

use super::Done;
use crate::event::Effect;
use crate::exec;
use crate::runtime::Context;
use crate::runtime::context::Live;

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
