//! Lanes that reached their target bit by bit.

use super::undo::{lane, with_origin};
use super::*;
use crate::event::LaneStatus;
use crate::id::TaskId;
use crate::signal::Verb;

const THREE: &str = r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
[[tasks]]
id = "two"
workstream = "a"
needs = ["one"]
run = "echo two > two"
[[tasks]]
id = "three"
workstream = "a"
needs = ["two"]
run = "echo three > three"
"#;

/// The commit of the lane by which a task landed.
fn landing(bench: &Bench, task: usize) -> String {
    let landing = bench.state().tasks[task].attempts[0].landing.clone().unwrap();
    landing.commit.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_lane_that_people_merged_bit_by_bit_is_taken_out_whole() {
    for first in ["git merge -q --no-ff --no-edit", "git merge -q --ff-only"] {
        let bench = Bench::new(&graph(THREE));
        bench.drive().await;
        let (one, two) = (landing(&bench, 0), landing(&bench, 1));
        sh(
            bench.dir.path(),
            &format!(
                "git checkout -q main && {first} {one} && echo theirs > theirs && git add theirs && git commit -qm theirs
                 git merge -q --no-ff --no-edit {two} && git merge -q --no-ff --no-edit laneway/g/a/integration"
            ),
        );
        assert_eq!(bench.files("main"), ["file", "one", "theirs", "three", "two"]);
        std::fs::write(bench.plan.places.board.join("lanes/a/merged"), "yes").unwrap();
        assert_eq!(bench.drive().await.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
        let plan = bench.plan_undo(&lane("a"));
        assert!(probe_undo(&bench.project, &bench.state(), &plan).unwrap().is_empty());
        let answer = bench.undo(lane("a")).await;
        assert!(matches!(answer, Answer::Taken(_)), "{first}: {answer:?}");
        let revert = bench.state().lanes[0].revert.clone().unwrap();
        assert_eq!(bench.files(&revert.branch), ["file", "theirs"], "{first}: {}", bench.told());
        let answer = bench.ask(Verb::Merge { pr: revert.at.number, sha: None }).await;
        assert!(matches!(answer, Answer::Taken(_)), "{first}: {answer:?}");
        assert_eq!(bench.files("main"), ["file", "theirs"]);
        assert_eq!(bench.state().lanes[0].status, LaneStatus::Reset);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_lane_that_took_another_in_is_taken_out_without_that() {
    let bench = Bench::on(
        with_origin(),
        &graph(
            r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
[[tasks]]
id = "two"
workstream = "b"
needs = ["one"]
run = "cat one > two"
"#,
        ),
    );
    bench.drive().await;
    for lane in 0..2 {
        let answer = bench.ask(Verb::Merge { pr: bench.number(lane), sha: None }).await;
        assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
        bench.drive().await;
    }
    let answer = bench.undo(lane("b")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let revert = bench.state().lanes[1].revert.clone().unwrap();
    assert_eq!(bench.files(&revert.branch), ["file", "one"], "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_person_merges_the_branch_before_its_last_task_and_the_rest_follows_and_goes_with_it() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
[[tasks]]
id = "rest"
workstream = "a"
needs = ["one"]
attempts = 1
run = "test -e ../../../go && echo rest > rest"
"#,
    ));
    bench.drive().await;
    let rest = || vec![TaskId::new("rest").unwrap()];
    bench.ask(Verb::Skip { tasks: rest(), lanes: vec![] }).await;
    assert_eq!(bench.drive().await.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    sh(
        bench.dir.path(),
        "git merge -q --no-ff --no-edit laneway/g/a/integration && echo go >> .git/info/exclude && touch go",
    );
    let answer = bench.ask(Verb::Retry { tasks: rest(), lanes: vec![] }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    assert_eq!(bench.files("main"), ["file", "one"], "what a person merged is no landing of the whole");
    let answer = bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.files("main"), ["file", "one", "rest"]);
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Merged);
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let revert = bench.state().lanes[0].revert.clone().unwrap();
    bench.ask(Verb::Merge { pr: revert.at.number, sha: None }).await;
    assert_eq!(bench.files("main"), ["file"], "{}", bench.told());
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_lane_that_was_merged_with_a_fix_of_its_review_is_taken_out_with_it() {
    let bench = Bench::new(&graph(THREE));
    bench.drive().await;
    bench.git("worktree add -q .git/review laneway/g/a/integration --force");
    sh(
        bench.dir.path(),
        "cd .git/review && echo fix > fix && git add fix && git commit -qm 'A fix of the review'",
    );
    let answer = bench.ask(Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Merged);
    sh(bench.dir.path(), "git worktree remove --force .git/review");
    let answer = bench.undo(lane("a")).await;
    assert!(bench.state().lanes[0].revert.is_some(), "{answer:?} {}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar18_a_colleagues_branch_of_the_same_name_does_not_stop_a_local_merge() {
    let bench = Bench::on(with_origin(), &graph(THREE));
    let other = bench.git("commit-tree main^{tree} -p main -m other");
    bench.git(&format!("push -q origin {}:refs/heads/laneway/g/a/integration", other.trim()));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    let answer = bench.ask(Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar18_a_fix_on_origins_branch_is_merged_and_the_branch_goes() {
    let bench = Bench::on(with_origin(), &graph(THREE));
    bench.drive().await;
    bench.git("worktree add -q --detach .git/review laneway/g/a/integration");
    sh(
        bench.dir.path(),
        "cd .git/review && echo fix > fix && git add fix && git commit -qm 'A fix of the review' \
         && cd ../.. && git push -q origin $(git -C .git/review rev-parse HEAD):refs/heads/laneway/g/a/integration && git worktree remove --force .git/review",
    );
    let answer = bench.ask(Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    bench.drive().await;
    assert_eq!(bench.files("main"), ["file", "fix", "one", "three", "two"]);
    let left = bench.git("ls-remote origin refs/heads/laneway/g/a/integration");
    assert_eq!(left, "", "{:?}", bench.state().lanes[0].remarks);
}
