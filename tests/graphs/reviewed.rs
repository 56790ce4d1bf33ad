//! Work that another agent reviews before it is merged.

use std::fs;

use super::{Merges, busy_user, calculates, integration, run, run_again};
use crate::harness::Scratch;

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

/// Both speak as `claude` does; the second one reviews.
const AGENTS: &str = r#"
name = "used"

[agents.fake]
like = "claude"
command = ["sh", "-ec", "cat > /dev/null; echo 1 > new.txt; echo yes > $LANEWAY_SIGNALS/done; cat usage-1"]

[agents.critic]
like = "claude"
command = ["sh", "-ec", "cat > /dev/null; echo yes > $LANEWAY_SIGNALS/done; cat usage-2"]

[[tasks]]
id = "t"
prompt = "Do it."
agent = "fake"
review = "critic"
"#;

#[test]
fn a21_what_a_reviewer_uses_is_recorded_and_counted_with_the_rest() {
    let scratch = Scratch::new();
    scratch.write("used.toml", AGENTS);
    for n in [1, 2] {
        let line = format!(
            "{{\"type\":\"result\",\"session_id\":\"s-{n}\",\"total_cost_usd\":0.5,\
             \"usage\":{{\"input_tokens\":{n}0,\"output_tokens\":{n}}}}}\n"
        );
        scratch.write(&format!("usage-{n}"), &line);
    }
    scratch.git(&["add", "usage-1", "usage-2"]);
    scratch.git(&["commit", "-qm", "What they say"]);
    scratch.git(&["push", "-q", "origin", "main"]);
    scratch.laneway(&["run", "used.toml"]).success();
    let status = scratch.status("used");
    let used = serde_json::json!([{ "attempt": 1, "session": "s-1", "input_tokens": 30, "cached_tokens": 0,
        "output_tokens": 3, "cost_micros": 1_000_000 }]);
    assert_eq!(status.task("t")["usage"], used);
    let recorded: Vec<_> = scratch
        .events("used")
        .into_iter()
        .filter(|event| event["kind"] == "usage.recorded")
        .map(|event| (event["payload"]["agent"].clone(), event["payload"]["review"].clone()))
        .collect();
    assert_eq!(recorded, [("fake".into(), serde_json::Value::Null), ("critic".into(), 1.into())]);
    let shown = scratch.laneway(&["pr", "show", &status.pr("default")]).success();
    assert!(shown.text().contains("30 input tokens, 3 output tokens, $1.00"), "{}", shown.text());
    scratch.laneway(&["verify", "used"]).success();
}
