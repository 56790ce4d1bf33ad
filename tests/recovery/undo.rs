//! Resets by the real program: shown first, confirmed, and killed on the way.

use super::agents;
use crate::harness::{Scratch, Setup, UserState};

fn lanes(scratch: &Scratch, name: &str) {
    let tasks = [("one", "echo 1 > one.txt"), ("two", "echo 2 > two.txt"), ("side", "echo s > side.txt")];
    let mut text = agents(name, "\n[[workstreams]]\nid = \"a\"\n\n[[workstreams]]\nid = \"b\"\n", &tasks);
    for (task, lane, more) in [("one", "a", ""), ("two", "b", "needs = [\"one\"]\n"), ("side", "b", "")] {
        let head = format!("[[tasks]]\nid = \"{task}\"\n");
        text = text.replace(&head, &format!("{head}workstream = \"{lane}\"\n{more}"));
    }
    scratch.write(&format!("graphs/{name}.toml"), &text);
}

/// A finished run, and how many events it has.
fn finished() -> (Scratch, usize) {
    let scratch = Setup::new().on_branch("work").dirty().make();
    lanes(&scratch, "undo");
    scratch.laneway(&["run", "graphs/undo.toml"]).success();
    let events = scratch.events("undo").len();
    (scratch, events)
}

fn end(scratch: &Scratch) -> (serde_json::Value, Vec<String>) {
    let status = scratch.status("undo");
    let of = |key: &str| {
        let all = status.value()[key].as_array().expect("a list").iter();
        all.map(|one| serde_json::json!([one["id"], one["status"]])).collect::<Vec<_>>()
    };
    let trees = ["a", "b"].iter().map(|lane| {
        let branch = format!("laneway/undo/{lane}/integration");
        let found = scratch.git(&["for-each-ref", "--format=%(tree)", &format!("refs/heads/{branch}")]);
        format!("{lane} {found}")
    });
    (serde_json::json!([of("lanes"), of("tasks")]), trees.collect())
}

#[test]
fn ar25_a_reset_shows_what_goes_and_does_nothing_without_a_yes() {
    let (scratch, events) = finished();
    let held = scratch.git(&["for-each-ref", "refs/laneway/making"]);
    let shown = scratch.laneway(&["reset", "task", "one"]).code(1);
    let text = shown.text();
    for part in ["a/one", "b/two", "it needs one", "--yes"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("b/side  "), "{text}");
    let plan = scratch.laneway(&["reset", "task", "one", "--dry-run", "--json"]).success().json();
    assert_eq!(scratch.git(&["for-each-ref", "refs/laneway/making"]), held, "a look leaves nothing");
    assert_eq!((&plan["done"], &plan["problems"]), (&false.into(), &serde_json::json!([])));
    assert_eq!(plan["plan"]["tasks"].as_array().map(Vec::len), Some(2));
    assert_eq!(scratch.events("undo").len(), events, "nothing was done");
    _ = scratch.laneway(&["reset", "task", "nope", "--yes"]).code(1);
    _ = scratch.laneway(&["reset", "--yes"]).code(2);
}

#[test]
fn ar25_a_reset_that_is_killed_anywhere_comes_to_the_same_end() {
    for what in [["task", "one"], ["workstream", "a"]] {
        let reset = ["reset", what[0], what[1], "--yes"];
        let (scratch, before) = finished();
        scratch.laneway(&reset).success();
        let undisturbed = end(&scratch);
        let after = scratch.events("undo").len();
        let stride = if std::env::var_os("LANEWAY_SWEEP").is_some() { 1 } else { 6 };
        for point in (before + 2..=after).step_by(stride) {
            let (scratch, _) = finished();
            let user = UserState::of(&scratch);
            let output =
                scratch.program("laneway", &reset, &[("LANEWAY_TEST_CRASH_AFTER", &point.to_string())]);
            assert!(output.crashed(), "{output:?}");
            if point == before + 2 {
                let waits = scratch.laneway(&["waiting", "undo"]).success().text();
                expect_parts(&waits, &["is under way", "laneway resume undo"]);
                let again = scratch.laneway(&reset).all();
                expect_parts(&again, &["laneway resume undo"]);
            }
            // A run with undone tasks is blocked.
            _ = scratch.laneway(&["resume", "undo"]).code(1);
            assert_eq!(end(&scratch), undisturbed, "{what:?} after event {point}");
            UserState::of(&scratch).expect(&user);
            scratch.laneway(&["verify", "undo"]).success();
            let comments = scratch.laneway(&["pr", "show", &scratch.status("undo").pr("a"), "--json"]);
            let comments = comments.success().json()["comments"].as_array().map_or(0, Vec::len);
            assert_eq!(comments, 1, "it is said once");
        }
    }
}

/// A finished run of which the target has both lanes, the second on top of the first.
fn merged() -> Scratch {
    let (scratch, _) = finished();
    for lane in ["a", "b"] {
        scratch.laneway(&["pr", "merge", &scratch.status("undo").pr(lane)]).success();
    }
    scratch
}

fn expect_parts(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` in {text}");
    }
}

#[test]
fn ar25_a_reset_that_needs_one_merge_after_another_says_which_is_next_and_what_follows() {
    let scratch = merged();
    let reset = scratch.laneway(&["reset", "task", "one", "--yes"]).code(1);
    let text = reset.text();
    expect_parts(
        &text,
        &[
            "reset task one: 0 of 2 lanes undone",
            "a  follows by itself after b",
            "b  undone once pull request #3 is merged",
            "next: laneway pr merge 3",
        ],
    );
    assert!(!text.contains("without an answer"), "{text}");
    let waiting = scratch.laneway(&["waiting", "undo"]).success().text();
    expect_parts(&waiting, &["laneway pr merge 3", "lane `a` follows"]);
    let merged = scratch.laneway(&["pr", "merge", "3", "--json"]).success().json();
    let undo = &merged["undo"];
    assert_eq!((&undo["done"], &undo["next"][0]), (&false.into(), &"laneway pr merge 4".into()), "{undo:#}");
    let states = [&undo["lanes"][0]["state"], &undo["lanes"][1]["state"]];
    assert_eq!(states, ["waits_for_merge", "undone"], "{undo:#}");
    let last = scratch.laneway(&["pr", "merge", "4"]).success().text();
    expect_parts(&last, &["2 of 2 lanes undone"]);
    scratch.laneway(&["verify", "undo"]).success();
}

#[test]
fn ar25_a_reset_whose_pull_request_is_closed_says_what_was_undone_and_what_stays() {
    let scratch = merged();
    let reset = scratch.laneway(&["reset", "task", "one", "--yes", "--json"]).code(1).json();
    let undo = &reset["undo"];
    assert_eq!(undo["lanes"][0], serde_json::json!({"lane": "a", "state": "follows", "after": ["b"]}));
    assert_eq!(undo["lanes"][1]["number"], 3, "{undo:#}");
    let closed = scratch.laneway(&["pr", "close", "3"]).success().text();
    expect_parts(
        &closed,
        &[
            "0 of 2 lanes undone",
            "b  stays: pull request #3, which takes it back, was closed",
            "a  stays: the reset ended at lane `b`",
            "next: laneway reset task one",
        ],
    );
    expect_parts(
        &scratch.laneway(&["status", "undo"]).success().text(),
        &["note a: not undone: the reset ended at lane `b`: pull request #3"],
    );
    _ = scratch.laneway(&["reset", "task", "one", "--yes"]).code(1);
    scratch.laneway(&["pr", "merge", "4"]).success();
    let closed = scratch.laneway(&["pr", "close", "5"]).success().text();
    expect_parts(&closed, &["1 of 2 lanes undone", "b  undone", "a  stays", "next: laneway reset task one"]);
    let again = scratch.laneway(&["reset", "task", "one", "--yes"]).success().text();
    expect_parts(&again, &["a  undone once pull request #6 is merged"]);
}

#[test]
fn ar25_a_reset_of_a_run_that_is_being_carried_answers_when_a_person_is_needed() {
    let scratch = Setup::new().on_branch("work").make();
    lanes(&scratch, "undo");
    let path = scratch.repo().join("graphs/undo.toml");
    let text = std::fs::read_to_string(&path).expect("it was just written");
    let third = "\n[[workstreams]]\nid = \"c\"\n\n[[tasks]]\nid = \"third\"\nworkstream = \"c\"\nrun = \"echo 3 > c.txt\"\n";
    scratch.write("graphs/undo.toml", &(text + third));
    let mut run = scratch.spawn(&["run", "graphs/undo.toml", "--wait", "merged", "--json"]);
    for lane in ["a", "b", "c"] {
        let named = format!("\"lane\":\"{lane}\"");
        run.wait_for_line(|line| line.contains("\"pr.opened\"") && line.contains(&named));
    }
    for lane in ["a", "b"] {
        scratch.laneway(&["pr", "merge", &scratch.status("undo").pr(lane)]).success();
    }
    let reset = scratch.laneway(&["reset", "task", "one", "--yes"]).code(1).text();
    expect_parts(&reset, &["a  follows by itself after b", "next: laneway pr merge 4"]);
    scratch.laneway(&["pr", "merge", "4"]).success();
    run.wait_for_line(|line| line.contains("\"revert.opened\"") && line.contains("\"lane\":\"a\""));
    scratch.laneway(&["pr", "merge", "5"]).success();
    run.wait_for_line(|line| line.contains("\"to\":\"reset\"") && line.contains("\"lane\":\"a\""));
}
