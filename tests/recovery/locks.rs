//! One orchestrator a graph, and who can tell.

use std::fmt::Write as _;
use std::fs;

use rustix::process::Signal;

use super::agents;
use crate::harness::{Barrier, Scratch};

#[test]
fn ar26_neither_an_agent_nor_a_gate_nor_a_command_has_a_descriptor_of_ours() {
    let scratch = Scratch::new();
    let seen = |who: &str| format!("ls -l /proc/self/fd > '{}/{who}'", scratch.shared().display());
    let gate = format!("\n[defaults]\ngate = {:?}\n", seen("gate"));
    let work = format!("{} && echo x > x.txt", seen("agent"));
    let mut text = agents("open", &gate, &[("work", &work)]);
    let command = seen("command");
    write!(text, "\n[[tasks]]\nid = \"command\"\nneeds = [\"work\"]\nrun = {command:?}\n").expect("a string");
    scratch.write("graphs/open.toml", &text);
    scratch.laneway(&["run", "graphs/open.toml"]).success();
    for who in ["agent", "gate", "command"] {
        let text =
            fs::read_to_string(scratch.shared().join(who)).unwrap_or_else(|error| panic!("{who}: {error}"));
        let open: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once(" -> ")?.1)).collect();
        // What the caller of these tests had open is none of ours: a pipe, a terminal.
        let repo = scratch.repo().display().to_string();
        let may_be_ours = |target: &&str| target.starts_with(&repo) || target.starts_with("anon_inode");
        let ours: Vec<_> = open.iter().filter(|target| may_be_ours(target)).collect();
        let logs = ours.iter().filter(|target| target.contains("/attempts/")).count();
        assert!(logs > 0 && logs == ours.len(), "{who}: {text}");
    }
}

#[test]
fn ar26_a_killed_run_is_not_shown_as_one_that_runs_though_its_agent_lives() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    let work = format!("{} && echo x > x.txt", barrier.command("work"));
    scratch.write("graphs/left.toml", &agents("left", "", &[("work", &work)]));
    let carried = || {
        let rows = scratch.laneway(&["list", "--json"]).success().json();
        let row = rows.as_array().expect("rows").iter().find(|row| row["graph"] == "left").cloned();
        row.expect("the graph")["runs"][0].clone()
    };
    let mut running = scratch.spawn(&["run", "graphs/left.toml"]);
    barrier.gather(&mut running);
    assert_eq!((&carried()["state"], &carried()["carried"]), (&"running".into(), &true.into()));
    assert_eq!(scratch.status("left").value()["carried"], true);
    running.signal(Signal::KILL);
    running.wait().killed();
    assert_eq!((&carried()["state"], &carried()["carried"]), (&"running".into(), &false.into()));
    assert_eq!(scratch.status("left").value()["carried"], false);
    let told = scratch.laneway(&["list"]).success();
    assert!(told.stdout().contains("nobody carries it"), "{}", told.text());
    // The lock was free at once, with the agent still there.
    barrier.open();
    scratch.laneway(&["resume", "left"]).success();
    assert_eq!((&carried()["state"], &carried()["carried"]), (&"completed".into(), &false.into()));
}

#[test]
fn p19_two_graphs_at_once_share_a_repository_and_its_pull_request_numbers() {
    let scratch = Scratch::new();
    for name in ["left", "right"] {
        let mut text = format!("schema = 1\nname = \"{name}\"\n");
        for lane in 0..3 {
            write!(
                text,
                "\n[[workstreams]]\nid = \"l{lane}\"\n\n[[tasks]]\nid = \"t{lane}\"\nworkstream = \"l{lane}\"\nrun = \"echo {name} > {name}-{lane}.txt\"\n"
            )
            .expect("a string");
        }
        scratch.write(&format!("graphs/{name}.toml"), &text);
    }
    let runs = ["left", "right"].map(|name| scratch.spawn(&["run", &format!("graphs/{name}.toml")]));
    for run in runs {
        run.wait().success();
    }
    let mut numbers = Vec::new();
    for name in ["left", "right"] {
        let status = scratch.status(name);
        numbers.extend((0..3).map(|lane| status.pr(&format!("l{lane}"))));
        scratch.laneway(&["verify", name]).success();
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 6, "{numbers:?}");
}
