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
