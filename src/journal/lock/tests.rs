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
    assert!(container.to_string().starts_with(&format!("process 1 on {} (another", here.host)));
    let rebooted = Owner { boot_id: Some("before".to_owned()), ..here };
    assert!(!rebooted.is_visible_here());
}

#[test]
fn a_lock_in_no_directory_is_an_error_with_its_path() {
    let (_dir, path) = place();
    let error = RunLock::try_acquire(&path.join("lock")).expect_err("no such directory");
    assert!(matches!(error, LockError::Io { .. }), "{error}");
    assert_eq!(RunLock::last_owner(&path), None);
}

#[test]
fn file_systems_have_names() {
    let (_dir, path) = place();
    let lock = RunLock::try_acquire(&path).unwrap();
    assert_eq!(lock.fs_kind().unwrap(), fs_kind(&path).unwrap());
    assert_eq!(kind_of(0x6969), if cfg!(target_os = "linux") { FsKind::Nfs } else { FsKind::Local });
}
