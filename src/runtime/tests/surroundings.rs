//! Lanes and what surrounds them: origin, the user's branches, what is left at the end.

use super::*;
use crate::event::{LaneStatus, RunStatus};

/// A repository with a bare origin that has moved on by one commit; `main` here has one that was not pushed.
fn behind_origin() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    sh(
        dir.path(),
        "git init -q --bare -b main origin.git && git clone -q origin.git here 2>/dev/null && cd here
         git config user.name T && git config user.email t@example.org && git checkout -q -B main
         echo one > file && git add file && git commit -qm one && git push -q origin main
         git clone -q ../origin.git ../there && cd ../there && git config user.name U && git config user.email u@example.org
         echo two > theirs && git add theirs && git commit -qm two && git push -q origin main
         cd ../here && echo mine > mine && git add mine && git commit -qm mine",
    );
    dir
}

/// A bench in the clone `here` of such a folder, which has to live as long.
fn clone_bench(text: &str) -> (tempfile::TempDir, Bench) {
    let outer = behind_origin();
    let inner = tempfile::tempdir_in(outer.path()).unwrap();
    std::fs::remove_dir(inner.path()).unwrap();
    std::fs::rename(outer.path().join("here"), inner.path()).unwrap();
    let bench = Bench::on(inner, text);
    (outer, bench)
}

const ONE_LANE: &str = r#"
[[workstreams]]
id = "a"
TEARDOWN
[[tasks]]
id = "one"
workstream = "a"
attempts = 1
run = "COMMAND"
"#;

fn one_lane(command: &str, teardown: &str) -> String {
    graph(&ONE_LANE.replace("COMMAND", command).replace("TEARDOWN", teardown))
}

#[tokio::test(flavor = "multi_thread")]
async fn ar06_a_lane_is_cut_from_the_freshly_fetched_base_and_pushed() {
    let (outer, bench) = clone_bench(&one_lane("cat theirs > x; test ! -e mine", ""));
    let before = bench.git("rev-parse main refs/remotes/origin/main HEAD");
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    assert_eq!(bench.git("rev-parse main refs/remotes/origin/main HEAD"), before, "the user's branches stay");
    let pushed = sh(&outer.path().join("origin.git"), "git show laneway/g/a/integration:x");
    assert_eq!(pushed, "two\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn p03_unpushed_commits_are_not_published_by_a_merge() {
    let (outer, bench) = clone_bench(&one_lane("echo x > x", ""));
    bench.drive().await;
    let answer = bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(&answer, Answer::Rejected { reason, .. } if reason.contains("diverged")), "{answer:?}");
    let origin = sh(&outer.path().join("origin.git"), "git log --format=%s main");
    assert_eq!(origin, "two\none\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar08_an_origin_that_is_gone_stops_neither_the_lane_nor_its_end() {
    let (outer, bench) = clone_bench(&graph(
        r#"
[[workstreams]]
id = "a"
merge = "auto"
[[tasks]]
id = "one"
workstream = "a"
run = "echo x > x"
"#,
    ));
    std::fs::rename(outer.path().join("origin.git"), outer.path().join("moved.git")).unwrap();
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, crate::event::TaskStatus::Merged, "{}", bench.told());
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    assert_eq!(bench.git("show main:x"), "x\n");
    assert!(!state.lanes[0].remarks.is_empty(), "what was not pushed is said: {}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar08_a_worktree_that_somebody_locked_stays_and_the_lane_is_merged() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
merge = "auto"
[[tasks]]
id = "one"
workstream = "a"
run = "echo x > x; git worktree lock --reason mine ."
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    assert!(state.lanes[0].remarks.iter().any(|r| r.contains("locked")), "{:?}", state.lanes[0].remarks);
    assert!(bench.plan.lanes[0].worktree.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar29_the_worktree_goes_or_stays_as_the_graph_says_and_logs_stay() {
    for (teardown, succeeds, stays) in [
        ("teardown = \"always\"", false, false),
        ("teardown = \"on_success\"", false, true),
        ("teardown = \"never\"", true, true),
        ("teardown = \"on_success\"", true, false),
    ] {
        let command = if succeeds { "echo told; echo x > x" } else { "echo told; echo kept > kept; exit 1" };
        let bench = Bench::new(&one_lane(command, &format!("merge = \"auto\"\n{teardown}")));
        let state = bench.drive().await;
        let status = if succeeds { LaneStatus::Merged } else { LaneStatus::Failed };
        assert_eq!(state.lanes[0].status, status, "{}", bench.told());
        assert_eq!(bench.plan.lanes[0].worktree.exists(), stays, "{teardown}: {}", bench.told());
        let log = bench.plan.places.record.join("attempts/one/1/agent.log");
        assert_eq!(std::fs::read_to_string(log).unwrap(), "told\n");
        if !succeeds {
            let kept = bench.git("show laneway/g/a/task/one/1:kept");
            assert_eq!(kept, "kept\n", "the work of a failed attempt is not lost");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_a_failed_lane_goes_on_after_a_retry_even_when_its_worktree_is_gone() {
    let bench = Bench::new(&one_lane("test -e ../../../go && echo x > x", "teardown = \"always\""));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Failed), "{}", bench.told());
    std::fs::write(bench.dir.path().join("go"), "").unwrap();
    let answer = bench.ask(crate::signal::Verb::Retry { tasks: vec![], lanes: vec![] }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
}
