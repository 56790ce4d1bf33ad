//! What one task hands to another.

use std::fs;

use super::{Merges, busy_user, calculates, integration, run, run_again};
use crate::harness::Scratch;

#[test]
fn ar14_handover_gives_the_outputs_of_one_task_to_another() {
    let scratch = busy_user();
    run(&scratch, "handover", 0, Merges::Nothing);
    let status = scratch.status("handover");
    status.expect(
        "completed",
        &[("design", "pr_created"), ("code", "pr_created")],
        &[("specify", "merged"), ("build", "merged"), ("look", "completed")],
    );
    let tip = integration(&scratch, &status, "handover", "code");
    assert_eq!(calculates(&scratch, &tip, "2 pow 10"), "1024");

    let told = scratch.instructions("handover", "build", 1);
    assert!(told.contains("- checks of task `specify`: `checks/pow.txt`"), "{told}");
    assert!(told.contains("## Your role: implementer"), "{told}");
    assert!(told.contains("- operations: `ops/*.sh`"), "{told}");
    let page =
        fs::read_to_string(scratch.board("handover", "tasks/build/1/context/graph.md")).expect("it stands");
    assert!(page.contains("- `specify` merged: What `pow` answers, as checks"), "{page}");
    assert!(page.contains("- `look` pending (after `build`)"), "{page}");
    run_again(&scratch, "handover");
}

#[test]
fn ar31_the_decision_record_that_was_asked_for_is_in_the_pull_request() {
    let scratch = Scratch::new();
    run(&scratch, "handover", 0, Merges::Nothing);
    let told = scratch.instructions("handover", "specify", 1);
    assert!(told.contains("as one new file in `docs/adr/`"), "{told}");
    let events = scratch.events("handover");
    let adr = events.iter().find(|event| event["payload"]["name"] == "adr").expect("it was looked at");
    assert_eq!((&adr["task"], &adr["payload"]["status"]), (&"specify".into(), &"pass".into()));
    let tip = integration(&scratch, &scratch.status("handover"), "handover", "design");
    assert!(scratch.file_at(scratch.repo(), &tip, "docs/adr/0001-powers-of-whole-numbers.md").is_some());
}

#[test]
fn ar12_a_role_beside_the_graph_takes_the_place_of_a_built_in_one() {
    let scratch = Scratch::new();
    scratch.write("graphs/roles/implementer.md", "Write it on the back of an envelope.\n");
    scratch.write("graphs/roles/README.md", "# How we write roles\n");
    scratch.laneway(&["run", "graphs/handover.toml"]).success();
    let told = scratch.instructions("handover", "build", 1);
    assert!(told.contains("## Your role: implementer\n\nWrite it on the back of an envelope.\n"), "{told}");
    let told = scratch.instructions("handover", "specify", 1);
    assert!(told.contains("## Your role: spec_writer\n\nYou write the specification"), "{told}");
    let plan = scratch.repo().join(".git/laneway/graphs/handover/runs/1/plan.json");
    let plan = fs::read_to_string(plan).expect("it is frozen");
    assert!(plan.contains("Write it on the back of an envelope."), "{plan}");
    assert!(plan.contains("graphs/roles/implementer.md"), "{plan}");
}

#[test]
fn ar12_a_role_that_says_nothing_or_a_book_is_refused() {
    let scratch = Scratch::new();
    for (text, why) in [(" \n".to_owned(), "it says nothing"), ("x".repeat(40_000), "40000 bytes")] {
        scratch.write("graphs/roles/implementer.md", &text);
        let answer = scratch.laneway(&["check", "graphs/handover.toml"]).failure();
        assert!(answer.text().contains("graphs/roles/implementer.md"), "{}", answer.text());
        assert!(answer.text().contains(why), "{}", answer.text());
    }
}
