//! What a person reads.

use std::fmt::Write as _;

use crate::event::*;
use crate::render::Palette;
use crate::view::sample::{Story, half_way, lane, sha};
use crate::view::status;

fn text(story: &Story) -> String {
    super::status(&status(&story.plan, &story.state), &Palette::plain())
}

#[test]
fn ar30_a_status_reads_well_without_colour() {
    let mut story = half_way();
    story.of(
        "routes",
        ConcernRecorded { class: ConcernClass::Design, text: "this breaks\u{1b}[2J v1\nclients".into() },
    );
    story.check(Subject::lane(&lane("api")), "gate", CheckStatus::Fail, "2 tests failed");
    insta::assert_snapshot!(text(&story), @r#"
    graph shop, run 1: running  (since 05:41:07 UTC)

    lane  status      tip         pull request
    api   pr_created  b000000000  #1 https://forge.example/shop/pull/1  gate failed
    web   pending

    task    lane  status   attempts
    types   api   merged   1
    routes  api   merged   1
    page    web   pending

    design concern api/routes: this breaks v1 clients

    waiting for you
      attention: pull request #1 of lane `api` is not merged by itself: check `gate` failed: 2 tests failed
        laneway pr merge 1
    "#);
}

/// Five lanes that are all offered, each with `files` files that every other changed too; the last of them by a command.
fn five_that_conflict(files: usize) -> Story {
    let names = ["a", "b", "c", "d", "e"];
    let mut text = "schema = 1\nname = \"five\"\nagent = \"x\"\n[agents.x]\ncommand = [\"x\"]\n".to_owned();
    for name in names {
        let work = if name == "e" { "run = \"x\"" } else { "prompt = \"x\"" };
        writeln!(
            text,
            "[[workstreams]]\nid = \"{name}\"\n[[tasks]]\nid = \"t{name}\"\nworkstream = \"{name}\"\n{work}"
        )
        .expect("a string takes everything");
    }
    let mut story = Story::begun(&text);
    for (n, name) in (0..).zip(names) {
        story.provision(name).land(&format!("t{name}"), 10 * n + 10).open(name, n + 1);
    }
    for (n, ours) in names.iter().enumerate() {
        for theirs in &names[n + 1..] {
            let files = (0..files).map(|file| format!("test/harness/assert-something-{file}.js")).collect();
            let mut event = ConflictPredicted::over(format!("lane {theirs}"), files, String::new());
            event.probed = Some(Probed { lane: Some(lane(theirs)), ours: sha(1), theirs: sha(2) });
            story.tell(Subject::lane(&lane(ours)), event);
        }
    }
    story
}

#[test]
fn a_conflict_ahead_names_three_files_and_how_many_more_once_for_all_lanes_that_have_it() {
    let shown = text(&five_that_conflict(4493));
    let ahead: Vec<&str> = shown.lines().filter(|line| line.starts_with("conflict ahead")).collect();
    let file = "test/harness/assert-something";
    let line = format!(
        "conflict ahead lanes a, b, c, d, e with each other: {file}-0.js, {file}-1.js, {file}-2.js and 4490 more"
    );
    assert_eq!(ahead, [line]);
    assert!(text(&five_that_conflict(20)).contains("and 17 more\n"));
    let last = five_that_conflict(20).journal.pop().expect("it has events");
    assert!(
        crate::view::line(&last).ends_with(&format!("{file}-2.js and 17 more")),
        "{}",
        crate::view::line(&last)
    );
}

#[test]
fn what_waits_to_be_merged_says_which_others_it_conflicts_with_and_what_comes_then() {
    let mut story = five_that_conflict(1);
    let waits = crate::view::waiting(&story.plan, &story.state);
    let json = serde_json::to_value(&waits).expect("it can be written");
    assert_eq!(json[0]["conflicts"]["lanes"], serde_json::json!(["b", "c", "d", "e"]));
    let shown = super::waiting(&waits, &Palette::plain());
    let lines: Vec<&str> = shown.lines().collect();
    let first = [
        "  merge: pull request #1 of lane `a` awaits review and merge: https://forge.example/shop/pull/1",
        "    laneway pr merge 1",
        "    conflicts with lanes b, c, d, e, as they stand;",
        "    once one of them is merged, its agent is asked to bring it up to date, by `laneway resume five` where \
         nothing carries the run",
    ];
    assert_eq!(lines[..4], first);
    assert!(lines[18].contains("lanes a, b, c, d, as"), "{shown}");
    assert!(lines[19].ends_with(
        "it has no agent that could bring it up to date: `laneway waiting` says how its work is done anew"
    ));
    story.lane_to("a", LaneStatus::Merged, None);
    let waits = crate::view::waiting(&story.plan, &story.state);
    let with: Vec<&str> =
        waits[0].conflicts.iter().flat_map(|c| c.lanes.iter().map(crate::id::LaneId::as_str)).collect();
    assert_eq!(with, ["c", "d", "e"]);
}

#[test]
fn a_run_that_has_not_begun_has_a_status_too() {
    insta::assert_snapshot!(text(&Story::untold(crate::view::sample::SHOP)), @r#"
    graph shop, run 1: not begun

    lane  status
    api   pending
    web   pending

    task    lane  status
    types   api   pending
    routes  api   pending
    page    web   pending
    "#);
}

#[test]
fn a_run_that_nobody_carries_is_not_called_running() {
    let story = half_way();
    let mut view = status(&story.plan, &story.state);
    view.carried = Some(true);
    assert!(super::status(&view, &Palette::plain()).starts_with("graph shop, run 1: running "));
    view.carried = Some(false);
    let left = super::status(&view, &Palette::plain());
    assert!(left.starts_with("graph shop, run 1: interrupted "), "{left}");
    assert!(left.contains("\nnote: no process carries it; `laneway resume shop` goes on\n"), "{left}");
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let story = half_way();
    let view = status(&story.plan, &story.state);
    let coloured = super::status(&view, &Palette::coloured());
    assert_ne!(coloured, text(&story));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), text(&story));
}
