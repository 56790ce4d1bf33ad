//! Graphs that may be merged without a person.

use super::{Merges, busy_user, calculates, on_main, run, run_again, waiting};
use crate::harness::{Scratch, UserState};

#[test]
fn ar18_diamond_auto_ends_merged_without_a_person() {
    let scratch = busy_user();
    run(&scratch, "diamond-auto", 0, Merges::Target);
    let lanes = ["core", "left", "right", "suite"];
    let status = scratch.status("diamond-auto");
    status.expect(
        "completed",
        &lanes.map(|lane| (lane, "merged")),
        &["subtract", "negate", "distance", "combine"].map(|task| (task, "merged")),
    );
    assert!(on_main(&scratch, "ops/twice.sh").is_some());
    assert_eq!(calculates(&scratch, "refs/heads/main", "0 twice 21"), "42");
    let prs = scratch.laneway(&["pr", "list", "--json"]).success().json();
    let prs = prs.as_array().expect("a list");
    assert!(prs.iter().all(|pr| pr["state"] == "merged"), "{prs:#?}");
    run_again(&scratch, "diamond-auto");
}

#[test]
fn ar18_an_automatic_merge_moves_a_clean_checkout_of_its_target_along() {
    let scratch = Scratch::new();
    let before = UserState::of(&scratch);
    scratch.laneway(&["run", &super::file("diamond-auto")]).success();
    assert_eq!(scratch.git(&["status", "--porcelain"]), "");
    assert!(scratch.repo().join("ops/twice.sh").exists());
    let others = |state: UserState| state.without_branch("main").without_checkout();
    others(UserState::of(&scratch)).expect(&others(before));
}

#[test]
fn ar17_a_design_concern_keeps_its_lane_for_a_person_and_an_ops_concern_does_not() {
    let scratch = busy_user();
    run(&scratch, "concerns", 0, Merges::Target);
    let status = scratch.status("concerns");
    status.expect(
        "completed",
        &[("rounding", "pr_created"), ("tooling", "merged")],
        &[("divide", "merged"), ("ignore", "merged")],
    );
    assert_eq!(on_main(&scratch, "ops/div.sh"), None);
    let ignored = on_main(&scratch, ".gitignore").expect("a file");
    assert!(ignored.contains("*.swp"), "{ignored}");
    let why = waiting(&status);
    assert!(why.contains("rounding") && why.contains("concern"), "{why}");
    assert!(!why.contains("tooling"), "{why}");

    let recorded: Vec<_> = scratch
        .events("concerns")
        .into_iter()
        .filter(|event| event["kind"] == "concern.recorded")
        .map(|event| (event["task"].clone(), event["payload"]["class"].clone()))
        .collect();
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    assert!(recorded.contains(&("divide".into(), "design".into())), "{recorded:?}");
    assert!(recorded.contains(&("ignore".into(), "ops".into())), "{recorded:?}");

    // A person may merge it all the same.
    scratch.laneway(&["pr", "merge", &status.pr("rounding")]).success();
    assert_eq!(calculates(&scratch, "refs/heads/main", "7 div 2"), "3");
    scratch.laneway(&["verify", "concerns"]).success();
    run_again(&scratch, "concerns");
}
