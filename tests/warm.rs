//! `[lanes] warm`: worktrees of lanes that cannot begin yet, made while others work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Barrier, Running, Scratch, UserState};

/// `one` works at the barrier, if there is one; `two` builds on it.
fn graph(work: &str, two: &str) -> String {
    format!(
        "schema = 1\nname = \"g\"\n\
         [[workstreams]]\nid = \"one\"\n\
         [[workstreams]]\nid = \"two\"\n{two}\n\
         [[tasks]]\nid = \"t1\"\nworkstream = \"one\"\nrun = {:?}\n\
         [[tasks]]\nid = \"t2\"\nworkstream = \"two\"\nneeds = [\"t1\"]\nrun = \"test -e one.txt && echo 2 > two.txt\"\n",
        format!("{work} && echo 1 > one.txt")
    )
}

fn worktree(scratch: &Scratch, lane: &str) -> PathBuf {
    scratch.repo().join(".worktrees/g").join(lane)
}

/// A run that is held while `t1` works, with lane `two` warm.
#[track_caller]
fn held(warm: u32, two: &str) -> (Scratch, Barrier, Running) {
    let scratch = Scratch::new();
    let barrier = Barrier::new(&scratch, "barrier", &["t1".to_owned()]);
    scratch.write("laneway.toml", &format!("[lanes]\nwarm = {warm}\n"));
    scratch.write("graphs/g.toml", &graph(&barrier.command("t1"), two));
    let mut running = scratch.spawn(&["run", "graphs/g.toml", "--json"]);
    if warm > 0 {
        running.wait_for_line(|line| line.contains("\"effect.confirmed\"") && line.contains("\"warm/two\""));
    }
    barrier.gather(&mut running);
    (scratch, barrier, running)
}

#[track_caller]
fn landed(scratch: &Scratch) {
    let lanes = [("one", "pr_created"), ("two", "pr_created")];
    scratch.status("g").expect("completed", &lanes, &[("t1", "merged"), ("t2", "merged")]);
    let status = scratch.status("g");
    for (file, text) in [("one.txt", "1"), ("two.txt", "2")] {
        let found = scratch.file_at(scratch.repo(), status.tip("two"), file);
        assert_eq!(found.as_deref(), Some(text), "{file}");
    }
    scratch.laneway(&["verify", "g"]).success();
}

#[test]
fn ar23_the_worktree_of_the_next_lane_is_there_before_it_begins_and_nothing_else_is() {
    let (scratch, mut barrier, running) = held(1, "");
    let before = UserState::of(&scratch);
    let status = scratch.status("g");
    let two = status.lane("two");
    assert_eq!((&two["status"], &two["worktree"], &two["tip"]), (&"pending".into(), &().into(), &().into()));
    assert_eq!(two["reason"], "its worktree is made already");
    assert!(worktree(&scratch, "two").join("README.md").is_file());
    assert_eq!(scratch.git(&["branch", "--list", "laneway/g/two/*"]), "");
    assert!(!scratch.board("g", "lanes/two/active").exists());
    barrier.open();
    running.wait().success();
    landed(&scratch);
    UserState::of(&scratch).expect(&before);
}

#[test]
fn ar23_nothing_is_made_ahead_unless_it_is_asked_for() {
    let (scratch, mut barrier, running) = held(0, "");
    assert!(!worktree(&scratch, "two").exists());
    barrier.open();
    running.wait().success();
    landed(&scratch);
}

#[test]
fn ar23_a_setup_runs_ahead_once_where_nothing_it_reads_can_change() {
    let count = |scratch: &Scratch| {
        fs::read_to_string(scratch.shared().join("setups")).unwrap_or_default().lines().count()
    };
    for (more, ahead) in [("", 1), ("copy = [\"secret.env\"]", 0)] {
        let two = format!("setup = [\"echo ran >> ../../../../shared/setups\"]\nports = [\"PORT\"]\n{more}");
        let (scratch, mut barrier, running) = held(1, &two);
        assert_eq!(count(&scratch), ahead, "{more}");
        barrier.open();
        running.wait().success();
        landed(&scratch);
        assert_eq!(count(&scratch), 1, "{more}");
        assert!(scratch.status("g").lane("two")["ports"]["PORT"].is_number());
    }
}

#[test]
fn ar22_a_nested_lane_that_was_made_ahead_begins_where_its_parent_is_by_then() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["t1".to_owned()]);
    scratch.write("laneway.toml", "[lanes]\nwarm = 1\n");
    let text =
        graph(&barrier.command("t1"), "parent = \"one\"\nmerge = \"auto\"\nsetup = [\"test -e one.txt\"]");
    scratch.write("graphs/g.toml", &text);
    let mut running = scratch.spawn(&["run", "graphs/g.toml", "--json"]);
    running.wait_for_line(|line| line.contains("\"effect.confirmed\"") && line.contains("\"warm/two\""));
    barrier.gather(&mut running);
    assert!(worktree(&scratch, "two").is_dir() && !worktree(&scratch, "two").join("one.txt").exists());
    barrier.open();
    running.wait().success();
    scratch.status("g").expect(
        "completed",
        &[("one", "pr_created"), ("two", "merged")],
        &[("t1", "merged"), ("t2", "merged")],
    );
}

#[test]
fn p01_what_somebody_put_into_a_lane_that_had_not_begun_is_kept() {
    let (scratch, mut barrier, running) = held(1, "");
    fs::write(worktree(&scratch, "two").join("mine.txt"), "by hand\n").expect("a file");
    barrier.open();
    running.wait().success();
    landed(&scratch);
    let kept = scratch.laneway(&["custody", "list", "--json"]).success().json();
    let kept = kept.as_array().expect("a list");
    assert_eq!(kept.len(), 1, "{kept:#?}");
    let id = kept[0]["id"].as_str().expect("an id");
    let shown = scratch.laneway(&["custody", "show", id, "--file", "mine.txt"]).success();
    assert_eq!(shown.stdout(), "by hand\n");
}

#[test]
fn ar23_a_worktree_that_nobody_needs_goes_when_its_lane_ends_or_the_run_is_called_off() {
    let scratch = Scratch::new();
    scratch.write("laneway.toml", "[lanes]\nwarm = 3\n");
    scratch.write("graphs/g.toml", &graph("false", "ports = [\"PORT\"]"));
    let answer = scratch.laneway(&["run", "graphs/g.toml", "--json"]).code(1);
    assert!(answer.stdout().contains("\"warm/two\""), "{}", answer.stdout());
    assert!(!worktree(&scratch, "two").exists());
    assert!(!scratch.git(&["worktree", "list"]).contains("/two"));

    let (scratch, barrier, running) = held(1, "");
    scratch.laneway(&["cancel", "g"]).success();
    _ = running.wait().all();
    drop(barrier);
    assert_eq!(scratch.status("g").value()["state"], "cancelled");
    assert!(!worktree(&scratch, "two").exists());
}

#[test]
fn a18_a_disk_that_is_too_full_for_the_next_lane_does_not_stop_the_present_one() {
    let scratch = Scratch::new();
    scratch.write("laneway.toml", "[lanes]\nwarm = 1\n");
    scratch.write("graphs/g.toml", &graph("true", ""));
    let run = scratch.program(
        env!("CARGO_BIN_EXE_laneway"),
        &["run", "graphs/g.toml", "--json"],
        &[("LANEWAY_TEST_FAIL_AT", "worktree.files:2:ENOSPC")],
    );
    let answer = run.success();
    assert!(answer.stdout().contains("the disk is too full to make lane `two` ahead of time"));
    landed(&scratch);
}

/// The points that a run passes, with how often.
fn points(list: &Path) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(list).expect("a list of points");
    let mut passed = BTreeMap::new();
    for point in text.lines() {
        *passed.entry(point.to_owned()).or_insert(0) += 1;
    }
    passed
}

/// Row A06: killed on both sides of everything that is done outside, a run with a lane made ahead ends as it does undisturbed.
#[test]
fn a06_a_run_with_lanes_made_ahead_is_killed_anywhere_and_goes_on() {
    let scratch = || {
        let scratch = Scratch::new();
        scratch.write("laneway.toml", "[lanes]\nwarm = 1\n");
        scratch.write("graphs/g.toml", &graph("true", "setup = [\"echo x > made.txt\"]"));
        scratch
    };
    let run = |scratch: &Scratch, name: &str, value: &str| {
        scratch.program(env!("CARGO_BIN_EXE_laneway"), &["run", "graphs/g.toml"], &[(name, value)])
    };
    let model = scratch();
    let list = model.shared().join("points");
    run(&model, "LANEWAY_TEST_POINTS", list.to_str().expect("UTF-8")).success();
    landed(&model);
    let passed = points(&list);
    let all = std::env::var("LANEWAY_SWEEP").is_ok();
    let tried =
        ["effect.begin", "effect.done", "published", "worktree.dir", "worktree.known", "worktree.ready"];
    let mut fallen = 0;
    for (point, times) in passed.iter().filter(|(point, _)| all || tried.contains(&point.as_str())) {
        // The lane that is made ahead is the second one.
        let some = if all { (1..=*times).collect() } else { vec![2.min(*times), 3.min(*times)] };
        for n in some {
            let scratch = scratch();
            let at = format!("{point}:{n}");
            let killed = run(&scratch, "LANEWAY_TEST_CRASH_AT", &at);
            fallen += usize::from(killed.crashed());
            scratch.laneway(&["run", "graphs/g.toml"]).success();
            landed(&scratch);
            let trees = scratch.git(&["worktree", "list"]).lines().count();
            assert_eq!(trees, 3, "killed at {at}: {}", scratch.git(&["worktree", "list"]));
        }
    }
    assert!(fallen >= tried.len(), "{fallen} blows fell");
}
