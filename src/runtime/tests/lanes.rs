//! Lanes with one another, and with the people around them.

use super::*;
use crate::event::{LaneStatus, RunStatus, TaskStatus};

#[tokio::test(flavor = "multi_thread")]
async fn ar21_work_flows_from_lane_to_lane_when_it_is_ready() {
    let bench = Bench::new(&graph(
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
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/b/integration:two"), "one\n");
    for lane in 0..2 {
        let told = |state: &State| crate::view::pull_request(&bench.plan, state, lane, &[]).body;
        assert_eq!(told(&state.about(lane)), told(&state), "a lane's part says as much of it as the whole");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p17_two_tasks_that_change_one_line_both_land_after_the_owner_saw_the_conflict() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
parallel = 2
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > $LANEWAY_SIGNALS/progress; echo from-one > file"
[[tasks]]
id = "two"
workstream = "a"
attempts = 2
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = '''
RUN: if test $LANEWAY_ATTEMPT = 1; then while ! git log --format=%s laneway/g/a/integration | grep -q 'a/one'; do :; done; fi
RUN: cat file > seen; echo from-two > file; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[1].attempts.len(), 2, "{}", bench.told());
    assert!(state.tasks[1].attempts[0].conflict.is_some());
    assert_eq!(
        bench.git("show laneway/g/a/integration:seen"),
        "from-one\n",
        "the second attempt began at the lane's tip"
    );
    let told = bench.project.board(&bench.plan.graph, RunNo(1)).attempt_dir(&bench.plan.tasks[1].id, 2);
    let text = std::fs::read_to_string(told.join("instructions.md")).unwrap();
    assert!(text.contains("<<<<<<<") || text.contains("CONFLICT"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_a_merge_into_a_dirty_checkout_is_refused_with_the_hint_and_can_be_made_later() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
merge = "auto"
[[tasks]]
id = "one"
workstream = "a"
run = "echo theirs > file"
"#,
    ));
    std::fs::write(bench.dir.path().join("file"), "mine\n").unwrap();
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    assert_eq!(bench.git("show main:file"), "one\n");
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("file")).unwrap(), "mine\n");
    bench.git("checkout -q file");
    let answer = bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.git("show main:file"), "theirs\n");
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("file")).unwrap(), "theirs\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar17_a_design_concern_holds_an_automatic_merge_and_an_ops_concern_does_not() {
    for (dir, merged) in [("concerns", false), ("ops-concerns", true)] {
        let bench = Bench::new(&graph(&format!(
            r#"
[[workstreams]]
id = "a"
merge = "auto"
[[tasks]]
id = "one"
workstream = "a"
prompt = "RUN: echo careful > $LANEWAY_SIGNALS/{dir}/1; echo x > x; : > $LANEWAY_SIGNALS/done"
"#
        )));
        let state = bench.drive().await;
        assert_eq!(state.lanes[0].status == LaneStatus::Merged, merged, "{}", bench.told());
        assert_eq!(state.lanes[0].concerns.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar09_a_status_file_from_outside_is_an_input() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
run = "echo x > x"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated);
    let lane = bench.plan.places.board.join("lanes/a");
    std::fs::write(lane.join("merged"), "yes").unwrap();
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "saying so does not make it so");
    assert!(!lane.join("merged").exists());
    bench.git("merge -q --no-edit laneway/g/a/integration");
    std::fs::write(lane.join("merged"), "yes, really").unwrap();
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    std::fs::remove_file(lane.join("pr_created")).unwrap();
    let differences = verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(rebuild(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().len(), 1);
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar09_a_lane_that_a_person_gives_up_ends_its_attempt() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
prompt = 'RUN: echo enough > "$LANEWAY_SIGNALS/../../../../lanes/a/failed"; sleep 1000'
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Failed, "{}", bench.told());
    assert!(state.lanes[0].reason.as_ref().unwrap().contains("enough"));
    assert_eq!(state.tasks[0].status, TaskStatus::Cancelled);
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_pull_request_closed_unmerged_is_a_clear_end() {
    let bench = Bench::new(
        &graph(
            r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
run = "echo x > x"
[[tasks]]
id = "two"
workstream = "b"
needs = ["one"]
run = "cat x > y"
"#,
        )
        .replacen("name = \"g\"", "name = \"g\"\nhandoff = \"merged\"", 1),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Blocked), "{}", bench.told());
    let answer = bench.ask(crate::signal::Verb::Close { pr: 1 }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Failed);
    assert_eq!(state.tasks[1].status, TaskStatus::Skipped, "{}", bench.told());
    assert_eq!(state.run.status, Some(RunStatus::Failed));
}

#[tokio::test(flavor = "multi_thread")]
async fn ar27_notes_and_summaries_reach_the_tasks_that_they_are_for() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
prompt = '''
RUN: mkdir -p $LANEWAY_SIGNALS/notes/two; echo mind the gap > $LANEWAY_SIGNALS/notes/two/hint
RUN: echo what was done > $LANEWAY_SIGNALS/summary.md; echo x > x; : > $LANEWAY_SIGNALS/done
'''
[[tasks]]
id = "two"
needs = ["one"]
prompt = '''
RUN: cat $LANEWAY_SIGNALS/../inbox/one-hint $LANEWAY_SIGNALS/../context/one.md > told; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/default/integration:told"), "mind the gap\nwhat was done\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_question_is_answered_while_its_agent_waits_for_the_file() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
prompt = '''
RUN: echo left or right > $LANEWAY_SIGNALS/ask/way
RUN: while ! test -e $LANEWAY_SIGNALS/../answers/way; do :; done
RUN: cat $LANEWAY_SIGNALS/../answers/way > way; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    let task = bench.plan.tasks[0].id.clone();
    let verb = crate::signal::Verb::Answer { task, ask: Some("way".into()), text: "left".into() };
    let asked = async {
        let journal = bench.project.record.run_dir(&bench.plan.graph, RunNo(1)).join("journal.jsonl");
        while !std::fs::read_to_string(&journal).unwrap_or_default().contains("left or right") {
            tokio::task::yield_now().await;
        }
        crate::signal::submit(&board, verb, "ann", None, None).unwrap();
    };
    let (state, ()) = tokio::join!(bench.drive(), asked);
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/default/integration:way"), "left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_a_blocked_agent_goes_on_with_the_answer() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
prompt = '''
RUN: answer="$LANEWAY_SIGNALS/../answers/blocked"
RUN: if test -e "$answer"; then cat "$answer" > said; : > $LANEWAY_SIGNALS/done; exit 0; fi
RUN: echo started > begun; echo which one > $LANEWAY_SIGNALS/blocked
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Blocked), "{}", bench.told());
    let task = bench.plan.tasks[0].id.clone();
    let answer = bench.ask(crate::signal::Verb::Answer { task, ask: None, text: "the left".into() }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 1);
    assert_eq!(bench.git("show laneway/g/a/integration:said"), "the left");
    assert_eq!(bench.git("show laneway/g/a/integration:begun"), "started\n", "what it had begun was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar08_a_command_without_a_diff_sees_what_landed_from_other_worktrees() {
    // The first waits for the second to be there, so that works beside the lane's own worktree; it lands last.
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "default"
parallel = 2
[[tasks]]
id = "a"
run = "d=$(git rev-parse --git-common-dir); mkfifo $d/met; read x < $d/met; echo a > a"
[[tasks]]
id = "b"
run = "d=$(git rev-parse --git-common-dir); until test -p $d/met; do :; done; echo here > $d/met; until git cat-file -e laneway/g/default/integration:a; do :; done; echo b > b"
[[tasks]]
id = "look"
run = "test -f a && test -f b"
diff = "none"
needs = ["a", "b"]
attempts = 1
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_command_without_a_diff_runs_on_what_flowed_into_its_lane() {
    let bench = Bench::new(&graph(
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
id = "look"
workstream = "b"
needs = ["one"]
diff = "none"
attempts = 1
run = "cat one"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[1].status, TaskStatus::Completed, "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_custody_never_takes_the_place_of_what_was_kept_before() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "litter"
workstream = "a"
diff = "none"
run = "echo junk > junk"
[[tasks]]
id = "two"
workstream = "a"
needs = ["litter"]
run = "echo two > two"
"#,
    ));
    let first = "refs/laneway/custody/g/1/before/two/1-1";
    bench.git(&format!("update-ref {first} HEAD"));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git(&format!("show {first}.2:junk")), "junk\n");
    assert_eq!(bench.git(&format!("rev-parse {first}")), bench.git("rev-parse main"));
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_what_was_kept_is_told_although_the_lane_could_not_be_set() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "litter"
workstream = "a"
diff = "none"
run = "echo junk > junk; i=$(git rev-parse --git-dir)/index; rm $i; mkdir $i; : > $i/full"
[[tasks]]
id = "two"
workstream = "a"
needs = ["litter"]
attempts = 1
run = "echo two > two"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[1].status, TaskStatus::Failed, "{}", bench.told());
    let kept = bench.git("for-each-ref --format='%(refname)' refs/laneway/custody/g/1/before/two");
    assert_eq!(bench.git(&format!("show {}:junk", kept.lines().next().unwrap())), "junk\n");
    assert!(bench.told().contains(kept.lines().next().unwrap()), "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_a_pull_request_that_was_closed_is_opened_again_by_a_retry() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
run = "echo x > x"
"#,
    ));
    bench.drive().await;
    bench.ask(crate::signal::Verb::Close { pr: 1 }).await;
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Failed, "{}", bench.told());
    let retry = || crate::signal::Verb::Retry { tasks: vec![], lanes: vec![] };
    assert!(matches!(bench.ask(retry()).await, Answer::Taken(_)));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    let again = bench.ask(retry()).await;
    assert!(matches!(&again, Answer::Rejected { reason, .. } if reason == "nothing has failed"), "{again:?}");
    let merged = bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(merged, Answer::Taken(_)), "{merged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar27_an_agent_finds_the_program_that_it_is_told_to_call() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
prompt = 'RUN: echo "$PATH" > path; : > $LANEWAY_SIGNALS/done'
"#,
    ));
    bench.drive().await;
    let own = std::env::current_exe().unwrap().parent().unwrap().display().to_string();
    assert!(bench.git("show laneway/g/default/integration:path").trim().split(':').any(|p| p == own));
}

const CONFLICT: &str = r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "zero"
workstream = "b"
run = "echo from-b > file"
[[tasks]]
id = "one"
workstream = "a"
run = "echo from-a > file; echo a > a"
[[tasks]]
id = "two"
workstream = "b"
needs = ["zero", "one"]
attempts = 2
writes = ["b"]
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = '''
RUN: cp file "seen-$LANEWAY_ATTEMPT" && mv "seen-$LANEWAY_ATTEMPT" ../../..
RUN: echo b > b; : > $LANEWAY_SIGNALS/done
RUN: if test $LANEWAY_ATTEMPT = 2; then RESOLVE; fi
'''
"#;

#[tokio::test(flavor = "multi_thread")]
async fn ar21_upstream_work_that_conflicts_is_resolved_by_the_task_that_needs_it() {
    let bench = Bench::new(&graph(&CONFLICT.replace("RESOLVE", "echo both > file")));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let first = &state.tasks[2].attempts[0];
    assert!(first.reason.as_deref().is_some_and(|why| why.contains("conflict markers are left in file")));
    assert_eq!(state.tasks[2].attempts.len(), 2);
    let seen = std::fs::read_to_string(bench.dir.path().join("seen-1")).unwrap();
    assert!(seen.contains("<<<<<<<") && seen.contains("from-a") && seen.contains("from-b"), "{seen}");
    assert_eq!(bench.git("show laneway/g/b/integration:file"), "both\n");
    assert_eq!(bench.git("show laneway/g/b/integration:a"), "a\n", "all of the upstream's work is there");
    bench.git("merge-base --is-ancestor laneway/g/a/integration laneway/g/b/integration");
    assert_eq!(state.lanes[1].contains.len(), 1);
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    let told = board.attempt_dir(&bench.plan.tasks[2].id, 1).join("instructions.md");
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("conflict markers") && told.contains("- `file`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_conflict_that_nobody_resolves_fails_the_task_and_its_lane() {
    let bench = Bench::new(&graph(&CONFLICT.replace("RESOLVE", "true")));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Failed), "{}", bench.told());
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated);
    assert_eq!(state.lanes[1].status, LaneStatus::Failed);
    assert_eq!(bench.git("show laneway/g/b/integration:file"), "from-b\n", "no marker reaches the lane");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_stacked_pull_request_moves_to_the_target_when_its_upstream_lands() {
    let bench = Bench::new(&graph(
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
run = "echo two >> one"
"#,
    ));
    bench.drive().await;
    let forge = crate::forge::LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    let stacked = forge.get(2).unwrap();
    assert_eq!(stacked.base, "laneway/g/a/integration");
    // The upstream's pull request is squashed by other hands.
    bench.git("merge -q --squash laneway/g/a/integration");
    bench.git("commit -qm squashed");
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    let id = crate::id::LaneId::new("a").unwrap();
    std::fs::write(board.lane_dir(&id).join("merged"), "by hand\n").unwrap();
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    let now = forge.get(2).unwrap();
    assert_eq!((now.base.as_str(), now.draft), ("main", false), "{}", bench.told());
    assert_eq!(Some(&now.head_sha), state.lanes[1].tip.as_ref());
    assert_eq!(
        bench.git("diff --stat main...laneway/g/b/integration"),
        " one | 1 +\n 1 file changed, 1 insertion(+)\n"
    );
    bench.ask(crate::signal::Verb::Merge { pr: 2, sha: None }).await;
    assert_eq!(bench.git("show main:one"), "one\ntwo\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn s20_a_pull_request_that_a_person_closed_unseen_is_opened_again_by_a_retry_only() {
    let bench = Bench::new(&graph(
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
run = "echo two >> one"
"#,
    ));
    bench.drive().await;
    let forge = crate::forge::LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    let closed = crate::forge::Closed { by: "carol".to_owned(), at: "2026-01-01T00:00:00Z".to_owned() };
    forge.close(2, closed).unwrap();
    bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    let state = bench.drive().await;
    assert_eq!(forge.get(2).unwrap().state, crate::forge::PrState::Closed, "{}", bench.told());
    assert_eq!(state.lanes[1].status, LaneStatus::Failed, "{}", bench.told());
    let why = state.lanes[1].reason.clone().unwrap_or_default();
    assert_eq!(why, "pull request #2 was closed unmerged by carol");
    bench.ask(crate::signal::Verb::Retry { tasks: Vec::new(), lanes: Vec::new() }).await;
    let state = bench.drive().await;
    assert_eq!(state.lanes[1].status, LaneStatus::PrCreated, "{}", bench.told());
    let now = forge.get(2).unwrap();
    assert_eq!((now.state, now.base.as_str()), (crate::forge::PrState::Open, "main"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_lanes_nest_three_deep_and_hand_their_work_up_and_down() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "core"
[[workstreams]]
id = "mid"
parent = "core"
merge = "auto"
[[workstreams]]
id = "leaf"
parent = "mid"
merge = "auto"
[[tasks]]
id = "begin"
workstream = "core"
run = "echo core > core"
[[tasks]]
id = "go"
workstream = "mid"
needs = ["begin"]
run = "cat core > mid"
[[tasks]]
id = "deep"
workstream = "leaf"
needs = ["go"]
run = "cat core mid > leaf"
[[tasks]]
id = "end"
workstream = "core"
needs = ["deep", "go"]
run = "cat leaf mid > end"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let statuses: Vec<_> = state.lanes.iter().map(|l| l.status).collect();
    assert_eq!(statuses, [LaneStatus::PrCreated, LaneStatus::Merged, LaneStatus::Merged]);
    assert_eq!(bench.git("show laneway/g/core/integration:end"), "core\ncore\ncore\n");
    let forge = crate::forge::LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    let bases: Vec<_> = (1..=3).map(|n| forge.get(n).unwrap().base).collect();
    assert_eq!(bases, ["laneway/g/mid/integration", "laneway/g/core/integration", "main"]);
    assert_eq!(bench.git("rev-list --count main"), "1\n", "nothing reached the target by itself");
    bench.ask(crate::signal::Verb::Merge { pr: 3, sha: None }).await;
    assert_eq!(bench.git("show main:leaf"), "core\ncore\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_nested_lane_that_is_not_merged_holds_its_parent_and_says_so() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "core"
[[workstreams]]
id = "inner"
parent = "core"
[[tasks]]
id = "one"
workstream = "inner"
run = "echo one > one"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Blocked), "{}", bench.told());
    assert!(state.run.reason.as_deref().is_some_and(|why| why.contains("`inner`")), "{:?}", state.run.reason);
    assert_eq!(state.lanes[0].status, LaneStatus::Active);
    bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated);
    assert_eq!(bench.git("show laneway/g/core/integration:one"), "one\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_target_that_moved_into_a_conflict_is_taken_in_by_the_lanes_agent() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
merge = "auto"
gate = "! grep -q '<<<' file"
[[tasks]]
id = "one"
workstream = "a"
prompt = '''
RUN: if grep -q '<<<' file; then echo both > file; else
RUN:   echo mine > file; git -C ../../.. commit -q --allow-empty -m keep; echo theirs > ../../../file; git -C ../../.. commit -qam theirs
RUN: fi; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 2);
    assert_eq!(bench.git("show main:file"), "both\n");
}
