//! What other processes ask of a run.

use std::fs;

use super::{agents, processes};
use crate::harness::{Barrier, Running, Scratch};

/// A run of two lanes: in one a task is held at the barrier and another follows it; in the other one task runs.
struct Busy {
    scratch: Scratch,
    barrier: Barrier,
    running: Running,
    following: Running,
}

const TASKS: &str = "\n[[workstreams]]\nid = \"a\"\n\n[[workstreams]]\nid = \"b\"\n";

impl Busy {
    /// `other` is what the task of the other lane does.
    #[track_caller]
    fn new(other: &str) -> Self {
        let scratch = Scratch::new();
        let barrier = Barrier::new(&scratch, "barrier", &["held".to_owned()]);
        let held = format!("{} && echo held > held.txt", barrier.command("held"));
        let tasks = [("held", held.as_str()), ("next", "echo next > next.txt"), ("other", other)];
        let text = agents("busy", TASKS, &tasks);
        let in_lane = |text: String, id: &str, lane: &str| {
            let from = format!("[[tasks]]\nid = \"{id}\"\n");
            text.replace(&from, &format!("{from}workstream = \"{lane}\"\n"))
        };
        let text = [("held", "a"), ("next", "a"), ("other", "b")]
            .into_iter()
            .fold(text, |text, (id, lane)| in_lane(text, id, lane));
        scratch.write("graphs/busy.toml", &text);
        let mut running = scratch.spawn(&["run", "graphs/busy.toml"]);
        barrier.gather(&mut running);
        let following = scratch.follow("busy");
        Self { scratch, barrier, running, following }
    }

    /// Waits until a task stands so.
    #[track_caller]
    fn wait_for_task(&mut self, task: &str, status: &str) {
        self.following.wait_for_line(|line| {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let payload = &event["payload"];
            event["kind"] == "workflow.transition"
                && event["task"] == task
                && payload["of"] == "task"
                && payload["to"] == status
        });
    }
}

#[test]
fn a_run_is_called_off_by_another_process_while_it_works() {
    let mut busy = Busy::new("echo other > other.txt");
    busy.wait_for_task("other", "merged");
    busy.scratch.laneway(&["cancel", "busy"]).success();
    busy.running.wait().code(1);
    let status = busy.scratch.status("busy");
    assert_eq!(status.value()["state"], "cancelled", "{:#}", status.value());
    for task in ["held", "next"] {
        assert_eq!(status.task(task)["status"], "cancelled", "{:#}", status.value());
    }
    assert_eq!(status.task("other")["status"], "merged");
    assert_eq!(processes(&busy.scratch, "busy", "next"), 0);
    busy.scratch.laneway(&["verify", "busy"]).success();
    // Called off is called off: running it again starts nothing.
    _ = busy.scratch.laneway(&["run", "graphs/busy.toml"]).code(1);
    assert_eq!(processes(&busy.scratch, "busy", "next"), 0);
    busy.scratch.laneway(&["run", "--fresh", "--dry-run", "graphs/busy.toml"]).success();
}

#[test]
fn one_task_is_called_off_while_it_works_and_the_others_go_on() {
    let mut busy = Busy::new("echo other > other.txt");
    busy.wait_for_task("other", "merged");
    busy.scratch.laneway(&["cancel", "busy", "--task", "held"]).success();
    busy.running.wait().code(1);
    let status = busy.scratch.status("busy");
    assert_eq!(status.task("held")["status"], "cancelled", "{:#}", status.value());
    assert_eq!(status.task("next")["status"], "merged", "{:#}", status.value());
    assert_eq!(status.lane("b")["status"], "pr_created", "{:#}", status.value());
    busy.scratch.laneway(&["verify", "busy"]).success();
}

#[test]
fn a_paused_run_starts_nothing_until_it_is_resumed() {
    let mut busy = Busy::new("echo other > other.txt");
    busy.scratch.laneway(&["pause", "busy"]).success();
    busy.barrier.open();
    busy.wait_for_task("held", "merged");
    assert_eq!(processes(&busy.scratch, "busy", "next"), 0);
    busy.scratch.laneway(&["resume", "busy"]).success();
    busy.running.wait().success();
    let status = busy.scratch.status("busy");
    let lanes = [("a", "pr_created"), ("b", "pr_created")];
    status.expect("completed", &lanes, &["held", "next", "other"].map(|task| (task, "merged")));
    busy.scratch.laneway(&["verify", "busy"]).success();
}

#[test]
fn ar23_a_failed_task_is_tried_again_on_request_while_the_run_works() {
    let probe = Scratch::new();
    let ready = probe.shared().join("ready");
    let mut busy = Busy::new(&format!("test -e '{}' && echo other > other.txt", ready.display()));
    busy.wait_for_task("other", "failed");
    fs::write(&ready, "").expect("a writable directory");
    busy.scratch.laneway(&["retry", "busy", "--task", "other"]).success();
    busy.wait_for_task("other", "merged");
    busy.barrier.open();
    busy.running.wait().success();
    let status = busy.scratch.status("busy");
    let lanes = [("a", "pr_created"), ("b", "pr_created")];
    status.expect("completed", &lanes, &["held", "next", "other"].map(|task| (task, "merged")));
    assert_eq!(status.attempts("other"), 2);
    busy.scratch.laneway(&["verify", "busy"]).success();
}

#[test]
fn ar23_a_failed_task_is_tried_again_on_request_after_the_run() {
    let probe = Scratch::new();
    let ready = probe.shared().join("ready");
    let mut busy = Busy::new(&format!("test -e '{}' && echo other > other.txt", ready.display()));
    busy.barrier.open();
    busy.running.wait().code(1);
    fs::write(&ready, "").expect("a writable directory");
    // The verb alone starts no attempts; going on with the run does.
    busy.scratch.laneway(&["retry", "busy"]).success();
    assert_eq!(processes(&busy.scratch, "busy", "other"), 1);
    busy.scratch.laneway(&["resume", "busy"]).success();
    assert_eq!(processes(&busy.scratch, "busy", "other"), 2);
    assert_eq!(busy.scratch.status("busy").lane("b")["status"], "pr_created");
    busy.scratch.laneway(&["verify", "busy"]).success();
}

#[test]
fn a_request_that_makes_no_sense_is_refused_and_disturbs_nothing() {
    let mut busy = Busy::new("echo other > other.txt");
    let answer = busy.scratch.laneway(&["cancel", "busy", "--task", "nobody"]).failure();
    assert!(answer.stderr().contains("nobody"), "{}", answer.text());
    let control = busy.scratch.board("busy", "control");
    fs::write(control.join("cancel-01arz3ndektsv4rrffq69g5fav"), [0xff, 0, 0xfe]).expect("a writable board");
    busy.following.wait_for_line(|line| {
        line.contains("control.rejected") && line.contains("01arz3ndektsv4rrffq69g5fav")
    });
    busy.barrier.open();
    busy.running.wait().success();
    busy.scratch.laneway(&["verify", "busy"]).success();
}
