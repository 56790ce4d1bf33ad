//! Tasks with pull requests of their own, on our GitHub.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::hub::{Hub, Merge};
use crate::harness::{Barrier, Fault, Method};

/// The graph `hub`, whose lane `core` has pull requests for its tasks.
fn hub() -> Hub {
    let hub = Hub::new();
    let path = hub.graph(Merge::Review).scratch.repo().join("graphs/hub.toml");
    let text = std::fs::read_to_string(&path).expect("it was just written");
    let text = text.replacen("id = \"core\"\n", "id = \"core\"\ntask_prs = true\n", 1);
    hub.scratch.write("graphs/hub.toml", &text);
    hub
}

fn check(hub: &Hub) -> Option<Value> {
    let status = hub.status();
    let checks = status.task("write-core")["checks"].as_array().cloned().expect("a list");
    checks.into_iter().find(|check| check["name"] == "task-pr")
}

#[test]
fn ar33_the_pull_request_of_a_task_is_merged_by_the_push_of_its_lane() {
    let hub = hub();
    hub.fake.fail(Fault::Lost, 1, "POST", "/pulls");
    hub.run().success();
    let status = hub.expect("pr_created", "pr_created");
    assert_eq!(hub.fake.numbers(), [1, 2, 3], "nothing is opened twice");
    let shown = &status.task("write-core")["pr"];
    let number = shown["number"].as_u64().expect("a number");
    let pull = hub.fake.pull(number);
    assert_eq!((&pull["merged"], &shown["state"]), (&true.into(), &"merged".into()));
    assert_eq!((&shown["url"], &shown["tip"]), (&pull["html_url"], &pull["head"]["sha"]));
    assert_eq!(pull["base"]["ref"], "laneway/hub/core/integration");
    assert_eq!(pull["head"]["ref"], "laneway/hub/core/task/write-core/pr");
    assert!(pull["body"].as_str().is_some_and(|body| body.contains(":core:write-core -->")), "{pull:#}");
    let lane = hub.fake.pull(hub.number("core"));
    let url = pull["html_url"].as_str().expect("an address");
    assert!(lane["body"].as_str().is_some_and(|body| body.contains(url)), "{lane:#}");
    let list = hub.laneway(&["pr", "list", "--json"]).success().json();
    assert_eq!(list.as_array().map(Vec::len), Some(3), "{list:#}");
    assert_eq!(check(&hub), None);
    let merge = hub.laneway(&["pr", "merge", &number.to_string()]).failure().text();
    assert!(merge.contains("the one of task `write-core`"), "{merge}");
    assert_eq!(status.task("write-docs")["pr"], Value::Null);
}

#[test]
fn ar33_a_push_that_github_does_not_see_closes_the_pull_request_with_a_word() {
    let hub = hub();
    hub.fake.overlook_pushes();
    hub.run().success();
    let status = hub.expect("pr_created", "pr_created");
    let shown = &status.task("write-core")["pr"];
    assert_eq!(shown["state"], "closed");
    let number = shown["number"].as_u64().expect("a number");
    assert_eq!(hub.fake.pull(number)["state"], "closed");
    let said = hub.fake.comments(number);
    assert_eq!(said.len(), 1, "{said:#?}");
    let tip = &status.tip("core")[..7];
    assert!(said[0]["body"].as_str().is_some_and(|body| body.contains(tip)), "{said:#?}");
}

#[test]
fn ar33_a_github_that_is_away_holds_no_landing_up() {
    let hub = hub();
    hub.fake.fail(Fault::Status(503), 1000, "", "/task/");
    hub.run().success();
    let status = hub.expect("pr_created", "pr_created");
    assert_eq!(status.task("write-core")["pr"], Value::Null);
    assert_eq!(check(&hub).expect("it is said")["status"], "warn");
    assert_eq!(hub.events("merge.recorded").len(), 2);
}

#[test]
fn ar33_a_merge_whose_answers_are_lost_is_asked_for_again() {
    let hub = hub();
    let text = std::fs::read_to_string(hub.scratch.repo().join("graphs/hub.toml")).expect("it was written");
    // So that the first one is the task's.
    let after = text.replace("id = \"write-docs\"\n", "id = \"write-docs\"\nneeds = [\"write-core\"]\n");
    hub.scratch.write("graphs/hub.toml", &after);
    hub.fake.fail(Fault::Cut, 2, "GET", "/pulls/1");
    hub.fake.fail(Fault::Lost, 1, "PATCH", "/pulls/1");
    hub.run().success();
    hub.expect("pr_created", "pr_created");
    assert_eq!((hub.fake.numbers().len(), check(&hub)), (3, None));
    assert_eq!(hub.events("task_pr.merged").len(), 1);
}

/// The graph `hub` with a gate on the task of `core`, which first runs what `gate` says.
fn gated(hub: &Hub, gate: &str, run: &str) {
    let text = std::fs::read_to_string(hub.scratch.repo().join("graphs/hub.toml")).expect("it was written");
    let core = "id = \"write-core\"\n";
    let text = text.replace(core, &format!("{core}gate = '''{gate}'''\nattempts = 2\n"));
    hub.scratch.write("graphs/hub.toml", &text.replace("echo core >", run));
}

/// The number of the pull request of the task.
fn number(hub: &Hub) -> u64 {
    let of_task =
        |number: &u64| hub.fake.pull(*number)["head"]["ref"] == "laneway/hub/core/task/write-core/pr";
    hub.fake.numbers().into_iter().find(of_task).expect("it is shown before its gate")
}

#[test]
fn ar33_a_task_whose_pull_request_a_person_merges_has_landed_by_that_once_it_is_proven() {
    for method in [Method::Merge, Method::Squash, Method::Rebase] {
        let hub = hub();
        let mut gate = Barrier::new(&hub.scratch, "gate", &["gate".to_owned()]);
        gated(&hub, &gate.command("gate"), "echo core >");
        let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
        gate.gather(&mut run);
        let number = number(&hub);
        let theirs = hub.fake.merge(number, method, "bob");
        gate.open();
        run.wait().success();
        let status = hub.expect("pr_created", "pr_created");
        assert_eq!((check(&hub), status.attempts("write-core")), (None, 1), "{method:?}");
        assert_eq!(status.task("write-core")["pr"]["state"], "merged", "{method:?}");
        let tip = status.tip("core").to_owned();
        hub.scratch.git(&["merge-base", "--is-ancestor", &theirs, &tip]);
        let branch = "refs/heads/laneway/hub/core/integration";
        assert_eq!(hub.scratch.git_in(&hub.scratch.origin(), &["rev-parse", branch]), tip);
        hub.laneway(&["reset", "task", "write-core", "--yes"]).success();
        let left = hub.scratch.git(&["ls-tree", "-r", "--name-only", branch]);
        assert!(!left.contains("core.txt"), "{method:?}: {left}");
        hub.laneway(&["verify", "hub"]).success();
    }
}

#[test]
fn ar33_a_lane_that_goes_on_from_a_persons_merge_is_where_the_record_says_also_where_origin_refuses_it() {
    let hub = hub();
    let mut gate = Barrier::new(&hub.scratch, "gate", &["gate".to_owned()]);
    gated(&hub, &gate.command("gate"), "echo core >");
    let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    gate.gather(&mut run);
    hub.fake.merge(number(&hub), Method::Squash, "bob");
    let branch = "refs/heads/laneway/hub/core/integration";
    let hook = hub.scratch.origin().join("hooks/pre-receive");
    let once = format!(
        "grep -q {branch} || exit 0\ntest -e refused && exit 0\n: > refused\necho not now >&2\nexit 1"
    );
    std::fs::create_dir_all(hook.parent().expect("a folder")).expect("made");
    std::fs::write(&hook, format!("#!/bin/sh\n{once}\n")).expect("written");
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).expect("executable");
    gate.open();
    run.wait().success();
    let status = hub.expect("pr_created", "pr_created");
    let said = check(&hub).expect("it is said")["detail"].to_string();
    assert!(said.contains("not now"), "{said}");
    assert_eq!(status.task("write-core")["pr"]["state"], "merged");
    assert_eq!(status.tip("core"), hub.scratch.git(&["rev-parse", branch]));
    assert_eq!(hub.events("merge.recorded").len(), 2);
    assert_eq!(hub.events("custody.kept").len(), 0, "nobody else has moved it");
    assert_eq!(hub.scratch.git_in(&hub.scratch.origin(), &["rev-parse", branch]), status.tip("core"));
    hub.laneway(&["verify", "hub"]).success();
}

#[test]
fn ar33_a_task_whose_pull_request_a_person_merges_unproven_says_so() {
    let hub = hub();
    let mut gate = Barrier::new(&hub.scratch, "gate", &["gate".to_owned()]);
    let first = format!("if [ $LANEWAY_ATTEMPT = 1 ]; then {}; exit 1; fi", gate.command("gate"));
    gated(&hub, &first, "echo $LANEWAY_ATTEMPT >");
    let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    gate.gather(&mut run);
    let number = number(&hub);
    let theirs = hub.fake.merge(number, Method::Squash, "bob");
    gate.open();
    run.wait().failure();
    let status = hub.status();
    assert_eq!(status.attempts("write-core"), 2, "{:#}", status.value());
    let said = check(&hub).expect("it is said")["detail"].to_string();
    assert!(said.contains(&format!("#{number} of task `write-core` was merged by bob")), "{said}");
    let error = status.lane("core")["error"].to_string();
    assert!(error.contains("holds commits that this run does not know"), "{error}");
    let branch = "refs/heads/laneway/hub/core/integration";
    assert_eq!(hub.scratch.git_in(&hub.scratch.origin(), &["rev-parse", branch]), theirs, "left alone");
}
