use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Barrier, mpsc};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::id::{GraphName, LaneId, RunNo, Sha};

/// Tells the copies of this test binary that are started as other processes where to work, and as whom.
const CHILD_DIR: &str = "LANEWAY_TEST_FORGE";
const CHILD_NAME: &str = "LANEWAY_TEST_FORGE_NAME";

fn forge() -> (TempDir, LocalForge) {
    let record = tempfile::tempdir().expect("a temporary directory");
    let forge = LocalForge::open(&record.path().join("forge")).unwrap();
    (record, forge)
}

fn sha(digit: char) -> Sha {
    Sha::new(&digit.to_string().repeat(40)).unwrap()
}

fn new(marker: &str) -> NewPr {
    NewPr {
        title: format!("Add {marker}"),
        body: "# Body\nwith \"quotes\" and é".to_owned(),
        draft: false,
        head: "laneway/demo/core/integration".to_owned(),
        base: "main".to_owned(),
        head_sha: sha('a'),
        base_sha: sha('b'),
        marker: marker.to_owned(),
        graph: GraphName::new("demo").unwrap(),
        run: RunNo(1),
        lane: LaneId::new("core").unwrap(),
        author: "ada".to_owned(),
        at: "2026-01-01T00:00:00Z".to_owned(),
        labels: vec!["x".to_owned()],
        reviewers: Vec::new(),
        checks: vec![PrCheck { name: "gate".to_owned(), status: CheckStatus::Pass, detail: "ok".to_owned() }],
    }
}

fn open_one(forge: &LocalForge, marker: &str) -> PullRequest {
    match forge.create(new(marker)).unwrap() {
        Opened::New(pull) => pull,
        Opened::Existing(pull) => panic!("{} existed", pull.number),
    }
}

fn merged(sha: Sha) -> Merged {
    Merged { sha, by: "bob".to_owned(), at: "2026-01-03T00:00:00Z".to_owned() }
}

fn closed() -> Closed {
    Closed { by: "bob".to_owned(), at: "2026-01-02T00:00:00Z".to_owned() }
}

fn file(record: &TempDir, name: &str) -> PathBuf {
    record.path().join("forge").join(name)
}

#[test]
fn s13_opening_again_with_the_same_marker_gives_the_same_pull_request() {
    let (record, forge) = forge();
    let first = open_one(&forge, "run-1/core");
    assert_eq!((first.number, first.url.as_str(), first.state), (1, "laneway://pr/1", PrState::Open));
    forge.close(1, closed()).unwrap();
    let again = NewPr { title: "Another".to_owned(), ..new("run-1/core") };
    let Opened::Existing(second) = forge.create(again).unwrap() else { panic!("a second one was opened") };
    assert_eq!((second.number, &second.title, second.state), (1, &first.title, PrState::Closed));
    assert_eq!(open_one(&forge, "run-1/docs").number, 2);

    let elsewhere = LocalForge::open(&record.path().join("forge")).unwrap();
    assert_eq!(elsewhere.find_by_marker("run-1/docs").unwrap().map(|pull| pull.number), Some(2));
    assert_eq!(elsewhere.find_by_marker("run-1").unwrap(), None);
    assert!(matches!(elsewhere.get(3), Err(ForgeError::NotFound { number: 3 })));
}

#[test]
fn s13_an_update_changes_what_it_names_and_a_repeat_changes_nothing() {
    let (record, forge) = forge();
    let before = open_one(&forge, "m");
    let update = PrUpdate {
        title: Some("Better".to_owned()),
        head_sha: Some(sha('c')),
        checks: Some(Vec::new()),
        ..PrUpdate::default()
    };
    let after = forge.update(1, update.clone(), "2026-02-02T00:00:00Z").unwrap();
    let expected = PullRequest {
        title: "Better".to_owned(),
        head_sha: sha('c'),
        checks: Vec::new(),
        updated_at: "2026-02-02T00:00:00Z".to_owned(),
        ..before
    };
    assert_eq!((&after, &forge.get(1).unwrap()), (&expected, &expected));

    let bytes = fs::read(file(&record, "1.pull.json")).unwrap();
    assert_eq!(forge.update(1, update, "2026-03-03T00:00:00Z").unwrap(), expected);
    assert_eq!(fs::read(file(&record, "1.pull.json")).unwrap(), bytes);
    let missing = forge.update(7, PrUpdate::default(), "2026-03-03T00:00:00Z");
    assert!(matches!(missing, Err(ForgeError::NotFound { number: 7 })));
}

#[test]
fn s13_a_merged_pull_request_stays_merged_as_it_was() {
    let (_record, forge) = forge();
    open_one(&forge, "m");
    let pull = forge.mark_merged(1, merged(sha('d'))).unwrap();
    assert_eq!((pull.state, &pull.merged), (PrState::Merged, &Some(merged(sha('d')))));
    let late = Merged { at: "2027-01-01T00:00:00Z".to_owned(), ..merged(sha('d')) };
    assert_eq!(forge.mark_merged(1, late).unwrap(), pull);
    let other = forge.mark_merged(1, merged(sha('e')));
    assert!(matches!(other, Err(ForgeError::MergedOtherwise { number: 1, .. })));
    for refused in [
        forge.close(1, closed()),
        forge.reopen(1, "2026-02-02T00:00:00Z"),
        forge.update(1, PrUpdate { draft: Some(true), ..PrUpdate::default() }, "2026-02-02T00:00:00Z"),
        forge.update(1, PrUpdate { head_sha: Some(sha('e')), ..PrUpdate::default() }, "2026-02-02T00:00:00Z"),
    ] {
        let error = refused.expect_err("it is merged");
        assert!(matches!(error, ForgeError::WrongState { state: PrState::Merged, .. }), "{error}");
    }
    assert_eq!(forge.get(1).unwrap(), pull);
    let body = PrUpdate { body: Some("after".to_owned()), head_sha: Some(sha('a')), ..PrUpdate::default() };
    assert_eq!(forge.update(1, body, "2026-02-02T00:00:00Z").unwrap().body, "after");
}

#[test]
fn s13_a_closed_pull_request_is_not_merged_until_it_is_open_again() {
    let (_record, forge) = forge();
    open_one(&forge, "m");
    let pull = forge.close(1, closed()).unwrap();
    assert_eq!((pull.state, &pull.closed), (PrState::Closed, &Some(closed())));
    let again = Closed { by: "eve".to_owned(), ..closed() };
    assert_eq!(forge.close(1, again).unwrap(), pull);
    let error = forge.mark_merged(1, merged(sha('d'))).expect_err("closed").to_string();
    assert_eq!(error, "pull request 1 is closed, so it cannot be merged");
    let pull = forge.reopen(1, "2026-02-02T00:00:00Z").unwrap();
    assert_eq!((pull.state, &pull.closed), (PrState::Open, &None));
    assert_eq!(forge.reopen(1, "2026-03-03T00:00:00Z").unwrap(), pull);
    assert_eq!(forge.mark_merged(1, merged(sha('d'))).unwrap().state, PrState::Merged);
}

#[test]
fn a_review_holds_for_the_head_that_was_reviewed() {
    let (_record, forge) = forge();
    let pull = open_one(&forge, "m");
    let review = |sha: &Sha, verdict| NewReview {
        author: "bob".to_owned(),
        verdict,
        body: "fine".to_owned(),
        sha: sha.clone(),
        at: "2026-02-02T00:00:00Z".to_owned(),
        key: None,
    };
    let first = forge.add_review(1, review(&pull.head_sha, Verdict::Approve)).unwrap();
    assert!(first.covers(&forge.get(1).unwrap()));
    let comment = forge.add_comment(
        1,
        NewComment {
            author: "eve".to_owned(),
            body: "why?".to_owned(),
            at: "2026-02-03T00:00:00Z".to_owned(),
            path: Some("src/a.rs".to_owned()),
            line: Some(7),
            key: None,
        },
    );
    let comment = comment.unwrap();
    let moved = PrUpdate { head_sha: Some(sha('c')), ..PrUpdate::default() };
    let pull = forge.update(1, moved, "2026-02-04T00:00:00Z").unwrap();
    assert!(!first.covers(&pull));
    let second = forge.add_review(1, review(&pull.head_sha, Verdict::RequestChanges)).unwrap();
    assert_eq!((first.id, comment.id, second.id), (1, 2, 3));
    assert_eq!(forge.reviews(1).unwrap(), [first, second]);
    assert_eq!(forge.comments(1).unwrap(), [comment]);
    assert_eq!(forge.get(1).unwrap().updated_at, "2026-02-02T00:00:00Z");
    assert!(matches!(forge.reviews(2), Err(ForgeError::NotFound { number: 2 })));
    assert!(matches!(
        forge.add_review(2, review(&sha('a'), Verdict::Comment)),
        Err(ForgeError::NotFound { .. })
    ));
}

#[test]
fn a_list_is_filtered_and_in_order() {
    let (_record, forge) = forge();
    for n in 1..=11 {
        let run = RunNo(n % 2);
        let lane = LaneId::new(if n < 6 { "core" } else { "docs" }).unwrap();
        _ = forge.create(NewPr { run, lane, ..new(&n.to_string()) }).unwrap();
    }
    forge.close(3, closed()).unwrap();
    let numbers = |filter| forge.list(&filter).unwrap().iter().map(|pull| pull.number).collect::<Vec<_>>();
    assert_eq!(numbers(PrFilter::default()), (1..=11).collect::<Vec<_>>());
    assert_eq!(numbers(PrFilter { state: Some(PrState::Closed), ..PrFilter::default() }), [3]);
    let core = PrFilter { lane: Some(LaneId::new("core").unwrap()), ..PrFilter::default() };
    assert_eq!(numbers(PrFilter { run: Some(RunNo(1)), state: Some(PrState::Open), ..core }), [1, 5]);
    let other = PrFilter { graph: Some(GraphName::new("other").unwrap()), ..PrFilter::default() };
    assert!(numbers(other).is_empty());
}

#[test]
fn what_is_corrupt_or_foreign_is_named_and_nothing_is_changed() {
    let (record, forge) = forge();
    open_one(&forge, "m");
    let good = fs::read_to_string(file(&record, "1.pull.json")).unwrap();
    let with = |key: &str, value: Value| {
        let mut sheet: Value = serde_json::from_str(&good).unwrap();
        sheet[key] = value;
        sheet.to_string()
    };
    let cases = [
        ("2.pull.json", String::new()),
        ("2.pull.json", good[..good.len() / 2].to_owned()),
        ("2.pull.json", "\0\0\0\0".to_owned()),
        ("2.pull.json", with("pull", json!({ "number": 2 }))),
        ("2.pull.json", good.clone()),
        ("2.pull.json", with("schema", json!(2))),
        ("02.pull.json", good.clone()),
        ("0.pull.json", good.clone()),
        ("18446744073709551615.pull.json", good.clone()),
        ("x.pull.json", good.clone()),
        ("notes.json", "{}".to_owned()),
    ];
    for (name, text) in cases {
        let path = file(&record, name);
        fs::write(&path, &text).unwrap();
        let error = forge.list(&PrFilter::default()).expect_err(name).to_string();
        assert!(error.contains(&path.display().to_string()), "{error}");
        assert!(forge.create(new("another")).is_err(), "{name} may hold the marker");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(forge.get(1).unwrap().number, 1);
        fs::remove_file(&path).unwrap();
    }
    let path = file(&record, "2.pull.json");
    fs::create_dir(&path).unwrap();
    assert!(matches!(forge.get(2), Err(ForgeError::Foreign { .. })));
    fs::remove_dir(&path).unwrap();
    symlink(file(&record, "1.pull.json"), &path).unwrap();
    assert!(matches!(forge.get(2), Err(ForgeError::Foreign { .. })));
    fs::remove_file(&path).unwrap();
    fs::write(file(&record, "README"), "not ours, not in the way").unwrap();
    assert_eq!(open_one(&forge, "another").number, 2);
}

#[test]
fn numbers_are_shared_with_other_kinds_and_never_given_again() {
    let (record, forge) = forge();
    fs::write(file(&record, "4.issue.json"), "{}").unwrap();
    assert_eq!(open_one(&forge, "a").number, 5);
    forge.close(5, closed()).unwrap();
    assert_eq!(open_one(&forge, "b").number, 6);
    assert_eq!(forge.list(&PrFilter::default()).unwrap().len(), 2);
}

#[test]
fn s13_what_a_killed_writer_left_is_no_pull_request_and_goes() {
    let (record, forge) = forge();
    open_one(&forge, "a");
    let good = fs::read(file(&record, "1.pull.json")).unwrap();
    for (name, bytes) in [(".tmp-a", &good[..]), (".tmp-b.json", &good[..9]), (".tmp-2.pull.json", b"")] {
        fs::write(file(&record, name), bytes).unwrap();
    }
    assert_eq!(forge.list(&PrFilter::default()).unwrap().len(), 1);
    assert_eq!(forge.find_by_marker("a").unwrap().map(|pull| pull.number), Some(1));
    assert_eq!(fs::read_dir(record.path().join("forge")).unwrap().count(), 4, "a reader deleted a file");
    assert_eq!(open_one(&forge, "b").number, 2);
    assert_eq!(fs::read_dir(record.path().join("forge")).unwrap().count(), 2);
}

#[test]
fn a_change_waits_for_the_lock_and_a_reader_does_not() {
    let (_record, forge) = forge();
    open_one(&forge, "a");
    let (opened, seen) = mpsc::channel();
    thread::scope(|scope| {
        let held: Result<(), ForgeError> = forge.with_lock(|| {
            scope.spawn(|| opened.send(open_one(&forge, "b").number).unwrap());
            for _ in 0..20 {
                assert_eq!(forge.list(&PrFilter::default())?.len(), 1);
                assert!(seen.try_recv().is_err(), "the lock was not waited for");
            }
            Ok(())
        });
        held.unwrap();
        assert_eq!(seen.recv().unwrap(), 2);
    });
}

#[test]
#[ignore = "the other process of s13_a_hundred"]
fn child_opens_pull_requests() {
    let Some(dir) = env::var_os(CHILD_DIR) else { return };
    let name = env::var(CHILD_NAME).expect("set along with the directory");
    let forge = LocalForge::open(Path::new(&dir)).unwrap();
    for n in 0..25 {
        _ = forge.create(new(&format!("{name}-{n}"))).unwrap();
        _ = forge.create(new(&format!("shared-{n}"))).unwrap();
    }
}

fn other_opener(dir: &Path, name: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "forge::tests::child_opens_pull_requests", "--ignored"])
        .env(CHILD_DIR, dir)
        .env(CHILD_NAME, name)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn s13_a_hundred_opened_at_once_by_processes_and_threads_have_their_own_numbers() {
    let (record, forge) = forge();
    let dir = record.path().join("forge");
    let children = [other_opener(&dir, "p"), other_opener(&dir, "q")];
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for name in ["t", "u"] {
            let (forge, start) = (forge.clone(), &start);
            scope.spawn(move || {
                start.wait();
                for n in 0..25 {
                    _ = forge.create(new(&format!("{name}-{n}"))).unwrap();
                }
            });
        }
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let pulls = forge.list(&PrFilter::default()).unwrap();
    let numbers: Vec<u64> = pulls.iter().map(|pull| pull.number).collect();
    assert_eq!(numbers, (1..=125).collect::<Vec<_>>(), "100 of their own and 25 shared");
    let markers: BTreeSet<&str> = pulls.iter().map(|pull| pull.marker.as_str()).collect();
    assert_eq!(markers.len(), 125, "a marker has two pull requests");
}
