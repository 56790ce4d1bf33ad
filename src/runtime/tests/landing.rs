//! From a task to a merged lane.

use super::*;
use crate::event::{LaneStatus, RunStatus, TaskStatus};
use crate::id::{LaneId, TaskId};

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

/// A run of one agent task, at rest with its pull request open.
async fn at_rest() -> Bench {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "write"
prompt = "RUN: echo two > two; : > $LANEWAY_SIGNALS/done"
"#,
    ));
    bench.drive().await;
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a03_events_are_all_that_is_kept_of_a_run_beside_plan_and_attempts() {
    let bench = at_rest().await;
    let mut kept: Vec<String> = std::fs::read_dir(&bench.plan.places.record)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    kept.sort();
    assert_eq!(
        kept,
        ["attempts", "journal.jsonl", "plan.json"],
        "a second store would have to be kept in step"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a07_every_event_of_a_process_names_run_lane_task_attempt_and_iteration() {
    let bench = at_rest().await;
    let envelopes = bench.envelopes();
    let of_process = |e: &&Envelope| ["process.started", "process.exited"].contains(&e.event.kind());
    let agents: Vec<_> = envelopes.iter().filter(of_process).collect();
    assert_eq!(agents.len(), 2, "{}", bench.told());
    for envelope in agents {
        let subject = &envelope.subject;
        let names = (subject.lane.as_ref().map(LaneId::as_str), subject.task.as_ref().map(TaskId::as_str));
        assert_eq!(names, (Some("default"), Some("write")));
        assert_eq!((subject.attempt, subject.iteration), (Some(1), Some(1)));
        assert_eq!((&envelope.graph, envelope.run), (&bench.plan.graph, RunNo(1)));
    }
    assert_eq!(envelopes.iter().filter(|e| e.event.kind() == "workflow.iteration").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a17_a_status_file_changed_by_hand_is_flagged_and_put_right() {
    let bench = at_rest().await;
    let file = bench.plan.places.board.join("lanes/default/pr_created");
    let right = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "elsewhere\n").unwrap();
    let differences = verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap();
    assert_eq!(differences.len(), 1, "{differences:?}");
    assert_eq!(rebuild(&bench.project, &bench.plan.graph, RunNo(1)).unwrap(), std::slice::from_ref(&file));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), right);
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_a_landing_that_a_persons_checkout_refuses_waits_for_them_and_costs_no_attempt() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
attempts = 1
run = "git -C ../../.. worktree add -q mine laneway/g/default/integration; echo mine > ../../../mine/file; echo x > x"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Blocked), "{}", bench.told());
    let waits = crate::view::waiting(&bench.plan, &state);
    assert_eq!(waits.len(), 1, "{waits:?}");
    assert!(waits[0].hint.contains("mine, then laneway retry --task one"), "{waits:?}");
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("mine/file")).unwrap(), "mine\n");
    bench.git("-C mine checkout -q file");
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 1, "the work that waited landed");
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("mine/x")).unwrap(), "x\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar10_a_merged_lane_gets_one_last_comment_though_its_writer_was_killed() {
    use crate::forge::NewComment;
    for killed_after in [false, true] {
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
        bench.drive().await;
        let forge = crate::forge::LocalForge::open(&bench.project.record.forge_dir()).unwrap();
        if killed_after {
            // What an orchestrator leaves that dies before it has written down that it is done.
            let comment = NewComment {
                author: "laneway".into(),
                body: "**Merged**".into(),
                at: "2026-01-01T00:00:00Z".into(),
                path: None,
                line: None,
                key: Some(format!("{}:end", crate::plan::pr_marker(&bench.plan, &bench.plan.lanes[0].id, 0))),
            };
            forge.add_comment(1, comment).unwrap();
        }
        bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
        let state = bench.drive().await;
        assert!(state.lanes[0].concluded, "{}", bench.told());
        let said = forge.comments(1).unwrap();
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].body.starts_with("**Merged**"), "{said:#?}");
        assert_eq!(said[0].body.contains("by `ann`, as "), !killed_after, "{said:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar18_what_a_reviewer_puts_on_the_branch_is_merged_with_it_and_told() {
    let bench = at_rest().await;
    bench.git("worktree add -q .git/review laneway/g/default/integration --force");
    sh(
        bench.dir.path(),
        "cd .git/review && echo fix > fix && git add fix && git commit -qm 'A fix of the review'",
    );
    let answer = bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.git("show main:fix"), "fix\n", "{}", bench.told());
    assert_eq!(bench.git("show main:two"), "two\n");
    let told = bench.envelopes().into_iter().find_map(|envelope| match envelope.event {
        crate::event::Event::CheckRecorded(check) if check.name == crate::event::CHECK_HEAD => Some(check),
        _ => None,
    });
    assert!(told.is_some_and(|check| check.detail.ends_with("A fix of the review")), "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar18_a_branch_that_was_rewritten_is_not_merged_before_a_person_says_what_is_meant() {
    let bench = at_rest().await;
    let shown = bench.git("rev-parse laneway/g/default/integration");
    let other = bench.git("commit-tree main^{tree} -p main -m other");
    bench.git(&format!("update-ref refs/heads/laneway/g/default/integration {}", other.trim()));
    let answer = bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    assert!(format!("{answer:?}").contains("which does not hold"), "{answer:?}");
    assert_eq!(bench.git("log --oneline main | wc -l").trim(), "1");
    bench.git(&format!("branch -f laneway/g/default/integration {}", shown.trim()));
    let answer = bench.ask(crate::signal::Verb::Merge { pr: 1, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.git("show main:two"), "two\n", "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_without_a_gate_rests_at_its_tip() {
    let bench = Bench::new(&graph(
        r#"
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
run = "echo two > file; echo two > two"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let lane = &bench.plan.lanes[0].worktree;
    assert_eq!(sh(lane, "git status --porcelain"), "");
    assert_eq!(sh(lane, "git rev-parse HEAD"), bench.git("rev-parse laneway/g/a/integration"));
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_what_a_run_held_while_it_was_made_goes_with_its_end_and_what_another_holds_stays() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
gate = "true"
[[tasks]]
id = "one"
workstream = "a"
attempts = 2
gate = "test $LANEWAY_ATTEMPT = 2"
run = "echo $LANEWAY_ATTEMPT > one"
"#,
    ));
    let other = bench.git("commit-tree -m other HEAD^{tree}");
    bench.git(&format!("update-ref refs/laneway/making/{0} {0}", other.trim()));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 2, "a candidate came to nothing");
    let held = bench.git("for-each-ref '--format=%(objectname)' refs/laneway/making");
    assert_eq!(held, other);
}
