//! Gates whose landing is called off, and those that a killed orchestrator has left.

use super::*;
use crate::event::{AttemptStatus, Entity, LaneStatus, RunStatus, TaskStatus};
use crate::signal::{Target, Verb};

/// Two lanes with a task each. The gate of `one` says who it is and never ends, unless it may pass; the gate of `two` goes
/// on once it may. The timeout only ends a test where it fails.
const TWO_GATES: &str = r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
attempts = 1
run = "echo one > one"
gate = { run = "cd $(git rev-parse --git-common-dir); if test -e pass; then exit 0; fi; echo $$ > first; exec sleep 100000", timeout = "1m" }
[[tasks]]
id = "two"
workstream = "b"
attempts = 1
run = "echo two > two"
gate = { run = "cd $(git rev-parse --git-common-dir); echo $$ > second; until test -e go; do sleep 0.01; done", timeout = "1m" }
"#;

fn in_git(bench: &Bench, file: &str) -> std::path::PathBuf {
    bench.dir.path().join(".git").join(file)
}

fn cancel(bench: &Bench, task: usize) -> Verb {
    Verb::Cancel { target: Target::Task(bench.plan.tasks[task].id.clone()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_calling_one_task_off_ends_its_gate_and_no_other() {
    let bench = Bench::new(&graph(TWO_GATES));
    let (tell, mut events) = mpsc::unbounded_channel();
    let asked = async {
        let gates = (told_in(&in_git(&bench, "first")).await, told_in(&in_git(&bench, "second")).await);
        bench.submit(cancel(&bench, 0));
        heard(&mut events, |e| is_now(e, "one", Entity::Attempt, "cancelled")).await;
        assert!(!lives(&gates.0), "the gate is still at work");
        assert!(lives(&gates.1), "the other lane's gate was ended too");
        std::fs::write(in_git(&bench, "go"), "").unwrap();
    };
    let (state, ()) = tokio::join!(bench.drive_telling(Some(tell)), asked);
    assert_eq!(state.tasks[0].status, TaskStatus::Cancelled, "{}", bench.told());
    assert_eq!(state.tasks[0].attempts[0].status, AttemptStatus::Cancelled);
    assert_eq!(bench.git("rev-parse laneway/g/a/integration"), bench.git("rev-parse main"), "it landed");
    assert_eq!(state.tasks[1].status, TaskStatus::Merged, "{}", bench.told());
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_one_interrupt_ends_a_gate_once_the_grace_is_over() {
    let bench = Bench::new(&graph(TWO_GATES));
    std::fs::write(in_git(&bench, "go"), "").unwrap();
    let (interrupt, interrupts) = mpsc::unbounded_channel();
    let asked = async {
        let gate = told_in(&in_git(&bench, "first")).await;
        interrupt.send(()).unwrap();
        gate
    };
    let (state, gate) = tokio::join!(bench.drive_hearing(None, interrupts), asked);
    assert!(!lives(&gate), "the gate is still at work");
    assert!(bench.told().contains("was interrupted"), "it came to its end by itself: {}", bench.told());
    let first = &state.tasks[0].attempts[0];
    assert_eq!(first.status, AttemptStatus::Cancelled, "{}", bench.told());
    assert_eq!((first.reason.as_deref(), state.tasks[0].failures), (Some("interrupted"), 0));
    assert_eq!(bench.git("rev-parse laneway/g/a/integration"), bench.git("rev-parse main"), "it landed");
    std::fs::write(in_git(&bench, "pass"), "").unwrap();
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[0].status, TaskStatus::Merged);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar24_a_landing_that_was_called_off_is_not_made_by_the_next_orchestrator() {
    let bench = Bench::new(&graph(TWO_GATES));
    std::fs::write(in_git(&bench, "go"), "").unwrap();
    let (tell, mut events) = mpsc::unbounded_channel();
    let asked = async {
        let gate = told_in(&in_git(&bench, "first")).await;
        // The gate that waits does not see it; one that were run again would pass.
        std::fs::write(in_git(&bench, "pass"), "").unwrap();
        bench.submit(cancel(&bench, 0));
        heard(&mut events, |e| resume::intends(std::slice::from_ref(e), "stop/one")).await;
        gate
    };
    let gate = tokio::select! {
        biased;
        gate = asked => gate,
        state = bench.drive_telling(Some(tell)) => panic!("the run ended: {:?}", state.run),
    };
    let state = bench.drive().await;
    assert!(!lives(&gate), "the gate that was left is still at work");
    assert_eq!(state.tasks[0].attempts[0].status, AttemptStatus::Cancelled, "{}", bench.told());
    assert_eq!(bench.git("rev-parse laneway/g/a/integration"), bench.git("rev-parse main"), "it landed");
    assert_eq!(state.tasks[1].status, TaskStatus::Merged, "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_after_a_run_was_called_off_gates_of_a_retry_run_again() {
    // What is called off takes its time to end, so that the same orchestrator hears of the retry.
    let bench = Bench::with_grace(
        repository(),
        &graph(
            r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
attempts = 1
run = "test -e $(git rev-parse --git-common-dir)/go && echo one > one"
gate = "test -e one"
[[tasks]]
id = "slow"
workstream = "b"
run = "trap '' TERM; cd $(git rev-parse --git-common-dir); echo $$ > slow; until test -e end; do sleep 0.01; done"
"#,
        ),
        3_600_000,
    );
    let (tell, mut events) = mpsc::unbounded_channel();
    let asked = async {
        told_in(&in_git(&bench, "slow")).await;
        heard(&mut events, |e| is_now(e, "one", Entity::Task, "failed")).await;
        bench.submit(Verb::Cancel { target: Target::Run });
        heard(&mut events, |e| resume::intends(std::slice::from_ref(e), "stop/slow")).await;
        std::fs::write(in_git(&bench, "go"), "").unwrap();
        bench.submit(Verb::Retry { tasks: vec![bench.plan.tasks[0].id.clone()], lanes: vec![] });
        let over = |e: &Envelope| ["merged", "failed"].iter().any(|to| is_now(e, "one", Entity::Task, to));
        heard(&mut events, over).await;
        std::fs::write(in_git(&bench, "end"), "").unwrap();
    };
    let (state, ()) = tokio::join!(bench.drive_telling(Some(tell)), asked);
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(state.tasks[1].status, TaskStatus::Cancelled, "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar24_a_lane_gate_that_was_left_behind_is_ended_at_the_next_start() {
    for merge in ["review", "auto"] {
        let bench = Bench::new(&graph(&format!(
            r#"
[[workstreams]]
id = "a"
merge = "{merge}"
gate = {{ run = "cd $(git rev-parse --git-common-dir); if test -e pass; then exit 0; fi; echo $$ > first; exec sleep 100000", timeout = "1m" }}
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
"#
        )));
        let first = in_git(&bench, "first");
        let gate = tokio::select! {
            state = bench.drive() => panic!("the run ended: {:?}", state.run),
            gate = told_in(&first) => gate,
        };
        assert!(bench.told().contains("\"prove/a/"), "{}", bench.told());
        assert!(lives(&gate), "the gate died with its orchestrator");
        std::fs::write(in_git(&bench, "pass"), "").unwrap();
        let state = bench.drive().await;
        assert!(!lives(&gate), "the gate that was left is still at work");
        let status = if merge == "auto" { LaneStatus::Merged } else { LaneStatus::PrCreated };
        assert_eq!(state.lanes[0].status, status, "{}", bench.told());
    }
}
