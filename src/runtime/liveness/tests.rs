//! Looks at a made-up attempt on a made-up clock, and at real processes.

use std::ffi::OsString;
use std::time::Duration;

use super::*;
use crate::exec::{Launch, StdinFrom, shell_argv, spawn};

const MINUTE: u64 = 60_000;

fn seen(cpu_ms: u64, output: u64) -> Seen {
    Seen { vitals: Vitals { cpu_ms, processes: 1, sockets: 1 }, output, signals: Trace::default() }
}

/// What is told of an attempt that is looked at once a minute: at which minute, and how quiet it is said to be.
fn told(looks: impl IntoIterator<Item = Seen>, stall: Option<u64>) -> Vec<(u64, u64)> {
    let mut signs = Signs::new(seen(0, 0), 0, 0);
    let mut told = Vec::new();
    for (minute, look) in (1..).zip(looks) {
        let quiet = signs.see(look, Trace::default, minute * MINUTE).quiet_ms();
        if signs.is_news(quiet, stall) {
            told.push((minute, quiet / MINUTE));
        }
    }
    told
}

#[test]
fn p06_what_shows_any_sign_of_life_is_never_called_quiet() {
    type Looks = fn(u64) -> Seen;
    let busy: [(&str, Looks); 3] = [
        ("cpu", |minute| seen(minute * CPU_WORTH, 0)),
        ("output", |minute| seen(0, minute)),
        ("signals", |minute| Seen {
            signals: Trace { files: usize::try_from(minute).unwrap(), newest: None },
            ..seen(0, 0)
        }),
    ];
    for (sign, look) in busy {
        assert_eq!(told((1..600).map(look), Some(2 * MINUTE)), [], "{sign}");
    }
    let mut signs = Signs::new(seen(0, 0), 0, 0);
    for minute in 1..600 {
        let files = || Trace { files: 1, newest: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(minute)) };
        let quiet = signs.see(seen(0, 0), files, minute * MINUTE).quiet_ms();
        assert!(!signs.is_news(quiet, Some(2 * MINUTE)), "files, minute {minute}");
    }
}

#[test]
fn p06_quiet_is_told_after_ten_minutes_and_then_seldom() {
    // The files are first looked at in the first minute.
    assert_eq!(told((1..100).map(|_| seen(0, 0)), None), [(11, 10), (21, 20), (41, 40), (81, 80)]);
}

#[test]
fn p06_the_cpu_time_of_waiting_is_no_sign_of_life_and_adds_up_to_one() {
    let idle = (1..100).map(|minute| seen(minute * 2, 0));
    assert_eq!(told(idle, None), [(11, 10), (21, 20), (41, 40), (50, 0), (60, 10), (70, 20), (90, 40)]);
}

#[test]
fn p06_where_the_graph_ends_it_it_is_told_before_and_at_every_look_after() {
    let looks = || (1..10).map(|_| seen(0, 0));
    assert_eq!(told(looks(), Some(4 * MINUTE)), [(3, 2), (5, 4), (6, 5), (7, 6), (8, 7), (9, 8)]);
    // With looks too far apart for that there are still two.
    assert_eq!(told(looks(), Some(1)), [(2, 1), (3, 2), (4, 3), (5, 4), (6, 5), (7, 6), (8, 7), (9, 8)]);
}

#[test]
fn p06_signs_of_life_are_told_of_one_that_was_quiet() {
    let looks = (1..30).map(|minute| seen(0, u64::from(minute >= 15)));
    assert_eq!(told(looks, None), [(11, 10), (15, 0), (25, 10)]);
}

#[test]
fn p23_time_that_the_machine_slept_is_not_quiet() {
    let mut signs = Signs::new(seen(0, 0), 0, 0);
    let evidence = signs.see(seen(0, 0), Trace::default, MINUTE);
    // A night passes; the clock of looks stands still, and only what is left of the minute comes after it.
    let after = signs.see(seen(0, 0), Trace::default, 2 * MINUTE);
    assert_eq!((evidence.cpu_ms, after.cpu_ms, after.quiet_ms()), (MINUTE, 2 * MINUTE, MINUTE));
}

#[test]
fn p06_a_changed_file_leaves_a_trace_and_git_s_own_do_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |path: &str| dir.path().join(path);
    fs::create_dir_all(at("src/deep")).expect("directories");
    fs::create_dir(at(".git")).expect("a directory");
    let before = Trace::of(dir.path(), MOST_FILES);
    fs::write(at(".git/index"), "x").expect("a file");
    let later = SystemTime::now() + Duration::from_secs(3600);
    fs::File::open(at(".git")).and_then(|git| git.set_modified(later)).expect("a time");
    assert_eq!(Trace::of(dir.path(), MOST_FILES), before);
    fs::write(at("src/deep/new.rs"), "x").expect("a file");
    assert_ne!(Trace::of(dir.path(), MOST_FILES), before);
    assert_eq!(Trace::of(dir.path(), 1).files, 1);
}

#[tokio::test]
async fn p06_cpu_time_and_sockets_of_a_whole_tree_are_seen() {
    let dir = tempfile::tempdir().expect("a directory");
    let launch = |script: &str, tag: &str| Launch {
        argv: shell_argv(script),
        cwd: dir.path().to_owned(),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/bin")))],
        stdin: StdinFrom::Null,
        log: dir.path().join(tag),
        tag: format!("vitals/{tag}/{}", ulid::Ulid::generate()),
    };
    let mut busy = spawn(&launch("(while :; do :; done) & wait", "busy")).expect("a shell");
    let mut idle = spawn(&launch("sleep 1000 & wait", "idle")).expect("a shell");
    let (worker, waiter) = (busy.process().clone(), idle.process().clone());
    let vitals = |process: &ProcessRef| exec::vitals(process).expect("/proc").expect("it lives");
    // Only what works uses time: the other one has used none of note when this one has.
    while vitals(&worker).cpu_ms < 2 * CPU_WORTH {
        tokio::task::yield_now().await;
    }
    assert!(vitals(&waiter).cpu_ms < CPU_WORTH, "{:?}", vitals(&waiter));
    assert_eq!(vitals(&worker).processes, 2);
    assert_eq!(vitals(&waiter).sockets, 0);
    for (process, running) in [(&worker, &mut busy), (&waiter, &mut idle)] {
        let _stopped = exec::stop(process, Duration::ZERO).await;
        running.wait().await;
        assert_eq!(exec::vitals(process).expect("/proc"), None);
    }
}
