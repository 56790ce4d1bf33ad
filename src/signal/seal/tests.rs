use std::path::PathBuf;

use super::*;
use crate::id::TaskId;
use crate::signal::{Board, Body, digest};

struct Attempt {
    _home: tempfile::TempDir,
    signals: PathBuf,
    record: PathBuf,
}

impl Attempt {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let board = Board::new(home.path().join(".laneway/shop/1"));
        let task = TaskId::new("types").unwrap();
        _ = board.put_up_attempt(&task, 1).unwrap();
        let record = home.path().join("record/attempts/types/1");
        Self { signals: board.signals_dir(&task, 1), record, _home: home }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.signals.join(name), text).unwrap();
    }

    fn seal(&self) -> (Sealed, Scan) {
        seal(&self.signals, &self.record, &Limits::default()).unwrap()
    }
}

#[test]
fn ar27_sealed_files_are_in_the_record_by_digest() {
    let attempt = Attempt::new();
    attempt.write("done", "all\r\n");
    attempt.write("concerns/1", "same");
    attempt.write("concerns/2", "same");
    attempt.write("artifacts/log", "lines");
    attempt.write("Done", "wrong name");
    let (sealed, scan) = attempt.seal();
    assert_eq!(scan.rejected.len(), 1);
    let names: Vec<_> = sealed.files.keys().collect();
    assert_eq!(names, ["artifacts/log", "concerns/1", "concerns/2", "done"]);
    for text in ["all\r\n", "same", "lines"] {
        let copy = attempt.record.join("signals").join(digest(text.as_bytes()));
        assert_eq!(fs::read_to_string(copy).unwrap(), text, "the bytes as they were");
    }
    assert_eq!(fs::read_dir(attempt.record.join("signals")).unwrap().count(), 4);
    assert_eq!(read_seal(&attempt.record).unwrap().unwrap(), sealed);
}

#[test]
fn what_comes_after_the_seal_is_late_and_changes_nothing() {
    let attempt = Attempt::new();
    attempt.write("done", "all");
    let (sealed, _) = attempt.seal();
    attempt.write("done", "all and more");
    attempt.write("concerns/1", "too late");
    let (again, scan) = attempt.seal();
    assert_eq!(again, sealed);
    let late: Vec<_> = again.late(&scan).into_iter().map(|r| (r.name, r.reason)).collect();
    let wanted = ["concerns/1", "done"].map(|name| (name.to_owned(), RejectReason::Late));
    assert_eq!(late, wanted);
    attempt.write("done", "all");
    fs::remove_file(attempt.signals.join("concerns/1")).unwrap();
    assert_eq!(again.late(&attempt.seal().1), []);
}

#[test]
fn a_seal_cut_off_by_a_crash_is_completed() {
    let attempt = Attempt::new();
    attempt.write("done", "all");
    let copies = attempt.record.join("signals");
    fs::create_dir_all(&copies).unwrap();
    fs::write(copies.join(".left.tmp"), "al").unwrap();
    fs::write(copies.join(digest(b"all")), "al").unwrap();
    assert_eq!(read_seal(&attempt.record).unwrap(), None);
    let (sealed, scan) = attempt.seal();
    assert_eq!(scan.accepted[0].body, Body::Text("all".to_owned()));
    assert_eq!(fs::read_to_string(copies.join(&sealed.files["done"].digest)).unwrap(), "all");
}

#[test]
fn a_file_that_changed_since_the_scan_is_not_sealed_under_its_old_digest() {
    let attempt = Attempt::new();
    attempt.write("done", "one");
    let found = scan(&attempt.signals, &Limits::default(), Settle::Ended).unwrap();
    attempt.write("done", "two");
    let copies = attempt.record.join("signals");
    fs::create_dir_all(&copies).unwrap();
    assert!(!copy(&attempt.signals, &copies, &found.accepted[0], &Limits::default()).unwrap());
    fs::remove_file(attempt.signals.join("done")).unwrap();
    assert!(!copy(&attempt.signals, &copies, &found.accepted[0], &Limits::default()).unwrap());
    assert_eq!(fs::read_dir(copies).unwrap().count(), 0);
}

#[test]
fn a_damaged_index_is_an_error_and_not_an_empty_seal() {
    let attempt = Attempt::new();
    attempt.write("done", "all");
    _ = attempt.seal();
    fs::write(attempt.record.join("signals/index.json"), "{").unwrap();
    assert!(matches!(read_seal(&attempt.record), Err(SealError::Index { .. })));
}
