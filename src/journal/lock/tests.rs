use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::*;

const CHILD_LOCK: &str = "LANEWAY_TEST_LOCK";

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("lock");
    (dir, path)
}

#[test]
#[ignore = "the other process of the tests below"]
fn child_holds_the_lock() {
    let Some(path) = env::var_os(CHILD_LOCK) else {
        return;
    };
    let _lock = RunLock::try_acquire(Path::new(&path)).unwrap();
    // It has the stdin of this process, and lives until that is closed.
    let mut agent = Command::new("cat").stdout(Stdio::null()).spawn().unwrap();
    println!("\nheld");
    agent.wait().unwrap();
}

/// Starts another process and returns when it holds the lock and has a child of its own, which lives until the
/// stdin of the returned process is closed.
fn other_holder(path: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "journal::lock::tests::child_holds_the_lock", "--ignored", "--nocapture"])
        .env(CHILD_LOCK, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.as_mut().unwrap());
    let mut line = String::new();
    while line.trim() != "held" {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the other process did not get the lock");
    }
    child
}

#[test]
fn ar26_a_second_holder_in_the_same_process_is_refused_until_the_first_lets_go() {
    let (_dir, path) = place();
    let lock = RunLock::try_acquire(&path).unwrap();
    let Err(LockError::Held { owner: Some(owner), .. }) = RunLock::try_acquire(&path) else {
        panic!("a second lock was given, or its owner was not told");
    };
    assert_eq!(*owner, Owner::current());
    drop(lock);
    assert_eq!(RunLock::try_acquire(&path).unwrap().path(), path);
}

#[test]
fn ar26_another_process_is_named_and_its_death_frees_the_lock_though_its_child_lives() {
    let (_dir, path) = place();
    let mut other = other_holder(&path);
    let inode = fs::metadata(&path).unwrap().ino();
    let error = RunLock::try_acquire(&path).expect_err("held by the other process");
    let LockError::Held { owner: Some(owner), .. } = &error else { panic!("{error}") };
    assert_eq!(owner.pid, other.id());
    assert!(owner.is_visible_here() && owner.start_ticks.is_some() && owner.boot_id.is_some());
    let text = error.to_string();
    assert!(text.contains(&format!("process {} on {}", other.id(), owner.host)), "{text}");

    // Its child goes on. `wait` would close the stdin that keeps it alive.
    let keeps_the_child = other.stdin.take();
    other.kill().unwrap();
    other.wait().unwrap();
    let _lock = RunLock::try_acquire(&path).unwrap();
    assert_eq!(RunLock::last_owner(&path).map(|owner| owner.pid), Some(std::process::id()));
    assert_eq!(fs::metadata(&path).unwrap().ino(), inode, "the lock file was replaced");
    drop(keeps_the_child);
}

#[test]
fn ar26_garbage_in_the_file_is_no_obstacle_and_no_owner() {
    let (_dir, path) = place();
    for garbage in [&b""[..], b"\n", b"{\"pid\":", b"\xff\0\xff", &[b'x'; 12_000]] {
        fs::write(&path, garbage).unwrap();
        assert_eq!(RunLock::last_owner(&path), None);
        let lock = RunLock::try_acquire(&path).unwrap();
        assert_eq!(RunLock::last_owner(&path), Some(Owner::current()));
        fs::write(&path, garbage).unwrap();
        let error = RunLock::try_acquire(&path).expect_err("held");
        assert!(matches!(error, LockError::Held { owner: None, .. }), "{error}");
        drop(lock);
    }
}

#[test]
fn ar26_a_longer_text_of_an_earlier_owner_leaves_nothing() {
    let (_dir, path) = place();
    let mut earlier =
        serde_json::to_string(&Owner { command: "x".repeat(9000), ..Owner::current() }).unwrap();
    earlier.push('\n');
    fs::write(&path, earlier).unwrap();
    let _lock = RunLock::try_acquire(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(serde_json::from_str::<Owner>(&text).unwrap(), Owner::current());
}

#[test]
fn ar26_an_owner_in_another_pid_namespace_is_said_to_be_elsewhere() {
    let here = Owner::current();
    assert!(here.is_visible_here() && !here.to_string().contains("another"));
    let container = Owner { pid: 1, pid_namespace: Some("pid:[1]".to_owned()), ..here.clone() };
    assert!(!container.is_visible_here());
    assert!(container.to_string().starts_with(&format!("process 1 on {} (another pid namespace", here.host)));
    let rebooted = Owner { boot_id: Some("before".to_owned()), ..here };
    assert!(!rebooted.is_visible_here());
    assert!(rebooted.to_string().contains("(another machine, or an earlier boot"));
}

#[test]
fn a_lock_in_no_directory_is_an_error_with_its_path() {
    let (_dir, path) = place();
    let error = RunLock::try_acquire(&path.join("lock")).expect_err("no such directory");
    assert!(matches!(error, LockError::Io { .. }), "{error}");
    assert_eq!(RunLock::last_owner(&path), None);
}

/// Tries for the lock as often as it is told to by a line, says how it went, and lets go at the next line.
#[test]
#[ignore = "one of the racers of the test below"]
fn child_races_for_the_lock() {
    let Some(path) = env::var_os(CHILD_LOCK) else {
        return;
    };
    let mut lines = io::stdin().lines();
    while let Some(Ok(_go)) = lines.next() {
        let lock = RunLock::try_acquire(Path::new(&path));
        match &lock {
            Ok(_) => println!("\nwon"),
            Err(LockError::Held { owner, .. }) => {
                println!("\nlost to {}", owner.as_ref().map_or(0, |owner| owner.pid));
            }
            Err(error) => println!("\nbroke {error}"),
        }
        let Some(Ok(_let_go)) = lines.next() else { return };
        drop(lock);
        println!("\nfree");
    }
}

struct Racer {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Racer {
    fn new(path: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "journal::lock::tests::child_races_for_the_lock", "--ignored", "--nocapture"])
            .env(CHILD_LOCK, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn say(&mut self) {
        use std::io::Write as _;
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    fn hear(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "a racer is gone");
            let line = line.trim();
            if ["won", "lost", "broke", "free"].iter().any(|word| line.starts_with(word)) {
                return line.to_owned();
            }
        }
    }
}

#[test]
fn ar26_of_two_processes_that_race_exactly_one_wins_however_often_they_are_watched() {
    let (_dir, path) = place();
    let mut racers = [Racer::new(&path), Racer::new(&path)];
    let pids = racers.each_ref().map(|racer| racer.child.id());
    for round in 0..50 {
        racers.iter_mut().for_each(Racer::say);
        // Whoever asks whether it is held must not make both of them lose.
        for _ in 0..100 {
            RunLock::is_held(&path).unwrap();
        }
        let heard = racers.each_mut().map(Racer::hear);
        let winner = heard.iter().position(|word| word == "won");
        let Some(winner) = winner else { panic!("round {round}: nobody won: {heard:?}") };
        assert_eq!(heard[1 - winner], format!("lost to {}", pids[winner]), "round {round}");
        assert!(RunLock::is_held(&path).unwrap());
        racers.iter_mut().for_each(Racer::say);
        assert_eq!(racers.each_mut().map(Racer::hear), ["free", "free"]);
        assert!(!RunLock::is_held(&path).unwrap());
    }
    for mut racer in racers {
        drop(racer.child.stdin.take());
        assert!(racer.child.wait().unwrap().success());
    }
}

#[test]
fn ar26_whoever_has_ended_is_not_named_as_the_owner() {
    let (_dir, path) = place();
    let mut ended = Command::new("true").spawn().unwrap();
    let pid = ended.id();
    ended.wait().unwrap();
    let here = Owner::current();
    let gone = [
        Owner { pid, start_ticks: Some(1), ..here.clone() },
        Owner { start_ticks: here.start_ticks.map(|ticks| ticks + 1), ..here.clone() },
        Owner { boot_id: Some("an earlier boot".to_owned()), ..here.clone() },
    ];
    let holder = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).unwrap();
    flock(&holder, FlockOperation::LockExclusive).unwrap();
    let local = file_system(&path).unwrap();
    for owner in &gone {
        assert!(owner.is_gone(&local), "{owner}");
    }
    write_owner(&holder, &gone[0]).unwrap();
    let error = RunLock::try_acquire(&path).expect_err("somebody else has it");
    assert!(matches!(error, LockError::Held { owner: None, .. }), "{error}");
    assert!(error.to_string().contains("not named"), "{error}");
    let elsewhere = FileSystem { name: "nfs4".to_owned(), locks: Locks::Everywhere };
    let afar = Owner { boot_id: Some("another machine".to_owned()), ..here };
    assert!(!afar.is_gone(&elsewhere), "it may live on the other machine");
}

#[test]
fn ar26_an_owner_in_a_real_pid_namespace_is_seen_to_hold_it_and_named_as_elsewhere() {
    let enter = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--kill-child"];
    if !Command::new("unshare").args(enter).arg("true").output().is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: no process namespace can be made here");
        return;
    }
    let (_dir, path) = place();
    let mut other = Command::new("unshare")
        .args(enter)
        .arg(env::current_exe().unwrap())
        .args(["--exact", "journal::lock::tests::child_races_for_the_lock", "--ignored", "--nocapture"])
        .env(CHILD_LOCK, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(|mut child| Racer { output: BufReader::new(child.stdout.take().unwrap()), child })
        .unwrap();
    other.say();
    assert_eq!(other.hear(), "won");
    assert!(RunLock::is_held(&path).unwrap());
    let error = RunLock::try_acquire(&path).expect_err("held in the namespace");
    let LockError::Held { owner: Some(owner), .. } = &error else { panic!("{error}") };
    assert!(owner.pid < 10 && !owner.is_visible_here(), "{owner}");
    assert!(error.to_string().contains("another pid namespace"), "{error}");
    other.child.kill().unwrap();
    other.child.wait().unwrap();
    // The namespace ends with its first process, which is told of our kill a moment later.
    while RunLock::is_held(&path).unwrap() {
        std::thread::yield_now();
    }
    let _lock = RunLock::try_acquire(&path).unwrap();
}

#[test]
fn ar26_to_ask_whether_a_lock_is_held_takes_nothing_and_makes_nothing() {
    let (_dir, path) = place();
    assert!(!RunLock::is_held(&path).unwrap());
    assert!(!path.exists());
    let lock = RunLock::try_acquire(&path).unwrap();
    assert!(RunLock::is_held(&path).unwrap());
    assert!(RunLock::try_acquire(&path).is_err(), "it was taken from its holder");
    drop(lock);
    assert!(!RunLock::is_held(&path).unwrap());
    assert_eq!(RunLock::last_owner(&path), Some(Owner::current()), "the text is left");
}

#[test]
fn ar26_a_network_file_system_is_refused_by_name_with_what_to_do() {
    let refused =
        |name: &str| LockError::NotShared { path: "/share/repo/lock".into(), name: name.to_owned() };
    let text = refused("nfs4").to_string();
    assert!(text.contains("/share/repo/lock") && text.contains("(nfs4)"), "{text}");
    for (name, hint) in
        [("nfs", "local_lock"), ("lustre", "`flock`"), ("cifs", "local disk"), ("9p", "local disk")]
    {
        let said = refused(name).hint().unwrap_or_default();
        assert!(said.contains(hint), "{name}: {said}");
    }
}
