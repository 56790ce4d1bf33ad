use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::super::request::{StopMode, Target};
use super::*;
use crate::id::{LaneId, Sha, TaskId};

fn board() -> (tempfile::TempDir, Board) {
    let home = tempfile::tempdir().unwrap();
    let board = Board::new(home.path().join(".laneway/shop/1"));
    _ = board.put_up(&[]).unwrap();
    (home, board)
}

fn put(board: &Board, name: &str, text: &str) {
    fs::write(board.control_dir().join(name), text).unwrap();
}

fn read(board: &Board) -> Requests {
    read_requests(board, Settle::Ended).unwrap()
}

#[test]
fn ar27_every_verb_survives_the_way_through_its_file() {
    let (_home, board) = board();
    let task = TaskId::new("types").unwrap();
    let lane = LaneId::new("api").unwrap();
    let sha = Some(Sha::new(&"a".repeat(40)).unwrap());
    let verbs = [
        Verb::Cancel { target: Target::Run },
        Verb::Cancel { target: Target::Lane(lane.clone()) },
        Verb::Cancel { target: Target::Task(task.clone()) },
        Verb::Pause {},
        Verb::Resume {},
        Verb::Stop { mode: StopMode::Now },
        Verb::Retry { tasks: vec![task.clone()], lanes: vec![lane] },
        Verb::Merge { pr: 7, sha: sha.clone() },
        Verb::Approve { pr: 7, sha: sha.clone() },
        Verb::RequestChanges { pr: 7, sha },
        Verb::Comment { pr: 7 },
        Verb::Close { pr: 7 },
        Verb::Answer { task: task.clone(), ask: Some("1".to_owned()), text: "yes".to_owned() },
        Verb::SignalDone { task: task.clone() },
        Verb::SignalFailed { task },
    ];
    for verb in verbs {
        let at = Some("2026-01-01T00:00:00Z".to_owned());
        let sent = submit(&board, verb, "ada", at, Some("why".to_owned())).unwrap();
        let found = read(&board);
        assert!(found.rejected.is_empty(), "{:?}", found.rejected);
        assert_eq!(found.accepted, std::slice::from_ref(&sent));
        take(&board, OsStr::new(&sent.file)).unwrap();
        assert!(board.taken_dir().join(&sent.file).is_file());
        assert!(read(&board).accepted.is_empty());
    }
}

#[test]
fn ar27_touch_and_echo_are_enough_for_the_verbs_that_need_nothing() {
    let (_home, board) = board();
    put(&board, "cancel-x", "");
    put(&board, "pause", "lunch\n");
    put(&board, "retry-all", "");
    put(&board, "stop-1", "{\"mode\": \"now\", \"by\": \"script\"}");
    let mut found = read(&board).accepted;
    found.sort_by(|a, b| a.file.cmp(&b.file));
    let verbs: Vec<_> = found.iter().map(|r| (&r.verb, r.note.as_deref(), r.by.as_str())).collect();
    assert_eq!(
        verbs,
        [
            (&Verb::Cancel { target: Target::Run }, None, ""),
            (&Verb::Pause {}, Some("lunch"), ""),
            (&Verb::Retry { tasks: vec![], lanes: vec![] }, None, ""),
            (&Verb::Stop { mode: StopMode::Now }, None, "script"),
        ]
    );
}

#[test]
fn ar27_malformed_requests_are_rejected_with_the_reason_and_can_be_taken() {
    let (_home, board) = board();
    put(&board, "explode-1", "");
    put(&board, "merge-1", "");
    put(&board, "merge-2", "{\"pr\": \"seven\"}");
    put(&board, "pause-1", "{\"pr\": 7}");
    put(&board, "retry-1", "{\"tasks\": [\"../x\"]}");
    put(&board, "stop-1", "{");
    put(&board, "cancel-1", "a\0b");
    File::create(board.control_dir().join("resume-1")).unwrap().set_len(1 << 33).unwrap();
    symlink("/etc/passwd", board.control_dir().join("close-1")).unwrap();
    fs::create_dir(board.control_dir().join("comment-1")).unwrap();
    fs::write(board.control_dir().join(OsStr::from_bytes(b"pause-\xff")), "").unwrap();
    let found = read(&board);
    assert!(found.accepted.is_empty(), "{:?}", found.accepted);
    assert_eq!(found.rejected.len(), 11, "{:?}", found.rejected);
    let text: Vec<_> = found.rejected.iter().map(|r| format!("{}: {}", r.name, r.reason)).collect();
    assert!(text.iter().any(|t| t.starts_with("merge-1: ") && t.contains("missing field `pr`")), "{text:?}");
    assert!(text.iter().any(|t| t.starts_with("pause-1: ") && t.contains("unknown field `pr`")), "{text:?}");
    for rejected in &found.rejected {
        take(&board, &rejected.file).unwrap();
    }
    assert!(read(&board).rejected.is_empty());
}

#[test]
fn requests_come_in_the_order_they_were_written() {
    let (_home, board) = board();
    let mut sent = Vec::new();
    for _ in 0..20 {
        sent.push(submit(&board, Verb::Resume {}, "ada", None, None).unwrap());
        sent.push(submit(&board, Verb::Pause {}, "ada", None, None).unwrap());
        // Files of one clock tick have one time; the next tick is seen by asking for it.
        let last = board.control_dir().join(&sent.last().unwrap().file);
        let written = fs::metadata(last).unwrap().modified().unwrap();
        let probe = board.root().join("probe");
        while {
            fs::write(&probe, "").unwrap();
            fs::metadata(&probe).unwrap().modified().unwrap() <= written
        } {}
    }
    let found = read(&board).accepted;
    let pairs = |requests: &[Request]| -> Vec<BTreeSet<String>> {
        requests.chunks(2).map(|pair| pair.iter().map(|r| r.file.clone()).collect()).collect()
    };
    assert_eq!(pairs(&found), pairs(&sent));
}

#[test]
fn a_request_is_taken_once_and_its_name_may_come_again() {
    let (_home, board) = board();
    for _ in 0..2 {
        put(&board, "pause-1", "");
        take(&board, OsStr::new("pause-1")).unwrap();
        take(&board, OsStr::new("pause-1")).unwrap();
    }
    assert_eq!(fs::read_dir(board.taken_dir()).unwrap().count(), 2);
}

#[test]
fn p24_a_request_that_is_still_being_written_waits() {
    let (_home, board) = board();
    put(&board, "pause-1", "lun");
    put(&board, "pause-1.new", "");
    put(&board, "new", "");
    let closed = BTreeSet::from(["pause-1.new".to_owned()]);
    let settle = Settle::Live { closed: &closed, now: SystemTime::now(), quiet: Duration::from_secs(3600) };
    let found = read_requests(&board, settle).unwrap();
    assert_eq!(found.unsettled, ["new", "pause-1"]);
    assert_eq!(found.accepted[0].file, "pause-1.new");
}

#[test]
fn a_deleted_control_directory_is_told() {
    let (_home, board) = board();
    fs::remove_dir_all(board.control_dir()).unwrap();
    assert!(matches!(read_requests(&board, Settle::Ended), Err(BoardError::Gone { .. })));
}
