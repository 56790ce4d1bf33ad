//! Who gets a free place: the best ready task whose lane can take it.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::stack::{Bringing, bring_in};
use super::{BACKOFF_MS, Remedy};
use crate::event::{
    AttemptStatus, Effect, LaneStatus, Place, RunStatus, Status, SyncSource, TaskStatus, Timestamp,
};
use crate::graph::DiffPolicy;
use crate::id::Sha;
use crate::plan::{LaneIx, TaskIx};
use crate::state::Warmth;

/// Fills the free places, and has lanes made ready for what comes next.
pub(in crate::engine) fn schedule(core: &mut Core) -> Result<(), EngineError> {
    fill(core)?;
    super::warm::ahead(core)
}

fn fill(core: &mut Core) -> Result<(), EngineError> {
    if !core.may_start() || core.agenda.ready_count == 0 {
        return Ok(());
    }
    let places = usize::try_from(core.plan.settings.max_parallel).unwrap_or(usize::MAX);
    // With every place taken, as is usual in a large run, it does not matter who is next.
    if core.live + core.preparing() >= places {
        return Ok(());
    }
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
    if core.state.lanes[lane].undo.is_some() {
        return Ok(());
    }
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
        if scope_taken(core, task) || waits_for_reset(core, task) {
            continue;
        }
        if let Some(source) = missing(core, lane, task) {
            if !core.may_resolve(lane, task, &source) {
                match bring_in(core, lane, source)? {
                    Bringing::Goes => return Ok(()),
                    // Another task of the lane may resolve it, or have no need of it.
                    Bringing::InVain => continue,
                }
            }
            if core.is_resolving(lane) {
                continue;
            }
        }
        if start(core, lane, task)? {
            places -= 1;
            live += 1;
        }
    }
    Ok(())
}

/// A nested lane is cut from its parent's branch, which therefore comes first.
pub(super) fn provision(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    if core.is_nested_in_undone(lane) {
        return Ok(());
    }
    if let Some(parent) = core.index.parent[lane]
        && core.state.lanes[parent].tip.is_none()
    {
        return provision(core, parent);
    }
    let state = &core.state.lanes[lane];
    let again = match &state.step {
        // Neither is made twice what is half-made, nor anything put where something is being taken away.
        _ if state.warmth == Warmth::Warming || core.is_being_removed(lane) => false,
        // A nested lane is being merged into it.
        _ if state.taking.is_some() => false,
        None => true,
        Some(step) => match core.remedy(step, None) {
            Some(Remedy::Again) => true,
            Some(Remedy::Wait(_)) if core.comes_back(lane).is_some_and(|due| due <= core.now.wall) => true,
            Some(Remedy::Wait(due)) => {
                let due = core.comes_back(lane).unwrap_or(due);
                core.agenda.wait_wall(due, Item::Lane(lane));
                false
            }
            Some(Remedy::Give(_)) | None => false,
        },
    };
    if again && !core.waits_for_another(lane) {
        let id = core.plan.lanes[lane].id.clone();
        core.intend(core.lane_subject(lane), Effect::Provision { lane: id })?;
    }
    Ok(())
}

/// What the lane has to take in before the task can start.
fn missing(core: &Core, lane: LaneIx, task: TaskIx) -> Option<Vec<SyncSource>> {
    // Neither what a need did not achieve is taken in, whose task's `when` has asked for that, nor what a person set aside.
    let needs = core.index.needs[task].iter().map(|&n| (n, &core.state.tasks[n]));
    let achieved = needs.filter(|(_, need)| need.status.is_success() && !need.set_aside);
    let mut lanes: Vec<LaneIx> = achieved.map(|(n, _)| core.index.lane_of[n]).collect();
    lanes.sort_unstable();
    lanes.dedup();
    let mut landed = Vec::new();
    let mut sources = core.landings(lane);
    let landings = sources.len();
    for upstream in lanes {
        let Some(tip) = core.state.lanes[upstream].tip.clone() else {
            continue;
        };
        if upstream == lane || core.state.lanes[lane].contains.get(&upstream) == Some(&tip) {
            continue;
        }
        let plan = &core.plan.lanes[upstream];
        let same_target = plan.target == core.plan.lanes[lane].target;
        let merged = core.state.lanes[upstream].status == LaneStatus::Merged && same_target;
        let holds = core.state.lanes[lane].contains.contains_key(&upstream);
        if merged && holds {
            // Its landing brings the rest of it, unless that has been taken in.
        } else if merged {
            landed.push((plan.id.clone(), tip));
        } else if !super::stack::brings(&sources, &plan.id) {
            sources.push(SyncSource::Lane { lane: plan.id.clone(), tip });
        }
    }
    if !landed.is_empty() {
        sources.insert(landings, SyncSource::Target { landed });
    }
    (!sources.is_empty()).then_some(sources)
}

/// Whether a task has to wait until another has resolved the lane's conflict with what it needs, or for a person who wants
/// the lane again that its own is nested in.
fn is_held(core: &Core, lane: LaneIx, task: TaskIx) -> bool {
    if core.state.lanes[lane].status == LaneStatus::Pending && core.is_nested_in_undone(lane) {
        return true;
    }
    if waits_for_reset(core, task) {
        return true;
    }
    missing(core, lane, task)
        .is_some_and(|source| core.is_given_up(lane, &source) && !core.may_resolve(lane, task, &source))
}

/// Whether a lane that the task needs work of is being taken back. What it would begin with may be what goes: also an attempt that
/// was chosen before waits for it.
fn waits_for_reset(core: &Core, task: TaskIx) -> bool {
    let lane = core.index.lane_of[task];
    let needed = core.index.needs[task].iter().map(|&need| core.index.lane_of[need]);
    needed.filter(|&up| up != lane).any(|up| core.state.lanes[up].undo.is_some())
}

/// Whether a task that runs now may write where this one may.
fn scope_taken(core: &Core, task: TaskIx) -> bool {
    let (scope, tasks) = (&core.index.scopes[task], &core.plan.tasks);
    let apart = |other: TaskIx| {
        !(tasks[task].overlap && tasks[other].overlap) && core.index.scopes[other].overlaps(scope)
    };
    scope.is_declared()
        && core.live > 0
        && core
            .state
            .tasks
            .iter()
            .enumerate()
            .any(|(other, state)| other != task && state.is_live() && apart(other))
}

/// Starts an attempt: chosen, begun and intended in one stroke.
fn start(core: &mut Core, lane: LaneIx, task: TaskIx) -> Result<bool, EngineError> {
    let state = &core.state.tasks[task];
    if state.attempt().is_some_and(|a| a.status == AttemptStatus::Waiting) {
        if !core.may_go_on(lane, task) {
            return Ok(false);
        }
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

    /// Whether there is a task that can begin as soon as there is a place for it.
    pub(super) fn has_work(&self) -> bool {
        let queued = |t: &crate::state::Task| {
            let newest = t.attempt().is_some_and(|a| a.status == AttemptStatus::Queued);
            t.status == TaskStatus::Running && newest
        };
        let tasks = self.state.tasks.iter().enumerate();
        let queued = tasks.filter(|(_, t)| queued(t)).map(|(task, _)| (self.index.lane_of[task], task));
        self.agenda.ready().chain(queued).any(|(lane, task)| !is_held(self, lane, task))
    }

    /// When a lane is made again that was told to come back later, as where a disk has no room for it. That is sooner once
    /// something has changed: a lane was taken away, or nothing else goes on that could change anything.
    fn comes_back(&self, lane: LaneIx) -> Option<Timestamp> {
        let state = &self.state.lanes[lane];
        let step = state.step.as_ref().filter(|step| matches!(step.effect, Effect::Provision { .. }))?;
        let (failure, at) = step.failure()?;
        let Remedy::Wait(due) = self.remedy(step, None)? else { return None };
        failure.retry_at.filter(|_| state.status == LaneStatus::Pending)?;
        if self.removed.is_some_and(|removed| removed > at) {
            return Some(at);
        }
        let is_alone = self.live == 0 && self.state.outstanding.is_empty();
        Some(if is_alone { due.min(at.plus(BACKOFF_MS)) } else { due })
    }

    /// Whether another lane was told to come back later; this one would be told the same.
    fn waits_for_another(&mut self, lane: LaneIx) -> bool {
        let mut unmade = std::mem::take(&mut self.unmade);
        unmade.retain(|&other| self.comes_back(other).is_some());
        let due = |&other: &LaneIx| self.comes_back(other).filter(|due| *due > self.now.wall);
        let until = unmade.iter().filter(|other| **other != lane).filter_map(due).min();
        self.unmade = unmade;
        if let Some(until) = until {
            self.agenda.wait_wall(until, Item::Lane(lane));
        }
        until.is_some()
    }

    /// Lanes that are being made ready for a task, and take a place for it.
    fn preparing(&self) -> usize {
        self.state.outstanding.values().filter(|e| matches!(e, Effect::Provision { .. })).count()
    }

    /// Whether the worktrees of a lane are being taken away.
    fn is_being_removed(&self, lane: LaneIx) -> bool {
        let id = &self.plan.lanes[lane].id;
        let of_lane = |effect: &Effect| matches!(effect, Effect::Teardown { lane, .. } if lane == id);
        self.state.outstanding.values().any(of_lane)
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
                let start =
                    attempt.work().and_then(|(work, _)| work.clone()).unwrap_or_else(|| start.clone());
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

    /// Whether an attempt that waited can go on where it is: a step that was refused needs the worktree it worked in, and
    /// another task may be in it by now.
    fn may_go_on(&self, lane: LaneIx, task: TaskIx) -> bool {
        let attempt = self.newest(task);
        let Some(tip) = self.state.lanes[lane].tip.as_ref() else { return false };
        !attempt.goes_on_in_place() || self.free_place(lane, task, tip) <= attempt.place
    }

    /// Where an attempt starts: where the last one ended, unless that one ran into a conflict. One that has to resolve the
    /// lane's conflict with upstream work starts where both sides stand together, or on what the last one made of them.
    fn start_of(&self, task: TaskIx, tip: Sha) -> Sha {
        let before = self.state.tasks[task].attempts.iter().rev().skip(1);
        // One that was over before its work was looked at has nothing to go on from; the one before it has.
        let last = before
            .take_while(|b| b.conflict.is_none() && !b.landed && !b.undone)
            .find_map(|b| Some((b.work()?.0.clone(), b.resolves.as_ref())));
        let lane = self.index.lane_of[task];
        match (self.own_conflict(lane, task), last) {
            (Some(own), Some((Some(work), Some(resolves)))) if resolves.brings == own.brings => work,
            (Some(own), _) => own.marked.clone(),
            (None, last) => last.and_then(|(work, _)| work).unwrap_or(tip),
        }
    }

    /// The lane's conflict with what the task needs, if it is this task's to resolve.
    fn own_conflict(&self, lane: LaneIx, task: TaskIx) -> Option<&crate::state::Unresolved> {
        let found = self.state.lanes[lane].unresolved.as_ref()?;
        let source = missing(self, lane, task)?;
        self.may_resolve(lane, task, &source).then_some(found)
    }

    /// Whether what `source` would bring is known to conflict with the lane as it stands, and the task can write.
    fn may_resolve(&self, lane: LaneIx, task: TaskIx, source: &[SyncSource]) -> bool {
        let state = &self.state.lanes[lane];
        let brings = source.iter().flat_map(SyncSource::lanes);
        let brings = || brings.filter_map(|(lane, tip)| Some((self.index.lane(&lane)?, tip)));
        self.resolves(task)
            && state.unresolved.as_ref().is_some_and(|known| {
                Some(&known.tip) == state.tip.as_ref() && brings().eq(known.brings.iter().cloned())
            })
    }

    /// Whether an attempt in the lane resolves its conflict; one at a time does.
    fn is_resolving(&self, lane: LaneIx) -> bool {
        self.state.live_tasks(lane).any(|t| self.newest(t).resolves.is_some())
    }

    /// Whether somebody will resolve the lane's conflict with upstream work.
    pub(super) fn has_resolver(&self, lane: LaneIx) -> bool {
        let state = &self.state.lanes[lane];
        let Some(known) = &state.unresolved else { return false };
        // On a lane that has moved on since, it is tried again before anybody is asked.
        let moved_on = Some(&known.tip) != state.tip.as_ref();
        self.index.tasks_of[lane].iter().any(|&task| {
            !self.state.tasks[task].status.is_terminal()
                && (moved_on || self.own_conflict(lane, task).is_some() && !self.is_held_up(lane, task))
        })
    }

    /// Whether the task waits for one of the lane that cannot begin before the lane's conflict is resolved, and cannot
    /// resolve it.
    fn is_held_up(&self, lane: LaneIx, task: TaskIx) -> bool {
        let (mut seen, mut look) = (std::collections::BTreeSet::new(), vec![task]);
        while let Some(task) = look.pop() {
            let open =
                |t: &TaskIx| !self.state.tasks[*t].status.is_terminal() && !self.state.tasks[*t].set_aside;
            for need in self.index.needs[task].iter().copied().filter(open) {
                let conflicts = self.index.lane_of[need] == lane && missing(self, lane, need).is_some();
                if conflicts && self.own_conflict(lane, need).is_none() {
                    return true;
                }
                look.extend(seen.insert(need).then_some(need));
            }
        }
        false
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
