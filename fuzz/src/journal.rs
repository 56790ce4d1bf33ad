//! A damaged journal: it is refused, or what is taken hangs together and is what was written.

use std::fs;

use laneway::journal::{Journal, JournalError, LineHash, Mode, verify};

use super::pieces::Pieces;

const PREV: &str = "\"prev\":\"";

/// An even first byte: the rest is the file. An odd one: a good journal, then the damage that the rest says.
pub fn run(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    if how % 2 == 0 {
        check(rest, &[], false);
    } else {
        let mut pieces = Pieces::new(rest);
        let (mut bytes, lines) = written(&mut pieces);
        let only_cut = damage(&mut bytes, &mut pieces);
        check(&bytes, &lines, only_cut);
    }
}

/// A journal of a few lines, by the rule that `docs/events.md` tells.
fn written(pieces: &mut Pieces<'_>) -> (Vec<u8>, Vec<String>) {
    let mut prev = "0".repeat(64);
    let mut bytes = Vec::new();
    let mut lines = Vec::new();
    for number in 0..=pieces.byte() % 8 {
        let text: String = String::from_utf8_lossy(pieces.bytes()).into_owned();
        let text = serde_json::to_string(&text).expect("a text");
        let line = format!("{{\"seq\":{number},\"text\":{text},{PREV}{prev}\"}}");
        LineHash::of(line.as_bytes()).as_str().clone_into(&mut prev);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        lines.push(line);
    }
    (bytes, lines)
}

/// Does damage, and says whether nothing but the end was lost.
fn damage(bytes: &mut Vec<u8>, pieces: &mut Pieces<'_>) -> bool {
    let mut only_cut = true;
    for _ in 0..4 {
        if pieces.is_empty() {
            break;
        }
        let what = pieces.byte() % 6;
        let at = pieces.place(bytes.len());
        match what {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << (pieces.byte() % 8),
            2 => drop(bytes.splice(at..at, pieces.bytes().to_vec())),
            3 => {
                let until = pieces.place(bytes.len()).max(at);
                drop(bytes.drain(at..until));
            }
            4 => {
                let until = pieces.place(bytes.len()).max(at);
                let again = bytes[at..until].to_vec();
                drop(bytes.splice(until..until, again));
            }
            _ => bytes.extend_from_slice(pieces.bytes()),
        }
        only_cut &= what == 0;
    }
    only_cut
}

fn check(bytes: &[u8], written: &[String], only_cut: bool) {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("journal.jsonl"), bytes).expect("writable");
    let (lines, torn) = match Journal::open(dir.path(), Mode::ReadOnly) {
        Ok((_, replay)) => {
            let lines: Vec<String> = replay.lines.iter().map(str::to_owned).collect();
            (lines, replay.torn.map_or(0, |torn| torn.bytes))
        }
        Err(JournalError::Damaged { .. }) => {
            assert!(!only_cut, "a journal that only lost its end was refused");
            let again = Journal::open(dir.path(), Mode::Append);
            assert!(again.is_err(), "damage was taken for writing");
            let left = fs::read(dir.path().join("journal.jsonl")).expect("readable");
            assert_eq!(left, bytes, "a refused journal was changed");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let mut prev = "0".repeat(64);
    let mut good = 0;
    for line in &lines {
        assert!(line.ends_with(&format!("{PREV}{prev}\"}}")), "a broken chain was taken: {line}");
        LineHash::of(line.as_bytes()).as_str().clone_into(&mut prev);
        good += line.len() + 1;
    }
    assert_eq!(good as u64 + torn, bytes.len() as u64);
    // All but the last are vouched for by the next; only whoever forges hashes could have changed them.
    if let Some((_, vouched)) = lines.split_last() {
        for (line, before) in vouched.iter().zip(written) {
            assert_eq!(line, before);
        }
    }
    if only_cut {
        let whole = memchr::memchr_iter(b'\n', bytes).count();
        assert_eq!(lines.len(), whole);
        assert!(lines.iter().zip(written).all(|(line, before)| line == before));
    }
    go_on(dir.path(), &lines, torn, &bytes[good..]);
}

/// Opening for writing sets the torn tail aside, and what is appended then hangs together with the rest.
fn go_on(dir: &std::path::Path, lines: &[String], torn: u64, tail: &[u8]) {
    let (mut journal, replay) = Journal::open(dir, Mode::Append).expect("it was good for reading");
    assert_eq!(replay.lines.len(), lines.len() as u64);
    if torn > 0 {
        let saved = replay.torn.and_then(|torn| torn.saved_as).expect("a torn tail is saved");
        assert_eq!(fs::read(saved).expect("it is there"), tail);
    }
    journal.append(&["{\"more\":1}".to_owned()]).expect("appended");
    drop(journal);
    let verified = verify(dir).expect("good");
    assert_eq!((verified.lines, verified.torn_bytes), (lines.len() as u64 + 1, 0));
}
