use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::signal::{Board, Limits, Scan, Settle, scan};

struct Run {
    _home: tempfile::TempDir,
    board: Board,
    task: TaskId,
    signals: PathBuf,
    key: WatchKey,
    watcher: Watcher,
    notices: UnboundedReceiver<Notice>,
}

impl Run {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let board = Board::new(home.path().join(".laneway/shop/1"));
        let task = TaskId::new("types").unwrap();
        _ = board.put_up_attempt(&task, 1).unwrap();
        let signals = board.signals_dir(&task, 1);
        let key = WatchKey::Signals { task: task.clone(), attempt: 1 };
        let (tx, notices) = unbounded_channel();
        let watcher = Watcher::new(tx).unwrap();
        Self { _home: home, board, task, signals, key, watcher, notices }
    }

    /// Watches, and takes the notice that this raises.
    fn watched() -> Self {
        let mut new = Self::new();
        new.watch();
        assert_eq!(new.changed(), BTreeSet::new());
        new
    }

    fn watch(&mut self) {
        self.watcher.watch(&self.key, &self.signals).unwrap();
    }

    fn next(&mut self) -> Notice {
        self.notices.blocking_recv().unwrap()
    }

    fn changed(&mut self) -> BTreeSet<String> {
        match self.next() {
            Notice::Changed(changed) => {
                assert_eq!(changed.key(), &self.key);
                changed.take()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Follows notices, as a run does, until `wanted` holds for what is read.
    fn follow(&mut self, limits: &Limits, wanted: impl Fn(&Scan) -> bool) -> Scan {
        loop {
            let closed = self.changed();
            self.watch();
            let settle =
                Settle::Live { closed: &closed, now: SystemTime::now(), quiet: Duration::from_secs(3600) };
            let scan = scan(&self.signals, limits, settle).unwrap();
            if wanted(&scan) {
                return scan;
            }
        }
    }
}

#[test]
fn p24_what_was_there_before_the_watch_is_announced() {
    let mut watched = Run::new();
    fs::write(watched.signals.join("done"), "early").unwrap();
    watched.watch();
    _ = watched.changed();
    let scan = scan(&watched.signals, &Limits::default(), Settle::Ended).unwrap();
    assert_eq!(scan.accepted.len(), 1);
    watched.watch();
    assert!(watched.notices.try_recv().is_err(), "watching again is silent");
}

#[test]
fn p24_a_slow_direct_write_is_accepted_when_it_is_closed() {
    let mut watched = Run::watched();
    let mut file = fs::File::create(watched.signals.join("done")).unwrap();
    file.write_all(b"slow").unwrap();
    let scan = watched.follow(&Limits::default(), |scan| !scan.unsettled.is_empty());
    assert!(scan.accepted.is_empty());
    file.write_all(b" but sure").unwrap();
    drop(file);
    let scan = watched.follow(&Limits::default(), |scan| scan.unsettled.is_empty());
    assert_eq!(scan.accepted[0].body.text(), "slow but sure");
}

#[test]
fn p24_a_file_opened_again_is_not_complete_until_it_is_closed_again() {
    let mut watched = Run::watched();
    fs::write(watched.signals.join("done"), "one").unwrap();
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 1);
    let mut file = fs::OpenOptions::new().append(true).open(watched.signals.join("done")).unwrap();
    file.write_all(b" two").unwrap();
    // Events come in order, so this one says that the write before it has been seen.
    fs::write(watched.signals.join("progress"), "").unwrap();
    let scan =
        watched.follow(&Limits::default(), |scan| scan.accepted.iter().any(|file| file.name == "progress"));
    assert_eq!(scan.unsettled, ["done"]);
    drop(file);
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 2);
}

#[test]
fn p24_a_burst_of_a_thousand_files_loses_none() {
    let mut watched = Run::watched();
    let limits = Limits { concerns: 1000, ..Limits::default() };
    let concerns = watched.signals.join("concerns");
    let writing = std::thread::spawn(move || {
        for n in 0..1000 {
            fs::write(concerns.join(n.to_string()), n.to_string()).unwrap();
        }
    });
    let scan = watched.follow(&limits, |scan| scan.accepted.len() == 1000);
    writing.join().unwrap();
    assert!(scan.accepted.iter().all(|file| file.name == format!("concerns/{}", file.body.text())));
}

#[test]
fn p24_notices_of_one_key_are_coalesced_until_they_are_taken() {
    let mut watched = Run::watched();
    for n in 0..100 {
        fs::write(watched.signals.join("concerns").join(n.to_string()), "text").unwrap();
    }
    // A directory of another key, watched by the same thread: its notice comes after all of these.
    let control = watched.board.control_dir();
    _ = watched.board.put_up(&[]).unwrap();
    watched.watcher.watch(&WatchKey::Control, &control).unwrap();
    let mut keys = Vec::new();
    while let Notice::Changed(changed) = watched.next() {
        let last = *changed.key() == WatchKey::Control;
        keys.push(changed);
        if last {
            break;
        }
    }
    assert!(keys.len() <= 2, "{} notices", keys.len());
}

#[test]
fn p24_a_note_directory_made_by_the_agent_is_watched_and_its_files_are_found() {
    let mut watched = Run::watched();
    let dir = watched.signals.join("notes/other");
    fs::create_dir(&dir).unwrap();
    _ = watched.changed();
    watched.watch();
    fs::write(dir.join("1"), "first").unwrap();
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 1);
    fs::write(dir.join("2"), "second").unwrap();
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 2);
}

#[test]
fn p24_an_overflow_is_told_and_listing_finds_everything() {
    let mut watched = Run::watched();
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events");
    let Some(limit) = limit.ok().and_then(|text| text.trim().parse::<usize>().ok()).filter(|n| *n < 200_000)
    else {
        eprintln!("skipped: no small inotify queue here");
        return;
    };
    let registry = Arc::clone(&watched.watcher.registry);
    {
        // The watcher's thread waits for this lock, so that the queue of the system runs over.
        let _held = lock(&registry);
        let [one, two] = ["a", "b"].map(|name| watched.signals.join("concerns").join(name));
        fs::write(&one, "text").unwrap();
        for _ in 0..limit {
            fs::rename(&one, &two).unwrap();
            fs::rename(&two, &one).unwrap();
        }
        fs::write(watched.signals.join("done"), "lost?").unwrap();
    }
    loop {
        match watched.next() {
            Notice::Overflow => break,
            Notice::Changed(changed) => _ = changed.take(),
            other => panic!("{other:?}"),
        }
    }
    let scan = scan(&watched.signals, &Limits::default(), Settle::Ended).unwrap();
    assert_eq!(scan.accepted.len(), 2);
    assert!(lock(&registry).values().all(|w| !lock(&w.spot.state).closed.contains("concerns/b")));
}

#[test]
fn p24_a_deleted_board_is_told_put_up_and_watched_again() {
    let mut watched = Run::watched();
    fs::remove_dir_all(watched.board.root()).unwrap();
    let mut gone = BTreeSet::new();
    while !gone.contains(&watched.signals) {
        match watched.next() {
            Notice::Gone { key, dir } => {
                assert_eq!(key, watched.key);
                gone.insert(dir);
            }
            Notice::Changed(changed) => _ = changed.take(),
            other => panic!("{other:?}"),
        }
    }
    _ = watched.board.put_up_attempt(&watched.task, 1).unwrap();
    watched.watch();
    fs::write(watched.signals.join("done"), "again").unwrap();
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 1);
}

#[test]
fn p24_a_renamed_directory_is_gone_and_its_successor_is_watched() {
    let mut watched = Run::watched();
    let away = watched.signals.with_file_name("away");
    fs::rename(&watched.signals, &away).unwrap();
    let Notice::Gone { dir, .. } = watched.next() else { panic!("not gone") };
    assert_eq!(dir, watched.signals);
    _ = watched.board.put_up_attempt(&watched.task, 1).unwrap();
    watched.watch();
    let slow = fs::File::create(watched.signals.join("failed")).unwrap();
    fs::write(away.join("failed"), "complete, and elsewhere").unwrap();
    fs::write(watched.signals.join("done"), "here").unwrap();
    let scan = watched.follow(&Limits::default(), |scan| !scan.accepted.is_empty());
    assert_eq!(scan.accepted[0].name, "done");
    assert_eq!(scan.unsettled, ["failed"]);
    drop(slow);
}

#[test]
fn p24_a_renamed_ancestor_is_found_by_the_rescan() {
    let mut watched = Run::watched();
    assert!(watched.watcher.stale().is_empty());
    let root = watched.board.root().to_path_buf();
    fs::rename(&root, root.with_file_name("away")).unwrap();
    assert_eq!(watched.watcher.stale().len(), 5);
    _ = watched.board.put_up_attempt(&watched.task, 1).unwrap();
    assert_eq!(watched.watcher.stale().len(), 5, "other directories of the same name");
    watched.watch();
    assert!(watched.watcher.stale().is_empty());
    fs::write(watched.signals.join("done"), "here").unwrap();
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 1);
}

#[test]
fn p24_reading_raises_no_notice() {
    let mut watched = Run::watched();
    fs::write(watched.signals.join("done"), "text").unwrap();
    watched.follow(&Limits::default(), |scan| scan.accepted.len() == 1);
    let control = watched.board.control_dir();
    _ = watched.board.put_up(&[]).unwrap();
    for _ in 0..10 {
        scan(&watched.signals, &Limits::default(), Settle::Ended).unwrap();
    }
    watched.watcher.watch(&WatchKey::Control, &control).unwrap();
    let Notice::Changed(changed) = watched.next() else { panic!("not a change") };
    assert_eq!(*changed.key(), WatchKey::Control);
}

#[test]
fn p24_an_unwatched_directory_is_silent() {
    let mut watched = Run::watched();
    watched.watcher.unwatch(&watched.key);
    fs::write(watched.signals.join("done"), "text").unwrap();
    let control = watched.board.control_dir();
    _ = watched.board.put_up(&[]).unwrap();
    watched.watcher.watch(&WatchKey::Control, &control).unwrap();
    let Notice::Changed(changed) = watched.next() else { panic!("not a change") };
    assert_eq!(*changed.key(), WatchKey::Control);
}

#[test]
fn p24_what_cannot_be_watched_is_an_error() {
    let mut watched = Run::new();
    let missing = watched.signals.join("missing");
    assert!(matches!(watched.watcher.watch(&WatchKey::Board, &missing), Err(WatchError::Gone { .. })));
    std::os::unix::fs::symlink("/tmp", &missing).unwrap();
    assert!(matches!(watched.watcher.watch(&WatchKey::Board, &missing), Err(WatchError::Gone { .. })));
}
