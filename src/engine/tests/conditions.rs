//! Tasks with a `when`.

use super::*;

/// Work that may fail, what is for its success, what is for its failure, and what builds on both.
const RESCUE: &str = r#"
name = "g"
agent = "a"
[agents.a]
command = ["a"]
[[workstreams]]
id = "work"
merge = "auto"
[[workstreams]]
id = "praise"
merge = "auto"
[[workstreams]]
id = "rescue"
merge = "auto"
[[workstreams]]
id = "report"
merge = "auto"
[[tasks]]
id = "work"
workstream = "work"
prompt = "p"
outputs = [{ category = "found", min = 0 }]
[[tasks]]
id = "praise"
workstream = "praise"
prompt = "p"
needs = ["work"]
when = "${tasks.work.outcome} == 'merged' && ${tasks.work.outputs.found} == 0"
[[tasks]]
id = "rescue"
workstream = "rescue"
prompt = "p"
needs = ["work"]
when = "${tasks.work.outcome} == 'failed'"
[[tasks]]
id = "after-rescue"
workstream = "rescue"
prompt = "p"
needs = ["rescue"]
[[tasks]]
id = "report"
workstream = "report"
prompt = "p"
needs = ["rescue", "praise"]
when = "${tasks.rescue.outcome} == 'merged' || ${tasks.praise.outcome} == 'merged'"
"#;

const FAILS: [(&str, u32, Outcome); 2] = [("work", 1, Outcome::Silent), ("work", 2, Outcome::Silent)];

fn run_it(script: &[(&str, u32, Outcome)]) -> (Core, World, Vec<Envelope>) {
    let (mut core, mut world, mut log) = (Core::new(planned(RESCUE)), world(script), Vec::new());
    drive(&mut core, &mut world, begin(), &mut log);
    (core, world, log)
}

#[test]
fn a_task_whose_condition_does_not_hold_is_skipped_and_its_lane_is_none_the_worse_for_it() {
    use LaneStatus::Merged as In;
    use TaskStatus::{Merged, Skipped};
    let (core, world, _) = run_it(&[]);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!((run, lanes), (Some(RunStatus::Completed), vec![In, In, In, In]));
    assert_eq!(tasks, [Merged, Merged, Skipped, Skipped, Merged]);
    assert!(world.started.iter().all(|(task, _)| !task.contains("rescue")));
    let why = |task: usize| core.state().tasks[task].reason.clone().unwrap();
    assert_eq!(why(2), "its `when` does not hold: ${tasks.work.outcome} == 'failed'");
    assert_eq!(why(3), "it needs `rescue`, which was skipped");
    let lane = &core.state().lanes[2];
    assert_eq!(lane.reason.as_deref(), Some("nothing to do: its tasks were skipped"));
    assert!(lane.tip.is_none() && lane.pr.is_none());
}

#[test]
fn a_need_that_a_condition_looks_at_may_fail_and_nothing_of_it_is_taken_in() {
    use TaskStatus::{Failed, Merged, Skipped};
    let (core, _, _) = run_it(&FAILS);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!(run, Some(RunStatus::Failed), "the work failed, whatever was done about it");
    assert_eq!(lanes[0], LaneStatus::Failed);
    assert_eq!(lanes[1..], [LaneStatus::Merged, LaneStatus::Merged, LaneStatus::Merged]);
    assert_eq!(tasks, [Failed, Skipped, Merged, Merged, Merged]);
    assert!(!core.state().lanes[2].contains.contains_key(&0), "a lane that failed flows nowhere");
}

#[test]
fn ar23_a_retry_lets_run_what_was_skipped_by_a_condition_that_holds_now() {
    let (mut core, mut world, mut log) = run_it(&FAILS);
    world.script.clear();
    drive(&mut core, &mut world, vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!(tasks, [TaskStatus::Merged; 5]);
    assert_eq!(lanes, [LaneStatus::Merged; 4]);
    assert_eq!(run, Some(RunStatus::Completed));
}

#[test]
fn ar23_there_is_nothing_to_retry_where_only_a_condition_did_not_hold() {
    let (mut core, mut world, mut log) = run_it(&[]);
    drive(&mut core, &mut world, vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert_eq!(log.last().unwrap().event.kind(), "control.rejected");
}

#[test]
fn a06_every_prefix_of_a_run_with_conditions_leads_to_the_same_end() {
    let plan = planned(RESCUE);
    for script in [&[][..], &FAILS, &[("rescue", 1, Outcome::GateFails), FAILS[0], FAILS[1]]] {
        same_end_from_every_prefix("conditions", &plan, script);
    }
}

/// A lane that holds another with its tasks, which depend on what `probe` comes to, and one that holds nothing else.
const NESTED: &str = r#"
name = "g"
agent = "a"
[agents.a]
command = ["a"]
[[workstreams]]
id = "probe"
merge = "auto"
[[workstreams]]
id = "outer"
merge = "auto"
[[workstreams]]
id = "inner"
parent = "outer"
merge = "auto"
[[workstreams]]
id = "leaf"
parent = "inner"
merge = "auto"
[[tasks]]
id = "probe"
workstream = "probe"
prompt = "p"
[[tasks]]
id = "own"
workstream = "outer"
prompt = "p"
needs = ["probe"]
when = "${tasks.probe.outcome} OWN 'merged'"
[[tasks]]
id = "leaf"
workstream = "leaf"
prompt = "p"
needs = ["probe"]
when = "${tasks.probe.outcome} LEAF 'merged'"
"#;

fn nested(own: &str, leaf: &str) -> Arc<Plan> {
    planned(&NESTED.replace("OWN", own).replace("LEAF", leaf))
}

#[test]
fn ar21_a_nest_that_has_nothing_to_do_is_never_begun() {
    let plan = nested("!=", "!=");
    let (mut core, mut log) = (Core::new(Arc::clone(&plan)), Vec::new());
    drive(&mut core, &mut world(&[]), begin(), &mut log);
    assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
    for lane in &core.state().lanes[1..] {
        assert_eq!((lane.status, &lane.tip), (LaneStatus::Merged, &None));
    }
    same_end_from_every_prefix("nothing to do", &plan, &[]);
}

#[test]
fn ar21_a_lane_that_was_passed_over_still_takes_in_what_is_nested_in_it() {
    for (own, leaf) in [("!=", "=="), ("==", "!="), ("==", "==")] {
        let plan = nested(own, leaf);
        let (mut core, mut log) = (Core::new(Arc::clone(&plan)), Vec::new());
        drive(&mut core, &mut world(&[]), begin(), &mut log);
        assert_eq!(core.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&core));
        assert!(core.state().lanes.iter().all(|l| l.status == LaneStatus::Merged), "{:?}", statuses(&core));
        let merged = |lane: &str| {
            log.iter().position(|e| {
                matches!(&e.event, Event::PrMerged(_))
                    && e.subject.lane.as_ref().is_some_and(|l| l.as_str() == lane)
            })
        };
        assert!(merged("outer").is_some(), "{own} {leaf}");
        if leaf == "==" {
            assert!(merged("leaf") < merged("inner") && merged("inner") < merged("outer"), "{own} {leaf}");
        }
        same_end_from_every_prefix("nest", &plan, &[]);
    }
}

#[test]
fn ar23_a_nest_that_had_nothing_to_do_is_begun_where_a_retry_gives_it_something() {
    let (mut core, mut log) = (Core::new(nested("==", "==")), Vec::new());
    let script = [("probe", 1, Outcome::Silent), ("probe", 2, Outcome::Silent)];
    drive(&mut core, &mut world(&script), begin(), &mut log);
    assert_eq!(core.state().lanes[1].status, LaneStatus::Merged, "{:?}", statuses(&core));
    assert!(core.state().lanes[1].tip.is_none());
    drive(&mut core, &mut world(&[]), vec![control("r", ControlVerb::Retry { tasks: vec![] })], &mut log);
    assert_eq!(statuses(&core).2, [TaskStatus::Merged; 3]);
    assert_eq!(statuses(&core).1, [LaneStatus::Merged; 4]);
    let landed = |lane: &crate::state::Lane| lane.pr.as_ref().is_some_and(|pr| pr.merged.is_some());
    assert!(core.state().lanes.iter().all(landed), "each has gone into the one around it");
}

#[test]
fn ar22_what_needs_a_task_that_was_passed_over_goes_on_where_a_person_goes_on_without_it() {
    use TaskStatus::{Merged, Skipped};
    let (mut core, mut world, mut log) = run_it(&[]);
    let rescue = || vec![TaskId::new("rescue").unwrap()];
    drive(&mut core, &mut world, vec![control("s", ControlVerb::Skip { tasks: rescue() })], &mut log);
    let (run, lanes, tasks) = statuses(&core);
    assert_eq!(tasks, [Merged, Merged, Skipped, Merged, Merged], "the one after it runs");
    assert_eq!((run, lanes), (Some(RunStatus::Completed), vec![LaneStatus::Merged; 4]));
    assert!(core.state().lanes[2].tip.is_some(), "its lane was begun after all");
}

#[test]
fn ar22_a_condition_sees_how_a_task_ended_that_was_set_aside() {
    use TaskStatus::{Failed, Merged, Skipped};
    let (mut core, mut world, mut log) = run_it(&FAILS);
    let work = || vec![TaskId::new("work").unwrap()];
    drive(&mut core, &mut world, vec![control("s", ControlVerb::Skip { tasks: work() })], &mut log);
    let (_, lanes, tasks) = statuses(&core);
    assert_eq!(tasks, [Failed, Skipped, Merged, Merged, Merged], "what it was for stays");
    assert_eq!(lanes[1..], [LaneStatus::Merged; 3]);
}
