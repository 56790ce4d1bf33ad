//! How often git is run for a task that lands: each look at a lane has a reason, and none is had twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::harness::Scratch;

/// How often each command of git is run by Laneway for a graph of `tasks` tasks in one lane, as git itself notes it.
fn calls(tasks: u32) -> BTreeMap<String, u32> {
    let scratch = Scratch::new();
    let mut graph = "schema = 1\nname = \"g\"\nbase = \"main\"\n[[workstreams]]\nid = \"lane\"\n".to_owned();
    for n in 0..tasks {
        _ = write!(graph, "[[tasks]]\nid = \"t{n}\"\nworkstream = \"lane\"\n");
        _ = write!(graph, "run = \"echo x > t{n}.txt\"\ngate = \"test -f t{n}.txt\"\n");
    }
    scratch.write("g.toml", &graph);
    let traces = scratch.shared().join("traces");
    fs::create_dir(&traces).expect("a new directory");
    let config = scratch.home().join(".gitconfig");
    let before = fs::read_to_string(&config).unwrap_or_default();
    let text = format!("{before}\n[trace2]\n\teventTarget = {}\n", traces.display());
    fs::write(&config, text).expect("a writable home");
    scratch.laneway(&["run", "g.toml"]).success();

    let mut calls = BTreeMap::new();
    for trace in fs::read_dir(&traces).expect("the traces").flatten() {
        let text = fs::read_to_string(trace.path()).expect("a trace");
        let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for event in events.filter(|event| event["event"] == "cmd_name") {
            let name = event["name"].as_str().expect("a name").to_owned();
            *calls.entry(name).or_default() += 1;
        }
    }
    calls
}

#[test]
fn a_task_that_lands_has_its_lane_looked_at_four_times() {
    let (few, more) = (calls(2), calls(5));
    let for_three = |name: &str| more.get(name).unwrap_or(&0) - few.get(name).unwrap_or(&0);
    let found: BTreeMap<&str, u32> =
        more.keys().map(|name| (name.as_str(), for_three(name))).filter(|(_, calls)| *calls > 0).collect();
    // Before it begins, when its work is collected, before its gate and after it.
    assert_eq!(found, BTreeMap::from([("status", 3 * 4), ("add", 3), ("write-tree", 3)]));
}
