//! Runs that are taken up after a while, or on another boot of the machine.

use super::*;
use crate::event::StopReason;

const HOUR: u64 = 3_600_000;

/// A run whose one attempt's process began at `mono` and was left alone then.
fn left_at(mono: u64) -> (Arc<Plan>, Vec<Envelope>, Effect) {
    let plan = one_lane(MergePolicy::Review, &["t"]).plan();
    let (mut core, mut world, mut log) = (Core::new(Arc::clone(&plan)), world(&[]), Vec::new());
    let now = Now { wall: Timestamp(1_000_000), mono };
    log.extend(core.step(now, begin()).unwrap());
    loop {
        let effect = core.outstanding().values().next().expect("something is to be done").clone();
        let Report { id, mut facts, end } = world.answer(&core, &effect);
        if !matches!(effect, Effect::Attempt { .. }) {
            log.extend(core.step(now, [Input::Report(Report { id, facts, end })]).unwrap());
            continue;
        }
        facts.truncate(1);
        if let Event::ProcessStarted(started) = &mut facts[0].event {
            started.mono = mono;
        }
        log.extend(core.step(now, [Input::Report(Report { id, facts, end: None })]).unwrap());
        return (plan, log, effect);
    }
}

fn taken_up(plan: &Arc<Plan>, log: &[Envelope], now: Now) -> (Core, Vec<Envelope>) {
    let mut core = Core::new(Arc::clone(plan));
    for envelope in log {
        core.replay(envelope).unwrap();
    }
    core.recount();
    let events = core.step(now, [attach()]).unwrap();
    (core, events)
}

fn stops(events: &[Envelope]) -> usize {
    let stop = |e: &&Envelope| {
        matches!(&e.event, Event::EffectIntended(i)
            if matches!(i.effect, Effect::Stop { reason: StopReason::TimedOut, .. }))
    };
    events.iter().filter(stop).count()
}

#[test]
fn p23_an_attempt_whose_time_passed_while_nobody_carried_it_is_looked_at_first() {
    // The plan gives it a minute; the next orchestrator comes hours later, on this boot or on one that is longer up.
    let (plan, log, effect) = left_at(1000);
    let now = Now { wall: Timestamp(1_000_000), mono: 5 * HOUR };
    let (mut core, events) = taken_up(&plan, &log, now);
    assert_eq!(stops(&events), 0, "{events:#?}");
    let report = world(&[]).answer(&core, &effect);
    let mut log = Vec::new();
    drive(&mut core, &mut world(&[]), vec![Input::Report(report)], &mut log);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Merged);
    assert_eq!(core.state().tasks[0].attempts.len(), 1);
}

#[test]
fn p23_an_attempt_that_still_lives_after_its_time_is_stopped_soon() {
    let (plan, log, _) = left_at(1000);
    let (mut core, _) = taken_up(&plan, &log, Now { wall: Timestamp(1_000_000), mono: 5 * HOUR });
    let due = core.next_deadline().mono.expect("it is not left alone for good");
    assert!(due > 5 * HOUR && due < 5 * HOUR + 60_000, "{due}");
    let events = core.step(Now { wall: Timestamp(1_000_000), mono: due }, [Input::Tick]).unwrap();
    assert_eq!(stops(&events), 1, "{events:#?}");
}

#[test]
fn p23_an_attempt_that_was_taken_up_in_time_has_the_rest_of_it() {
    let (plan, log, _) = left_at(1000);
    let (core, _) = taken_up(&plan, &log, Now { wall: Timestamp(1_000_000), mono: 11_000 });
    assert_eq!(core.next_deadline().mono, Some(61_000));
}
