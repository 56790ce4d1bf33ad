//! Tasks with pull requests of their own, on the local forge.

use serde_json::Value;

use super::{Merges, busy_user, integration, run, run_again};
use crate::harness::Scratch;

#[track_caller]
fn pulls(scratch: &Scratch) -> Vec<Value> {
    let list = scratch.laneway(&["pr", "list", "--json"]).success().json();
    list.as_array().cloned().expect("a list")
}

#[track_caller]
fn of_head<'a>(pulls: &'a [Value], end: &str) -> &'a Value {
    let mut found = pulls.iter().filter(|pull| pull["head"].as_str().is_some_and(|head| head.ends_with(end)));
    let one = found.next().unwrap_or_else(|| panic!("none of {pulls:#?} ends in {end}"));
    assert!(found.next().is_none(), "there are two of {end}");
    one
}

fn payloads(scratch: &Scratch, graph: &str, kind: &str) -> Vec<Value> {
    let events = scratch.events(graph).into_iter().filter(|event| event["kind"] == kind);
    events.map(|event| event["payload"].clone()).collect()
}

#[test]
fn ar33_a_task_has_one_pull_request_through_its_attempts_and_laneway_merges_it() {
    let scratch = busy_user();
    run(&scratch, "task-prs", 0, Merges::Nothing);
    let status = scratch.status("task-prs");
    status.expect("completed", &[("default", "pr_created")], &[("double", "merged"), ("halve", "merged")]);
    assert_eq!(status.attempts("double"), 2);
    let pulls = pulls(&scratch);
    assert_eq!(pulls.len(), 3, "{pulls:#?}");
    let double = of_head(&pulls, "/task/double/pr");
    assert_eq!((&double["state"], &double["base"]), (&"merged".into(), &status.lane("default")["branch"]));
    let head = scratch.git(&["rev-parse", "refs/heads/laneway/task-prs/default/task/double/pr"]);
    assert_eq!((&double["head_sha"], &double["merged"]["by"]), (&head.as_str().into(), &"laneway".into()));
    let landings = payloads(&scratch, "task-prs", "merge.recorded");
    assert_eq!(double["merged"]["sha"], landings[0]["to"]);
    let tip = integration(&scratch, &status, "task-prs", "default");
    for task in ["double", "halve"] {
        let pull = of_head(&pulls, &format!("/task/{task}/pr"));
        let shown = &status.task(task)["pr"];
        assert_eq!((&shown["number"], &shown["url"]), (&pull["number"], &pull["url"]));
        assert_eq!(shown["state"], "merged");
        let landed = pull["merged"]["sha"].as_str().expect("a commit");
        scratch.git(&["merge-base", "--is-ancestor", landed, &tip]);
    }
    let body = double["body"].as_str().expect("a text");
    for word in ["Doubling, by adding", "Attempt 2 of task `double`", "| gate | pass |"] {
        assert!(body.contains(word), "`{word}` is not in:\n{body}");
    }
    let opened = payloads(&scratch, "task-prs", "task_pr.opened");
    assert_eq!(
        opened.iter().filter(|event| event["pr"]["number"] == double["number"]).count(),
        2,
        "{opened:#?}"
    );
    let lane = of_head(&pulls, "/integration")["body"].to_string();
    let link = format!("[#{}](laneway://pr/{0})", double["number"]);
    assert!(lane.contains(&link), "`{link}` is not in {lane}");
    run_again(&scratch, "task-prs");
}

#[test]
fn ar33_nobody_but_laneway_merges_or_closes_the_pull_request_of_a_task() {
    let scratch = busy_user();
    run(&scratch, "task-prs", 0, Merges::Nothing);
    let number = scratch.status("task-prs").task("halve")["pr"]["number"].to_string();
    for arguments in [vec!["pr", "merge", &number], vec!["pr", "close", &number]] {
        let answer = scratch.laneway(&arguments).failure();
        let said = answer.text();
        assert!(said.contains("the one of task `halve`") && said.contains("lane `default`"), "{said}");
    }
    let lane = scratch.status("task-prs").pr("default");
    scratch.laneway(&["pr", "merge", &lane]).success();
}

#[test]
fn ar33_the_pull_request_of_a_task_that_does_not_land_is_closed_and_opened_again_by_a_retry() {
    let scratch = Scratch::new();
    let text = "name = \"shut\"\n[[workstreams]]\nid = \"default\"\ntask_prs = true\n[[tasks]]\nid = \"t\"\n\
                run = \"echo x > x.txt\"\nattempts = 1\ngate = \"test -f ../../../../shared/open\"\n";
    scratch.write("shut.toml", text);
    scratch.laneway(&["run", "shut.toml"]).code(1);
    let all = pulls(&scratch);
    assert_eq!((all.len(), &all[0]["state"]), (1, &"closed".into()), "{all:#?}");
    let shown = scratch.laneway(&["pr", "show", "1"]).success().stdout().to_owned();
    assert!(shown.contains("Closed by Laneway: attempt 1 did not land"), "{shown}");
    assert_eq!(scratch.status("shut").task("t")["pr"]["state"], "closed");
    std::fs::write(scratch.shared().join("open"), "").expect("it can be written");
    scratch.laneway(&["retry", "shut"]).success();
    scratch.laneway(&["run", "shut.toml"]).success();
    let all = pulls(&scratch);
    assert_eq!((all.len(), &all[0]["state"]), (2, &"merged".into()), "{all:#?}");
}

#[test]
fn ar33_a_local_forge_that_cannot_be_written_holds_no_landing_up() {
    let scratch = Scratch::new();
    let text = "name = \"stuck\"\n[[workstreams]]\nid = \"default\"\ntask_prs = true\n[[tasks]]\nid = \"t\"\n\
                run = \"echo x > x.txt\"\n";
    scratch.write("stuck.toml", text);
    let forge = scratch.repo().join(".git/laneway/forge");
    std::fs::create_dir_all(&forge).expect("a folder");
    std::fs::write(forge.join("0.pull.json"), "no number").expect("it can be written");
    _ = scratch.laneway(&["run", "stuck.toml"]);
    let status = scratch.status("stuck");
    assert_eq!(status.task("t")["status"], "merged", "{:#}", status.value());
    let checks = status.task("t")["checks"].as_array().expect("a list");
    let said = checks.iter().find(|check| check["name"] == "task-pr").expect("it is said");
    assert_eq!((&said["status"], &status.task("t")["pr"]), (&"warn".into(), &Value::Null), "{said:#}");
}
