//! Ctrl-C and TERM.

use rustix::process::Signal;

use super::{agents, processes};
use crate::harness::{Barrier, Running, Scratch};

/// A run of two tasks, one after the other in a lane; the first is held at the barrier.
struct Held {
    scratch: Scratch,
    barrier: Barrier,
    running: Running,
    following: Running,
}

impl Held {
    #[track_caller]
    fn new(grace: &str) -> Self {
        let scratch = Scratch::new();
        scratch.write("laneway.toml", &format!("grace = \"{grace}\"\n"));
        let barrier = Barrier::new(&scratch, "barrier", &["first".to_owned()]);
        let first = format!("{} && echo 1 > first.txt", barrier.command("first"));
        let tasks = [("first", first.as_str()), ("second", "echo 2 > second.txt")];
        scratch.write("graphs/held.toml", &agents("held", "", &tasks));
        let mut running = scratch.spawn(&["run", "graphs/held.toml"]);
        barrier.gather(&mut running);
        let mut following = scratch.follow("held");
        following.wait_for_line(|line| line.contains("\"process.started\""));
        Self { scratch, barrier, running, following }
    }

    /// Sends a signal and waits until the run has taken it as its `n`th interrupt.
    #[track_caller]
    fn interrupt(&mut self, signal: Signal, n: usize) {
        self.running.signal(signal);
        self.following
            .wait_for_nth_line(n, |line| line.contains("control.received") && line.contains("\"interrupt-"));
    }

    /// Ends as interrupted, and a second run finishes everything.
    #[track_caller]
    fn finish(self, first: &str, started: usize) {
        let answer = self.running.wait().code(3);
        assert!(answer.stderr().contains("laneway resume held"), "{}", answer.text());
        let status = self.scratch.status("held");
        status.expect("running", &[("default", "active")], &[("first", first), ("second", "pending")]);
        assert_eq!(processes(&self.scratch, "held", "second"), 0);
        self.scratch.laneway(&["verify", "held"]).success();
        let mut barrier = self.barrier;
        barrier.open();
        self.scratch.laneway(&["run", "graphs/held.toml"]).success();
        let status = self.scratch.status("held");
        let merged = [("first", "merged"), ("second", "merged")];
        status.expect("completed", &[("default", "pr_created")], &merged);
        assert_eq!(processes(&self.scratch, "held", "first"), started);
        self.scratch.laneway(&["verify", "held"]).success();
    }
}

#[test]
fn ar23_after_one_interrupt_what_works_may_finish_and_nothing_new_starts() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut held = Held::new("1h");
        held.interrupt(signal, 1);
        held.barrier.open();
        held.finish("merged", 1);
    }
}

#[test]
fn ar23_an_interrupt_leaves_a_living_attempt_no_more_than_its_grace() {
    let mut held = Held::new("100ms");
    held.interrupt(Signal::INT, 1);
    held.finish("running", 2);
}

#[test]
fn ar23_a_second_interrupt_stops_what_works_whatever_grace_is_left() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut held = Held::new("1h");
        held.interrupt(Signal::INT, 1);
        held.interrupt(signal, 2);
        held.finish("running", 2);
    }
}

#[test]
fn ar23_an_interrupt_in_a_gate_lets_it_finish_and_a_second_one_does_not() {
    for interrupts in [1, 2] {
        let scratch = Scratch::new();
        scratch.write("laneway.toml", "grace = \"1h\"\n");
        let mut barrier = Barrier::new(&scratch, "barrier", &["gate".to_owned()]);
        let defaults = format!("\n[defaults]\ngate = {:?}\n", barrier.command("gate"));
        scratch.write("graphs/held.toml", &agents("held", &defaults, &[("first", "echo 1 > first.txt")]));
        let mut running = scratch.spawn(&["run", "graphs/held.toml"]);
        barrier.gather(&mut running);
        let mut following = scratch.follow("held");
        for n in 1..=interrupts {
            running.signal(Signal::INT);
            following.wait_for_nth_line(n, |line| {
                line.contains("control.received") && line.contains("\"interrupt-")
            });
        }
        if interrupts == 1 {
            barrier.open();
        }
        let answer = running.wait();
        // A lane whose only task has landed may come to its end all the same.
        _ = if interrupts == 1 && scratch.status("held").value()["state"] == "completed" {
            answer.code(0)
        } else {
            answer.code(3)
        };
        barrier.open();
        barrier.open();
        scratch.laneway(&["run", "graphs/held.toml"]).success();
        let status = scratch.status("held");
        status.expect("completed", &[("default", "pr_created")], &[("first", "merged")]);
        scratch.laneway(&["verify", "held"]).success();
    }
}
