//! Every kind of file that nobody should write, in every place that agents and people write to: refused with a reason,
//! and the run goes on and ends right.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Barrier, Running, Scratch};

/// What is done at the path `$f`.
const KINDS: [(&str, &str); 10] = [
    ("link", "ln -s \"$secret\" \"$f\""),
    ("loop", "ln -s \"$f\" \"$f\""),
    ("fifo", "mkfifo \"$f\""),
    ("device", "mknod \"$f\" c 1 5 || ln -s /dev/zero \"$f\""),
    ("sparse", "truncate -s 10G \"$f\""),
    ("folder", "mkdir -p \"$f/a/b/c/d/e/f/g/h\""),
    ("newline", "echo x > \"$(printf '%s\\nx' \"$f\")\""),
    ("binary", "printf '\\377\\376\\000x' > \"$f\""),
    ("utf16", "printf 'd\\000o\\000' > \"$f\""),
    ("long", "echo x > \"$f$(head -c 150 /dev/zero | tr '\\0' n)\""),
];
/// Where agents write.
const PLACES: [&str; 12] = [
    "odd",
    "failed",
    "blocked",
    "summary.md",
    "progress",
    "outputs.json",
    "concerns/N",
    "ops-concerns/N",
    "ask/N",
    "notes/N",
    "notes/binary/N",
    "artifacts/N",
];
/// Bytes that no journal and no log may hold: they stand outside of everything that agents may have read.
const SECRET: &str = "the-users-own-secret";
/// More than the program needs, and much less than what it is offered to read.
const MOST_KIB: u64 = 300 * 1024;

/// Any bytes are fit to be kept as an artifact.
fn is_refused(kind: &str, place: &str) -> bool {
    !(place.starts_with("artifacts/") && ["binary", "utf16"].contains(&kind))
}

/// A task for each kind, one after another in one lane, and a last one that is held at the barrier.
fn graph(scratch: &Scratch, barrier: &Barrier) -> String {
    let mut text = "schema = 1\nname = \"odd\"\n".to_owned();
    let mut add = |id: &str, script: &str, needs: &str| {
        let path = scratch.shared().join(format!("{id}.sh")).display().to_string();
        let script = format!(
            "secret='{}'\n{script}\necho {id} > {id}.txt\n: > \"$LANEWAY_SIGNALS/done\"\n",
            secret(scratch).display()
        );
        fs::write(&path, script).expect("a writable directory");
        write!(
            text,
            "\n[agents.{id}]\ncommand = [\"sh\", \"{path}\"]\n\n[[tasks]]\nid = \"{id}\"\nagent = \"{id}\"\n\
             needs = [{needs}]\nattempts = 1\ntimeout = \"5m\"\nprompt = \"p\"\n"
        )
        .expect("a string takes every text");
    };
    let mut before = String::new();
    for (kind, make) in KINDS {
        let places = PLACES.join(" ");
        let script = format!(
            "mkdir -p \"$LANEWAY_SIGNALS/notes/binary\"\nfor p in {places}; do f=\"$LANEWAY_SIGNALS/$p\"\n{make}\ndone"
        );
        add(kind, &script, &before);
        before = format!("\"{kind}\"");
    }
    let swap = "cd \"$LANEWAY_SIGNALS\"; n=0; while test $n -lt 200; do n=$((n + 1))\n\
        ln -s \"$secret\" .l; mv -T .l concerns/r; mkfifo .f; mv -T .f concerns/r; echo \"$n\" > .x; mv -T .x concerns/r\n\
        done; cd \"$OLDPWD\"";
    add("swapped", swap, &before);
    let folders = "rm -rf \"$LANEWAY_SIGNALS\"/concerns \"$LANEWAY_SIGNALS\"/ask \"$LANEWAY_SIGNALS\"/artifacts\n\
        for p in concerns ask artifacts; do ln -s \"$(dirname \"$secret\")\" \"$LANEWAY_SIGNALS/$p\"; done";
    add("folders", folders, "\"swapped\"");
    add("last", &barrier.command("last"), "\"folders\"");
    text
}

fn secret(scratch: &Scratch) -> std::path::PathBuf {
    scratch.home().join("private/secret")
}

/// What people and tools can put where requests and states are read.
fn disturb(scratch: &Scratch) {
    let control = scratch.board("odd", "control");
    let lane = scratch.board("odd", "lanes/default");
    let sparse = |path: &Path| fs::File::create(path).and_then(|file| file.set_len(10 << 30)).expect("made");
    symlink(secret(scratch), control.join("cancel-link")).expect("made");
    scratch.program("mkfifo", &[&control.join("pause-fifo").to_string_lossy()], &[]).success();
    sparse(&control.join("skip-huge"));
    fs::create_dir(control.join("retry-folder")).expect("made");
    fs::write(control.join("stop-\nline"), "{}").expect("made");
    fs::write(control.join("merge-bytes"), b"\xff\xfe").expect("made");
    fs::write(control.join("cancel-fields"), "{\"target\":{\"lane\":\"../..\"}}").expect("made");
    symlink(secret(scratch), lane.join("merged")).expect("made");
    sparse(&lane.join("pr_created"));
    scratch.program("mkfifo", &[&lane.join("merge_ready").to_string_lossy()], &[]).success();
}

#[test]
fn p24_every_kind_of_hostile_file_is_refused_in_every_place_and_the_run_goes_on() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.home().join("private")).expect("made");
    fs::write(secret(&scratch), SECRET).expect("made");
    let mut barrier = Barrier::new(&scratch, "barrier", &["last".to_owned()]);
    scratch.write("graphs/odd.toml", &graph(&scratch, &barrier));
    let mut running = scratch.spawn(&["run", "graphs/odd.toml"]);
    barrier.gather(&mut running);
    disturb(&scratch);
    let mut follow = scratch.follow("odd");
    follow.wait_for_nth_line(7, |line| line.contains("\"control.rejected\""));
    let Some(peak) = peak_kib(&running) else { panic!("it ended: {}", running.wait().failure().stderr()) };
    barrier.open();
    running.wait().success();
    drop(follow);
    assert!(peak < MOST_KIB, "{peak} KiB of memory");

    let events = scratch.events("odd");
    let rejected = |task: &str| -> Vec<&str> {
        let of_task = events.iter().filter(|e| e["kind"] == "signal.rejected" && e["task"] == task);
        of_task.filter_map(|event| event["payload"]["name"].as_str()).collect()
    };
    for (kind, _) in KINDS {
        let names = rejected(kind);
        for place in PLACES.into_iter().filter(|place| is_refused(kind, place)) {
            assert!(names.iter().any(|name| name.starts_with(place)), "{kind} at {place}: {names:?}");
        }
    }
    for folder in ["concerns", "ask", "artifacts"] {
        assert!(rejected("folders").iter().any(|name| name.starts_with(folder)), "{:?}", rejected("folders"));
    }
    let reasons = events.iter().filter(|event| event["kind"] == "signal.rejected");
    assert!(
        reasons.into_iter().all(|event| event["payload"]["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );
    let told: String = events.iter().map(Value::to_string).collect();
    assert!(!told.contains(SECRET), "what stands outside was read");
    assert_eq!(fs::read_to_string(secret(&scratch)).expect("still there"), SECRET);
    let tasks: Vec<&str> =
        KINDS.iter().map(|(kind, _)| *kind).chain(["swapped", "folders", "last"]).collect();
    let merged: Vec<(&str, &str)> = tasks.iter().map(|task| (*task, "merged")).collect();
    scratch.status("odd").expect("completed", &[("default", "pr_created")], &merged);
    scratch.laneway(&["verify", "odd"]).success();
}

/// The most memory that the program has had.
fn peak_kib(running: &Running) -> Option<u64> {
    let path = format!("/proc/{}/status", running.pid().as_raw_nonzero());
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
