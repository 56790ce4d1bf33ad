//! Resets on real repositories.

use super::*;
use crate::event::{LaneStatus, RunStatus, TaskStatus, UndoPlan, UndoTarget};
use crate::forge::{LocalForge, PrFilter, PrState};
use crate::id::{LaneId, TaskId};
use crate::signal::Verb;

const TWO: &str = r#"
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
run = "echo three > three"
"#;

const BESIDE: &str = r#"
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
run = "echo two > two"
"#;

const STACKED: &str = r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
[[tasks]]
id = "other"
workstream = "a"
needs = ["one"]
run = "echo other > other"
[[tasks]]
id = "own"
workstream = "b"
needs = ["one"]
run = "echo own > own"
[[tasks]]
id = "two"
workstream = "b"
needs = ["other", "own"]
run = "cat other > two"
"#;

pub(super) fn task(id: &str) -> UndoTarget {
    UndoTarget::Task(TaskId::new(id).unwrap())
}

pub(super) fn lane(id: &str) -> UndoTarget {
    UndoTarget::Lane(LaneId::new(id).unwrap())
}

impl Bench {
    pub(super) fn state(&self) -> State {
        load(&self.project, &self.plan.graph, self.plan.run).unwrap().state
    }

    pub(super) fn plan_undo(&self, of: &UndoTarget) -> UndoPlan {
        self.state().undo(of).unwrap()
    }

    pub(super) async fn undo(&self, of: UndoTarget) -> Answer {
        let digest = undo_digest(&self.plan_undo(&of));
        self.ask(Verb::Reset { of, digest }).await
    }

    pub(super) fn number(&self, lane: usize) -> u64 {
        self.state().lanes[lane].pr.as_ref().unwrap().at.number
    }

    pub(super) fn files(&self, at: &str) -> Vec<String> {
        self.git(&format!("ls-tree --name-only {at}")).lines().map(str::to_owned).collect()
    }
}

pub(super) fn with_origin() -> tempfile::TempDir {
    let dir = repository();
    sh(
        dir.path(),
        "git init -q --bare -b main origin.git && echo origin.git >> .git/info/exclude \
         && git remote add origin ./origin.git && git push -q origin main",
    );
    dir
}

/// Somebody else's clone.
fn teammate(bench: &Bench, script: &str) {
    sh(
        bench.dir.path(),
        &format!(
            "rm -rf ../mate-$$ && git clone -q origin.git ../mate-$$ && cd ../mate-$$ \
             && git config user.name M && git config user.email m@example.org && {script} && cd - >/dev/null && rm -rf ../mate-$$"
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_task_is_taken_back_with_its_dependents_and_done_again_on_request() {
    let bench = Bench::on(with_origin(), &graph(TWO));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let before = bench.git("rev-parse laneway/g/a/integration");
    let answer = bench.undo(task("one")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let state = bench.state();
    assert_eq!(
        state.tasks.iter().map(|t| t.status).collect::<Vec<_>>(),
        [TaskStatus::Reset, TaskStatus::Reset, TaskStatus::Merged]
    );
    assert_eq!(bench.files("laneway/g/a/integration"), ["file", "three"]);
    bench.git(&format!("merge-base --is-ancestor {} laneway/g/a/integration", before.trim()));
    let shown = sh(bench.dir.path(), "git --git-dir origin.git ls-tree --name-only laneway/g/a/integration");
    assert_eq!(shown, "file\nthree\n", "the pull request shows it too, without force");
    let forge = LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    assert_eq!(forge.comments(1).unwrap().len(), 1);
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Reset, "a run does not do it again by itself");
    assert_eq!(state.run.status, Some(RunStatus::Blocked));
    let tasks = vec![TaskId::new("one").unwrap(), TaskId::new("two").unwrap()];
    bench.ask(Verb::Retry { tasks, lanes: vec![] }).await;
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.files("laneway/g/a/integration"), ["file", "one", "three", "two"]);
    assert_eq!(state.tasks[0].attempts.len(), 2);
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_lane_that_holds_the_work_loses_it_and_gets_it_again_with_the_redone() {
    let bench = Bench::new(&graph(STACKED));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.files("laneway/g/b/integration"), ["file", "one", "other", "own", "two"]);
    let answer = bench.undo(task("other")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.files("laneway/g/a/integration"), ["file", "one"]);
    assert_eq!(bench.files("laneway/g/b/integration"), ["file", "one", "own"], "{}", bench.told());
    let tasks = ["other", "two"].map(|t| TaskId::new(t).unwrap()).to_vec();
    bench.ask(Verb::Retry { tasks, lanes: vec![] }).await;
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(
        bench.files("laneway/g/b/integration"),
        ["file", "one", "other", "own", "two"],
        "what is done again, however alike, is not lost in the merge"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_later_work_that_stays_and_stands_on_it_refuses_the_reset() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
run = "echo from-one > file"
[[tasks]]
id = "two"
workstream = "a"
run = "test $(cat file) = from-one && echo from-two > file"
priority = -1
"#,
    ));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let (state, plan) = (bench.state(), bench.plan_undo(&task("one")));
    let problems = probe_undo(&bench.project, &state, &plan).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.contains("file"), "{problems:?}");
    let before = bench.git("rev-parse laneway/g/a/integration");
    let answer = bench.undo(task("one")).await;
    assert!(matches!(&answer, Answer::Rejected { reason, .. } if reason.contains("file")), "{answer:?}");
    assert_eq!(bench.git("rev-parse laneway/g/a/integration"), before);
    assert_eq!(bench.state().tasks[0].status, TaskStatus::Merged);
    let after = bench.plan_undo(&UndoTarget::To(TaskId::new("one").unwrap()));
    assert!(probe_undo(&bench.project, &bench.state(), &after).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_workstream_goes_with_custody_while_the_user_works_on_something_else() {
    let bench = Bench::on(with_origin(), &graph(BESIDE));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    sh(bench.dir.path(), "git checkout -q -b feature && echo mine > file && echo new > untracked");
    let user = || {
        bench.git("status --porcelain=v2 --branch")
            + &bench.git("for-each-ref refs/heads/main refs/heads/feature")
    };
    let before = user();
    std::fs::write(bench.plan.lanes[0].worktree.join("left"), "behind\n").unwrap();
    let (tip, number) = (bench.git("rev-parse laneway/g/a/integration"), bench.number(0));
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(user(), before, "the user's branch, index and files stay");
    assert!(!bench.plan.lanes[0].worktree.exists());
    assert_eq!(bench.git("for-each-ref refs/heads/laneway/g/a"), "");
    let origin = sh(bench.dir.path(), "git --git-dir origin.git for-each-ref --format='%(refname)'");
    assert!(!origin.contains("laneway/g/a/") && origin.contains("laneway/g/b/"), "{origin}");
    let kept = bench.git("for-each-ref --format='%(objectname) %(refname)' refs/laneway/custody");
    assert!(kept.contains(tip.trim()), "the lane's commits: {kept}");
    let state = bench.state();
    let held = state.lanes[0].kept.iter().find(|k| k.reason.contains("held when it was removed")).unwrap();
    assert_eq!(bench.git(&format!("show {}:left", held.reference)), "behind\n", "what was not committed");
    assert_eq!(state.lanes[0].status, LaneStatus::Reset);
    assert_eq!(state.lanes[1].status, LaneStatus::PrCreated, "the lane beside it is not touched");
    let forge = LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    assert_eq!(forge.get(number).unwrap().state, PrState::Closed);
    assert_eq!(forge.comments(number).unwrap().len(), 1, "it says who and what, once");
    assert!(verify(&bench.project, &bench.plan.graph, RunNo(1)).unwrap().is_empty());
    bench.ask(Verb::Retry { tasks: vec![], lanes: vec![LaneId::new("a").unwrap()] }).await;
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    assert_eq!(state.lanes[0].pr.as_ref().unwrap().at.number, 3, "it gets a pull request of its own again");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_origin_loses_the_branch_of_a_lane_that_was_further_than_origin_knew() {
    let bench = Bench::on(with_origin(), &graph(BESIDE));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    // As where work landed after the last push.
    sh(
        bench.dir.path(),
        "git --git-dir origin.git update-ref refs/heads/laneway/g/a/integration \
         $(git rev-parse laneway/g/a/integration~1)",
    );
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let origin = sh(bench.dir.path(), "git --git-dir origin.git for-each-ref --format='%(refname)'");
    assert!(
        !origin.contains("laneway/g/a/"),
        "nobody else has moved it: {:?}",
        bench.state().lanes[0].remarks
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_commits_of_a_teammate_on_the_lanes_branch_are_left_alone() {
    let bench = Bench::on(with_origin(), &graph(BESIDE));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    teammate(
        &bench,
        "git checkout -q laneway/g/a/integration && echo theirs > theirs && git add . && git commit -qm theirs && git push -q",
    );
    let theirs = sh(bench.dir.path(), "git --git-dir origin.git rev-parse laneway/g/a/integration");
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(sh(bench.dir.path(), "git --git-dir origin.git rev-parse laneway/g/a/integration"), theirs);
    let remarks = bench.state().lanes[0].remarks.join("; ");
    assert!(remarks.contains("stays: others have moved it"), "{remarks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_one_of_two_merged_lanes_is_taken_out_by_a_pull_request_after_a_teammate_pushed() {
    let bench = Bench::on(with_origin(), &graph(BESIDE));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    for lane in 0..2 {
        bench.ask(Verb::Merge { pr: bench.number(lane), sha: None }).await;
    }
    assert_eq!(bench.state().lanes[1].status, LaneStatus::Merged, "{}", bench.told());
    sh(bench.dir.path(), "git checkout -q -b feature && echo mine > file");
    teammate(&bench, "echo theirs > theirs && git add . && git commit -qm theirs && git push -q");
    let main = bench.git("rev-parse main");
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.git("rev-parse main"), main, "the target is not moved");
    let state = bench.state();
    let revert = state.lanes[0].revert.clone().unwrap();
    assert_eq!(
        bench.files(&revert.branch),
        ["file", "theirs", "two"],
        "exactly the lane's work, on what is there now"
    );
    assert_eq!(state.lanes[0].status, LaneStatus::Merged);
    let standing = standing(&bench.project, &bench.plan.graph, RunNo(1));
    assert_eq!(standing, Standing::Live, "nothing of it is collected while it is being undone");
    let fixed =
        format!("git checkout -q {} && echo why > why && git add why && git commit -qm why", revert.branch);
    teammate(&bench, &format!("git fetch -q && {fixed} && git push -q origin HEAD"));
    let answer = bench.ask(Verb::Merge { pr: revert.at.number, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let there = sh(bench.dir.path(), "git --git-dir origin.git ls-tree --name-only main");
    assert_eq!(there, "file\ntheirs\ntwo\nwhy\n", "with what a teammate put on top of the revert");
    sh(bench.dir.path(), "git --git-dir origin.git log --format=%s main | grep -qx theirs");
    let state = bench.state();
    assert_eq!((state.lanes[0].status, state.lanes[1].status), (LaneStatus::Reset, LaneStatus::Merged));
    assert_eq!(std::fs::read_to_string(bench.dir.path().join("file")).unwrap(), "mine\n");
    bench.ask(Verb::Retry { tasks: vec![], lanes: vec![LaneId::new("a").unwrap()] }).await;
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::PrCreated, "{}", bench.told());
    let again = state.lanes[0].pr.as_ref().unwrap().at.number;
    bench.ask(Verb::Merge { pr: again, sha: None }).await;
    let there = sh(bench.dir.path(), "git --git-dir origin.git ls-tree --name-only main");
    assert_eq!(there, "file\none\ntheirs\ntwo\nwhy\n", "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_revert_that_a_person_added_to_before_it_was_known_goes_on_with_that() {
    let bench = Bench::new(&graph(BESIDE));
    bench.drive().await;
    bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    bench.undo(lane("a")).await;
    let opened = bench.state().lanes[0].revert.clone().unwrap();
    let journal = bench.plan.places.record.join("journal.jsonl");
    let text = std::fs::read_to_string(&journal).unwrap();
    let intended = text.lines().position(|line| line.contains("undo/a/1/revert")).unwrap();
    let cut: String = text.split_inclusive('\n').take(intended + 1).collect();
    std::fs::write(&journal, cut).unwrap();
    let added = format!(
        "git worktree add -q .git/review {branch} && cd .git/review && echo why > why && git add why && git commit -qm why \
         && git merge -q --no-edit main && cd ../.. && git worktree remove .git/review",
        branch = opened.branch
    );
    sh(bench.dir.path(), &format!("echo later > later && git add later && git commit -qm later && {added}"));
    let state = bench.drive().await;
    let revert = state.lanes[0].revert.clone().unwrap_or_else(|| panic!("{}", bench.told()));
    assert_eq!((revert.at.number, &revert.branch), (opened.at.number, &opened.branch));
    assert_eq!(revert.tip.as_str(), bench.git(&format!("rev-parse {}", opened.branch)).trim());
    let answer = bench.ask(Verb::Merge { pr: revert.at.number, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.files("main"), ["file", "later", "why"], "{}", bench.told());
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Reset);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_branch_of_somebody_else_under_the_name_of_a_revert_stays_his() {
    let bench = Bench::new(&graph(BESIDE));
    bench.drive().await;
    bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    sh(bench.dir.path(), "git branch laneway/g/a/revert-1 main");
    let answer = bench.undo(lane("a")).await;
    let Answer::Rejected { reason, .. } = &answer else { panic!("{answer:?}") };
    assert_eq!(reason, "the branch `laneway/g/a/revert-1` exists already and is not this run's");
    assert_eq!(bench.git("rev-parse laneway/g/a/revert-1"), bench.git("rev-parse main"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_squashed_rebased_and_fast_forwarded_lanes_are_taken_out_exactly() {
    let tip = "laneway/g/a/integration";
    let lands = [
        format!("git merge -q --squash {tip} && git commit -qm 'All of a (#1)'"),
        format!(
            "export GIT_COMMITTER_DATE=2030-01-01T00:00:00Z; git cherry-pick $(git rev-list --reverse --no-merges HEAD..{tip}) > /dev/null"
        ),
        format!("git merge -q --ff-only {tip}"),
        format!("git merge -q --no-ff --no-edit {tip}"),
    ];
    for land in lands {
        let bench = Bench::new(&graph(TWO));
        bench.drive().await;
        sh(
            bench.dir.path(),
            &format!(
                "git checkout -q main && {land} && echo later > later && git add later && git commit -qm later"
            ),
        );
        std::fs::write(bench.plan.places.board.join("lanes/a/merged"), "yes").unwrap();
        let state = bench.drive().await;
        assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{land}: {}", bench.told());
        let answer = bench.undo(lane("a")).await;
        assert!(matches!(answer, Answer::Taken(_)), "{land}: {answer:?}");
        let branch = bench.state().lanes[0].revert.clone().unwrap().branch;
        assert_eq!(
            bench.files(&branch),
            ["file", "later"],
            "{land}: {}",
            bench.git("log --oneline --graph main laneway/g/a/integration")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_lane_whose_worktree_is_gone_and_whose_pull_request_is_closed_can_be_reset() {
    let bench = Bench::on(with_origin(), &graph(BESIDE));
    bench.drive().await;
    let number = bench.number(0);
    bench.ask(Verb::Close { pr: number }).await;
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Failed);
    std::fs::remove_dir_all(&bench.plan.lanes[0].worktree).unwrap();
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Reset, "{}", bench.told());
    let forge = LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    assert_eq!(forge.get(number).unwrap().state, PrState::Closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_branch_that_the_user_has_checked_out_stays_and_the_reset_is_refused() {
    let bench = Bench::new(&graph(BESIDE));
    bench.drive().await;
    sh(bench.dir.path(), "git checkout -q laneway/g/a/integration");
    let head = bench.git("rev-parse HEAD");
    let answer = bench.undo(lane("a")).await;
    assert!(
        matches!(&answer, Answer::Rejected { reason, .. } if reason.contains("checked out")),
        "{answer:?}"
    );
    assert_eq!(bench.git("rev-parse HEAD"), head);
    assert_ne!(bench.state().tasks[0].status, TaskStatus::Reset);
}

/// Where a run comes to when `target` is undone as soon as an agent has told of progress.
async fn undone_at_work(bench: &Bench, target: UndoTarget) -> State {
    let (sender, mut events) = mpsc::unbounded_channel();
    let asked = async {
        heard(&mut events, |e| {
            matches!(&e.event, crate::event::Event::SignalObserved(s) if s.signal == crate::event::SignalKind::Progress)
        })
        .await;
        bench.undo(target).await
    };
    let (state, answer) = tokio::join!(bench.drive_telling(Some(sender)), asked);
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_task_at_work_is_stopped_and_what_it_made_is_kept() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[tasks]]
id = "one"
workstream = "a"
prompt = 'RUN: echo half > half; echo going > $LANEWAY_SIGNALS/progress; sleep 1000'
"#,
    ));
    let state = undone_at_work(&bench, task("one")).await;
    assert_eq!(state.tasks[0].status, TaskStatus::Reset, "{}", bench.told());
    assert_eq!(state.run.status, Some(RunStatus::Blocked));
    let kept = bench.git("for-each-ref --format='%(refname)' refs/heads/laneway refs/laneway/custody");
    let has = |r: &&str| bench.files(r).contains(&"half".to_owned());
    assert!(kept.lines().any(|r| has(&r)), "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_the_pull_requests_of_tasks_are_closed_with_their_lane() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
task_prs = true
[[tasks]]
id = "one"
workstream = "a"
gate = "test -e good"
attempts = 2
prompt = """
RUN: if test $LANEWAY_ATTEMPT = 1; then echo x > bad; : > $LANEWAY_SIGNALS/done
RUN: else echo going > $LANEWAY_SIGNALS/progress; sleep 1000; fi
"""
"#,
    ));
    let state = undone_at_work(&bench, lane("a")).await;
    assert_eq!(state.lanes[0].status, LaneStatus::Reset, "{}", bench.told());
    let forge = LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    let pulls = forge.list(&PrFilter::default()).unwrap();
    assert_eq!(pulls.iter().map(|pull| pull.state).collect::<Vec<_>>(), [PrState::Closed], "{pulls:#?}");
    assert!(state.tasks[0].pr.as_ref().is_some_and(|pr| pr.closed_by.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn ar25_a_lane_that_origin_did_not_take_is_taken_out_under_later_work_of_the_user() {
    let bench = Bench::on(with_origin(), &graph(BESIDE));
    assert_eq!(bench.drive().await.run.status, Some(RunStatus::Completed), "{}", bench.told());
    sh(
        bench.dir.path(),
        "printf '#!/bin/sh\nexit 1\n' > origin.git/hooks/pre-receive && chmod +x origin.git/hooks/pre-receive",
    );
    bench.ask(Verb::Merge { pr: bench.number(0), sha: None }).await;
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Merged, "{}", bench.told());
    sh(
        bench.dir.path(),
        "rm origin.git/hooks/pre-receive && echo mine > mine && git add mine && git commit -qm mine",
    );
    assert_eq!(bench.files("main"), ["file", "mine", "one"]);
    let answer = bench.undo(lane("a")).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    let revert = bench.state().lanes[0].revert.clone().expect("the target has its work");
    let answer = bench.ask(Verb::Merge { pr: revert.at.number, sha: None }).await;
    assert!(matches!(answer, Answer::Taken(_)), "{answer:?}");
    assert_eq!(bench.files("main"), ["file", "mine"]);
    assert_eq!(bench.state().lanes[0].status, LaneStatus::Reset);
}
