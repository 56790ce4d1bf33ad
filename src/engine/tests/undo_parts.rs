//! A reset of a lane of which a part is in its target already, and the rest is still to come.

use super::mended::{intended, lane, merge, pair, pump, tell};
use super::*;

/// `b`, of which a person has merged all but its last sync; its rest is shown by a pull request.
fn a_part_in_the_target() -> (Core, World, Vec<Envelope>) {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let before = core.state().lanes[1].tip.clone();
    log.extend(core.step(Now::default(), [merge("a")]).unwrap());
    pump(&mut core, &mut world, &mut log, &["open-pr/b"]);
    let pr = core.state().lanes[1].pr.clone().unwrap().at;
    let shown = PrUpdated { pr, tip: before.clone().unwrap(), base: "main".into(), draft: false };
    let id = core.outstanding().keys().find(|id| id.0.starts_with("open-pr/b")).unwrap().clone();
    let facts = vec![Draft::world(Subject::lane(&lane("b")), shown)];
    tell(&mut core, &mut log, Input::Report(Report { id, facts, end: None }));
    tell(&mut core, &mut log, merged(78, before));
    drive(&mut core, &mut world, vec![], &mut log);
    assert_eq!(core.state().lanes[1].parts.len(), 1);
    (core, world, log)
}

/// A person has merged the pull request of `b`.
fn merged(commit: u64, head: Option<Sha>) -> Input {
    heard(PrMerged { commit: sha(commit), by: "ann".into(), head })
}

fn heard(event: impl Into<Event>) -> Input {
    Input::News { facts: vec![Draft::world(Subject::lane(&lane("b")), event)], problem: None }
}

fn reset(core: &Core) -> Input {
    control("reset-1", ControlVerb::Reset { plan: core.state().undo(&UndoTarget::Lane(lane("b"))).unwrap() })
}

/// A person asks for the merge of the pull request that takes `b` back.
fn take_out(id: &str) -> Input {
    control(id, ControlVerb::Revert { lane: lane("b"), merge: true })
}

/// Somebody carries the run until nothing of it has to wait.
fn later(core: &mut Core, world: &mut World, log: &mut Vec<Envelope>) {
    let mut now = Now { wall: Timestamp(2_000_000), mono: 0 };
    while let Some(due) = core.next_deadline().wall {
        now.wall = now.wall.max(due);
        log.extend(core.step(now, [Input::Tick]).unwrap());
        while let Some(effect) = core.outstanding().values().next().cloned() {
            let report = world.answer(core, &effect);
            log.extend(core.step(now, [Input::Report(report)]).unwrap());
        }
    }
}

fn reverts(log: &[Envelope]) -> usize {
    intended(log, |e| matches!(e, Effect::Undo { step: UndoStep::Revert { .. }, .. })).len()
}

fn removals(log: &[Envelope]) -> usize {
    intended(log, is_removal).len()
}

fn is_removal(effect: &Effect) -> bool {
    matches!(effect, Effect::Undo { step: UndoStep::Remove { .. }, .. })
}

#[test]
fn ar25_what_is_merged_while_a_part_is_taken_back_is_taken_back_too() {
    let (mut core, mut world, mut log) = a_part_in_the_target();
    let asked = reset(&core);
    tell(&mut core, &mut log, asked);
    let reverting = core.outstanding().values().next().cloned().unwrap();
    let answer = world.answer(&core, &reverting);
    tell(&mut core, &mut log, merged(79, None));
    tell(&mut core, &mut log, Input::Report(answer));
    drive(&mut core, &mut world, vec![take_out("merge-1")], &mut log);
    assert_eq!(reverts(&log), 2, "the second landing stays in the target");
    assert_ne!(core.state().lanes[1].status, LaneStatus::Reset, "the target still has the rest");
    drive(&mut core, &mut world, vec![take_out("merge-2")], &mut log);
    assert_eq!((core.state().lanes[1].status, reverts(&log)), (LaneStatus::Reset, 2));
}

#[test]
fn ar25_what_is_merged_while_a_part_is_found_gone_is_taken_back_too() {
    let (mut core, mut world, mut log) = a_part_in_the_target();
    let asked = reset(&core);
    tell(&mut core, &mut log, asked);
    let id = core.outstanding().keys().next().cloned().unwrap();
    tell(&mut core, &mut log, merged(79, None));
    let gone = LaneUndone { tip: None, reverted: vec![], upstream: vec![], remarks: vec![] };
    let facts = vec![Draft::world(Subject::lane(&lane("b")), gone)];
    tell(&mut core, &mut log, Input::Report(Report { id, facts, end: Some(Ok(())) }));
    drive(&mut core, &mut world, vec![], &mut log);
    drive(&mut core, &mut world, vec![take_out("merge-1")], &mut log);
    assert_eq!((core.state().lanes[1].status, reverts(&log)), (LaneStatus::Reset, 2));
}

#[test]
fn ar25_the_rest_is_closed_although_a_merge_of_the_revert_was_refused_before() {
    let (mut core, mut world, mut log) = a_part_in_the_target();
    let asked = reset(&core);
    drive(&mut core, &mut world, vec![asked], &mut log);
    let merging: Which = |e| matches!(e, Effect::Undo { step: UndoStep::Merge { .. }, .. });
    world.refuses = Some((merging, FailureKind::Refused));
    drive(&mut core, &mut world, vec![take_out("merge-1")], &mut log);
    world.refuses = None;
    let out = heard(RevertMerged { commit: sha(80), by: "ann".into() });
    drive(&mut core, &mut world, vec![out], &mut log);
    assert_eq!((core.state().lanes[1].status, removals(&log)), (LaneStatus::Reset, 1));
}

#[test]
fn ar25_the_rest_that_could_not_be_closed_in_passing_is_closed_later() {
    let (mut core, mut world, mut log) = a_part_in_the_target();
    let asked = reset(&core);
    drive(&mut core, &mut world, vec![asked], &mut log);
    world.refuses = Some((is_removal, FailureKind::Transient));
    drive(&mut core, &mut world, vec![take_out("merge-1")], &mut log);
    assert_eq!((core.state().lanes[1].status, removals(&log)), (LaneStatus::PrCreated, 1));
    later(&mut core, &mut world, &mut log);
    assert_eq!(removals(&log), 4);
    let b = &core.state().lanes[1];
    assert_ne!(b.status, LaneStatus::Reset, "its pull request is open");
    assert!(b.undo.is_none() && b.pr.as_ref().is_some_and(|pr| pr.closed_by.is_none()), "{b:?}");
    assert!(b.remarks.iter().any(|remark| remark.starts_with(crate::state::NOT_UNDONE)), "{:?}", b.remarks);
    world.refuses = None;
    let Input::Control(again) = reset(&core) else { panic!() };
    let again = Input::Control(Control { id: "reset-2".into(), ..again });
    drive(&mut core, &mut world, vec![again], &mut log);
    drive(&mut core, &mut world, vec![take_out("merge-2")], &mut log);
    assert_eq!(core.state().lanes[1].status, LaneStatus::Reset, "it can be asked for again");
}

#[test]
fn ar25_the_rest_that_was_merged_meanwhile_is_taken_back_and_not_called_closed() {
    for heard_first in [true, false] {
        let (mut core, mut world, mut log) = a_part_in_the_target();
        let asked = reset(&core);
        drive(&mut core, &mut world, vec![asked], &mut log);
        tell(&mut core, &mut log, take_out("merge-1"));
        pump(&mut core, &mut world, &mut log, &["undo/b/1/remove"]);
        let removing = core.outstanding().values().next().cloned().unwrap();
        world.refuses = Some((is_removal, FailureKind::Refused));
        let refused = world.answer(&core, &removing);
        world.refuses = None;
        if heard_first {
            tell(&mut core, &mut log, merged(79, None));
            tell(&mut core, &mut log, Input::Report(refused));
            drive(&mut core, &mut world, vec![], &mut log);
            drive(&mut core, &mut world, vec![take_out("merge-2")], &mut log);
            assert_eq!((core.state().lanes[1].status, reverts(&log)), (LaneStatus::Reset, 2));
        } else {
            tell(&mut core, &mut log, Input::Report(refused));
            tell(&mut core, &mut log, merged(79, None));
            drive(&mut core, &mut world, vec![], &mut log);
            assert_eq!(core.state().lanes[1].status, LaneStatus::Merged, "as the target has it");
            assert!(core.state().undo(&UndoTarget::Lane(lane("b"))).is_ok(), "it can be asked for again");
        }
    }
}
