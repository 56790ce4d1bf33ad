//! The harness itself: a test can only be trusted as far as this.

use super::{Barrier, Running, Scratch, Setup, UserState};

fn shell(scratch: &Scratch, script: &str) -> Running {
    let command = scratch.command("sh".as_ref(), &["-c", script]);
    Running::start(command, format!("sh -c {script}"))
}

#[test]
fn a_scratch_repository_is_pushed_and_clean() {
    let scratch = Scratch::new();
    assert_eq!(scratch.git(&["status", "--porcelain"]), "");
    assert_eq!(scratch.git(&["rev-parse", "--abbrev-ref", "origin/HEAD"]), "origin/main");
    let (here, there) = (scratch.repo().to_path_buf(), scratch.origin());
    assert_eq!(scratch.git_in(&here, &["rev-parse", "main"]), scratch.git_in(&there, &["rev-parse", "main"]));
    assert!(scratch.file_at(&there, "main", "graphs/quickstart.toml").is_some());
    assert_eq!(scratch.file_at(&there, "main", "graphs/none.toml"), None);
    assert_eq!(scratch.git(&["config", "--show-scope", "user.name"]), "local\tAnn Author");
}

#[test]
fn a_scratch_repository_can_be_bare_or_alone() {
    let alone = Setup::new().without_origin().make();
    assert_eq!(alone.git(&["remote"]), "");
    let bare = Setup::new().bare().make();
    assert_eq!(bare.git(&["rev-parse", "--is-bare-repository"]), "true");
    assert_eq!(bare.git(&["remote"]), "origin");
    let both = Setup::new().bare().without_origin().make();
    assert_eq!(both.git(&["remote"]), "");
    UserState::of(&both).expect(&UserState::of(&both));
}

#[test]
fn the_users_state_stays_while_laneway_works_and_shows_each_change_of_another() {
    let scratch = Setup::new().on_branch("work").dirty().make();
    let before = UserState::of(&scratch);
    scratch.git(&["update-ref", "refs/heads/laneway/x/y/integration", "HEAD"]);
    scratch.git(&["update-ref", "refs/laneway/custody/x/1/y", "HEAD"]);
    scratch.write(".laneway/x/1/lanes/y/active", "now\n");
    scratch.write(".worktrees/x/y/file", "text\n");
    UserState::of(&scratch).expect(&before);

    let git = |arguments: &[&str]| {
        scratch.git(arguments);
    };
    let write = |path: &str, text: &str| scratch.write(path, text);
    let touched: [(&str, &dyn Fn()); 8] = [
        ("ref refs/heads/main", &|| git(&["branch", "-f", "main", "v0^{}"])),
        ("git index", &|| git(&["add", "untracked.txt"])),
        ("git config", &|| git(&["config", "user.name", "Bob"])),
        ("ref refs/stash", &|| git(&["stash", "drop", "-q"])),
        ("git HEAD", &|| git(&["symbolic-ref", "HEAD", "refs/heads/main"])),
        ("ref refs/tags/v1", &|| git(&["tag", "v1"])),
        ("file untracked.txt", &|| write("untracked.txt", "changed\n")),
        ("hook pre-push", &|| write(".git/hooks/pre-push", "#!/bin/sh\n")),
    ];
    scratch.git(&["commit", "-q", "--no-verify", "-m", "Work"]);
    scratch.git(&["update-ref", "refs/heads/main", "work"]);
    for (thing, touch) in touched {
        let before = UserState::of(&scratch);
        touch();
        let difference = before.difference(&UserState::of(&scratch));
        assert!(difference.contains(thing), "{thing} is not in:\n{difference}");
    }
}

#[test]
fn a_merge_may_move_its_branch_and_nothing_else() {
    let scratch = Scratch::new();
    let before = UserState::of(&scratch);
    scratch.write("more.txt", "more\n");
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "More"]);
    let after = UserState::of(&scratch);
    assert!(!before.difference(&after).is_empty());
    let allowed = |state: UserState| state.without_branch("main").without_checkout();
    allowed(after).expect(&allowed(before));
}

#[test]
fn a_running_program_is_heard_line_by_line_to_its_end() {
    let scratch = Scratch::new();
    let mut running = shell(&scratch, "echo one; echo two; echo three >&2; exit 4");
    assert_eq!(running.wait_for_line(|line| line.starts_with("tw")), "two");
    let answer = running.wait().code(4);
    assert_eq!((answer.stdout(), answer.stderr()), ("one\ntwo\n", "three\n"));
}

#[test]
#[should_panic(expected = "before the files came")]
fn waiting_ends_with_the_program() {
    let scratch = Scratch::new();
    let mut running = shell(&scratch, "exit 0");
    running.wait_for_files(&scratch.shared(), &["never".to_owned()]);
}

#[test]
fn a_barrier_holds_everybody_until_all_are_there() {
    let scratch = Scratch::new();
    let names: Vec<String> = (0..3).map(|n| format!("p{n}")).collect();
    let mut barrier = Barrier::new(&scratch, "all", &names);
    let parts: Vec<String> =
        names.iter().map(|name| format!("{{ {} && echo {name}; }} &", barrier.command(name))).collect();
    let mut running = shell(&scratch, &format!("{} wait", parts.join(" ")));
    barrier.gather(&mut running);
    barrier.open();
    let answer = running.wait().success();
    let mut passed: Vec<&str> = answer.stdout().lines().collect();
    passed.sort_unstable();
    assert_eq!(passed, names);
}

#[test]
fn a_program_can_be_signalled() {
    let scratch = Scratch::new();
    let script = "trap 'echo heard; exit 3' TERM; echo ready; while :; do read -r x < \"$0\"; done";
    let fifo = scratch.shared().join("never");
    scratch.mkfifo(&fifo);
    let command = scratch.command("sh".as_ref(), &["-c", script, fifo.to_str().expect("UTF-8")]);
    let mut running = Running::start(command, "sh".to_owned());
    running.wait_for_line(|line| line == "ready");
    rustix::process::test_kill_process(running.pid()).expect("it lives");
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(running.wait().code(3).stdout(), "ready\nheard\n");
}
