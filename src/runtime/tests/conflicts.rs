//! Conflicts, and how much of them is said where.

use super::*;
use crate::event::{Event, RunStatus};

/// Two tasks of one lane that both write 5,000 files; the second works until the first has landed.
fn many_files() -> String {
    let write = |what: &str| format!("for n in $(seq 5000); do echo {what} > file-$n; done");
    graph(&format!(
        r#"
[[workstreams]]
id = "a"
parallel = 2
[[tasks]]
id = "one"
workstream = "a"
run = "{}"
[[tasks]]
id = "two"
workstream = "a"
attempts = 2
retry = {{ on = ["transient"], backoff = "1ms", max = 1 }}
prompt = '''
RUN: if test $LANEWAY_ATTEMPT = 2; then echo two > two; : > $LANEWAY_SIGNALS/done; exit 0; fi
RUN: {}; until git log --format=%s laneway/g/a/integration | grep -q a/one; do :; done; : > $LANEWAY_SIGNALS/done
'''
"#,
        write("one"),
        write("two")
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_over_thousands_of_files_makes_no_long_line_and_is_listed_to_its_agent() {
    let bench = Bench::new(&many_files());
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{:?}", state.tasks[1].reason);
    let envelopes = bench.envelopes();
    for envelope in &envelopes {
        let line = envelope.to_json().unwrap();
        assert!(line.len() < 64 << 10, "{} bytes of {}", line.len(), envelope.event.kind());
        let message = match &envelope.event {
            Event::CheckRecorded(event) => event.detail.len(),
            Event::EffectFailed(event) => event.failure.message.len(),
            Event::WorkflowTransition(event) => event.reason.as_ref().map_or(0, String::len),
            _ => 0,
        };
        assert!(message < 1000, "{line}");
    }
    let conflict = envelopes.iter().find_map(|e| match &e.event {
        Event::ConflictPredicted(event) => Some(event),
        _ => None,
    });
    let conflict = conflict.unwrap();
    assert!(conflict.paths.len() > 1000);
    let more = conflict.more.unwrap();
    assert_eq!(conflict.paths.len() as u64 + more, 5000);
    let told = bench.project.board(&bench.plan.graph, RunNo(1)).attempt_dir(&bench.plan.tasks[1].id, 2);
    let text = std::fs::read_to_string(told.join("instructions.md")).unwrap();
    assert!(conflict.paths.iter().all(|path| text.contains(&format!("- `{path}`\n"))), "{text}");
    assert!(text.contains(&format!("- and {more} more")), "{text}");
    assert!(text.len() < 96 << 10, "{} bytes", text.len());
}
