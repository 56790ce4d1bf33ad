//! Ending an attempt that lives.

use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{FOREVER, Scene, kill, lives, other};
use crate::exec::{Exit, Manner, become_subreaper, reap_leftovers, stop};

#[tokio::test]
async fn p15_a_polite_attempt_ends_at_once_and_tells_its_exit() {
    let scene = Scene::new();
    scene.fifo("ready").fifo("never");
    let mut running =
        scene.spawn("trap 'echo bye > said; exit 5' TERM; sh -c 'echo x > ready; read x < never' & wait");
    scene.hear("ready");
    let stopped = stop(running.process(), FOREVER).await;
    assert_eq!(stopped.manner, Manner::Asked);
    assert!(stopped.stopped.contains(&running.process().pid) && stopped.remaining.is_empty());
    assert_eq!(running.wait().await, Exit::Code(5));
    assert_eq!(scene.read("said"), "bye\n");
}

#[tokio::test]
async fn ar15_a_grandchild_that_ignores_term_is_killed() {
    let scene = Scene::new();
    scene.fifo("ready");
    let mut running = scene.spawn(
        "sh -c 'trap \"\" TERM; sh -c \"echo \\$\\$ > ready; while :; do sleep 1000; done\" & wait' & wait",
    );
    let grandchild = scene.hear_pid("ready");
    let stopped = stop(running.process(), Duration::from_millis(50)).await;
    assert_eq!(stopped.manner, Manner::Killed);
    assert!(stopped.stopped.contains(&grandchild), "{stopped:?}");
    assert!(!lives(grandchild) && !lives(running.process().pid));
    running.wait().await;
}

#[tokio::test]
async fn p15_what_left_the_group_is_ended_with_it() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    scene.fifo("tagged").fifo("child").fifo("apart");
    let mut running = scene.spawn(
        "setsid sh -c 'echo $$ > tagged; exec sleep 1000' &
         setsid sh -c 'env -i /bin/sh -c \"echo \\$\\$ > child; exec /bin/sleep 1000\"; :' &
         sh -c 'setsid env -i /bin/sh -c \"echo \\$\\$ > apart; exec /bin/sleep 1000\"; :' &
         wait",
    );
    let left = ["tagged", "child", "apart"].map(|name| scene.hear_pid(name));
    let stopped = stop(running.process(), FOREVER).await;
    for pid in left {
        assert!(stopped.stopped.contains(&pid) && !lives(pid), "{pid}: {stopped:?}");
    }
    running.wait().await;
}

/// As in a container that was entered from outside: no session leader is to be seen, and its number reads 0.
#[test]
fn p15_the_session_of_a_process_namespace_may_be_outside() {
    let enter = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    if !Command::new("unshare").args(enter).arg("true").output().is_ok_and(|made| made.status.success()) {
        eprintln!("skipped: no process namespace can be made here");
        return;
    }
    let tests =
        ["exec::tests::ending::p15_what_left_the_group_is_ended_with_it", "exec::tests::orphans::p15"];
    let output = Command::new("unshare")
        .args(enter)
        .arg(std::env::current_exe().expect("the test program"))
        .args(tests)
        .output()
        .expect("a namespace");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn p15_a_stopped_process_is_woken_to_end() {
    let scene = Scene::new();
    scene.fifo("ready");
    let mut running = scene.spawn("trap 'exit 4' TERM; echo x > ready; kill -STOP $$; :");
    scene.hear("ready");
    let pid = Pid::from_raw(running.process().pid.cast_signed()).expect("a process id");
    let stopped = rustix::process::WaitIdOptions::STOPPED | rustix::process::WaitIdOptions::NOWAIT;
    rustix::process::waitid(rustix::process::WaitId::Pid(pid), stopped).expect("our child");
    assert_eq!(stop(running.process(), FOREVER).await.manner, Manner::Asked);
    assert_eq!(running.wait().await, Exit::Code(4));
}

#[tokio::test]
async fn p15_only_what_is_proven_ours_is_signalled() {
    let scene = Scene::new();
    scene.fifo("ready").fifo("foreign");
    let mut bystander = scene.spawn("echo x > ready; exec sleep 1000");
    scene.hear("ready");
    let mut running = scene
        .spawn("LANEWAY_ATTEMPT_ID=another-run sh -c 'echo $$ > foreign; exec sleep 1000' & exec sleep 1000");
    let foreign = scene.hear_pid("foreign");
    let process = running.process().clone();
    for wrong in [
        other(&process, |process| process.start_time += 1),
        other(&process, |process| process.start_time -= 1),
        other(&process, |process| process.start_time = 0),
        other(&process, |process| process.tag.push('x')),
        other(&process, |process| process.boot_id = "another boot".into()),
        other(&process, |process| process.boot_id.clear()),
    ] {
        assert_eq!(stop(&wrong, Duration::ZERO).await.manner, Manner::AlreadyGone, "{wrong:?}");
        assert!(lives(process.pid));
    }
    assert_eq!(stop(&process, FOREVER).await.stopped, [process.pid]);
    assert!(lives(bystander.process().pid), "another attempt");
    assert!(lives(foreign), "in the group, but with the tag of another run");
    kill(foreign);
    assert_eq!(stop(bystander.process(), FOREVER).await.manner, Manner::Asked);
    running.wait().await;
    bystander.wait().await;
    assert_eq!(stop(&process, FOREVER).await.manner, Manner::AlreadyGone);
}

#[tokio::test]
async fn p15_what_is_started_while_ending_is_ended_too() {
    let scene = Scene::new();
    scene.fifo("ready").fifo("late");
    let mut running = scene.spawn(
        "trap 'setsid sh -c \"echo x > late; exec sleep 1000\" & echo $! > late.pid; read x < late; exit 0' TERM
         sh -c 'echo x > ready; exec sleep 1000' & wait",
    );
    scene.hear("ready");
    let stopped = stop(running.process(), FOREVER).await;
    let late: u32 = scene.read("late.pid").trim().parse().expect("a process id");
    assert!(stopped.stopped.contains(&late) && !lives(late), "{stopped:?}");
    assert_eq!(running.wait().await, Exit::Code(0));
}

#[tokio::test]
async fn p15_no_grace_kills_at_once() {
    let scene = Scene::new();
    scene.fifo("ready");
    let mut running = scene.spawn("trap '' TERM; echo x > ready; while :; do sleep 1000; done");
    scene.hear("ready");
    let asked =
        kill_process(Pid::from_raw(running.process().pid.cast_signed()).expect("a process id"), Signal::TERM);
    assert!(asked.is_ok() && lives(running.process().pid));
    assert_eq!(stop(running.process(), Duration::ZERO).await.manner, Manner::Killed);
    assert_eq!(running.wait().await, Exit::Signal(9));
}

/// Each process starts the next one and ends: whichever was seen is gone before it can be reached.
#[tokio::test]
async fn p15_processes_that_multiply_faster_than_they_are_listed_are_ended() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    scene.fifo("ready");
    std::fs::write(scene.path("go-on"), "").expect("a file");
    // Without the file they end by themselves, so that a failure leaves nothing behind.
    let mut running = scene.spawn(
        "next() { echo $PPID > last; [ -e go-on ] && next & }
         next; next; echo x > ready; exec sleep 1000",
    );
    scene.hear("ready");
    let stopped = stop(running.process(), Duration::from_millis(20)).await;
    assert!(stopped.remaining.is_empty(), "{stopped:?}");
    running.wait().await;
    let process = running.process().clone();
    assert!(reap_leftovers(&process, Duration::ZERO).await.stopped.is_empty());
    std::fs::remove_file(scene.path("last")).expect("they lived");
    // Whoever lives writes it anew before it looks for the file that lets it go on.
    for _ in 0..200 {
        let all = crate::exec::vitals(&process).expect("/proc");
        assert_eq!(all, None);
    }
    assert!(!scene.path("last").exists(), "they go on");
}
