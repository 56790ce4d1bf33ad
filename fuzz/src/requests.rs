//! Requests to a run: a file in `control/` is taken, waits, or is refused with a reason; what is taken says the same
//! when Laneway writes it itself.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, SystemTime};

use laneway::signal::{Board, Outputs, Question, Settle, VerbName, read_requests, submit, take};

use super::pieces::Pieces;

/// A verb, what is added to its name, and the text of the file.
pub fn run(data: &[u8]) {
    let mut pieces = Pieces::new(data);
    let verb = VerbName::ALL[usize::from(pieces.byte()) % VerbName::ALL.len()];
    let mut name = verb.as_str().as_bytes().to_vec();
    name.extend(pieces.bytes().iter().map(|byte| if *byte == 0 || *byte == b'/' { b'-' } else { *byte }));
    let text = pieces.rest();
    if let Ok(text) = std::str::from_utf8(text) {
        outputs(text);
        _ = Question::parse(text);
    }
    let dir = tempfile::tempdir().expect("a directory");
    let board = Board::new(dir.path().join("board"));
    _ = board.put_up(&[]).expect("a board");
    if std::fs::write(board.control_dir().join(OsStr::from_bytes(&name)), text).is_err() {
        return;
    }
    let closed = BTreeSet::new();
    let live = Settle::Live { closed: &closed, now: SystemTime::now(), quiet: Duration::from_secs(60) };
    assert!(read_requests(&board, live).expect("readable").accepted.is_empty(), "taken while it is written");
    let found = read_requests(&board, Settle::Ended).expect("readable");
    assert!(found.accepted.len() + found.rejected.len() <= 1 && found.unsettled.is_empty());
    for refused in &found.rejected {
        assert!(!refused.reason.to_string().is_empty());
        assert!(!refused.name.chars().any(char::is_control), "{:?}", refused.name);
        take(&board, &refused.file).expect("it can be put aside");
    }
    for taken in found.accepted {
        assert_eq!(taken.verb.name(), verb);
        take(&board, OsStr::new(&taken.file)).expect("it can be put aside");
        let ours = submit(&board, taken.verb.clone(), &taken.by, taken.at.clone(), taken.note.clone());
        let ours = ours.expect("it can be written");
        let again = read_requests(&board, Settle::Ended).expect("readable").accepted;
        assert_eq!(again, [ours]);
        take(&board, OsStr::new(&again[0].file)).expect("it can be put aside");
    }
    assert!(read_requests(&board, Settle::Ended).expect("readable").accepted.is_empty(), "taken twice");
}

fn outputs(text: &str) {
    if let Ok(outputs) = Outputs::parse(text) {
        let rendered = outputs.render();
        assert_eq!(Outputs::parse(&rendered).expect("what is written can be read").render(), rendered);
    }
}
