//! What people do in a simulated run.

use laneway::engine::Input;
use laneway::event::{Control, ControlVerb, LaneStatus, ReviewAct, Source, UndoTarget};
use laneway::id::{LaneId, TaskId};

use crate::scenario::{Act, Deed};
use crate::simulation::Simulation;
use crate::world::Happening;

impl Simulation<'_> {
    /// What people do by now.
    pub(crate) fn deeds(&mut self) {
        while self.people.front().is_some_and(|deed| deed.after <= self.steps) {
            let Some(deed) = self.people.pop_front() else { return };
            self.act(&deed);
        }
    }

    pub(crate) fn request(&mut self, verb: ControlVerb) {
        self.requests += 1;
        let control = Control { id: format!("request-{}", self.requests), by: "ann".to_owned(), verb };
        let key = format!("request/{}", self.requests);
        if self.world.fails(crate::scenario::Fault::Repeated, &key) {
            let delay = self.world.delay(&format!("{key}/again"));
            self.world.later(delay, Happening::Request(Box::new(control.clone())));
        }
        let delay = self.world.delay(&key) / 10;
        self.world.later(delay, Happening::Request(Box::new(control)));
    }

    pub(crate) fn act(&mut self, deed: &Deed) {
        let task = deed.task.as_ref().and_then(|t| TaskId::new(t).ok());
        let lane = deed.lane.as_ref().and_then(|l| LaneId::new(l).ok());
        let tasks: Vec<TaskId> = task.iter().cloned().collect();
        let lanes: Vec<LaneId> = lane.iter().cloned().collect();
        let review = |lane: &Option<LaneId>, act| {
            lane.clone().map(|lane| ControlVerb::Review { lane, act, text: "words".to_owned() })
        };
        let verb = match deed.act {
            Act::Cancel => Some(ControlVerb::Cancel { tasks, lanes }),
            Act::Pause => Some(ControlVerb::Pause),
            Act::Resume => Some(ControlVerb::Resume),
            Act::Interrupt => Some(ControlVerb::Interrupt),
            Act::Retry => Some(ControlVerb::Retry { tasks }),
            Act::Skip => Some(ControlVerb::Skip { tasks }),
            Act::Answer => task.map(|task| ControlVerb::Answer { task, ask: None, text: "yes".to_owned() }),
            Act::Merge => lane.map(|lane| ControlVerb::Merge { lane, sha: None }),
            Act::Approve => review(&lane, ReviewAct::Approve),
            Act::RequestChanges => review(&lane, ReviewAct::RequestChanges),
            Act::Comment => review(&lane, ReviewAct::Comment),
            Act::Close => review(&lane, ReviewAct::Close),
            Act::SayFailed => return self.touch(lane, LaneStatus::Failed),
            Act::SayMerged => return self.touch(lane, LaneStatus::Merged),
            Act::ResetTask => task.and_then(|task| self.reset(&UndoTarget::Task(task))),
            Act::ResetTo => task.and_then(|task| self.reset(&UndoTarget::To(task))),
            Act::ResetLane => lane.and_then(|lane| self.reset(&UndoTarget::Lane(lane))),
            Act::MergeRevert => lane.map(|lane| ControlVerb::Revert { lane, merge: true }),
            Act::CloseRevert => lane.map(|lane| ControlVerb::Revert { lane, merge: false }),
            Act::MergeOutside
            | Act::CloseOutside
            | Act::ReopenOutside
            | Act::MoveTarget
            | Act::MoveLane
            | Act::PushToLane
            | Act::PushToPull => {
                let lane = lane.and_then(|lane| self.world.index.lane(&lane));
                return self.world.outside(deed.act, lane);
            }
            Act::AttachWithoutAttempts => {
                Some(ControlVerb::Attach { pid: 1, boot_id: self.world.boot_id(), attempts: false })
                    .filter(|_| self.core.is_settled())
            }
        };
        if let Some(verb) = verb {
            self.request(verb);
        }
    }

    /// What a person confirms who was shown what a reset would take along.
    fn reset(&self, of: &UndoTarget) -> Option<ControlVerb> {
        self.core.state().undo(of).ok().map(|plan| ControlVerb::Reset { plan })
    }

    fn touch(&mut self, lane: Option<LaneId>, status: LaneStatus) {
        let Some(lane) = lane else { return };
        let source = Source { path: format!("lanes/{lane}/{status}"), digest: format!("d{}", self.steps) };
        self.world.tell(1, Input::StatusTouched { lane, status, text: "by hand".to_owned(), source });
    }
}
