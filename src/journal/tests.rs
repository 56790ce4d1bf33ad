use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::{env, thread};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::chain::{LineHash, Position, push_line};
use super::scan::{Fault, scan};
use super::*;

/// Tells the copies of this test binary that are started as other processes where to work.
const CHILD_DIR: &str = "LANEWAY_TEST_JOURNAL";

fn dir() -> TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn file(dir: &TempDir) -> PathBuf {
    dir.path().join("journal.jsonl")
}

fn body(n: usize) -> String {
    json!({ "seq": n, "kind": "test", "text": "é \"quoted\" \n line" }).to_string()
}

fn bodies(count: usize) -> Vec<String> {
    (1..=count).map(body).collect()
}

/// A closed journal with `count` lines, and its bytes.
fn written(count: usize) -> (TempDir, Vec<u8>) {
    let dir = dir();
    Journal::create(dir.path()).unwrap().append(&bodies(count)).unwrap();
    let bytes = fs::read(file(&dir)).unwrap();
    (dir, bytes)
}

fn with_bytes(bytes: &[u8]) -> TempDir {
    let dir = dir();
    fs::write(file(&dir), bytes).unwrap();
    dir
}

fn seqs(lines: &Lines) -> Vec<u64> {
    lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

fn open(dir: &Path) -> Result<(Journal, Replay), JournalError> {
    Journal::open(dir, Mode::Append)
}

/// The line and the reason, if the journal in `dir` is refused as damaged.
fn damage(dir: &Path) -> Option<(u64, Damage)> {
    match open(dir) {
        Err(JournalError::Damaged { line, reason, .. }) => Some((line, reason)),
        Err(error) => panic!("not refused as damaged but: {error}"),
        Ok(_) => None,
    }
}

fn line_starts(bytes: &[u8]) -> Vec<usize> {
    std::iter::once(0).chain(memchr::memchr_iter(b'\n', bytes).map(|at| at + 1)).collect()
}

#[test]
fn a01_what_was_appended_comes_back_in_order_and_linked() {
    let dir = dir();
    let mut journal = Journal::create(dir.path()).unwrap();
    journal.append(&bodies(1)).unwrap();
    journal.append(&[]).unwrap();
    journal.append(&["{}".to_owned(), "{ }".to_owned(), r#"{"prev ":"x"}"#.to_owned()]).unwrap();
    let end = journal.end();
    drop(journal);

    let (mut journal, replay) = open(dir.path()).unwrap();
    assert_eq!((replay.lines.len(), replay.torn.is_none()), (4, true));
    assert_eq!((journal.end(), replay.lines.end()), (end, end));
    let mut prev = "0".repeat(64);
    for line in &replay.lines {
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["prev"], json!(prev), "in {line}");
        prev = LineHash::of(line.as_bytes()).to_string();
    }
    journal.append(&[body(5)]).unwrap();
    let verified = verify(dir.path()).unwrap();
    assert_eq!(verified, Verified { lines: 5, head: journal.end().head, torn_bytes: 0 });
}

#[test]
fn the_digest_is_sha_256_of_the_line_without_its_newline() {
    let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(LineHash::of(b"abc").as_str(), known);
    let (_dir, bytes) = written(2);
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let prev = format!(",\"prev\":\"{}\"}}", LineHash::of(lines[0]));
    assert!(lines[1].ends_with(prev.as_bytes()));
}

#[test]
fn a_journal_is_never_created_over_another_nor_opened_where_there_is_none() {
    let (dir, bytes) = written(1);
    assert!(matches!(Journal::create(dir.path()), Err(JournalError::Exists { .. })));
    assert_eq!(fs::read(file(&dir)).unwrap(), bytes);
    let empty = self::dir();
    assert!(matches!(open(empty.path()), Err(JournalError::Missing { .. })));
    assert!(matches!(verify(empty.path()), Err(JournalError::Missing { .. })));
    assert!(!file(&empty).exists());
}

#[test]
fn a_body_that_is_no_line_is_refused_and_harms_nothing() {
    let dir = dir();
    let mut journal = Journal::create(dir.path()).unwrap();
    for bad in [
        "",
        "{",
        "}",
        "[]",
        "{\"a\":1}\n",
        "{\n}",
        "{\"a\":}",
        " {}",
        "{} ",
        "{}{}",
        r#"{"prev":1}"#,
        r#"{"p\u0072ev":1}"#,
    ] {
        let error = journal.append(&[body(1), bad.to_owned()]).expect_err(bad);
        assert!(matches!(error, JournalError::Body { index: 1, .. }), "{bad:?}: {error}");
    }
    assert_eq!(fs::metadata(file(&dir)).unwrap().len(), 0);
    journal.append(&[body(1), r#"{"a":{"prev":1}}"#.to_owned()]).unwrap();
    assert_eq!(verify(dir.path()).unwrap().lines, 2);
}

#[test]
fn a18_a_tail_torn_at_any_byte_is_saved_and_cut_and_the_journal_goes_on() {
    let (_dir, bytes) = written(3);
    let starts = line_starts(&bytes);
    for cut in 0..bytes.len() {
        let dir = with_bytes(&bytes[..cut]);
        let whole = starts.iter().filter(|start| **start <= cut).count() - 1;
        let (mut journal, replay) = open(dir.path()).unwrap();
        assert_eq!(replay.lines.len(), whole as u64, "cut at {cut}");
        let tail = &bytes[starts[whole]..cut];
        match replay.torn {
            None => assert!(tail.is_empty(), "cut at {cut}"),
            Some(torn) => {
                assert_eq!(torn.bytes, tail.len() as u64);
                assert_eq!(fs::read(torn.saved_as.unwrap()).unwrap(), tail, "cut at {cut}");
            }
        }
        journal.append(&bodies(3)[whole..]).unwrap();
        assert_eq!(fs::read(file(&dir)).unwrap(), bytes, "cut at {cut}");
    }
}

#[test]
fn any_byte_changed_before_the_last_line_is_found_and_its_line_named() {
    let (dir, bytes) = written(4);
    let starts = line_starts(&bytes);
    let last = starts[3];
    for at in 0..last {
        let mut changed = bytes.clone();
        changed[at] ^= 0x04;
        fs::write(file(&dir), &changed).unwrap();
        let line = starts.iter().filter(|start| **start <= at).count() as u64;
        if at == last - 1 {
            // Without the newline between them the last two lines are one that nothing well-formed follows.
            assert!(matches!(scan(&changed, Position::START), Ok(Position { lines: 2, .. })));
            continue;
        }
        let (found, _) = damage(dir.path()).unwrap_or_else(|| panic!("byte {at} of line {line}: not found"));
        assert_eq!(found, line, "byte {at}");
        assert_eq!(fs::read(file(&dir)).unwrap(), changed, "a refused journal was changed");
        let named = verify(dir.path()).expect_err("damaged").to_string();
        assert!(named.contains(&format!("line {line} ")), "{named}");
    }
}

#[test]
fn a_line_lost_doubled_swapped_or_put_in_is_found() {
    let (_dir, bytes) = written(5);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let order = |order: &[usize]| -> Vec<u8> { order.iter().flat_map(|n| lines[*n]).copied().collect() };
    for (what, order, line) in [
        ("lost", order(&[0, 1, 3, 4]), 2),
        ("first lost", order(&[1, 2, 3, 4]), 1),
        ("doubled", order(&[0, 1, 1, 2]), 2),
        ("swapped", order(&[0, 2, 1, 3, 4]), 2),
    ] {
        assert_eq!(damage(with_bytes(&order).path()).map(|(line, _)| line), Some(line), "{what}");
    }
    let put_in = [lines[0], lines[1], b"\n", lines[2]].concat();
    assert_eq!(damage(with_bytes(&put_in).path()), Some((3, Damage::Malformed)));
    let not_utf8 = [lines[0], lines[1], b"\xff\xfe\n", lines[2]].concat();
    assert_eq!(damage(with_bytes(&not_utf8).path()), Some((3, Damage::NotUtf8)));
}

#[test]
fn what_a_power_cut_leaves_at_the_end_is_a_torn_tail_unless_a_good_line_follows() {
    let (_dir, bytes) = written(4);
    let starts = line_starts(&bytes);
    let mut third_zeroed = bytes.clone();
    third_zeroed[starts[2] + 5..starts[2] + 9].fill(0);
    let (third, fourth) = (third_zeroed[starts[2]..starts[3]].to_vec(), &bytes[starts[3]..]);

    for tail in [
        &[0; 4096][..],
        b"\xff\xfe\xfd",
        b"garbage\n",
        b"\n\n",
        b"{}\n",
        b"{\"seq\":3}\n{\"seq\":4}\n",
        &third,
        &[&third[..], &fourth[..20]].concat(),
        &[&third[..], &fourth[..20], b"\n"].concat(),
    ] {
        let dir = with_bytes(&[&bytes[..starts[2]], tail].concat());
        let (mut journal, replay) = open(dir.path()).unwrap();
        assert_eq!(seqs(&replay.lines), [1, 2], "{}", String::from_utf8_lossy(tail));
        let torn = replay.torn.unwrap();
        assert_eq!(fs::read(torn.saved_as.unwrap()).unwrap(), tail);
        journal.append(&[body(3)]).unwrap();
        assert_eq!(verify(dir.path()).unwrap().lines, 3);
    }
    assert_eq!(damage(with_bytes(&third_zeroed).path()), Some((3, Damage::Changed { next: 4 })));
}

#[test]
fn a_torn_tail_never_replaces_an_earlier_one() {
    let (dir, bytes) = written(2);
    for tail in ["one", "two"] {
        fs::write(file(&dir), [&bytes[..], tail.as_bytes()].concat()).unwrap();
        open(dir.path()).unwrap();
    }
    let saved = |n| fs::read_to_string(dir.path().join(format!("journal.torn-{n}"))).unwrap();
    assert_eq!((saved(1), saved(2)), ("one".to_owned(), "two".to_owned()));
}

#[test]
fn reading_changes_nothing_and_a_reader_cannot_append() {
    let (dir, bytes) = written(2);
    let torn = [&bytes[..], b"{\"seq\":3"].concat();
    fs::write(file(&dir), &torn).unwrap();
    let (mut journal, replay) = Journal::open(dir.path(), Mode::ReadOnly).unwrap();
    assert_eq!(seqs(&replay.lines), [1, 2]);
    assert_eq!(replay.torn, Some(Torn { bytes: 8, saved_as: None }));
    assert_eq!(verify(dir.path()).unwrap().torn_bytes, 8);
    assert!(matches!(journal.append(&[body(3)]), Err(JournalError::ReadOnly { .. })));
    assert_eq!(fs::read(file(&dir)).unwrap(), torn);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a18_a_second_writer_or_a_deleted_file_stops_the_first_for_good() {
    let (dir, _) = written(1);
    let (mut first, _) = open(dir.path()).unwrap();
    let (mut second, _) = open(dir.path()).unwrap();
    second.append(&[body(2)]).unwrap();
    assert!(matches!(first.append(&[body(2)]), Err(JournalError::Changed { .. })));
    assert!(matches!(first.append(&[body(2)]), Err(JournalError::Poisoned { .. })));
    assert_eq!(verify(dir.path()).unwrap().lines, 2);
    fs::remove_file(file(&dir)).unwrap();
    assert!(matches!(second.append(&[body(3)]), Err(JournalError::Deleted { .. })));
    assert!(matches!(second.append(&[body(3)]), Err(JournalError::Poisoned { .. })));
}

/// Starts `test` of this binary as another process that works in `dir`, behind the shell words `prefix`.
fn child(prefix: &str, test: &str, dir: &Path) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{prefix} exec \"$0\" --exact \"$1\" --ignored --nocapture"))
        .arg(env::current_exe().unwrap())
        .arg(format!("journal::tests::{test}"))
        .env(CHILD_DIR, dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

fn child_dir() -> Option<PathBuf> {
    env::var_os(CHILD_DIR).map(PathBuf::from)
}

/// The number after the last `acknowledged` in the output of a child.
fn acknowledged(line: &str) -> Option<u64> {
    line.rsplit_once("acknowledged ")?.1.trim().parse().ok()
}

#[test]
#[ignore = "the other process of a18_a_full_disk"]
fn child_fills_the_disk() {
    let Some(dir) = child_dir() else { return };
    let mut journal = Journal::create(&dir).unwrap();
    let error = loop {
        match journal.append(&bodies(3)) {
            Ok(()) => println!("\nacknowledged {}", journal.end().lines),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::Write { .. }), "{error}");
    assert!(matches!(journal.append(&bodies(1)), Err(JournalError::Poisoned { .. })));
}

#[test]
fn a18_a_full_disk_stops_the_journal_and_leaves_what_was_acknowledged() {
    let dir = dir();
    // A file size limit gives the short write and the error of a full disk, to this process alone.
    let output = child("trap '' XFSZ; ulimit -f 20;", "child_fills_the_disk", dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let last = text.lines().filter_map(acknowledged).next_back().unwrap();
    assert!(last > 3, "{text}");
    let (mut journal, replay) = open(dir.path()).unwrap();
    assert_eq!((replay.lines.len(), replay.torn), (last, None));
    journal.append(&bodies(1)).unwrap();
}

#[test]
#[ignore = "the other process of a_killed_writer"]
fn child_appends_until_killed() {
    let Some(dir) = child_dir() else { return };
    let mut journal = Journal::create(&dir).unwrap();
    loop {
        journal.append(&bodies(7)).unwrap();
        println!("\nacknowledged {}", journal.end().lines);
    }
}

#[test]
fn a01_a_killed_writer_loses_nothing_that_was_acknowledged() {
    let dir = dir();
    let mut writer = child("", "child_appends_until_killed", dir.path()).spawn().unwrap();
    let mut last = 0;
    for line in BufReader::new(writer.stdout.take().unwrap()).lines() {
        last = acknowledged(&line.unwrap()).unwrap_or(last);
        if last >= 200 {
            break;
        }
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert!(last >= 200, "the writer ended by itself");
    let (mut journal, replay) = open(dir.path()).unwrap();
    assert!(replay.lines.len() >= last);
    journal.append(&bodies(1)).unwrap();
    assert_eq!(verify(dir.path()).unwrap().lines, replay.lines.len() + 1);
}

#[test]
fn a_follower_gets_each_line_once_and_only_whole_ones() {
    let (dir, bytes) = written(2);
    let (mut journal, replay) = open(dir.path()).unwrap();
    let mut from_start = Follow::open(dir.path(), Position::START).unwrap();
    let mut from_end = Follow::open(dir.path(), replay.lines.end()).unwrap();
    assert_eq!(from_start.read_new().unwrap(), replay.lines.iter().collect::<Vec<_>>());
    assert!(from_end.read_new().unwrap().is_empty());

    journal.append(&[body(3), body(4)]).unwrap();
    let new = from_end.read_new().unwrap();
    assert_eq!(new, from_start.read_new().unwrap());
    assert!(new.len() == 2 && new[0].starts_with(&body(3)[..20]) && new[1].ends_with("\"}"));
    assert_eq!(from_end.position(), journal.end());

    let mut line = Vec::new();
    push_line(&mut line, &body(5), &journal.end().head);
    let mut file = OpenOptions::new().append(true).open(file(&dir)).unwrap();
    for part in line.chunks(30) {
        assert!(from_end.read_new().unwrap().is_empty());
        file.write_all(part).unwrap();
    }
    assert_eq!(from_end.read_new().unwrap().len(), 1);
    assert!(from_end.read_new().unwrap().is_empty());
    file.set_len(bytes.len() as u64).unwrap();
    assert!(matches!(from_end.read_new(), Err(JournalError::Changed { .. })));
}

#[test]
fn a_follower_refuses_lines_that_do_not_follow() {
    let (dir, bytes) = written(2);
    let mut follow = Follow::open(dir.path(), Position::START).unwrap();
    follow.read_new().unwrap();
    let mut file = OpenOptions::new().append(true).open(file(&dir)).unwrap();
    file.write_all(&bytes[line_starts(&bytes)[1]..]).unwrap();
    assert!(matches!(follow.read_new(), Err(JournalError::Damaged { line: 2 | 3, .. })));
}

#[test]
fn a01_batches_of_many_producers_stay_whole_and_form_one_chain() {
    const PRODUCERS: usize = 16;
    const BATCHES: usize = 25;
    let dir = dir();
    let writer = GroupWriter::spawn(Journal::create(dir.path()).unwrap()).unwrap();
    let start = Barrier::new(PRODUCERS);
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let (writer, start) = (&writer, &start);
            scope.spawn(move || {
                start.wait();
                for batch in 0..BATCHES {
                    let entry = |n| json!({ "producer": producer, "seq": batch * 3 + n }).to_string();
                    writer.append((0..3).map(entry).collect()).unwrap();
                }
            });
        }
    });
    let end = writer.finish().end();
    let (_, replay) = open(dir.path()).unwrap();
    assert_eq!(replay.lines.end(), end);
    let entries: Vec<Value> = replay.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.len(), PRODUCERS * BATCHES * 3);
    for batch in entries.chunks(3) {
        assert!(batch.iter().all(|entry| entry["producer"] == batch[0]["producer"]), "{batch:?}");
    }
    for producer in 0..PRODUCERS {
        let own = entries.iter().filter(|entry| entry["producer"] == json!(producer));
        assert!(own.map(|entry| entry["seq"].as_u64().unwrap()).eq(0..BATCHES as u64 * 3));
    }
}

#[test]
fn a18_every_producer_learns_that_a_shared_write_failed() {
    let dir = dir();
    let writer = GroupWriter::spawn(Journal::create(dir.path()).unwrap()).unwrap();
    writer.append(bodies(1)).unwrap();
    assert!(matches!(writer.append(vec!["x".to_owned()]), Err(JournalError::Body { .. })));
    writer.append(bodies(1)).unwrap();
    fs::remove_file(file(&dir)).unwrap();
    let answers: Vec<_> = thread::scope(|scope| {
        let producers: Vec<_> = (0..8).map(|_| scope.spawn(|| writer.append(bodies(1)))).collect();
        producers.into_iter().map(|producer| producer.join().unwrap()).collect()
    });
    let deleted = answers.iter().filter(|answer| matches!(answer, Err(JournalError::Deleted { .. }))).count();
    let poisoned =
        answers.iter().filter(|answer| matches!(answer, Err(JournalError::Poisoned { .. }))).count();
    assert_eq!((deleted, poisoned), (1, 7));
    assert!(matches!(writer.finish().append(&bodies(1)), Err(JournalError::Poisoned { .. })));
}

/// A chain in memory that is long enough to be checked in pieces.
fn long_chain() -> (Vec<u8>, Position) {
    let mut bytes = Vec::new();
    let mut end = Position::START;
    while bytes.len() < 3 << 20 {
        end.lines += 1;
        let body =
            json!({ "seq": end.lines, "fill": "x".repeat(usize::try_from(end.lines * 7 % 500).unwrap()) })
                .to_string();
        end.head = push_line(&mut bytes, &body, &end.head);
    }
    end.bytes = bytes.len() as u64;
    (bytes, end)
}

#[test]
fn a_long_journal_is_checked_in_pieces_with_the_same_result() {
    let (mut bytes, end) = long_chain();
    assert_eq!(scan(&bytes, Position::START), Ok(end));
    let starts = line_starts(&bytes);
    let lines = usize::try_from(end.lines).unwrap();
    let middle = starts.partition_point(|start| *start <= bytes.len() / 2);
    for line in [1, 2, middle - 2, middle - 1, middle, middle + 1, middle + 2, lines - 1] {
        let digit = starts[line - 1] + 7;
        let kept = std::mem::replace(&mut bytes[digit], b'_');
        let reason = Damage::Changed { next: line as u64 + 1 };
        assert_eq!(scan(&bytes, Position::START), Err(Fault { line: line as u64, reason }), "of {lines}");
        bytes[digit] = kept;
    }
    let dir = with_bytes(&bytes);
    let (_, replay) = open(dir.path()).unwrap();
    assert_eq!((replay.lines.end(), replay.lines.iter().count()), (end, lines));
    assert!(replay.lines.iter().eq(std::str::from_utf8(&bytes).unwrap().lines()));
    let one_less = scan(&bytes[..bytes.len() - 1], Position::START).unwrap();
    assert_eq!((one_less.lines, one_less.bytes), (end.lines - 1, starts[lines - 1] as u64));
    let one_line = format!("{{\"a\":\"{}\"}}", "x".repeat(2 << 20));
    let mut line = Vec::new();
    push_line(&mut line, &one_line, &LineHash::START);
    assert_eq!(scan(&line, Position::START).map(|end| end.lines), Ok(1));
}

proptest::proptest! {
    #[test]
    fn a01_any_object_comes_back_as_it_was(
        texts in proptest::collection::vec((".{0,40}", ".{0,80}"), 0..12),
        split in 0_usize..12,
    ) {
        let bodies: Vec<String> = texts
            .iter()
            .map(|(name, text)| json!({ format!("_{name}"): text }).to_string())
            .collect();
        let dir = dir();
        let mut journal = Journal::create(dir.path()).unwrap();
        let (first, second) = bodies.split_at(split.min(bodies.len()));
        journal.append(first).unwrap();
        journal.append(second).unwrap();
        let (_, replay) = open(dir.path()).unwrap();
        let back: Vec<String> = replay.lines.iter().map(|line| {
            let (body, _) = line.rsplit_once(",\"prev\":").expect("every line has `prev`");
            format!("{body}}}")
        }).collect();
        proptest::prop_assert_eq!(back, bodies);
    }

    #[test]
    fn a_scan_of_anything_ends_where_a_second_one_does(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        if let Ok(end) = scan(&bytes, Position::START) {
            proptest::prop_assert_eq!(scan(&bytes[..usize::try_from(end.bytes).unwrap()], Position::START), Ok(end));
        }
    }
}
