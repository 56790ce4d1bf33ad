//! A real disk that has room for some lanes and not for all of them.

use std::fmt::Write as _;
use std::fs;

use super::agents;
use crate::harness::{Output, Scratch, Setup};

/// What a lane of [`repository`] takes, in KiB.
const LANE: u64 = 11_300;
/// What stays free of [`on_ext4`]'s disk, and some more for the record, in KiB.
const BESIDE: u64 = 16_000;

/// Runs `script` in namespaces of its own, with the repository on a small ext4. In it, `keep N` leaves N KiB free, `halves` tells
/// the worktrees that are there and not whole. `None` where the system does not let us.
fn on_ext4(scratch: &Scratch, script: &str) -> Option<Output> {
    let (disk, image) = (scratch.shared().join("disk"), scratch.shared().join("image"));
    fs::create_dir_all(&disk).expect("a writable directory");
    fs::File::create(&image).and_then(|file| file.set_len(160 << 20)).expect("room for a sparse file");
    let (disk, repo, image) = (disk.display(), scratch.repo().display(), image.display());
    let mount = format!("mkfs.ext4 -q -F '{image}' && mount -o loop '{image}' '{disk}'");
    // The mount goes with the last process in the namespace.
    if !scratch.program("unshare", &["-m", "sh", "-c", &mount], &[]).succeeded() {
        eprintln!("skipped: no ext4 can be made and mounted here");
        return None;
    }
    let functions = "
        keep() {
            rm -f ../filler; sync -f .
            free=$(df --output=avail -k . | tail -1)
            fallocate -l $(( (free - $1) * 1024 )) ../filler
        }
        halves() {
            for git in .worktrees/*/*/.git; do
                test -e \"$git\" || continue
                lane=${git%/.git}; admin=$(sed 's/^gitdir: //' $git)
                test -e .git/laneway/index/${admin##*/}/ready || echo \"half: $lane\"
            done
        }";
    let all =
        format!("set -e; {mount}; {functions}\ncp -a '{repo}' '{disk}/repo'; cd '{disk}/repo'; {script}");
    Some(scratch.program("unshare", &["-m", "sh", "-c", &all], &[]))
}

/// A repository whose lanes take [`LANE`], with a graph of four.
fn repository(merge: &str) -> Scratch {
    let scratch = Setup::new().without_origin().make();
    for n in 0..60 {
        scratch.write(&format!("data/{n}.txt"), &format!("{n:02} of many\n").repeat(200 * 1024 / 12));
    }
    scratch.git(&["add", "data"]);
    scratch.git(&["commit", "-q", "-m", "Much to check out"]);
    let ids = ["a", "b", "c", "d"];
    let work = ids.map(|id| format!("echo {id} > {id}.txt"));
    let tasks: Vec<_> = ids.into_iter().zip(work.iter().map(String::as_str)).collect();
    let mut graph = agents("four", "", &tasks);
    for id in ids {
        graph = graph
            .replace(&format!("\nid = \"{id}\"\n"), &format!("\nid = \"{id}\"\nworkstream = \"{id}\"\n"));
        write!(graph, "\n[[workstreams]]\nid = \"{id}\"\nmerge = \"{merge}\"\n")
            .expect("a string takes every text");
    }
    scratch.write("graphs/four.toml", &graph);
    scratch
}

#[test]
fn a18_lanes_wait_for_room_and_the_run_stops_before_a_half_made_one_where_nothing_makes_any() {
    let scratch = repository("review");
    let script = format!(
        "
        keep $(( 2 * {LANE} + {BESIDE} ))
        laneway doctor > ../doctor 2>&1 || true; grep room ../doctor
        code=0; laneway run graphs/four.toml --offline > ../first 2> ../said || code=$?
        cat ../said; echo \"first: $code\"; halves; ls .worktrees/four | sed 's/^/made: /'
        laneway status four; laneway waiting four; laneway gc; df --output=avail -k . | tail -1 | sed 's/^ */free: /'
        rm ../filler
        laneway run graphs/four.toml --offline > ../second || echo second: $?
        laneway verify four && laneway status four"
    );
    let Some(output) = on_ext4(&scratch, &script) else { return };
    let text = output.success().text();
    assert!(text.contains("first: 4"), "{text}");
    assert!(text.contains("takes about 10 MiB in "), "{text}");
    assert!(text.contains("hint: make room on that disk"), "{text}");
    assert_eq!(text.matches("made: ").count(), 2, "{text}");
    assert!(
        text.contains("tried again: lane `") && text.contains("attention: lane `"),
        "status and waiting: {text}"
    );
    assert!(!text.contains("half: ") && !text.contains("second:"), "{text}");
}

#[test]
fn a18_lanes_that_wait_for_room_go_on_as_others_are_merged_and_removed() {
    let scratch = repository("auto");
    let script = format!(
        "
        keep $(( 2 * {LANE} + {BESIDE} ))
        code=0; laneway run graphs/four.toml --offline > ../first 2> ../said || code=$?
        cat ../said; echo \"first: $code\"; halves
        laneway verify four && laneway events four --json | grep -c 'takes about' | sed 's/^/waits: /'
        laneway status four"
    );
    let Some(output) = on_ext4(&scratch, &script) else { return };
    let text = output.success().text();
    assert!(text.contains("first: 0") && text.contains("run 1: completed"), "{text}");
    assert!(!text.contains("waits: 0"), "it never waited: {text}");
}

#[test]
fn a18_lanes_that_a_kill_has_left_half_made_give_their_room_back() {
    let scratch = repository("review");
    // One lane is half-made when the disk gets full.
    let script = "
        code=0; LANEWAY_TEST_CRASH_AT=worktree.filled:2 laneway run graphs/four.toml --offline --max-parallel 2 > ../first 2>&1 || code=$?
        echo \"killed: $code\"; halves | sed 's/^half/before/'
        keep 8000
        code=0; laneway run graphs/four.toml --offline > ../second 2> ../said || code=$?
        cat ../said; echo \"second: $code\"; halves
        laneway cancel four; echo \"cancelled: $?\"; laneway verify four";
    let Some(output) = on_ext4(&scratch, script) else { return };
    let text = output.success().text();
    assert!(text.contains("before: .worktrees/four/") && text.contains("killed: 137"), "{text}");
    assert!(text.contains("cancelled: 0") && !text.contains("half: "), "{text}");
}

#[test]
fn a18_a_lane_whose_making_meets_a_full_disk_is_taken_away_again() {
    let scratch = repository("review");
    let script = format!(
        "
        keep $(( 5 * {LANE} + {BESIDE} ))
        code=0; LANEWAY_TEST_FAIL_AT=worktree.files:2:ENOSPC laneway run graphs/four.toml --offline > ../first 2> ../said || code=$?
        cat ../said; echo \"first: $code\"; halves; ls .worktrees/four | sed 's/^/made: /'
        laneway run graphs/four.toml --offline > ../second; echo \"second: $?\"; laneway verify four"
    );
    let Some(output) = on_ext4(&scratch, &script) else { return };
    let text = output.success().text();
    assert!(text.contains("first: 4") && text.contains("No space left on device"), "{text}");
    assert!(text.contains("second: 0") && !text.contains("half: "), "{text}");
    assert_eq!(text.matches("made: ").count(), 3, "{text}");
}

#[test]
fn a19_of_lanes_that_a_kill_has_interrupted_no_more_are_made_on_than_there_are_places_now() {
    let scratch = repository("review");
    let env = [("LANEWAY_TEST_CRASH_AT", "worktree.filled:1")];
    let killed = scratch.spawn_with(&["run", "graphs/four.toml", "--offline"], &env).wait();
    assert!(!killed.succeeded());
    let intended = |event: &&serde_json::Value| {
        event["kind"] == "effect.intended" && event["payload"]["effect"]["do"] == "provision"
    };
    let before = scratch.events("four");
    assert_eq!(before.iter().filter(intended).count(), 4, "{before:#?}");
    scratch.laneway(&["run", "graphs/four.toml", "--offline", "--max-parallel", "1"]).success();
    let events = scratch.events("four");
    let put_off = events.iter().filter(|event| event.to_string().contains("waits for a place")).count();
    assert_eq!(put_off, 3);
    // Once that is said, one is made, or works, at a time.
    let mut open = std::collections::BTreeSet::new();
    let mut put_off = 0;
    for event in &events {
        let id = event["payload"]["id"].as_str().unwrap_or_default();
        if !id.starts_with("provision/") && !id.starts_with("attempt/") {
            continue;
        }
        match event["kind"].as_str() {
            Some("effect.intended") => _ = open.insert(id),
            _ => _ = open.remove(id),
        }
        put_off += usize::from(event.to_string().contains("waits for a place"));
        assert!(put_off < 3 || open.len() <= 1, "{open:?} at {event:#}");
    }
    assert!(open.is_empty(), "{open:?}");
}
