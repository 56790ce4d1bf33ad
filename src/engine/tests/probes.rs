//! When lanes are compared with each other.

use super::*;

/// What moved, and what is gone.
type Asked = (Vec<(LaneId, Sha)>, Vec<LaneId>);

fn probes(log: &[Envelope]) -> Vec<Asked> {
    let of = |envelope: &Envelope| match &envelope.event {
        Event::EffectIntended(event) => match &event.effect {
            Effect::Probe { moved, gone, .. } => Some((moved.clone(), gone.clone())),
            _ => None,
        },
        _ => None,
    };
    log.iter().filter_map(of).collect()
}

fn two(merge: MergePolicy) -> Draw {
    Draw {
        lanes: vec![("a", merge), ("b", merge)],
        tasks: vec![("a1", "a", vec![]), ("b1", "b", vec![]), ("b2", "b", vec!["b1"])],
        handoff: Handoff::Ready,
        attempts: 1,
    }
}

#[test]
fn p17_every_place_where_a_lane_comes_to_stand_is_compared_and_one_probe_is_under_way_at_a_time() {
    let (core, _, log) = run(&two(MergePolicy::Review), &[]);
    let all = probes(&log);
    for (ix, lane) in core.state().lanes.iter().enumerate() {
        let stands = (core.plan().lanes[ix].id.clone(), lane.tip.clone().unwrap());
        assert!(all.iter().any(|(moved, _)| moved.contains(&stands)), "{stands:?} in {all:?}");
    }
    let mut under_way = 0_i32;
    for envelope in &log {
        match &envelope.event {
            Event::EffectIntended(e) if matches!(e.effect, Effect::Probe { .. }) => under_way += 1,
            Event::EffectConfirmed(e) if e.id.0.starts_with("probe/") => under_way -= 1,
            _ => {}
        }
        assert!((0..2).contains(&under_way));
    }
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
}

#[test]
fn p17_a_lane_that_is_merged_is_out_of_the_question_and_a_single_lane_meets_nobody() {
    let (mut core, mut world, mut log) = run(&two(MergePolicy::Review), &[]);
    let lane = core.plan().lanes[0].id.clone();
    let merge = ControlVerb::Merge { lane: lane.clone(), sha: None };
    drive(&mut core, &mut world, vec![control("merge", merge)], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Merged);
    assert_eq!(probes(&log).last().unwrap().1, [lane]);
    let mut alone = two(MergePolicy::Review);
    alone.lanes.remove(0);
    alone.tasks.remove(0);
    let (_, _, log) = run(&alone, &[]);
    assert!(probes(&log).is_empty());
}

#[test]
fn p17_a_probe_that_fails_stops_nothing() {
    let (mut core, mut world, mut log) = (Core::new(two(MergePolicy::Review).plan()), world(&[]), Vec::new());
    world.refuses = Some((|e| matches!(e, Effect::Probe { .. }), FailureKind::Permanent));
    drive(&mut core, &mut world, begin(), &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    assert!(!probes(&log).is_empty());
}
