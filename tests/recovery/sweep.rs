//! Every shipped graph, with an orchestrator that dies right after an event is durable.
//!
//! Rows A06 and A19. A few events of each graph are tried; with `LANEWAY_SWEEP=1` all of them, with `LANEWAY_SWEEP=n`
//! every n-th.

use std::collections::BTreeMap;

use serde_json::Value;

use super::landings;
use crate::harness::{Scratch, Setup, Status, UserState};

/// How many events of a graph are tried where nobody asks for more.
const TRIED: usize = 4;
/// How many events later the second crash comes, where there is one.
const LATER: usize = 3;

/// All that an undisturbed run and a recovered one must have in common.
#[derive(Debug, PartialEq, Eq)]
struct End {
    outline: (String, BTreeMap<String, String>, BTreeMap<String, String>),
    /// Merges of each task into its lane, by the journal.
    merges: BTreeMap<String, usize>,
    /// Commits on each lane that land one of its tasks.
    landings: BTreeMap<String, usize>,
    /// Pull requests of each branch.
    pull_requests: BTreeMap<String, usize>,
    /// Last words on the pull requests that were merged.
    last_words: BTreeMap<String, usize>,
    /// Pull requests that the journal says were opened, by lane.
    opened: BTreeMap<String, usize>,
    /// What the journal says of the pull requests of tasks: shown and merged, by task.
    of_tasks: [BTreeMap<String, usize>; 2],
    /// Commits that the target's first-parent history has.
    target: usize,
    /// What the lanes hold and how many attempts it took; unless it depends on who was first.
    settled: Option<BTreeMap<String, String>>,
}

impl End {
    #[track_caller]
    fn of(scratch: &Scratch, graph: &str) -> Self {
        let status = scratch.status(graph);
        let events = scratch.events(graph);
        let prs = scratch.laneway(&["pr", "list", "--json"]).success().json();
        let prs = prs.as_array().map_or(&[][..], Vec::as_slice);
        let history = scratch.git(&["rev-list", "--first-parent", "refs/heads/main"]);
        Self {
            outline: status.outline(),
            merges: counted(&events, "merge.recorded", "task"),
            landings: landed(scratch, &status),
            pull_requests: count(prs.iter().map(|pr| pr["head"].to_string())),
            last_words: last_words(scratch, prs),
            opened: counted(&events, "pr.opened", "lane"),
            of_tasks: ["task_pr.opened", "task_pr.merged"].map(|kind| counted(&events, kind, "task")),
            target: history.lines().count(),
            settled: (graph != "conflict").then(|| settled(scratch, &status)),
        }
    }
}

/// How often each pull request was told what became of it.
#[track_caller]
fn last_words(scratch: &Scratch, prs: &[Value]) -> BTreeMap<String, usize> {
    // Those of tasks end with the landing, which says it all.
    let of_lane = |pr: &&Value| pr["head"].as_str().is_some_and(|head| head.ends_with("/integration"));
    let merged = prs.iter().filter(|pr| pr["state"] == "merged").filter(of_lane);
    let words = merged.map(|pr| {
        let shown = scratch.laneway(&["pr", "show", &pr["number"].to_string(), "--json"]).success().json();
        let comments = shown["comments"].as_array().map_or(&[][..], Vec::as_slice);
        let is_word =
            |one: &&Value| one["body"].as_str().is_some_and(|body| body.starts_with("**Merged** into"));
        (pr["head"].to_string(), comments.iter().filter(is_word).count())
    });
    words.collect()
}

fn counted(events: &[Value], kind: &str, by: &str) -> BTreeMap<String, usize> {
    let of_kind = events.iter().filter(|event| event["kind"] == kind && !event[by].is_null());
    count(of_kind.map(|event| event[by].to_string()))
}

fn count(keys: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0) += 1;
    }
    counts
}

fn list<'s>(status: &'s Status, key: &str) -> &'s [Value] {
    status.value()[key].as_array().expect("a list")
}

#[track_caller]
fn landed(scratch: &Scratch, status: &Status) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for task in list(status, "tasks") {
        let (id, lane) = (task["id"].as_str().expect("an id"), task["lane"].as_str().expect("an id"));
        if let Some(tip) = status.lane(lane)["tip"].as_str() {
            counts.insert(id.to_owned(), landings(scratch, tip, lane, id));
        }
    }
    counts
}

#[track_caller]
fn settled(scratch: &Scratch, status: &Status) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for lane in list(status, "lanes") {
        if let Some(tip) = lane["tip"].as_str() {
            all.insert(
                format!("lane {}", lane["id"]),
                scratch.git(&["rev-parse", &format!("{tip}^{{tree}}")]),
            );
        }
    }
    for task in list(status, "tasks") {
        all.insert(format!("task {}", task["id"]), task["attempts"].to_string());
    }
    all
}

/// A user at work on something else.
fn busy() -> Scratch {
    Setup::new().on_branch("work").dirty().make()
}

/// Crashes where events number `points` are durable, one after the other, and then runs to the end.
#[track_caller]
fn recovered(graph: &str, code: i32, points: &[usize]) -> End {
    let scratch = busy();
    let before = UserState::of(&scratch).without_branch("main");
    let file = format!("graphs/{graph}.toml");
    for point in points {
        let output =
            scratch.program("laneway", &["run", &file], &[("LANEWAY_TEST_CRASH_AFTER", &point.to_string())]);
        if !output.crashed() {
            // The run was over before so many events.
            _ = output.code(code);
        }
    }
    scratch.laneway(&["run", &file]).code(code);
    UserState::of(&scratch).without_branch("main").expect(&before);
    scratch.laneway(&["verify", graph]).success();
    End::of(&scratch, graph)
}

fn sweep(graph: &str, code: i32) {
    let scratch = busy();
    scratch.laneway(&["run", &format!("graphs/{graph}.toml")]).code(code);
    let undisturbed = End::of(&scratch, graph);
    assert!(undisturbed.merges.values().all(|merges| *merges == 1), "{undisturbed:#?}");
    assert!(undisturbed.last_words.values().all(|words| *words == 1), "{undisturbed:#?}");
    let events = scratch.events(graph).len();
    let asked: Option<usize> =
        std::env::var("LANEWAY_SWEEP").ok().map(|text| text.parse().expect("LANEWAY_SWEEP is a number"));
    let stride = asked.unwrap_or(events / TRIED).max(1);
    // Graphs begin at different events, so that together they see more than the same few kinds.
    let first = 1 + asked.map_or(graph.len() % stride, |_| 0);
    for (turn, point) in (first..=events).step_by(stride).enumerate() {
        let twice = [point, point + LATER];
        let points = if turn % 2 == 0 { &twice[..1] } else { &twice[..] };
        let end = recovered(graph, code, points);
        assert_eq!(end, undisturbed, "{graph}: crashes after events {points:?}");
    }
}

#[test]
fn a19_a_merge_that_a_person_asked_for_survives_crashes_and_happens_once() {
    let merged = |scratch: &Scratch| {
        let subjects = scratch.git(&["log", "--first-parent", "--format=%s", "refs/heads/main"]);
        subjects.lines().filter(|subject| subject.starts_with("Merge lane math")).count()
    };
    let run = || {
        let scratch = Scratch::new();
        scratch.laneway(&["run", "graphs/quickstart.toml"]).success();
        let events = scratch.events("quickstart").len();
        (scratch, events)
    };
    let (scratch, before) = run();
    let pr = scratch.status("quickstart").pr("math");
    scratch.laneway(&["pr", "merge", &pr]).success();
    assert_eq!(merged(&scratch), 1);
    let after = scratch.events("quickstart").len();
    let stride = if std::env::var_os("LANEWAY_SWEEP").is_some() { 1 } else { 3 };
    for later in (1..=after - before).step_by(stride) {
        let (scratch, before) = run();
        let pr = scratch.status("quickstart").pr("math");
        let point = (before + later).to_string();
        let output =
            scratch.program("laneway", &["pr", "merge", &pr], &[("LANEWAY_TEST_CRASH_AFTER", &point)]);
        assert!(output.crashed(), "{output:?}");
        let again: [&[&str]; 2] = [&["resume", "quickstart"], &["run", "graphs/quickstart.toml"]];
        scratch.laneway(again[later % 2]).success();
        let status = scratch.status("quickstart");
        assert_eq!(status.lane("math")["status"], "merged", "{later} events later: {:#}", status.value());
        assert_eq!(merged(&scratch), 1, "{later} events later");
        assert_eq!(scratch.git(&["status", "--porcelain"]), "", "{later} events later");
        let prs = scratch.laneway(&["pr", "list", "--json"]).success().json();
        let words = last_words(&scratch, prs.as_array().expect("a list"));
        assert_eq!(words.values().sum::<usize>(), 1, "{later} events later: {words:?}");
        scratch.laneway(&["verify", "quickstart"]).success();
    }
}

macro_rules! sweeps {
    ($($name:ident: $graph:literal, $code:literal;)*) => {
        $(
            #[test]
            fn $name() {
                sweep($graph, $code);
            }
        )*
    };
}

sweeps! {
    a06_a19_chain_survives_crashes: "chain", 0;
    a06_a19_commands_survives_crashes: "commands", 0;
    a06_a19_concerns_survives_crashes: "concerns", 0;
    a06_a19_conditions_survives_crashes: "conditions", 0;
    a06_a19_conflict_survives_crashes: "conflict", 0;
    a06_a19_diamond_auto_survives_crashes: "diamond-auto", 0;
    a06_a19_diamond_review_survives_crashes: "diamond-review", 0;
    p12_p13_a06_a19_environment_survives_crashes: "environment", 0;
    a06_a19_failure_isolated_survives_crashes: "failure-isolated", 1;
    a06_a19_fan_in_survives_crashes: "fan-in", 0;
    a06_a19_nested_survives_crashes: "nested", 0;
    a06_a19_one_by_one_survives_crashes: "one-by-one", 0;
    a06_a19_stacked_survives_crashes: "stacked", 0;
    a06_a19_gate_retry_survives_crashes: "gate-retry", 0;
    a06_a19_handover_survives_crashes: "handover", 0;
    a06_a19_loop_survives_crashes: "loop", 0;
    a06_a19_no_diff_survives_crashes: "no-diff", 0;
    a06_a19_parallel_survives_crashes: "parallel", 0;
    a06_a19_quickstart_survives_crashes: "quickstart", 0;
    a06_a19_retry_exhausted_survives_crashes: "retry-exhausted", 1;
    a06_a19_reviewed_survives_crashes: "reviewed", 0;
    ar33_a06_a19_task_prs_survives_crashes: "task-prs", 0;
}
