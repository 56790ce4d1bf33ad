//! What nobody has committed yet outlives whatever becomes of its task: called off, skipped, in conflict, or restacked.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Barrier, Scratch};

/// What must not be lost.
const PRECIOUS: &str = "nobody has committed this\n";

/// Whether what the file held is in the lane still, or in a commit that a ref holds.
fn is_somewhere(scratch: &Scratch, text: &str, at: &Path) -> bool {
    let sample = scratch.shared().join("sample");
    fs::write(&sample, text).expect("written");
    let blob = scratch.git(&["hash-object", "--no-filters", &sample.to_string_lossy()]);
    let held = scratch.git(&["rev-list", "--objects", "--all"]);
    let is_held = held.lines().any(|line| line.starts_with(&blob));
    is_held || fs::read_to_string(at).is_ok_and(|found| found == text)
}

fn agent(name: &str, script: &str) -> String {
    format!("[agents.{name}]\ncommand = [\"sh\", \"-c\", {script:?}]\n")
}

fn task(name: &str, more: &str) -> String {
    format!("[[tasks]]\nid = \"{name}\"\nagent = \"{name}\"\ntimeout = \"5m\"\nprompt = \"p\"\n{more}\n")
}

/// A script whose first run does `first` and any later one `then`, after which it claims to be done.
fn twice(scratch: &Scratch, name: &str, first: &str, then: &str) -> String {
    let mark = scratch.shared().join(format!("once-{name}")).display().to_string();
    format!(
        "if [ ! -e {mark} ]; then : > {mark}; {first}; else {then}; fi; echo done > \"$LANEWAY_SIGNALS/done\""
    )
}

fn worktree(scratch: &Scratch, graph: &str, lane: &str) -> PathBuf {
    PathBuf::from(scratch.status(graph).lane(lane)["worktree"].as_str().expect("a worktree"))
}

#[test]
fn p01_nothing_uncommitted_is_lost_when_a_task_is_called_off_and_tried_again() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["t".to_owned()]);
    let first = format!(
        "printf '{}' > precious.txt; git add precious.txt; {}",
        PRECIOUS.escape_default(),
        barrier.command("t")
    );
    let script = twice(&scratch, "t", &first, "echo ok > ok.txt");
    scratch.write(
        "graphs/g.toml",
        &format!("schema = 1\nname = \"g\"\n{}{}", agent("t", &script), task("t", "")),
    );
    let mut running = scratch.spawn(&["run", "graphs/g.toml"]);
    barrier.gather(&mut running);
    scratch.laneway(&["cancel", "g", "--task", "t"]).success();
    running.wait().failure();
    let lane = worktree(&scratch, "g", "default").join("precious.txt");
    assert!(is_somewhere(&scratch, PRECIOUS, &lane), "after the cancel");
    barrier.open();
    scratch.laneway(&["retry", "g", "--task", "t"]).success();
    scratch.laneway(&["resume", "g"]).success();
    scratch.status("g").expect("completed", &[("default", "pr_created")], &[("t", "merged")]);
    assert!(is_somewhere(&scratch, PRECIOUS, &lane), "after the next attempt");
}

#[test]
fn p01_nothing_uncommitted_is_lost_when_a_task_is_taken_back_and_skipped() {
    let scratch = Scratch::new();
    let work = |name: &str| format!("echo {name} > {name}.txt; echo done > \"$LANEWAY_SIGNALS/done\"");
    let graph = [
        "schema = 1\nname = \"g\"\n".to_owned(),
        agent("t", &work("t")),
        agent("next", &work("next")),
        task("t", ""),
        task("next", "needs = [\"t\"]"),
    ];
    scratch.write("graphs/g.toml", &graph.concat());
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    let lane = worktree(&scratch, "g", "default");
    fs::write(lane.join("precious.txt"), PRECIOUS).expect("written");
    fs::write(lane.join("t.txt"), "changed by hand\n").expect("written");
    scratch.laneway(&["reset", "task", "next", "--yes"]).success();
    scratch.laneway(&["skip", "g", "--task", "next"]).success();
    scratch.laneway(&["resume", "g"]).success();
    assert_eq!(scratch.status("g").task("next")["status"], "skipped");
    // Then the lane is removed.
    scratch.laneway(&["pr", "merge", &scratch.status("g").pr("default")]).success();
    scratch.laneway(&["resume", "g"]).success();
    assert!(!lane.exists());
    assert!(is_somewhere(&scratch, PRECIOUS, &lane.join("precious.txt")));
    assert!(is_somewhere(&scratch, "changed by hand\n", &lane.join("t.txt")));
}

#[test]
fn p01_nothing_uncommitted_is_lost_in_a_conflict() {
    let scratch = Scratch::new();
    let names = ["one", "two"];
    let all: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut barrier = Barrier::new(&scratch, "barrier", &all);
    let mut graph = "schema = 1\nname = \"g\"\n[[workstreams]]\nid = \"default\"\nparallel = 2\n".to_owned();
    for name in names {
        let change = format!("echo {name} > README.md");
        let first =
            format!("echo first-of-{name} > precious-{name}.txt; {change}; {}", barrier.command(name));
        graph += &agent(name, &twice(&scratch, name, &first, &change));
        graph += &task(name, "attempts = 3");
    }
    scratch.write("graphs/g.toml", &graph);
    let mut running = scratch.spawn(&["run", "graphs/g.toml"]);
    barrier.gather(&mut running);
    barrier.open();
    running.wait().success();
    let conflicts = scratch.events("g").iter().filter(|event| event["kind"] == "conflict.predicted").count();
    assert!(conflicts > 0, "one of them has met the other");
    for name in names {
        let lane = worktree(&scratch, "g", "default").join(format!("precious-{name}.txt"));
        assert!(is_somewhere(&scratch, &format!("first-of-{name}\n"), &lane), "{name}");
    }
}

#[test]
fn p01_nothing_uncommitted_is_lost_when_a_lane_is_restacked() {
    let scratch = Scratch::new();
    let mut graph = "schema = 1\nname = \"g\"\nhandoff = \"ready\"\n".to_owned();
    for (name, needs) in [("low", ""), ("high", "\"low\"")] {
        graph += &["[[workstreams]]\nid = \"", name, "\"\n"].concat();
        graph += &agent(name, &format!("echo {name} > {name}.txt; echo done > \"$LANEWAY_SIGNALS/done\""));
        graph += &task(name, &format!("workstream = \"{name}\"\nneeds = [{needs}]"));
    }
    scratch.write("graphs/g.toml", &graph);
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    let lane = worktree(&scratch, "g", "high");
    fs::write(lane.join("precious.txt"), PRECIOUS).expect("written");
    fs::write(lane.join("low.txt"), "changed by hand\n").expect("written");
    scratch.git_in(&lane, &["add", "low.txt"]);
    let before = scratch.status("g").lane("high")["tip"].clone();
    scratch.laneway(&["pr", "merge", &scratch.status("g").pr("low")]).success();
    _ = scratch.laneway(&["resume", "g"]).all();
    assert_ne!(scratch.status("g").lane("high")["tip"], before, "it was restacked");
    let is_kept = || {
        is_somewhere(&scratch, PRECIOUS, &lane.join("precious.txt"))
            && is_somewhere(&scratch, "changed by hand\n", &lane.join("low.txt"))
    };
    assert!(is_kept(), "after the restack");
    scratch.laneway(&["pr", "merge", &scratch.status("g").pr("high")]).success();
    scratch.laneway(&["resume", "g"]).success();
    assert!(!lane.exists() && is_kept(), "after the lane was removed");
}
