//! Lanes that hold, nest in and wait for each other.

use super::*;

fn bases(core: &Core) -> Vec<(String, bool)> {
    let pr = |l: &crate::state::Lane| l.pr.as_ref().map(|pr| (pr.base.clone(), pr.draft)).unwrap_or_default();
    core.state().lanes.iter().map(pr).collect()
}

#[test]
fn ar21_a_diamond_merges_itself_in_both_handoffs() {
    for handoff in [Handoff::Ready, Handoff::Merged] {
        let (core, _, log) = run(&diamond(MergePolicy::Auto, handoff), &[]);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed));
        assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged));
        assert_eq!(log.iter().filter(|e| e.event.kind() == "workflow.end").count(), 1);
    }
}

#[test]
fn ar21_a_lane_that_waits_for_a_merge_is_blocked_and_goes_on_after_it() {
    let draw = diamond(MergePolicy::Review, Handoff::Merged);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Blocked));
    let lane = LaneId::new("a").unwrap();
    drive(&mut core, &mut world, vec![control("m", ControlVerb::Merge { lane, sha: None })], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Merged);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated, "b went on by itself");
}

#[test]
fn ar21_a_lane_never_merges_before_the_one_it_holds() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    let lane = LaneId::new("b").unwrap();
    drive(&mut core, &mut world, vec![control("m", ControlVerb::Merge { lane, sha: None })], &mut log);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated);
    assert!(core.state().lanes[1].requests.is_empty());
    assert!(log.iter().any(|e| e.event.kind() == "control.rejected"));
}

#[test]
fn ar21_pull_requests_are_stacked_and_retargeted_as_their_upstream_lands() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let main = || ("main".to_owned(), false);
    let on = |lane: &str| (format!("laneway/g/{lane}/integration"), false);
    let draft = || ("main".to_owned(), true);
    assert_eq!(bases(&core), [main(), on("a"), on("a"), draft()]);
    let stages = [("a", [main(), main(), main(), draft()]), ("b", [main(), main(), main(), draft()])];
    for (lane, expected) in stages {
        let verb = ControlVerb::Merge { lane: LaneId::new(lane).unwrap(), sha: None };
        drive(&mut core, &mut world, vec![control(lane, verb)], &mut log);
        assert_eq!(bases(&core), expected, "after {lane}");
    }
    assert!(core.state().lanes[1].landed.contains(&0) && core.state().lanes[3].landed.contains(&1));
    for lane in ["c", "d"] {
        let verb = ControlVerb::Merge { lane: LaneId::new(lane).unwrap(), sha: None };
        drive(&mut core, &mut world, vec![control(lane, verb)], &mut log);
    }
    assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged), "{:?}", statuses(&core));
    let at = |what: &str| {
        log.iter().position(|e| matches!(&e.event, Event::EffectIntended(i) if i.id.0.starts_with(what)))
    };
    assert!(
        at("open-pr/b/").is_some() && at("sync/b/2") < at("teardown/a/"),
        "retargeted before the branch goes"
    );
}

#[test]
fn ar21_a_landing_that_conflicts_goes_to_the_task_that_was_last_at_work() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let started = world.started.len();
    let landing: Which = |e| {
        matches!(e, Effect::Sync { lane, from, .. } if lane.as_str() == "b"
            && matches!(from[..], [SyncSource::Landing { .. }]))
    };
    world.refuses = Some((landing, FailureKind::Conflict));
    let verb = ControlVerb::Merge { lane: LaneId::new("a").unwrap(), sha: None };
    drive(&mut core, &mut world, vec![control("m", verb)], &mut log);
    assert_eq!(world.started[started..], [("b1".to_owned(), 2)], "{:?}", statuses(&core));
    let b = &core.state().lanes[1];
    assert_eq!((b.status, b.landed.len()), (LaneStatus::PrCreated, 1));
    assert_eq!(b.pr.as_ref().map(|pr| (&pr.tip, pr.base.as_str())), b.tip.as_ref().map(|t| (t, "main")));
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
}

#[test]
fn ar21_a_parent_fails_with_what_is_nested_in_it_and_a_retry_revives_both() {
    let plan = nest(MergePolicy::Auto);
    let script = [("d1", 1, Outcome::Silent), ("d1", 2, Outcome::Silent)];
    let (mut core, mut log) = (Core::new(plan), Vec::new());
    drive(&mut core, &mut world(&script), begin(), &mut log);
    let (run, lanes, _) = statuses(&core);
    assert_eq!(run, Some(RunStatus::Failed));
    assert_eq!(lanes, [LaneStatus::Failed, LaneStatus::Merged, LaneStatus::Failed, LaneStatus::Failed]);
    drive(&mut core, &mut world(&[]), vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged), "{:?}", statuses(&core));
}

#[test]
fn ar21_a_run_goes_on_without_a_lane_whose_pull_request_was_closed() {
    let draw = diamond(MergePolicy::Review, Handoff::Merged);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let lane = || LaneId::new("a").unwrap();
    let close = ControlVerb::Review { lane: lane(), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed, "{:?}", statuses(&core));
    assert_eq!(core.state().tasks[1].status, TaskStatus::Skipped);
    let why = core.state().tasks[1].reason.clone().unwrap();
    assert!(why.contains("lane `a` failed"), "{why}");
    let skip = ControlVerb::Skip { tasks: vec![TaskId::new("a1").unwrap()] };
    drive(&mut core, &mut world, vec![control("s", skip)], &mut log);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated, "{:?}", statuses(&core));
    assert!(core.state().lanes[1].contains.is_empty(), "without its work");
    for lane in ["b", "c", "d"] {
        let verb = ControlVerb::Merge { lane: LaneId::new(lane).unwrap(), sha: None };
        drive(&mut core, &mut world, vec![control(lane, verb)], &mut log);
    }
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
}
