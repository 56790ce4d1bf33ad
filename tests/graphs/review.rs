//! Graphs whose pull requests wait for a person.

use super::{Merges, busy_user, calculates, file, integration, on_main, run, run_again, waiting};
use crate::harness::{Scratch, Setup, UserState};

#[test]
fn ar07_quickstart_ends_with_two_pull_requests_and_leaves_its_user_alone() {
    let scratch = busy_user();
    let answer = run(&scratch, "quickstart", 0, Merges::Nothing);
    let status = scratch.status("quickstart");
    status.expect(
        "completed",
        &[("math", "pr_created"), ("manual", "pr_created")],
        &[("multiply", "merged"), ("divide", "merged"), ("usage", "merged"), ("changes", "merged")],
    );
    let math = integration(&scratch, &status, "quickstart", "math");
    assert_eq!(calculates(&scratch, &math, "42 div 7"), "6");
    let manual = integration(&scratch, &status, "quickstart", "manual");
    assert!(scratch.file_at(scratch.repo(), &manual, "docs/usage.md").is_some());
    assert_eq!(scratch.file_at(scratch.repo(), &manual, "ops/mul.sh"), None);
    assert_eq!(on_main(&scratch, "ops/mul.sh"), None);

    let prs = scratch.laneway(&["pr", "list", "--json"]).success().json();
    let prs = prs.as_array().expect("a list");
    assert_eq!(prs.len(), 2);
    for pr in prs {
        assert_eq!((&pr["state"], &pr["base"]), (&"open".into(), &"main".into()), "{pr:#}");
        let url = pr["url"].as_str().expect("a URL");
        assert!(answer.text().contains(url), "{url} is not in:\n{}", answer.text());
    }
    let listed = std::fs::read_to_string(scratch.board("quickstart", "lanes/math/pr_created"));
    assert_eq!(status.lane("math")["pr"]["url"], listed.expect("a status file").trim_end());
    assert!(waiting(&status).contains(&format!("pr merge {}", status.pr("math"))));
    run_again(&scratch, "quickstart");
}

#[test]
fn ar07_quickstart_is_merged_by_a_person_into_a_clean_checkout() {
    let scratch = Scratch::new();
    let before = UserState::of(&scratch);
    scratch.laneway(&["run", &file("quickstart")]).success();
    UserState::of(&scratch).expect(&before);
    let status = scratch.status("quickstart");
    for lane in ["math", "manual"] {
        scratch.laneway(&["pr", "merge", &status.pr(lane)]).success();
    }
    assert!(on_main(&scratch, "ops/div.sh").is_some() && on_main(&scratch, "docs/usage.md").is_some());
    assert_eq!(scratch.git(&["status", "--porcelain"]), "");
    assert!(scratch.repo().join("ops/div.sh").exists(), "the clean checkout did not move along");
    let others = |state: UserState| state.without_branch("main").without_checkout();
    others(UserState::of(&scratch)).expect(&others(before));
    let lanes = [("math", "merged"), ("manual", "merged")];
    let status = scratch.status("quickstart");
    for (lane, wanted) in lanes {
        assert_eq!(status.lane(lane)["status"], wanted, "{:#}", status.value());
    }
    scratch.laneway(&["verify", "quickstart"]).success();
    run_again(&scratch, "quickstart");
}

#[test]
fn ar07_a_merge_is_refused_while_the_checkout_of_its_target_is_dirty() {
    let scratch = Setup::new().dirty().make();
    run(&scratch, "quickstart", 0, Merges::Nothing);
    let before = UserState::of(&scratch);
    let status = scratch.status("quickstart");
    let answer = scratch.laneway(&["pr", "merge", &status.pr("math")]).failure();
    assert!(answer.stderr().contains("hint:"), "{}", answer.text());
    UserState::of(&scratch).expect(&before);
    assert_eq!(scratch.status("quickstart").lane("math")["status"], "pr_created");
    assert_eq!(on_main(&scratch, "ops/mul.sh"), None);
}

#[test]
fn ar07_a_graph_runs_without_a_remote_and_in_a_bare_repository() {
    for setup in [Setup::new().without_origin(), Setup::new().bare()] {
        let scratch = setup.make();
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/quickstart.toml"));
        let path = scratch.shared().join("quickstart.toml");
        std::fs::write(&path, text.expect("it ships")).expect("a writable directory");
        let before = UserState::of(&scratch);
        scratch.laneway(&["run", path.to_str().expect("a path in UTF-8")]).success();
        UserState::of(&scratch).expect(&before);
        let status = scratch.status("quickstart");
        assert_eq!(calculates(&scratch, status.tip("math"), "42 div 7"), "6");
        scratch.laneway(&["verify", "quickstart"]).success();
    }
}

#[test]
fn ar06_bare_repositories_in_one_folder_keep_apart() {
    let scratch = Setup::new().without_origin().bare().make();
    let folder = scratch.repo().parent().expect("a folder").to_owned();
    let two = folder.join("two.git").display().to_string();
    scratch.git(&["clone", "-q", "--bare", ".", &two]);
    for (key, value) in [("user.name", "A"), ("user.email", "a@example.org")] {
        scratch.git(&["--git-dir", &two, "config", key, value]);
    }
    let path = scratch.shared().join("g.toml");
    std::fs::write(
        &path,
        "schema = 1\nname = \"g\"\n[[workstreams]]\nid = \"a\"\n[[tasks]]\nid = \"work\"\nworkstream = \"a\"\nrun = \"echo worked > work.txt\"\n",
    )
    .expect("a writable directory");
    let file = path.to_str().expect("a path in UTF-8");
    scratch.laneway(&["run", file]).success();
    scratch.laneway(&["--repo", &two, "run", file]).success();
    for name in ["bare.git", "two.git"] {
        let lane = folder.join(".worktrees").join(name).join("g/a");
        let common = scratch.git_in(&lane, &["rev-parse", "--git-common-dir"]);
        assert_eq!(common, folder.join(name).display().to_string());
        assert!(folder.join(".laneway").join(name).join("g/1/lanes").is_dir());
    }
}

#[test]
fn ar21_chain_hands_work_and_summaries_on() {
    let scratch = busy_user();
    run(&scratch, "chain", 0, Merges::Nothing);
    let status = scratch.status("chain");
    status.expect(
        "completed",
        &[("operation", "pr_created"), ("release", "pr_created")],
        &[("sketch", "merged"), ("build", "merged"), ("polish", "merged"), ("announce", "merged")],
    );
    let told = scratch.instructions("chain", "build", 1);
    assert!(told.contains("Sketched neg: it ignores the first number."), "{told}");
    let upstream = integration(&scratch, &status, "chain", "operation");
    let release = integration(&scratch, &status, "chain", "release");
    scratch.git(&["merge-base", "--is-ancestor", &upstream, &release]);
    assert_eq!(calculates(&scratch, &release, "0 neg 5"), "-5");
    run_again(&scratch, "chain");
}

#[test]
fn ar21_diamond_review_is_merged_from_the_bottom_up() {
    let scratch = busy_user();
    run(&scratch, "diamond-review", 0, Merges::Nothing);
    let lanes = ["core", "left", "right", "suite"];
    let status = scratch.status("diamond-review");
    status.expect(
        "completed",
        &lanes.map(|lane| (lane, "pr_created")),
        &["subtract", "negate", "distance", "combine"].map(|task| (task, "merged")),
    );
    let suite = integration(&scratch, &status, "diamond-review", "suite");
    assert_eq!(calculates(&scratch, &suite, "0 twice 21"), "42");

    let before = UserState::of(&scratch).without_branch("main");
    let early = scratch.laneway(&["pr", "merge", &status.pr("suite")]).failure();
    assert!(early.text().contains("has to be merged first"), "{}", early.text());
    assert_eq!(on_main(&scratch, "ops/sub.sh"), None);
    for (lane, brings) in lanes.into_iter().zip(["sub", "neg", "dist", "twice"]) {
        assert_eq!(on_main(&scratch, &format!("ops/{brings}.sh")), None);
        scratch.laneway(&["pr", "merge", &status.pr(lane)]).success();
        assert!(on_main(&scratch, &format!("ops/{brings}.sh")).is_some());
    }
    UserState::of(&scratch).without_branch("main").expect(&before);
    assert_eq!(calculates(&scratch, "refs/heads/main", "0 twice 21"), "42");
    let status = scratch.status("diamond-review");
    for lane in lanes {
        assert_eq!(status.lane(lane)["status"], "merged", "{:#}", status.value());
    }
    scratch.laneway(&["verify", "diamond-review"]).success();
    run_again(&scratch, "diamond-review");
}

#[test]
fn ar15_gate_retry_goes_on_from_the_first_attempt_and_shows_it_what_the_gate_said() {
    let scratch = busy_user();
    run(&scratch, "gate-retry", 0, Merges::Nothing);
    let status = scratch.status("gate-retry");
    status.expect("completed", &[("default", "pr_created")], &[("multiply", "merged")]);
    assert_eq!(status.attempts("multiply"), 2);
    let told = scratch.instructions("gate-retry", "multiply", 2);
    assert!(told.contains("6 mul 7: expected 42, found 13"), "{told}");
    let first = scratch.instructions("gate-retry", "multiply", 1);
    assert!(!first.contains("## Earlier attempts"), "{first}");
    let tip = integration(&scratch, &status, "gate-retry", "default");
    assert_eq!(calculates(&scratch, &tip, "6 mul 7"), "42");
    let gates = scratch.events("gate-retry");
    let gates: Vec<_> = gates
        .iter()
        .filter(|event| event["kind"] == "check.recorded" && event["task"] == "multiply")
        .filter(|event| event["payload"]["name"] == "gate")
        .map(|event| (event["attempt"].clone(), event["payload"]["status"].clone()))
        .collect();
    assert_eq!(gates, [(1.into(), "fail".into()), (2.into(), "pass".into())]);
    run_again(&scratch, "gate-retry");
}

#[test]
fn p17_conflict_is_resolved_by_the_task_that_lands_second() {
    let scratch = busy_user();
    run(&scratch, "conflict", 0, Merges::Nothing);
    let status = scratch.status("conflict");
    status.expect(
        "completed",
        &[("listing", "pr_created")],
        &[("list-sub", "merged"), ("list-mul", "merged")],
    );
    // Which one lands first is up to the machine.
    let (second, first) = match status.attempts("list-sub") {
        2 => ("list-sub", "list-mul"),
        _ => ("list-mul", "list-sub"),
    };
    assert_eq!((status.attempts(first), status.attempts(second)), (1, 2));
    let told = scratch.instructions("conflict", second, 2);
    let (_, shown) = told.split_once("## Resolve this conflict").expect("the conflict is shown");
    assert!(shown.contains("- `README.md`"), "{told}");
    assert!(shown.contains("CONFLICT") || shown.contains("<<<<<<<"), "{told}");
    let tip = integration(&scratch, &status, "conflict", "listing");
    let readme = scratch.file_at(scratch.repo(), &tip, "README.md").expect("a file");
    let list = match first {
        "list-sub" => "Operations: add, sub, mul",
        _ => "Operations: add, mul, sub",
    };
    assert!(readme.lines().any(|line| line == list), "{readme}");
    run_again(&scratch, "conflict");
}

#[test]
fn ar07_no_diff_skips_integration_and_counts_as_merged() {
    let scratch = busy_user();
    run(&scratch, "no-diff", 0, Merges::Nothing);
    let status = scratch.status("no-diff");
    status.expect("completed", &[("default", "merged")], &[("look", "merged"), ("confirm", "completed")]);
    assert!(status.lane("default")["pr"].is_null(), "{:#}", status.value());
    let events = scratch.events("no-diff");
    let merged =
        events.iter().find(|event| event["payload"]["of"] == "lane" && event["payload"]["to"] == "merged");
    let reason = merged.expect("the lane was merged")["payload"]["reason"].to_string();
    assert!(reason.contains("integration skipped"), "{reason}");
    let prs = scratch.laneway(&["pr", "list", "--json"]).success().json();
    assert_eq!(prs, serde_json::json!([]));
    run_again(&scratch, "no-diff");
}

#[test]
fn commands_need_no_signal_and_their_changes_are_merged() {
    let scratch = busy_user();
    run(&scratch, "commands", 0, Merges::Nothing);
    let status = scratch.status("commands");
    status.expect(
        "completed",
        &[("reports", "pr_created")],
        &[("count", "merged"), ("stamp", "merged"), ("verify", "completed")],
    );
    let tip = integration(&scratch, &status, "commands", "reports");
    let report = |path| scratch.file_at(scratch.repo(), &tip, path);
    assert_eq!(report("reports/count").as_deref(), Some("2"));
    assert_eq!(report("reports/stamp").as_deref(), Some("by stamp in reports"));
    let observed = scratch.events("commands");
    assert!(observed.iter().all(|event| event["kind"] != "signal.observed"));
    run_again(&scratch, "commands");
}
