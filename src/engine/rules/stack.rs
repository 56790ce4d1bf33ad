//! Lanes that stand on other lanes: what becomes of them when those land, and where their pull requests go.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::Remedy;
use crate::event::{Effect, LaneStatus, SyncSource, TaskStatus};
use crate::graph::DiffPolicy;
use crate::id::LaneId;
use crate::plan::{LaneIx, TaskIx, Work};

/// Takes in what has landed of the work that a finished lane holds. Says whether the lane has to wait for that.
pub(super) fn restack(core: &mut Core, lane: LaneIx) -> Result<bool, EngineError> {
    let from = core.landings(lane);
    if from.is_empty() || core.state.run.cancelled || core.state.run.interrupts > 0 {
        return Ok(false);
    }
    match bring_in(core, lane, from)? {
        Bringing::Goes => Ok(true),
        Bringing::InVain => reopen(core, lane),
    }
}

/// Takes into an active lane what has come to its branch on origin: nested lanes that were merged there, and commits of
/// other hands. Says whether the lane has to wait for that.
pub(super) fn take_in(core: &mut Core, lane: LaneIx) -> Result<bool, EngineError> {
    let is_over = core.state.run.cancelled || core.state.run.interrupts > 0;
    if is_over || core.came_to_origin(lane).is_empty() {
        return Ok(false);
    }
    let state = &core.state.lanes[lane];
    let is_known = state.unresolved.as_ref().is_some_and(|known| Some(&known.tip) == state.tip.as_ref());
    let resolver = is_known && core.agenda.ready_in(lane).any(|(_, _, task)| core.resolves(task));
    let waits = state.is_busy() || core.state.live_tasks(lane).next().is_some() || resolver;
    // A conflict that nobody of the lane can resolve is for a person, who has it tried again.
    let is_theirs = is_known && (waits || core.owner(lane).is_some());
    if !is_theirs && let Bringing::Goes = bring_in(core, lane, core.landings(lane))? {
        return Ok(true);
    }
    if waits {
        return Ok(true);
    }
    let known = core.state.lanes[lane].unresolved.as_ref().map(|known| known.conflict.with.clone());
    if let (Some(with), Some(owner)) = (known, core.owner(lane)) {
        core.task_to(owner, TaskStatus::Pending, Some(format!("it has to be merged with {with}")))?;
        return Ok(true);
    }
    let why = core.state.lanes[lane].step.as_ref().and_then(|step| Some(step.failure()?.0.message.clone()));
    let why = why.unwrap_or_else(|| "what came to its branch on origin cannot be brought in".to_owned());
    core.lane_to(lane, LaneStatus::Failed, Some(why))?;
    Ok(true)
}

/// What becomes of work that is to be brought into a lane.
pub(super) enum Bringing {
    /// It is under way, or waits for its turn.
    Goes,
    /// It did not go into the lane as that stands, and would not the next time.
    InVain,
}

/// Brings `from` into the lane, unless that is known to be in vain.
pub(super) fn bring_in(
    core: &mut Core,
    lane: LaneIx,
    from: Vec<SyncSource>,
) -> Result<Bringing, EngineError> {
    let state = &core.state.lanes[lane];
    let Some(tip) = state.tip.clone().filter(|_| !state.is_busy()) else {
        return Ok(Bringing::Goes);
    };
    if core.is_given_up(lane, &from) {
        return Ok(Bringing::InVain);
    }
    let mut n = state.syncs + 1;
    if let Some(step) = &state.step
        && let Effect::Sync { n: last, from: asked, tip: on, .. } = &step.effect
        && (asked, on) == (&from, &tip)
    {
        n = *last;
        match core.remedy(step, None) {
            None | Some(Remedy::Again) => {}
            Some(Remedy::Wait(due)) => {
                core.agenda.wait_wall(due, Item::Lane(lane));
                return Ok(Bringing::Goes);
            }
            Some(Remedy::Give(_)) => return Ok(Bringing::InVain),
        }
    }
    let effect = Effect::Sync { lane: core.plan.lanes[lane].id.clone(), n, tip, from };
    core.intend(core.lane_subject(lane), effect)?;
    Ok(Bringing::Goes)
}

/// A landing that conflicts with what the lane has goes to the task that was last at work in it. Where there is none, or
/// it is no conflict, the lane goes on without; its merge will tell.
fn reopen(core: &mut Core, lane: LaneIx) -> Result<bool, EngineError> {
    let known = core.state.lanes[lane].unresolved.as_ref();
    let (Some(known), Some(owner)) = (known, core.owner(lane)) else {
        return Ok(false);
    };
    let why = format!("it has to be merged with {}", known.conflict.with);
    core.lane_to(lane, LaneStatus::Active, Some(why.clone()))?;
    core.task_to(owner, TaskStatus::Pending, Some(why))?;
    Ok(true)
}

/// Whether something of `lane` is among the sources.
pub(super) fn brings(sources: &[SyncSource], lane: &LaneId) -> bool {
    sources.iter().flat_map(SyncSource::lanes).any(|(up, _)| up == *lane)
}

impl Core {
    /// Whether `from` is known not to go into the lane as that stands.
    pub(super) fn is_given_up(&self, lane: LaneIx, from: &[SyncSource]) -> bool {
        let state = &self.state.lanes[lane];
        state.given_up.as_ref().is_some_and(|(on, asked)| Some(on) == state.tip.as_ref() && asked == from)
    }

    /// What the lane has to take in before it can be merged: the landings of lanes whose work it holds, and the target
    /// itself once that conflicts with the lane.
    pub(super) fn landings(&self, lane: LaneIx) -> Vec<SyncSource> {
        let (state, target) = (&self.state.lanes[lane], &self.plan.lanes[lane].target);
        let landing = |(&up, held): (&LaneIx, &crate::id::Sha)| {
            let (upstream, plan) = (&self.state.lanes[up], &self.plan.lanes[up]);
            let pr = upstream.pr.as_ref()?;
            let landed = pr.merged.clone()?;
            let new = upstream.status == LaneStatus::Merged && !state.landed.contains(&up);
            (new && plan.target == *target).then(|| SyncSource::Landing {
                lane: plan.id.clone(),
                landed,
                head: pr.tip.clone(),
                held: held.clone(),
            })
        };
        let mut sources: Vec<SyncSource> = state.contains.iter().filter_map(landing).collect();
        if state.behind {
            sources.push(SyncSource::Target { landed: Vec::new() });
        }
        sources.extend(self.came_to_origin(lane));
        for &up in &state.stale {
            let (id, tip) = (&self.plan.lanes[up].id, self.state.lanes[up].tip.clone());
            let tip = tip.filter(|tip| state.contains.get(&up) != Some(tip) && !brings(&sources, id));
            sources.extend(tip.map(|tip| SyncSource::Lane { lane: id.clone(), tip }));
        }
        sources
    }

    /// What has come to the lane's branch on origin and is not in the lane: landings of lanes nested in it, and what else
    /// is known to be there.
    pub(super) fn came_to_origin(&self, lane: LaneIx) -> Vec<SyncSource> {
        let state = &self.state.lanes[lane];
        let landing = |&child: &LaneIx| {
            // What was undone, or is being undone, stays known with its pull request, and is not to come back.
            let nested = &self.state.lanes[child];
            let gone = nested.status == LaneStatus::Reset || nested.undo.is_some();
            let pr = nested.pr.as_ref().filter(|_| !gone && !self.state.is_in_parent(child))?;
            Some(SyncSource::Landing {
                lane: self.plan.lanes[child].id.clone(),
                landed: pr.merged.clone()?,
                head: pr.tip.clone(),
                held: pr.tip.clone(),
            })
        };
        let nested = self.index.children[lane].iter().filter_map(landing);
        nested.chain(state.origin_is_ahead().then_some(SyncSource::Origin)).collect()
    }

    /// Whether the task's agent can be asked to resolve a conflict. A command does what it does.
    pub(super) fn resolves(&self, task: TaskIx) -> bool {
        let plan = &self.plan.tasks[task];
        plan.diff != DiffPolicy::None && matches!(plan.work, Work::Agent { .. })
    }

    /// The task that answers for the lane's work as a whole: the one whose agent changed it last.
    fn owner(&self, lane: LaneIx) -> Option<TaskIx> {
        let wrote = |t: &TaskIx| self.state.tasks[*t].status == TaskStatus::Merged && self.resolves(*t);
        let tasks = self.index.tasks_of[lane].iter().copied();
        tasks.filter(wrote).max_by_key(|&t| self.state.tasks[t].ended_at)
    }

    /// Whether a pull request is stacked on the lane's branch, or is about to be, so that it has to stay.
    pub(super) fn is_stacked_on(&self, lane: LaneIx) -> bool {
        let branch = &self.plan.lanes[lane].branch;
        self.index.downstream[lane].iter().any(|&down| {
            let down = &self.state.lanes[down];
            let open = |pr: &&crate::state::PullRequest| pr.merged.is_none() && pr.closed_by.is_none();
            let shown = down.pr.as_ref().filter(open).is_some_and(|pr| pr.base == *branch);
            // One that was asked for in vain may be there all the same.
            let perhaps = down.pr.is_none()
                && down.contains.contains_key(&lane)
                && down.failed_on_forge.contains(&crate::state::ForgeStep::Open);
            let opens = |step: &&crate::state::Step| step.is_in_flight();
            let goes =
                down.step.as_ref().filter(opens).is_some_and(
                    |step| matches!(&step.effect, Effect::OpenPr { base, .. } if base == branch),
                );
            goes || shown || perhaps
        })
    }
}
