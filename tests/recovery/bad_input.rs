//! What is wrong with graph, repository or surroundings, seen from the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;

use super::{agents, processes};
use crate::harness::{Barrier, Running, Scratch, Setup, UserState};

/// Everything of Laneway's that a refused run could have left.
#[track_caller]
fn expect_nothing_left(scratch: &Scratch) {
    let refs = scratch.git(&["for-each-ref", "--format=%(refname)"]);
    // What was fetched is kept out of the user's sight and is no part of a run.
    let ours = |name: &&str| {
        name.starts_with("refs/heads/laneway/")
            || name.starts_with("refs/laneway/") && !name.starts_with("refs/laneway/remote/")
    };
    assert_eq!(refs.lines().find(ours), None, "{refs}");
    for path in [".worktrees", ".laneway", ".git/laneway/graphs"] {
        assert!(!scratch.repo().join(path).exists(), "{path} was left");
    }
    assert_eq!(scratch.git(&["worktree", "list"]).lines().count(), 1);
}

/// Expects a run of `graph` to be refused with this exit code and all of these words, and to leave nothing.
#[track_caller]
fn expect_refused(scratch: &Scratch, graph: &str, code: i32, words: &[&str]) {
    let before = UserState::of(scratch);
    let answer = scratch.laneway(&["run", graph]).code(code);
    for word in words {
        assert!(answer.stderr().contains(word), "`{word}` is not in:\n{}", answer.stderr());
    }
    UserState::of(scratch).expect(&before);
    expect_nothing_left(scratch);
    let error = scratch.laneway(&["run", graph, "--json"]).code(code).json();
    assert!(error["error"]["message"].is_string(), "{error:#}");
    expect_nothing_left(scratch);
}

fn with_agent(scratch: &Scratch, program: &str) {
    let text = format!(
        "schema = 1\nname = \"odd\"\nagent = \"it\"\n\n[agents.it]\ncommand = [{program:?}, \"{{prompt_file}}\"]\n\n\
         [[tasks]]\nid = \"work\"\nprompt = \"Work.\"\n"
    );
    scratch.write("graphs/odd.toml", &text);
}

#[test]
fn a_missing_agent_program_is_found_before_anything_exists() {
    let scratch = Scratch::new();
    with_agent(&scratch, "no-such-agent");
    expect_refused(&scratch, "graphs/odd.toml", 4, &["no-such-agent", "work", "hint:"]);
    with_agent(&scratch, "/nowhere/agent");
    expect_refused(&scratch, "graphs/odd.toml", 4, &["/nowhere/agent", "hint:"]);
}

#[test]
fn an_agent_program_that_cannot_be_executed_is_found_before_anything_exists() {
    let scratch = Scratch::new();
    let program = scratch.shared().join("agent");
    fs::write(&program, "#!/bin/sh\n").expect("a writable directory");
    let shown = program.to_str().expect("a path in UTF-8");
    with_agent(&scratch, shown);
    expect_refused(&scratch, "graphs/odd.toml", 4, &[shown, "hint:"]);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    scratch.laneway(&["run", "graphs/odd.toml", "--dry-run"]).success();
}

#[test]
fn an_agent_that_the_lane_does_not_have_fails_its_task_with_the_reason() {
    let scratch = Scratch::new();
    with_agent(&scratch, "./agents/none.sh");
    scratch.laneway(&["run", "graphs/odd.toml"]).code(1);
    let status = scratch.status("odd");
    assert_eq!(status.task("work")["status"], "failed", "{:#}", status.value());
    let error = status.task("work")["error"].to_string();
    assert!(error.contains("could not be started") && error.contains("none.sh"), "{error}");
    scratch.laneway(&["verify", "odd"]).success();
}

#[test]
fn a_repository_without_an_identity_is_refused_with_the_command_that_sets_one() {
    let scratch = Scratch::new();
    scratch.git(&["config", "--unset", "user.name"]);
    scratch.git(&["config", "--unset", "user.email"]);
    expect_refused(&scratch, "graphs/quickstart.toml", 4, &["user.name", "hint:"]);
}

#[test]
fn a_branch_named_laneway_is_found_before_the_run() {
    for branch in ["laneway", "laneway/quickstart"] {
        let scratch = Scratch::new();
        scratch.git(&["branch", branch]);
        let before = UserState::of(&scratch);
        let answer = scratch.laneway(&["run", "graphs/quickstart.toml"]).code(4);
        assert!(answer.stderr().contains(&format!("`{branch}`")), "{}", answer.stderr());
        assert!(answer.stderr().contains("hint: git branch -m"), "{}", answer.stderr());
        UserState::of(&scratch).expect(&before);
        assert!(!scratch.repo().join(".worktrees").exists());
        scratch.git(&["branch", "-m", branch, "mine"]);
        scratch.laneway(&["run", "graphs/quickstart.toml"]).success();
    }
}

#[test]
fn a_detached_head_is_left_where_it_is() {
    let scratch = Scratch::new();
    scratch.git(&["checkout", "-q", "--detach"]);
    let before = UserState::of(&scratch);
    scratch.laneway(&["run", "graphs/quickstart.toml"]).success();
    UserState::of(&scratch).expect(&before);
    assert_eq!(scratch.laneway(&["pr", "list", "--json"]).success().json()[0]["base"], "main");
}

#[test]
fn a_detached_head_without_a_remote_says_what_to_do() {
    let scratch = Setup::new().without_origin().make();
    scratch.git(&["checkout", "-q", "--detach"]);
    let before = UserState::of(&scratch);
    expect_refused(&scratch, "graphs/quickstart.toml", 2, &["hint:", "`base`"]);
    let told = scratch.laneway(&["doctor"]).success();
    assert!(told.stdout().contains("on no branch: graphs without `base` are refused"), "{}", told.stdout());
    UserState::of(&scratch).expect(&before);
}

#[test]
fn a_repository_that_cannot_be_written_is_refused() {
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped: root writes everywhere");
        return;
    }
    let scratch = Scratch::new();
    let git = scratch.repo().join(".git");
    let modes = |mode| fs::set_permissions(&git, fs::Permissions::from_mode(mode)).expect("it is ours");
    modes(0o555);
    let answer = scratch.laneway(&["run", "graphs/quickstart.toml"]).code(4);
    modes(0o755);
    assert!(answer.stderr().contains(".git"), "{}", answer.stderr());
    expect_nothing_left(&scratch);
}

#[test]
fn a_graph_file_that_is_none_is_refused() {
    let scratch = Scratch::new();
    expect_refused(&scratch, "graphs/nothing.toml", 2, &["graphs/nothing.toml"]);
    fs::write(scratch.repo().join("graphs/binary.toml"), [0, 0xff, 0xfe, 0, 1])
        .expect("a writable repository");
    expect_refused(&scratch, "graphs/binary.toml", 2, &["graphs/binary.toml"]);
    expect_refused(&scratch, "graphs", 2, &["graphs"]);
    scratch.write("graphs/empty.toml", "");
    expect_refused(&scratch, "graphs/empty.toml", 2, &["graphs/empty.toml"]);
}

/// A run of one task, held at the barrier.
fn held(scratch: &Scratch) -> (Barrier, Running) {
    let barrier = Barrier::new(scratch, "barrier", &["work".to_owned()]);
    let work = format!("{} && echo worked > work.txt", barrier.command("work"));
    scratch.write("graphs/held.toml", &agents("held", "", &[("work", &work)]));
    let mut running = scratch.spawn(&["run", "graphs/held.toml"]);
    barrier.gather(&mut running);
    scratch.follow("held").wait_for_line(|line| line.contains("\"process.started\""));
    (barrier, running)
}

#[test]
fn ar23_a_graph_that_is_edited_while_it_runs_is_frozen_and_its_drift_is_said() {
    let scratch = Scratch::new();
    let (mut barrier, running) = held(&scratch);
    let file = scratch.repo().join("graphs/held.toml");
    let text = fs::read_to_string(&file).expect("it was written");
    let task = "\n[[tasks]]\nid = \"more\"\nrun = \"touch more\"\n";
    fs::write(&file, format!("{text}{task}")).expect("a writable repository");
    running.signal(Signal::KILL);
    running.wait().killed();
    barrier.open();
    for what in ["goes on", "nothing to do"] {
        let answer = scratch.laneway(&["run", "graphs/held.toml"]).success();
        assert!(answer.text().contains(what), "{}", answer.text());
        assert!(answer.stderr().contains("has changed since run 1 began"), "{}", answer.text());
    }
    let resumed = scratch.laneway(&["resume", "held"]).success();
    assert!(resumed.stderr().contains("has changed since run 1 began"), "{}", resumed.text());
    fs::write(&file, &text).expect("a writable repository");
    let resumed = scratch.laneway(&["resume", "held"]).success();
    assert!(!resumed.stderr().contains("has changed"), "{}", resumed.text());
    let status = scratch.status("held");
    status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
    scratch.laneway(&["verify", "held"]).success();
}

#[test]
fn ar23_a_graph_that_becomes_nonsense_while_it_runs_disturbs_nobody() {
    let scratch = Scratch::new();
    let (mut barrier, running) = held(&scratch);
    scratch.write("graphs/held.toml", "this is no graph");
    barrier.open();
    running.wait().success();
    let status = scratch.status("held");
    status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
    scratch.laneway(&["verify", "held"]).success();
    scratch.laneway(&["run", "graphs/held.toml"]).code(2);
    scratch.laneway(&["resume", "held"]).success();
}

#[test]
fn a_noticeboard_that_is_deleted_while_the_run_works_is_put_up_again() {
    let scratch = Scratch::new();
    let (mut barrier, mut running) = held(&scratch);
    match fs::remove_dir_all(scratch.repo().join(".laneway")) {
        // It is being put up again while it goes.
        Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
        other => other.expect("it is there"),
    }
    // A request makes the orchestrator look, should the system not have told it yet.
    scratch.laneway(&["pause", "held"]).success();
    scratch.laneway(&["resume", "held"]).success();
    wait_for_board(&scratch, &mut running);
    barrier.open();
    running.wait().success();
    let status = scratch.status("held");
    status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
    assert_eq!(processes(&scratch, "held", "work"), 1);
    scratch.laneway(&["verify", "held"]).success();
}

#[track_caller]
fn wait_for_board(scratch: &Scratch, running: &mut Running) {
    let signals = scratch.board("held", "tasks/work/1/signals");
    let attempt: &Path = signals.parent().expect("it has one");
    let mut dir = scratch.repo().to_owned();
    for part in attempt.strip_prefix(scratch.repo()).expect("it lies in there") {
        running.wait_for_files(&dir, &[part.to_str().expect("UTF-8").to_owned()]);
        dir.push(part);
    }
    running.wait_for_files(attempt, &["signals".to_owned()]);
}

#[test]
fn a_noticeboard_that_was_deleted_between_two_runs_is_put_up_again() {
    let scratch = Scratch::new();
    scratch.laneway(&["run", "graphs/failure-isolated.toml"]).code(1);
    fs::remove_dir_all(scratch.repo().join(".laneway")).expect("it is there");
    scratch.laneway(&["verify", "failure-isolated"]).failure();
    scratch.laneway(&["run", "graphs/failure-isolated.toml"]).code(1);
    scratch.laneway(&["verify", "failure-isolated"]).success();
    assert!(scratch.board("failure-isolated", "lanes/shaky/failed").exists());
}
