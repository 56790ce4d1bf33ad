//! What keeps a run from GitHub, and how it goes on when that is put right.

use super::hub::{Hub, Merge, Token};
use crate::harness::Method;

#[test]
fn s22_without_a_token_the_local_forge_serves_and_that_is_said() {
    let hub = Hub::new();
    hub.graph(Merge::Review);
    let refused = hub.with(Token::None, &["run", "graphs/hub.toml", "--forge", "github"]).code(4).text();
    assert!(
        refused.contains("there is no token for 127.0.0.1") && refused.contains("gh auth login"),
        "{refused}"
    );
    let plan = hub.with(Token::None, &["plan", "graphs/hub.toml"]).success().text();
    let told = hub.with(Token::None, &["run", "graphs/hub.toml"]).success().text();
    for text in [plan, told] {
        assert!(text.contains("pull requests stay in the local forge: there is no token"), "{text}");
    }
    let status = hub.expect("pr_created", "pr_created");
    let url = &status.lane("core")["pr"]["url"];
    assert!(url.as_str().is_some_and(|url| url.starts_with("laneway://pr/")), "{url}");
    assert!(hub.fake.log().is_empty(), "{:?}", hub.fake.log());
}

#[test]
fn s22_a_wrong_token_and_one_without_scope_fail_the_lanes_until_they_are_put_right() {
    for (token, scope, word) in [
        (Token::Wrong, true, "the token for 127.0.0.1"),
        (Token::Right, false, "may not do this in acme/toy"),
    ] {
        let hub = Hub::new();
        hub.fake.set_scope(scope);
        hub.graph(Merge::Review);
        let told = hub.with(token, &["run", "graphs/hub.toml"]).failure().text();
        let way = if token == Token::Wrong { "gh auth login" } else { "the scope `repo`" };
        assert!(told.contains(way) && told.contains("then laneway retry"), "{told}");
        let status = hub.expect("failed", "failed");
        let error = status.lane("core")["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(word), "{error}");
        let failed = hub.events("effect.failed");
        let hint = &failed[0]["payload"]["failure"]["hint"];
        assert!(hint.as_str().is_some_and(|hint| hint.contains("laneway retry")), "{failed:#?}");
        hub.fake.set_scope(true);
        hub.laneway(&["retry", "hub"]).success();
        hub.laneway(&["resume", "hub"]).success();
        hub.expect("pr_created", "pr_created");
        assert_eq!(hub.fake.numbers(), [1, 2]);
        let attempts = hub.status().attempts("write-core");
        assert_eq!(attempts, 1, "the work was done again");
    }
}

#[test]
fn s20_a_renamed_repository_is_followed() {
    let hub = Hub::new();
    hub.fake.rename("acme/renamed");
    hub.graph(Merge::Auto).run().success();
    hub.expect("merged", "merged");
}

#[test]
fn ar18_what_branch_protection_refuses_waits_for_a_person() {
    let hub = Hub::new();
    hub.fake.protect(Some("At least 1 approving review is required by reviewers with write access."));
    hub.graph(Merge::Auto).run().failure();
    let status = hub.expect("pr_created", "pr_created");
    let waiting = status.value()["waiting"].to_string();
    assert!(waiting.contains("approving review is required"), "{waiting}");
    assert!(waiting.contains("laneway pr merge"), "{waiting}");
    let number = hub.number("core").to_string();
    let refused = hub.laneway(&["pr", "merge", &number]).failure().text();
    assert!(refused.contains("approving review is required"), "{refused}");
    hub.fake.protect(None);
    hub.laneway(&["pr", "merge", &number]).success();
    hub.expect("merged", "pr_created");
}

#[test]
fn s20_a_limit_of_pull_requests_is_said_and_outlived() {
    let hub = Hub::new();
    hub.fake.limit(Some(1));
    hub.graph(Merge::Review).run().failure();
    let status = hub.status();
    let errors: Vec<_> =
        ["core", "docs"].iter().filter_map(|lane| status.lane(lane)["error"].as_str()).collect();
    assert_eq!(errors.len(), 1, "{:#}", status.value());
    assert!(errors[0].contains("maximum number of open pull requests"), "{errors:?}");
    hub.fake.limit(None);
    hub.laneway(&["retry", "hub"]).success();
    hub.laneway(&["resume", "hub"]).success();
    hub.expect("pr_created", "pr_created");
}

#[test]
fn ar18_a_head_that_was_moved_by_other_hands_is_not_merged() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let number = hub.number("core");
    let main = hub.scratch.git(&["rev-parse", "main"]);
    let head = hub.fake.pull(number)["head"]["sha"].as_str().expect("a commit").to_owned();
    let evil = hub.scratch.git_in(
        &hub.scratch.origin(),
        &[
            "-c",
            "user.name=E",
            "-c",
            "user.email=e@x",
            "commit-tree",
            "-m",
            "x",
            "-p",
            &main,
            &format!("{head}^{{tree}}"),
        ],
    );
    hub.fake.force("laneway/hub/core/integration", &evil);
    let status = hub.expect("pr_created", "pr_created");
    let checks = status.lane("core")["checks"].to_string();
    assert!(checks.contains("moved to") && checks.contains("by other hands"), "{checks}");
    let refused = hub.laneway(&["pr", "merge", &number.to_string()]).failure().text();
    assert!(refused.contains("was moved by other hands"), "{refused}");
    assert_eq!(hub.fake.pull(number)["state"], "open");
    hub.fake.force("laneway/hub/core/integration", &head);
    hub.laneway(&["pr", "merge", &number.to_string()]).success();
    hub.expect("merged", "pr_created");
}

#[test]
fn ar18_failing_checks_keep_an_automatic_merge_back() {
    let hub = Hub::new();
    hub.graph(Merge::Auto);
    hub.fake.protect(Some("Required status check \"build\" is expected."));
    let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    run.wait_for_nth_line(2, |line| line.contains("pr.opened"));
    hub.fake.check(1, "build", Some("failure"));
    hub.fake.check(2, "build", Some("success"));
    run.wait_for_line(|line| line.contains("github/build") && line.contains("\"fail\""));
    hub.fake.protect(None);
    run.wait().failure();
    let status = hub.status();
    let of = |number: u64| {
        let lanes = ["core", "docs"];
        let lane = lanes.into_iter().find(|lane| status.pr(lane) == number.to_string()).expect("a lane");
        (status.lane(lane)["status"].clone(), lane)
    };
    assert_eq!(of(2).0, "merged", "{:#}", status.value());
    let (found, lane) = of(1);
    assert_eq!(found, "pr_created", "{:#}", status.value());
    assert!(status.lane(lane)["checks"].to_string().contains("github/build"), "{:#}", status.value());
}

#[test]
fn s20_a_push_that_fails_is_said_and_made_good() {
    let hub = Hub::new();
    let hook = hub.scratch.origin().join("hooks/pre-receive");
    std::fs::write(&hook, "#!/bin/sh\necho 'policy says no' >&2\nexit 1\n").expect("a writable origin");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&hook, mode).expect("it is ours");
    hub.graph(Merge::Review).run().failure();
    let status = hub.expect("failed", "failed");
    let error = status.lane("core")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("not pushed"), "{error}");
    assert!(hub.fake.numbers().is_empty());
    std::fs::remove_file(&hook).expect("it is there");
    hub.laneway(&["retry", "hub"]).success();
    hub.laneway(&["resume", "hub"]).success();
    hub.expect("pr_created", "pr_created");
}

#[test]
fn s20_a_base_that_is_gone_is_said_and_made_good() {
    let hub = Hub::new();
    hub.graph(Merge::Review);
    hub.scratch.git(&["branch", "release"]);
    hub.scratch.git(&["push", "-q", "origin", "release"]);
    let origin = hub.scratch.origin();
    let text = format!(
        "schema = 1\nname = \"hub\"\ntarget = \"release\"\n\n[[workstreams]]\nid = \"core\"\n\n[[tasks]]\n\
         id = \"write-core\"\nworkstream = \"core\"\nrun = \"echo 1 > new.txt; git -C {} update-ref -d refs/heads/release\"\n",
        origin.display()
    );
    hub.scratch.write("graphs/hub.toml", &text);
    hub.run().failure();
    let status = hub.status();
    let error = status.lane("core")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("`base` is invalid"), "{error}");
    hub.scratch.git(&["push", "-q", "origin", "release"]);
    hub.laneway(&["retry", "hub"]).success();
    hub.laneway(&["resume", "hub"]).success();
    assert_eq!(hub.status().lane("core")["status"], "pr_created");
}

#[test]
fn s20_one_that_a_person_merges_before_its_checks_are_over_is_merged_once() {
    let hub = Hub::new();
    hub.graph(Merge::Auto);
    hub.fake.protect(Some("Required status check \"build\" is expected."));
    let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    run.wait_for_nth_line(2, |line| line.contains("pr.opened"));
    hub.fake.check(1, "build", None);
    let landed = hub.fake.merge(1, Method::Squash, "bob");
    run.wait_for_line(|line| line.contains("pr.merged"));
    hub.fake.protect(None);
    run.wait().success();
    hub.expect("merged", "merged");
    let merged = hub.events("pr.merged");
    assert_eq!((merged.len(), &merged[0]["payload"]["commit"]), (2, &landed.as_str().into()));
    assert_eq!(hub.events("process.started").len(), 2, "the work was done again");
}
