//! What an attempt leaves behind.

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::{FOREVER, Scene, assert_alone, kill, lives};
use crate::exec::os::{nothing_left, overlooked};
use crate::exec::{EscapeReason, become_subreaper, collect_orphans, harden, reap_leftovers};

#[tokio::test]
async fn p15_a_daemon_that_keeps_the_tag_is_ended() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    scene.fifo("daemon");
    let mut running = scene.spawn("setsid sh -c 'echo $$ > daemon; exec sleep 1000' & exit 0");
    let daemon = scene.hear_pid("daemon");
    running.wait().await;
    assert!(lives(daemon));
    let leftovers = reap_leftovers(running.process(), FOREVER).await;
    assert_eq!(leftovers.stopped, [daemon]);
    assert!(!std::path::Path::new(&format!("/proc/{daemon}")).exists(), "its exit was collected");
}

#[tokio::test]
async fn p15_a_background_process_without_a_tag_is_known_by_its_group() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    scene.fifo("left");
    let mut running = scene.spawn("env -i /bin/sh -c 'echo $$ > left; exec /bin/sleep 1000' & exit 0");
    let left = scene.hear_pid("left");
    running.wait().await;
    assert_eq!(reap_leftovers(running.process(), FOREVER).await.stopped, [left]);
    assert!(!lives(left));
}

#[tokio::test]
async fn p15_the_orphans_of_a_live_attempt_are_left_alone() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    scene.fifo("daemon").fifo("go");
    let mut live = scene.spawn("(setsid sh -c 'echo $$ > daemon; exec sleep 1000' &); read x < go");
    let daemon = scene.hear_pid("daemon");
    let mut done = scene.spawn("exit 0");
    done.wait().await;
    let leftovers = reap_leftovers(done.process(), FOREVER).await;
    assert!(leftovers.stopped.is_empty() && lives(daemon));
    assert!(leftovers.escaped.iter().all(|escaped| escaped.pid != daemon));
    std::fs::write(scene.path("go"), "x\n").expect("a fifo");
    live.wait().await;
    assert_eq!(reap_leftovers(live.process(), FOREVER).await.stopped, [daemon]);
}

#[test]
fn p15_an_escape_is_told_of_once_and_not_touched() {
    assert_alone("exec::tests::orphans::alone_escape");
}

#[tokio::test]
#[ignore = "runs in a process of its own, for p15_an_escape_is_told_of_once_and_not_touched"]
async fn alone_escape() {
    become_subreaper().expect("a subreaper");
    harden().expect("a hardened process still sees its children");
    let scene = Scene::new();
    scene.fifo("escaped").fifo("nested");
    let mut running = scene.spawn(
        "setsid env -i /bin/sh -c 'echo $$ > escaped; exec /bin/sleep 1000' &
         LANEWAY_ATTEMPT_ID=inner setsid sh -c 'echo $$ > nested; exec sleep 1000' &
         exit 0",
    );
    let (escaped, nested) = (scene.hear_pid("escaped"), scene.hear_pid("nested"));
    running.wait().await;
    let leftovers = reap_leftovers(running.process(), FOREVER).await;
    assert!(leftovers.stopped.is_empty(), "{leftovers:?}");
    let mut told: Vec<_> =
        leftovers.escaped.iter().map(|one| (one.pid, one.why, one.command.as_str())).collect();
    told.sort_by_key(|told| told.0 != escaped);
    let sleeps = |command: &str| command.ends_with("sleep 1000");
    assert!(
        matches!(told[..], [(a, EscapeReason::NoTag, x), (b, EscapeReason::OtherTag, y)]
            if a == escaped && b == nested && sleeps(x) && sleeps(y)),
        "{told:?}"
    );
    let mut next = scene.spawn("exit 0");
    next.wait().await;
    assert_eq!(
        reap_leftovers(next.process(), FOREVER).await,
        crate::exec::Leftovers::default(),
        "told twice"
    );
    assert!(lives(escaped) && lives(nested));
    kill(escaped);
    kill(nested);
    for pid in [escaped, nested] {
        ended(pid);
    }
    assert_eq!(collect_orphans().expect("/proc"), 2);
}

#[test]
fn p15_nothing_left_is_seen_without_a_look_at_all_processes() {
    assert_alone("exec::tests::orphans::alone_nothing_left");
}

#[tokio::test]
#[ignore = "runs in a process of its own, for p15_nothing_left_is_seen_without_a_look_at_all_processes"]
async fn alone_nothing_left() {
    let scene = Scene::new();
    scene.fifo("daemon").fifo("ready");
    let mut unseen = scene.spawn("exit 0");
    unseen.wait().await;
    assert!(!nothing_left(unseen.process()).expect("/proc"), "its orphans went to init");

    become_subreaper().expect("a subreaper");
    let mut live = scene.spawn("echo x > ready; exec sleep 1000");
    scene.hear("ready");
    assert!(!nothing_left(live.process()).expect("/proc"), "the main process itself");
    let mut daemonic = scene.spawn("setsid sh -c 'echo $$ > daemon; exec sleep 1000' & exit 0");
    let daemon = scene.hear_pid("daemon");
    daemonic.wait().await;
    assert!(!nothing_left(daemonic.process()).expect("/proc"), "the daemon");
    assert!(overlooked(daemonic.process(), |_, _| false).expect("/proc"), "it came to us");
    assert!(!overlooked(daemonic.process(), |pid, _| pid == daemon).expect("/proc"), "it was given up");
    assert!(!overlooked(live.process(), |_, _| false).expect("/proc"), "the main process is no orphan");
    let mut clean = scene.spawn("exit 0");
    clean.wait().await;
    assert!(
        nothing_left(clean.process()).expect("/proc"),
        "a live attempt and the daemon of another do not matter"
    );

    assert_eq!(reap_leftovers(daemonic.process(), FOREVER).await.stopped, [daemon]);
    assert!(!nothing_left(daemonic.process()).expect("/proc"), "forgotten, so nothing is certain");
    kill(live.process().pid);
    live.wait().await;
    assert!(nothing_left(live.process()).expect("/proc"));
}

#[test]
fn p15_the_exits_of_short_lived_orphans_are_collected_while_the_attempt_runs() {
    assert_alone("exec::tests::orphans::alone_zombies");
}

#[tokio::test]
#[ignore = "runs in a process of its own, for p15_the_exits_of_short_lived_orphans_are_collected"]
async fn alone_zombies() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    scene.fifo("in-group").fifo("outside").fifo("go");
    let mut running = scene
        .spawn("(sh -c 'echo $$ > in-group' &) ; (setsid sh -c 'echo $$ > outside' &) ; read x < go; exit 6");
    for name in ["in-group", "outside"] {
        ended(scene.hear_pid(name));
    }
    // The children of a thread that has ended are among those of the main thread, as orphans are.
    let starter = std::thread::spawn(|| std::process::Command::new("true").spawn().expect("true starts"));
    let mut not_ours_to_collect = starter.join().expect("a thread");
    ended(not_ours_to_collect.id());
    assert_eq!(collect_orphans().expect("/proc"), 2);
    assert!(not_ours_to_collect.wait().expect("its exit was left for us").success());
    std::fs::write(scene.path("go"), "x\n").expect("a fifo");
    ended(running.process().pid);
    assert_eq!(collect_orphans().expect("/proc"), 0);
    assert_eq!(running.wait().await, crate::exec::Exit::Code(6));
}

/// Waits until a child of ours has ended, and leaves its exit to be collected.
fn ended(pid: u32) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process id");
    loop {
        // Until its parent has ended too it is not our child yet.
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return,
            Err(rustix::io::Errno::CHILD | rustix::io::Errno::INTR) => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
}
