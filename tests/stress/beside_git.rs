//! Thirty-two lanes at once, while a user collects garbage, commits, prunes worktrees and fetches in the same repository.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use laneway::git::{Identity, Repo};

use super::scale;
use crate::harness::Scratch;

const LANES: usize = 32;

/// What a user does over and over, and how often all of it was done.
fn user_at_work(scratch: &Scratch, stop: &AtomicBool) -> usize {
    let mut rounds = 0;
    while !stop.load(Ordering::Relaxed) {
        scratch.write("diary.md", &format!("round {rounds}\n"));
        scratch.git(&["add", "diary.md"]);
        scratch.git(&["commit", "-q", "-m", "A line in the diary"]);
        scratch.git(&["worktree", "prune"]);
        // A worktree that is removed while gc lists them ends that gc, whoever removes it; nothing is lost by it.
        unless_beaten(scratch, "git gc -q --prune=now", "Invalid path");
        // Whoever fetches while somebody pushes from the same repository can lose the race for a ref.
        unless_beaten(scratch, "git fetch -q origin", "cannot lock ref");
        rounds += 1;
    }
    rounds
}

/// Runs a command that may fail in one way, as it does beside any other git.
fn unless_beaten(scratch: &Scratch, command: &str, beaten: &str) {
    let told = format!("{command} 2>&1 || echo failed");
    let told = scratch.program("sh", &["-c", &told], &[]).success();
    let said = told.stdout();
    assert!(!said.contains("failed") || said.contains(beaten), "{command}: {said}");
}

/// Runs `work` beside the user, who has done everything at least once when this returns.
fn beside_a_user<T: Send>(scratch: &Scratch, work: impl FnOnce() -> T + Send) -> T {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let user = scope.spawn(|| user_at_work(scratch, &stop));
        let done = scope.spawn(work).join();
        stop.store(true, Ordering::Relaxed);
        let rounds = user.join().expect("the user is not disturbed");
        assert!(rounds > 0, "nobody was there");
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// One lane from its making to its removal, with a commit that only a ref holds in the end.
fn lane(repo: &Repo, place: &Path, lane: usize, round: usize) -> Result<String, laneway::git::GitError> {
    let tip = repo.branch_tip("main")?.expect("there is a branch");
    let path = place.join(format!("lane-{lane}"));
    let worktree = repo.provision(&path, &tip)?;
    std::fs::write(path.join("work.txt"), format!("{lane} in round {round}\n")).expect("a writable lane");
    let author = Identity { name: "Ann".to_owned(), email: "ann@example.org".to_owned() };
    let commit = repo.commit_all(&worktree, &tip, "work\n", &author)?.expect("something changed");
    let branch = format!("laneway/stress/lane-{lane}/r{round}");
    repo.advance(&format!("refs/heads/{branch}"), None, &commit)?;
    repo.sync_objects(&commit, &[tip])?;
    repo.set_to(&worktree, &commit)?;
    assert!(repo.tree_state(&worktree, &commit)?.is_clean());
    repo.remove(&worktree, &repo.common_dir().join("laneway/trash"))?;
    Ok(branch)
}

#[test]
fn p09_p16_thirty_two_lanes_are_made_at_once_beside_a_user_at_work() {
    let scratch = Scratch::new();
    let repo = Repo::discover(scratch.repo()).expect("a repository");
    let place = scratch.repo().join(".worktrees/stress");
    let branches = beside_a_user(&scratch, || {
        let mut branches = Vec::new();
        for round in 0..scale(3, 100) {
            let together = Barrier::new(LANES);
            let made: Vec<_> = thread::scope(|scope| {
                let lanes: Vec<_> = (0..LANES)
                    .map(|n| {
                        let (repo, place, together) = (&repo, &place, &together);
                        scope.spawn(move || {
                            together.wait();
                            lane(repo, place, n, round)
                        })
                    })
                    .collect();
                lanes.into_iter().map(|lane| lane.join().expect("a lane does not panic")).collect()
            });
            branches.extend(made.into_iter().map(|lane| lane.expect("no lane fails")));
        }
        branches
    });
    for branch in &branches {
        let text = scratch.git(&["show", &format!("{branch}:work.txt")]);
        assert!(text.contains(" in round "), "{branch}: {text}");
    }
    whole(&scratch);
}

#[test]
fn p09_a_run_of_thirty_two_lanes_lands_beside_a_user_at_work() {
    let scratch = Scratch::new();
    let mut graph = "schema = 1\nname = \"many\"\nagent = \"sh\"\nmax_parallel = 8\n\n[agents.sh]\n\
                     command = [\"sh\", \"-c\", \"echo $LANEWAY_LANE > work.txt; : > $LANEWAY_SIGNALS/done\"]\n"
        .to_owned();
    for lane in 0..LANES {
        write!(
            graph,
            "\n[[workstreams]]\nid = \"l{lane}\"\n\n[[tasks]]\nid = \"t{lane}\"\nworkstream = \"l{lane}\"\n\
             prompt = \"p\"\ngate = \"test -s work.txt\"\n"
        )
        .expect("a string takes every text");
    }
    scratch.write("graphs/many.toml", &graph);
    for _ in 0..scale(1, 10) {
        beside_a_user(&scratch, || scratch.laneway(&["run", "graphs/many.toml", "--fresh"]).success());
        let status = scratch.status("many");
        for lane in 0..LANES {
            assert_eq!(status.attempts(&format!("t{lane}")), 1, "nothing had to be tried again");
            let text = scratch.file_at(scratch.repo(), status.tip(&format!("l{lane}")), "work.txt");
            assert_eq!(text, Some(format!("l{lane}")));
        }
        scratch.laneway(&["verify", "many"]).success();
        whole(&scratch);
    }
}

/// Nothing is missing or broken, and the user's branch holds what the user committed and nothing else.
fn whole(scratch: &Scratch) {
    let found = scratch.git(&["fsck", "--no-dangling", "--no-reflogs"]);
    assert_eq!(found, "");
    let subjects = scratch.git(&["log", "--format=%s", "main"]);
    assert!(
        subjects.lines().all(|subject| ["A line in the diary", "Begin"].contains(&subject)),
        "{subjects}"
    );
    assert_eq!(scratch.git(&["status", "--porcelain"]).replace("?? graphs/many.toml", ""), "");
    assert_eq!(
        scratch.git(&["worktree", "list"]).lines().filter(|line| line.contains("prunable")).count(),
        0
    );
}
