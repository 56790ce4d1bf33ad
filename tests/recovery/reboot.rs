//! Machines that are started again under a run, and clocks that are set.

use std::fs;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::{agents, processes};
use crate::harness::{Barrier, Scratch};

/// Everything of `graph` ends as when the machine goes down, its first process at the barrier.
fn power_cut(scratch: &Scratch, barrier: &Barrier, boot: &str) {
    let boot = [("LANEWAY_TEST_BOOT_ID", boot)];
    let mut running = scratch.spawn_with(&["run", "graphs/kill.toml"], &boot);
    barrier.gather(&mut running);
    let line = scratch.follow("kill").wait_for_line(|line| line.contains("\"process.started\""));
    running.signal(Signal::KILL);
    running.wait().killed();
    let event: Value = serde_json::from_str(&line).expect("JSON");
    let group = event["payload"]["process"]["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
    let group = group.and_then(Pid::from_raw).expect("a process id");
    kill_process_group(group, Signal::KILL).expect("it lives");
    fs::remove_file(scratch.shared().join("barrier/at-work")).expect("it has arrived");
}

fn graph(at_barrier: &str) -> String {
    agents("kill", "", &[("work", &format!("{at_barrier} && echo worked >> work.txt"))])
}

fn command(at_barrier: &str) -> String {
    format!(
        "schema = 1\nname = \"kill\"\n\n[[tasks]]\nid = \"work\"\nattempts = 1\ntimeout = \"5m\"\nrun = {:?}\n",
        format!("{at_barrier} && echo worked >> work.txt")
    )
}

#[test]
fn p23_s05_a_run_goes_on_after_a_reboot_and_the_reboot_counts_as_no_attempt() {
    for graph in [graph, command] {
        let scratch = Scratch::new();
        let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
        scratch.write("graphs/kill.toml", &graph(&barrier.command("work")));
        power_cut(&scratch, &barrier, "boot-1");
        let lock = scratch.repo().join(".git/laneway/graphs/kill/lock");
        assert!(fs::read_to_string(&lock).expect("a lock").contains("boot-1"));
        let boot = [("LANEWAY_TEST_BOOT_ID", "boot-2")];
        let mut running = scratch.spawn_with(&["run", "graphs/kill.toml"], &boot);
        barrier.gather(&mut running);
        barrier.open();
        running.wait().success();
        assert!(fs::read_to_string(&lock).expect("a lock").contains("boot-2"));
        let status = scratch.status("kill");
        status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
        assert_eq!((status.attempts("work"), processes(&scratch, "kill", "work")), (1, 2));
        let text = scratch.file_at(scratch.repo(), status.tip("default"), "work.txt");
        assert_eq!(text.as_deref(), Some("worked"));
        scratch.laneway(&["verify", "kill"]).success();
    }
}

#[test]
fn p23_a_process_of_an_earlier_boot_is_neither_adopted_nor_signalled() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    scratch.write("graphs/kill.toml", &graph(&barrier.command("work")));
    power_cut(&scratch, &barrier, "boot-1");
    // The number of the dead process is somebody else's now, or nobody's: the new boot must not ask.
    let mut stranger = std::process::Command::new("sleep").arg("1000").spawn().expect("a process");
    let events = scratch.events("kill");
    let started = events.iter().find(|event| event["kind"] == "process.started").expect("it was");
    assert_eq!(started["payload"]["process"]["boot_id"], "boot-1");
    let boot = [("LANEWAY_TEST_BOOT_ID", "boot-2")];
    let mut running = scratch.spawn_with(&["run", "graphs/kill.toml"], &boot);
    barrier.gather(&mut running);
    barrier.open();
    running.wait().success();
    let exits: Vec<_> =
        scratch.events("kill").into_iter().filter(|e| e["kind"] == "process.exited").collect();
    assert_eq!(exits.len(), 1, "the first process's end was made up: {exits:#?}");
    assert!(stranger.try_wait().expect("it is ours").is_none());
    stranger.kill().expect("it is ours");
    _ = stranger.wait();
}

/// The times of all events, in order.
fn times(scratch: &Scratch) -> Vec<String> {
    let text = |event: &Value| event["at"].as_str().expect("a time").to_owned();
    scratch.events("kill").iter().map(text).collect()
}

/// A run whose clock shows `before` milliseconds more than it should until its agent has claimed, and `after` then; the
/// agent does not end by itself.
fn stepped(before: i64, after: i64) {
    let scratch = Scratch::new();
    scratch.write("laneway.toml", "grace = \"100ms\"\n");
    let barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    let work = format!(
        "echo worked > work.txt && echo done > \"$LANEWAY_SIGNALS/done\" && {}",
        barrier.command("work")
    );
    scratch.write("graphs/kill.toml", &agents("kill", "", &[("work", &work)]));
    let clock = scratch.shared().join("clock");
    let clock_path = clock.to_str().expect("UTF-8").to_owned();
    let set = |ms: i64| fs::write(&clock, ms.to_string()).expect("a writable directory");
    set(before);
    let mut running =
        scratch.spawn_with(&["run", "graphs/kill.toml"], &[("LANEWAY_TEST_CLOCK", &clock_path)]);
    barrier.gather(&mut running);
    set(after);
    // A claim whose agent stays gets its grace, no more and no less, whatever the clock shows.
    running.wait().success();
    let status = scratch.status("kill");
    status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
    assert_eq!((status.attempts("work"), processes(&scratch, "kill", "work")), (1, 1));
    let times = times(&scratch);
    assert!(times.is_sorted(), "{times:#?}");
    let day = |time: &String| time[..10].to_owned();
    assert_eq!(times.first().map(day), times.last().map(day), "the clock was believed");
    scratch.laneway(&["verify", "kill"]).success();
}

const DAYS: i64 = 3 * 24 * 3_600_000;

#[test]
fn p23_a_clock_that_is_set_back_in_the_middle_of_a_run_holds_nothing_up() {
    stepped(0, -DAYS);
}

#[test]
fn p23_a_clock_that_is_set_forward_in_the_middle_of_a_run_hurries_nothing() {
    stepped(0, DAYS);
}

#[test]
fn p23_a_clock_that_is_set_back_between_two_runs_makes_nothing_older_than_what_it_follows() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    scratch.write("graphs/kill.toml", &graph(&barrier.command("work")));
    power_cut(&scratch, &barrier, "boot-1");
    let clock = scratch.shared().join("clock");
    fs::write(&clock, (-DAYS).to_string()).expect("a writable directory");
    let variables =
        [("LANEWAY_TEST_BOOT_ID", "boot-2"), ("LANEWAY_TEST_CLOCK", clock.to_str().expect("UTF-8"))];
    let mut running = scratch.spawn_with(&["run", "graphs/kill.toml"], &variables);
    barrier.gather(&mut running);
    barrier.open();
    running.wait().success();
    let times = times(&scratch);
    assert!(times.is_sorted(), "{times:#?}");
    let status = scratch.status("kill");
    status.expect("completed", &[("default", "pr_created")], &[("work", "merged")]);
    scratch.laneway(&["verify", "kill"]).success();
}
