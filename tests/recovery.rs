//! Runs that are killed, interrupted, asked and disturbed, by the real program.

mod bad_input;
mod disk;
mod ground;
mod interlude;
mod interrupts;
mod killed;
mod liveness;
mod locks;
mod merges;
mod moved;
mod points;
mod processes;
mod reboot;
mod requests;
mod room;
mod sweep;
mod undo;

use std::fmt::Write as _;

use crate::harness::Scratch;

/// A graph of one lane with these tasks, each an agent that runs a shell command and then claims `done`.
fn agents(name: &str, settings: &str, tasks: &[(&str, &str)]) -> String {
    let mut text = format!("schema = 1\nname = \"{name}\"\n{settings}\n");
    for (id, command) in tasks {
        write!(text, "\n[agents.{id}]\ncommand = [\"sh\", \"-c\", {:?}]\n", claiming(command))
            .expect("a string takes every text");
        // The timeout only ends the test where it would fail.
        write!(text, "\n[[tasks]]\nid = \"{id}\"\nagent = \"{id}\"\nattempts = 1\ntimeout = \"5m\"\nprompt = \"Work.\"\n")
            .expect("a string takes every text");
    }
    text
}

fn claiming(command: &str) -> String {
    format!("{command} && echo done > \"$LANEWAY_SIGNALS/done\"")
}

/// How many processes a task has had so far.
#[track_caller]
fn processes(scratch: &Scratch, graph: &str, task: &str) -> usize {
    let started = |event: &&serde_json::Value| event["kind"] == "process.started" && event["task"] == task;
    scratch.events(graph).iter().filter(started).count()
}

/// How many commits of the lane land this task.
#[track_caller]
fn landings(scratch: &Scratch, tip: &str, lane: &str, task: &str) -> usize {
    let subjects = scratch.git(&["log", "--format=%s", tip]);
    subjects.lines().filter(|subject| *subject == format!("Land {lane}/{task}")).count()
}
