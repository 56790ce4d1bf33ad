//! What the simulator found (`tests/simulate`), each as a run of its own.

use super::*;

fn lane(name: &str) -> LaneId {
    LaneId::new(name).unwrap()
}

fn id(name: &str) -> TaskId {
    TaskId::new(name).unwrap()
}

fn one(tasks: &[&'static str]) -> Draw {
    Draw {
        lanes: vec![("a", MergePolicy::Review)],
        tasks: tasks.iter().map(|t| (*t, "a", vec![])).collect(),
        handoff: Handoff::Ready,
        attempts: 1,
    }
}

fn retry() -> Input {
    control("retry", ControlVerb::Retry { tasks: vec![] })
}

/// Answers what is outstanding, but nothing whose name begins with one of `held`.
fn answer_all_but(core: &mut Core, world: &mut World, held: &[&str]) {
    let free = |core: &Core| {
        core.outstanding().values().find(|e| !held.iter().any(|h| e.id().0.starts_with(h))).cloned()
    };
    for _ in 0..200 {
        let Some(effect) = free(core) else { return };
        let report = world.answer(core, &effect);
        core.step(Now::default(), [Input::Report(report)]).unwrap();
    }
    panic!("it never comes to rest");
}

fn lane_of(core: &Core, name: &str) -> LaneStatus {
    core.state().lanes[core.state().index().lane(&lane(name)).unwrap()].status
}

#[test]
fn ar23_a_lane_that_was_said_to_have_failed_can_be_tried_again() {
    let (mut core, mut world, mut log) = (Core::new(one(&["t"]).plan()), world(&[]), Vec::new());
    core.step(Now::default(), begin()).unwrap();
    let source = Source { path: "lanes/a/failed".into(), digest: "x".into() };
    let touch =
        Input::StatusTouched { lane: lane("a"), status: LaneStatus::Failed, text: "no".into(), source };
    drive(&mut core, &mut world, vec![touch], &mut log);
    assert_eq!(lane_of(&core, "a"), LaneStatus::Failed);
    drive(&mut core, &mut world, vec![retry()], &mut log);
    assert_eq!(lane_of(&core, "a"), LaneStatus::PrCreated);
}

#[test]
fn ar23_a_finished_lane_whose_worktree_is_gone_gets_its_pull_request_back() {
    let mut plan = (*one(&["t"]).plan()).clone();
    plan.lanes[0].teardown = Teardown::Always;
    let (mut core, mut world, mut log) = (Core::new(Arc::new(plan)), world(&[]), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    let close = ControlVerb::Review { lane: lane("a"), act: ReviewAct::Close, text: String::new() };
    drive(&mut core, &mut world, vec![control("close", close)], &mut log);
    assert_eq!((lane_of(&core, "a"), &core.state().lanes[0].worktree), (LaneStatus::Failed, &None));
    let before = log.len();
    drive(&mut core, &mut world, vec![retry()], &mut log);
    // The scripted world makes every lane at its base, so that nothing of this one is left to show.
    let made = log[before..].iter().any(|e| matches!(&e.event, Event::LaneProvisioned(_)));
    assert_eq!((made, lane_of(&core, "a")), (true, LaneStatus::Merged));
}

#[test]
fn ar22_a_lane_nested_in_one_that_could_not_be_made_fails_with_it() {
    let mut draw = one(&[]);
    draw.lanes.push(("b", MergePolicy::Review));
    draw.tasks.push(("t", "b", vec![]));
    let (mut core, mut world, mut log) = (Core::new(draw.nested(&[("b", "a")])), world(&[]), Vec::new());
    world.refuses = Some((|e| matches!(e, Effect::Provision { .. }), FailureKind::Permanent));
    drive(&mut core, &mut world, begin(), &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Failed));
    world.refuses = None;
    drive(&mut core, &mut world, vec![retry()], &mut log);
    assert_eq!(lane_of(&core, "b"), LaneStatus::PrCreated);
}

#[test]
fn ar23_a_task_that_its_lane_went_on_without_is_done_after_all() {
    let script = [("t1", 1, Outcome::Silent)];
    let (mut core, mut world, mut log) = run(&one(&["t1", "t2"]), &script);
    let skip = control("skip", ControlVerb::Skip { tasks: vec![id("t1")] });
    drive(&mut core, &mut world, vec![skip], &mut log);
    assert_eq!(lane_of(&core, "a"), LaneStatus::PrCreated);
    drive(&mut core, &mut world, vec![retry()], &mut log);
    let (_, lanes, tasks) = statuses(&core);
    assert_eq!((lanes, tasks), (vec![LaneStatus::PrCreated], vec![TaskStatus::Merged; 2]));
}

#[test]
fn ar23_a_task_of_a_merged_lane_is_not_tried_again() {
    let script = [("t1", 1, Outcome::Silent)];
    let (mut core, mut world, mut log) = run(&one(&["t1", "t2"]), &script);
    let skip = control("skip", ControlVerb::Skip { tasks: vec![id("t1")] });
    let merge = control("merge", ControlVerb::Merge { lane: lane("a"), sha: None });
    drive(&mut core, &mut world, vec![skip], &mut log);
    drive(&mut core, &mut world, vec![merge], &mut log);
    drive(&mut core, &mut world, vec![retry()], &mut log);
    assert_eq!(
        (core.state().run.status, lane_of(&core, "a")),
        (Some(RunStatus::Completed), LaneStatus::Merged)
    );
}

#[test]
fn ar21_a_draft_is_one_no_more_when_the_nest_that_it_builds_on_has_landed() {
    let draw = Draw {
        lanes: vec![("a", MergePolicy::Review), ("b", MergePolicy::Review), ("c", MergePolicy::Review)],
        tasks: vec![("b1", "b", vec![]), ("c1", "c", vec!["b1"]), ("a1", "a", vec![])],
        handoff: Handoff::Ready,
        attempts: 1,
    };
    let (mut core, mut world, mut log) = (Core::new(draw.nested(&[("b", "a")])), world(&[]), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    for name in ["b", "a"] {
        let merge = control(name, ControlVerb::Merge { lane: lane(name), sha: None });
        drive(&mut core, &mut world, vec![merge], &mut log);
        assert_eq!(lane_of(&core, name), LaneStatus::Merged);
    }
    let pr = core.state().lanes[2].pr.clone().unwrap();
    assert!(!pr.draft, "{pr:?}");
}

#[test]
fn ar23_what_was_skipped_with_its_lane_is_judged_by_its_condition_when_it_is_tried_again() {
    let text = "schema = 1\nname = \"g\"\nagent = \"x\"\n[agents.x]\ncommand = [\"x\"]\n[[tasks]]\nid = \"t1\"\n\
        prompt = \"p\"\n[[tasks]]\nid = \"t2\"\nprompt = \"p\"\nneeds = [\"t1\"]\n\
        when = \"${tasks.t1.outcome} != 'merged'\"\n[[tasks]]\nid = \"t3\"\nprompt = \"p\"\nneeds = [\"t1\"]\nattempts = 1\n";
    let (mut core, mut world, mut log) = (Core::new(planned(text)), world(&[]), Vec::new());
    core.step(Now::default(), begin()).unwrap();
    let source = Source { path: "lanes/default/failed".into(), digest: "x".into() };
    let touch =
        Input::StatusTouched { lane: lane("default"), status: LaneStatus::Failed, text: "no".into(), source };
    drive(&mut core, &mut world, vec![touch], &mut log);
    assert_eq!(statuses(&core).2, [TaskStatus::Skipped; 3]);
    drive(&mut core, &mut world, vec![retry()], &mut log);
    assert_eq!(lane_of(&core, "default"), LaneStatus::PrCreated, "{:?}", statuses(&core));
}

#[test]
fn ar21_a_gate_alone_waits_for_its_lanes_turn_without_a_stir() {
    let mut plan = (*one(&["t1", "t2"]).plan()).clone();
    plan.lanes[0].parallel = 2;
    plan.tasks[1].diff = DiffPolicy::None;
    let (mut core, mut world) = (Core::new(Arc::new(plan)), world(&[]));
    core.step(Now::default(), begin()).unwrap();
    answer_all_but(&mut core, &mut world, &["land/t1", "attempt/t2"]);
    assert!(core.outstanding().keys().any(|id| id.0.starts_with("land/t1")));
    // `t2` ends while the lane is taken; whatever happens in the lane makes it be looked at again.
    answer_all_but(&mut core, &mut world, &["land/t1"]);
    let concern = ConcernRecorded { class: ConcernClass::Ops, text: "x".into() };
    let land = core.outstanding().keys().find(|id| id.0.starts_with("land/t1")).unwrap().clone();
    let facts = vec![Draft::world(Subject::attempt(&lane("a"), &id("t1"), 1), concern)];
    core.step(Now::default(), [Input::Report(Report { id: land, facts, end: None })]).unwrap();
    answer_all_but(&mut core, &mut world, &[]);
    let claims = core.state().tasks[1].attempts[0].checks.iter().filter(|c| c.name == "claim").count();
    assert_eq!((lane_of(&core, "a"), claims), (LaneStatus::PrCreated, 1));
}

#[test]
fn ar21_a_nested_lane_is_merged_when_the_one_beside_it_has_been() {
    let mut draw = one(&[]);
    draw.lanes.extend([("b", MergePolicy::Review), ("c", MergePolicy::Review)]);
    draw.tasks.extend([("b1", "b", vec![]), ("c1", "c", vec![])]);
    let plan = draw.nested(&[("b", "a"), ("c", "a")]);
    let (mut core, mut world, mut log) = (Core::new(plan), world(&[]), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    let merges = ["b", "c"].map(|name| control(name, ControlVerb::Merge { lane: lane(name), sha: None }));
    drive(&mut core, &mut world, merges.to_vec(), &mut log);
    assert_eq!(statuses(&core).1[1..], [LaneStatus::Merged; 2]);
}

#[test]
fn a06_an_answer_of_which_only_the_note_was_written_is_followed_all_the_same() {
    let (mut core, mut world, mut log) = (Core::new(one(&["t"]).plan()), world(&[]), Vec::new());
    world.refuses = Some((|e| matches!(e, Effect::Land { .. }), FailureKind::Refused));
    drive(&mut core, &mut world, begin(), &mut log);
    world.refuses = None;
    let again = |n: &str| {
        let verb = ControlVerb::Attach { pid: 2, boot_id: "b".into(), attempts: true };
        Input::Control(Control { id: n.into(), by: "t".into(), verb })
    };
    drive(&mut core, &mut world, vec![again("second")], &mut log);
    let note = log.iter().position(|e| matches!(e.event, Event::HumanTaskResolved(_))).unwrap();
    let mut cut = Core::new(one(&["t"]).plan());
    log.truncate(note + 1);
    for envelope in &log {
        cut.replay(envelope).unwrap();
    }
    cut.recount();
    drive(&mut cut, &mut world, vec![again("third")], &mut log);
    assert_eq!(lane_of(&cut, "a"), LaneStatus::PrCreated, "{:?}", statuses(&cut));
}

#[test]
fn ar23_work_is_not_tried_again_in_a_nest_whose_outer_lane_is_merged() {
    let mut draw = one(&["a1"]);
    draw.lanes.push(("b", MergePolicy::Review));
    draw.tasks.push(("b1", "b", vec![]));
    let (mut core, mut log) = (Core::new(draw.nested(&[("b", "a")])), Vec::new());
    let mut world = world(&[("b1", 1, Outcome::Silent)]);
    drive(&mut core, &mut world, begin(), &mut log);
    let skip = control("skip", ControlVerb::Skip { tasks: vec![id("b1")] });
    let merge = control("merge", ControlVerb::Merge { lane: lane("a"), sha: None });
    drive(&mut core, &mut world, vec![skip], &mut log);
    drive(&mut core, &mut world, vec![merge], &mut log);
    assert_eq!(lane_of(&core, "a"), LaneStatus::Merged);
    drive(&mut core, &mut world, vec![retry()], &mut log);
    assert_eq!(core.state().tasks[1].attempts.len(), 1, "its work would reach nobody");
    assert!(log.iter().any(|e| matches!(&e.event, Event::ControlRejected(r) if r.request == "retry")));
}

#[test]
fn ar22_a_run_is_not_held_by_a_pause_of_a_lane_that_has_failed_since() {
    let (mut core, mut world, mut log) = (Core::new(one(&["t"]).plan()), world(&[]), Vec::new());
    core.step(Now::default(), begin()).unwrap();
    let source = Source { path: "lanes/a/failed".into(), digest: "x".into() };
    let touch =
        Input::StatusTouched { lane: lane("a"), status: LaneStatus::Failed, text: "no".into(), source };
    core.step(Now::default(), [touch]).unwrap();
    world.refuses = Some((|e| matches!(e, Effect::Provision { .. }), FailureKind::Transient));
    drive(&mut core, &mut world, vec![], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Failed));
}
