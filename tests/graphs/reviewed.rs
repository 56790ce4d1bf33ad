//! Work that another agent reviews before it is merged.

use std::fs;

use super::{Merges, busy_user, calculates, integration, run, run_again};

#[test]
fn ar16_reviewed_shows_the_findings_of_a_reviewer_to_the_next_attempt() {
    let scratch = busy_user();
    run(&scratch, "reviewed", 0, Merges::Nothing);
    let status = scratch.status("reviewed");
    status.expect("completed", &[("default", "pr_created")], &[("maximum", "merged")]);
    assert_eq!(status.attempts("maximum"), 2);
    let tip = integration(&scratch, &status, "reviewed", "default");
    assert_eq!(calculates(&scratch, &tip, "3 max 7"), "7");

    let events = scratch.events("reviewed");
    let checks: Vec<_> = events
        .iter()
        .filter(|event| event["kind"] == "check.recorded" && event["payload"]["name"] == "review")
        .map(|event| (event["attempt"].clone(), event["payload"]["status"].clone()))
        .collect();
    assert_eq!(checks, [(1.into(), "fail".into()), (2.into(), "pass".into())]);
    let started = events.iter().filter(|event| event["kind"] == "process.started");
    let roles: Vec<_> = started.map(|event| event["payload"]["role"].clone()).collect();
    assert_eq!(roles, ["agent", "reviewer", "agent", "reviewer"]);

    let told = scratch.instructions("reviewed", "maximum", 2);
    let (_, earlier) = told.split_once("## Earlier attempts").expect("the first attempt is shown");
    assert!(earlier.contains("checks/max.txt: the smaller number never comes first"), "{told}");
    let path = scratch.board("reviewed", "tasks/maximum/1/review-1/instructions.md");
    let told = fs::read_to_string(path).expect("the reviewer was told");
    assert!(told.contains("+7 max 3 = 7") && told.contains("## Your role: reviewer"), "{told}");
    let body = scratch.laneway(&["pr", "show", &status.pr("default")]).success();
    assert!(body.text().contains("review"), "{}", body.text());
    let log = scratch.laneway(&["logs", "maximum", "--attempt", "1", "--review"]).success();
    assert!(log.stdout().contains("$ cat checks/max.txt\n7 max 3 = 7"), "{}", log.stdout());
    run_again(&scratch, "reviewed");
}
