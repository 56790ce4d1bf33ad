//! The course of tasks and attempts: failures, questions, retries, landings and what people say to them.

use std::fmt::Write as _;

use super::*;

#[test]
fn ar22_a_failure_blocks_only_what_depends_on_it() {
    let script = [("b1", 1, Outcome::Silent), ("b1", 2, Outcome::Silent)];
    let (core, world, _) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!(run, Some(RunStatus::Failed));
    assert_eq!(lanes, [LaneStatus::Merged, LaneStatus::Failed, LaneStatus::Merged, LaneStatus::Failed]);
    assert_eq!(tasks[3], TaskStatus::Skipped);
    assert_eq!(world.started.iter().filter(|(t, _)| t == "b1").count(), 2);
}

#[test]
fn ar23_a_retry_revives_the_task_and_what_was_skipped_for_it() {
    let script = [("b1", 1, Outcome::Silent), ("b1", 2, Outcome::Silent)];
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
    drive(&mut core, &mut world, vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
    assert_eq!(core.state().tasks[1].attempts.len(), 3);
}

#[test]
fn ar23_a_retry_of_one_task_reaches_the_lanes_that_were_skipped_for_it_and_those_that_held_it_back() {
    for named in ["b1", "d1"] {
        let script = [("b1", 1, Outcome::Silent), ("b1", 2, Outcome::Silent)];
        let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
        assert_eq!(core.state().run.status, Some(RunStatus::Failed));
        let verb = ControlVerb::Retry { tasks: vec![TaskId::new(named).unwrap()] };
        drive(&mut core, &mut world, vec![control("r", verb)], &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{named}: {:?}", statuses(&core));
    }
}

#[test]
fn a13_a_question_blocks_the_run_and_an_answer_lets_it_go_on() {
    let draw = diamond(MergePolicy::Auto, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[("a1", 1, Outcome::Blocked)]);
    assert_eq!(core.state().run.status, Some(RunStatus::Blocked));
    assert_eq!(core.state().tasks[0].attempt().unwrap().status, AttemptStatus::Waiting);
    world.script.clear();
    let verb = ControlVerb::Answer { task: TaskId::new("a1").unwrap(), ask: None, text: "yes".into() };
    drive(&mut core, &mut world, vec![control("x", verb)], &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
    assert_eq!(core.state().tasks[0].attempts.len(), 1, "the same attempt went on");
}

#[test]
fn a13_a_cancelled_run_says_so() {
    let draw = diamond(MergePolicy::Auto, Handoff::Ready);
    let mut core = Core::new(draw.plan());
    let mut log = Vec::new();
    let mut inputs = begin();
    inputs.push(control("c", ControlVerb::Cancel { tasks: vec![], lanes: vec![] }));
    drive(&mut core, &mut world(&[]), inputs, &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Cancelled));
    assert!(core.state().tasks.iter().all(|t| t.status == TaskStatus::Cancelled));
}

#[test]
fn a19_one_input_taken_twice_gives_one_event() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, _, _) = run(&draw, &[]);
    let before = core.state().seq;
    assert!(core.step(Now::default(), [attach()]).unwrap().is_empty(), "a request is taken once");
    let late = Report { id: EffectId("provision/a".into()), facts: vec![], end: Some(Ok(())) };
    assert!(core.step(Now::default(), [Input::Report(late)]).unwrap().is_empty(), "nobody waits for it");
    assert_eq!(core.state().seq, before);
}

#[test]
fn a_status_file_written_from_outside_is_judged() {
    let draw = diamond(MergePolicy::Review, Handoff::Ready);
    let (mut core, mut world, mut log) = run(&draw, &[]);
    let touch = |status, n: u32| Input::StatusTouched {
        lane: LaneId::new("d").unwrap(),
        status,
        text: "no good".into(),
        source: Source { path: format!("lanes/d/{n}"), digest: n.to_string() },
    };
    drive(&mut core, &mut world, vec![touch(LaneStatus::Pending, 1)], &mut log);
    assert_eq!(log.last().unwrap().event.kind(), "signal.rejected");
    drive(&mut core, &mut world, vec![touch(LaneStatus::Failed, 2)], &mut log);
    assert_eq!(core.state().lanes[3].status, LaneStatus::Failed);
    assert!(core.state().lanes[3].reason.as_ref().unwrap().contains("no good"));
}

#[test]
fn ar17_a_lane_that_cannot_be_proven_is_not_merged_by_itself_and_comes_to_rest() {
    let which = |e: &Effect| matches!(e, Effect::Prove { .. } | Effect::MergePr { .. });
    let (core, log) = run_refusing(&one_lane(MergePolicy::Auto, &["t"]), which, FailureKind::Permanent);
    assert_eq!(core.state().lanes[0].status, LaneStatus::PrCreated);
    let merges =
        |e: &&Envelope| matches!(&e.event, Event::EffectIntended(i) if i.id.0.starts_with("merge-pr"));
    assert_eq!(log.iter().find(merges), None, "nothing is merged without its proof");
}

#[test]
fn a05_what_moves_again_and_again_is_met_with_pauses_and_comes_to_an_end() {
    let which = |e: &Effect| matches!(e, Effect::OpenPr { .. });
    let (core, log) = run_refusing(&one_lane(MergePolicy::Review, &["t"]), which, FailureKind::Moved);
    assert_eq!(core.state().lanes[0].status, LaneStatus::Failed);
    let took = log.last().unwrap().at.since(log[0].at);
    assert!(took > 60_000, "it was tried again without a pause");
}

#[test]
fn ar10_a_merged_lane_is_summed_up_once_after_its_worktree_is_gone() {
    let (core, world, log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    let mut concluded = world.concluded.clone();
    concluded.sort_unstable();
    assert_eq!(concluded, ["a", "b", "c", "d"]);
    for lane in &concluded {
        let at = |wanted: String| {
            let done = |e: &Envelope| matches!(&e.event, Event::EffectConfirmed(c) if c.id.0 == wanted);
            log.iter().position(done).expect("it was done")
        };
        assert!(at(format!("teardown/{lane}/1")) < at(format!("conclude/{lane}")), "{lane}");
    }
}

#[test]
fn ar10_words_that_nobody_takes_fail_no_lane_and_hold_no_run() {
    let which: Which = |e| matches!(e, Effect::Conclude { .. });
    for class in [FailureKind::Permanent, FailureKind::Refused, FailureKind::Transient] {
        let (core, log) = run_refusing(&one_lane(MergePolicy::Auto, &["t"]), which, class);
        let tries =
            log.iter().filter(|e| matches!(&e.event, Event::EffectIntended(i) if which(&i.effect))).count();
        assert_eq!(tries, if class == FailureKind::Transient { 4 } else { 1 }, "{class:?}");
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{class:?}");
        assert_eq!(core.state().lanes[0].status, LaneStatus::Merged, "{class:?}");
    }
}

#[test]
fn ar15_an_attempt_goes_on_from_the_last_work_that_was_looked_at() {
    let draw = one_lane(MergePolicy::Review, &["t"]);
    let (mut core, mut log) = (Core::new(draw.plan()), Vec::new());
    let mut world = world(&[("t", 1, Outcome::GateFails)]);
    world.refuses = Some((|e| matches!(e, Effect::Attempt { attempt: 2, .. }), FailureKind::Permanent));
    drive(&mut core, &mut world, begin(), &mut log);
    let third = &core.state().tasks[0].attempts[2];
    assert_eq!(third.start, Some(sha(901)), "the first attempt's work");
}

#[test]
fn a13_an_answered_attempt_does_not_move_into_a_worktree_that_another_took_meanwhile() {
    let mut plan = (*one_lane(MergePolicy::Review, &["t1", "t2", "t3"]).plan()).clone();
    plan.lanes[0].parallel = 2;
    let mut core = Core::new(Arc::new(plan));
    let mut world = world(&[("t1", 1, Outcome::Blocked)]);
    core.step(Now::default(), begin()).unwrap();
    let mut answer = |core: &mut Core, prefix: &str| {
        let found = core.outstanding().values().find(|e| e.id().0.starts_with(prefix)).cloned();
        let report = world.answer(core, &found.unwrap_or_else(|| panic!("{prefix} is not outstanding")));
        core.step(Now::default(), [Input::Report(report)]).unwrap();
    };
    for effect in ["provision", "attempt/t1", "collect/t1", "attempt/t2", "collect/t2", "land/t2"] {
        answer(&mut core, effect);
    }
    let verb = ControlVerb::Answer { task: TaskId::new("t1").unwrap(), ask: None, text: "yes".into() };
    core.step(Now::default(), [control("x", verb)]).unwrap();
    let place = |t: usize| core.state().tasks[t].attempt().map(|a| (a.status, a.place));
    assert_eq!(place(2), Some((AttemptStatus::Started, Place::Lane)));
    assert_eq!(place(0), Some((AttemptStatus::Started, Place::Own)));
}

#[test]
fn a13_a_refused_landing_waits_for_a_person_and_goes_on_where_it_stopped() {
    let land: Which = |e| matches!(e, Effect::Land { .. });
    for ask in ["retry", "answer"] {
        let draw = one_lane(MergePolicy::Auto, &["t"]);
        let (mut core, mut world, mut log) = (Core::new(draw.plan()), world(&[]), Vec::new());
        world.refuses = Some((land, FailureKind::Refused));
        drive(&mut core, &mut world, begin(), &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Blocked));
        world.refuses = None;
        let task = TaskId::new("t").unwrap();
        let verb = match ask {
            "retry" => ControlVerb::Retry { tasks: vec![task] },
            _ => ControlVerb::Answer { task, ask: None, text: "look again".into() },
        };
        drive(&mut core, &mut world, vec![control("x", verb)], &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{ask}");
        assert_eq!(world.started.len(), 1, "no second process");
        assert_eq!(core.state().tasks[0].attempt().unwrap().answer, None);
    }
}

#[test]
fn a13_a_refused_landing_is_called_off_by_a_cancel() {
    let land: Which = |e| matches!(e, Effect::Land { .. });
    let (mut core, mut log) = run_refusing(&one_lane(MergePolicy::Auto, &["t"]), land, FailureKind::Refused);
    let verb = ControlVerb::Cancel { tasks: vec![TaskId::new("t").unwrap()], lanes: vec![] };
    drive(&mut core, &mut world(&[]), vec![control("x", verb)], &mut log);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Cancelled);
}

#[test]
fn ar09_what_an_attempt_says_again_and_again_is_taken_a_bounded_number_of_times() {
    let draw = one_lane(MergePolicy::Review, &["t"]);
    let (mut core, mut world) = (Core::new(draw.plan()), world(&[]));
    core.step(Now::default(), begin()).unwrap();
    let provision = core.outstanding().values().next().unwrap().clone();
    let report = world.answer(&core, &provision);
    core.step(Now::default(), [Input::Report(report)]).unwrap();
    let attempt = core.outstanding().values().next().unwrap().id();
    let at = Subject::attempt(&core.plan().lanes[0].id, &core.plan().tasks[0].id, 1);
    let said = |signal: &SignalKind, n: u32| Draft {
        source: Some(Source { path: signal.word().into(), digest: n.to_string() }),
        ..Draft::world(at.clone(), SignalObserved { signal: signal.clone(), text: n.to_string() })
    };
    let rejected = |n: u32| Draft {
        source: Some(Source { path: format!("junk-{n}"), digest: String::new() }),
        ..Draft::world(at.clone(), SignalRejected { name: format!("junk-{n}"), reason: "a fifo".into() })
    };
    let mut events = Vec::new();
    for signal in [SignalKind::Summary, SignalKind::Progress, SignalKind::Concern] {
        // In batches and one by one, as a rescan and a watch report them.
        for batch in (0..5000).collect::<Vec<u32>>().chunks(7) {
            let facts = batch.iter().map(|&n| said(&signal, n)).collect();
            let report = Report { id: attempt.clone(), facts, end: None };
            events.extend(core.step(Now::default(), [Input::Report(report)]).unwrap());
        }
        let taken = |e: &&Envelope| matches!(&e.event, Event::SignalObserved(o) if o.signal == signal);
        assert_eq!(events.iter().filter(taken).count(), signal.most() as usize);
        let told = |e: &&Envelope| matches!(&e.event, Event::SignalRejected(r) if r.name == signal.word());
        assert_eq!(events.iter().filter(told).count(), 1, "it is told once");
    }
    let facts = (0..5000).map(rejected).collect();
    let report = Report { id: attempt, facts, end: None };
    let events = core.step(Now::default(), [Input::Report(report)]).unwrap();
    assert!(events.len() <= 256, "{}", events.len());
}

#[test]
fn ar15_an_answered_attempt_whose_second_process_never_ran_leaves_its_work_to_the_next() {
    let draw = one_lane(MergePolicy::Review, &["t"]);
    let (mut core, mut log) = (Core::new(draw.plan()), Vec::new());
    let mut world = world(&[("t", 1, Outcome::Blocked)]);
    drive(&mut core, &mut world, begin(), &mut log);
    world.refuses = Some((|e| matches!(e, Effect::Attempt { iteration: 2, .. }), FailureKind::Permanent));
    let verb = ControlVerb::Answer { task: TaskId::new("t").unwrap(), ask: None, text: "yes".into() };
    drive(&mut core, &mut world, vec![control("x", verb)], &mut log);
    assert_eq!(core.state().tasks[0].attempts[1].start, Some(sha(901)), "the first process's work");
}

#[test]
fn ar22_a_lane_goes_on_without_a_task_that_failed_until_a_retry() {
    let script = [("d1", 1, Outcome::Silent), ("d1", 2, Outcome::Silent)];
    let (mut core, mut world, mut log) = run(&diamond(MergePolicy::Auto, Handoff::Ready), &script);
    assert_eq!(core.state().run.status, Some(RunStatus::Failed));
    let d1 = || vec![TaskId::new("d1").unwrap()];
    drive(&mut core, &mut world, vec![control("s", ControlVerb::Skip { tasks: d1() })], &mut log);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!((run, lanes[3]), (Some(RunStatus::Completed), LaneStatus::Merged));
    assert_eq!(tasks[3..], [TaskStatus::Failed, TaskStatus::Merged]);
    let again = control("again", ControlVerb::Skip { tasks: vec![TaskId::new("a1").unwrap()] });
    drive(&mut core, &mut world, vec![again], &mut log);
    assert_eq!(log.last().unwrap().event.kind(), "control.rejected", "what is merged is not undone by it");
}

#[test]
fn ar20_the_task_that_most_hangs_on_goes_first_unless_a_priority_says_otherwise() {
    let order = |priority: i32| {
        let plan = planned(&format!(
            r#"
name = "g"
agent = "a"
[agents.a]
command = ["a"]
[[workstreams]]
id = "x"
[[workstreams]]
id = "y"
[[tasks]]
id = "alone"
workstream = "x"
prompt = "p"
priority = {priority}
[[tasks]]
id = "one"
workstream = "y"
prompt = "p"
[[tasks]]
id = "two"
workstream = "y"
prompt = "p"
needs = ["one"]
[[tasks]]
id = "three"
workstream = "y"
prompt = "p"
needs = ["two"]
"#
        ));
        let mut plan = Arc::unwrap_or_clone(plan);
        plan.settings.max_parallel = 1;
        let (mut core, mut world, mut log) = (Core::new(Arc::new(plan)), world(&[]), Vec::new());
        drive(&mut core, &mut world, begin(), &mut log);
        world.started.into_iter().map(|(task, _)| task).collect::<Vec<_>>()
    };
    assert_eq!(order(0)[..2], ["one", "two"], "the critical path first");
    assert_eq!(order(1)[0], "alone");
}

#[test]
fn a13_of_a_completed_run_there_is_nothing_to_call_off() {
    let (mut core, mut world, mut log) = run(&one_lane(MergePolicy::Review, &["t"]), &[]);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
    let whole = control("late", ControlVerb::Cancel { tasks: vec![], lanes: vec![] });
    drive(&mut core, &mut world, vec![whole], &mut log);
    let refused =
        |e: &Envelope| matches!(&e.event, Event::ControlRejected(r) if r.reason.contains("pr close"));
    assert!(log.iter().any(refused));
    assert_eq!(core.state().run.status, Some(RunStatus::Completed));
}

#[test]
fn p17_tasks_that_write_the_same_take_turns_unless_both_say_otherwise() {
    for (first, second, together) in [(true, true, 2), (true, false, 1), (false, false, 1)] {
        let mut text = "schema = 1\nname = \"g\"\n".to_owned();
        for (id, overlap) in [("a", first), ("b", second)] {
            let task =
                format!("id = \"{id}1\"\nworkstream = \"{id}\"\nrun = \"true\"\nwrites = [\"src/**\"]");
            writeln!(text, "[[workstreams]]\nid = \"{id}\"\n[[tasks]]\n{task}\noverlap = {overlap}").unwrap();
        }
        let (mut core, mut world) = (Core::new(planned(&text)), world(&[]));
        let mut events = core.step(Now::default(), begin()).unwrap();
        let mut most = 0;
        // Whatever else goes on is answered; the attempts go on side by side.
        while let Some(effect) =
            core.outstanding().values().find(|e| !matches!(e, Effect::Attempt { .. })).cloned()
        {
            events.extend(core.step(Now::default(), [Input::Report(world.answer(&core, &effect))]).unwrap());
            most =
                most.max(core.outstanding().values().filter(|e| matches!(e, Effect::Attempt { .. })).count());
        }
        assert_eq!(most, together, "{first} and {second}");
    }
}
