//! Conditions of tasks, asked of what the tasks before have come to.

use super::State;
use crate::event::LaneStatus;
use crate::id::{Category, TaskId};
use crate::plan::TaskIx;

impl State {
    /// Whether the task's `when` holds; `None` where it has none, or while a task that it looks at has not ended.
    pub fn condition(&self, task: TaskIx) -> Option<bool> {
        let when = self.plan.tasks[task].contract.when.as_ref()?;
        let ended = |&t: &TaskIx| self.tasks[t].status.is_terminal() && !self.tasks[t].retry_wanted;
        if !self.index.judged[task].iter().all(ended) {
            return None;
        }
        let found = |id: &TaskId| self.index.task(id).map(|ix| &self.tasks[ix]);
        let outcome = |id: &TaskId| found(id).map_or("", |task| task.status.word());
        let outputs = |id: &TaskId, category: &Category| {
            let declared = found(id).and_then(|task| task.outputs()?.get(category));
            declared.map_or(0, |all| u32::try_from(all.len()).unwrap_or(u32::MAX))
        };
        Some(when.condition.holds(&outcome, &outputs))
    }

    /// Whether a task that is skipped now is so by choice: its own `when` does not hold, or that of what it needs did
    /// not. Nothing went wrong, so its lane goes on without it.
    pub(super) fn by_choice(&self, task: TaskIx) -> bool {
        let lane_failed = |lane: usize| {
            let lane = &self.lanes[lane];
            lane.status == LaneStatus::Failed && !lane.retry_wanted
        };
        let mut chosen = self.condition(task) == Some(false);
        for need in self.index.needs[task].iter().filter(|need| !self.index.judged[task].contains(need)) {
            let state = &self.tasks[*need];
            if state.set_aside {
                continue;
            }
            if state.passed_over {
                chosen = true;
            } else if state.status.is_terminal() && !state.status.is_success()
                || lane_failed(self.index.lane_of[*need])
            {
                return false;
            }
        }
        chosen && !lane_failed(self.index.lane_of[task])
    }
}
