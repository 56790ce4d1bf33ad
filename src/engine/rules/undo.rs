//! A lane that is being reset: what of it goes first, and what is done with it.

use super::super::EngineError;
use super::super::agenda::Item;
use super::super::core::Core;
use super::Remedy;
use crate::event::{ControlRejected, ControlVerb, Effect, LaneStatus, LaneUndo, UndoRefused, UndoStep};
use crate::plan::LaneIx;
use crate::state::{Revert, Undo};

/// Looks at a lane that is being reset. Nothing else is decided about it meanwhile.
pub(super) fn lane(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    let Some(undo) = state.undo.clone().filter(|_| !state.is_moving()) else {
        return Ok(());
    };
    if undo.done {
        return ending(core, lane, &undo);
    }
    if state.revert.as_ref().is_some_and(Revert::is_open) {
        return reverting(core, lane, &undo);
    }
    reject_requests(core, lane)?;
    if let Some(why) = merged_meanwhile(core, lane, &undo) {
        return refuse(core, lane, &undo, why);
    }
    if core.state.undo_waits_for_work(lane) || !core.state.undo_waits_for(lane).is_empty() {
        return Ok(());
    }
    match core.undo_step(lane, &undo) {
        Some(step) => go_on(core, lane, &undo, step),
        None => refuse(core, lane, &undo, "it was never begun".to_owned()),
    }
}

/// Its work is gone from where it was.
fn ending(core: &mut Core, lane: LaneIx, undo: &Undo) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    // Begun anew on a branch that is still there, it would hold what it was undone of; and of one that landed in
    // parts, the rest is still to be closed.
    let left = !undo.removed && (state.worktree.is_some() || state.status != LaneStatus::Merged);
    if matches!(undo.how, LaneUndo::Revert { .. }) && left {
        let step = UndoStep::Remove { tip: state.tip.clone() };
        return go_on(core, lane, undo, step);
    }
    core.lane_to(lane, LaneStatus::Reset, Some(format!("undone by {}", undo.by)))?;
    // Lanes whose work it held waited for its end, and it does not know them any more.
    let waiting: Vec<LaneIx> =
        (0..core.plan.lanes.len()).filter(|&l| core.state.lanes[l].undo.is_some()).collect();
    core.agenda.touch_lanes(waiting.into_iter());
    Ok(())
}

/// Takes `step`, unless it failed before and has to wait, or is given up.
fn go_on(core: &mut Core, lane: LaneIx, undo: &Undo, step: UndoStep) -> Result<(), EngineError> {
    let known = core.state.lanes[lane].step.clone();
    let tried = |effect: &Effect| matches!(effect, Effect::Undo { n, step: tried, .. } if *n == undo.n && tried.word() == step.word());
    let failed = known.filter(|known| tried(&known.effect));
    match failed.and_then(|failed| core.remedy(&failed, None)) {
        Some(Remedy::Wait(due)) => {
            core.agenda.wait_wall(due, Item::Lane(lane));
            Ok(())
        }
        Some(Remedy::Give(why)) => refuse(core, lane, undo, why),
        Some(Remedy::Again) | None => intend(core, lane, undo, undo.request.clone(), undo.by.clone(), step),
    }
}

/// Its pull request into the target waits for a person.
fn reverting(core: &mut Core, lane: LaneIx, undo: &Undo) -> Result<(), EngineError> {
    let state = &core.state.lanes[lane];
    let tip = state.revert.as_ref().map(|revert| revert.tip.clone()).expect("the caller saw it");
    if let Some(request) = state.requests.front().cloned() {
        let step = match request.verb {
            ControlVerb::Revert { merge: true, .. } => UndoStep::Merge { tip },
            ControlVerb::Revert { merge: false, .. } => UndoStep::Close,
            _ => return reject_requests(core, lane),
        };
        return intend(core, lane, undo, request.id, request.by, step);
    }
    let Some(step) = state.step.clone() else { return Ok(()) };
    match core.remedy(&step, None) {
        Some(Remedy::Wait(due)) => core.agenda.wait_wall(due, Item::Lane(lane)),
        Some(Remedy::Again) if matches!(step.effect, Effect::Undo { .. }) => {
            core.intend(core.lane_subject(lane), step.effect)?;
        }
        // Whoever asked has heard it.
        _ => {}
    }
    Ok(())
}

fn reject_requests(core: &mut Core, lane: LaneIx) -> Result<(), EngineError> {
    while let Some(request) = core.state.lanes[lane].requests.front().cloned() {
        let reason = format!("lane `{}` is being reset", core.plan.lanes[lane].id);
        core.decide(core.lane_subject(lane), ControlRejected { request: request.id, reason })?;
    }
    Ok(())
}

fn intend(
    core: &mut Core,
    lane: LaneIx,
    undo: &Undo,
    request: String,
    by: String,
    step: UndoStep,
) -> Result<(), EngineError> {
    let id = core.plan.lanes[lane].id.clone();
    core.intend(core.lane_subject(lane), Effect::Undo { lane: id, n: undo.n, request, by, step })
}

fn refuse(core: &mut Core, lane: LaneIx, undo: &Undo, reason: String) -> Result<(), EngineError> {
    let request = undo.request.clone();
    core.decide(core.lane_subject(lane), UndoRefused { request, reason })
}

/// Why what was planned does not fit a lane that somebody has merged since.
fn merged_meanwhile(core: &Core, lane: LaneIx, undo: &Undo) -> Option<String> {
    let state = &core.state.lanes[lane];
    let mut around = std::iter::successors(core.index.parent[lane], |&up| core.index.parent[up]);
    let closed = |up: &LaneIx| core.state.lanes[*up].is_closed() && core.state.lanes[*up].undo.is_none();
    if let Some(closed) = around.find(closed) {
        return Some(format!("lane `{}` was merged meanwhile; look again", core.plan.lanes[closed].id));
    }
    let planned = matches!(undo.how, LaneUndo::Revert { .. }) || state.status == LaneStatus::Merged;
    let pr = state.pr.as_ref().filter(|pr| pr.merged.is_some() && !planned)?;
    Some(format!("pull request #{} was merged meanwhile; look again", pr.at.number))
}

impl Core {
    fn undo_step(&self, lane: LaneIx, undo: &Undo) -> Option<UndoStep> {
        let state = &self.state.lanes[lane];
        Some(match &undo.how {
            LaneUndo::TakeBack { from } => {
                let tip_of = |id: &crate::id::LaneId| {
                    Some((id.clone(), self.state.lanes[self.index.lane(id)?].tip.clone()?))
                };
                UndoStep::TakeBack {
                    tip: state.tip.clone()?,
                    commits: self.state.to_take_back(lane),
                    from: from.iter().filter_map(tip_of).collect(),
                }
            }
            LaneUndo::Remove => UndoStep::Remove { tip: state.tip.clone() },
            LaneUndo::Revert { .. } => {
                let mut parts = state.landings().into_iter();
                let newest = parts.next()?;
                UndoStep::Revert { landed: newest.landed, head: newest.head, parts: parts.collect() }
            }
        })
    }
}
