//! Conflicts between lanes, known before anything is merged; and looking at lanes without getting in anybody's way.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use rustix::fs::inotify;
use serde_json::{Value, json};

use crate::harness::{Barrier, Scratch};

const GRAPH: &str = r#"
schema = 1
name = "clash"

[[workstreams]]
id = "one"
[[workstreams]]
id = "two"
[[workstreams]]
id = "apart"

[[tasks]]
id = "first"
workstream = "one"
run = "echo one > shared.txt; echo one > one.txt"

[[tasks]]
id = "second"
workstream = "two"
run = "echo two > shared.txt"

[[tasks]]
id = "third"
workstream = "apart"
run = "echo three > three.txt"
"#;

fn ran() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("graphs/clash.toml", GRAPH);
    scratch.laneway(&["run", "graphs/clash.toml"]).success();
    scratch
}

fn of_kind(scratch: &Scratch, kind: &str) -> Vec<Value> {
    scratch.events("clash").into_iter().filter(|event| event["kind"] == kind).collect()
}

#[test]
fn p17_lanes_that_would_not_merge_are_named_before_either_is() {
    let scratch = ran();
    let predicted = of_kind(&scratch, "conflict.predicted");
    assert_eq!(predicted.len(), 1, "{predicted:#?}");
    assert_eq!(predicted[0]["lane"], "one");
    assert_eq!(predicted[0]["payload"]["probed"]["lane"], "two");
    let status = scratch.status("clash");
    for (lane, other) in [("one", "two"), ("two", "one")] {
        let ahead = &status.lane(lane)["predicted"];
        assert_eq!(ahead[0]["lane"], other, "{ahead}");
        assert_eq!(ahead[0]["paths"], json!(["shared.txt"]));
    }
    assert_eq!(status.lane("apart")["predicted"], json!([]));
    let shown = scratch.laneway(&["status", "clash"]).success();
    let line = "conflict ahead lane one with lane two: shared.txt";
    assert_eq!(shown.stdout().matches("conflict ahead").count(), 1);
    assert!(shown.stdout().contains(line), "{}", shown.stdout());
    let planned = scratch.laneway(&["plan", "graphs/clash.toml", "--live"]).success();
    assert!(planned.stdout().contains(line) && planned.stdout().contains("third"), "{}", planned.stdout());
    for (lane, other) in [("one", "two"), ("two", "one")] {
        let number = status.lane(lane)["pr"]["number"].to_string();
        let pr = scratch.laneway(&["pr", "show", &number]).success();
        let words = format!("It will conflict with lane {other}, as both stand now, in shared.txt.");
        assert!(pr.stdout().contains(&words), "{}", pr.stdout());
    }
}

#[test]
fn p17_the_matrix_of_a_run_names_the_pairs_and_ends_with_one() {
    let scratch = ran();
    let between = json!([{ "a": "one", "b": "two", "paths": ["shared.txt"] }]);
    assert_eq!(scratch.laneway(&["conflicts", "clash", "--json"]).code(1).json(), between);
    let text = scratch.laneway(&["conflicts"]).code(1);
    assert!(text.stdout().contains("one and two: shared.txt"), "{}", text.stdout());
    let number = scratch.status("clash").lane("one")["pr"]["number"].to_string();
    scratch.laneway(&["pr", "merge", &number]).success();
    let shown = scratch.laneway(&["pr", "show", &number]).success();
    assert!(
        shown.stdout().contains("## Tasks") && !shown.stdout().contains("It will conflict"),
        "{}",
        shown.stdout()
    );
    let with_target = json!([{ "a": "two", "b": "main", "paths": ["shared.txt"] }]);
    assert_eq!(scratch.laneway(&["conflicts", "clash", "--json"]).code(1).json(), with_target);
    // What lies uncommitted counts when it is asked for.
    let worktree = scratch.status("clash").lane("apart")["worktree"].as_str().map(std::path::PathBuf::from);
    let worktree = worktree.expect("the lane goes on");
    fs::write(worktree.join("shared.txt"), "three\n").expect("the lane is there");
    let asked = scratch.laneway(&["conflicts", "clash", "--json", "--uncommitted"]).code(1).json();
    let pairs: BTreeSet<(&str, &str)> = asked
        .as_array()
        .expect("a list")
        .iter()
        .map(|pair| (pair["a"].as_str().expect("a name"), pair["b"].as_str().expect("a name")))
        .collect();
    assert_eq!(pairs, BTreeSet::from([("two", "apart"), ("two", "main"), ("apart", "main")]));
    assert_eq!(scratch.laneway(&["conflicts", "clash", "--json"]).code(1).json(), with_target);
}

#[test]
fn p17_any_refs_can_be_compared_without_a_run() {
    let scratch = Scratch::new();
    for (branch, text) in [("left", "left"), ("right", "right")] {
        scratch.git(&["switch", "-q", "-c", branch, "main"]);
        scratch.write("shared.txt", text);
        scratch.git(&["add", "shared.txt"]);
        scratch.git(&["commit", "-q", "-m", branch]);
    }
    let refs = |names: &[&str]| scratch.laneway(&[&["conflicts", "--json", "--refs"], names].concat());
    let found = json!([{ "a": "left", "b": "right", "paths": ["shared.txt"] }]);
    assert_eq!(refs(&["left", "main", "right"]).code(1).json(), found);
    assert_eq!(refs(&["left", "main"]).success().json(), json!([]));
    assert_eq!(refs(&["left", "nowhere"]).code(2).json()["error"]["code"], "usage");
}

/// What happens to names in `dir` while `act` is at work.
fn names_touched(dir: &std::path::Path, act: impl FnOnce()) -> BTreeSet<String> {
    let watch =
        inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).expect("inotify");
    let flags = inotify::WatchFlags::CREATE
        | inotify::WatchFlags::MOVED_TO
        | inotify::WatchFlags::MODIFY
        | inotify::WatchFlags::DELETE;
    inotify::add_watch(&watch, dir, flags).expect("the directory is there");
    act();
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1 << 13];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let mut names = BTreeSet::new();
    while let Ok(event) = events.next() {
        names.extend(event.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    names
}

#[test]
fn p09_nothing_locks_or_writes_a_lanes_index_while_its_agent_is_at_work() {
    let scratch = Scratch::new();
    let names = ["one".to_owned(), "two".to_owned()];
    let mut barrier = Barrier::new(&scratch, "work", &names);
    let mut graph = "schema = 1\nname = \"g\"\n".to_owned();
    for name in &names {
        let command = format!("echo {name} > file.txt && {}", barrier.command(name));
        write!(
            graph,
            "[[workstreams]]\nid = \"{name}\"\n[[tasks]]\nid = \"t-{name}\"\nworkstream = \"{name}\"\nrun = {command:?}\n"
        )
        .expect("a string takes every text");
    }
    scratch.write("graphs/g.toml", &graph);
    let mut running = scratch.spawn(&["run", "graphs/g.toml"]);
    barrier.gather(&mut running);
    let lane = scratch.repo().join(".worktrees/g/one");
    let git_dir = scratch.git_in(&lane, &["rev-parse", "--absolute-git-dir"]);
    let admin = std::path::PathBuf::from(git_dir.trim());
    // Its stat data is out of date, which a `git status` that may lock would put right.
    fs::File::open(lane.join("README.md"))
        .expect("a file")
        .set_modified(std::time::UNIX_EPOCH)
        .expect("its owner");
    let index = fs::read(admin.join("index")).expect("the agent's index");
    let touched = names_touched(&admin, || {
        for _ in 0..3 {
            scratch.laneway(&["status", "g"]).success();
            scratch.laneway(&["plan", "graphs/g.toml", "--live"]).success();
            scratch.laneway(&["verify", "g"]).success();
            scratch.laneway(&["conflicts", "g"]).success();
            scratch.laneway(&["conflicts", "g", "--uncommitted"]).code(1);
        }
    });
    assert_eq!(touched, BTreeSet::new());
    assert_eq!(fs::read(admin.join("index")).expect("the agent's index"), index);
    // The watch sees what it is there for.
    let touched = names_touched(&admin, || drop(scratch.git_in(&lane, &["update-index", "--refresh", "-q"])));
    assert!(touched.contains("index.lock"), "{touched:?}");
    barrier.open();
    running.wait().success();
}

#[test]
fn ar22_commands_that_conflict_with_their_target_name_a_way_on_that_works() {
    let scratch = ran();
    let number = |lane: &str| scratch.status("clash").lane(lane)["pr"]["number"].to_string();
    scratch.laneway(&["pr", "merge", &number("one")]).success();
    let refused = scratch.laneway(&["pr", "merge", &number("two")]).failure();
    assert!(refused.stderr().contains("laneway waiting"), "{}", refused.text());
    let refused = scratch.laneway(&["retry", "clash", "--task", "second"]).failure();
    assert!(refused.stderr().contains("`laneway reset task second` undoes it"), "{}", refused.text());
    let waiting = scratch.laneway(&["waiting", "clash", "--json"]).success().json();
    let hints: Vec<&str> =
        waiting.as_array().expect("a list").iter().filter_map(|w| w["hint"].as_str()).collect();
    let named = "laneway reset task second, then laneway retry --lane two, then laneway resume";
    assert!(hints.contains(&named), "{waiting:#}");
    for step in [&["reset", "task", "second", "--yes"][..], &["retry", "--lane", "two"], &["resume"]] {
        scratch.laneway(step).success();
    }
    scratch.laneway(&["pr", "merge", &number("two")]).success();
    assert_eq!(scratch.git(&["show", "main:shared.txt"]), "two");
}
