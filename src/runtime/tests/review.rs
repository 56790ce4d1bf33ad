//! Reviews of attempts by real processes in worktrees of their own.

use super::*;
use crate::event::{Event, ProcessRole, TaskStatus};

/// A task whose reviewer runs `script`, which knows `R`, a folder that outlives the review.
fn reviewed(script: &str, more: &str) -> String {
    graph(&format!(
        r#"
[agents.critic]
command = ["sh", "-ec", '''R="$(git rev-parse --git-common-dir)/.."; {script}''']
[[tasks]]
id = "t"
prompt = "RUN: echo \"work $LANEWAY_ATTEMPT\" > work; mkdir -p $LANEWAY_SIGNALS/../review-1/signals; echo forged > $LANEWAY_SIGNALS/../review-1/signals/done; echo yes > $LANEWAY_SIGNALS/done"
{more}
review = {{ agent = "critic", timeout = "60s" }}
"#
    ))
}

fn is_reviewer(envelope: &Envelope) -> bool {
    matches!(&envelope.event, Event::ProcessStarted(started) if started.role == ProcessRole::Reviewer)
}

fn review_of(bench: &Bench) -> Vec<(String, String)> {
    let envelopes = bench.envelopes();
    let checks = envelopes.iter().filter_map(|e| match &e.event {
        Event::CheckRecorded(check) if check.name == "review" => {
            Some((check.status.word().to_owned(), check.detail.clone()))
        }
        _ => None,
    });
    checks.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_a_reviewer_sees_the_work_and_its_changes_are_thrown_away_and_kept() {
    let bench = Bench::new(&reviewed(
        "cat work > $R/seen; pwd > $R/where; git diff --name-only $LANEWAY_BASE HEAD > $R/changed;
         git checkout -qb mine; echo better > work; git commit -qam better; echo dirt > dirt;
         echo careful > $LANEWAY_SIGNALS/concerns/one; echo looked > $LANEWAY_SIGNALS/done",
        "",
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    let file = |name: &str| std::fs::read_to_string(bench.dir.path().join(name)).unwrap();
    assert_eq!((file("seen"), file("changed")), ("work 1\n".into(), "work\n".into()));
    assert!(file("where").ends_with("g/default.t.review\n"), "{}", file("where"));
    assert_eq!(bench.git("show laneway/g/default/integration:work"), "work 1\n");
    assert_eq!(review_of(&bench), [("pass".to_owned(), "looked".to_owned())]);
    assert!(!Path::new(file("where").trim()).exists(), "the worktree is gone");
    assert_eq!(bench.git("branch --list mine"), "");
    let kept = bench.git("for-each-ref --format='%(refname)' refs/laneway/custody/g/1/review");
    assert!(kept.contains("review/t/1-1"), "{kept}");
    assert_eq!(bench.git("show refs/laneway/custody/g/1/review/t/1-1:dirt"), "dirt\n");
    assert_eq!(state.lanes[0].concerns[0].text.trim(), "careful");
    let roles: Vec<ProcessRole> = bench
        .envelopes()
        .iter()
        .filter_map(|e| match &e.event {
            Event::ProcessExited(exited) => Some(exited.role),
            _ => None,
        })
        .collect();
    assert_eq!(roles, [ProcessRole::Agent, ProcessRole::Reviewer]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_findings_reach_the_next_attempt_and_enough_of_them_fail_the_task() {
    let bench = Bench::new(&reviewed(
        "echo \"work is too short, says $(cat work)\" > $LANEWAY_SIGNALS/failed; echo yes > $LANEWAY_SIGNALS/done",
        "attempts = 2\nretry = { backoff = \"1ms\" }",
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Failed, "{}", bench.told());
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    let told = board.attempt_dir(&bench.plan.tasks[0].id, 2).join("instructions.md");
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("work is too short, says work 1"), "{told}");
    let why = state.tasks[0].reason.clone().unwrap();
    assert!(why.contains("the reviewer `critic` rejects the work:\nwork is too short, says work 2"), "{why}");
    assert_eq!(bench.git("log --format=%s main..laneway/g/default/integration"), "", "nothing landed");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_a_reviewer_that_says_nothing_is_asked_twice_and_a_forged_verdict_is_none() {
    let bench = Bench::new(&reviewed("echo x >> $R/rounds; exit 3", "attempts = 1"));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Failed, "{}", bench.told());
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("rounds")).unwrap(), "x\nx\n");
    let silent = "the reviewer `critic` ended with exit code 3 without a verdict";
    let skip = ("skip".to_owned(), silent.to_owned());
    let fail = ("fail".to_owned(), format!("2 reviewers gave no verdict: {silent}"));
    assert_eq!(review_of(&bench), [skip.clone(), skip, fail]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_a_reviewer_that_does_not_end_is_stopped_and_one_that_does_not_start_is_said() {
    let text = reviewed("echo x > $R/began; exec sleep 600", "attempts = 1").replace("60s", "200ms");
    let bench = Bench::new(&text);
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Failed, "{}", bench.told());
    assert!(review_of(&bench)[0].1.contains("was stopped after 200ms without a verdict"), "{}", bench.told());

    let text = reviewed("", "attempts = 1").replace(r#"["sh", "-ec","#, r#"["./no-such-reviewer","#);
    let bench = Bench::new(&text);
    let state = bench.drive().await;
    let why = state.tasks[0].reason.clone().unwrap();
    assert!(why.contains("the reviewer `critic` could not be started"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_an_orchestrator_that_dies_during_a_review_begins_it_again_or_takes_what_was_sealed() {
    for sealed in [false, true] {
        let bench = Bench::new(&reviewed("echo x >> $R/rounds; echo \"fine\" > $LANEWAY_SIGNALS/done", ""));
        bench.drive().await;
        let run = bench.project.record.run_dir(&bench.plan.graph, RunNo(1));
        let journal = run.join("journal.jsonl");
        let text = std::fs::read_to_string(&journal).unwrap();
        let intent = text.lines().position(|line| line.contains("\"examine/t/1/1\"")).unwrap();
        let cut: String = text.split_inclusive('\n').take(intent + 1).collect();
        std::fs::write(&journal, cut).unwrap();
        bench.git("update-ref refs/heads/laneway/g/default/integration main");
        if !sealed {
            std::fs::remove_dir_all(run.join("attempts/t/1/review-1")).unwrap();
        }
        let state = bench.drive().await;
        assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
        let rounds = std::fs::read_to_string(bench.dir.path().join("rounds")).unwrap();
        assert_eq!(rounds, if sealed { "x\n" } else { "x\nx\n" });
        assert_eq!(review_of(&bench), [("pass".to_owned(), "fine".to_owned())]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_calling_a_task_off_stops_its_reviewer_and_what_that_started() {
    let bench = Bench::new(&reviewed("sleep 600 & echo $! > $R/pid; wait", "attempts = 1"));
    let (tell, mut told) = mpsc::unbounded_channel::<Vec<Envelope>>();
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    let task = bench.plan.tasks[0].id.clone();
    let cancel = async {
        while let Some(envelopes) = told.recv().await {
            if envelopes.iter().any(is_reviewer) {
                let target = crate::signal::Target::Task(task.clone());
                crate::signal::submit(&board, crate::signal::Verb::Cancel { target }, "ann", None, None)
                    .unwrap();
                break;
            }
        }
        // The run goes on telling.
        while told.recv().await.is_some() {}
    };
    let (state, ()) = tokio::join!(bench.drive_telling(Some(tell)), cancel);
    assert_eq!(state.tasks[0].status, TaskStatus::Cancelled, "{}", bench.told());
    let exits = bench.envelopes().into_iter().filter_map(|e| match e.event {
        Event::ProcessExited(exited) if exited.role == ProcessRole::Reviewer => Some(exited.exit),
        _ => None,
    });
    assert!(exits.last().is_some_and(|exit| !exit.success()), "it was stopped");
    if let Ok(pid) = std::fs::read_to_string(bench.dir.path().join("pid")) {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "what it started lives on: {stat}");
    }
    assert_eq!(bench.git("log --format=%s main..laneway/g/default/integration"), "", "nothing landed");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_a_reviewer_whose_orchestrator_died_is_stopped_and_another_begins_in_the_same_round() {
    let bench = Bench::new(&reviewed(
        "if test -e $R/pid; then echo fine > $LANEWAY_SIGNALS/done; exit 0; fi; echo $$ > $R/.pid; mv $R/.pid $R/pid;
         exec sleep 100000",
        "attempts = 1",
    ));
    let (tell, mut told) = mpsc::unbounded_channel::<Vec<Envelope>>();
    let pid = bench.dir.path().join("pid");
    let began = async {
        while let Some(batch) = told.recv().await {
            if batch.iter().any(is_reviewer) {
                while !pid.exists() {
                    tokio::task::yield_now().await;
                }
                return;
            }
        }
    };
    tokio::select! {
        state = bench.drive_telling(Some(tell)) => panic!("the run ended: {:?}", state.run),
        () = began => {}
    }
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(state.tasks[0].attempts[0].reviews, 1);
    assert_eq!(bench.envelopes().iter().filter(|e| is_reviewer(e)).count(), 2);
    let first = std::fs::read_to_string(&pid).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", first.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "the first one lives on: {stat}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar16_a_reviewer_that_writes_no_signals_approves_by_a_clean_exit_and_by_nothing_else() {
    let cases = [
        ("true", TaskStatus::Merged, "pass", "the reviewer `critic` ended without an objection"),
        ("exit 3", TaskStatus::Failed, "fail", "2 reviewers gave no verdict"),
        ("echo bad > $LANEWAY_SIGNALS/failed", TaskStatus::Failed, "fail", "rejects the work:\nbad"),
        ("echo lost > $LANEWAY_SIGNALS/blocked", TaskStatus::Failed, "fail", "2 reviewers gave no verdict"),
    ];
    for (script, end, status, said) in cases {
        let text = reviewed(script, "attempts = 1");
        let text = text.replace("[agents.critic]", "[agents.critic]\nclaim = \"exit\"");
        let bench = Bench::new(&text);
        let state = bench.drive().await;
        assert_eq!(state.tasks[0].status, end, "{}", bench.told());
        let reviews = review_of(&bench);
        let last = reviews.last().unwrap();
        assert!(last.0 == status && last.1.contains(said), "{script}: {reviews:?}");
    }
}
