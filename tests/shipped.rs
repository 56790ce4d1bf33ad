//! The shipped graphs without a run: they are read, planned and rehearsed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use laneway::graph::{DiffPolicy, Graph, Handoff, ProjectDefaults, Source, Task, Verb, parse};
use laneway::id::Sha;
use laneway::plan::{Inputs, LaneBase, Plan, build};

use crate::harness::{Scratch, Stage};

/// Every graph that ships. A new one wants a test of its run in `graphs.rs` too.
const SHIPPED: [&str; 22] = [
    "chain",
    "commands",
    "concerns",
    "conditions",
    "conflict",
    "diamond-auto",
    "diamond-review",
    "environment",
    "failure-isolated",
    "fan-in",
    "gate-retry",
    "handover",
    "loop",
    "nested",
    "no-diff",
    "one-by-one",
    "parallel",
    "quickstart",
    "retry-exhausted",
    "reviewed",
    "task-prs",
    "stacked",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs")
}

fn graph(name: &str) -> Graph {
    let path = folder().join(format!("{name}.toml"));
    let text = fs::read_to_string(&path).expect("it ships");
    let path = format!("graphs/{name}.toml");
    parse(&Source { path, text }, &ProjectDefaults::default())
        .unwrap_or_else(|diagnostics| panic!("{name}: {diagnostics:#?}"))
}

fn plan(graph: &Graph) -> Plan {
    let base = LaneBase {
        base: "main".to_owned(),
        base_sha: Sha::new(&"0123456789".repeat(4)).expect("hex"),
        target: "main".to_owned(),
    };
    build(graph, &Inputs::plain(graph, &base)).expect("a plan")
}

#[test]
fn every_shipped_graph_is_listed() {
    let files: BTreeSet<String> = fs::read_dir(folder())
        .expect("graphs ship")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("ASCII"))
        .collect();
    let listed: BTreeSet<String> = SHIPPED.iter().map(|name| format!("{name}.toml")).collect();
    assert_eq!(files, listed);
}

#[test]
fn every_shipped_graph_is_read_planned_and_introduced() {
    for name in SHIPPED {
        let graph = graph(name);
        assert_eq!(graph.name.as_str(), name);
        let plan = plan(&graph);
        assert_eq!(plan.tasks.len(), graph.tasks.len());
        assert!(plan.lanes.iter().all(|lane| lane.parent.is_some() || lane.target == "main"), "{name}");
        let text = fs::read_to_string(folder().join(format!("{name}.toml"))).expect("it ships");
        assert!(text.starts_with("# "), "{name} does not say what it shows");
    }
}

#[test]
fn the_shapes_of_the_shipped_graphs_are_as_they_say() {
    let lanes = |name: &str| -> Vec<(String, Vec<String>)> {
        let needs = |lane: &laneway::plan::LanePlan| lane.needs.iter().map(ToString::to_string).collect();
        plan(&graph(name)).lanes.iter().map(|lane| (lane.id.to_string(), needs(lane))).collect()
    };
    let shape = |list: &[(&str, &[&str])]| -> Vec<(String, Vec<String>)> {
        list.iter()
            .map(|(lane, needs)| ((*lane).to_owned(), needs.iter().map(ToString::to_string).collect()))
            .collect()
    };
    assert_eq!(lanes("quickstart"), shape(&[("math", &[]), ("manual", &[])]));
    assert_eq!(plan(&graph("quickstart")).tasks.len(), 4);
    assert_eq!(lanes("chain"), shape(&[("operation", &[]), ("release", &["operation"])]));
    let diamond =
        shape(&[("core", &[]), ("left", &["core"]), ("right", &["core"]), ("suite", &["left", "right"])]);
    assert_eq!(lanes("diamond-review"), diamond);
    assert_eq!(lanes("diamond-auto"), diamond);
    assert_eq!(plan(&graph("diamond-review")).settings.handoff, Handoff::Ready);
    assert_eq!(plan(&graph("diamond-auto")).settings.handoff, Handoff::Merged);
    let line = shape(&[("base", &[]), ("middle", &["base"]), ("top", &["middle"])]);
    assert_eq!((lanes("stacked"), lanes("one-by-one")), (line.clone(), line));
    assert_eq!(plan(&graph("stacked")).settings.handoff, Handoff::Ready);
    assert_eq!(plan(&graph("one-by-one")).settings.handoff, Handoff::Merged);
    assert_eq!(lanes("fan-in").last().map(|(lane, needs)| (lane.as_str(), needs.len())), Some(("table", 10)));
    assert!(plan(&graph("parallel")).tasks.iter().all(|task| task.wave == 1));
}

/// Plays a task in the main worktree, attempt by attempt, until it is done and its gate passes. Returns the attempt
/// that was, and commits; `None` where there was none.
fn rehearse(scratch: &Scratch, graph: &Graph, task: &Task) -> Option<u32> {
    let stage = Stage::new(scratch, task.id.as_str());
    for attempt in 1..=task.attempts.or(graph.defaults.attempts).unwrap_or(2) {
        let done = match &task.verb {
            Verb::Agent { prompt, by } => {
                let most = by.repeat.as_ref().map_or(1, |repeat| repeat.max_iterations);
                let one = || {
                    let output = stage.play(prompt, attempt, Vec::new());
                    output.succeeded() && stage.signals(attempt).join("done").exists()
                };
                (1..=most).any(|_| one())
            }
            Verb::Run { command } => run(scratch, &command.to_string(), &task.env),
        };
        let gate = task.gate.as_ref().or(graph.defaults.gate.as_ref());
        if done && gate.is_none_or(|gate| run(scratch, &gate.command.to_string(), &task.env)) {
            let changed = !scratch.git(&["status", "--porcelain"]).is_empty();
            assert!(changed || task.diff != DiffPolicy::Required, "{} changes nothing", task.id);
            assert!(!changed || task.diff != DiffPolicy::None, "{} changes something", task.id);
            scratch.git(&["add", "-A"]);
            scratch.git(&["commit", "-q", "--allow-empty", "-m", task.id.as_str()]);
            return Some(attempt);
        }
    }
    None
}

fn run(scratch: &Scratch, line: &str, env: &BTreeMap<String, String>) -> bool {
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    scratch.program("sh", &["-c", line], &env).succeeded()
}

#[test]
fn the_scripts_of_the_shipped_graphs_do_what_their_graphs_say() {
    for name in SHIPPED {
        let graph = graph(name);
        let scratch = Scratch::new();
        let mut tasks: Vec<_> = plan(&graph).tasks;
        tasks.sort_by_key(|task| task.wave);
        for planned in tasks {
            let task = graph.tasks.iter().find(|task| task.id == planned.id).expect("of the graph");
            let expected = match (name, task.id.as_str()) {
                ("gate-retry", _) | ("task-prs", "double") => Some(2),
                ("retry-exhausted", _) | ("failure-isolated", "broken") => None,
                _ => Some(1),
            };
            // What needs a failed task never runs.
            if task.id.as_str() != "after" {
                assert_eq!(rehearse(&scratch, &graph, task), expected, "{name}/{}", task.id);
            }
            scratch.git(&["reset", "-q", "--hard"]);
        }
    }
}
