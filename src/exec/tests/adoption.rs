//! Processes of an orchestrator that is gone.

use std::path::Path;

use super::{FOREVER, Scene, alone, assert_alone, lives, other};
use crate::exec::{Exit, ProcessRef, adopt, become_subreaper, reap_leftovers, spawn, stop};

const DIRECTORY: &str = "TEST_DIRECTORY";

#[test]
fn ar24_a_process_of_a_dead_orchestrator_is_adopted_when_it_is_proven_ours() {
    assert_alone("exec::tests::adoption::alone_adopt");
}

/// Starts an attempt and ends, as an orchestrator that dies.
#[tokio::test]
#[ignore = "the dead orchestrator of the tests in this file"]
async fn alone_orchestrator() {
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let scene = Scene::new();
    let mut launch =
        scene.launch(&std::fs::read_to_string(Path::new(&directory).join("script")).expect("a script"));
    launch.cwd = directory.clone().into();
    launch.log = launch.cwd.join("log");
    let running = spawn(&launch).expect("a shell starts");
    let json = serde_json::to_string(running.process()).expect("JSON");
    std::fs::write(launch.cwd.join("process.json"), json).expect("a file");
}

fn start_and_die(scene: &Scene, script: &str) -> ProcessRef {
    std::fs::write(scene.path("script"), script).expect("a script");
    let mut orchestrator = alone("exec::tests::adoption::alone_orchestrator");
    assert!(orchestrator.env(DIRECTORY, scene.path("")).output().expect("it runs").status.success());
    serde_json::from_str(&scene.read("process.json")).expect("JSON")
}

#[tokio::test]
#[ignore = "runs in a process of its own, for ar24_a_process_of_a_dead_orchestrator_is_adopted"]
async fn alone_adopt() {
    let scene = Scene::new();
    scene.fifo("go").fifo("daemon");

    let process = start_and_die(&scene, "read x < go; exit 7");
    assert!(lives(process.pid));
    for wrong in [
        other(&process, |process| process.start_time += 1),
        other(&process, |process| process.tag.push('x')),
        other(&process, |process| process.boot_id.push('x')),
        other(&process, |process| process.boot_id.clear()),
        other(&process, |process| process.pid = std::process::id()),
    ] {
        assert!(adopt(&wrong).is_none(), "{wrong:?}");
    }
    let mut adopted = adopt(&process).expect("ours");
    std::fs::write(scene.path("go"), "x\n").expect("a fifo");
    assert_eq!(adopted.wait().await, Exit::Unknown, "init was told");
    assert!(adopt(&process).is_none(), "ended");

    let process = start_and_die(&scene, "setsid sh -c 'echo $$ > daemon; exec sleep 1000' & exec sleep 1000");
    let daemon = scene.hear_pid("daemon");
    let mut stopped = stop(&process, FOREVER).await.stopped;
    stopped.sort_unstable();
    let mut expected = [process.pid, daemon];
    expected.sort_unstable();
    assert_eq!(stopped, expected, "the daemon is init's child by now, and found all the same");

    let process = start_and_die(&scene, "setsid sh -c 'echo $$ > daemon; exec sleep 1000' & read x < go");
    let daemon = scene.hear_pid("daemon");
    let mut adopted = adopt(&process).expect("ours");
    std::fs::write(scene.path("go"), "x\n").expect("a fifo");
    adopted.wait().await;
    assert_eq!(reap_leftovers(&process, FOREVER).await.stopped, [daemon]);

    become_subreaper().expect("a subreaper");
    let process = start_and_die(&scene, "read x < go; exit 7");
    let mut adopted = adopt(&process).expect("ours");
    std::fs::write(scene.path("go"), "x\n").expect("a fifo");
    assert_eq!(adopted.wait().await, Exit::Code(7), "we were told");
}
