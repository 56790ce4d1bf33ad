//! From a task to a merged lane.

use super::*;
use crate::event::{LaneStatus, RunStatus, TaskStatus};

#[tokio::test(flavor = "multi_thread")]
async fn ar07_a_task_goes_from_prompt_to_pull_request() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "write"
prompt = "RUN: echo two > two; echo finished > $LANEWAY_SIGNALS/done"
gate = "grep -q two two"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated);
    assert_eq!(bench.git("show laneway/g/default/integration:two"), "two\n");
    assert_eq!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap(), Vec::<String>::new());
    let again = bench.drive().await;
    assert_eq!(again.run.status, Some(RunStatus::Completed));
}

#[tokio::test(flavor = "multi_thread")]
async fn ar18_an_automatic_merge_moves_the_target_and_its_clean_checkout() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "default"
merge = "auto"
[[tasks]]
id = "write"
run = "echo two > two"
gate = "test -f two"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    assert_eq!(state.tasks[0].status, TaskStatus::Merged);
    assert_eq!(bench.git("show main:two"), "two\n");
    assert_eq!(bench.git("status --porcelain"), "", "the checkout moved along");
    assert!(state.lanes[0].worktree.is_none(), "torn down: {}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_a_claim_without_work_is_not_done_and_the_next_attempt_is_told() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "write"
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = "RUN: if test $LANEWAY_ATTEMPT = 2; then echo two > two; fi; : > $LANEWAY_SIGNALS/done"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 2);
    let told = bench.project.board(&bench.plan.graph, RunNo(1)).attempt_dir(&bench.plan.tasks[0].id, 2);
    let text = std::fs::read_to_string(told.join("instructions.md")).unwrap();
    assert!(text.contains("nothing was changed"), "{text}");
}
