//! Tasks that run only when it makes sense.

use super::{Merges, busy_user, calculates, integration, run, run_again, waiting};

#[test]
fn conditions_run_what_is_needed_and_skip_the_rest_without_harm() {
    let scratch = busy_user();
    let answer = run(&scratch, "conditions", 0, Merges::Nothing);
    let status = scratch.status("conditions");
    status.expect(
        "completed",
        &[("survey", "merged"), ("build", "pr_created"), ("praise", "merged")],
        &[
            ("survey", "completed"),
            ("subtract", "merged"),
            ("praise", "skipped"),
            ("frame", "skipped"),
            ("tell", "merged"),
        ],
    );
    let why = status.task("praise")["error"].to_string();
    assert!(why.contains("its `when` does not hold: ${tasks.survey.outputs.missing} == 0"), "{why}");
    assert!(answer.text().contains("nothing to do: its tasks were skipped"), "{}", answer.text());
    assert!(!waiting(&status).contains("praise"), "{}", waiting(&status));
    let tip = integration(&scratch, &status, "conditions", "build");
    assert_eq!(calculates(&scratch, &tip, "9 sub 4"), "5");
    let told = scratch.instructions("conditions", "subtract", 1);
    assert!(
        told.contains("missing of task `survey`: these values:\n\n```text\n\"sub\"\n\"mul\"\n```"),
        "{told}"
    );
    run_again(&scratch, "conditions");
    // What was skipped by choice is nothing that failed.
    let answer = scratch.laneway(&["retry", "conditions"]).failure();
    assert!(answer.text().contains("nothing has failed"), "{}", answer.text());
}
