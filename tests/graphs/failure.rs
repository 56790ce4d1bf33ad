//! Graphs in which something fails.

use super::{Merges, busy_user, calculates, file, integration, on_main, processes, run};
use crate::harness::Scratch;

/// A run that failed stays so until somebody asks for a retry.
#[track_caller]
fn stays_failed(scratch: &Scratch, graph: &str) {
    let started = processes(scratch, graph);
    let answer = scratch.laneway(&["run", &file(graph)]).code(1);
    assert!(answer.text().contains("laneway retry"), "{}", answer.text());
    assert_eq!(processes(scratch, graph), started);
}

#[test]
fn ar19_retry_exhausted_fails_after_its_attempts_and_says_where_to_look() {
    let scratch = busy_user();
    let answer = run(&scratch, "retry-exhausted", 1, Merges::Nothing);
    assert!(answer.text().contains("laneway logs square-root"), "{}", answer.text());
    let status = scratch.status("retry-exhausted");
    status.expect("failed", &[("default", "failed")], &[("square-root", "failed")]);
    assert_eq!(status.attempts("square-root"), 2);
    let error = status.task("square-root")["error"].to_string();
    assert!(error.contains("exit code 3"), "{error}");
    let told = scratch.instructions("retry-exhausted", "square-root", 2);
    let (_, earlier) = told.split_once("## Earlier attempts").expect("the first attempt is shown");
    assert!(earlier.contains("exit code 3"), "{told}");
    let log = scratch.laneway(&["logs", "square-root"]).success();
    assert!(log.stdout().contains("the shell has no square roots"), "{}", log.stdout());
    let file = std::fs::read_to_string(scratch.board("retry-exhausted", "lanes/default/failed"));
    assert!(file.expect("a status file").contains("square-root"));
    stays_failed(&scratch, "retry-exhausted");
}

#[test]
fn ar22_a_failure_takes_with_it_only_what_needs_it() {
    let scratch = busy_user();
    let answer = run(&scratch, "failure-isolated", 1, Merges::Nothing);
    for named in ["broken", "after"] {
        assert!(answer.text().contains(named), "{named} is not in:\n{}", answer.text());
    }
    let status = scratch.status("failure-isolated");
    status.expect(
        "failed",
        &[("shaky", "failed"), ("downstream", "failed"), ("solid", "pr_created")],
        &[("broken", "failed"), ("beside", "merged"), ("after", "skipped"), ("fine", "merged")],
    );
    assert_eq!(status.attempts("broken"), 1);
    assert_eq!(status.attempts("after"), 0);
    let error = status.task("broken")["error"].to_string();
    assert!(error.contains("the shell has no square roots"), "{error}");
    let why = status.task("after")["error"].to_string();
    assert!(why.contains("broken"), "{why}");
    let solid = integration(&scratch, &status, "failure-isolated", "solid");
    assert_eq!(calculates(&scratch, &solid, "2 min 3"), "2");
    // What the failed lane has got to stays for a retry.
    let shaky = scratch.git(&["rev-parse", "refs/heads/laneway/failure-isolated/shaky/integration"]);
    assert_eq!(status.tip("shaky"), shaky);
    assert_eq!(calculates(&scratch, &shaky, "2 max 3"), "3");
    assert_eq!(on_main(&scratch, "ops/min.sh"), None);
    stays_failed(&scratch, "failure-isolated");
}
