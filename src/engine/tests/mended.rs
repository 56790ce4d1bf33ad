//! Defects that a review found, and that stay mended.

use super::*;

/// Answers what is outstanding until only what is held back is left.
pub(super) fn pump(core: &mut Core, world: &mut World, log: &mut Vec<Envelope>, held: &[&str]) {
    loop {
        assert!(log.len() < 5000, "it never comes to rest");
        let free = |e: &&Effect| !held.iter().any(|h| e.id().0.starts_with(h));
        let Some(effect) = core.outstanding().values().find(free).cloned() else { return };
        let report = world.answer(core, &effect);
        log.extend(core.step(Now::default(), [Input::Report(report)]).unwrap());
    }
}

pub(super) fn tell(core: &mut Core, log: &mut Vec<Envelope>, input: Input) {
    log.extend(core.step(Now::default(), [input]).unwrap());
}

pub(super) fn lane(id: &str) -> LaneId {
    LaneId::new(id).unwrap()
}

pub(super) fn merge(id: &str) -> Input {
    control(id, ControlVerb::Merge { lane: lane(id), sha: None })
}

fn tasks(ids: &[&str]) -> Vec<TaskId> {
    ids.iter().map(|t| TaskId::new(t).unwrap()).collect()
}

fn command(plan: &mut Plan, task: &str) {
    let task = plan.tasks.iter_mut().find(|t| t.id.as_str() == task).unwrap();
    task.work = Work::Run { command: Command::Shell("true".into()) };
}

/// `b` stands on `a`.
pub(super) fn pair(a: MergePolicy, b: MergePolicy, handoff: Handoff) -> Draw {
    Draw {
        lanes: vec![("a", a), ("b", b)],
        tasks: vec![("a1", "a", vec![]), ("b1", "b", vec!["a1"])],
        handoff,
        attempts: 2,
    }
}

pub(super) fn intended<'a>(log: &'a [Envelope], which: impl Fn(&Effect) -> bool + 'a) -> Vec<&'a Effect> {
    let effect = |e: &'a Envelope| match &e.event {
        Event::EffectIntended(i) => Some(&i.effect),
        _ => None,
    };
    log.iter().filter_map(effect).filter(|e| which(e)).collect()
}

#[test]
fn ar21_a_landing_is_taken_in_although_the_lane_was_merged_while_its_tip_was() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(&[]), Vec::new());
    log.extend(core.step(Now::default(), begin()).unwrap());
    pump(&mut core, &mut world, &mut log, &["sync/b"]);
    assert!(core.outstanding().values().any(|e| matches!(e, Effect::Sync { .. })), "b takes in a's tip");
    tell(&mut core, &mut log, merge("a"));
    pump(&mut core, &mut world, &mut log, &["sync/b"]);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Merged);
    pump(&mut core, &mut world, &mut log, &[]);
    let landing = |e: &Effect| matches!(e, Effect::Sync { from, .. } if from.iter().any(|s| matches!(s, SyncSource::Landing { .. })));
    assert_eq!(intended(&log, landing).len(), 1, "{:?}", core.state().lanes[1].landed);
}

#[test]
fn ar21_a_conflict_is_resolved_although_a_command_that_needs_the_same_stands_first() {
    let mut draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    draw.tasks.push(("b2", "b", vec!["a1"]));
    let mut plan = (*draw.plan()).clone();
    command(&mut plan, "b1");
    let (mut core, mut world, mut log) = (Core::new(Arc::new(plan)), world(&[]), Vec::new());
    world.refuses = Some((|e| matches!(e, Effect::Sync { .. }), FailureKind::Conflict));
    drive(&mut core, &mut world, begin(), &mut log);
    assert_ne!(
        core.state().run.status,
        Some(RunStatus::Running),
        "nothing is under way: {:?}",
        statuses(&core)
    );
}

#[test]
fn ar21_a_target_that_moved_into_a_conflict_that_nobody_can_resolve_lets_the_run_rest() {
    let mut plan = (*one_lane(MergePolicy::Auto, &["t"]).plan()).clone();
    command(&mut plan, "t");
    let (mut core, mut world, mut log) = (Core::new(Arc::new(plan)), world(&[]), Vec::new());
    let both: Which = |e| matches!(e, Effect::MergePr { .. } | Effect::Sync { .. });
    world.refuses = Some((both, FailureKind::Conflict));
    drive(&mut core, &mut world, begin(), &mut log);
}

#[test]
fn ar21_a_pull_request_that_cannot_be_retargeted_lets_the_run_rest() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let mut plan = (*draw.plan()).clone();
    command(&mut plan, "b1");
    let (mut core, mut world, mut log) = (Core::new(Arc::new(plan)), world(&[]), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    let both: Which = |e| matches!(e, Effect::OpenPr { .. } | Effect::Sync { .. });
    world.refuses = Some((both, FailureKind::Conflict));
    drive(&mut core, &mut world, vec![merge("a")], &mut log);
}

#[test]
fn ar21_a_lane_is_not_merged_as_long_as_its_work_is_only_in_its_upstreams_branch() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let b = &core.state().lanes[1];
    assert_eq!(b.pr.as_ref().unwrap().base, "laneway/g/a/integration");
    let event = PrMerged { commit: sha(78), by: "ann".into(), head: None };
    let news = Input::News { facts: vec![Draft::world(Subject::lane(&lane("b")), event)], problem: None };
    drive(&mut core, &mut world, vec![news], &mut log);
    let (_, lanes, _) = statuses(&core);
    assert_ne!(lanes, [LaneStatus::PrCreated, LaneStatus::Merged], "nothing of it is in the target");
}

#[test]
fn ar21_a_pull_request_that_does_not_go_to_its_target_is_not_merged() {
    let draw = pair(MergePolicy::Review, MergePolicy::Auto, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    world.refuses = Some((|e| matches!(e, Effect::OpenPr { .. }), FailureKind::Refused));
    drive(&mut core, &mut world, vec![merge("a")], &mut log);
    let merges = intended(&log, |e| matches!(e, Effect::MergePr { lane, .. } if lane.as_str() == "b"));
    assert!(
        merges.is_empty(),
        "its pull request goes to {:?}",
        core.state().lanes[1].pr.as_ref().map(|p| &p.base)
    );
}

#[test]
fn ar23_a_retry_by_name_revives_the_lanes_that_hold_the_nested_one() {
    let script = [("d1", 1, Outcome::Silent), ("d1", 2, Outcome::Silent)];
    let (mut core, mut log) = (Core::new(nest(MergePolicy::Auto)), Vec::new());
    drive(&mut core, &mut world(&script), begin(), &mut log);
    let retry = control("r", ControlVerb::Retry { tasks: tasks(&["d1"]) });
    drive(&mut core, &mut world(&[]), vec![retry], &mut log);
    assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged), "{:?}", statuses(&core));
}

#[test]
fn ar22_a_parent_goes_on_without_a_nested_lane_that_is_skipped() {
    let script = [("d1", 1, Outcome::Silent), ("d1", 2, Outcome::Silent)];
    let (mut core, mut log) = (Core::new(nest(MergePolicy::Auto)), Vec::new());
    drive(&mut core, &mut world(&script), begin(), &mut log);
    let skip = control("s", ControlVerb::Skip { tasks: tasks(&["d1"]) });
    drive(&mut core, &mut world(&[]), vec![skip], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
}

#[test]
fn ar23_what_is_retried_after_a_skip_is_waited_for_again() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Merged);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let close = ControlVerb::Review { lane: lane("a"), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    let asked = vec![
        control("p", ControlVerb::Pause),
        control("s", ControlVerb::Skip { tasks: tasks(&["a1"]) }),
        control("r", ControlVerb::Retry { tasks: tasks(&["a1"]) }),
        control("q", ControlVerb::Resume),
    ];
    drive(&mut core, &mut world, asked, &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::PrCreated, "{:?}", statuses(&core));
    assert!(world.started.iter().all(|(t, _)| t != "b1"), "b1 began without the work that it needs");
}

#[test]
fn ar22_a_skip_leaves_a_pull_request_closed() {
    let (mut core, mut world, mut log) = run(&one_lane(MergePolicy::Review, &["t1", "t2"]), &[]);
    let close = ControlVerb::Review { lane: lane("a"), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed);
    drive(&mut core, &mut world, vec![control("s", ControlVerb::Skip { tasks: tasks(&["t1"]) })], &mut log);
    assert_eq!(
        core.state().lanes[0].status,
        LaneStatus::Failed,
        "one that failed by itself stays where it is"
    );
}

#[test]
fn ar23_a_closed_lane_whose_work_another_holds_is_not_gone_on_without() {
    let (mut core, mut world, mut log) =
        run(&pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready), &[]);
    let close = ControlVerb::Review { lane: lane("a"), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed);
    drive(&mut core, &mut world, vec![control("s", ControlVerb::Skip { tasks: tasks(&["a1"]) })], &mut log);
    assert!(!core.state().tasks[0].set_aside);
    let refused = log.iter().find_map(|e| match &e.event {
        Event::ControlRejected(event) => Some(event.reason.as_str()),
        _ => None,
    });
    assert!(refused.is_some_and(|why| why.contains("lane `b` holds its work")), "{refused:?}");
}

#[test]
fn ar21_a_look_for_a_nested_lanes_work_does_not_set_its_parent_back() {
    let mut draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    draw.tasks[1].2.clear();
    draw.tasks.push(("a2", "a", vec!["a1"]));
    let (mut core, mut world, mut log) = (Core::new(draw.nested(&[("b", "a")])), world(&[]), Vec::new());
    log.extend(core.step(Now::default(), begin()).unwrap());
    pump(&mut core, &mut world, &mut log, &["attempt/a2"]);
    assert_eq!(core.state().lanes[1].status, LaneStatus::PrCreated);
    let before = core.state().lanes[0].tip.clone().unwrap();
    let source = Source { path: "lanes/b/merged".into(), digest: "x".into() };
    let touch =
        Input::StatusTouched { lane: lane("b"), status: LaneStatus::Merged, text: "by hand".into(), source };
    tell(&mut core, &mut log, touch);
    let look = core.outstanding().values().find(|e| matches!(e, Effect::CheckMerged { .. })).unwrap().id();
    // It has looked at the parent's branch; before it can say so, the parent's task lands.
    pump(&mut core, &mut world, &mut log, &["check-merged", &look.0]);
    let landed = core.state().lanes[0].tip.clone();
    if core.outstanding().contains_key(&look) {
        let fact = Draft::world(
            Subject::lane(&lane("b")),
            PrMerged { commit: before.clone(), by: "x".into(), head: None },
        );
        tell(&mut core, &mut log, Input::Report(Report { id: look, facts: vec![fact], end: Some(Ok(())) }));
    }
    assert_eq!(core.state().lanes[0].tip, landed);
}

#[test]
fn ar21_an_upstream_branch_stays_while_an_open_pull_request_is_stacked_on_it() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let source = Source { path: "lanes/b/failed".into(), digest: "x".into() };
    let touch =
        Input::StatusTouched { lane: lane("b"), status: LaneStatus::Failed, text: "no".into(), source };
    drive(&mut core, &mut world, vec![touch], &mut log);
    drive(&mut core, &mut world, vec![merge("a")], &mut log);
    let pr = core.state().lanes[1].pr.as_ref().unwrap();
    let gone = !intended(&log, |e| matches!(e, Effect::Teardown { .. })).is_empty();
    assert!(!gone || pr.base == "main", "the base of pull request {} is gone: {}", pr.at.number, pr.base);
}

#[test]
fn ar21_a_lane_with_nested_work_is_not_merged_before_the_lane_that_holds_the_nest() {
    let draw = Draw {
        lanes: vec![("a", MergePolicy::Review), ("b", MergePolicy::Auto), ("e", MergePolicy::Auto)],
        tasks: vec![("a1", "a", vec![]), ("b1", "b", vec!["a1"]), ("e1", "e", vec!["b1"])],
        handoff: Handoff::Merged,
        attempts: 2,
    };
    let (mut core, mut log) = (Core::new(draw.nested(&[("b", "a")])), Vec::new());
    drive(&mut core, &mut world(&[]), begin(), &mut log);
    let (_, lanes, _) = statuses(&core);
    assert_eq!(lanes[..2], [LaneStatus::PrCreated, LaneStatus::Merged]);
    assert_ne!(lanes[2], LaneStatus::Merged, "the target has `a`'s work, and nobody merged it");
}

/// `c` has no task of its own and is nested in `a`; `d` is nested in `c`.
fn holder(merge: MergePolicy) -> Arc<Plan> {
    let draw = Draw {
        lanes: vec![("a", merge), ("c", MergePolicy::Review), ("d", MergePolicy::Review)],
        tasks: vec![("a1", "a", vec![]), ("d1", "d", vec![])],
        handoff: Handoff::Ready,
        attempts: 2,
    };
    draw.nested(&[("c", "a"), ("d", "c")])
}

#[test]
fn ar21_a_parent_waits_for_a_nested_lane_that_only_holds_others() {
    let (mut core, mut log) = (Core::new(holder(MergePolicy::Auto)), Vec::new());
    drive(&mut core, &mut world(&[]), begin(), &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Active, "{:?}", statuses(&core));
}

#[test]
fn ar22_a_run_whose_holding_lane_failed_is_not_completed() {
    let mut draw = pair(MergePolicy::Review, MergePolicy::Auto, Handoff::Ready);
    draw.tasks.remove(0);
    draw.tasks[0].2.clear();
    let (mut core, mut world, mut log) = (Core::new(draw.nested(&[("b", "a")])), world(&[]), Vec::new());
    log.extend(core.step(Now::default(), begin()).unwrap());
    pump(&mut core, &mut world, &mut log, &["prove/a"]);
    assert_eq!(statuses(&core).1, [LaneStatus::PrCreated, LaneStatus::Merged]);
    let event = PrClosed { by: "ann".into() };
    let facts = vec![Draft::world(Subject::lane(&lane("a")), event)];
    tell(&mut core, &mut log, Input::News { facts, problem: None });
    pump(&mut core, &mut world, &mut log, &[]);
    let (run, lanes, _) = statuses(&core);
    assert_eq!((run, lanes[0]), (Some(RunStatus::Failed), LaneStatus::Failed));
}

#[test]
fn ar21_a_lane_whose_older_tip_was_merged_is_not_merged_with_its_newer_one() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let landing: Which =
        |e| matches!(e, Effect::Sync { from, .. } if matches!(from[..], [SyncSource::Landing { .. }]));
    world.refuses = Some((landing, FailureKind::Conflict));
    let mut now = core.step(Now::default(), [merge("a")]).unwrap();
    log.append(&mut now);
    // Its agent resolves the conflict; what it made cannot be shown on the pull request.
    pump(&mut core, &mut world, &mut log, &["open-pr/b"]);
    world.refuses = Some((|e| matches!(e, Effect::OpenPr { .. }), FailureKind::Refused));
    pump(&mut core, &mut world, &mut log, &[]);
    let b = &core.state().lanes[1];
    assert_eq!(core.state().tasks[1].attempts.len(), 2);
    assert!(b.pr.as_ref().is_some_and(|pr| Some(&pr.tip) != b.tip.as_ref()), "it shows an older tip");
    let event = PrMerged { commit: sha(78), by: "ann".into(), head: None };
    let news = Input::News { facts: vec![Draft::world(Subject::lane(&lane("b")), event)], problem: None };
    drive(&mut core, &mut world, vec![news], &mut log);
    let removed = intended(&log, |e| matches!(e, Effect::Teardown { lane, .. } if lane.as_str() == "b"));
    assert!(removed.is_empty(), "{:?}", statuses(&core));
}

#[test]
fn ar21_a_merge_of_what_was_just_shown_counts_for_the_whole_lane_whoever_is_heard_first() {
    for whole in [true, false] {
        let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
        let (mut core, mut world, mut log) = run(&draw, &[]);
        let before = core.state().lanes[1].tip.clone();
        let mut now = core.step(Now::default(), [merge("a")]).unwrap();
        log.append(&mut now);
        pump(&mut core, &mut world, &mut log, &["open-pr/b"]);
        let tip = core.state().lanes[1].tip.clone();
        assert_ne!(tip, before, "it has taken in the landing");
        let b = &core.state().lanes[1];
        assert!(b.pr.as_ref().is_some_and(|pr| Some(&pr.tip) != tip.as_ref()), "that is not shown yet");
        // It goes to the target by now, and was merged there.
        let shown = PrUpdated {
            pr: b.pr.as_ref().unwrap().at.clone(),
            tip: before.clone().unwrap(),
            base: "main".into(),
            draft: false,
        };
        let head = if whole { tip } else { before };
        let merged = PrMerged { commit: sha(78), by: "ann".into(), head };
        let at = || Subject::lane(&lane("b"));
        let id = core.outstanding().keys().find(|id| id.0.starts_with("open-pr/b")).unwrap().clone();
        let facts = vec![Draft::world(at(), shown)];
        tell(&mut core, &mut log, Input::Report(Report { id, facts, end: None }));
        let facts = vec![Draft::world(at(), merged)];
        tell(&mut core, &mut log, Input::News { facts, problem: None });
        assert_eq!(core.state().lanes[1].parts.len(), usize::from(!whole));
    }
}

#[test]
fn ar21_a_request_that_waits_is_answered_when_its_lane_ends() {
    let (mut core, mut world, mut log) = run(&one_lane(MergePolicy::Review, &["t"]), &[]);
    let second = control("second", ControlVerb::Merge { lane: lane("a"), sha: None });
    drive(&mut core, &mut world, vec![merge("a"), second], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Merged);
    assert!(core.state().lanes[0].requests.is_empty(), "{:?}", core.state().lanes[0].requests);
}

#[test]
fn ar09_a_concern_of_a_late_iteration_is_taken_although_earlier_ones_still_stand_there() {
    let mut plan = (*one_lane(MergePolicy::Auto, &["t"]).plan()).clone();
    let Work::Agent { by, .. } = &mut plan.tasks[0].work else { panic!("an agent works on it") };
    by.repeat = Some(graph::Loop { max_iterations: 40, tracker: None });
    let (mut core, mut world) = (Core::new(Arc::new(plan)), world(&[("t", 1, Outcome::LoopsUntil(40))]));
    core.step(Now::default(), begin()).unwrap();
    while let Some(effect) = core.outstanding().values().next().cloned() {
        let mut report = world.answer(&core, &effect);
        if let Effect::Attempt { iteration, .. } = effect {
            // What stands in the attempt's directory when a process ends is reported whole.
            let at = report.facts[0].subject.clone();
            let concern = |n: u32| Draft {
                source: Some(Source { path: format!("concerns/{n}"), digest: n.to_string() }),
                ..Draft::world(
                    at.clone(),
                    SignalObserved { signal: SignalKind::Concern, text: format!("concern {n}") },
                )
            };
            let stand = if iteration < 30 { 0..10 } else { 0..11 };
            report.facts.splice(1..1, stand.map(concern));
        }
        core.step(Now::default(), [Input::Report(report)]).unwrap();
    }
    let texts: Vec<&str> = core.state().lanes[0].concerns.iter().map(|c| c.text.as_str()).collect();
    assert!(
        texts.contains(&"concern 10"),
        "{texts:?}; rejected: {:?}",
        core.state().tasks[0].attempts[0].rejected
    );
}

#[test]
fn ar21_a_run_with_a_task_that_waits_to_be_started_is_not_completed() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    world.refuses = Some((|e| matches!(e, Effect::Sync { .. }), FailureKind::Conflict));
    // As `laneway pr merge` does it where no orchestrator lives.
    let attach = ControlVerb::Attach { pid: 2, boot_id: "b".into(), attempts: false };
    drive(&mut core, &mut world, vec![control("attach-2", attach), merge("a")], &mut log);
    assert_eq!(statuses(&core).2, [TaskStatus::Merged, TaskStatus::Pending]);
    assert_ne!(core.state().run.status, Some(RunStatus::Completed), "b1 waits to be started");
}

#[test]
fn ar23_a_retry_in_a_living_lane_does_not_open_a_pull_request_again_that_is_closed_later() {
    let mut draw = one_lane(MergePolicy::Review, &["t1", "t2"]);
    draw.attempts = 1;
    let (mut core, mut log) = (Core::new(draw.plan()), Vec::new());
    let mut world = world(&[("t1", 1, Outcome::Silent)]);
    log.extend(core.step(Now::default(), begin()).unwrap());
    pump(&mut core, &mut world, &mut log, &["attempt/t2"]);
    assert_eq!(statuses(&core).2, [TaskStatus::Failed, TaskStatus::Running]);
    tell(&mut core, &mut log, control("r", ControlVerb::Retry { tasks: tasks(&["t1"]) }));
    pump(&mut core, &mut world, &mut log, &[]);
    assert_eq!(core.state().lanes[0].status, LaneStatus::PrCreated, "{:?}", statuses(&core));
    let close = ControlVerb::Review { lane: lane("a"), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed, "a person closed its pull request");
}

#[test]
fn ar25_a_task_that_resolved_a_conflict_does_not_take_what_it_was_merged_with_along() {
    let draw = pair(MergePolicy::Review, MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    world.refuses = Some((
        |e| matches!(e, Effect::Sync { from, .. } if matches!(from[..], [SyncSource::Landing { .. }])),
        FailureKind::Conflict,
    ));
    drive(&mut core, &mut world, vec![merge("a")], &mut log);
    let resolver = &core.state().tasks[1];
    assert!(resolver.attempts.len() == 2 && resolver.attempts[1].landing.is_some(), "{:?}", statuses(&core));
    let refused = core.state().undo(&UndoTarget::Task(core.plan().tasks[1].id.clone()));
    assert!(matches!(refused, Err(crate::state::UndoRefusal::Resolved { .. })), "{refused:?}");
    let whole = core.state().undo(&UndoTarget::Lane(lane("b"))).unwrap();
    assert_eq!(whole.lanes[0].undo, LaneUndo::Remove);
}
