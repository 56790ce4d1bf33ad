//! Signals that come when watching is hardest: before the watch on a new directory exists, while directories and the whole
//! noticeboard are taken away and come back, and in two runs at once. Each is taken exactly once.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::harness::{Barrier, Running, Scratch};
use crate::stress::scale;

/// The look at everything that comes once a minute would find in the end what the watch has lost.
const NO_BACKSTOP: [(&str, &str); 1] = [("LANEWAY_TEST_BACKSTOP_MS", "86400000")];

/// A graph of tasks in lanes of their own; each agent does `first` and is then held at the barrier.
fn graph(name: &str, tasks: &[String], barrier: &Barrier, first: &str) -> String {
    let mut text = format!("schema = 1\nname = \"{name}\"\nmax_parallel = {}\n", tasks.len());
    for task in tasks {
        let command = format!(
            "{first}\n{} && echo w > w-{task} && : > \"$LANEWAY_SIGNALS/done\"",
            barrier.command(task)
        );
        write!(
            text,
            "\n[agents.{task}]\ncommand = [\"sh\", \"-c\", {command:?}]\n\n[[workstreams]]\nid = \"l-{task}\"\n\n\
             [[tasks]]\nid = \"{task}\"\nworkstream = \"l-{task}\"\nagent = \"{task}\"\nattempts = 1\ntimeout = \"1h\"\n\
             prompt = \"p\"\n"
        )
        .expect("a string takes every text");
    }
    text
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// How often each signal `concerns/...` was taken, by task and text.
fn taken(scratch: &Scratch, graph: &str) -> BTreeMap<(String, String), usize> {
    let mut taken = BTreeMap::new();
    for event in scratch.events(graph) {
        assert_ne!(event["kind"], "signal.rejected", "{event}");
        if event["kind"] == "signal.observed" && event["payload"]["signal"] == "concern" {
            let text = event["payload"]["text"].as_str().unwrap_or_default().trim().to_owned();
            *taken.entry((event["task"].as_str().unwrap_or_default().to_owned(), text)).or_default() += 1;
        }
    }
    taken
}

/// Waits until the living run has taken the concern with this text.
fn await_concern(follow: &mut Running, text: &str) {
    follow.wait_for_line(|line| line.contains("\"signal.observed\"") && line.contains(&format!("{text}\\n")));
}

/// A concern as an agent leaves it that makes its folder itself.
fn leave_concern(signals: &Path, name: &str) {
    let folder = signals.join("concerns");
    fs::create_dir_all(&folder).expect("a writable board");
    fs::write(folder.join(name), format!("{name}\n")).expect("a writable board");
}

#[test]
fn p24_signals_that_come_before_the_watch_are_taken() {
    let scratch = Scratch::new();
    let tasks = names("t", 6);
    let mut barrier = Barrier::new(&scratch, "barrier", &tasks);
    // Nobody can watch before the program goes on, and it goes on when all is written.
    let first = "kill -STOP $PPID; for n in 0 1 2 3 4 5 6 7; do echo \"early-$n\" > \"$LANEWAY_SIGNALS/concerns/$n\"\n\
        mkdir -p \"$LANEWAY_SIGNALS/notes/t0\"; echo \"note-$n\" > \"$LANEWAY_SIGNALS/notes/t0/$n\"; done; kill -CONT $PPID";
    scratch.write("graphs/early.toml", &graph("early", &tasks, &barrier, first));
    let mut running = scratch.spawn_with(&["run", "graphs/early.toml"], &NO_BACKSTOP);
    barrier.gather(&mut running);
    // Not by their claims, which have everything looked at: the living run has to find each by itself.
    let mut follow = scratch.follow("early");
    for word in ["early-", "note-"] {
        follow.wait_for_nth_line(8 * tasks.len(), |line| {
            line.contains("\"signal.observed\"") && line.contains(word)
        });
    }
    barrier.open();
    running.wait().success();
    let taken = taken(&scratch, "early");
    for task in &tasks {
        for n in 0..8 {
            assert_eq!(taken.get(&(task.clone(), format!("early-{n}"))), Some(&1), "{task} {n}: {taken:?}");
        }
    }
    scratch.laneway(&["verify", "early"]).success();
}

#[test]
fn p24_folders_of_signals_and_the_whole_noticeboard_come_and_go_and_no_signal_is_lost() {
    let scratch = Scratch::new();
    let tasks = names("t", 2);
    let mut barrier = Barrier::new(&scratch, "barrier", &tasks);
    scratch.write("graphs/gone.toml", &graph("gone", &tasks, &barrier, ":"));
    let mut running = scratch.spawn_with(&["run", "graphs/gone.toml"], &NO_BACKSTOP);
    barrier.gather(&mut running);
    let mut follow = scratch.follow("gone");
    let board = scratch.repo().join(".laneway");
    let signals = |task: &str| scratch.board("gone", &format!("tasks/{task}/1/signals"));
    let removals: [(&str, Remove<'_>); 5] = [
        ("folder", &|signals| remove_tree(&signals.join("concerns"))),
        ("signals", &remove_tree),
        ("renamed", &|signals| fs::rename(signals, signals.with_extension("old")).expect("renamed")),
        ("board", &|_| remove_tree(&board)),
        ("run", &|_| remove_tree(&scratch.board("gone", ""))),
    ];
    let mut wanted = Vec::new();
    for (what, remove) in removals {
        for round in 0..scale(1, 5) {
            for task in &tasks {
                let name = format!("{what}-{round}-{task}");
                remove(&signals(task));
                leave_concern(&signals(task), &name);
                await_concern(&mut follow, &name);
                // A second one, into what stands there by now.
                let after = format!("{name}-after");
                leave_concern(&signals(task), &after);
                await_concern(&mut follow, &after);
                let old = signals(task).with_extension("old");
                if old.exists() {
                    remove_tree(&old);
                }
                wanted.extend([(task.clone(), name), (task.clone(), after)]);
            }
        }
    }
    let control = scratch.board("gone", "control");
    remove_tree(&control);
    fs::write(&control, "no folder").expect("a writable board");
    follow.wait_for_line(|line| {
        line.contains("\"loss.recorded\"") && line.contains("control is not a directory")
    });
    barrier.open();
    running.wait().success();
    drop(follow);
    let taken = taken(&scratch, "gone");
    let wanted: BTreeMap<_, usize> = wanted.into_iter().map(|one| (one, 1)).collect();
    assert_eq!(taken, wanted);
    scratch.laneway(&["verify", "gone"]).success();
}

type Remove<'a> = &'a dyn Fn(&Path);

/// Whoever puts the noticeboard up again may be at work in it.
fn remove_tree(path: &Path) {
    while fs::remove_dir_all(path).is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {}
}

#[test]
fn p24_two_runs_at_once_in_one_repository_take_their_own_signals_each_once() {
    let scratch = Scratch::new();
    let graphs = ["left", "right"];
    let tasks = names("t", 2);
    let mut barriers: Vec<Barrier> =
        graphs.iter().map(|name| Barrier::new(&scratch, &format!("barrier-{name}"), &tasks)).collect();
    let mut runs = Vec::new();
    for (name, barrier) in graphs.iter().zip(&barriers) {
        scratch.write(&format!("graphs/{name}.toml"), &graph(name, &tasks, barrier, ":"));
        runs.push(scratch.spawn_with(&["run", &format!("graphs/{name}.toml")], &NO_BACKSTOP));
    }
    for (running, barrier) in runs.iter_mut().zip(&barriers) {
        barrier.gather(running);
    }
    for n in 0..50 {
        for name in graphs {
            for task in &tasks {
                leave_concern(
                    &scratch.board(name, &format!("tasks/{task}/1/signals")),
                    &format!("{name}-{n}"),
                );
            }
        }
        if n == 25 {
            // What belongs to one is taken away under the other.
            remove_tree(&scratch.board("left", "tasks/t1/1/signals/notes"));
        }
    }
    for name in graphs {
        let mut follow = scratch.follow(name);
        follow.wait_for_nth_line(50 * tasks.len(), |line| {
            line.contains("\"signal.observed\"") && line.contains(&format!("{name}-"))
        });
    }
    barriers.iter_mut().for_each(Barrier::open);
    for running in runs {
        running.wait().success();
    }
    for name in graphs {
        let wanted: BTreeMap<_, usize> = tasks
            .iter()
            .flat_map(|task| (0..50).map(|n| ((task.clone(), format!("{name}-{n}")), 1)))
            .collect();
        assert_eq!(taken(&scratch, name), wanted);
        scratch.laneway(&["verify", name]).success();
    }
}
