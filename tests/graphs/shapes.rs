//! Lanes in lanes, on lanes, after lanes, and many into one.

use super::{Merges, busy_user, calculates, integration, on_main, run, run_again};
use crate::harness::Scratch;

const LINE: [&str; 3] = ["base", "middle", "top"];

/// The bases of the pull requests of these lanes, and whether they are drafts.
#[track_caller]
fn bases(scratch: &Scratch, graph: &str, lanes: &[&str]) -> Vec<(String, bool)> {
    let pulls = scratch.laneway(&["pr", "list", "--json"]).success().json();
    let of = |lane: &&str| {
        let head = format!("laneway/{graph}/{lane}/integration");
        let pull = pulls.as_array().into_iter().flatten().find(|pull| pull["head"] == head.as_str());
        let pull = pull.unwrap_or_else(|| panic!("`{lane}` has no pull request: {pulls:#}"));
        (pull["base"].as_str().expect("a branch").to_owned(), pull["draft"] == true)
    };
    lanes.iter().map(of).collect()
}

#[test]
fn ar21_nested_lanes_are_merged_into_their_parents_and_one_pull_request_is_left() {
    let scratch = busy_user();
    run(&scratch, "nested", 0, Merges::Nothing);
    let status = scratch.status("nested");
    status.expect(
        "completed",
        &[("release", "pr_created"), ("engine", "merged"), ("checks", "merged")],
        &[("subtract", "merged"), ("negate", "merged"), ("span", "merged")],
    );
    let tip = integration(&scratch, &status, "nested", "release");
    assert_eq!(calculates(&scratch, &tip, "0 span 21"), "42");
    let release = "laneway/nested/release/integration".to_owned();
    let engine = "laneway/nested/engine/integration".to_owned();
    assert_eq!(
        bases(&scratch, "nested", &["release", "engine", "checks"]),
        [("main".to_owned(), false), (release, false), (engine, false)]
    );
    scratch.laneway(&["pr", "merge", &status.pr("release")]).success();
    assert!(on_main(&scratch, "ops/span.sh").is_some());
    scratch.laneway(&["verify", "nested"]).success();
    run_again(&scratch, "nested");
}

#[test]
fn ar21_stacked_pull_requests_go_down_as_those_below_are_merged() {
    let scratch = busy_user();
    run(&scratch, "stacked", 0, Merges::Nothing);
    let branch = |lane: &str| (format!("laneway/stacked/{lane}/integration"), false);
    let main = || ("main".to_owned(), false);
    assert_eq!(bases(&scratch, "stacked", &LINE), [main(), branch("base"), branch("middle")]);
    let status = scratch.status("stacked");
    for lane in LINE {
        let shown = scratch.laneway(&["pr", "show", &status.pr(lane), "--json"]).success().json();
        let body = shown["body"].as_str().expect("a body");
        assert!(body.contains("Change: 2 files"), "what a lane adds to the one below it: {body}");
    }
    for (n, lane) in LINE.iter().enumerate() {
        assert_eq!(bases(&scratch, "stacked", &LINE[n..=n]), [main()]);
        scratch.laneway(&["pr", "merge", &status.pr(lane)]).success();
    }
    assert_eq!(calculates(&scratch, "refs/heads/main", "0 span 21"), "42");
    scratch.status("stacked").expect(
        "completed",
        &LINE.map(|lane| (lane, "merged")),
        &[("subtract", "merged"), ("negate", "merged"), ("span", "merged")],
    );
    scratch.laneway(&["verify", "stacked"]).success();
    run_again(&scratch, "stacked");
}

#[test]
fn ar21_one_by_one_begins_each_lane_when_the_one_below_is_in_the_target() {
    let scratch = busy_user();
    run(&scratch, "one-by-one", 0, Merges::Target);
    assert_eq!(calculates(&scratch, "refs/heads/main", "0 span 21"), "42");
    let events = scratch.events("one-by-one");
    let at = |lane: &str, to: &str| {
        let turn = |event: &serde_json::Value| {
            event["lane"] == lane && event["payload"]["of"] == "lane" && event["payload"]["to"] == to
        };
        events.iter().position(turn).unwrap_or_else(|| panic!("`{lane}` was never {to}"))
    };
    for pair in LINE.windows(2) {
        assert!(at(pair[0], "merged") < at(pair[1], "active"), "{pair:?}");
    }
    run_again(&scratch, "one-by-one");
}

#[test]
fn ar21_ten_lanes_come_together_in_one() {
    let scratch = busy_user();
    run(&scratch, "fan-in", 0, Merges::Nothing);
    let ten: Vec<String> = (1..=10).map(|n| format!("times-{n}")).collect();
    let status = scratch.status("fan-in");
    let tip = integration(&scratch, &status, "fan-in", "table");
    assert_eq!(calculates(&scratch, &tip, "0 all 2"), "110");
    assert_eq!(bases(&scratch, "fan-in", &["table"]), [("main".to_owned(), true)]);
    for lane in &ten {
        scratch.laneway(&["pr", "merge", &status.pr(lane)]).success();
    }
    assert_eq!(bases(&scratch, "fan-in", &["table"]), [("main".to_owned(), false)]);
    scratch.laneway(&["pr", "merge", &status.pr("table")]).success();
    assert_eq!(calculates(&scratch, "refs/heads/main", "0 all 2"), "110");
    scratch.laneway(&["verify", "fan-in"]).success();
    run_again(&scratch, "fan-in");
}
