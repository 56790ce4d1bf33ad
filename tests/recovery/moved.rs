//! A repository that was renamed or copied while a run was on its way.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::harness::{Answer, Scratch, Setup};

const GRAPH: &str = r#"
schema = 1
name = "two"

[agents.first]
command = ["sh", "-c", "if test -e ../../../.git/second; then echo work > new; echo ok > $LANEWAY_SIGNALS/done; else echo work > loose; exec sleep 100000; fi"]

[[tasks]]
id = "a"
agent = "first"
prompt = "Work."
"#;

/// A repository whose run was killed while its agent had work that is not committed.
fn killed() -> (Scratch, PathBuf) {
    let scratch = Setup::new().without_origin().make();
    let repo = scratch.shared().join("began");
    scratch.git(&["clone", "-q", ".", repo.to_str().expect("UTF-8")]);
    scratch.git_in(&repo, &["remote", "remove", "origin"]);
    scratch.git_in(&repo, &["config", "user.name", "Ann Author"]);
    scratch.git_in(&repo, &["config", "user.email", "ann@example.org"]);
    fs::write(repo.join("two.toml"), GRAPH).expect("a file");
    let file = graph(&repo);
    let mut run = scratch.spawn(&["--repo", repo.to_str().expect("UTF-8"), "run", &file]);
    run.wait_for_line(|line| line.contains("attempt started"));
    let loose = lane(&repo).join("loose");
    while fs::read_to_string(&loose).unwrap_or_default().is_empty() {
        std::thread::yield_now();
    }
    run.signal(Signal::KILL);
    run.wait().killed();
    fs::write(repo.join(".git/second"), "").expect("a file");
    (scratch, repo)
}

fn graph(repo: &Path) -> String {
    repo.join("two.toml").to_str().expect("UTF-8").to_owned()
}

fn lane(repo: &Path) -> PathBuf {
    repo.join(".worktrees/two/default")
}

fn in_repo(scratch: &Scratch, repo: &Path, arguments: &[&str]) -> crate::harness::Output {
    scratch.laneway(&[&["--repo", repo.to_str().expect("UTF-8")], arguments].concat())
}

#[track_caller]
fn expect_refused(answer: &Answer, began: &Path, here: &Path, next: &str) {
    let text = answer.stderr();
    let both = text.contains(began.to_str().expect("UTF-8")) && text.contains(here.to_str().expect("UTF-8"));
    assert!(both && text.contains(next) && text.contains("laneway run two.toml --fresh"), "{text}");
}

#[test]
fn p01_a_run_is_not_taken_up_in_a_repository_that_was_renamed_since_and_works_nowhere() {
    let (scratch, began) = killed();
    let moved = scratch.shared().join("renamed");
    fs::rename(&began, &moved).expect("a rename");
    let back = format!("mv {} {}", moved.display(), began.display());
    for command in [&["resume", "two"][..], &["run", &graph(&moved)], &["cancel", "two"]] {
        let refused = in_repo(&scratch, &moved, command).code(4);
        expect_refused(&refused, &began, &moved, &back);
        assert!(refused.stderr().contains(&format!("git worktree repair {}", lane(&moved).display())));
        assert!(!began.exists(), "{command:?} made something at the old place");
    }
    for command in [&["status", "two"][..], &["logs", "a"], &["pr", "list"]] {
        in_repo(&scratch, &moved, command).success();
    }
    let doctor = in_repo(&scratch, &moved, &["doctor", "--json"]).success().json();
    assert!(doctor.to_string().contains(&back), "{doctor:#}");

    in_repo(&scratch, &moved, &["run", &graph(&moved), "--fresh"]).success();
    assert_eq!(fs::read_to_string(lane(&moved).join("loose")).expect("the old work"), "work\n");
    assert!(!began.exists());
}

#[test]
fn p01_a_renamed_repository_that_is_back_goes_on() {
    let (scratch, began) = killed();
    let moved = scratch.shared().join("renamed");
    fs::rename(&began, &moved).expect("a rename");
    in_repo(&scratch, &moved, &["resume", "two"]).code(4);
    fs::rename(&moved, &began).expect("a rename");
    // A link that leads to it is the same place.
    std::os::unix::fs::symlink(&began, &moved).expect("a link");
    in_repo(&scratch, &moved, &["cancel", "two"]).success();
}

#[test]
fn p01_a_copy_of_a_repository_does_not_take_its_run_up() {
    let (scratch, began) = killed();
    let copy = scratch.shared().join("copy");
    let paths = [began.to_str().expect("UTF-8"), copy.to_str().expect("UTF-8")];
    scratch.program("cp", &["-a", paths[0], paths[1]], &[]).success();
    let refused = in_repo(&scratch, &copy, &["resume", "two"]).code(4);
    expect_refused(&refused, &began, &copy, &format!("cd {}", began.display()));
    assert!(!refused.stderr().contains("worktree repair"), "{}", refused.stderr());
}
