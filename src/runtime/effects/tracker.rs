//! The file in a lane that the processes of a loop hand on to each other.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::event::{SignalKind, SignalObserved};
use crate::graph::Loop;
use crate::plain_file;
use crate::plan::{TaskPlan, Work};

/// How much of it is read, in bytes; what an agent is told of it is less still.
const MOST_READ: u64 = 1 << 20;

/// The loop of a task.
pub(super) fn of(task: &TaskPlan) -> Option<&Loop> {
    match &task.work {
        Work::Agent { by, .. } => by.repeat.as_ref(),
        Work::Run { .. } => None,
    }
}

/// Its text; `None` where there is no such file in the lane. One that leads out of the lane is none.
pub(super) fn read(lane: &Path, path: &str) -> Option<String> {
    let lane = lane.canonicalize().ok()?;
    let file = lane.join(path).canonicalize().ok()?;
    if !file.starts_with(&lane) {
        return None;
    }
    let mut bytes = Vec::new();
    plain_file::open(&file).ok()?.take(MOST_READ).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The line at its end by which it says that the task is done.
const DONE: &str = "DONE";

/// The claim that it makes; nothing but its last line that is not blank is looked at.
pub(super) fn claim(lane: &Path, task: &TaskPlan) -> Option<SignalObserved> {
    let path = of(task)?.tracker.as_ref()?;
    let text = read(lane, path)?;
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    (last == DONE)
        .then(|| SignalObserved { signal: SignalKind::Done, text: format!("{path} ends with {DONE}") })
}

/// Notes what it is before a process begins.
pub(super) fn note(record: &Path, lane: &Path, path: &str) {
    if let Err(error) = std::fs::write(place(record), digest(lane, path)) {
        tracing::warn!(%error, "a change of the tracker alone will not be noticed");
    }
}

/// Whether it is another now than it was before the process.
pub(super) fn changed(record: &Path, lane: &Path, path: &str) -> bool {
    std::fs::read_to_string(place(record)).is_ok_and(|before| before != digest(lane, path))
}

fn place(record: &Path) -> PathBuf {
    record.join("tracker-before")
}

fn digest(lane: &Path, path: &str) -> String {
    let text = read(lane, path);
    text.map_or_else(String::new, |text| format!("{:x?}", Sha256::digest(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a14_a_change_of_the_tracker_is_noticed_and_a_way_out_of_the_lane_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let (lane, record) = (dir.path().join("lane"), dir.path().join("record"));
        std::fs::create_dir_all(lane.join("notes")).unwrap();
        std::fs::create_dir(&record).unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        let path = "notes/T.md";
        assert_eq!(read(&lane, path), None);
        note(&record, &lane, path);
        assert!(!changed(&record, &lane, path));
        std::fs::write(lane.join(path), "- [x] one\n").unwrap();
        assert!(changed(&record, &lane, path));
        assert_eq!(read(&lane, path).as_deref(), Some("- [x] one\n"));
        note(&record, &lane, path);
        assert!(!changed(&record, &lane, path));
        std::fs::remove_file(lane.join(path)).unwrap();
        std::os::unix::fs::symlink("../../secret", lane.join(path)).unwrap();
        assert_eq!(read(&lane, path), None);
        assert_eq!(read(&lane, "notes"), None);
    }
}
