#![expect(clippy::disallowed_methods, reason = "tests make real files")]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode};

use super::*;
use crate::signal::Board;

struct Attempt {
    _home: tempfile::TempDir,
    signals: PathBuf,
}

impl Attempt {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let board = Board::new(home.path().join(".laneway/shop/1"));
        let task = TaskId::new("types").unwrap();
        _ = board.put_up_attempt(&task, 1).unwrap();
        Self { signals: board.signals_dir(&task, 1), _home: home }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.signals.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn ended(&self) -> Scan {
        scan(&self.signals, &Limits::default(), Settle::Ended).unwrap()
    }

    /// The reason for the only file that is rejected.
    fn rejection(&self) -> (String, RejectReason) {
        let mut scan = self.ended();
        assert_eq!(scan.rejected.len(), 1, "{scan:?}");
        assert!(scan.accepted.is_empty(), "{scan:?}");
        let Rejected { name, reason } = scan.rejected.remove(0);
        (name, reason)
    }
}

fn names(scan: &Scan) -> Vec<&str> {
    scan.accepted.iter().map(|file| file.name.as_str()).collect()
}

#[test]
fn ar27_every_signal_of_the_protocol_is_read() {
    let attempt = Attempt::new();
    let all = [
        ("artifacts/report/index.html", "<html>", SignalKind::Artifact { name: "report/index.html".into() }),
        ("ask/1", "which one?", SignalKind::Ask { id: "1".into() }),
        ("blocked", "no key", SignalKind::Blocked),
        ("concerns/01", "too wide", SignalKind::Concern),
        ("done", "all of it", SignalKind::Done),
        ("failed", "none of it", SignalKind::Failed),
        ("notes/other-task/1", "mind the gap", SignalKind::Note { to: TaskId::new("other-task").unwrap() }),
        ("ops-concerns/01", "slow disk", SignalKind::OpsConcern),
        ("outputs.json", r#"{"stubs": ["a.rs"]}"#, SignalKind::Outputs),
        ("progress", "half", SignalKind::Progress),
        ("summary.md", "# Summary", SignalKind::Summary),
    ];
    for (name, text, _) in &all {
        attempt.write(name, text);
    }
    let scan = attempt.ended();
    assert_eq!(scan.rejected, []);
    let found: Vec<_> = scan.accepted.iter().map(|f| (f.name.as_str(), &f.kind, f.size)).collect();
    let wanted: Vec<_> = all.iter().map(|(name, text, kind)| (*name, kind, text.len() as u64)).collect();
    assert_eq!(found, wanted);
    assert_eq!(scan.accepted[0].digest, crate::signal::digest(b"<html>"));
    assert_eq!(scan.accepted[0].body, Body::Blob);
    assert_eq!(scan.accepted[4].body.text(), "all of it");
}

#[test]
fn ar27_an_empty_done_is_a_claim_and_an_empty_concern_is_not_a_concern() {
    let attempt = Attempt::new();
    attempt.write("done", "");
    let scan = attempt.ended();
    assert!(matches!(scan.claim(), Some(Claim::Done(file)) if file.size == 0));
    fs::remove_file(attempt.signals.join("done")).unwrap();
    attempt.write("concerns/01", " \n");
    assert_eq!(attempt.rejection(), ("concerns/01".to_owned(), RejectReason::Empty));
}

#[test]
fn of_several_claims_the_one_that_claims_least_counts() {
    let attempt = Attempt::new();
    assert_eq!(attempt.ended().claim(), None);
    attempt.write("done", "yes");
    attempt.write("blocked", "a key");
    assert!(matches!(attempt.ended().claim(), Some(Claim::Blocked(_))));
    attempt.write("failed", "no");
    assert!(matches!(attempt.ended().claim(), Some(Claim::Failed(_))));
}

#[test]
fn text_of_other_systems_is_made_ours_and_its_digest_is_of_the_bytes() {
    let attempt = Attempt::new();
    attempt.write("done", b"\xef\xbb\xbfone\r\ntwo\r\n");
    let scan = attempt.ended();
    assert_eq!(scan.accepted[0].body.text(), "one\ntwo\n");
    assert_eq!(scan.accepted[0].digest, crate::signal::digest(b"\xef\xbb\xbfone\r\ntwo\r\n"));
}

#[test]
fn bytes_that_are_no_text_are_rejected_with_their_position() {
    let attempt = Attempt::new();
    attempt.write("done", b"ab\xff");
    assert_eq!(attempt.rejection().1, RejectReason::NotUtf8 { at: 2 });
    attempt.write("done", b"a\0b");
    assert_eq!(attempt.rejection().1, RejectReason::Nul { at: 1 });
    attempt.write("done", b"\xff\xfed\0o\0");
    assert!(matches!(attempt.rejection().1, RejectReason::Nul { .. }), "UTF-16");
}

#[test]
fn a_symlink_is_never_followed() {
    let attempt = Attempt::new();
    let secret = attempt.signals.parent().unwrap().join("secret");
    fs::write(&secret, "key").unwrap();
    symlink(&secret, attempt.signals.join("done")).unwrap();
    let found = NodeKind::Symlink;
    assert_eq!(attempt.rejection(), ("done".to_owned(), RejectReason::NotAFile { found }));
    fs::remove_file(attempt.signals.join("done")).unwrap();
    fs::remove_dir(attempt.signals.join("concerns")).unwrap();
    symlink(secret.parent().unwrap(), attempt.signals.join("concerns")).unwrap();
    assert_eq!(attempt.rejection(), ("concerns".to_owned(), RejectReason::NotADirectory { found }));
}

#[test]
fn a_signal_directory_that_is_a_symlink_or_gone_is_an_error() {
    let attempt = Attempt::new();
    let link = attempt.signals.parent().unwrap().join("link");
    symlink(&attempt.signals, &link).unwrap();
    let limits = Limits::default();
    assert!(matches!(scan(&link, &limits, Settle::Ended), Err(BoardError::InTheWay { .. })));
    fs::remove_dir_all(&attempt.signals).unwrap();
    assert!(matches!(scan(&attempt.signals, &limits, Settle::Ended), Err(BoardError::Gone { .. })));
}

#[test]
fn a_pipe_a_socket_and_a_directory_do_not_block_the_scan() {
    let attempt = Attempt::new();
    let node = |name: &str, kind| {
        rustix::fs::mknodat(CWD, attempt.signals.join(name), kind, Mode::from_raw_mode(0o644), 0).unwrap();
    };
    node("done", FileType::Fifo);
    node("failed", FileType::Socket);
    fs::create_dir(attempt.signals.join("blocked")).unwrap();
    let found: Vec<_> = attempt.ended().rejected.into_iter().map(|r| r.reason).collect();
    let wanted = [NodeKind::Directory, NodeKind::Fifo, NodeKind::Socket];
    assert_eq!(found, wanted.map(|found| RejectReason::NotAFile { found }));
}

#[test]
fn a_device_is_not_opened() {
    let attempt = Attempt::new();
    let path = attempt.signals.join("done");
    let null = rustix::fs::makedev(1, 3);
    if rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), null).is_err() {
        eprintln!("skipped: making a device needs root");
        return;
    }
    assert_eq!(attempt.rejection().1, RejectReason::NotAFile { found: NodeKind::Device });
}

#[test]
fn a_huge_sparse_file_is_rejected_unread() {
    let attempt = Attempt::new();
    let size = 10 * 1024 * 1024 * 1024;
    for name in ["done", "artifacts/core"] {
        File::create(attempt.signals.join(name)).unwrap().set_len(size).unwrap();
    }
    let rejected = attempt.ended().rejected;
    let reasons: Vec<_> = rejected.iter().map(|r| &r.reason).collect();
    let limits = Limits::default();
    assert_eq!(
        reasons,
        [
            &RejectReason::TooLarge { size, limit: limits.artifact_bytes },
            &RejectReason::TooLarge { size, limit: limits.claim_bytes },
        ]
    );
}

#[test]
fn a_file_of_exactly_the_limit_is_taken() {
    let attempt = Attempt::new();
    attempt.write("done", vec![b'x'; 64 * 1024]);
    assert_eq!(names(&attempt.ended()), ["done"]);
    attempt.write("done", vec![b'x'; 64 * 1024 + 1]);
    assert!(matches!(attempt.rejection().1, RejectReason::TooLarge { .. }));
}

#[test]
fn names_that_would_confuse_a_terminal_or_a_log_are_rejected_and_escaped() {
    let attempt = Attempt::new();
    attempt.write("concerns/a\nb", "text");
    assert_eq!(attempt.rejection(), ("concerns/a\\nb".to_owned(), RejectReason::NameControl));
    fs::remove_file(attempt.signals.join("concerns/a\nb")).unwrap();
    fs::write(attempt.signals.join(OsStr::from_bytes(b"d\xffne")), "x").unwrap();
    assert_eq!(attempt.rejection().1, RejectReason::NameNotUtf8);
    fs::remove_file(attempt.signals.join(OsStr::from_bytes(b"d\xffne"))).unwrap();
    attempt.write(&format!("concerns/{}", "x".repeat(129)), "text");
    assert_eq!(attempt.rejection().1, RejectReason::NameTooLong { len: 129, limit: 128 });
}

#[test]
fn an_unknown_name_is_rejected_with_the_one_that_was_meant() {
    let attempt = Attempt::new();
    attempt.write("done.txt", "it");
    let (name, reason) = attempt.rejection();
    assert_eq!(name, "done.txt");
    assert_eq!(reason.to_string(), "no signal has this name; did you mean `done`?");
    fs::remove_file(attempt.signals.join("done.txt")).unwrap();
    attempt.write("notes/hello", "text");
    let hint = attempt.rejection().1.to_string();
    assert!(hint.contains("notes/<task>/hello"), "{hint}");
    fs::remove_file(attempt.signals.join("notes/hello")).unwrap();
    attempt.write("notes/Not A Task/1", "text");
    assert!(matches!(attempt.rejection().1, RejectReason::NotATask { .. }));
}

#[test]
fn names_of_editors_and_writers_are_ignored() {
    let attempt = Attempt::new();
    for name in [".done.swp", "done.tmp", "done~", "concerns/.x", "artifacts/.cache/x"] {
        attempt.write(name, "private");
    }
    assert_eq!(attempt.ended(), Scan::default());
}

#[test]
fn a_deep_tree_is_read_only_so_far() {
    let attempt = Attempt::new();
    attempt.write("artifacts/1/2/3/4/file", "deep");
    attempt.write(&format!("artifacts/a/b/c/d/e/{}file", "f/".repeat(200)), "too deep");
    attempt.write("concerns/dir/file", "nested");
    let scan = attempt.ended();
    assert_eq!(names(&scan), ["artifacts/1/2/3/4/file"]);
    let found: Vec<_> = scan.rejected.iter().map(|r| (r.name.as_str(), r.reason.code())).collect();
    assert_eq!(found, [("artifacts/a/b/c/d/e", "too_deep"), ("concerns/dir", "not_a_file")]);
}

#[test]
fn too_many_files_are_one_rejection() {
    let attempt = Attempt::new();
    for n in 0..103 {
        attempt.write(&format!("concerns/{n:03}"), "text");
    }
    for n in 0..60 {
        attempt.write(&format!("notes/t{n}/1"), "text");
    }
    let scan = attempt.ended();
    assert_eq!(scan.accepted.len(), 150);
    let reasons: Vec<_> = scan.rejected.iter().map(|r| r.reason.clone()).collect();
    assert_eq!(
        reasons,
        [RejectReason::TooMany { found: 103, limit: 100 }, RejectReason::TooMany { found: 60, limit: 50 }]
    );
}

#[test]
fn a_flood_of_wrong_names_is_summed_up() {
    let attempt = Attempt::new();
    for n in 0..500 {
        attempt.write(&format!("junk{n:03}"), "");
    }
    let limits = Limits { entries: 300, ..Limits::default() };
    let scan = scan(&attempt.signals, &limits, Settle::Ended).unwrap();
    assert_eq!(scan.rejected.len(), limits.rejections + 1);
    let last = &scan.rejected.last().unwrap().reason;
    assert!(matches!(last, RejectReason::Further { count } if *count > 190), "{last:?}");
    assert_eq!(scan.rejected[0].reason, RejectReason::TooMany { found: 301, limit: 300 });
}

#[test]
fn a_file_without_permission_says_how_to_make_it_readable() {
    let attempt = Attempt::new();
    attempt.write("done", "secret");
    fs::set_permissions(attempt.signals.join("done"), fs::Permissions::from_mode(0o000)).unwrap();
    if File::open(attempt.signals.join("done")).is_ok() {
        eprintln!("skipped: root reads files without permission");
        return;
    }
    assert!(attempt.rejection().1.to_string().contains("chmod 644"));
}

#[test]
fn ar27_wrong_outputs_are_rejected_with_the_reason() {
    let attempt = Attempt::new();
    attempt.write("outputs.json", r#"{"stubs": "a.rs"}"#);
    assert!(attempt.rejection().1.to_string().contains("must hold a list"));
}

#[test]
fn p24_a_slow_direct_write_counts_when_its_writer_has_closed_it() {
    let attempt = Attempt::new();
    let mut writer = File::create(attempt.signals.join("done")).unwrap();
    writer.write_all(b"half of ").unwrap();
    let mut closed = BTreeSet::new();
    let live = |closed: &BTreeSet<String>| {
        let now = SystemTime::now();
        let settle = Settle::Live { closed, now, quiet: Duration::from_secs(3600) };
        scan(&attempt.signals, &Limits::default(), settle).unwrap()
    };
    assert_eq!(live(&closed).unsettled, ["done"]);
    writer.write_all(b"it").unwrap();
    drop(writer);
    closed.insert("done".to_owned());
    let scan = live(&closed);
    assert_eq!(scan.accepted[0].body.text(), "half of it");
    assert!(scan.unsettled.is_empty());
}

#[test]
fn p24_a_private_name_is_not_rejected_before_its_writer_could_rename_it() {
    let attempt = Attempt::new();
    attempt.write("done.partial", "it");
    let closed = BTreeSet::from(["done.partial".to_owned()]);
    let at = |now| {
        let settle = Settle::Live { closed: &closed, now, quiet: Duration::from_secs(60) };
        scan(&attempt.signals, &Limits::default(), settle).unwrap()
    };
    assert_eq!(at(SystemTime::now()).unsettled, ["done.partial"]);
    assert_eq!(at(SystemTime::now() + Duration::from_secs(61)).rejected.len(), 1);
}

#[test]
fn p24_a_reader_never_sees_half_of_what_is_renamed_into_place() {
    let attempt = Attempt::new();
    let texts = [vec![b'a'; 60_000], vec![b'b'; 50_000]];
    attempt.write("done", &texts[0]);
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            for n in 0..400 {
                let private = attempt.signals.join(".private");
                fs::write(&private, &texts[n % 2]).unwrap();
                fs::rename(&private, attempt.signals.join("done")).unwrap();
            }
        });
        while !writing.is_finished() {
            let scan = attempt.ended();
            assert_eq!(scan.rejected, []);
            for file in scan.accepted {
                let text = file.body.text().as_bytes();
                assert!(texts.iter().any(|whole| whole == text), "{} bytes", text.len());
            }
        }
    });
}

#[test]
fn artifacts_are_left_until_their_writers_have_ended() {
    let attempt = Attempt::new();
    attempt.write("artifacts/log", "text");
    let closed = BTreeSet::new();
    let now = SystemTime::now() + Duration::from_secs(3600);
    let settle = Settle::Live { closed: &closed, now, quiet: Duration::ZERO };
    assert_eq!(scan(&attempt.signals, &Limits::default(), settle).unwrap(), Scan::default());
    assert_eq!(names(&attempt.ended()), ["artifacts/log"]);
}
