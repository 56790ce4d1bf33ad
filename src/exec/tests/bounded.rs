//! Gates.

use std::future::{pending, ready};
use std::time::Duration;

use super::{FOREVER, Scene, lives};
use crate::exec::{Exit, become_subreaper, run_bounded};

#[tokio::test]
async fn ar15_a_gate_ends_with_its_own_code() {
    let scene = Scene::new();
    let run =
        run_bounded(&scene.launch("echo out; exit 3"), FOREVER, FOREVER, pending()).await.expect("it starts");
    assert_eq!((run.exit, run.timed_out, run.cancelled), (Exit::Code(3), false, false));
    assert!(run.leftovers.stopped.is_empty() && !run.exit.is_success());
    assert_eq!(scene.read("log"), "out\n");
}

#[tokio::test]
async fn ar15_the_whole_group_is_killed_at_the_timeout() {
    let scene = Scene::new();
    let script = "trap '' TERM; sleep 1000 & echo $! > new; mv new grandchild; while :; do sleep 1000; done";
    let grace = Duration::from_millis(50);
    let mut timeout = Duration::from_millis(250);
    loop {
        let run = run_bounded(&scene.launch(script), timeout, grace, pending()).await.expect("it starts");
        assert!(run.timed_out && !run.cancelled && run.duration >= timeout);
        if !scene.path("grandchild").exists() {
            // On a busy machine the script did not come that far.
            timeout *= 2;
            continue;
        }
        assert_eq!(run.exit, Exit::Signal(9));
        let grandchild: u32 = scene.read("grandchild").trim().parse().expect("a process id");
        assert!(run.leftovers.stopped.contains(&grandchild) && !lives(grandchild), "{run:?}");
        assert!(run.leftovers.escaped.iter().all(|escaped| escaped.pid != grandchild));
        break;
    }
}

#[tokio::test]
async fn ar15_a_gate_that_leaves_a_server_running_does_not() {
    become_subreaper().expect("a subreaper");
    let scene = Scene::new();
    let script = "setsid sleep 1000 & echo $! > server; exit 0";
    let run = run_bounded(&scene.launch(script), FOREVER, FOREVER, pending()).await.expect("it starts");
    assert!(run.exit.is_success() && !run.timed_out);
    let server: u32 = scene.read("server").trim().parse().expect("a process id");
    assert!(run.leftovers.stopped.contains(&server) && !lives(server), "{run:?}");
}

#[tokio::test]
async fn a_cancel_stops_at_once_and_an_ended_run_is_not_cancelled() {
    let scene = Scene::new();
    let run =
        run_bounded(&scene.launch("exec sleep 1000"), FOREVER, FOREVER, ready(())).await.expect("it starts");
    assert_eq!((run.exit, run.timed_out, run.cancelled), (Exit::Signal(15), false, true));

    scene.fifo("end");
    let path = scene.path("end");
    let heard = async move {
        tokio::task::spawn_blocking(move || std::fs::read(path)).await.expect("a thread").expect("a fifo");
        pending::<()>().await;
    };
    let run =
        run_bounded(&scene.launch("echo x > end; exit 0"), FOREVER, FOREVER, heard).await.expect("it starts");
    assert_eq!((run.exit, run.cancelled), (Exit::Code(0), false));
}
