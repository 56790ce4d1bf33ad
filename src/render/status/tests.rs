//! What a person reads.

use crate::event::*;
use crate::render::Palette;
use crate::view::sample::{Story, half_way, lane};
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
