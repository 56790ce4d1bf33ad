//! An orchestrator that goes away in the middle, and the one after it.

use super::*;
use crate::event::{Event, ProcessStarted, RunStatus};

/// Carries the run until a process has started, and then no further, as if the orchestrator had been killed.
async fn drive_until_a_process_runs(bench: &Bench) {
    let (tell, mut events) = mpsc::unbounded_channel::<Vec<Envelope>>();
    let started = async {
        while let Some(batch) = events.recv().await {
            if batch.iter().any(|e| matches!(e.event, Event::ProcessStarted(ProcessStarted { .. }))) {
                return;
            }
        }
    };
    tokio::select! {
        state = bench.drive_telling(Some(tell)) => panic!("the run ended: {:?}", state.run),
        () = started => {}
    }
}

/// Whether one of `batch` intends an effect whose name begins so.
pub(super) fn intends(batch: &[Envelope], effect: &str) -> bool {
    batch.iter().any(|e| matches!(&e.event, Event::EffectIntended(i) if i.id.0.starts_with(effect)))
}

/// Carries the run until an effect is intended, and no further.
async fn drive_until_intended(bench: &Bench, effect: &str) {
    let (tell, mut events) = mpsc::unbounded_channel::<Vec<Envelope>>();
    let intended = async {
        while let Some(batch) = events.recv().await {
            if intends(&batch, effect) {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = intended => {}
        // It may end before it is seen to have come this far; the caller looks at what it recorded.
        _ = bench.drive_telling(Some(tell)) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a22_a_command_whose_orchestrator_died_is_stopped_and_runs_again() {
    let dir = repository();
    let first = dir.path().join(".git/first");
    let bench = Bench::on(
        dir,
        &graph(&format!(
            r#"
[[tasks]]
id = "build"
run = "if test -e '{0}'; then exit 0; fi; : > '{0}'; sleep 100000"
diff = "none"
"#,
            first.display()
        )),
    );
    drive_until_a_process_runs(&bench).await;
    while !first.exists() {
        tokio::task::yield_now().await;
    }
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 1, "a stop by our own end is no failure: {}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn a22_a_process_whose_start_was_never_recorded_is_ended_before_the_attempt_begins_again() {
    let bench = loop {
        let bench = Bench::new(&graph("[[tasks]]\nid = \"build\"\nrun = \"true\"\ndiff = \"none\""));
        drive_until_intended(&bench, "attempt/").await;
        // The orchestrator may have got on to record the start before it was seen and ended.
        if !bench.told().contains("process.started") {
            break bench;
        }
    };
    let tag = format!("{}/build/1/1", bench.plan.uuid);
    let mut orphan = Command::new("sleep").arg("100000").env(crate::exec::TAG_VARIABLE, tag).spawn().unwrap();
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let alive = matches!(orphan.try_wait(), Ok(None));
    if alive {
        orphan.kill().unwrap();
    }
    assert!(!alive, "two processes worked in one lane");
}

#[tokio::test(flavor = "multi_thread")]
async fn a22_a_sync_whose_answer_was_lost_is_recognised() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
[[tasks]]
id = "other"
workstream = "b"
run = "echo other > other"
[[tasks]]
id = "two"
workstream = "b"
needs = ["one", "other"]
run = "cat one other > two"
"#,
    ));
    let branch = "log -1 --format=%B%ct laneway/g/b/integration";
    let (tell, mut events) = mpsc::unbounded_channel::<Vec<Envelope>>();
    let made = async {
        while let Some(batch) = events.recv().await {
            if intends(&batch, "sync/") {
                break;
            }
        }
        // An effect that is dropped before its first step does nothing: the orchestrator lives until the merge is there.
        while !bench.git(branch).contains("Laneway-Sync: b/1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = made => {}
        // It was faster than the look at the branch; then there is no answer to lose.
        _ = bench.drive_telling(Some(tell)) => {}
    }
    // Made again in the same second, the merge would be the same commit.
    let made = bench.git(branch).trim().rsplit('\n').next().unwrap().parse::<u64>().unwrap();
    let now = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    while now() <= made {
        tokio::task::yield_now().await;
    }
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert!(!bench.told().contains("moved by other hands"), "{}", bench.told());
}
