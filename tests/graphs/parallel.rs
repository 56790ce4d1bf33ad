//! Many lanes at the same time.

use std::fmt::Write as _;

use super::{Merges, busy_user, calculates, integration, run, run_again};
use crate::harness::{Barrier, Scratch};

/// As many as row AR20 asks for.
const LANES: usize = 20;

#[test]
fn ar20_parallel_ends_with_four_pull_requests() {
    let scratch = busy_user();
    run(&scratch, "parallel", 0, Merges::Nothing);
    let lanes = ["sub", "mul", "div", "mod"];
    let status = scratch.status("parallel");
    status.expect(
        "completed",
        &lanes.map(|lane| (lane, "pr_created")),
        &["add-sub", "add-mul", "add-div", "add-mod"].map(|task| (task, "merged")),
    );
    for (lane, sum, result) in [("sub", "9 sub 4", "5"), ("mod", "44 mod 7", "2")] {
        let tip = integration(&scratch, &status, "parallel", lane);
        assert_eq!(calculates(&scratch, &tip, sum), result);
    }
    run_again(&scratch, "parallel");
}

/// A graph of many lanes with a command each; `work` and `gate` make the lines for the shell.
fn wide(work: impl Fn(&str) -> String, gate: impl Fn(&str) -> String) -> String {
    let mut text = format!("schema = 1\nname = \"wide\"\nmax_parallel = {LANES}\n");
    let lanes = names();
    for lane in &lanes {
        write!(text, "\n[[workstreams]]\nid = \"{lane}\"\n").expect("a string takes every text");
    }
    for lane in &lanes {
        // The timeout only ends the test where it would fail.
        write!(
            text,
            "\n[[tasks]]\nid = \"do-{lane}\"\nworkstream = \"{lane}\"\nattempts = 1\ntimeout = \"5m\"\nrun = {:?}\ngate = {:?}\n",
            work(lane),
            gate(lane),
        )
        .expect("a string takes every text");
    }
    text
}

fn names() -> Vec<String> {
    (0..LANES).map(|n| format!("l{n}")).collect()
}

#[test]
fn ar20_attempts_and_gates_of_twenty_lanes_each_run_at_the_same_time() {
    let scratch = Scratch::new();
    let mut attempts = Barrier::new(&scratch, "attempts", &names());
    let mut gates = Barrier::new(&scratch, "gates", &names());
    let once = |name: &str| {
        // The same tree is not gated twice, but the lane's gate may see another one.
        let passed = scratch.shared().join(format!("passed-{name}"));
        let passed = passed.display();
        format!("test -e '{passed}' || {{ {} && : > '{passed}'; }}", gates.command(name))
    };
    let text = wide(|name| format!("{} && echo {name} > {name}.txt", attempts.command(name)), once);
    scratch.write("graphs/wide.toml", &text);
    let mut running = scratch.spawn(&["run", "graphs/wide.toml"]);
    attempts.gather(&mut running);
    attempts.open();
    gates.gather(&mut running);
    gates.open();
    running.wait().success();
    let status = scratch.status("wide");
    for lane in names() {
        assert_eq!(status.lane(&lane)["status"], "pr_created", "{:#}", status.value());
        assert_eq!(scratch.file_at(scratch.repo(), status.tip(&lane), &format!("{lane}.txt")), Some(lane));
    }
}

#[test]
fn ar20_what_happens_can_be_followed_while_it_happens() {
    let scratch = Scratch::new();
    let mut attempts = Barrier::new(&scratch, "attempts", &names());
    let text = wide(|name| attempts.command(name), |_| "true".to_owned());
    scratch.write("graphs/wide.toml", &text);
    let mut running = scratch.spawn(&["run", "graphs/wide.toml"]);
    attempts.gather(&mut running);
    let mut following = scratch.follow("wide");
    following.wait_for_line(|line| line.contains("process.started"));
    attempts.open();
    following.wait_for_line(|line| line.contains("workflow.end"));
    running.wait().success();
}
