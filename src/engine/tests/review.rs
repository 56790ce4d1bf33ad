//! Attempts whose work is reviewed before it lands.

use super::*;

fn reviewed() -> Arc<Plan> {
    planned(
        r#"
name = "g"
agent = "a"
[agents.a]
command = ["a"]
[agents.critic]
command = ["c"]
[[tasks]]
id = "t"
prompt = "p"
gate = "true"
attempts = 2
review = "critic"
[[tasks]]
id = "after"
prompt = "p"
needs = ["t"]
"#,
    )
}

fn run_it(script: &[(&str, u32, Outcome)]) -> (Core, Vec<Envelope>) {
    let (mut core, mut log) = (Core::new(reviewed()), Vec::new());
    drive(&mut core, &mut world(script), begin(), &mut log);
    (core, log)
}

fn intended(log: &[Envelope], prefix: &str) -> Vec<String> {
    let id = |e: &Envelope| match &e.event {
        Event::EffectIntended(intended) => Some(intended.id.0.clone()),
        _ => None,
    };
    log.iter().filter_map(id).filter(|id| id.starts_with(prefix)).collect()
}

#[test]
fn ar16_work_is_reviewed_after_its_evidence_and_before_it_lands() {
    let (core, log) = run_it(&[]);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Merged);
    let order = intended(&log, "");
    let place = |id: &str| order.iter().position(|found| found.starts_with(id)).unwrap();
    assert!(place("collect/t/1") < place("examine/t/1/1") && place("examine/t/1/1") < place("land/t/1"));
    assert_eq!(intended(&log, "examine/"), ["examine/t/1/1"], "only the task that asks for it");
}

#[test]
fn ar16_work_that_is_rejected_never_lands_and_the_next_attempt_is_reviewed_anew() {
    let (core, log) = run_it(&[("t", 1, Outcome::Rejected)]);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Merged);
    assert_eq!(core.state().tasks[0].attempts[0].status, AttemptStatus::Failed);
    assert_eq!(core.state().tasks[0].attempts[0].reason.as_deref(), Some("said"));
    assert_eq!(intended(&log, "examine/"), ["examine/t/1/1", "examine/t/2/1"]);
    assert!(intended(&log, "land/t/1").is_empty());
}

#[test]
fn ar16_a_reviewer_without_a_verdict_is_followed_by_one_other_and_then_it_counts() {
    let (core, log) = run_it(&[("t", 1, Outcome::LateVerdict)]);
    assert_eq!(core.state().tasks[0].attempts.len(), 1);
    assert_eq!(intended(&log, "examine/"), ["examine/t/1/1", "examine/t/1/2"]);

    let (core, log) = run_it(&[("t", 1, Outcome::NoVerdict), ("t", 2, Outcome::NoVerdict)]);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Failed);
    assert_eq!(intended(&log, "examine/").len(), 4);
    let why = core.state().tasks[0].attempts[0].reason.as_deref();
    assert_eq!(why, Some("2 reviewers gave no verdict: said"));
}

#[test]
fn a06_every_prefix_of_a_run_with_reviews_leads_to_the_same_end() {
    for outcome in [Outcome::Done, Outcome::Rejected, Outcome::NoVerdict, Outcome::LateVerdict] {
        same_end_from_every_prefix("review", &reviewed(), &[("t", 1, outcome)]);
    }
}

/// Answers until the reviewer is at work.
fn until_review(core: &mut Core, world: &mut World) {
    core.step(Now::default(), begin()).unwrap();
    for prefix in ["provision", "attempt", "collect"] {
        let effect = core.outstanding().values().find(|e| e.id().0.starts_with(prefix)).cloned().unwrap();
        let report = world.answer(core, &effect);
        core.step(Now::default(), [Input::Report(report)]).unwrap();
    }
    assert!(core.outstanding().contains_key(&EffectId("examine/t/1/1".into())));
}

#[test]
fn ar16_a_reviewer_at_work_is_stopped_when_its_task_is_called_off_or_the_run_interrupted() {
    let cancel = ControlVerb::Cancel { tasks: vec![TaskId::new("t").unwrap()], lanes: vec![] };
    for (verbs, reason) in [(vec![cancel], "cancelled"), (vec![ControlVerb::Interrupt; 2], "interrupted")] {
        let (mut core, mut world) = (Core::new(reviewed()), world(&[]));
        until_review(&mut core, &mut world);
        let inputs = verbs.into_iter().enumerate().map(|(n, verb)| control(&n.to_string(), verb));
        core.step(Now::default(), inputs).unwrap();
        let stop = EffectId(format!("stop/t/1/{reason}"));
        assert!(core.outstanding().contains_key(&stop), "{:?}", core.outstanding());
        for id in [stop, EffectId("examine/t/1/1".into())] {
            let report = Report { id, facts: vec![], end: Some(Ok(())) };
            core.step(Now::default(), [Input::Report(report)]).unwrap();
        }
        let attempt = core.state().tasks[0].attempts.first().unwrap();
        assert_eq!(attempt.status, AttemptStatus::Cancelled, "{reason}");
    }
}
