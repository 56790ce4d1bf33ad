//! Agents that do what they should not: each ends in a clear recorded state, and the lane beside it is not disturbed.

use super::*;
use crate::event::{CheckStatus, Event, LaneStatus, RunStatus, TaskStatus};

/// A lane with a bad agent beside a lane with a good one; the bad task has one attempt.
struct Beside {
    bench: Bench,
    state: State,
}

impl Beside {
    async fn run(script: &str) -> Self {
        Self::with(script, "").await
    }

    async fn with(script: &str, keys: &str) -> Self {
        let bench = Bench::new(&graph(&format!(
            r#"
[[workstreams]]
id = "bad"
[[workstreams]]
id = "good"
[[tasks]]
id = "bad"
workstream = "bad"
attempts = 1
timeout = "3s"
{keys}
prompt = '''RUN: {script}'''
[[tasks]]
id = "good"
workstream = "good"
prompt = "RUN: echo good > good; : > $LANEWAY_SIGNALS/done"
"#
        )));
        let state = bench.drive().await;
        let beside = Self { bench, state };
        beside.others_are_well();
        beside
    }

    fn others_are_well(&self) {
        assert_eq!(self.state.lanes[1].status, LaneStatus::PrCreated, "{}", self.bench.told());
        assert_eq!(self.bench.git("show laneway/g/good/integration:good"), "good\n");
        assert_eq!(self.bench.git("status --porcelain"), "");
        assert_eq!(self.bench.git("show main:file"), "one\n");
        let differences = verify(&self.bench.project, &self.bench.plan.graph, RunNo(1)).unwrap();
        assert_eq!(differences, Vec::<String>::new());
    }

    /// The task failed, and says why in words that hold all of `words`.
    fn failed(&self, words: &[&str]) {
        assert_eq!(self.state.tasks[0].status, TaskStatus::Failed, "{}", self.bench.told());
        let reason = self.state.tasks[0].reason.clone().unwrap_or_default();
        for word in words {
            assert!(reason.contains(word), "{word:?} is not in {reason:?}\n{}", self.bench.told());
        }
        assert_eq!(self.state.run.status, Some(RunStatus::Failed));
    }

    fn landed(&self) {
        assert_eq!(self.state.tasks[0].status, TaskStatus::Merged, "{}", self.bench.told());
    }

    fn kinds(&self, kind: &str) -> usize {
        self.bench.envelopes().iter().filter(|e| e.event.kind() == kind).count()
    }

    fn warned(&self, check: &str) -> bool {
        let attempt = self.state.tasks[0].attempt().unwrap();
        attempt.checks.iter().any(|c| c.name == check && c.status == CheckStatus::Warn)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_an_agent_that_exits_without_a_word_is_not_done() {
    Beside::run("echo work > work").await.failed(&["exit code 0", "without a claim"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p02_the_work_of_an_agent_without_a_word_is_kept_for_the_next_attempt() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "write"
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = "RUN: if test $LANEWAY_ATTEMPT = 1; then echo two > two; else test -f two && : > $LANEWAY_SIGNALS/done; fi"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/default/integration:two"), "two\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_ends_badly_after_done_is_judged_by_its_evidence() {
    let beside = Beside::run("echo work > work; : > $LANEWAY_SIGNALS/done; exit 3").await;
    beside.landed();
    assert!(beside.warned("claim"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_says_done_and_failed_is_not_done() {
    let beside =
        Beside::run("echo w > w; echo no > $LANEWAY_SIGNALS/failed; : > $LANEWAY_SIGNALS/done").await;
    beside.failed(&["both `done` and `failed`", "no"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn p15_a_daemon_that_an_agent_leaves_is_ended() {
    let beside = Beside::run(
        "echo w > w; (trap '' TERM HUP; setsid sleep 1000 > /dev/null 2>&1 & echo $! > $LANEWAY_SIGNALS/progress); : > $LANEWAY_SIGNALS/done",
    )
    .await;
    beside.landed();
    let pid = beside.state.tasks[0].attempt().unwrap().progress.clone().unwrap();
    let gone = !Path::new(&format!("/proc/{}", pid.trim())).exists();
    assert!(gone, "process {pid} lives on\n{}", beside.bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_output_is_bounded_and_says_so() {
    let beside =
        Beside::run("head -c 64000000 /dev/zero | tr '\\0' x; echo w > w; : > $LANEWAY_SIGNALS/done").await;
    beside.landed();
    let log = beside.bench.plan.places.record.join("attempts/bad/1/agent.log");
    let size = std::fs::metadata(&log).unwrap().len();
    assert!(size < 9 << 20, "{size}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_deletes_its_git_file_loses_its_attempt_and_nothing_else() {
    Beside::run("echo w > w; rm .git; : > $LANEWAY_SIGNALS/done").await.failed(&["deleted the `.git`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_deletes_its_lane_loses_its_attempt_and_nothing_else() {
    Beside::run("d=$PWD; cd /; rm -rf $d; : > $LANEWAY_SIGNALS/done").await.failed(&["deleted its lane"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_was_deleted_is_there_again_for_the_next_attempt() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "write"
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = "RUN: if test $LANEWAY_ATTEMPT = 1; then rm -rf $PWD; else echo two > two; fi; : > $LANEWAY_SIGNALS/done"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebase_left_half_done_is_no_work_and_the_lane_recovers() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "write"
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = '''
RUN: if test $LANEWAY_ATTEMPT = 2; then echo two > two; : > $LANEWAY_SIGNALS/done; exit 0; fi
RUN: git checkout -q -b mine; echo a > file; git commit -qam a; git checkout -q -b other HEAD~1; echo b > file; git commit -qam b
RUN: git rebase mine || : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/default/integration:two"), "two\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_on_an_unrelated_history_is_not_taken_and_is_kept() {
    let beside = Beside::run("git checkout -q --orphan new; git rm -qrf .; echo w > w; git add w; git commit -qm w; : > $LANEWAY_SIGNALS/done").await;
    beside.failed(&["does not descend"]);
    assert_eq!(beside.kinds("custody.kept"), 1);
    let kept = beside.bench.git("for-each-ref --format='%(refname)' refs/laneway/custody");
    assert_eq!(beside.bench.git(&format!("show {}:w", kept.trim())), "w\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stash_is_no_work_and_the_users_stash_stays() {
    let beside = Beside::run("echo w > file; git stash -q; : > $LANEWAY_SIGNALS/done").await;
    beside.failed(&["nothing was changed"]);
    let attempt = beside.state.tasks[0].attempt().unwrap();
    assert!(attempt.checks.iter().any(|c| c.name == "stash"), "the stash is named: {}", beside.bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn edits_hidden_by_assume_unchanged_are_seen() {
    let beside = Beside::run(
        "git update-index --assume-unchanged file; echo hidden > file; : > $LANEWAY_SIGNALS/done",
    )
    .await;
    beside.landed();
    assert_eq!(beside.bench.git("show laneway/g/bad/integration:file"), "hidden\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_branch_that_an_agent_moved_is_set_back_and_kept() {
    let beside = Beside::run(
        "echo x > x; git add x; git commit -qm x; git branch -f laneway/g/bad/integration HEAD; git reset -q --hard HEAD~1; echo w > w; : > $LANEWAY_SIGNALS/done",
    )
    .await;
    beside.landed();
    let files = beside.bench.git("ls-tree --name-only laneway/g/bad/integration");
    assert_eq!(files, "file\nw\n", "what was not claimed is not in the lane");
    assert_eq!(beside.kinds("custody.kept"), 1, "{}", beside.bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_on_a_branch_of_its_own_is_judged_by_its_commit() {
    let beside = Beside::run(
        "git checkout -q -b mine; echo w > w; git add w; git commit -qm w; : > $LANEWAY_SIGNALS/done",
    )
    .await;
    beside.landed();
    assert!(beside.warned("branch"));
    assert_eq!(beside.bench.git("branch --list mine"), "", "a branch that the agent made up is removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_signal_files_are_rejected_with_the_reason() {
    let beside = Beside::run(
        "cd $LANEWAY_SIGNALS; ln -s /etc/passwd summary.md; mkfifo concerns/pipe; head -c 1000000 /dev/zero > progress; printf '\\377\\376' > ops-concerns/x; cd $OLDPWD; echo w > w; : > $LANEWAY_SIGNALS/done",
    )
    .await;
    beside.landed();
    let rejected: Vec<String> = beside
        .bench
        .envelopes()
        .iter()
        .filter_map(|e| match &e.event {
            Event::SignalRejected(event) => Some(event.name.clone()),
            _ => None,
        })
        .collect();
    for name in ["summary.md", "concerns/pipe", "progress", "ops-concerns/x"] {
        assert_eq!(rejected.iter().filter(|r| *r == name).count(), 1, "{name} in {rejected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_never_ends_is_stopped_at_its_timeout() {
    let beside = Beside::with("trap '' TERM; echo w > w; while :; do sleep 1000; done", "").await;
    beside.failed(&["timed out"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stays_after_done_is_given_its_grace_and_ended() {
    let beside = Beside::run("echo w > w; : > $LANEWAY_SIGNALS/done; sleep 1000").await;
    beside.landed();
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_outside_the_declared_scope_speak_against_the_work() {
    let beside = Beside::with(
        "mkdir -p src; echo w > src/w; echo no > other; : > $LANEWAY_SIGNALS/done",
        "writes = [\"src/**\"]",
    )
    .await;
    beside.failed(&["outside its `writes`", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_must_commit_and_does_not_is_not_done() {
    let beside = Beside::with("echo w > w; : > $LANEWAY_SIGNALS/done", "commit = \"agent\"").await;
    beside.failed(&["uncommitted", "w"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_agent_program_is_a_clear_failure() {
    let text = graph(
        r#"
[[tasks]]
id = "write"
attempts = 1
prompt = "x"
"#,
    )
    .replace("[\"sh\", \"-c\"", "[\"no-such-agent\", \"-c\"");
    let bench = Bench::new(&text);
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Failed);
    assert!(state.tasks[0].reason.as_ref().unwrap().contains("no-such-agent"), "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_commits_of_an_agent_on_a_branch_of_the_user_speak_against_it() {
    for script in [
        "git checkout -q main; echo bad > bad; git add bad; git commit -qm sneaky",
        "echo bad > bad; git add bad; git commit -qm sneaky; git update-ref refs/heads/main HEAD",
    ] {
        let dir = repository();
        sh(dir.path(), "git checkout -q -b feature");
        let bench = Bench::on(dir, &lone(&format!("{script}; : > $LANEWAY_SIGNALS/done")));
        let old = bench.git("rev-parse main");
        let state = bench.drive().await;
        assert_eq!(state.tasks[0].status, TaskStatus::Failed, "{}", bench.told());
        let reason = state.tasks[0].reason.clone().unwrap_or_default();
        let back = format!("git branch -f main {}", old.trim());
        assert!(reason.contains("the branch `main`") && reason.contains(&back), "{reason}");
        assert_ne!(bench.git("rev-parse main"), old, "Laneway does not move it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_what_a_person_commits_meanwhile_speaks_against_no_agent_also_where_it_takes_that_along() {
    let dir = repository();
    let own = dir.path().display().to_string();
    // The person commits; the agent works on from that.
    let script = format!(
        "(cd {own}; env -u GIT_DIR git commit -q --allow-empty -m person); git merge -q --ff-only main; echo x > x; \
         git add x; git commit -qm work; : > $LANEWAY_SIGNALS/done"
    );
    let bench = Bench::on(dir, &lone(&script));
    let state = bench.drive().await;
    assert_eq!(bench.git("log -1 --format=%s main"), "person\n");
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn p09_a_changed_config_is_told_and_what_others_git_would_run_speaks_against_the_work() {
    let done = "echo x > x; : > $LANEWAY_SIGNALS/done";
    let bench = Bench::new(&lone(&format!("git config user.name Eve; {done}")));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    let checks = &state.tasks[0].attempts[0].checks;
    let config = checks.iter().find(|c| c.name == "config").expect("it is told");
    assert_eq!(config.status, CheckStatus::Warn);
    assert!(config.detail.contains("user.name") && !config.detail.contains("Eve"), "{}", config.detail);

    for change in [
        "git config core.hooksPath /tmp/hooks",
        "git config filter.x.clean secret-program",
        "git config include.path /dev/null",
    ] {
        let bench = Bench::new(&lone(&format!("{change}; {done}")));
        let state = bench.drive().await;
        assert_eq!(state.tasks[0].status, TaskStatus::Failed, "{change}: {}", bench.told());
        let reason = state.tasks[0].reason.clone().unwrap_or_default();
        assert!(reason.contains("config changed") && !reason.contains("secret-program"), "{reason}");
    }
    let bench = Bench::new(&lone(done));
    let state = bench.drive().await;
    assert!(state.tasks[0].attempts[0].checks.iter().all(|c| c.name != "config"), "{}", bench.told());
}

/// A graph of one task with one attempt.
fn lone(script: &str) -> String {
    graph(&format!("[[tasks]]\nid = \"bad\"\nattempts = 1\nprompt = \'\'\'RUN: {script}\'\'\'\n"))
}
