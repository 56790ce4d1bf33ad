//! A real disk that is full: a small file system of its own for repository, record and worktrees.

use std::fs;

use super::agents;
use crate::harness::{Output, Scratch};

/// Runs `script` in namespaces of its own, in which a file system of `size` is mounted at `shared/disk`, with the
/// repository on it. `None` where the system does not let us.
fn on_small_disk(scratch: &Scratch, size: &str, script: &str) -> Option<Output> {
    let disk = scratch.shared().join("disk");
    fs::create_dir_all(&disk).expect("a writable directory");
    let (disk, repo) = (disk.display(), scratch.repo().display());
    let mount = format!("mount -t tmpfs -o size={size} tmpfs '{disk}'");
    if !scratch.program("unshare", &["-rm", "sh", "-c", &mount], &[]).succeeded() {
        eprintln!("skipped: no file system can be mounted here");
        return None;
    }
    let all = format!("set -e; {mount}; cp -a '{repo}' '{disk}/repo'; cd '{disk}/repo'; {script}");
    Some(scratch.program("unshare", &["-rm", "sh", "-c", &all], &[]))
}

/// Set in the process that runs on btrfs.
const BTRFS: &str = "LANEWAY_TEST_BTRFS";

pub(super) fn is_on_btrfs() -> bool {
    std::env::var_os(BTRFS).is_some()
}

/// Runs a test of this program once more, with its repositories on a btrfs of its own. Where the system does not let us, that is
/// said and nothing is tested.
#[track_caller]
pub(super) fn on_btrfs(test: &str) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (image, mount) = (dir.path().join("image"), dir.path().join("disk"));
    fs::File::create(&image).and_then(|file| file.set_len(1 << 30)).expect("room for a sparse file");
    fs::create_dir(&mount).expect("a new directory");
    let mounting = format!(
        "mkfs.btrfs -q -f '{0}'; mount -o loop '{0}' '{1}'; btrfs subvolume create '{1}/probe'",
        image.display(),
        mount.display()
    );
    // The mount goes with the last process in the namespace.
    let there = |script: &str| {
        let mut shell = std::process::Command::new("unshare");
        shell.args(["-m", "sh", "-ec"]).arg(format!("{mounting}; {script}"));
        shell.env(BTRFS, &mount).env("TMPDIR", &mount).output().expect("unshare is there")
    };
    if !there("true").status.success() {
        eprintln!("skipped: no btrfs can be made and mounted here");
        return;
    }
    let this = std::env::current_exe().expect("this program");
    let output = there(&format!("exec '{}' --exact {test} --nocapture", this.display()));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn a18_a_run_whose_disk_is_full_says_so_loses_nothing_and_goes_on_when_there_is_room() {
    let scratch = crate::harness::Setup::new().without_origin().make();
    // The first task leaves no room, as any other program may; the second would have to write much more than there is.
    let fill =
        "echo one > one.txt && { head -c 1G /dev/zero > ../../../../filler 2> ../../../../said || true; }";
    let tasks = [("fill", fill), ("next", "echo two > two.txt")];
    scratch.write("graphs/full.toml", &agents("full", "", &tasks));
    let script = "
        code=0; laneway run graphs/full.toml > ../first 2> \"$HOME/said\" || code=$?
        cat \"$HOME/said\"; echo \"first: $code\"
        rm -f ../filler
        laneway run graphs/full.toml || echo second: $?
        laneway verify full && laneway status full --json > ../status
        laneway events full --json | grep -c '\"kind\":\"process.started\"'
        cat ../status";
    let Some(output) = on_small_disk(&scratch, "24m", script) else { return };
    let text = output.success().text();
    assert!(text.contains("first: 4"), "{text}");
    assert!(text.contains("no space left"), "{text}");
    assert!(text.contains("hint:") || text.contains("make room"), "{text}");
    assert!(!text.contains("second:"), "{text}");
    let json = &text[text.find('{').expect("a status")..];
    let mut values = serde_json::Deserializer::from_str(json).into_iter();
    let status: serde_json::Value = values.next().expect("a status").expect("JSON");
    let status = crate::harness::Status::of(status);
    status.expect("completed", &[("default", "pr_created")], &[("fill", "merged"), ("next", "merged")]);
    assert_eq!((status.attempts("fill"), status.attempts("next")), (1, 1));
}

#[test]
fn a18_a_setup_that_fails_for_want_of_room_is_no_failed_setup() {
    let scratch = crate::harness::Setup::new().without_origin().make();
    let setup =
        "test -e ../../../../once || { : > ../../../../once; head -c 1G /dev/zero > ../../../../filler; }";
    let lane = format!("[[workstreams]]\nid = \"default\"\nsetup = [{setup:?}]\n");
    let graph = agents("full", "", &[("next", "echo two > two.txt")]);
    scratch.write("graphs/full.toml", &format!("{graph}\n{lane}"));
    let script = "
        code=0; laneway run graphs/full.toml > ../first 2> \"$HOME/said\" || code=$?
        cat \"$HOME/said\"; echo \"first: $code\"
        rm -f ../filler
        laneway run graphs/full.toml || echo second: $?
        laneway verify full && laneway events full --json > ../events
        cat ../events";
    let Some(output) = on_small_disk(&scratch, "24m", script) else { return };
    let text = output.success().text();
    assert!(text.contains("first: 4") && text.contains("no space left"), "{text}");
    assert!(!text.contains("second:"), "{text}");
    assert!(text.contains("\"name\":\"setup\",\"status\":\"pass\""), "{text}");
    assert!(!text.contains("\"name\":\"setup\",\"status\":\"fail\""), "{text}");
}

#[test]
fn p10_p11_lanes_on_btrfs_share_their_files_and_doctor_and_gc_say_so() {
    if !is_on_btrfs() {
        return on_btrfs("recovery::disk::p10_p11_lanes_on_btrfs_share_their_files_and_doctor_and_gc_say_so");
    }
    let scratch = Scratch::new();
    let laneway = |arguments: &[&str]| scratch.laneway(arguments).success().text();
    let told = laneway(&["doctor"]);
    assert!(told.contains("their files are shared"), "{told}");
    assert!(told.contains("written once and shared: a lane takes what is changed"), "{told}");
    assert!(!told.contains("a lane: room for"), "{told}");
    let bases = || fs::read_dir(scratch.repo().join(".git/laneway/bases")).map_or(0, Iterator::count);

    // The setting that says no is heard.
    scratch.write("laneway.toml", "[lanes]\nshare = \"never\"\n");
    assert!(laneway(&["doctor"]).contains("not shared: `share` is \"never\""));
    laneway(&["run", "graphs/quickstart.toml"]);
    assert_eq!(bases(), 0);
    fs::remove_file(scratch.repo().join("laneway.toml")).expect("it was written");
    laneway(&["run", "graphs/quickstart.toml", "--fresh"]);
    assert!(bases() > 1, "the lock and a base");

    let gone = scratch.laneway(&["gc", "--older-than", "0d", "--yes", "--json"]).success().json();
    let shared = |item: &&serde_json::Value| item["kind"] == "shared" && item["fate"] == "gone";
    assert!(gone["items"].as_array().expect("items").iter().any(|item| shared(&item)), "{gone:#}");
    assert_eq!(bases(), 1, "the lock stays");
    laneway(&["verify", "quickstart"]);
}
