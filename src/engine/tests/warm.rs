//! Worktrees that are made before their lanes begin.

use super::*;
use crate::state::Warmth;

fn warm(draw: &Draw, lanes: u32) -> Arc<Plan> {
    let mut plan = (*draw.plan()).clone();
    plan.settings.warm = lanes;
    Arc::new(plan)
}

/// One lane that others build on.
fn fan(down: &[&'static str]) -> Draw {
    let below = down.iter().map(|&lane| (lane, lane, vec!["a1"]));
    Draw {
        lanes: [&["a"], down].concat().into_iter().map(|lane| (lane, MergePolicy::Auto)).collect(),
        tasks: std::iter::once(("a1", "a", vec![])).chain(below).collect(),
        handoff: Handoff::Ready,
        attempts: 1,
    }
}

/// The lanes that are warmed, in the order of the journal.
fn warmed(log: &[Envelope]) -> Vec<String> {
    let of = |e: &Envelope| match &e.event {
        Event::EffectIntended(event) => match &event.effect {
            Effect::Warm { lane, .. } => Some(lane.to_string()),
            _ => None,
        },
        _ => None,
    };
    log.iter().filter_map(of).collect()
}

/// Answers effects until one of `which` is to be done, which is left undone.
fn until(core: &mut Core, world: &mut World, which: Which) {
    let now = Now { wall: Timestamp(1_000_000), mono: 0 };
    if core.state().seq == 0 {
        core.step(now, begin()).unwrap();
    }
    while !core.outstanding().values().any(which) {
        let effect = core.outstanding().values().next().cloned().expect("something is under way");
        let report = world.answer(core, &effect);
        core.step(now, [Input::Report(report)]).unwrap();
    }
}

fn answer(core: &mut Core, world: &mut World, which: Which) {
    let effect = core.outstanding().values().find(|e| which(e)).cloned().expect("it is under way");
    let report = world.answer(core, &effect);
    core.step(Now { wall: Timestamp(1_000_000), mono: 0 }, [Input::Report(report)]).unwrap();
}

fn is_warm(effect: &Effect) -> bool {
    matches!(effect, Effect::Warm { .. })
}

fn is_attempt(effect: &Effect) -> bool {
    matches!(effect, Effect::Attempt { .. })
}

fn warmths(core: &Core) -> Vec<Warmth> {
    core.state().lanes.iter().map(|lane| lane.warmth).collect()
}

#[test]
fn ar23_the_next_lane_is_made_while_the_present_one_works_and_begins_like_any_other() {
    let (mut core, mut world) = (Core::new(warm(&fan(&["b"]), 1)), world(&[]));
    until(&mut core, &mut world, is_attempt);
    assert_eq!(warmths(&core), [Warmth::Cold, Warmth::Warming], "it works, so the next is made");
    answer(&mut core, &mut world, is_warm);
    assert_eq!(warmths(&core), [Warmth::Cold, Warmth::Warm]);
    let b = &core.state().lanes[1];
    assert_eq!((b.status, &b.tip, &b.worktree), (LaneStatus::Pending, &None, &None), "nobody sees it begun");
    until(&mut core, &mut world, |e| matches!(e, Effect::Provision { lane } if lane.as_str() == "b"));
    let mut log = Vec::new();
    drive(&mut core, &mut world, vec![Input::Tick], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    assert_eq!(warmths(&core), [Warmth::Cold, Warmth::Cold], "it was taken over");
    assert_eq!(world.started.len(), 2);
}

#[test]
fn ar23_a_lane_that_is_just_being_made_is_not_made_twice() {
    let (mut core, mut world) = (Core::new(warm(&fan(&["b"]), 1)), world(&[]));
    let now = Now { wall: Timestamp(1_000_000), mono: 0 };
    core.step(now, begin()).unwrap();
    // Everything but the warming is answered, until nothing else is left.
    while let Some(effect) = core.outstanding().values().find(|e| !is_warm(e)).cloned() {
        assert!(!matches!(&effect, Effect::Provision { lane } if lane.as_str() == "b"), "it is half-made");
        let report = world.answer(&core, &effect);
        core.step(now, [Input::Report(report)]).unwrap();
    }
    assert_eq!(core.state().lanes[1].status, LaneStatus::Pending);
    answer(&mut core, &mut world, is_warm);
    assert!(core.outstanding().values().any(|e| matches!(e, Effect::Provision { .. })));
}

#[test]
fn ar23_no_more_lanes_are_warm_than_may_be_and_none_where_nothing_is_said() {
    let draw = fan(&["b", "c", "d", "e"]);
    for most in [0, 1, 2, 9] {
        let (mut core, mut world) = (Core::new(warm(&draw, most)), world(&[]));
        let now = Now { wall: Timestamp(1_000_000), mono: 0 };
        until(&mut core, &mut world, is_attempt);
        while core.outstanding().values().any(is_warm) {
            answer(&mut core, &mut world, is_warm);
        }
        let idle = warmths(&core).into_iter().filter(|warmth| *warmth == Warmth::Warm).count();
        assert_eq!(idle, usize::try_from(most).unwrap().min(4));
        core.step(now, [Input::Tick]).unwrap();
        assert!(!core.outstanding().values().any(is_warm), "a tick brings no more");
    }
}

#[test]
fn ar23_lanes_that_only_wait_for_a_place_are_made_first_and_those_after_the_next_not_at_all() {
    let draw = Draw {
        lanes: ["a", "b", "c", "d"].map(|lane| (lane, MergePolicy::Auto)).to_vec(),
        tasks: vec![
            ("a1", "a", vec![]),
            ("b1", "b", vec!["a1"]),
            ("c1", "c", vec!["b1"]),
            ("d1", "d", vec![]),
        ],
        handoff: Handoff::Ready,
        attempts: 1,
    };
    let mut plan = (*warm(&draw, 1)).clone();
    plan.settings.max_parallel = 1;
    let (mut core, mut world, mut log) = (Core::new(Arc::new(plan.clone())), world(&[]), Vec::new());
    until(&mut core, &mut world, is_attempt);
    assert_eq!(warmths(&core)[3], Warmth::Warming, "{:?}", warmths(&core));
    plan.settings.warm = 4;
    let mut core = Core::new(Arc::new(plan));
    until(&mut core, &mut world, is_attempt);
    let made = [Warmth::Cold, Warmth::Warming, Warmth::Cold, Warmth::Warming];
    assert_eq!(warmths(&core), made, "nobody is at work on what `c` waits for");
    drive(&mut core, &mut world, vec![Input::Tick], &mut log);
    assert_eq!(warmed(&log), ["c"], "until somebody is");
}

#[test]
fn ar23_a_worktree_that_nobody_needs_any_more_is_taken_away() {
    let script = [("a1", 1, Outcome::Silent)];
    let (mut core, mut log, mut world) = (Core::new(warm(&fan(&["b"]), 1)), Vec::new(), world(&script));
    drive(&mut core, &mut world, begin(), &mut log);
    assert_eq!(warmed(&log), ["b"]);
    assert_eq!(core.state().run.status, Some(RunStatus::Failed));
    assert_eq!((warmths(&core), core.state().lanes[1].teardowns), (vec![Warmth::Cold; 2], 1));
    let mut log = Vec::new();
    world.script.clear();
    drive(&mut core, &mut world, vec![control("retry", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "and is made again for a retry");
    assert_eq!(warmed(&log), ["b"]);

    let (mut core, mut world) = (Core::new(warm(&fan(&["b"]), 1)), super::world(&[]));
    until(&mut core, &mut world, is_attempt);
    answer(&mut core, &mut world, is_warm);
    let cancel = control("cancel", ControlVerb::Cancel { tasks: vec![], lanes: vec![] });
    drive(&mut core, &mut world, vec![cancel], &mut Vec::new());
    assert_eq!(core.state().run.status, Some(RunStatus::Cancelled));
    assert_eq!(warmths(&core), [Warmth::Cold; 2]);
}

#[test]
fn ar23_what_cannot_be_made_ahead_is_made_when_its_lane_begins() {
    let (mut core, mut world, mut log) = (Core::new(warm(&fan(&["b"]), 1)), world(&[]), Vec::new());
    world.refuses = Some((is_warm, FailureKind::Permanent));
    drive(&mut core, &mut world, begin(), &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    assert_eq!((warmed(&log).len(), warmths(&core)), (1, vec![Warmth::Cold; 2]));
}

#[test]
fn a06_every_prefix_leads_to_the_same_end_with_lanes_made_ahead() {
    for (script, merge) in [
        (vec![], MergePolicy::Auto),
        (vec![("a1", 1, Outcome::Silent), ("a1", 2, Outcome::Silent)], MergePolicy::Review),
        (vec![("b1", 1, Outcome::GateFails)], MergePolicy::Auto),
    ] {
        for handoff in [Handoff::Ready, Handoff::Merged] {
            same_end_from_every_prefix("warm", &warm(&diamond(merge, handoff), 2), &script);
        }
    }
    for (path, plan) in shipped() {
        let mut plan = (*plan).clone();
        plan.settings.warm = 2;
        same_end_from_every_prefix(&path, &Arc::new(plan), &[]);
    }
}
