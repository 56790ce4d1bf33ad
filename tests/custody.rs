//! What a destructive step takes is kept first, can be brought back by the program, and is collected in the end.

mod uncommitted;

use std::fs;
use std::path::{Path, PathBuf};

use laneway::runtime::SetupResult;
use serde_json::Value;

use crate::harness::{Barrier, Scratch, Setup, UserState};

/// A graph of one task whose agent runs `script`.
fn graph(name: &str, more: &str, script: &str) -> String {
    let command = format!("{script}; echo done > \"$LANEWAY_SIGNALS/done\"");
    format!(
        "schema = 1\nname = \"{name}\"\n[agents.a]\ncommand = [\"sh\", \"-c\", {command:?}]\n\n\
         [[tasks]]\nid = \"t\"\nagent = \"a\"\nattempts = 2\ntimeout = \"5m\"\nprompt = \"Work.\"\n{more}\n"
    )
}

fn custody(scratch: &Scratch) -> Vec<Value> {
    let answer = scratch.laneway(&["custody", "list", "--json"]).success().json();
    answer.as_array().expect("a list").clone()
}

/// The one that is kept for a reason that contains `why`.
#[track_caller]
fn kept(scratch: &Scratch, why: &str) -> Value {
    let all = custody(scratch);
    let found: Vec<&Value> =
        all.iter().filter(|row| row["reason"].as_str().is_some_and(|reason| reason.contains(why))).collect();
    assert_eq!(found.len(), 1, "{why}: {all:#?}");
    found[0].clone()
}

fn id(row: &Value) -> String {
    row["id"].as_str().expect("an id").to_owned()
}

/// Brings it back and returns where it is now.
#[track_caller]
fn restore(scratch: &Scratch, row: &Value) -> PathBuf {
    let answer = scratch.laneway(&["custody", "restore", &id(row), "--json"]).success().json();
    PathBuf::from(answer["path"].as_str().expect("a path"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn p01_a_restarted_attempt_leaves_what_the_one_before_it_threw_away() {
    let scratch = Setup::new().dirty().make();
    let script = "if [ ! -e ../once ]; then touch ../once; echo lost > lost.txt; git add .; git commit -qm lost; \
                  git reset -q --hard HEAD~1; exit 7; fi; echo ok > ok.txt";
    scratch.write("graphs/g.toml", &graph("g", "", script));
    let before = UserState::of(&scratch);
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    let row = kept(&scratch, "what stood in the lane before attempt 2 of t");
    assert_eq!((&row["task"], &row["attempt"]), (&"t".into(), &2.into()));
    let shown = scratch.laneway(&["custody", "show", &id(&row), "--json"]).success().json();
    let left = shown["left"].as_str().expect("what only the reflog named");
    assert_eq!(scratch.git(&["log", "--format=%s", "-2", left]).lines().nth(1), Some("lost"));
    UserState::of(&scratch).expect(&before);
}

#[test]
fn p01_gates_and_landings_leave_what_they_found_and_made() {
    let scratch = Scratch::new();
    let gate = "gate = { run = \"echo task-gate > left.txt\", fresh = true }";
    let lane = "\n[[workstreams]]\nid = \"default\"\ngate = \"echo lane-gate > left.txt\"";
    scratch.write("graphs/g.toml", &graph("g", &format!("{gate}{lane}"), "echo ok > ok.txt"));
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    for (why, expected) in
        [("what the gate of t left", "task-gate\n"), ("what the gates of lane default left", "lane-gate\n")]
    {
        let row = kept(&scratch, why);
        let file = scratch.laneway(&["custody", "show", &id(&row), "--file", "left.txt"]).success();
        assert_eq!(file.stdout(), expected);
        assert_eq!(text(&restore(&scratch, &row).join("left.txt")), expected);
    }
}

#[test]
fn p01_what_a_person_changed_between_review_and_landing_is_kept() {
    let scratch = Scratch::new();
    // The reviewer stands for the person: its worktree lies beside the lane.
    let reviewer = "\n[agents.r]\ncommand = [\"sh\", \"-c\", \"echo by-hand > ../default/by-hand.txt; \
                    echo fine > $LANEWAY_SIGNALS/done\"]\n";
    let task = "review = \"r\"\ngate = \"true\"";
    let text = graph("g", task, "echo ok > ok.txt").replace("\n[[tasks]]", &format!("{reviewer}\n[[tasks]]"));
    scratch.write("graphs/g.toml", &text);
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    let row = kept(&scratch, "what stood in the lane before attempt 1 of t landed");
    assert_eq!(custody(&scratch).len(), 1, "work that was collected is not kept a second time");
    assert_eq!(self::text(&restore(&scratch, &row).join("by-hand.txt")), "by-hand\n");
}

/// A run whose lane a person has worked in, and whose pull request is open.
fn open() -> (Scratch, Value) {
    let scratch = Setup::new().on_branch("work").dirty().make();
    scratch.write("graphs/g.toml", &graph("g", "", "echo ok > ok.txt"));
    scratch.laneway(&["run", "graphs/g.toml"]).success();
    let lane = PathBuf::from(scratch.status("g").lane("default")["worktree"].as_str().expect("a worktree"));
    fs::write(lane.join("by-hand.txt"), "by hand\r\n").expect("a file");
    fs::write(lane.join("ok.txt"), "staged\n").expect("a file");
    scratch.git_in(&lane, &["add", "ok.txt"]);
    fs::write(lane.join("ok.txt"), "and changed\n").expect("a file");
    let plan = scratch.laneway(&["gc", "--older-than", "0d", "--json"]).success().json();
    (scratch, plan)
}

#[test]
fn p01_a_removed_lane_comes_back_with_one_command_staged_and_unstaged() {
    let (scratch, _) = open();
    scratch.laneway(&["pr", "merge", "1"]).success();
    let before = UserState::of(&scratch);
    let row = kept(&scratch, "what lane default held when it was removed");
    assert_eq!((&row["graph"], &row["run"], &row["lane"]), (&"g".into(), &1.into(), &"default".into()));
    assert!(row["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{row}");
    let list = scratch.laneway(&["custody", "list"]).success();
    assert!(list.stdout().contains(&id(&row)), "{}", list.stdout());
    let show = scratch.laneway(&["custody", "show", &id(&row)]).success();
    for line in ["A by-hand.txt  +1 -0", "M ok.txt  +1 -1", "staged, against"] {
        assert!(show.stdout().contains(line), "{line}: {}", show.stdout());
    }
    let staged = scratch.laneway(&["custody", "show", &id(&row), "--file", "ok.txt", "--staged"]).success();
    assert_eq!(staged.stdout(), "staged\n");

    let (first, second) = (restore(&scratch, &row), restore(&scratch, &row));
    assert_ne!(first, second, "nothing is overwritten, not even what was brought back before");
    assert_eq!(text(&first.join("by-hand.txt")), "by hand\r\n");
    assert_eq!(scratch.git_in(&first, &["status", "--porcelain"]), "MM ok.txt\n?? by-hand.txt");
    assert_eq!(scratch.git_in(&first, &["branch", "--show-current"]), format!("restored/{}", id(&row)));
    let full = first.to_str().expect("a path");
    _ = scratch.laneway(&["custody", "restore", &id(&row), "--to", full]).code(4);
    _ = scratch.laneway(&["custody", "restore", &id(&row), "--branch", "main"]).code(4);
    _ = scratch.laneway(&["custody", "restore", &id(&row), "--branch", "a..b"]).code(2);
    _ = scratch.laneway(&["custody", "show", "ffff"]).code(2);
    let restored = |name: &str| format!("restored/{}{name}", id(&row));
    let after = UserState::of(&scratch).without_branch(&restored("")).without_branch(&restored("-2"));
    after.expect(&before);
}

#[test]
fn p01_custody_is_dropped_only_when_asked_for_twice() {
    let (scratch, _) = open();
    scratch.laneway(&["pr", "merge", "1"]).success();
    let row = kept(&scratch, "when it was removed");
    let plan = scratch.laneway(&["custody", "drop", &id(&row)[..6], "--json"]).success().json();
    assert_eq!((&plan["dropped"], plan["custody"].as_array().map(Vec::len)), (&false.into(), Some(1)));
    assert_eq!(custody(&scratch).len(), 1, "a plan changes nothing");
    let young =
        scratch.laneway(&["custody", "drop", "--older-than", "30d", "--yes", "--json"]).success().json();
    assert_eq!(young["custody"].as_array().map(Vec::len), Some(0));
    scratch.laneway(&["custody", "drop", &id(&row), "--yes"]).success();
    assert_eq!(custody(&scratch).len(), 0);
    _ = scratch.laneway(&["custody", "drop"]).code(2);
    _ = scratch.laneway(&["custody", "drop", "--older-than", "soon"]).code(2);
}

#[track_caller]
fn fates(report: &Value, fate: &str) -> Vec<String> {
    let items = report["items"].as_array().expect("items");
    let all = items.iter().filter(|item| item["fate"] == fate);
    all.map(|item| item["kind"].as_str().expect("a kind").to_owned()).collect()
}

#[test]
fn p11_gc_touches_nothing_that_is_not_merged() {
    let (scratch, plan) = open();
    assert_eq!(fates(&plan, "goes"), Vec::<String>::new(), "{plan:#}");
    let stays = fates(&plan, "stays");
    for kind in ["worktree", "logs", "noticeboard"] {
        assert!(stays.iter().any(|found| found == kind), "{kind}: {plan:#}");
    }
    let refs = scratch.git(&["for-each-ref"]);
    let done = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert_eq!(fates(&done, "gone"), Vec::<String>::new(), "{done:#}");
    assert_eq!(scratch.git(&["for-each-ref"]), refs);
    assert!(
        scratch.status("g").lane("default")["worktree"]
            .as_str()
            .is_some_and(|path| PathBuf::from(path).exists())
    );
}

#[test]
fn p11_gc_collects_what_is_merged_by_age_and_leaves_the_journal_and_the_user() {
    let (scratch, _) = open();
    scratch.laneway(&["pr", "merge", "1"]).success();
    // What a collection left that was killed half-way.
    let common = PathBuf::from(scratch.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]));
    let half = common.join("laneway/gc/going-x/it");
    fs::create_dir_all(&half).expect("a directory");
    let before = UserState::of(&scratch);
    let young = scratch.laneway(&["gc", "--yes", "--json"]).success().json();
    assert_eq!(fates(&young, "gone"), Vec::<String>::new(), "the default age is a month: {young:#}");
    assert!(!half.exists());
    let plan = scratch.laneway(&["gc", "--older-than", "0d", "--json"]).success().json();
    let goes = fates(&plan, "goes");
    for kind in ["custody", "trash", "logs", "noticeboard", "seen"] {
        assert!(goes.iter().any(|found| found == kind), "{kind}: {plan:#}");
    }
    assert!(plan["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{plan:#}");
    assert_eq!(custody(&scratch).len(), 1, "a plan changes nothing");
    let done = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert_eq!(fates(&done, "gone"), goes);
    assert_eq!(custody(&scratch).len(), 0);
    assert!(!scratch.board("g", "lanes").exists());
    let again = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert_eq!(again["items"], Value::Array(Vec::new()), "{again:#}");
    assert_eq!(scratch.status("g").lane("default")["status"], "merged", "the journal and the plan stay");
    scratch.laneway(&["rebuild", "g"]).success();
    scratch.laneway(&["verify", "g"]).success();
    UserState::of(&scratch).expect(&before);
}

#[test]
fn p11_gc_collects_the_worktrees_of_a_run_that_was_given_up_and_keeps_what_is_in_them() {
    let (scratch, _) = open();
    let before = UserState::of(&scratch);
    let branch = "refs/heads/laneway/g/default/integration";
    let tip = scratch.git(&["rev-parse", branch]);
    let lane = PathBuf::from(scratch.status("g").lane("default")["worktree"].as_str().expect("a worktree"));
    for wrong in [["gc", "--abandoned", "nope"], ["gc", "--abandoned", "g/7"], ["gc", "--abandoned", "g/x"]] {
        _ = scratch.laneway(&wrong).code(2);
    }
    let plan = scratch.laneway(&["gc", "--abandoned", "g", "--json"]).success().json();
    assert_eq!(fates(&plan, "goes"), ["worktree"], "{plan:#}");
    assert!(lane.join("by-hand.txt").exists() && custody(&scratch).is_empty(), "a plan changes nothing");
    let done = scratch.laneway(&["gc", "--abandoned", "g/1", "--yes", "--json"]).success().json();
    assert_eq!(fates(&done, "gone"), ["worktree"], "{done:#}");
    assert!(!lane.exists());
    assert_eq!(scratch.git(&["rev-parse", branch]), tip, "the branch stays");
    UserState::of(&scratch).expect(&before);
    let row = kept(&scratch, "what the worktree of a lane held that was given up");
    let restored = restore(&scratch, &row);
    assert_eq!(text(&restored.join("by-hand.txt")), "by hand\r\n");
    assert_eq!(scratch.git_in(&restored, &["status", "--porcelain"]), "MM ok.txt\n?? by-hand.txt");
    // It was a mistake.
    scratch.laneway(&["pr", "merge", "1"]).success();
    assert_eq!(scratch.status("g").lane("default")["status"], "merged");
}

#[test]
fn p11_results_of_setups_go_when_unused_and_trash_only_when_no_run_needs_it() {
    let scratch = Scratch::new();
    let lane = "\n[[workstreams]]\nid = \"default\"\nsetup = [{ run = \"echo x > made\", reads = [\"x\"], makes = [\"made\"] }]";
    scratch.write(".git/info/exclude", "made\n");
    scratch.write("graphs/a.toml", &graph("a", lane, "echo ok > a.txt"));
    scratch.laneway(&["run", "graphs/a.toml"]).success();
    scratch.laneway(&["pr", "merge", "1"]).success();
    scratch.write("graphs/b.toml", &graph("b", "", "echo ok > b.txt"));
    scratch.laneway(&["run", "graphs/b.toml"]).success();
    let plan = scratch.laneway(&["gc", "--older-than", "0d", "--json"]).success().json();
    assert_eq!(fates(&plan, "goes").iter().filter(|kind| *kind == "setup").count(), 1, "{plan:#}");
    assert!(fates(&plan, "stays").contains(&"trash".to_owned()), "b is not merged: {plan:#}");

    let items = plan["items"].as_array().expect("items");
    let result = items.iter().find(|item| item["kind"] == "setup").expect("the setup's result");
    let place = result["what"].as_str().and_then(|what| what.split(',').next()).expect("a path");
    let used = SetupResult::claim(&scratch.repo().join(place)).expect("a lock").expect("it is free");
    let done = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert!(fates(&done, "stays").contains(&"setup".to_owned()), "{done:#}");
    drop(used);
    let done = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert!(fates(&done, "gone").contains(&"setup".to_owned()), "{done:#}");

    scratch.laneway(&["pr", "merge", "2"]).success();
    let done = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert!(fates(&done, "gone").contains(&"trash".to_owned()), "{done:#}");
}

#[test]
fn p11_nothing_of_a_live_run_is_collected_or_dropped() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["held".to_owned()]);
    let first = "if [ ! -e ../once ]; then touch ../once; git commit -q --allow-empty -m lost; \
                 git reset -q --hard HEAD~1; exit 7; fi";
    let script = format!("{first}; {} && echo ok > ok.txt", barrier.command("held"));
    scratch.write("graphs/g.toml", &graph("g", "", &script));
    let mut running = scratch.spawn(&["run", "graphs/g.toml"]);
    barrier.gather(&mut running);
    let row = kept(&scratch, "what stood in the lane before attempt 2 of t");
    let done = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    assert_eq!(fates(&done, "gone"), Vec::<String>::new(), "{done:#}");
    assert!(
        done["items"].as_array().is_some_and(|items| items.iter().all(|i| i["why"] == "its run is not over"))
    );
    _ = scratch.laneway(&["custody", "drop", &id(&row), "--yes"]).code(1);
    assert_eq!(custody(&scratch).len(), 1);
    barrier.open();
    running.wait().success();
}
