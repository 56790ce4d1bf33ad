//! Attempts of several processes, and agents that go on with a session.

use serde_json::Value;

use super::{Merges, busy_user, calculates, integration, run};
use crate::harness::{Answer, Scratch};

/// The payloads of the events of a kind.
fn payloads(scratch: &Scratch, graph: &str, kind: &str) -> Vec<Value> {
    let events = scratch.events(graph).into_iter().filter(|event| event["kind"] == kind);
    events.map(|event| event["payload"].clone()).collect()
}

/// Runs a graph of one task `t`, whose agent is scripted and loops.
#[track_caller]
fn run_loop(scratch: &Scratch, code: i32, options: &str, script: &str) -> Answer {
    let text = format!(
        "name = \"looping\"\n[agents.scripted]\ncommand = [\"sh\", \"agents/scripted.sh\", \"{{prompt_file}}\"]\n\
         [[tasks]]\nid = \"t\"\nretry = {{ backoff = \"10ms\" }}\n{options}\nprompt = '''\n{script}\n'''\n"
    );
    scratch.write("looping.toml", &text);
    scratch.laneway(&["run", "looping.toml"]).code(code)
}

#[test]
fn a02_a_task_of_three_iterations_is_three_processes_and_one_attempt() {
    let scratch = busy_user();
    run(&scratch, "loop", 0, Merges::Nothing);
    let status = scratch.status("loop");
    status.expect("completed", &[("default", "pr_created")], &[("operations", "merged")]);
    assert_eq!(status.attempts("operations"), 1);
    let events = scratch.events("loop");
    let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((count("workflow.start"), count("workflow.iteration"), count("workflow.end")), (1, 3, 1));
    assert!(count("workflow.transition") >= 2);
    assert!(events.iter().zip(1_u64..).all(|(event, seq)| event["seq"] == seq));
    let started = payloads(&scratch, "loop", "process.started");
    let agents: Vec<&Value> = started.iter().filter(|p| p["role"] == "agent").collect();
    let tags: Vec<&str> = agents.iter().filter_map(|p| p["process"]["tag"].as_str()).collect();
    assert_eq!(tags.len(), 3);
    assert!(tags.iter().zip(1..).all(|(tag, n)| tag.ends_with(&format!("/operations/1/{n}"))), "{tags:?}");
    let tip = integration(&scratch, &status, "loop", "default");
    for (sum, result) in [("6 mul 7", "42"), ("2 max 3", "3"), ("2 min 3", "2")] {
        assert_eq!(calculates(&scratch, &tip, sum), result);
    }
}

#[test]
fn a14_the_tracker_tells_the_next_iteration_what_the_one_before_wrote() {
    let scratch = busy_user();
    run(&scratch, "loop", 0, Merges::Nothing);
    let told = scratch.instructions("loop", "operations", 1);
    let (_, iteration) = told.split_once("## Iteration 3 of at most 5").expect("the last one's instructions");
    assert!(iteration.contains("`TRACKER.md`") && iteration.contains("- mul is in\n- max is in\n"), "{told}");
    assert!(!iteration.contains("min is in"), "{told}");
}

#[test]
fn a13_a_loop_whose_iterations_are_used_up_is_exhausted_and_its_work_is_kept_for_the_next_attempt() {
    let scratch = Scratch::new();
    let options = "attempts = 2\nagent = { use = \"scripted\", loop = { max_iterations = 2 } }";
    let script = "$ echo $LANEWAY_ATTEMPT/$LANEWAY_ITERATION >> steps.txt\n$ silent";
    run_loop(&scratch, 1, options, script);
    let status = scratch.status("looping");
    status.expect("failed", &[("default", "failed")], &[("t", "failed")]);
    assert_eq!(status.task("t")["attempt_status"], "exhausted");
    let error = status.task("t")["error"].to_string();
    assert!(error.contains("2 iterations ended without a claim"), "{error}");
    assert_eq!(status.attempts("t"), 2);
    let exhausted = payloads(&scratch, "looping", "workflow.transition");
    assert_eq!(exhausted.iter().filter(|p| p["to"] == "exhausted").count(), 2);
    // The commit that the last attempt became holds what all four processes did.
    let collected = payloads(&scratch, "looping", "work.collected");
    let last = collected.last().and_then(|p| p["commit"].as_str()).expect("work was collected");
    let steps = scratch.file_at(scratch.repo(), last, "steps.txt").expect("the file is there");
    assert_eq!(steps, "1/1\n1/2\n2/1\n2/2");
    let told = scratch.instructions("looping", "t", 2);
    assert!(told.contains("Attempt 1 did not succeed: 2 iterations ended without a claim"), "{told}");
}

#[test]
fn a13_a_loop_that_gets_nowhere_ends_before_its_iterations_are_used_up() {
    let scratch = Scratch::new();
    let options =
        "attempts = 1\nagent = { use = \"scripted\", loop = { max_iterations = 9, tracker = \"T.log\" } }";
    run_loop(&scratch, 1, options, "$ cat T.log || true\n$ silent");
    let started = payloads(&scratch, "looping", "workflow.iteration");
    assert_eq!(started.len(), 2);
    let error = scratch.status("looping").task("t")["error"].to_string();
    assert!(error.contains("changed nothing"), "{error}");
}

#[test]
fn a14_an_ignored_tracker_stays_in_the_lane_and_counts_as_progress() {
    let scratch = Scratch::new();
    // `*.log` is ignored in this repository, so that the tracker never comes into a commit.
    let options = "attempts = 1\ngate = \"sh check.sh\"\nwrites = [\"ops/**\", \"checks/**\"]\n\
        agent = { use = \"scripted\", loop = { max_iterations = 9, tracker = \"T.log\" } }";
    let script = "$ echo step >> T.log\n$ [ $(grep -c . T.log) -lt 4 ] || echo 'echo $(($1 * $2))' > ops/mul.sh\n\
                  $ [ ! -e ops/mul.sh ] || echo '6 mul 7 = 42' > checks/mul.txt\n$ silent unless test -e ops/mul.sh";
    run_loop(&scratch, 0, options, script);
    let status = scratch.status("looping");
    status.expect("completed", &[("default", "pr_created")], &[("t", "merged")]);
    assert_eq!(payloads(&scratch, "looping", "workflow.iteration").len(), 4);
    let tip = integration(&scratch, &status, "looping", "default");
    assert_eq!(scratch.file_at(scratch.repo(), &tip, "T.log"), None);
    assert_eq!(calculates(&scratch, &tip, "6 mul 7"), "42");
}

#[test]
fn p02_a_tracker_alone_is_no_work() {
    let scratch = Scratch::new();
    let options = "attempts = 1\nagent = { use = \"scripted\", loop = { max_iterations = 3, tracker = \"TRACKER.md\" } }";
    run_loop(&scratch, 1, options, "$ echo all done > TRACKER.md");
    let error = scratch.status("looping").task("t")["error"].to_string();
    assert!(error.contains("nothing was changed but the tracker"), "{error}");
}

#[test]
fn a14_the_last_line_of_the_tracker_is_the_only_marker_that_is_read() {
    let scratch = Scratch::new();
    let text = r#"
name = "marked"
[agents.plain]
command = ["sh", "-c", "sed -n 's/^RUN: //p' $1 | sh -e", "sh", "{prompt_file}"]
claim = "exit"
[[tasks]]
id = "t"
attempts = 1
prompt = '''
RUN: echo $LANEWAY_ITERATION >> steps.txt
RUN: [ $LANEWAY_ITERATION != 1 ] || printf 'DONE\nnot yet\n' > T.md
RUN: [ $LANEWAY_ITERATION != 2 ] || printf 'It is DONE\n' > T.md
RUN: [ $LANEWAY_ITERATION != 3 ] || printf 'DONE \n\n' > T.md
'''
agent = { use = "plain", loop = { max_iterations = 5, tracker = "T.md" } }
"#;
    scratch.write("marked.toml", text);
    scratch.laneway(&["run", "marked.toml"]).success();
    let status = scratch.status("marked");
    status.expect("completed", &[("default", "pr_created")], &[("t", "merged")]);
    // A clean exit alone claims nothing where there is a tracker.
    let steps = scratch.file_at(scratch.repo(), status.tip("default"), "steps.txt");
    assert_eq!(steps.as_deref(), Some("1\n2\n3"));
}

/// An agent that prints what Claude Code prints, and fails its first attempt.
const FAKE: &str = r#"
cat > prompt.seen
echo "arguments: $*" >> calls.txt
echo '{"type":"system","subtype":"init","session_id":"s-'$LANEWAY_ATTEMPT'"}'
[ "$LANEWAY_ATTEMPT" = 1 ] || echo yes > "$LANEWAY_SIGNALS/done"
echo '{"type":"result","session_id":"s-'$LANEWAY_ATTEMPT'","total_cost_usd":0.5,"usage":{"input_tokens":10,"output_tokens":2}}'
"#;

#[test]
fn a21_an_attempt_lists_its_session_and_its_usage_and_the_next_goes_on_with_the_session() {
    let scratch = Scratch::new();
    scratch.write("fake.sh", FAKE);
    scratch.write(
        "resuming.toml",
        "name = \"resuming\"\n[agents.fake]\nlike = \"claude\"\n\
         command = [\"sh\", \"fake.sh\", \"-p\", \"--model\", \"{model}\", \"--resume\", \"{session}\"]\n\
         [[tasks]]\nid = \"t\"\nprompt = \"Do it.\"\nretry = { backoff = \"10ms\" }\n\
         agent = { use = \"fake\", model = \"large\", session = \"continue\" }\n",
    );
    scratch.git(&["add", "fake.sh"]);
    scratch.git(&["commit", "-qm", "An agent"]);
    scratch.git(&["push", "-q", "origin", "main"]);
    scratch.laneway(&["run", "resuming.toml"]).success();
    let status = scratch.status("resuming");
    let tip = status.tip("default").to_owned();
    let calls = scratch.file_at(scratch.repo(), &tip, "calls.txt").expect("it was called");
    assert_eq!(calls, "arguments: -p --model large\narguments: -p --model large --resume s-1");
    let prompt = scratch.file_at(scratch.repo(), &tip, "prompt.seen").expect("it has read");
    assert!(prompt.starts_with("# Task `t`") && prompt.contains("attempt 2 of 2"), "{prompt}");
    let used = |attempt: u64| {
        serde_json::json!({ "attempt": attempt, "session": format!("s-{attempt}"), "input_tokens": 10,
            "cached_tokens": 0, "output_tokens": 2, "cost_micros": 500_000 })
    };
    assert_eq!(status.task("t")["usage"], serde_json::json!([used(1), used(2)]));
    let recorded = payloads(&scratch, "resuming", "usage.recorded");
    assert_eq!((recorded.len(), &recorded[0]["agent"]), (2, &"fake".into()));
    let shown = scratch.laneway(&["events", "resuming"]).success();
    let line = "agent fake used 10 tokens in, 2 tokens out, $0.5000 (session s-1)";
    assert!(shown.stdout().contains(line), "{}", shown.stdout());
}
