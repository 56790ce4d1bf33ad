//! An orchestrator that is killed while something works for it.

use std::fs;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde_json::Value;

use super::{agents, landings, processes};
use crate::harness::{Barrier, Running, Scratch};

/// A run of one task that is killed while its process is held at the barrier, its start durable.
struct Killed {
    scratch: Scratch,
    barrier: Barrier,
    /// The process that was left behind.
    left: u64,
}

impl Killed {
    #[track_caller]
    fn new(graph: impl Fn(&str) -> String) -> Self {
        let scratch = Scratch::new();
        let barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
        scratch.write("graphs/kill.toml", &graph(&barrier.command("work")));
        let mut running = scratch.spawn(&["run", "graphs/kill.toml"]);
        barrier.gather(&mut running);
        let line = started(&scratch);
        running.signal(Signal::KILL);
        running.wait().killed();
        let event: Value = serde_json::from_str(&line).expect("JSON");
        let left = event["payload"]["process"]["pid"].as_u64().expect("a process id");
        assert!(lives(left), "the process died with its orchestrator");
        Self { scratch, barrier, left }
    }

    /// Has the next process that comes to the barrier seen as a new one.
    fn forget_arrival(&self) {
        fs::remove_file(self.scratch.shared().join("barrier/at-work")).expect("it has arrived");
    }

    #[track_caller]
    fn go_on(&self) -> Running {
        self.scratch.spawn(&["run", "graphs/kill.toml"])
    }

    /// Expects the work to be in the lane once, after one attempt and this many processes.
    #[track_caller]
    fn expect_landed_once(&self, started: usize) {
        let status = self.scratch.status("kill");
        status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
        assert_eq!(status.attempts("work"), 1);
        assert_eq!(landings(&self.scratch, status.tip("default"), "default", "work"), 1);
        assert_eq!(processes(&self.scratch, "kill", "work"), started);
        let text = self.scratch.file_at(self.scratch.repo(), status.tip("default"), "work.txt");
        assert_eq!(text.as_deref(), Some("worked"));
        self.scratch.laneway(&["verify", "kill"]).success();
    }
}

/// The event of the first process.
#[track_caller]
fn started(scratch: &Scratch) -> String {
    scratch.follow("kill").wait_for_line(|line| line.contains("\"process.started\""))
}

/// Whether the process is there and not only waits to be collected.
fn lives(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn agent(at_barrier: &str) -> String {
    agents("kill", "", &[("work", &format!("{at_barrier} && echo worked >> work.txt"))])
}

fn command(at_barrier: &str) -> String {
    format!(
        "schema = 1\nname = \"kill\"\n\n[[tasks]]\nid = \"work\"\nattempts = 1\ntimeout = \"5m\"\nrun = {:?}\n",
        format!("{at_barrier} && echo worked >> work.txt")
    )
}

#[test]
fn ar24_an_agent_outlives_its_orchestrator_is_adopted_and_lands_once() {
    let mut killed = Killed::new(agent);
    let mut running = killed.scratch.spawn(&["run", "graphs/kill.toml", "--json"]);
    running.wait_for_line(|line| line.contains("\"attach-") && line.contains("control.received"));
    assert!(lives(killed.left), "the agent was stopped");
    killed.barrier.open();
    running.wait().success();
    killed.expect_landed_once(1);
}

#[test]
fn ar24_what_an_agent_did_while_nobody_carried_the_run_counts() {
    let mut killed = Killed::new(agent);
    let left = i32::try_from(killed.left).ok().and_then(Pid::from_raw).expect("a process id");
    let held = pidfd_open(left, PidfdFlags::empty()).expect("it lives");
    killed.barrier.open();
    poll(&mut [PollFd::new(&held, PollFlags::IN)], None).expect("its end is told");
    killed.go_on().wait().success();
    killed.expect_landed_once(1);
}

#[test]
fn ar24_a_command_is_stopped_and_repeated_and_that_counts_as_no_attempt() {
    let mut killed = Killed::new(command);
    killed.forget_arrival();
    let mut running = killed.go_on();
    killed.barrier.gather(&mut running);
    assert!(!lives(killed.left), "the first command still runs beside the second");
    killed.barrier.open();
    running.wait().success();
    killed.expect_landed_once(2);
}

#[test]
fn ar24_a_process_whose_start_was_never_recorded_does_not_work_beside_its_successor() {
    for graph in [agent, command] {
        let mut killed = Killed::new(graph);
        let journal = killed.scratch.repo().join(".git/laneway/graphs/kill/runs/1/journal.jsonl");
        let text = fs::read_to_string(&journal).expect("a journal");
        let end = text.find("\"process.started\"").expect("it was seen");
        let end = text[..end].rfind('\n').expect("it is not the first") + 1;
        // As if the machine had been quicker to start it than the disk to say so.
        fs::write(&journal, &text[..end]).expect("a writable record");
        killed.forget_arrival();
        let mut running = killed.go_on();
        killed.barrier.gather(&mut running);
        assert!(!lives(killed.left), "two processes work on the same attempt");
        killed.barrier.open();
        running.wait().success();
        killed.expect_landed_once(1);
    }
}

#[test]
fn ar24_a_gate_that_was_left_behind_is_stopped_before_it_runs_again() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["gate".to_owned()]);
    let pid = scratch.shared().join("pid");
    let gate = format!("echo $$ > '{}' && {}", pid.display(), barrier.command("gate"));
    let defaults = format!("\n[defaults]\ngate = {gate:?}\n");
    scratch.write("graphs/kill.toml", &agents("kill", &defaults, &[("work", "echo worked > work.txt")]));
    let mut running = scratch.spawn(&["run", "graphs/kill.toml"]);
    barrier.gather(&mut running);
    running.signal(Signal::KILL);
    running.wait().killed();
    let read = || fs::read_to_string(&pid).expect("the gate runs").trim().parse::<u64>().expect("a number");
    let first = read();
    assert!(lives(first), "the gate died with its orchestrator");
    fs::remove_file(scratch.shared().join("barrier/at-gate")).expect("it has arrived");
    let mut running = scratch.spawn(&["run", "graphs/kill.toml"]);
    barrier.gather(&mut running);
    assert_ne!(read(), first);
    assert!(!lives(first), "two gates run in the same worktree");
    // The lane's gate sees the same tree, but where it runs again it is not held.
    barrier.open();
    barrier.open();
    running.wait().success();
    scratch.status("kill").expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
}

#[test]
fn ar26_a_second_orchestrator_is_refused_with_the_owner_named() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    scratch.write("graphs/kill.toml", &agent(&barrier.command("work")));
    let mut running = scratch.spawn(&["run", "graphs/kill.toml"]);
    barrier.gather(&mut running);
    let refused = scratch.laneway(&["run", "graphs/kill.toml"]).code(4);
    let pid = running.pid().as_raw_pid().to_string();
    assert!(refused.stderr().contains(&format!("process {pid} on ")), "{}", refused.text());
    assert!(refused.stderr().contains("hint:"), "{}", refused.text());
    let in_json = scratch.laneway(&["run", "graphs/kill.toml", "--json"]).code(4).json();
    assert!(in_json.to_string().contains(&pid), "{in_json:#}");
    barrier.open();
    running.wait().success();
    assert_eq!(processes(&scratch, "kill", "work"), 1);
}

#[test]
fn ar24_a_stop_that_was_decided_and_not_made_is_made_at_the_next_start() {
    let killed = Killed::new(agent);
    let decided =
        |event: &Value| event["kind"] == "effect.intended" && event["payload"]["effect"]["do"] == "stop";
    // The request takes the run up: what was under way first, then the request and what is decided on it.
    let before = killed.scratch.events("kill").len();
    let dies_at = (before + 3).to_string();
    let cancel = ["cancel", "kill", "--task", "work"];
    let output = killed.scratch.program("laneway", &cancel, &[("LANEWAY_TEST_CRASH_AFTER", &dies_at)]);
    assert!(output.crashed(), "{}", output.success().text());
    let events = killed.scratch.events("kill");
    assert!(decided(events.last().expect("events")), "{events:#?}");
    assert!(lives(killed.left), "it was stopped already");
    killed.go_on().wait().code(1);
    assert!(!lives(killed.left), "nobody stopped it");
    let status = killed.scratch.status("kill");
    status.expect("failed", &[("default", "failed")], &[("work", "cancelled")]);
    killed.scratch.laneway(&["verify", "kill"]).success();
}
