//! Resets of runs whose pull requests are on GitHub.

use super::hub::{Hub, Merge};
use crate::harness::{Fault, Method};

#[test]
fn ar25_on_github_a_lane_that_goes_is_told_and_closed_once() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let core = hub.number("core");
    hub.fake.fail(Fault::Lost, 1, "POST", "/comments");
    hub.laneway(&["reset", "workstream", "core", "--yes"]).success();
    hub.expect("reset", "pr_created");
    let pull = hub.fake.pull(core);
    assert_eq!(pull["state"], "closed");
    let said = hub.fake.comments(core);
    assert_eq!(said.len(), 1, "{said:#?}");
    assert!(said[0]["body"].as_str().is_some_and(|body| body.starts_with("**Undone.**")), "{said:#?}");
    let left = hub.scratch.git_in(&hub.scratch.origin(), &["for-each-ref", "--format=%(refname)"]);
    assert!(!left.contains("/core/") && left.contains("/docs/"), "{left}");
    hub.laneway(&["retry", "hub", "--task", "write-core"]).success();
    hub.laneway(&["resume", "hub"]).success();
    hub.expect("pr_created", "pr_created");
    assert_eq!(hub.number("core"), 3, "what is done again has a pull request of its own");
}

#[test]
fn ar25_on_github_a_squashed_lane_is_taken_out_by_a_pull_request_that_a_person_merges() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    for lane in ["core", "docs"] {
        hub.fake.merge(hub.number(lane), Method::Squash, "bob");
    }
    hub.expect("merged", "merged");
    hub.fake.fail(Fault::Lost, 1, "POST", "/pulls");
    hub.laneway(&["reset", "workstream", "core", "--yes"]).success();
    hub.expect("merged", "merged");
    assert_eq!(hub.fake.numbers(), [1, 2, 3], "it was opened once");
    let pull = hub.fake.pull(3);
    assert_eq!(
        (&pull["base"]["ref"], &pull["head"]["ref"]),
        (&"main".into(), &"laneway/hub/core/revert-1".into())
    );
    let waiting = hub.laneway(&["waiting", "hub", "--json"]).success().json();
    assert!(waiting.to_string().contains("laneway pr merge 3"), "{waiting:#}");
    assert!(hub.origin_file("new/core.txt").is_some());
    hub.fake.merge(3, Method::Merge, "bob");
    hub.expect("reset", "merged");
    assert_eq!(hub.origin_file("new/core.txt"), None);
    assert_eq!(hub.origin_file("new/docs.txt").as_deref(), Some("docs"), "its sibling stays");
    hub.laneway(&["verify", "hub"]).success();
}
