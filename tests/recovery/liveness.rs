//! Attempts that show no sign of life.

use serde_json::Value;

use super::{agents, processes};
use crate::harness::{Barrier, Scratch};

/// Everything is looked at often, so that nothing has to be waited for.
const OFTEN: [(&str, &str); 1] = [("LANEWAY_TEST_BACKSTOP_MS", "40")];

fn position(events: &[Value], wanted: impl Fn(&Value) -> bool) -> usize {
    events.iter().position(wanted).unwrap_or_else(|| panic!("{events:#?}"))
}

#[test]
fn p06_an_agent_that_hangs_is_reported_and_then_ended_where_the_graph_says_so() {
    let scratch = Scratch::new();
    let stall = "\n[defaults]\nstall = \"1s\"\n";
    scratch.write("graphs/hang.toml", &agents("hang", stall, &[("hang", "sleep 100000")]));
    scratch.spawn_with(&["run", "graphs/hang.toml"], &OFTEN).wait().code(1);
    let events = scratch.events("hang");
    let reported = position(&events, |event| event["kind"] == "liveness.recorded");
    let ended = position(&events, |event| event["payload"]["timer"] == "stall");
    assert!(reported < ended, "it was ended before anybody was told");
    let evidence = &events[reported]["payload"]["evidence"];
    assert!(evidence["cpu_ms"].as_u64() > Some(0) && evidence["processes"] == 2, "{evidence}");
    let status = scratch.status("hang");
    status.expect("failed", &[("default", "failed")], &[("hang", "failed")]);
    let why = status.task("hang")["error"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("stalled: quiet for ") && why.contains("no output"), "{why}");
    scratch.laneway(&["verify", "hang"]).success();
}

#[test]
fn p06_an_agent_that_works_silently_is_not_taken_for_one_that_hangs() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    let waits = barrier.command("work");
    // It neither prints nor writes, but what it started uses time.
    let work = format!("( while :; do :; done ) & {waits} && kill $! && echo x > x.txt");
    let stall = "\n[defaults]\nstall = \"3s\"\n";
    scratch.write("graphs/busy.toml", &agents("busy", stall, &[("work", &work)]));
    // What hangs beside it tells when it would have been time.
    scratch.write("graphs/hang.toml", &agents("hang", stall, &[("hang", "sleep 100000")]));
    let mut busy = scratch.spawn_with(&["run", "graphs/busy.toml"], &OFTEN);
    barrier.gather(&mut busy);
    scratch.spawn_with(&["run", "graphs/hang.toml"], &OFTEN).wait().code(1);
    barrier.open();
    busy.wait().success();
    assert_eq!(processes(&scratch, "busy", "work"), 1);
    let stopped = scratch.events("busy").iter().any(|event| event["kind"] == "timer.fired");
    assert!(!stopped, "{:#?}", scratch.events("busy"));
}

#[test]
fn p06_what_an_agent_is_at_is_shown_to_who_asks() {
    let scratch = Scratch::new();
    let mut barrier = Barrier::new(&scratch, "barrier", &["work".to_owned()]);
    let work = format!("echo begun; {} && echo x > x.txt", barrier.command("work"));
    scratch.write("graphs/seen.toml", &agents("seen", "", &[("work", &work)]));
    let mut running = scratch.spawn(&["run", "graphs/seen.toml"]);
    barrier.gather(&mut running);
    scratch.follow("seen").wait_for_line(|line| line.contains("\"process.started\""));
    let live = scratch.laneway(&["status", "seen", "--live", "--json"]).success().json()["live"].clone();
    assert_eq!((&live[0]["task"], &live[0]["processes"]), (&"work".into(), &1.into()), "{live}");
    assert!(live[0]["output_age_ms"].is_u64(), "{live}");
    let told = scratch.laneway(&["status", "seen", "--live"]).success();
    assert!(told.stdout().contains("work#1  1 process, "), "{}", told.text());
    barrier.open();
    running.wait().success();
    let rest = scratch.laneway(&["status", "seen", "--live", "--json"]).success().json();
    assert_eq!(rest["live"], serde_json::json!([]));
}
