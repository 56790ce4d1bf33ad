//! A signal directory that an agent filled with anything: what is taken is a small regular file of the protocol, all
//! else is refused with a reason, nothing is followed out of it, and the seal keeps what was taken.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use laneway::signal::{Limits, Scan, Settle, read_seal, scan, seal, sealed_outputs};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::pieces::Pieces;

const NAMES: [&str; 24] = [
    "done",
    "failed",
    "blocked",
    "summary.md",
    "outputs.json",
    "progress",
    "concerns",
    "ops-concerns",
    "ask",
    "notes",
    "artifacts",
    "concerns/1",
    "concerns/2",
    "ops-concerns/1",
    "ask/q",
    "notes/task",
    "notes/task/1",
    "notes/Bad Task/1",
    "artifacts/a",
    "artifacts/d/e/f/g/h/i",
    "Done",
    "done.txt",
    ".hidden",
    "concerns/x.tmp",
];
/// What stands outside and must never be read.
const OUTSIDE: &str = "a secret of the user's";

/// Things that are made one after another.
pub fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let dir = tempfile::tempdir().expect("a directory");
    let signals = dir.path().join("signals");
    let record = dir.path().join("record");
    let outside = dir.path().join("outside");
    for path in [&signals, &record, &outside] {
        fs::create_dir(path).expect("a directory");
    }
    for name in ["done", "1", "secret"] {
        fs::write(outside.join(name), OUTSIDE).expect("writable");
    }
    for folder in ["concerns", "ops-concerns", "ask", "notes", "artifacts"] {
        if pieces.byte() & 3 != 0 {
            fs::create_dir(signals.join(folder)).expect("a directory");
        }
    }
    for _ in 0..24 {
        if pieces.is_empty() {
            break;
        }
        make(&signals, &outside, &mut pieces);
    }
    look(&signals, &record);
}

fn make(signals: &Path, outside: &Path, pieces: &mut Pieces<'_>) {
    let choice = usize::from(pieces.byte());
    let path = if let Some(name) = NAMES.get(choice % (NAMES.len() + 8)) {
        signals.join(name)
    } else {
        let plain = |byte: &u8| if *byte == 0 || *byte == b'/' { b'-' } else { *byte };
        let name: Vec<u8> = pieces.bytes().iter().map(plain).collect();
        if name.is_empty() || name == b"." || name == b".." {
            return;
        }
        let folders = ["", "concerns", "ask", "notes", "artifacts"];
        signals.join(folders[choice % folders.len()]).join(OsStr::from_bytes(&name))
    };
    let what = pieces.byte() % 12;
    if ![6, 7].contains(&what) {
        // Writing into a pipe that is there would wait for ever.
        _ = fs::remove_file(&path);
    }
    // What cannot be made (a name too long, a directory in the way) is not made: there is nothing to be read then.
    _ = match what {
        0 => symlink(outside.join("secret"), &path),
        1 => symlink(outside, &path),
        2 => symlink(&path, &path),
        3 => mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).map_err(Into::into),
        4 => fs::create_dir_all(&path),
        5 => File::create(&path).and_then(|file| file.set_len(10 << 30)),
        6 => fs::set_permissions(&path, fs::Permissions::from_mode(u32::from(pieces.byte()))),
        7 => fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path)),
        8 => fs::hard_link(outside.join("secret"), &path),
        _ => path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, pieces.bytes())),
    };
}

fn look(signals: &Path, record: &Path) {
    let limits = Limits::default();
    let closed = BTreeSet::new();
    let live = Settle::Live { closed: &closed, now: SystemTime::now(), quiet: Duration::from_secs(3600) };
    let Ok(early) = scan(signals, &limits, live) else { return };
    assert!(early.accepted.is_empty(), "taken while it is written: {:?}", early.accepted);
    let found = scan(signals, &limits, Settle::Ended).expect("it was there a moment ago");
    assert_eq!(scan(signals, &limits, Settle::Ended).expect("still there"), found);
    check(signals, &found, &limits);
    let (sealed, scanned) = seal(signals, record, &limits).expect("sealed");
    assert_eq!(scanned, found);
    assert_eq!(sealed.files.len(), found.accepted.len());
    assert_eq!(read_seal(record).expect("readable"), Some(sealed.clone()));
    sealed_outputs(record).expect("what was accepted is understood");
    assert!(sealed.late(&found).is_empty());
    for file in sealed.files.values() {
        let copy = record.join("signals").join(&file.digest);
        assert_eq!(fs::metadata(copy).expect("a copy").len(), file.size);
    }
}

fn check(signals: &Path, found: &Scan, limits: &Limits) {
    assert!(found.unsettled.is_empty(), "{:?}", found.unsettled);
    assert!(found.rejected.len() <= limits.rejections + 1);
    let mut names = BTreeSet::new();
    for file in &found.accepted {
        assert!(names.insert(&file.name), "{} was taken twice", file.name);
        assert!(!file.name.chars().any(char::is_control));
        assert!(file.size <= limits.artifact_bytes);
        let mut path = signals.to_path_buf();
        for part in Path::new(&file.name) {
            path.push(part);
            assert!(
                !fs::symlink_metadata(&path).expect("it is there").is_symlink(),
                "{} was followed",
                file.name
            );
        }
        assert!(fs::symlink_metadata(&path).expect("it is there").is_file());
        assert_eq!(fs::metadata(&path).expect("it is there").len(), file.size);
        assert!(!file.body.text().contains('\0'));
    }
    for refused in &found.rejected {
        assert!(!refused.name.chars().any(char::is_control), "{:?}", refused.name);
        assert!(!refused.reason.to_string().is_empty() && !refused.reason.code().is_empty());
    }
}
