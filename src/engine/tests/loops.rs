//! Attempts that are made of several processes.

use super::*;
use crate::graph::{ClaimBy, Loop};

/// One lane with one task, whose agent may run this often in one attempt.
fn looping(most: u32) -> Arc<Plan> {
    let mut plan = (*one_lane(MergePolicy::Review, &["t"]).plan()).clone();
    plan.tasks[0].attempts = 2;
    let Work::Agent { by, .. } = &mut plan.tasks[0].work else { panic!("an agent works on it") };
    by.repeat = Some(Loop { max_iterations: most, tracker: Some("TRACKER.md".into()) });
    Arc::new(plan)
}

fn run_plan(plan: &Arc<Plan>, script: &[(&str, u32, Outcome)]) -> (Core, Vec<Envelope>) {
    let (mut core, mut log) = (Core::new(Arc::clone(plan)), Vec::new());
    drive(&mut core, &mut world(script), begin(), &mut log);
    (core, log)
}

fn count(log: &[Envelope], kind: &str) -> usize {
    log.iter().filter(|e| e.event.kind() == kind).count()
}

fn attempts(core: &Core) -> Vec<(AttemptStatus, u32)> {
    core.state().tasks[0].attempts.iter().map(|a| (a.status, a.iteration)).collect()
}

#[test]
fn a02_three_iterations_are_one_start_three_iterations_transitions_and_one_end_in_order() {
    let (core, log) = run_plan(&looping(5), &[("t", 1, Outcome::LoopsUntil(3))]);
    assert_eq!(count(&log, "workflow.start"), 1);
    assert_eq!(count(&log, "workflow.iteration"), 3);
    assert!(count(&log, "workflow.transition") >= 2);
    assert_eq!(count(&log, "workflow.end"), 1);
    assert!(log.iter().zip(1..).all(|(e, seq)| e.seq == seq));
    let iterations: Vec<u32> = log
        .iter()
        .filter_map(|e| if let Event::WorkflowIteration(i) = &e.event { Some(i.n) } else { None })
        .collect();
    assert_eq!(iterations, [1, 2, 3]);
    assert_eq!(attempts(&core), [(AttemptStatus::Succeeded, 3)]);
    assert_eq!(core.state().tasks[0].failures, 0);
}

#[test]
fn a13_a_loop_that_never_claims_is_exhausted_and_counts_as_a_failed_attempt() {
    let never = Outcome::LoopsUntil(99);
    let (core, log) = run_plan(&looping(2), &[("t", 1, never), ("t", 2, never)]);
    assert_eq!(attempts(&core), [(AttemptStatus::Exhausted, 2), (AttemptStatus::Exhausted, 2)]);
    assert_eq!(core.state().tasks[0].status, TaskStatus::Failed);
    let reason = core.state().tasks[0].reason.clone().unwrap();
    assert!(reason.contains("2 iterations ended without a claim"), "{reason}");
    assert_eq!(count(&log, "workflow.iteration"), 4);
    // The second attempt may still do it.
    let (core, _) = run_plan(&looping(2), &[("t", 1, never), ("t", 2, Outcome::LoopsUntil(2))]);
    assert_eq!(attempts(&core), [(AttemptStatus::Exhausted, 2), (AttemptStatus::Succeeded, 2)]);
    assert_eq!(core.state().tasks[0].attempts[1].start, Some(sha(901)), "it goes on from the work so far");
}

#[test]
fn a13_two_iterations_in_a_row_that_change_nothing_end_a_loop() {
    for (from, last) in [(1, 2), (3, 4)] {
        let (core, _) = run_plan(&looping(9), &[("t", 1, Outcome::IdleFrom(from))]);
        let first = &core.state().tasks[0].attempts[0];
        assert_eq!((first.status, first.iteration), (AttemptStatus::Exhausted, last));
        assert!(first.reason.as_ref().unwrap().contains("changed nothing"), "{:?}", first.reason);
    }
}

#[test]
fn a06_every_prefix_of_a_looping_run_leads_to_the_same_end() {
    let scripts: [Script; 3] = [
        vec![("t", 1, Outcome::LoopsUntil(3))],
        vec![("t", 1, Outcome::LoopsUntil(9)), ("t", 2, Outcome::LoopsUntil(1))],
        vec![("t", 1, Outcome::IdleFrom(2)), ("t", 2, Outcome::IdleFrom(1))],
    ];
    let plan = looping(4);
    for script in scripts {
        let (whole, log) = run_plan(&plan, &script);
        for cut in 0..log.len() {
            let mut core = Core::new(Arc::clone(&plan));
            log[..cut].iter().for_each(|e| core.replay(e).unwrap());
            core.recount();
            let mut again = log[..cut].to_vec();
            let mut inputs = begin();
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut world(&script), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
            assert_eq!(attempts(&core), attempts(&whole), "restarted after event {cut}");
        }
    }
}

/// Answers effects until `stop` holds.
fn until(core: &mut Core, world: &mut World, stop: impl Fn(&Core) -> bool) {
    while !stop(core) {
        let effect = core.outstanding().values().next().cloned().expect("something is under way");
        let report = world.answer(core, &effect);
        core.step(Now::default(), [Input::Report(report)]).unwrap();
    }
}

#[test]
fn a_pause_holds_the_next_iteration_until_the_run_is_resumed() {
    let mut core = Core::new(looping(5));
    let mut world = world(&[("t", 1, Outcome::LoopsUntil(2))]);
    core.step(Now::default(), begin()).unwrap();
    let collects = |core: &Core| core.outstanding().keys().any(|id| id.0.starts_with("collect"));
    until(&mut core, &mut world, collects);
    core.step(Now::default(), [control("p2", ControlVerb::Pause)]).unwrap();
    until(&mut core, &mut world, |core| core.outstanding().is_empty());
    assert_eq!(attempts(&core), [(AttemptStatus::Started, 1)]);
    core.step(Now::default(), [Input::Tick]).unwrap();
    assert_eq!(attempts(&core), [(AttemptStatus::Started, 1)], "it is held");
    core.step(Now::default(), [control("r2", ControlVerb::Resume)]).unwrap();
    assert_eq!(attempts(&core), [(AttemptStatus::Started, 2)]);
}

#[test]
fn an_interrupt_between_two_iterations_uses_up_no_attempt() {
    let mut core = Core::new(looping(5));
    let mut world = world(&[("t", 1, Outcome::LoopsUntil(2))]);
    core.step(Now::default(), begin()).unwrap();
    let collects = |core: &Core| core.outstanding().keys().any(|id| id.0.starts_with("collect"));
    until(&mut core, &mut world, collects);
    core.step(Now::default(), [control("i", ControlVerb::Interrupt)]).unwrap();
    until(&mut core, &mut world, |core| core.outstanding().is_empty());
    assert_eq!(attempts(&core)[0].0, AttemptStatus::Cancelled);
    assert_eq!(core.state().tasks[0].failures, 0);
    assert!(core.is_settled());
}

#[test]
fn s26_a_clean_exit_is_the_claim_of_an_agent_that_knows_no_other() {
    let mut plan = (*one_lane(MergePolicy::Review, &["t"]).plan()).clone();
    let Work::Agent { def, .. } = &mut plan.tasks[0].work else { panic!("an agent works on it") };
    Arc::make_mut(def).claim = ClaimBy::Exit;
    let plan = Arc::new(plan);
    let (core, _) = run_plan(&plan, &[("t", 1, Outcome::Silent)]);
    assert_eq!(attempts(&core), [(AttemptStatus::Succeeded, 1)]);
    // A question still waits for a person, and silence of others is no claim.
    let (core, _) = run_plan(&plan, &[("t", 1, Outcome::Blocked)]);
    assert_eq!(attempts(&core), [(AttemptStatus::Waiting, 1)]);
    let plan = one_lane(MergePolicy::Review, &["t"]).plan();
    let (core, _) = run_plan(&plan, &[("t", 1, Outcome::Silent)]);
    assert_eq!(attempts(&core)[0].0, AttemptStatus::Failed);
}
