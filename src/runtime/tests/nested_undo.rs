//! Resets of lanes in lanes, on real repositories.

use super::undo::{lane, task};
use super::*;
use crate::event::{LaneStatus, RunStatus, TaskStatus, UndoTarget};
use crate::id::TaskId;
use crate::signal::Verb;

const TASKS: [&str; 4] = ["begin", "deep", "other", "end"];

/// `mid` is nested in `top`; both of its tasks stand on the first of `top`.
fn nest(mid: &str) -> Bench {
    let lanes = format!(
        "[[workstreams]]\nid = \"top\"\n[[workstreams]]\nid = \"mid\"\nparent = \"top\"\nmerge = \"{mid}\"\n"
    );
    let tasks = TASKS.map(|id| {
        let lane = if matches!(id, "deep" | "other") { "mid" } else { "top" };
        let needs = if id == "begin" { "" } else { "needs = [\"begin\"]\n" };
        format!("[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\n{needs}run = \"echo {id} > {id}\"\n")
    });
    Bench::new(&graph(&(lanes + &tasks.concat())))
}

const TOP: &str = "laneway/g/top/integration";
const MID: &str = "laneway/g/mid/integration";

/// The files of `mid` but for the one that it may have taken in from its parent or not.
fn own(bench: &Bench) -> Vec<String> {
    bench.files(MID).into_iter().filter(|file| file != "end").collect()
}

async fn retry(bench: &Bench, tasks: &[&str]) -> State {
    let tasks = tasks.iter().map(|t| TaskId::new(t).unwrap()).collect();
    let answer = bench.ask(Verb::Retry { tasks, lanes: vec![] }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    bench.drive().await
}

async fn undone(bench: &Bench, of: UndoTarget) -> State {
    let plan = bench.plan_undo(&of);
    let problems = probe_undo(&bench.project, &bench.state(), &plan).unwrap();
    assert!(problems.is_empty(), "{problems:?}");
    let answer = bench.undo(of).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}: {}", bench.told());
    bench.state()
}

fn statuses(state: &State) -> ([LaneStatus; 2], [TaskStatus; 4]) {
    let (lanes, tasks) = (&state.lanes, &state.tasks);
    ([lanes[0].status, lanes[1].status], [0, 1, 2, 3].map(|t| tasks[t].status))
}

#[track_caller]
fn expect_all(bench: &Bench, state: &State) {
    assert_eq!(bench.files(TOP), ["begin", "deep", "end", "file", "other"], "{}", bench.told());
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_nested_lane_that_its_parent_has_goes_as_a_whole_and_comes_again() {
    use LaneStatus::{Active, Reset};
    for of in [task("deep"), lane("mid")] {
        let bench = nest("auto");
        expect_all(&bench, &bench.drive().await);
        let state = undone(&bench, of.clone()).await;
        assert_eq!(statuses(&state).0, [Active, Reset], "{of:?}: {}", bench.told());
        assert_eq!(bench.files(TOP), ["begin", "end", "file"], "{of:?}");
        assert_eq!(bench.git("for-each-ref refs/heads/laneway/g/mid"), "");
        let state = retry(&bench, &["deep", "other"]).await;
        expect_all(&bench, &state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_work_of_a_parent_goes_alone_where_nothing_nested_stands_on_it() {
    let bench = nest("auto");
    bench.drive().await;
    let state = undone(&bench, task("end")).await;
    let (lanes, tasks) = statuses(&state);
    assert_eq!(lanes, [LaneStatus::Active, LaneStatus::Merged]);
    assert_eq!(tasks[1..], [TaskStatus::Merged, TaskStatus::Merged, TaskStatus::Reset]);
    assert_eq!(bench.files(TOP), ["begin", "deep", "file", "other"]);
    let state = retry(&bench, &["end"]).await;
    expect_all(&bench, &state);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_work_of_a_parent_goes_with_what_nested_lanes_built_on_it() {
    for (mid, whole) in [("auto", true), ("review", false)] {
        let bench = nest(mid);
        bench.drive().await;
        let state = undone(&bench, task("begin")).await;
        assert_eq!(statuses(&state).1, [TaskStatus::Reset; 4], "{mid}");
        assert_eq!(statuses(&state).0[1] == LaneStatus::Reset, whole, "{mid}");
        assert_eq!(bench.files(TOP), ["file"], "{mid}: {}", bench.told());
        let state = retry(&bench, &TASKS).await;
        if !whole {
            let answer = bench.ask(Verb::Merge { pr: bench.number(1), sha: None }).await;
            assert!(matches!(answer, Answer::Taken(_)), "{answer:?}: {}", bench.told());
            expect_all(&bench, &bench.drive().await);
            continue;
        }
        expect_all(&bench, &state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_task_of_a_nested_lane_that_waits_for_review_is_taken_back_there() {
    let bench = nest("review");
    bench.drive().await;
    let state = undone(&bench, task("deep")).await;
    assert_eq!(statuses(&state).0, [LaneStatus::Active; 2], "{}", bench.told());
    assert_eq!(own(&bench), ["begin", "file", "other"], "{}", bench.told());
    retry(&bench, &["deep"]).await;
    let answer = bench.ask(Verb::Merge { pr: bench.number(1), sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}: {}", bench.told());
    let state = bench.drive().await;
    expect_all(&bench, &state);
    let state = undone(&bench, lane("mid")).await;
    assert_eq!(statuses(&state).0[1], LaneStatus::Reset);
    assert_eq!(bench.files(TOP), ["begin", "end", "file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_parent_goes_with_its_nested_lanes_before_it_is_merged() {
    for mid in ["auto", "review"] {
        let bench = nest(mid);
        bench.drive().await;
        let state = undone(&bench, lane("top")).await;
        assert_eq!(statuses(&state), ([LaneStatus::Reset; 2], [TaskStatus::Reset; 4]), "{mid}");
        assert_eq!(bench.git("for-each-ref refs/heads/laneway/g"), "", "{mid}");
        let state = retry(&bench, &TASKS).await;
        if mid == "auto" {
            expect_all(&bench, &state);
        } else {
            assert_eq!(own(&bench), ["begin", "deep", "file", "other"], "{}", bench.told());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_task_of_a_nested_lane_goes_by_a_revert_of_the_merged_parent() {
    for of in [task("deep"), lane("mid"), task("end"), lane("top")] {
        let bench = nest("auto");
        bench.drive().await;
        let answer = bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
        assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
        sh(bench.dir.path(), "echo theirs > theirs && git add theirs && git commit -qm theirs");
        let state = undone(&bench, of.clone()).await;
        let revert = state.lanes[0].revert.clone().expect("the parent's target has it");
        assert_eq!(bench.files(&revert.branch), ["file", "theirs"], "{of:?}");
        assert_eq!(
            statuses(&state).0,
            [LaneStatus::Merged; 2],
            "{of:?}: nothing goes before a person merges"
        );
        let answer = bench.ask(Verb::Merge { pr: revert.at.number, sha: None }).await;
        assert!(matches!(answer, Answer::Taken(_)), "{of:?}: {answer:?}");
        let state = bench.drive().await;
        assert_eq!(statuses(&state), ([LaneStatus::Reset; 2], [TaskStatus::Reset; 4]), "{of:?}");
        assert_eq!(bench.files("main"), ["file", "theirs"], "{of:?}");
        let state = retry(&bench, &TASKS).await;
        expect_all(&bench, &state);
        let answer = bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
        assert!(matches!(answer, Answer::Taken(_)), "{of:?}: {answer:?}");
        assert_eq!(bench.files("main"), ["begin", "deep", "end", "file", "other", "theirs"], "{of:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_nest_whose_revert_is_closed_stays_as_it_was() {
    let bench = nest("auto");
    bench.drive().await;
    bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    let before = statuses(&bench.state());
    let state = undone(&bench, task("deep")).await;
    let number = state.lanes[0].revert.as_ref().unwrap().at.number;
    let answer = bench.ask(Verb::Close { pr: number }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.drive().await;
    assert_eq!(statuses(&state), before);
    assert!(state.lanes.iter().all(|lane| lane.remarks.iter().any(|r| r.starts_with("not undone: "))));
    assert_eq!(bench.files("main"), ["begin", "deep", "end", "file", "other"]);
}

/// A run whose nested lane failed and was gone on without; its parent is merged.
async fn merged_without_child() -> Bench {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "top"
[[workstreams]]
id = "mid"
parent = "top"
merge = "auto"
[[tasks]]
id = "begin"
workstream = "top"
run = "echo begin > begin"
[[tasks]]
id = "deep"
workstream = "mid"
needs = ["begin"]
attempts = 1
run = "test -e ../../../go && echo deep > deep"
"#,
    ));
    bench.drive().await;
    let deep = TaskId::new("deep").unwrap();
    let answer = bench.ask(Verb::Skip { tasks: vec![deep], lanes: vec![] }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    let answer = bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.files("main"), ["begin", "file"]);
    sh(bench.dir.path(), "touch go && echo go >> .git/info/exclude");
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_nested_lane_retried_after_its_parent_merged_says_how_it_comes_in_after_all() {
    let bench = merged_without_child().await;
    let before = bench.state();
    let deep = || vec![TaskId::new("deep").unwrap()];
    for _ in 0..2 {
        let answer = bench.ask(Verb::Retry { tasks: deep(), lanes: vec![] }).await;
        let Answer::Rejected { reason, .. } = answer else { panic!("{answer:?}") };
        assert!(reason.contains("lane `top`, which its work would go into, is merged"), "{reason}");
        assert!(reason.contains("laneway reset workstream top"), "{reason}");
        // To skip it once more changes nothing.
        let answer = bench.ask(Verb::Skip { tasks: deep(), lanes: vec![] }).await;
        assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
        let state = bench.drive().await;
        assert_eq!(state.lanes[1].status, before.lanes[1].status);
        assert_eq!((state.tasks[1].status, state.tasks[1].attempts.len()), (TaskStatus::Failed, 1));
        assert_eq!(state.run.status, Some(RunStatus::Completed));
    }
    let state = undone(&bench, lane("top")).await;
    let number = state.lanes[0].revert.as_ref().unwrap().at.number;
    bench.ask(Verb::Merge { pr: number, sha: None }).await;
    assert_eq!(bench.files("main"), ["file"]);
    let state = retry(&bench, &["begin", "deep"]).await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.files(TOP), ["begin", "deep", "file"], "{}", bench.told());
    bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    assert_eq!(bench.files("main"), ["begin", "deep", "file"]);
}
