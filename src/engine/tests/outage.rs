//! A forge that is away for an hour, on a virtual clock.

use super::*;

const MINUTE: i64 = 60_000;

/// Drives a run while the forge answers nothing before `back`; returns how often it was asked in vain.
fn drive_through(core: &mut Core, world: &mut World, back: Timestamp) -> usize {
    let at_forge = |e: &Effect| matches!(e, Effect::OpenPr { .. } | Effect::MergePr { .. });
    let mut now = Now { wall: Timestamp(1_000_000), mono: 0 };
    let mut asked_in_vain = 0;
    core.step(now, begin()).unwrap();
    loop {
        let input = match core.outstanding().values().next().cloned() {
            Some(effect) if at_forge(&effect) && now.wall < back => {
                asked_in_vain += 1;
                let retry_at = Some(now.wall.plus(u64::try_from(MINUTE).unwrap()));
                let failure =
                    Failure { class: FailureKind::Transient, message: "away".into(), hint: None, retry_at };
                Input::Report(Report { id: effect.id(), facts: vec![], end: Some(Err(failure)) })
            }
            Some(effect) => Input::Report(world.answer(core, &effect)),
            None => match core.next_deadline().wall.filter(|_| !core.is_settled()) {
                Some(at) => {
                    now.wall = now.wall.max(at);
                    Input::Tick
                }
                None => return asked_in_vain,
            },
        };
        core.step(now, [input]).unwrap();
        assert!(core.state().seq < 5000, "it never comes to rest");
    }
}

#[test]
fn p08_a_forge_that_is_away_for_an_hour_is_waited_for_and_the_work_goes_on_meanwhile() {
    for (merge, handoff) in [(MergePolicy::Auto, Handoff::Ready), (MergePolicy::Review, Handoff::Ready)] {
        let (mut core, mut world) = (Core::new(diamond(merge, handoff).plan()), world(&[]));
        let back = Timestamp(1_000_000 + 60 * MINUTE);
        let asked_in_vain = drive_through(&mut core, &mut world, back);
        let (run, lanes, tasks) = statuses(&core);
        assert_eq!(run, Some(RunStatus::Completed), "{lanes:?}");
        assert!(tasks.iter().all(|task| *task == TaskStatus::Merged));
        let end = if merge == MergePolicy::Auto { LaneStatus::Merged } else { LaneStatus::PrCreated };
        assert!(lanes.iter().all(|lane| *lane == end), "{lanes:?}");
        assert_eq!(world.started.len(), 5, "no task ran twice");
        assert!((60..=61 * 4).contains(&asked_in_vain), "{asked_in_vain}: about once a minute and lane");
    }
}

fn is_provision(effect: &Effect) -> bool {
    matches!(effect, Effect::Provision { .. })
}

/// The lanes that are being made.
fn in_making(core: &Core) -> Vec<String> {
    let lane = |effect: &Effect| match effect {
        Effect::Provision { lane } => Some(lane.to_string()),
        _ => None,
    };
    core.outstanding().values().filter_map(lane).collect()
}

/// Says that there is no room for a lane for a minute.
fn lacks_room(core: &mut Core, now: Now, lane: &str) {
    let id = Effect::Provision { lane: LaneId::new(lane).unwrap() }.id();
    let retry_at = Some(now.wall.plus(60_000));
    let failure = Failure { class: FailureKind::Transient, message: "no room".into(), hint: None, retry_at };
    core.step(now, [Input::Report(Report { id, facts: vec![], end: Some(Err(failure)) })]).unwrap();
}

#[test]
fn a18_while_one_lane_waits_for_room_no_other_is_begun_and_it_is_tried_as_soon_as_a_lane_is_removed() {
    let lanes = ["a", "b", "c"];
    let draw = Draw {
        lanes: lanes.map(|lane| (lane, MergePolicy::Auto)).to_vec(),
        tasks: lanes.map(|lane| (lane, lane, vec![])).to_vec(),
        handoff: Handoff::Ready,
        attempts: 1,
    };
    let mut plan = (*draw.plan()).clone();
    plan.settings.max_parallel = 2;
    let (mut core, mut world) = (Core::new(Arc::new(plan)), world(&[]));
    let mut now = Now { wall: Timestamp(1_000_000), mono: 0 };
    core.step(now, begin()).unwrap();
    assert_eq!(in_making(&core), ["a", "b"]);
    lacks_room(&mut core, now, "b");
    assert_eq!(in_making(&core), ["a"], "there is a place for c, and it would be told the same");
    // Everything of a is done, and its worktree removed, within that minute.
    let mut removed = false;
    while let Some(effect) = core.outstanding().values().next().cloned().filter(|_| !removed) {
        assert!(
            !is_provision(&effect)
                || effect.id() == Effect::Provision { lane: LaneId::new("a").unwrap() }.id()
        );
        removed = matches!(effect, Effect::Teardown { .. });
        now.wall = now.wall.plus(1);
        let report = world.answer(&core, &effect);
        core.step(now, [Input::Report(report)]).unwrap();
    }
    assert!(removed && now.wall < Timestamp(1_000_000).plus(60_000));
    assert_eq!(in_making(&core), ["b", "c"], "both places are free, and so is the room of a");
    while let Some(effect) = core.outstanding().values().find(|effect| !is_provision(effect)).cloned() {
        let report = world.answer(&core, &effect);
        core.step(now, [Input::Report(report)]).unwrap();
    }
    // Where nothing goes on any more, nobody waits for a minute to hear the same again.
    lacks_room(&mut core, now, "c");
    lacks_room(&mut core, now, "b");
    assert!(in_making(&core).is_empty());
    let due = core.next_deadline().wall.unwrap();
    assert!(due <= now.wall.plus(1000), "{due:?}: {:?}", core.outstanding());
    now.wall = due;
    core.step(now, [Input::Tick]).unwrap();
    assert_eq!(in_making(&core).len(), 1, "one is tried, the other waits for what it is told");
    let mut log = Vec::new();
    drive(&mut core, &mut world, vec![Input::Tick], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    assert_eq!(world.started.len(), 3);
}
