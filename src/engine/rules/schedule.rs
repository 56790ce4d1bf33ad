//! Who gets a free place: the best ready task whose lane can take it.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::Remedy;
use crate::event::{AttemptStatus, Effect, LaneStatus, Place, RunStatus, Status, SyncSource, TaskStatus};
use crate::graph::DiffPolicy;
use crate::id::Sha;
use crate::plan::{LaneIx, TaskIx};

/// Fills the free places.
pub(in crate::engine) fn schedule(core: &mut Core) -> Result<(), EngineError> {
    if !core.may_start() || core.agenda.ready_count == 0 {
        return Ok(());
    }
    let places = usize::try_from(core.plan.settings.max_parallel).unwrap_or(usize::MAX);
    for (_, lane) in core.agenda.ready_lanes() {
        let taken = core.live + core.preparing();
        if taken >= places {
            break;
        }
        fill_lane(core, lane, places - taken)?;
    }
    Ok(())
}

fn fill_lane(core: &mut Core, lane: LaneIx, mut places: usize) -> Result<(), EngineError> {
    match core.state.lanes[lane].status {
        LaneStatus::Pending => return provision(core, lane),
        LaneStatus::Active => {}
        _ => return Ok(()),
    }
    let parallel = usize::try_from(core.plan.lanes[lane].parallel).unwrap_or(1);
    let mut live = core.state.live_tasks(lane).count();
    for (_, _, task) in core.agenda.ready_in(lane).collect::<Vec<_>>() {
        if places == 0 || live >= parallel {
            break;
        }
        if scope_taken(core, task) {
            continue;
        }
        if let Some(source) = missing(core, lane, task) {
            return sync(core, lane, source);
        }
        if start(core, lane, task)? {
            places -= 1;
            live += 1;
        }
    }
    Ok(())
}

fn provision(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    let again = match &state.step {
        None => true,
        Some(step) => match core.remedy(step, None) {
            Some(Remedy::Again) => true,
            Some(Remedy::Wait(due)) => {
                core.agenda.wait_wall(due, Item::Lane(lane));
                false
            }
            Some(Remedy::Give(_)) | None => false,
        },
    };
    if again {
        let id = core.plan.lanes[lane].id.clone();
        core.intend(core.lane_subject(lane), Effect::Provision { lane: id })?;
    }
    Ok(())
}

/// What the lane has to take in before the task can start.
fn missing(core: &Core, lane: LaneIx, task: TaskIx) -> Option<Vec<SyncSource>> {
    // What a need did not achieve is nothing to take in; its task's `when` has asked for that.
    let achieved = core.index.needs[task].iter().filter(|&&n| core.state.tasks[n].status.is_success());
    let mut lanes: Vec<LaneIx> = achieved.map(|&n| core.index.lane_of[n]).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let mut landed = Vec::new();
    let mut sources = Vec::new();
    for upstream in lanes {
        let Some(tip) = core.state.lanes[upstream].tip.clone() else {
            continue;
        };
        if upstream == lane || core.state.lanes[lane].contains.get(&upstream) == Some(&tip) {
            continue;
        }
        let plan = &core.plan.lanes[upstream];
        let same_target = plan.target == core.plan.lanes[lane].target;
        if core.state.lanes[upstream].status == LaneStatus::Merged && same_target {
            landed.push((plan.id.clone(), tip));
        } else {
            sources.push(SyncSource::Lane { lane: plan.id.clone(), tip });
        }
    }
    if !landed.is_empty() {
        sources.insert(0, SyncSource::Target { landed });
    }
    (!sources.is_empty()).then_some(sources)
}

fn sync(core: &mut Core, lane: LaneIx, from: Vec<SyncSource>) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    let Some(tip) = state.tip.clone() else {
        return Ok(());
    };
    if state.is_busy() {
        return Ok(());
    }
    let mut n = state.syncs + 1;
    if let Some(step @ crate::state::Step { effect: Effect::Sync { n: last, from: asked, .. }, .. }) =
        &state.step
    {
        match core.remedy(step, None) {
            Some(Remedy::Wait(due)) => {
                core.agenda.wait_wall(due, Item::Lane(lane));
                return Ok(());
            }
            // The same sources will not merge better the next time; the lane's rule has failed the lane.
            Some(Remedy::Give(_)) if *asked == from => return Ok(()),
            Some(Remedy::Again) => n = *last,
            _ => {}
        }
    }
    let effect = Effect::Sync { lane: core.plan.lanes[lane].id.clone(), n, tip, from };
    core.intend(core.lane_subject(lane), effect)
}

/// Whether a task that runs now may write where this one may.
fn scope_taken(core: &Core, task: TaskIx) -> bool {
    let scope = &core.index.scopes[task];
    scope.is_declared()
        && core.live > 0
        && core.state.tasks.iter().enumerate().any(|(other, state)| {
            other != task && state.is_live() && core.index.scopes[other].overlaps(scope)
        })
}

/// Starts an attempt: chosen, begun and intended in one stroke.
fn start(core: &mut Core, lane: LaneIx, task: TaskIx) -> Result<bool, EngineError> {
    let state = &core.state.tasks[task];
    if state.attempt().is_some_and(|a| a.status == AttemptStatus::Waiting) {
        core.mark_ready(task, false);
        core.go_on(task)?;
        return Ok(true);
    }
    if core.state.lanes[lane].tip.is_none() {
        return Ok(false);
    }
    let (pending, before) = (state.status == TaskStatus::Pending, state.attempts.len());
    core.mark_ready(task, false);
    if pending {
        let number = u32::try_from(before).unwrap_or(u32::MAX) + 1;
        core.task_to(task, TaskStatus::Running, None)?;
        core.turn(core.attempt_subject(task, number), None, Status::Attempt(AttemptStatus::Queued), None)?;
    }
    core.attempt_to(task, AttemptStatus::Started, None)?;
    core.begin_process(task, 1)?;
    Ok(true)
}

impl Core {
    /// Whether new attempts may begin at all.
    pub(super) fn may_start(&self) -> bool {
        let run = &self.state.run;
        let open = matches!(run.status, Some(RunStatus::Running));
        open && run.attempts_allowed && !run.paused && run.interrupts == 0 && !run.cancelled
    }

    /// Lanes that are being made ready for a task, and take a place for it.
    fn preparing(&self) -> usize {
        self.state.outstanding.values().filter(|e| matches!(e, Effect::Provision { .. })).count()
    }

    /// Intends one process of the newest attempt of `task`.
    pub(super) fn begin_process(&mut self, task: TaskIx, iteration: u32) -> Result<(), EngineError> {
        let lane = self.index.lane_of[task];
        let Some(tip) = self.state.lanes[lane].tip.clone() else {
            return Ok(());
        };
        let attempt = self.newest(task);
        let number = attempt.number;
        let (start, place) = match &attempt.start {
            Some(start) => {
                let start = attempt.collected.clone().flatten().unwrap_or_else(|| start.clone());
                // While it waited for a person, another task may have moved into the lane's worktree.
                let place = attempt.place.max(self.free_place(lane, task, &tip));
                (start, place)
            }
            None => (self.start_of(task, tip.clone()), self.free_place(lane, task, &tip)),
        };
        let id = self.plan.tasks[task].id.clone();
        let effect = Effect::Attempt { task: id, attempt: number, iteration, start, place };
        self.intend(self.attempt_subject(task, number), effect)
    }

    /// Where an attempt starts: where the last one ended, unless that one ran into a conflict.
    fn start_of(&self, task: TaskIx, tip: Sha) -> Sha {
        let before = self.state.tasks[task].attempts.iter().rev().skip(1);
        // One that was over before its work was looked at has nothing to go on from; the one before it has.
        let looked_at = before.take_while(|b| b.conflict.is_none()).find_map(|b| b.collected.clone());
        looked_at.flatten().unwrap_or(tip)
    }

    /// The lane's own worktree, unless another task of the lane is in it. Tasks that change nothing by declaration
    /// share it, as long as the lane stands still under them.
    fn free_place(&self, lane: LaneIx, task: TaskIx, tip: &Sha) -> Place {
        let reads = |t: TaskIx| self.plan.tasks[t].diff == DiffPolicy::None;
        let shares = |t: TaskIx| reads(t) && reads(task) && self.newest(t).start.as_ref() == Some(tip);
        let in_it = |t: &TaskIx| *t != task && self.newest(*t).place == Place::Lane;
        let taken = self.state.live_tasks(lane).filter(in_it).any(|t| !shares(t));
        if taken { Place::Own } else { Place::Lane }
    }
}
