//! From a claim to the next process, alone and beside a thousand lanes that live; and what those cost at rest.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::Setting;
use crate::player;
use crate::samples::Samples;
use crate::scratch::Scratch;
use crate::table::{Amount, Goal, Row};

/// Lanes whose agents wait.
const LIVE: usize = 1000;
/// Agents that follow one another in the lane that is measured.
const LINKS: usize = 200;
/// How long an idle run is watched.
const WATCHED: Duration = Duration::from_secs(20);
/// How long a run gets to come to rest before that; threads that wait for work end after ten seconds.
const CALM: Duration = Duration::from_secs(15);
/// Between two interrupts.
const PAUSE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// With no other lane.
pub(crate) fn latency_alone(setting: &Setting<'_>) -> Vec<Row> {
    let mut run = Run::begin(setting.dir, 0);
    run.open_gate();
    let status = run.laneway.wait().expect("a child can be waited for");
    assert!(status.success(), "laneway ended with {status}:\n{}", run.scratch.told());
    latency(&run.shared, "no other lane").into()
}

/// With a thousand others, and then at rest.
pub(crate) fn rows(setting: &Setting<'_>) -> Vec<Row> {
    let mut run = Run::begin(setting.dir, LIVE);
    run.wait_until_live(LIVE + 1);
    run.open_gate();
    run.wait_for(&format!("{}.claimed", link(LINKS - 1)));
    let mut rows = Vec::from(latency(&run.shared, &format!("{LIVE} lanes live")));
    rows.extend(run.at_rest());
    run.end();
    rows
}

fn latency(shared: &Path, beside: &str) -> [Row; 2] {
    // The first link began before the gate was opened, so its successor counts too.
    let gaps = (1..LINKS).map(|n| player::gap(shared, &link(n - 1), &link(n)));
    let gaps = Samples::new(gaps.collect());
    let row = |percent, goal| {
        Row::new(
            format!("claim to next process, p{percent}, {beside}"),
            Amount::Millis(gaps.percentile(percent)),
            Goal::AtMost(Amount::Millis(goal)),
        )
    };
    [row(50, 5.0), row(99, 25.0)]
}

fn link(n: usize) -> String {
    format!("link{n}")
}

struct Run {
    scratch: Scratch,
    shared: PathBuf,
    gate: fs::File,
    laneway: Child,
}

impl Run {
    fn begin(dir: &Path, live: usize) -> Self {
        let shared = dir.join(format!("shared-{live}"));
        fs::create_dir(&shared).expect("a new directory");
        let scratch = Scratch::new(dir, &graph(&shared, live));
        let gate = shared.join(format!("{}.gate", link(0)));
        scratch.program("mkfifo", &[gate.to_str().expect("a path in UTF-8")]);
        let gate = fs::OpenOptions::new().read(true).write(true).open(gate);
        Self { laneway: scratch.start(), gate: gate.expect("the fifo was made"), scratch, shared }
    }

    fn open_gate(&mut self) {
        std::io::Write::write_all(&mut self.gate, b"go\n").expect("the fifo is open");
    }

    fn wait_until_live(&mut self, agents: usize) {
        let journal = self.scratch.journal();
        self.wait(|| {
            let text = fs::read_to_string(&journal).unwrap_or_default();
            text.matches("\"kind\":\"process.started\"").count() >= agents
        });
    }

    fn wait_for(&mut self, name: &str) {
        let file = self.shared.join(name);
        self.wait(|| file.exists());
    }

    fn wait(&mut self, there: impl Fn() -> bool) {
        while !there() {
            let ended = self.laneway.try_wait().expect("a child can be waited for");
            assert!(ended.is_none(), "laneway ended early:\n{}", self.scratch.told());
            std::thread::sleep(LOOK);
        }
    }

    fn at_rest(&self) -> Vec<Row> {
        std::thread::sleep(CALM);
        let before = Usage::of(self.laneway.id());
        let mut last = Usage::of(self.laneway.id());
        let mut awake = 0.0;
        for _ in 0..WATCHED.as_secs() {
            std::thread::sleep(Duration::from_secs(1));
            let now = Usage::of(self.laneway.id());
            if now.switches != last.switches {
                awake += 1.0;
            }
            last = now;
        }
        let after = last;
        // Threads that wait for work end after a while, and count no more.
        let switches =
            after.switches.iter().map(|(thread, n)| n - before.switches.get(thread).unwrap_or(&0.0));
        let switches = switches.sum();
        vec![
            Row::new(
                format!("memory (RSS) of a run with {LIVE} lanes live"),
                Amount::Mebibytes(after.rss_kib / 1024.0),
                Goal::AtMost(Amount::Mebibytes(60.0)),
            ),
            Row::new(
                format!(
                    "seconds of {} at rest in which it woke; a backstop is one or two",
                    WATCHED.as_secs()
                ),
                Amount::Count(awake),
                Goal::AtMost(Amount::Count(2.0)),
            ),
            Row::new("context switches in these seconds, all threads", Amount::Count(switches), Goal::None),
            Row::new(
                "processor time in them",
                Amount::Millis((after.ticks - before.ticks) * 10.0),
                Goal::None,
            ),
        ]
    }

    /// Twice interrupted, it stops its agents.
    fn end(mut self) {
        let pid = Pid::from_child(&self.laneway);
        for _ in 0..2 {
            kill_process(pid, Signal::INT).expect("the process is ours");
            std::thread::sleep(PAUSE);
        }
        let status = self.laneway.wait().expect("a child can be waited for");
        eprintln!("the run with {LIVE} lanes ended with {status}");
    }
}

/// What `/proc` says of a process; clock ticks are a hundredth of a second.
struct Usage {
    rss_kib: f64,
    /// Of each thread.
    switches: BTreeMap<OsString, f64>,
    ticks: f64,
}

impl Usage {
    fn of(pid: u32) -> Self {
        let read = |path: String| fs::read_to_string(path).unwrap_or_default();
        let number = |text: &str, key: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let word = line.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or_default()
        };
        let status = read(format!("/proc/{pid}/status"));
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives");
        let switches = threads.flatten().map(|thread| {
            let text = read(format!("{}/status", thread.path().display()));
            let both =
                number(&text, "voluntary_ctxt_switches:") + number(&text, "nonvoluntary_ctxt_switches:");
            (thread.file_name(), both)
        });
        let stat = read(format!("/proc/{pid}/stat"));
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        let times = behind_name.split_whitespace().skip(11).take(2);
        Self {
            rss_kib: number(&status, "VmRSS:"),
            switches: switches.collect(),
            ticks: times.filter_map(|word| word.parse::<f64>().ok()).sum(),
        }
    }
}

/// A chain of agents in one lane, and `live` lanes whose agents sleep.
fn graph(shared: &Path, live: usize) -> String {
    let own = std::env::current_exe().expect("this program has a path");
    let mut text = format!(
        "schema = 1\nname = \"g\"\nagent = \"player\"\nmax_parallel = {}\n[agents.player]\ncommand = ['{}', '{}', '{}']\n\
         [agents.sleeper]\ncommand = [\"sleep\", \"100000\"]\n[[workstreams]]\nid = \"chain\"\n",
        live + 1,
        own.display(),
        player::ROLE,
        shared.display(),
    );
    for n in 0..LINKS {
        let needs = n.checked_sub(1).map(|before| format!("\"{}\"", link(before)));
        _ = write!(text, "[[tasks]]\nid = \"{}\"\nworkstream = \"chain\"\n", link(n));
        _ = write!(text, "prompt = \"go\"\ndiff = \"none\"\nneeds = [{}]\n", needs.unwrap_or_default());
    }
    for n in 0..live {
        _ = write!(text, "[[workstreams]]\nid = \"live{n}\"\n[[tasks]]\nid = \"sleep{n}\"\n");
        _ = write!(
            text,
            "workstream = \"live{n}\"\nagent = \"sleeper\"\nprompt = \"wait\"\ndiff = \"none\"\n"
        );
    }
    text
}
