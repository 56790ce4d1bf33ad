//! A lane: from pending to merged, one step at a time.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::Remedy;
use crate::event::{
    CheckStatus, ControlRejected, ControlVerb, Effect, FailureKind, LaneStatus, Status, TaskStatus,
};
use crate::graph::MergePolicy;
use crate::plan::LaneIx;
use crate::state::{Outside, Step};

/// Looks at one lane.
pub(in crate::engine) fn lane(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    if !core.state.lanes[lane].is_busy() {
        core.recheck_live(lane);
    }
    if core.state.lanes[lane].undo.is_some() {
        return super::undo::lane(core, lane);
    }
    let status = core.state.lanes[lane].status;
    // What is said of a lane that has ended keeps it neither from a retry nor from its teardown.
    if let Some(Outside::Failed(why)) = &core.state.lanes[lane].outside
        && !status.is_terminal()
    {
        let why = why.clone();
        return said_failed(core, lane, why);
    }
    while status.is_terminal() && !core.state.lanes[lane].is_busy() {
        let Some(request) = core.state.lanes[lane].requests.front().cloned() else { break };
        let reason = format!("lane `{}` is {status}", core.plan.lanes[lane].id);
        core.decide(core.lane_subject(lane), ControlRejected { request: request.id, reason })?;
    }
    if status.is_terminal() && super::warm::cool(core, lane)? {
        return Ok(());
    }
    let went_on = matches!(status, LaneStatus::MergeReady | LaneStatus::PrCreated);
    if went_on && core.index.children[lane].iter().any(|&nested| core.state.lanes[nested].undo.is_some()) {
        // What is nested in it goes, or stays; until that is known it is not merged.
        return Ok(());
    }
    if went_on && core.has_new_work(lane) {
        return core.lane_to(lane, LaneStatus::Active, Some("work in it is tried again".to_owned()));
    }
    match status {
        LaneStatus::MergeReady | LaneStatus::PrCreated
            if core.was_taken_back(lane) && !core.state.lanes[lane].is_busy() =>
        {
            core.lane_to(lane, LaneStatus::Active, Some("work of it was undone".to_owned()))
        }
        LaneStatus::Reset if core.is_begun_anew(lane) => {
            core.lane_to(lane, LaneStatus::Pending, Some("a retry was asked for".to_owned()))
        }
        LaneStatus::Reset => Ok(()),
        LaneStatus::Pending => pending(core, lane),
        LaneStatus::Active => active(core, lane),
        LaneStatus::MergeReady => merge_ready(core, lane),
        LaneStatus::PrCreated => pr_created(core, lane),
        LaneStatus::Merged if core.is_wanted_again(lane) => {
            core.lane_to(lane, LaneStatus::Pending, Some("a task of it can run after all".to_owned()))
        }
        LaneStatus::Merged => super::ending::merged(core, lane),
        LaneStatus::Failed => super::ending::failed(core, lane),
    }
}

/// Somebody wrote `failed`: first what runs in the lane ends.
fn said_failed(core: &mut Core, lane: LaneIx, why: String) -> Result<(), EngineError> {
    let busy = core.state.lanes[lane].is_busy() || core.state.live_tasks(lane).next().is_some();
    if busy {
        core.recheck_live(lane);
        return Ok(());
    }
    core.lane_to(lane, LaneStatus::Failed, Some(why))
}

fn pending(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    if state.worktree.is_some() && state.tip.is_some() && !state.is_busy() {
        return core.lane_to(lane, LaneStatus::Active, None);
    }
    if let Some(why) = gave_up(core, state.step.as_ref()) {
        return core.lane_to(lane, LaneStatus::Failed, Some(why));
    }
    if let Some(Remedy::Wait(due)) = state.step.as_ref().and_then(|step| core.remedy(step, None)) {
        // Whether anybody still wants the lane then or not: the run is held until then.
        core.agenda.wait_wall(due, Item::Lane(lane));
    }
    if let Some(parent) = core.never_begun_parent(lane) {
        let why = format!("the lane `{}` that it is nested in failed", core.plan.lanes[parent].id);
        return core.lane_to(lane, LaneStatus::Failed, Some(why));
    }
    let state = &core.state.lanes[lane];
    let takes_in = || !core.came_to_origin(lane).is_empty();
    if state.worktree.is_none() && state.tip.is_some() && (core.is_all_there(lane) || takes_in()) {
        // No task asks for the worktree that the lane lost with its failure: what is left to do is to show its work, or its
        // tasks wait for what was merged into it on origin.
        return super::schedule::provision(core, lane);
    }
    if state.step.is_none() && core.has_nothing_to_do(lane) {
        return core.lane_to(
            lane,
            LaneStatus::Merged,
            Some("nothing to do: its tasks were skipped".to_owned()),
        );
    }
    ended_without_success(core, lane)
}

fn active(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    if super::stack::take_in(core, lane)? {
        return Ok(());
    }
    let state = &core.state.lanes[lane];
    if let Some(why) = gave_up(core, state.step.as_ref())
        && core.state.live_tasks(lane).next().is_none()
        && !core.has_resolver(lane)
    {
        return core.lane_to(lane, LaneStatus::Failed, Some(why));
    }
    if core.is_all_there(lane) {
        return super::nest::with_children(core, lane);
    }
    ended_without_success(core, lane)
}

/// A lane whose tasks are all over, and not all well, failed.
fn ended_without_success(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let tasks = &core.index.tasks_of[lane];
    let over =
        tasks.iter().all(|&t| core.state.tasks[t].status.is_terminal() && !core.state.tasks[t].retry_wanted);
    if !over || core.state.lanes[lane].is_busy() {
        return Ok(());
    }
    let bad: Vec<String> = tasks
        .iter()
        .filter(|&&t| core.state.tasks[t].ended_badly() && !core.state.tasks[t].set_aside)
        .map(|&t| format!("task `{}` {}", core.plan.tasks[t].id, core.state.tasks[t].status))
        .collect();
    if bad.is_empty() {
        return Ok(());
    }
    let more = if bad.len() > 3 { format!(" and {} more", bad.len() - 3) } else { String::new() };
    core.lane_to(lane, LaneStatus::Failed, Some(format!("{}{more}", bad[..bad.len().min(3)].join(", "))))
}

fn merge_ready(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    if state.outside == Some(Outside::Merged) {
        return check_merged(core, lane);
    }
    if state.pr.as_ref().is_some_and(|pr| pr.closed_by.is_none()) && !state.is_busy() {
        return core.lane_to(lane, LaneStatus::PrCreated, None);
    }
    let Some(tip) = state.tip.clone() else {
        return Ok(());
    };
    if super::stack::restack(core, lane)? {
        return Ok(());
    }
    match &core.state.lanes[lane].step {
        Some(step) if step.is_in_flight() => Ok(()),
        Some(step) if matches!(step.effect, Effect::OpenPr { .. }) => match core.remedy(step, None) {
            Some(Remedy::Again) => open_pr(core, lane, tip),
            Some(Remedy::Wait(due)) => {
                core.agenda.wait_wall(due, Item::Lane(lane));
                Ok(())
            }
            Some(Remedy::Give(why)) => core.lane_to(lane, LaneStatus::Failed, Some(why)),
            None => Ok(()),
        },
        _ if core.nothing_ahead(lane) => {
            let why = "nothing to integrate: integration skipped".to_owned();
            core.lane_to(lane, LaneStatus::Merged, Some(why))
        }
        _ => open_pr(core, lane, tip),
    }
}

/// Opens the lane's pull request, or brings it up to date.
fn open_pr(core: &mut Core, lane: LaneIx, tip: crate::id::Sha) -> Result<(), EngineError> {
    if core.parent_takes_in(lane) {
        return Ok(());
    }
    let (base, draft) = core.state.base_of(lane);
    let effect = Effect::OpenPr { lane: core.plan.lanes[lane].id.clone(), tip, base, draft };
    core.intend(core.lane_subject(lane), effect)
}

/// Whether the pull request shows another tip than the lane's, or goes elsewhere than it should by now.
fn is_outdated(core: &Core, lane: LaneIx) -> bool {
    let state = &core.state.lanes[lane];
    let shown = |pr: &crate::state::PullRequest| {
        let (base, draft) = core.state.base_of(lane);
        (Some(&pr.tip), &pr.base, pr.draft) != (state.tip.as_ref(), &base, draft)
    };
    state.pr.as_ref().is_some_and(shown)
}

fn pr_created(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    if state.is_busy() {
        return Ok(());
    }
    let Some(pr) = &state.pr else {
        let why = "its pull request was merged without its last work".to_owned();
        return core.lane_to(lane, LaneStatus::Active, Some(why));
    };
    if pr.merged.is_some() {
        // One that is nested is merged when its parent has it.
        let there = core.state.is_in_parent(lane);
        return if there { core.lane_to(lane, LaneStatus::Merged, None) } else { Ok(()) };
    }
    if let Some(by) = &pr.closed_by {
        let why = format!("pull request #{} was closed unmerged by {by}", pr.at.number);
        return core.lane_to(lane, LaneStatus::Failed, Some(why));
    }
    if state.outside == Some(Outside::Merged) {
        return check_merged(core, lane);
    }
    let Some(tip) = state.tip.clone() else {
        return Ok(());
    };
    if super::stack::restack(core, lane)? {
        return Ok(());
    }
    if core.nothing_ahead(lane) {
        return check_merged(core, lane);
    }
    if is_outdated(core, lane) && !gave_up_opening(core, lane, &tip) {
        let waits = retry_later(core, lane);
        return if waits { Ok(()) } else { open_pr(core, lane, tip) };
    }
    if let Some(request) = core.state.lanes[lane].requests.front().cloned() {
        return asked(core, lane, &tip, request);
    }
    if retry_later(core, lane) {
        return Ok(());
    }
    if let Some(step) = again(core, lane).filter(|_| !core.parent_takes_in(lane)) {
        return core.intend(core.lane_subject(lane), step);
    }
    if core.parent_is_busy(lane) {
        return Ok(());
    }
    let id = core.plan.lanes[lane].id.clone();
    let state = &core.state.lanes[lane];
    // What was learnt of other lanes since is shown with the proof, which is not made twice for one tree.
    let shown = state.proven.as_ref() == Some(&tip) && state.told == state.predicted;
    if !shown && !gave_up_on(core, lane, is_prove) {
        return core.intend(core.lane_subject(lane), Effect::Prove { lane: id, tip });
    }
    // What could not be proven is not merged without a person; the two would also take turns in failing for ever.
    let proven = core.state.lanes[lane].proven.as_ref() == Some(&tip);
    if proven && core.merges_itself(lane) && !is_outdated(core, lane) && !gave_up_on(core, lane, is_merge) {
        let by = "laneway".to_owned();
        return core.intend(
            core.lane_subject(lane),
            Effect::MergePr { lane: id, tip, by, request: None, only: None },
        );
    }
    Ok(())
}

/// A person asked something of the pull request.
fn asked(
    core: &mut Core,
    lane: LaneIx,
    tip: &crate::id::Sha,
    request: crate::state::LaneRequest,
) -> Result<(), EngineError> {
    let id = core.plan.lanes[lane].id.clone();
    let subject = core.lane_subject(lane);
    match request.verb {
        ControlVerb::Merge { .. } if core.parent_is_busy(lane) => Ok(()),
        ControlVerb::Merge { sha: only, .. } => {
            if let Some(upstream) = core.unmerged_upstream(lane) {
                let upstream = &core.plan.lanes[upstream].id;
                let reason = format!("lane `{upstream}`, whose work this lane holds, has to be merged first");
                return core.decide(subject, ControlRejected { request: request.id, reason });
            }
            if is_outdated(core, lane) {
                let (base, _) = core.state.base_of(lane);
                let reason = format!(
                    "its pull request could not be brought up to date: it has to show the lane and go to `{base}`; \
                     laneway retry tries that again"
                );
                return core.decide(subject, ControlRejected { request: request.id, reason });
            }
            let (tip, by, request) = (tip.clone(), request.by, Some(request.id));
            core.intend(subject, Effect::MergePr { lane: id, tip, by, request, only })
        }
        ControlVerb::Review { act, text, .. } => {
            core.intend(subject, Effect::Review { lane: id, request: request.id, act, by: request.by, text })
        }
        _ => Ok(()),
    }
}

fn check_merged(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    let Some(tip) = state.tip.clone().filter(|_| !state.is_busy() && !core.parent_is_busy(lane)) else {
        return Ok(());
    };
    let id = core.plan.lanes[lane].id.clone();
    core.intend(core.lane_subject(lane), Effect::CheckMerged { lane: id, tip })
}

/// Why a failed step is final.
fn gave_up(core: &Core, step: Option<&Step>) -> Option<String> {
    match core.remedy(step?, None)? {
        Remedy::Give(why) => Some(why),
        _ => None,
    }
}

fn gave_up_on(core: &Core, lane: LaneIx, which: fn(&Effect) -> bool) -> bool {
    let step = core.state.lanes[lane].step.as_ref().filter(|s| which(&s.effect));
    gave_up(core, step).is_some()
}

/// Whether it was refused to show just this; what was refused before the lane or its base moved says nothing.
fn gave_up_opening(core: &Core, lane: LaneIx, tip: &crate::id::Sha) -> bool {
    let (base, draft) = core.state.base_of(lane);
    let wanted = Effect::OpenPr { lane: core.plan.lanes[lane].id.clone(), tip: tip.clone(), base, draft };
    let step = core.state.lanes[lane].step.as_ref().filter(|step| step.effect == wanted);
    gave_up(core, step).is_some()
}

fn is_prove(effect: &Effect) -> bool {
    matches!(effect, Effect::Prove { .. })
}

fn is_merge(effect: &Effect) -> bool {
    matches!(effect, Effect::MergePr { .. })
}

/// Puts a transiently failed step of an open pull request on the agenda again; `true` while it has to wait.
fn retry_later(core: &mut Core, lane: LaneIx) -> bool {
    let step = core.state.lanes[lane].step.clone();
    match step.as_ref().and_then(|s| core.remedy(s, None)) {
        Some(Remedy::Wait(due)) => {
            core.agenda.wait_wall(due, Item::Lane(lane));
            true
        }
        _ => false,
    }
}

/// What a person asked for and the surroundings did not let happen yet.
fn again(core: &Core, lane: LaneIx) -> Option<Effect> {
    let step = core.state.lanes[lane].step.as_ref()?;
    let asked = matches!(step.effect, Effect::MergePr { request: Some(_), .. } | Effect::Review { .. });
    (asked && matches!(core.remedy(step, None), Some(Remedy::Again))).then(|| step.effect.clone())
}

impl Core {
    pub(super) fn lane_to(
        &mut self,
        lane: LaneIx,
        to: LaneStatus,
        reason: Option<String>,
    ) -> Result<(), EngineError> {
        let from = self.state.lanes[lane].status;
        self.turn(self.lane_subject(lane), Some(Status::Lane(from)), Status::Lane(to), reason)
    }

    /// Whether a task of the lane, or a lane nested in it, is not done any more, because it was undone.
    fn was_taken_back(&self, lane: LaneIx) -> bool {
        let undone = |&t: &crate::plan::TaskIx| self.state.tasks[t].status == TaskStatus::Reset;
        let nested = |c: LaneIx| self.state.lanes[c].status == LaneStatus::Reset;
        self.index.tasks_of[lane].iter().any(undone) || self.waits_for_nested(lane).any(nested)
    }

    /// Has the started tasks of a lane looked at again, now that the lane's turn is free.
    fn recheck_live(&mut self, lane: LaneIx) {
        let waiting: Vec<_> = self
            .state
            .live_tasks(lane)
            .filter(|&t| {
                self.newest(t).step.as_ref().is_none_or(|s| !s.is_in_flight() || !self.newest(t).over)
            })
            .collect();
        for task in waiting {
            self.agenda.touch_task(task);
        }
    }

    /// Whether a task or a nested lane that the lane went on without is to run after all, and nothing is being done to
    /// the lane.
    fn has_new_work(&self, lane: LaneIx) -> bool {
        let state = &self.state.lanes[lane];
        let merged = state.pr.as_ref().is_some_and(|pr| pr.merged.is_some());
        let mut tasks = self.index.tasks_of[lane].iter();
        let undone = |lane: LaneIx| self.state.lanes[lane].status == LaneStatus::Reset;
        let nested = || self.waits_for_nested(lane).any(|c| !undone(c));
        let pending = |&t: &crate::plan::TaskIx| self.state.tasks[t].status == TaskStatus::Pending;
        !merged && !state.is_busy() && (tasks.any(pending) || nested())
    }

    /// Whether the lane's own tasks are all over.
    fn is_all_there(&self, lane: LaneIx) -> bool {
        self.index.tasks_of[lane].iter().all(|&t| self.state.tasks[t].is_over())
    }

    fn nothing_ahead(&self, lane: LaneIx) -> bool {
        let state = &self.state.lanes[lane];
        state.tip.as_ref() == Some(&self.plan.lanes[lane].base_sha)
            || state
                .checks
                .iter()
                .any(|c| c.name == crate::event::CHECK_AHEAD && c.status == CheckStatus::Skip)
    }

    /// A lane whose content this one holds and that has not reached the target.
    fn unmerged_upstream(&self, lane: LaneIx) -> Option<LaneIx> {
        self.state.unmerged_upstreams(lane).next()
    }

    /// Whether the lane may be merged without a person.
    fn merges_itself(&self, lane: LaneIx) -> bool {
        let state = &self.state.lanes[lane];
        self.plan.lanes[lane].merge == MergePolicy::Auto
            && !state.has_design_concern()
            && state.checks.iter().all(|c| c.status != CheckStatus::Fail)
            && state.asked_for_changes().is_none()
            && self.unmerged_upstream(lane).is_none()
            && !self.state.run.cancelled
            && self.state.run.interrupts == 0
    }
}

/// Whether a failure is for a person to put right.
pub(super) fn refused(step: &Step) -> bool {
    step.failure().is_some_and(|(f, _)| f.class == FailureKind::Refused)
}
