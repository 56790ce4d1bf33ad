//! Whole runs of the program against our GitHub.

use super::hub::{Hub, Merge, Token, files_with};
use crate::harness::{Barrier, Fault, Method};

#[test]
fn ar07_a_run_opens_its_pull_requests_on_github_and_a_person_merges_them_there() {
    let hub = Hub::new();
    let answer = hub.graph(Merge::Review).run().success();
    assert!(answer.text().contains("pull requests go to acme/toy on 127.0.0.1"), "{}", answer.text());
    let status = hub.expect("pr_created", "pr_created");
    assert_eq!(hub.fake.numbers(), [1, 2]);
    let core = hub.number("core");
    let pull = hub.fake.pull(core);
    assert_eq!(status.lane("core")["pr"]["url"], pull["html_url"]);
    assert_eq!(pull["head"]["sha"], status.tip("core"));
    assert_eq!((&pull["base"]["ref"], &pull["draft"]), (&"main".into(), &false.into()));
    assert!(pull["body"].as_str().is_some_and(|body| body.contains("<!-- laneway:hub:")), "{pull:#}");
    let file = std::fs::read_to_string(hub.scratch.board("hub", "lanes/core/pr_created"));
    assert_eq!(file.expect("a status file").trim_end(), pull["html_url"]);

    hub.fake.edit(core, "My own words.");
    let landed = hub.fake.merge(core, Method::Squash, "bob");
    hub.expect("merged", "pr_created");
    let merged = hub.events("pr.merged");
    assert_eq!((merged.len(), &merged[0]["payload"]["commit"]), (1, &landed.as_str().into()));
    assert_eq!(merged[0]["payload"]["by"], "bob");
    let docs = hub.number("docs");
    let landed = hub.fake.merge(docs, Method::Rebase, "bob");
    let answer = hub.run().success();
    assert!(answer.text().contains("nothing to do"), "{}", answer.text());
    let status = hub.expect("merged", "merged");
    assert_eq!(hub.events("pr.merged")[1]["payload"]["commit"], landed.as_str());
    assert_eq!((hub.fake.numbers(), status.value()["state"].as_str()), (vec![1, 2], Some("completed")));
    hub.laneway(&["verify", "hub"]).success();
}

#[test]
fn ar18_an_automatic_merge_waits_for_the_checks_on_github_and_lands_the_gated_head() {
    let hub = Hub::new();
    hub.fake.fail(Fault::Lost, 1, "PUT", "/merge");
    hub.fake.fail(Fault::Lost, 1, "POST", "/comments");
    hub.graph(Merge::Auto).run().success();
    let status = hub.expect("merged", "merged");
    for lane in ["core", "docs"] {
        assert_eq!(hub.origin_file(&format!("new/{lane}.txt")).as_deref(), Some(lane));
        let number: u64 = status.pr(lane).parse().expect("a number");
        let pull = hub.fake.pull(number);
        assert_eq!(pull["merged"], true);
        let head = pull["head"]["sha"].as_str().expect("a commit");
        hub.scratch.git_in(&hub.scratch.origin(), &["merge-base", "--is-ancestor", head, "main"]);
        let said = hub.fake.comments(number);
        assert_eq!(said.len(), 1, "{said:#?}");
        let word = said[0]["body"].as_str().expect("a text");
        assert!(word.starts_with("**Merged** into `main` by `laneway`, as "), "{word}");
    }
    let merges: Vec<_> = hub.fake.log().into_iter().filter(|one| one.path.ends_with("/merge")).collect();
    assert!(merges.iter().all(|one| one.sent["sha"].is_string()), "{merges:#?}");
    assert_eq!(hub.events("pr.merged").len(), 2);
}

#[test]
fn s22_the_token_is_in_nothing_that_is_written_or_started() {
    let hub = Hub::new();
    hub.fake.fail(Fault::Status(502), 1, "POST", "/pulls");
    let told = hub.graph(Merge::Auto).run().success().text();
    let wrong = hub.with(Token::Wrong, &["pr", "list"]).failure().text();
    let debug = hub.laneway(&["events", "hub", "--json"]).success().text();
    for (text, token) in
        [(&told, hub.fake.token()), (&debug, hub.fake.token()), (&wrong, "stale-canary".to_owned())]
    {
        assert!(!text.contains(&token), "{text}");
    }
    let root = hub.scratch.shared().parent().expect("it is in the root").to_owned();
    assert_eq!(files_with(&root, &hub.fake.token()), Vec::<String>::new());
    let seen = std::fs::read_to_string(hub.scratch.shared().join("env-core")).expect("the task wrote it");
    assert!(seen.contains("LANEWAY_TASK=") && !seen.contains("GH_TOKEN"), "{seen}");
    let asked = hub.fake.log();
    assert!(asked.iter().filter(|one| one.token.as_ref() == Some(&hub.fake.token())).count() > 5);
    assert!(asked.iter().all(|one| !one.answered.to_string().contains("canary-token")), "it came back");
}

#[test]
fn p08_a_run_outlives_limits_and_a_github_that_is_down() {
    let hub = Hub::new();
    hub.graph(Merge::Auto);
    hub.fake.fail(Fault::Exhausted(1), 1, "POST", "/pulls");
    hub.fake.fail(Fault::TooMany(1), 1, "GET", "/pulls");
    hub.fake.fail(Fault::Status(503), 9, "", "/pulls");
    let answer = hub.run().success();
    hub.expect("merged", "merged");
    assert_eq!(hub.fake.numbers(), [1, 2], "{}", answer.text());
    let failed = hub.events("effect.failed");
    assert!(failed.iter().any(|event| event["payload"]["failure"]["retry_at"].is_string()), "{failed:#?}");
    assert!(failed.iter().all(|event| event["payload"]["failure"]["class"] == "transient"), "{failed:#?}");
}

#[test]
fn p19_a_lost_answer_to_create_opens_nothing_twice() {
    let hub = Hub::new();
    hub.fake.fail(Fault::Lost, 1, "POST", "/pulls");
    hub.fake.fail(Fault::Cut, 1, "POST", "/pulls");
    hub.graph(Merge::Review).run().success();
    hub.expect("pr_created", "pr_created");
    assert_eq!((hub.fake.numbers(), hub.fake.count("POST", "/pulls")), (vec![1, 2], 2));
}

#[test]
fn s20_reviews_and_comments_go_through_the_program_and_come_from_github() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let number = hub.number("core").to_string();
    hub.laneway(&["pr", "comment", &number, "Why twice?"]).success();
    hub.laneway(&["pr", "approve", &number, "Good"]).success();
    hub.fake.review(hub.number("core"), "eve", "CHANGES_REQUESTED", "A check is missing.");
    hub.expect("pr_created", "pr_created");
    let reviews: Vec<_> = hub
        .events("review.observed")
        .iter()
        .map(|event| format!("{} by {}", event["payload"]["act"], event["payload"]["by"]))
        .collect();
    assert_eq!(
        reviews,
        ["\"comment\" by \"Ann Author\"", "\"approve\" by \"Ann Author\"", "\"request_changes\" by \"eve\""]
    );
    let waiting = hub.status().value()["waiting"].to_string();
    assert!(waiting.contains("eve asked for changes: A check is missing."), "{waiting}");
    hub.fake.review(hub.number("core"), "eve", "APPROVED", "");
    let waiting = hub.status().value()["waiting"].to_string();
    assert!(!waiting.contains("asked for changes"), "{waiting}");
    let length = hub.scratch.events("hub").len();
    hub.status();
    assert_eq!(hub.scratch.events("hub").len(), length, "a look without news was written down");
    let shown = hub.laneway(&["pr", "show", &number]).success().stdout().to_owned();
    for word in ["Why twice?", "laneway-bot approved", "eve asked for changes", "A check is missing."] {
        assert!(shown.contains(word), "`{word}` is not in:\n{shown}");
    }
    assert!(!shown.contains("laneway-request"), "{shown}");
    let list = hub.laneway(&["pr", "list", "--json"]).success().json();
    assert_eq!(list.as_array().map(Vec::len), Some(2), "{list:#}");
    let diff = hub.laneway(&["pr", "diff", &number]).success().stdout().to_owned();
    assert!(diff.contains("+core"), "{diff}");
    hub.laneway(&["pr", "merge", &number]).success();
    hub.expect("merged", "pr_created");
    assert_eq!(hub.origin_file("new/core.txt").as_deref(), Some("core"));
}

#[test]
fn s20_a_review_that_is_dismissed_counts_no_longer_and_a_later_one_replaces_it() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let number = hub.number("core");
    let waits = || hub.status().value()["waiting"].to_string().contains("asked for changes");
    hub.fake.review(number, "eve", "CHANGES_REQUESTED", "");
    assert!(waits());
    hub.fake.dismiss(number, "eve");
    assert!(!waits(), "a dismissed review counts");
    // The same words are another review.
    hub.fake.review(number, "eve", "CHANGES_REQUESTED", "");
    assert!(waits());
    hub.fake.review(number, "eve", "APPROVED", "");
    assert!(!waits());
    hub.fake.review(number, "eve", "CHANGES_REQUESTED", "");
    assert!(waits(), "the newest word of a person does not count");
    let dismissed = hub.events("review.dismissed");
    assert_eq!((dismissed.len(), &dismissed[0]["payload"]["by"]), (1, &"eve".into()), "{dismissed:#?}");
    assert_eq!(hub.events("review.observed").len(), 4);

    // One that was given through the program is GitHub's under the name of the token.
    hub.laneway(&["pr", "request-changes", &number.to_string(), "No."]).success();
    hub.fake.dismiss(number, "eve");
    assert!(waits());
    hub.fake.dismiss(number, "laneway-bot");
    assert!(!waits());
    let length = hub.scratch.events("hub").len();
    hub.fake.edit(number, "Other words.");
    hub.status();
    assert_eq!(hub.scratch.events("hub").len(), length, "it was dismissed once more");
    hub.laneway(&["verify", "hub"]).success();
}

#[test]
fn s20_a_merge_by_a_person_that_a_merge_of_ours_meets_is_theirs() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let number = hub.number("core");
    // The list is late, so that it is the merge that finds out.
    hub.fake.fail(Fault::Status(503), 1000, "GET", "sort=updated");
    let landed = hub.fake.merge(number, Method::Squash, "bob");
    hub.laneway(&["pr", "merge", &number.to_string()]).success();
    let merged = hub.events("pr.merged");
    assert_eq!((merged.len(), &merged[0]["payload"]["by"]), (1, &"bob".into()), "{merged:#?}");
    assert_eq!(merged[0]["payload"]["commit"], landed.as_str());
    let said = hub.fake.comments(number)[0]["body"].to_string();
    assert!(said.contains("by `bob`"), "{said}");
}

#[test]
fn s20_one_that_is_closed_fails_its_lane_and_one_that_is_opened_again_goes_on() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let number = hub.number("core");
    hub.fake.close(number, "carol");
    let status = hub.expect("failed", "pr_created");
    let error = status.lane("core")["error"].as_str().expect("a reason").to_owned();
    assert_eq!(error, format!("pull request #{number} was closed unmerged by carol"));
    hub.fake.reopen(number);
    hub.expect("pr_created", "pr_created");
    let docs = hub.number("docs").to_string();
    hub.laneway(&["pr", "close", &docs]).success();
    hub.expect("pr_created", "failed");
    hub.laneway(&["retry", "hub"]).success();
    hub.laneway(&["resume", "hub"]).success();
    hub.expect("pr_created", "pr_created");
    assert_eq!(hub.fake.pull(docs.parse().expect("a number"))["state"], "open");
    assert_eq!(hub.fake.numbers(), [1, 2]);
    hub.fake.close(number, "carol");
    hub.expect("failed", "pr_created");
    hub.fake.reopen(number);
    hub.fake.merge(number, Method::Merge, "bob");
    hub.expect("merged", "pr_created");
}

#[test]
fn s20_a_run_that_waits_for_merges_hears_of_them() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    let mut waiting = hub.spawn(&["run", "graphs/hub.toml", "--wait", "merged", "--json"]);
    waiting.wait_for_line(|line| line.contains("control.received"));
    for number in [1, 2] {
        hub.fake.merge(number, Method::Merge, "bob");
    }
    waiting.wait().success();
    hub.expect("merged", "merged");
}

#[test]
fn p08_a_github_that_is_down_for_longer_than_a_few_tries_is_waited_for() {
    let hub = Hub::new();
    hub.graph(Merge::Auto);
    hub.fake.set_down(true);
    let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    // More failures of one effect than others are given.
    run.wait_for_nth_line(6, |line| line.contains("\"effect.failed\"") && line.contains("open-pr/core"));
    assert!(hub.fake.numbers().is_empty());
    // Whoever does not want to wait goes, and comes back.
    run.signal(rustix::process::Signal::INT);
    run.wait().failure();
    let told = hub.scratch.laneway(&["events", "hub"]).success().text();
    assert!(told.contains("127.0.0.1") && told.contains("status 503"), "{told}");
    let mut run = hub.spawn(&["resume", "hub", "--json"]);
    run.wait_for_line(|line| line.contains("\"effect.failed\""));
    hub.fake.set_down(false);
    run.wait().success();
    hub.expect("merged", "merged");
    assert_eq!((hub.fake.numbers(), hub.status().attempts("write-core")), (vec![1, 2], 1));
}

#[test]
fn p19_a_run_that_is_killed_around_its_pull_requests_does_nothing_twice() {
    let whole = Hub::new();
    whole.graph(Merge::Auto).run().success();
    let events = whole.scratch.events("hub");
    let about = |kind: &str, what: &str| {
        let found = events.iter().position(|event| event["kind"] == kind && event.to_string().contains(what));
        found.unwrap_or_else(|| panic!("there is no {kind} of {what}")) + 1
    };
    let points = [
        about("effect.intended", "open-pr/"),
        about("pr.opened", ""),
        about("effect.intended", "prove/"),
        about("effect.intended", "merge-pr/"),
        about("pr.merged", ""),
    ];
    for point in points {
        let hub = Hub::new();
        hub.graph(Merge::Auto);
        assert!(hub.crash(point).crashed(), "it was not killed after event {point}");
        hub.laneway(&["resume", "hub"]).success();
        hub.expect("merged", "merged");
        assert_eq!(hub.fake.numbers(), [1, 2], "killed after event {point}");
        let landed: usize =
            hub.fake.log().iter().filter(|one| one.path.ends_with("/merge") && one.status == 200).count();
        assert_eq!(landed, 2, "killed after event {point}");
        hub.laneway(&["verify", "hub"]).success();
    }
}

#[test]
fn s20_one_that_a_person_merges_before_its_proof_is_over_is_merged() {
    let hub = Hub::new();
    let mut gate = Barrier::new(&hub.scratch, "proof", &["gate".to_owned()]);
    let text = format!(
        "schema = 1\nname = \"hub\"\n\n[[workstreams]]\nid = \"core\"\ngate = \"{}\"\n\n[[tasks]]\n\
         id = \"write-core\"\nworkstream = \"core\"\nrun = \"echo 1 > new.txt\"\n",
        gate.command("gate")
    );
    hub.scratch.write("graphs/hub.toml", &text);
    let mut run = hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    gate.gather(&mut run);
    let landed = hub.fake.merge(1, Method::Squash, "bob");
    gate.open();
    run.wait().success();
    assert_eq!(hub.status().lane("core")["status"], "merged");
    assert_eq!(hub.events("pr.merged")[0]["payload"]["commit"], landed.as_str());
}
