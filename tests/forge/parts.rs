//! Lanes whose pull request a person merges before their last work is shown: the rest goes into another.

use super::hub::Hub;
use crate::harness::{Method, Status};

/// A run whose lane `core` has shown `begin`, and does `rest` from the next run on: it was skipped, and is tried again.
struct Parts {
    hub: Hub,
}

impl Parts {
    fn new() -> Self {
        let hub = Hub::new();
        let text = "schema = 1\nname = \"hub\"\n\n[[workstreams]]\nid = \"core\"\n\n\
            [[tasks]]\nid = \"begin\"\nworkstream = \"core\"\nrun = \"echo begin > begin.txt\"\n\n\
            [[tasks]]\nid = \"rest\"\nworkstream = \"core\"\nneeds = [\"begin\"]\nattempts = 1\n\
            run = \"test -e ../../../../shared/go && echo rest > rest.txt\"\n";
        hub.scratch.write("graphs/hub.toml", text);
        let parts = Self { hub };
        parts.hub.run().failure();
        parts.hub.laneway(&["skip", "hub", "--task", "rest"]).success();
        parts.hub.laneway(&["resume", "hub"]).success();
        parts.expect("pr_created");
        std::fs::write(parts.hub.scratch.shared().join("go"), "").expect("a writable directory");
        parts.hub.laneway(&["retry", "hub", "--task", "rest"]).success();
        parts
    }

    #[track_caller]
    fn expect(&self, lane: &str) -> Status {
        let status = self.hub.status();
        assert_eq!(status.lane("core")["status"], lane, "{:#}", status.value());
        status
    }

    fn on_main(&self) -> [bool; 2] {
        ["begin.txt", "rest.txt"].map(|file| self.hub.origin_file(file).is_some())
    }
}

#[test]
fn ar25_on_github_a_lane_that_landed_by_two_pull_requests_is_taken_out_by_one() {
    for method in [Method::Merge, Method::Squash, Method::Rebase] {
        let parts = Parts::new();
        parts.hub.fake.merge(1, method, "bob");
        parts.hub.laneway(&["resume", "hub"]).success();
        let status = parts.expect("pr_created");
        assert_eq!(status.pr("core"), "2", "{method:?}: the rest has a pull request of its own");
        assert_eq!(parts.on_main(), [true, false]);
        parts.hub.fake.merge_somehow(2, method, "bob");
        parts.expect("merged");
        assert_eq!(parts.on_main(), [true, true]);
        parts.hub.laneway(&["reset", "workstream", "core", "--yes"]).success();
        assert_eq!(parts.hub.fake.numbers(), [1, 2, 3]);
        parts.hub.fake.merge(3, Method::Merge, "bob");
        parts.expect("reset");
        assert_eq!(parts.on_main(), [false, false], "{method:?}");
        parts.hub.laneway(&["verify", "hub"]).success();
    }
}

#[test]
fn ar25_on_github_a_lane_of_which_a_part_landed_is_undone_with_the_rest() {
    let parts = Parts::new();
    parts.hub.fake.merge(1, Method::Squash, "bob");
    parts.hub.laneway(&["resume", "hub"]).success();
    assert_eq!(parts.expect("pr_created").pr("core"), "2");
    let shown = parts.hub.laneway(&["reset", "task", "rest", "--dry-run"]).success().text();
    assert!(shown.contains("a pull request takes it out of main"), "{shown}");
    parts.hub.laneway(&["reset", "workstream", "core", "--yes"]).success();
    assert_eq!(parts.hub.fake.pull(2)["state"], "open", "it stays as long as the revert may be closed");
    parts.hub.laneway(&["pr", "merge", "3"]).success();
    parts.expect("reset");
    assert_eq!(parts.on_main(), [false, false]);
    assert_eq!(parts.hub.fake.pull(2)["state"], "closed");
    parts.hub.laneway(&["retry", "hub", "--task", "begin"]).success();
    parts.hub.laneway(&["retry", "hub", "--task", "rest"]).success();
    parts.hub.laneway(&["resume", "hub"]).success();
    assert_eq!(parts.expect("pr_created").pr("core"), "4");
    parts.hub.fake.merge(4, Method::Merge, "bob");
    parts.expect("merged");
    assert_eq!(parts.on_main(), [true, true]);
}

#[test]
fn ar25_on_github_the_rest_that_is_merged_while_a_part_is_taken_out_is_taken_out_next() {
    let parts = Parts::new();
    parts.hub.fake.merge(1, Method::Merge, "bob");
    parts.hub.laneway(&["resume", "hub"]).success();
    parts.hub.laneway(&["reset", "workstream", "core", "--yes"]).success();
    parts.hub.fake.merge(2, Method::Merge, "bob");
    _ = parts.hub.status();
    parts.hub.fake.merge(3, Method::Merge, "bob");
    assert_ne!(parts.hub.status().lane("core")["status"], "reset", "the target has the rest");
    parts.hub.fake.merge(4, Method::Merge, "bob");
    parts.expect("reset");
    assert_eq!(parts.on_main(), [false, false]);
}
