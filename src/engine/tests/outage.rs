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
