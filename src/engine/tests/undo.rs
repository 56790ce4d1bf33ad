//! What a reset takes along, and in which order it is carried out.

use super::*;
use crate::state::UndoRefusal;

fn task(id: &str) -> UndoTarget {
    UndoTarget::Task(TaskId::new(id).unwrap())
}

fn lane(id: &str) -> UndoTarget {
    UndoTarget::Lane(LaneId::new(id).unwrap())
}

fn names(plan: &UndoPlan) -> (Vec<&str>, Vec<(&str, &'static str)>) {
    let how = |lane: &UndoLane| match lane.undo {
        LaneUndo::TakeBack { .. } => "take back",
        LaneUndo::Remove => "remove",
        LaneUndo::Revert { .. } => "revert",
    };
    let lanes = plan.lanes.iter().map(|l| (l.lane.as_str(), how(l)));
    (plan.tasks.iter().map(|t| t.task.as_str()).collect(), lanes.collect())
}

fn reset(plan: UndoPlan) -> Input {
    control("reset-1", ControlVerb::Reset { plan })
}

/// What was intended for lanes, in order.
fn undone(log: &[Envelope]) -> Vec<String> {
    let ids = log.iter().filter_map(|e| match &e.event {
        Event::EffectIntended(e) if e.id.0.starts_with("undo/") => Some(e.id.0.clone()),
        _ => None,
    });
    ids.collect()
}

#[test]
fn ar25_a_task_takes_its_dependents_along_across_lanes_and_holders_follow() {
    let (core, ..) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let plan = core.state().undo(&task("b1")).unwrap();
    let (tasks, lanes) = names(&plan);
    assert_eq!(tasks, ["b1", "d1", "d2"], "{plan:?}");
    assert_eq!(lanes, [("b", "take back"), ("d", "take back")], "neither `a` nor `c` has any of it");
    assert_eq!(plan.tasks[1].why, UndoWhy::Needs(TaskId::new("b1").unwrap()));
    assert_eq!(plan.lanes[1].undo, LaneUndo::TakeBack { from: vec![LaneId::new("b").unwrap()] });
    let plan = core.state().undo(&task("d1")).unwrap();
    assert_eq!(names(&plan), (vec!["d1", "d2"], vec![("d", "take back")]));
    let plan = core.state().undo(&task("d2")).unwrap();
    assert_eq!(names(&plan), (vec!["d2"], vec![("d", "take back")]), "what came before stays");
}

#[test]
fn ar25_a_lane_takes_those_that_hold_its_work_along_as_a_whole() {
    let (core, ..) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let plan = core.state().undo(&lane("b")).unwrap();
    assert_eq!(names(&plan), (vec!["b1", "d1", "d2"], vec![("b", "remove"), ("d", "remove")]));
    assert_eq!(plan.lanes[1].why, UndoWhy::Holds(LaneId::new("b").unwrap()));
    assert_eq!((plan.lanes[0].pr, plan.lanes[1].pr), (Some(2), Some(4)), "open pull requests are named");
}

#[test]
fn ar25_what_the_target_has_is_taken_back_by_pull_requests_of_whole_lanes() {
    let (core, ..) = run(&diamond(MergePolicy::Auto, Handoff::Merged), &[]);
    let plan = core.state().undo(&task("c1")).unwrap();
    let (tasks, lanes) = names(&plan);
    assert_eq!((tasks, lanes), (vec!["c1", "d1", "d2"], vec![("c", "revert"), ("d", "revert")]));
    assert_eq!(plan.lanes[0].why, UndoWhy::InTarget(TaskId::new("c1").unwrap()));
}

#[test]
fn ar25_to_a_task_undoes_what_landed_after_it_and_keeps_it() {
    let (core, ..) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let to = |id: &str| core.state().undo(&UndoTarget::To(TaskId::new(id).unwrap()));
    let plan = to("d1").unwrap();
    assert_eq!(names(&plan).0, ["d2"]);
    let tasks = to("a1").unwrap().tasks;
    assert_eq!(tasks.iter().map(|t| t.task.as_str()).collect::<Vec<_>>(), ["b1", "c1", "d1", "d2"]);
    assert!(matches!(to("d2"), Err(UndoRefusal::NothingAfter { .. })));
    let (merged, ..) = run(&diamond(MergePolicy::Auto, Handoff::Merged), &[]);
    let kept = merged.state().undo(&UndoTarget::To(TaskId::new("d1").unwrap()));
    assert!(matches!(kept, Err(UndoRefusal::CannotStay { .. })), "{kept:?}");
}

#[test]
fn ar25_undone_tasks_wait_for_a_person_and_are_done_again_on_request() {
    use LaneStatus::{Active, PrCreated};
    use TaskStatus::{Merged, Reset};
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let plan = core.state().undo(&task("b1")).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!(run, Some(RunStatus::Blocked));
    assert_eq!(lanes, [PrCreated, Active, PrCreated, Active]);
    assert_eq!(tasks, [Merged, Reset, Merged, Reset, Reset]);
    assert_eq!(undone(&log), ["undo/b/1/take-back", "undo/d/1/take-back"], "what others hold goes first");
    let Some(Event::EffectIntended(last)) = log
        .iter()
        .rev()
        .map(|e| &e.event)
        .find(|e| matches!(e, Event::EffectIntended(e) if e.id.0 == "undo/d/1/take-back"))
    else {
        panic!()
    };
    let Effect::Undo { step: UndoStep::TakeBack { commits, from, .. }, .. } = &last.effect else { panic!() };
    assert_eq!(commits.len(), 2, "both landings of the lane, newest first");
    assert_eq!(from[0].1, *core.state().lanes[1].tip.as_ref().unwrap(), "the lane's new tip is taken in");
    let attach = |id: &str| match attach() {
        Input::Control(control) => Input::Control(Control { id: id.into(), ..control }),
        other => other,
    };
    let before = world.started.len();
    drive(&mut core, &mut world, vec![attach("again")], &mut log);
    assert_eq!(world.started.len(), before, "nothing is done again by itself");
    let retry = ControlVerb::Retry { tasks: vec![] };
    drive(&mut core, &mut world, vec![control("r1", retry)], &mut log);
    assert_eq!(world.started.len(), before, "a retry of what failed does not bring it back either");
    let wanted = ["b1", "d1", "d2"].map(|t| TaskId::new(t).unwrap()).to_vec();
    drive(&mut core, &mut world, vec![control("r2", ControlVerb::Retry { tasks: wanted })], &mut log);
    assert_eq!(statuses(&core).2, [Merged; 5]);
    assert_eq!(statuses(&core).1, [PrCreated; 4]);
    assert_eq!(core.state().tasks[1].attempts.len(), 2, "what was done before is in the record");
}

#[test]
fn ar25_lanes_that_go_as_a_whole_go_before_those_that_they_stand_on() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let plan = core.state().undo(&lane("a")).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    assert_eq!(statuses(&core).1, [LaneStatus::Reset; 4]);
    assert_eq!(statuses(&core).2, [TaskStatus::Reset; 5]);
    let order = undone(&log);
    let at = |lane: &str| order.iter().position(|id| id.starts_with(&format!("undo/{lane}/"))).unwrap();
    assert!(at("d") < at("b") && at("d") < at("c") && at("b") < at("a") && at("c") < at("a"), "{order:?}");
    let all = ["a1", "b1", "c1", "d1", "d2"].map(|t| TaskId::new(t).unwrap()).to_vec();
    drive(&mut core, &mut world, vec![control("r", ControlVerb::Retry { tasks: all })], &mut log);
    assert_eq!(statuses(&core).1, [LaneStatus::PrCreated; 4]);
}

#[test]
fn ar25_a_merged_lane_is_reset_once_a_person_merged_its_revert() {
    let draw = diamond(MergePolicy::Auto, Handoff::Merged);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let plan = core.state().undo(&lane("d")).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    assert_eq!(core.state().lanes[3].status, LaneStatus::Merged, "the target still has it");
    assert_eq!(core.state().tasks[4].status, TaskStatus::Merged);
    let refused = core.state().undo(&task("d1"));
    assert!(matches!(refused, Err(UndoRefusal::Reverting { number: 90, .. })), "{refused:?}");
    let verb = ControlVerb::Revert { lane: LaneId::new("d").unwrap(), merge: true };
    drive(&mut core, &mut world, vec![control("merge-1", verb.clone())], &mut log);
    assert_eq!(core.state().lanes[3].status, LaneStatus::Reset);
    assert_eq!(core.state().tasks[4].status, TaskStatus::Reset);
    drive(&mut core, &mut world, vec![control("merge-2", verb)], &mut log);
    let last = log.iter().rev().find(|e| matches!(e.event, Event::ControlRejected(_)));
    assert!(last.is_some(), "there is nothing to merge any more");
}

#[test]
fn ar25_a_revert_that_is_closed_leaves_everything_as_it_was() {
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Merged), &[]);
    let before = statuses(&core);
    let plan = core.state().undo(&lane("d")).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    let verb = ControlVerb::Revert { lane: LaneId::new("d").unwrap(), merge: false };
    drive(&mut core, &mut world, vec![control("close-1", verb)], &mut log);
    assert_eq!(statuses(&core), before);
    assert!(core.state().undo(&lane("d")).is_ok(), "it can be asked for again");
}

#[test]
fn ar25_what_a_closed_revert_stands_on_stays_too() {
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    for (n, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let verb = ControlVerb::Merge { lane: LaneId::new(id).unwrap(), sha: None };
        drive(&mut core, &mut world, vec![control(&format!("merge-{n}"), verb)], &mut log);
    }
    let before = statuses(&core);
    let plan = core.state().undo(&lane("a")).unwrap();
    assert_eq!(names(&plan).1.len(), 4, "{plan:?}");
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    assert_eq!(undone(&log).len(), 1, "{:?}", undone(&log));
    let verb = ControlVerb::Revert { lane: LaneId::new("d").unwrap(), merge: false };
    drive(&mut core, &mut world, vec![control("close-1", verb)], &mut log);
    assert_eq!(undone(&log).len(), 2, "nothing but the closing: {:?}", undone(&log));
    assert_eq!(statuses(&core), before);
    assert!(core.state().lanes.iter().all(|lane| lane.undo.is_none()));
}

#[test]
fn ar25_what_was_confirmed_is_refused_once_things_have_changed() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let stale = core.state().undo(&task("d2")).unwrap();
    let first = core.state().undo(&task("b1")).unwrap();
    drive(&mut core, &mut world, vec![reset(first)], &mut log);
    let again = control("reset-2", ControlVerb::Reset { plan: stale });
    drive(&mut core, &mut world, vec![again], &mut log);
    let why = log.iter().rev().find_map(|e| match &e.event {
        Event::ControlRejected(e) => Some(e.reason.clone()),
        _ => None,
    });
    assert_eq!(why.as_deref(), Some("task `d2` is reset; there is nothing to undo"));
}

#[test]
fn ar25_a_conflict_refuses_the_reset_and_leaves_the_lanes_as_they_are() {
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let before = (core.state().lanes[3].tip.clone(), statuses(&core));
    world.refuses = Some((|e| matches!(e, Effect::Undo { .. }), FailureKind::Conflict));
    let plan = core.state().undo(&task("b1")).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    assert_eq!((core.state().lanes[3].tip.clone(), statuses(&core)), before);
    assert!(log.iter().any(|e| matches!(&e.event, Event::UndoRefused(e) if e.request == "reset-1")));
    assert_eq!(undone(&log).len(), 1, "lanes after it are not begun");
}

#[test]
fn ar25_a_conflict_in_one_lane_keeps_no_other_from_following_what_was_taken_back() {
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let of_b = |e: &Effect| matches!(e, Effect::Undo { lane, .. } if lane.as_str() == "b");
    world.refuses = Some((of_b, FailureKind::Conflict));
    let plan = core.state().undo(&task("a1")).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    let begun: Vec<String> = undone(&log);
    assert!(
        begun.contains(&"undo/d/1/take-back".to_owned()),
        "`d` holds what `a` and `c` gave back: {begun:?}"
    );
    assert!(core.state().lanes.iter().all(|lane| lane.undo.is_none()));
    assert!(core.state().lanes[1].remarks.iter().any(|remark| remark.starts_with("not undone: ")));
}

#[test]
fn ar25_a_lane_stays_where_all_that_it_would_follow_was_refused_one_after_the_other() {
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let before = statuses(&core);
    let of = |e: &Effect| matches!(e, Effect::Undo { lane, .. } if matches!(lane.as_str(), "b" | "c"));
    world.refuses = Some((of, FailureKind::Conflict));
    let plan = core.state().undo(&UndoTarget::To(TaskId::new("a1").unwrap())).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    assert_eq!(undone(&log), ["undo/b/1/take-back", "undo/c/1/take-back"], "nothing was given back");
    assert_eq!(statuses(&core), before);
    assert!(core.state().lanes.iter().all(|lane| lane.undo.is_none() && lane.stale.is_empty()));
}

#[test]
fn ar25_a_lane_that_follows_one_of_two_takes_in_nothing_of_the_one_that_was_refused() {
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Review, Handoff::Ready), &[]);
    let of_b = |e: &Effect| matches!(e, Effect::Undo { lane, .. } if lane.as_str() == "b");
    world.refuses = Some((of_b, FailureKind::Conflict));
    let plan = core.state().undo(&UndoTarget::To(TaskId::new("a1").unwrap())).unwrap();
    drive(&mut core, &mut world, vec![reset(plan)], &mut log);
    let of_d = |e: &Envelope| match &e.event {
        Event::EffectIntended(e) if e.id.0 == "undo/d/1/take-back" => Some(e.effect.clone()),
        _ => None,
    };
    let Some(Effect::Undo { step: UndoStep::TakeBack { from, .. }, .. }) = log.iter().find_map(of_d) else {
        panic!("it follows `c`: {:?}", undone(&log))
    };
    assert_eq!(from.iter().map(|(up, _)| up.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn ar25_every_prefix_of_a_reset_leads_to_the_same_end() {
    let cases = [
        (diamond(MergePolicy::Review, Handoff::Ready), task("b1")),
        (diamond(MergePolicy::Review, Handoff::Ready), lane("a")),
        (diamond(MergePolicy::Auto, Handoff::Merged), lane("c")),
    ];
    for (draw, of) in cases {
        let (mut core, mut world_, mut log) = run(&draw, &[]);
        let (begun, plan) = (log.len(), core.state().undo(&of).unwrap());
        drive(&mut core, &mut world_, vec![reset(plan.clone())], &mut log);
        for cut in begun..log.len() {
            let mut again = Core::new(draw.plan());
            for envelope in &log[..cut] {
                let line = envelope.to_json().unwrap();
                again.replay(&Envelope::from_json(&line).unwrap()).unwrap();
            }
            again.recount();
            let mut rest = log[..cut].to_vec();
            let mut inputs = begin();
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            inputs.push(reset(plan.clone()));
            drive(&mut again, &mut world(&[]), inputs, &mut rest);
            assert_eq!(statuses(&again), statuses(&core), "{of:?} restarted after event {cut}");
        }
    }
}
