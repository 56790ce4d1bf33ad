#![expect(clippy::disallowed_methods, reason = "tests make real files")]

use std::fs;
use std::io::Write as _;

use super::*;

fn opened(text: &str) -> (tempfile::TempDir, SteadyDir, SteadyFile) {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("done"), text).unwrap();
    let dir = SteadyDir::open(home.path()).unwrap();
    let file = dir.file(OsStr::new("done")).unwrap();
    (home, dir, file)
}

fn is_unsettled(file: SteadyFile) -> bool {
    matches!(file.bytes(1000).0, Reading::Unsettled)
}

#[test]
fn p24_a_file_replaced_while_it_is_read_is_unsettled() {
    // Many times, because within one tick of the clock the times of a file tell nothing.
    for _ in 0..100 {
        let (home, _, file) = opened("one");
        fs::write(home.path().join("next"), "two").unwrap();
        fs::rename(home.path().join("next"), home.path().join("done")).unwrap();
        assert!(is_unsettled(file));
    }
}

#[test]
fn p24_a_file_overwritten_in_place_while_it_is_read_is_unsettled() {
    let (home, _, file) = opened("one");
    let mut writer = fs::OpenOptions::new().write(true).open(home.path().join("done")).unwrap();
    writer.write_all(b"two").unwrap();
    writer.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(is_unsettled(file));
}

#[test]
fn p24_a_file_removed_while_it_is_read_is_unsettled() {
    let (home, _, file) = opened("one");
    fs::remove_file(home.path().join("done")).unwrap();
    assert!(is_unsettled(file));
}

#[test]
fn p24_a_file_that_grows_or_shrinks_while_it_is_read_is_unsettled() {
    let (home, dir, file) = opened("one");
    let mut writer = fs::OpenOptions::new().append(true).open(home.path().join("done")).unwrap();
    writer.write_all(b" more").unwrap();
    assert!(is_unsettled(file));
    let file = dir.file(OsStr::new("done")).unwrap();
    writer.set_len(1).unwrap();
    assert!(is_unsettled(file));
    let file = dir.file(OsStr::new("done")).unwrap();
    writer.set_len(5000).unwrap();
    assert!(is_unsettled(file), "beyond the limit");
}

#[test]
fn an_untouched_file_is_whole() {
    let (_home, _, file) = opened("one");
    let (Reading::Whole(content), bytes) = file.bytes(3) else { panic!("not whole") };
    assert_eq!((content.size, bytes.as_slice()), (3, b"one".as_slice()));
    assert_eq!(content.digest, super::super::digest::digest(b"one"));
}

#[test]
fn times_before_the_epoch_are_times() {
    assert!(time(-1, 0) < SystemTime::UNIX_EPOCH);
    assert_eq!(time(1, 5), SystemTime::UNIX_EPOCH + Duration::new(1, 5));
}
