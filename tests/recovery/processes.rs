//! Nothing of an attempt outlives it, however it ends.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;

use super::agents;
use crate::harness::{Barrier, Running, Scratch};

/// What an attempt leaves behind: each says that it is there, and none ends by itself or by being asked to.
const KINDS: [(&str, &str); 4] = [
    ("grandchild", "sh -c 'sh -c \"$BODY\" & wait' &"),
    ("daemon", "( ( sh -c \"$BODY\" & ) & );"),
    ("session", "setsid sh -c \"$BODY\" &"),
    ("group", "env -i sh -c \"$BODY\" &"),
];

/// A run whose attempt has left all of [`KINDS`] behind and waits at the barrier.
struct Busy {
    scratch: Scratch,
    barrier: Barrier,
    running: Running,
}

impl Busy {
    /// `then` is what the agent does once the barrier is open; `settings` of the graph.
    #[track_caller]
    fn new(settings: &str, then: &str) -> Self {
        let scratch = Scratch::new();
        scratch.write("laneway.toml", "grace = \"100ms\"\n");
        let barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
        let work = format!("{} {} && {then}", leave_all(&scratch), barrier.command("work"));
        scratch.write("graphs/tree.toml", &agents("tree", settings, &[("work", &work)]));
        let mut running = scratch.spawn(&["run", "graphs/tree.toml"]);
        barrier.gather(&mut running);
        Self { scratch, barrier, running }
    }

    #[track_caller]
    fn expect_nothing_left(self, ended: impl FnOnce(Running)) {
        let left: Vec<(&str, u64)> = KINDS.map(|(kind, _)| (kind, pid_of(&self.scratch, kind))).to_vec();
        for (kind, pid) in &left {
            assert!(lives(*pid), "{kind} was never there");
        }
        ended(self.running);
        for (kind, pid) in left {
            assert!(!lives(pid), "{kind} outlived its attempt");
        }
    }
}

fn place(scratch: &Scratch, kind: &str) -> PathBuf {
    scratch.shared().join(format!("pid-{kind}"))
}

/// Starts one of each and waits until all have said where they are.
fn leave_all(scratch: &Scratch) -> String {
    let mut script = String::new();
    for (kind, how) in KINDS {
        let path = place(scratch, kind);
        let path = path.display();
        let body = format!(
            "trap : TERM INT HUP; echo $$ > {path}.new; mv {path}.new {path}; while :; do sleep 1000; done"
        );
        write!(script, "BODY='{body}'; export BODY; {how} while ! test -e {path}; do :; done; ")
            .expect("a string");
    }
    script
}

#[track_caller]
fn pid_of(scratch: &Scratch, kind: &str) -> u64 {
    fs::read_to_string(place(scratch, kind)).expect("it said so").trim().parse().expect("a process id")
}

fn lives(pid: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn p15_nothing_outlives_an_attempt_that_succeeds() {
    let mut busy = Busy::new("", "echo x > x.txt");
    busy.barrier.open();
    busy.expect_nothing_left(|running| drop(running.wait().success()));
}

#[test]
fn p15_nothing_outlives_an_attempt_that_fails() {
    let mut busy = Busy::new("", "exit 7");
    busy.barrier.open();
    busy.expect_nothing_left(|running| drop(running.wait().code(1)));
}

#[test]
fn p15_nothing_outlives_an_attempt_that_is_called_off() {
    let busy = Busy::new("", "exit 7");
    busy.scratch.laneway(&["cancel", "tree", "--task", "work"]).success();
    busy.expect_nothing_left(|running| drop(running.wait().code(1)));
}

#[test]
fn p15_nothing_outlives_a_run_that_is_interrupted_twice() {
    let busy = Busy::new("", "exit 7");
    let mut following = busy.scratch.follow("tree");
    for n in 1..=2 {
        busy.running.signal(Signal::INT);
        following
            .wait_for_nth_line(n, |line| line.contains("control.received") && line.contains("\"interrupt-"));
    }
    busy.expect_nothing_left(|running| drop(running.wait().code(3)));
}

#[test]
fn p15_nothing_outlives_an_attempt_of_a_killed_run_that_is_called_off_later() {
    let busy = Busy::new("", "exit 7");
    let left: Vec<u64> = KINDS.map(|(kind, _)| pid_of(&busy.scratch, kind)).to_vec();
    busy.running.signal(Signal::KILL);
    busy.running.wait().killed();
    assert!(left.iter().all(|pid| lives(*pid)), "they died with the orchestrator");
    busy.scratch.laneway(&["cancel", "tree", "--task", "work"]).success();
    for (pid, (kind, _)) in left.into_iter().zip(KINDS) {
        assert!(!lives(pid), "{kind} outlived its attempt");
    }
}

#[test]
fn p15_nothing_outlives_a_gate() {
    let scratch = Scratch::new();
    scratch.write("laneway.toml", "grace = \"100ms\"\n");
    for (verdict, code) in [("true", 0), ("false", 1)] {
        let name = format!("gate-{verdict}");
        let gate = format!("\n[defaults]\ngate = {:?}\n", format!("{} {verdict}", leave_all(&scratch)));
        scratch.write(&format!("graphs/{name}.toml"), &agents(&name, &gate, &[("work", "echo x > x.txt")]));
        for (kind, _) in KINDS {
            // Where the gate runs twice, the second time counts; a file of before would tell of another process.
            drop(fs::remove_file(place(&scratch, kind)));
        }
        scratch.laneway(&["run", &format!("graphs/{name}.toml")]).code(code);
        for (kind, _) in KINDS {
            let pid = pid_of(&scratch, kind);
            assert!(!lives(pid), "{kind} outlived the gate that was {verdict}");
        }
    }
}
