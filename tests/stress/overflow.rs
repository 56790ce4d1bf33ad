//! More file events at once than the system keeps: the loss is recorded, and no signal is lost or taken twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use super::scale;
use crate::harness::{Barrier, Scratch};

/// Agents at once; each may leave 100 concerns of both kinds and 50 notes, and each signal that is taken is synced.
fn agents() -> usize {
    scale(2, 8)
}

/// Events that the system keeps for one watcher.
fn kept_by_the_system() -> usize {
    let text = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("Linux says it");
    text.trim().parse().expect("a number")
}

fn graph(barrier: &Barrier) -> String {
    let mut text = format!("schema = 1\nname = \"flood\"\nmax_parallel = {}\n", agents());
    for n in 0..agents() {
        let command = format!(
            "{} && echo w > w{n} && : > \"$LANEWAY_SIGNALS/done\"",
            barrier.command(&format!("t{n}"))
        );
        write!(
            text,
            "\n[agents.a{n}]\ncommand = [\"sh\", \"-c\", {command:?}]\n\n[[workstreams]]\nid = \"l{n}\"\n\n\
             [[tasks]]\nid = \"t{n}\"\nworkstream = \"l{n}\"\nagent = \"a{n}\"\nattempts = 1\ntimeout = \"1h\"\nprompt = \"p\"\n"
        )
        .expect("a string takes every text");
    }
    text
}

/// Every signal that is within the limits, by task and name.
fn within_limits(scratch: &Scratch) -> BTreeMap<(String, String), PathBuf> {
    let mut all = BTreeMap::new();
    for task in (0..agents()).map(|n| format!("t{n}")) {
        let signals = scratch.board("flood", &format!("tasks/{task}/1/signals"));
        for (folder, count) in [("concerns", 100), ("ops-concerns", 100), ("notes/t0", 50)] {
            for n in 0..count {
                let name = format!("{folder}/{n:03}");
                all.insert((task.clone(), name.clone()), signals.join(name));
            }
        }
    }
    all
}

#[test]
fn p24_an_overflow_of_the_watch_loses_and_doubles_nothing() {
    let scratch = Scratch::new();
    let names: Vec<String> = (0..agents()).map(|n| format!("t{n}")).collect();
    let mut barrier = Barrier::new(&scratch, "barrier", &names);
    scratch.write("graphs/flood.toml", &graph(&barrier));
    let mut running = scratch.spawn(&["run", "graphs/flood.toml"]);
    barrier.gather(&mut running);
    running.signal(Signal::STOP);
    let wanted = within_limits(&scratch);
    for path in wanted.values() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a writable board");
        fs::write(path, "kept\n").expect("a writable board");
    }
    // The stopped program takes nothing from its queue, so what is written over and over fills it.
    let writes = scale(kept_by_the_system(), 100_000);
    let flooded = scratch.board("flood", "tasks/t0/1/signals/progress");
    for n in 0..writes {
        fs::write(&flooded, format!("{n}\n")).expect("a writable board");
    }
    running.signal(Signal::CONT);
    let follow = &mut scratch.follow("flood");
    follow.wait_for_line(|line| line.contains("\"loss.recorded\""));
    // Not by the claim, which has everything looked at: the living run has to find each by itself.
    follow.wait_for_nth_line(wanted.len(), |line| {
        line.contains("\"signal.observed\"") && line.contains("kept")
    });
    barrier.open();
    running.wait().success();
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut rejected = Vec::new();
    for event in scratch.events("flood") {
        let task = event["task"].as_str().unwrap_or_default().to_owned();
        match event["kind"].as_str() {
            Some("signal.observed") => *seen.entry((task, name_of(&event))).or_default() += 1,
            Some("signal.rejected") => rejected.push(event),
            _ => {}
        }
    }
    assert_eq!(rejected, Vec::<Value>::new());
    for signal in wanted.keys() {
        assert_eq!(seen.get(signal), Some(&1), "{signal:?}");
    }
    let last = scratch.events("flood").iter().rev().find(|event| name_of(event) == "progress").cloned();
    let last = last.expect("progress was seen");
    assert!(last.to_string().contains(&format!("{}\\n", writes - 1)), "{last}");
    scratch.laneway(&["verify", "flood"]).success();
}

/// The name of a signal's file, relative to the signal directory.
fn name_of(event: &Value) -> String {
    let path = event["source"]["path"].as_str().unwrap_or_default();
    path.split_once("/signals/").map_or_else(String::new, |(_, name)| name.to_owned())
}

#[test]
fn p24_a_hundred_thousand_signals_are_taken_or_refused_with_the_reason_and_counted() {
    let scratch = Scratch::new();
    let names: Vec<String> = (0..agents()).map(|n| format!("t{n}")).collect();
    let mut barrier = Barrier::new(&scratch, "barrier", &names);
    scratch.write("graphs/flood.toml", &graph(&barrier));
    let mut running = scratch.spawn(&["run", "graphs/flood.toml"]);
    barrier.gather(&mut running);
    let each = scale(400, 100_000 / agents() / 2);
    for task in &names {
        for folder in ["concerns", "ops-concerns"] {
            let folder = scratch.board("flood", &format!("tasks/{task}/1/signals/{folder}"));
            for n in 0..each {
                fs::write(folder.join(format!("{n:06}")), "kept\n").expect("a writable board");
            }
        }
    }
    barrier.open();
    running.wait().success();
    let mut observed = 0;
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for event in scratch.events("flood") {
        match event["kind"].as_str() {
            Some("signal.observed") if name_of(&event).contains("concerns/") => observed += 1,
            Some("signal.rejected") => {
                let told = event["payload"]["reason"].as_str().unwrap_or_default().to_owned();
                *refused.entry(told).or_default() += 1;
            }
            _ => {}
        }
    }
    assert_eq!(observed, agents() * 2 * 100, "{refused:?}");
    let reasons = refused.keys().filter(|reason| reason.contains("100")).count();
    assert!(reasons > 0, "the rest is refused with the limit: {refused:?}");
    scratch.laneway(&["verify", "flood"]).success();
}
