//! Each shipped graph, run by the real program in a repository that its user is at work in.

mod auto;
mod conditions;
mod environment;
mod failure;
mod handover;
mod loops;
mod parallel;
mod review;
mod reviewed;
mod shapes;
mod task_prs;

use crate::harness::{Answer, Scratch, Setup, Status, UserState};

/// A user in the middle of something else: on a branch of their own, with changes of every kind.
fn busy_user() -> Scratch {
    Setup::new().on_branch("work").dirty().make()
}

/// Runs a shipped graph to its end, and shows that nothing of the user's changed but the target where `merges`.
#[track_caller]
fn run(scratch: &Scratch, graph: &str, code: i32, merges: Merges) -> Answer {
    let before = UserState::of(scratch);
    let answer = scratch.laneway(&["run", &file(graph)]).code(code);
    let after = UserState::of(scratch);
    match merges {
        Merges::Nothing => after.expect(&before),
        Merges::Target => after.without_branch("main").expect(&before.without_branch("main")),
    }
    scratch.laneway(&["verify", graph]).success();
    answer
}

/// Whether a run moves the target branch.
#[derive(Debug, Clone, Copy)]
enum Merges {
    Nothing,
    Target,
}

fn file(graph: &str) -> String {
    format!("graphs/{graph}.toml")
}

/// Runs a graph that has achieved everything a second time: nothing is started and nothing moves.
#[track_caller]
fn run_again(scratch: &Scratch, graph: &str) {
    let (refs, started) = (refs(scratch), processes(scratch, graph));
    let answer = scratch.laneway(&["run", &file(graph)]).success();
    assert!(answer.text().contains("nothing to do"), "{}", answer.text());
    assert_eq!(processes(scratch, graph), started);
    assert_eq!(self::refs(scratch), refs);
}

/// How many processes a run has started.
#[track_caller]
fn processes(scratch: &Scratch, graph: &str) -> usize {
    let events = scratch.events(graph);
    events.iter().filter(|event| event["kind"] == "process.started").count()
}

fn refs(scratch: &Scratch) -> String {
    scratch.git(&["for-each-ref", "--format=%(refname) %(objectname)"])
}

/// Expects the lane's integration branch, here and in origin, at the lane's tip, and returns the tip.
#[track_caller]
fn integration(scratch: &Scratch, status: &Status, graph: &str, lane: &str) -> String {
    let branch = format!("laneway/{graph}/{lane}/integration");
    assert_eq!(status.lane(lane)["branch"], branch.as_str());
    let reference = format!("refs/heads/{branch}");
    let tip = scratch.git(&["rev-parse", &reference]);
    assert_eq!(scratch.git_in(&scratch.origin(), &["rev-parse", &reference]), tip);
    assert_eq!(status.tip(lane), tip);
    tip
}

/// The text of a file on the target branch, which stands the same here and in origin.
#[track_caller]
fn on_main(scratch: &Scratch, path: &str) -> Option<String> {
    let here = scratch.git(&["rev-parse", "refs/heads/main"]);
    assert_eq!(scratch.git_in(&scratch.origin(), &["rev-parse", "refs/heads/main"]), here);
    scratch.file_at(scratch.repo(), "refs/heads/main", path)
}

/// What the calculator of a commit answers.
#[track_caller]
fn calculates(scratch: &Scratch, commit: &str, sum: &str) -> String {
    let commit = scratch.git(&["rev-parse", "--verify", &format!("{commit}^{{commit}}")]);
    let dir = scratch.shared().join(format!("at-{commit}"));
    if !dir.exists() {
        let path = dir.to_str().expect("a path in UTF-8");
        scratch.git(&["clone", "-q", "--no-checkout", ".", path]);
        scratch.git_in(&dir, &["checkout", "-q", "--detach", &commit]);
    }
    let script = format!("cd '{}' && sh check.sh >&2 && sh calc.sh {sum}", dir.display());
    let answer = scratch.program("sh", &["-c", &script], &[]).success();
    answer.stdout().trim_end().to_owned()
}

/// What waits for a person, as text to look for words in.
fn waiting(status: &Status) -> String {
    status.value()["waiting"].to_string()
}
