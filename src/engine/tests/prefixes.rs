//! From every prefix of a journal a run comes to the same end.

use super::*;

#[test]
fn a06_every_prefix_of_the_journal_leads_to_the_same_end() {
    let cases: Vec<(Draw, Script)> = vec![
        (diamond(MergePolicy::Auto, Handoff::Merged), vec![]),
        (diamond(MergePolicy::Review, Handoff::Ready), vec![("b1", 1, Outcome::GateFails)]),
        (
            diamond(MergePolicy::Auto, Handoff::Ready),
            vec![("c1", 1, Outcome::Silent), ("c1", 2, Outcome::Silent)],
        ),
        (diamond(MergePolicy::Auto, Handoff::Ready), vec![("a1", 1, Outcome::Conflict)]),
    ];
    for (draw, script) in cases {
        let (whole, _, log) = run(&draw, &script);
        for cut in 0..log.len() {
            let mut core = Core::new(draw.plan());
            for envelope in &log[..cut] {
                let line = envelope.to_json().unwrap();
                core.replay(&Envelope::from_json(&line).unwrap()).unwrap();
            }
            core.recount();
            let mut again = log[..cut].to_vec();
            let mut inputs = begin();
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut world(&script), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
        }
    }
}

/// Expects the same end from every prefix of the journal that a run with this script writes.
pub(super) fn same_end_from_every_prefix(name: &str, plan: &Arc<Plan>, script: &[(&str, u32, Outcome)]) {
    let (mut whole, mut log) = (Core::new(Arc::clone(plan)), Vec::new());
    drive(&mut whole, &mut world(script), begin(), &mut log);
    for cut in 0..log.len() {
        let mut core = Core::new(Arc::clone(plan));
        log[..cut].iter().for_each(|e| core.replay(e).unwrap());
        core.recount();
        let mut again = log[..cut].to_vec();
        let mut inputs = begin();
        if let Input::Control(control) = &mut inputs[1] {
            control.id = "attach-again".into();
        }
        drive(&mut core, &mut world(script), inputs, &mut again);
        assert_eq!(statuses(&core), statuses(&whole), "{name} restarted after event {cut}");
    }
}

#[test]
fn a06_every_prefix_of_every_shipped_graph_leads_to_the_same_end() {
    for (path, plan) in shipped() {
        let first = plan.tasks.last().unwrap().id.to_string();
        for outcome in [Outcome::Done, Outcome::GateFails, Outcome::Silent] {
            same_end_from_every_prefix(&path, &plan, &[(first.as_str(), 1, outcome)]);
        }
    }
}

#[test]
fn a04_folding_all_at_once_equals_folding_one_by_one() {
    let draw = diamond(MergePolicy::Auto, Handoff::Merged);
    let (whole, _, log) = run(&draw, &[("b1", 1, Outcome::GateFails)]);
    let mut folded = Core::new(draw.plan());
    for envelope in &log {
        folded.replay(envelope).unwrap();
    }
    assert_eq!(folded.state(), whole.state());
}

#[test]
fn ar21_a_conflict_with_upstream_work_is_resolved_by_its_task_from_every_prefix() {
    let sync: Which = |e| matches!(e, Effect::Sync { .. });
    let draw = after_another();
    for script in [vec![], vec![("b2", 1, Outcome::GateFails)], vec![("b2", 1, Outcome::Conflict)]] {
        let make = || {
            let mut world = world(&script);
            world.refuses = Some((sync, FailureKind::Conflict));
            world
        };
        let (mut whole, mut log) = (Core::new(draw.plan()), Vec::new());
        drive(&mut whole, &mut make(), begin(), &mut log);
        assert_eq!(whole.state().run.status, Some(RunStatus::Completed), "{:?}", statuses(&whole));
        assert_eq!(whole.state().tasks[2].attempts[0].start, Some(sha(4001)), "both sides, marked");
        assert_eq!(whole.state().lanes[1].contains.len(), 1);
        for cut in 0..log.len() {
            let mut core = Core::new(draw.plan());
            for envelope in &log[..cut] {
                core.replay(envelope).unwrap();
            }
            core.recount();
            let (mut again, mut inputs) = (log[..cut].to_vec(), begin());
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut make(), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
        }
    }
}

#[test]
fn ar21_a_nest_comes_to_the_same_end_from_every_prefix() {
    for (merge, end) in [(MergePolicy::Auto, RunStatus::Completed), (MergePolicy::Review, RunStatus::Blocked)]
    {
        let plan = nest(merge);
        let (mut whole, mut log) = (Core::new(Arc::clone(&plan)), Vec::new());
        drive(&mut whole, &mut world(&[("d1", 1, Outcome::GateFails)]), begin(), &mut log);
        assert_eq!(whole.state().run.status, Some(end), "{:?}", statuses(&whole));
        for cut in 0..log.len() {
            let mut core = Core::new(Arc::clone(&plan));
            for envelope in &log[..cut] {
                core.replay(envelope).unwrap();
            }
            core.recount();
            let (mut again, mut inputs) = (log[..cut].to_vec(), begin());
            if let Input::Control(control) = &mut inputs[1] {
                control.id = "attach-again".into();
            }
            drive(&mut core, &mut world(&[("d1", 1, Outcome::GateFails)]), inputs, &mut again);
            assert_eq!(statuses(&core), statuses(&whole), "restarted after event {cut}");
        }
    }
}
