//! What GitHub and the network can do to a client.

use std::time::Duration;

use laneway::event::FailureKind;
use laneway::forge::{
    ForgeError, GitHubError, Landed, NewComment, NewPr, Opened, PrFilter, PrState, PrUpdate, Tried,
};

use super::bench::{Bench, HEAD, at, by_person};
use crate::harness::{Fault, Method};

#[track_caller]
fn github<T: std::fmt::Debug>(result: Result<T, ForgeError>) -> GitHubError {
    match result {
        Err(ForgeError::GitHub(error)) => error,
        other => panic!("not an error of GitHub: {other:?}"),
    }
}

fn comment(key: &str) -> NewComment {
    NewComment {
        author: "ada".to_owned(),
        body: "why?".to_owned(),
        at: at(1),
        path: None,
        line: None,
        key: Some(key.to_owned()),
    }
}

#[test]
fn p19_a_lost_answer_to_create_is_looked_up_and_nothing_is_opened_twice() {
    for fault in [Fault::Lost, Fault::Cut] {
        let bench = Bench::github();
        bench.fake.fail(fault, 1, "POST", "/pulls");
        let opened = bench.run(bench.forge.create(bench.new_pr("u1"), Tried::Perhaps)).expect("it is found");
        assert_eq!(opened.into_pull().number, 1, "{fault:?}");
        assert_eq!(bench.fake.numbers(), [1], "{fault:?}");
        assert_eq!(bench.fake.count("POST", "/pulls"), 1, "{fault:?}: it was asked for again");
    }
    let bench = Bench::github();
    bench.fake.fail(Fault::Status(502), 1, "POST", "/pulls");
    let opened =
        bench.run(bench.forge.create(bench.new_pr("u1"), Tried::Perhaps)).expect("it is opened at last");
    assert!(matches!(opened, Opened::New(_)));
    assert_eq!((bench.fake.numbers(), bench.fake.count("POST", "/pulls")), (vec![1], 2));
}

#[test]
fn p19_a_lost_answer_to_a_merge_or_a_comment_does_nothing_twice() {
    let bench = Bench::github();
    let pull = bench.open("u1");
    bench.fake.fail(Fault::Lost, 1, "POST", "/comments");
    bench.run(bench.forge.add_comment(1, comment("k1"), Tried::Perhaps)).expect("it is said");
    bench.run(bench.forge.add_comment(1, comment("k1"), Tried::Perhaps)).expect("it has been said");
    assert_eq!(bench.fake.comments(1).len(), 1);
    bench.run(bench.forge.add_comment(1, comment("k2"), Tried::Perhaps)).expect("something else");
    assert_eq!(bench.fake.comments(1).len(), 2);

    bench.fake.fail(Fault::Lost, 1, "PUT", "/merge");
    let landed =
        bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)).expect("it is merged");
    assert_eq!(landed, Landed { sha: bench.tip("main"), by: None });
    assert_eq!(bench.fake.count("PUT", "/merge"), 1);
    let again =
        bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)).expect("it has been merged");
    assert_eq!((&again.sha, &bench.tip("main")), (&landed.sha, &landed.sha));
    // Nobody had asked for it yet, so it is somebody else who merged with the same token.
    assert_eq!(again.by.as_deref(), Some("laneway-bot"));
    let again = bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Perhaps));
    assert_eq!(again.expect("it was merged here"), landed);
}

#[test]
fn p08_a_limit_is_told_with_its_end_and_is_not_run_against() {
    for (fault, wait) in [(Fault::Exhausted(1800), 1800), (Fault::TooMany(7), 7)] {
        let bench = Bench::github();
        bench.fake.fail(fault, 1, "", "");
        let error = github(bench.run(bench.forge.list(&PrFilter::default())));
        assert!(matches!(error, GitHubError::RateLimited { .. }), "{error}");
        assert_eq!(error.kind(), FailureKind::Transient);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let until =
            Duration::from_millis(u64::try_from(error.until().expect("an end").0).expect("after 1970"));
        let left = until.saturating_sub(now).as_secs();
        assert!((wait - 5..=wait).contains(&left), "{left} s of {wait} are left");
        assert_eq!(bench.fake.log().len(), 1, "it went on asking");
    }
}

#[test]
fn s20_what_passes_is_tried_again_and_what_does_not_pass_is_said() {
    for fault in [Fault::Status(500), Fault::Status(503), Fault::Cut, Fault::Lost] {
        let bench = Bench::github();
        bench.open("u1");
        bench.fake.fail(fault, 2, "GET", "/pulls/1");
        assert_eq!(bench.run(bench.forge.get(1)).expect("an answer at last").number, 1, "{fault:?}");
        bench.fake.fail(fault, 100, "GET", "/pulls/1");
        let error = github(bench.run(bench.forge.get(1)));
        assert_eq!(error.kind(), FailureKind::Transient, "{fault:?}: {error}");
        assert!(error.until().is_some(), "{fault:?}");
    }
    let bench = Bench::with(|pace| pace.timeout = Duration::from_millis(200));
    bench.fake.fail(Fault::Hang, 3, "GET", "/pulls");
    let error = github(bench.run(bench.forge.list(&PrFilter::default())));
    assert!(matches!(error, GitHubError::Unreachable { .. }), "{error}");
    assert!(bench.run(bench.forge.list(&PrFilter::default())).expect("it is back").is_empty());
}

#[test]
fn s22_no_token_a_wrong_one_and_one_without_scope_each_say_what_to_do() {
    let bench = Bench::github();
    let none = github(bench.run(bench.client(None).list(&PrFilter::default())));
    assert!(matches!(none, GitHubError::NoToken { .. }), "{none}");
    assert!(bench.fake.log().is_empty(), "something was asked without a token");
    let wrong = github(bench.run(bench.client(Some("stale-canary")).list(&PrFilter::default())));
    assert!(matches!(wrong, GitHubError::BadToken { .. }), "{wrong}");
    bench.fake.set_scope(false);
    let scope = github(bench.run(bench.forge.create(bench.new_pr("u1"), Tried::Perhaps)));
    assert!(matches!(scope, GitHubError::Forbidden { .. }), "{scope}");
    for error in [none, wrong, scope] {
        assert_eq!(error.kind(), FailureKind::Refused, "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("laneway retry")), "{error}");
        let told = format!("{error:?} {error}");
        assert!(!told.contains("canary"), "{told}");
    }
    let shown = format!("{:?}", bench.forge);
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn s20_a_renamed_repository_is_followed_and_the_token_goes_nowhere_else() {
    let bench = Bench::github();
    let pull = bench.open("u1");
    bench.fake.rename("acme/renamed");
    assert_eq!(bench.run(bench.forge.get(1)).expect("it is followed").number, 1);
    let update = PrUpdate { title: Some("Better".to_owned()), ..PrUpdate::default() };
    let after = bench.run(bench.forge.update(1, update, &at(1))).expect("changes are followed too");
    assert_eq!(after.title, "Better");
    bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)).expect("and merges");
    bench.fake.rename("acme/again");
    let gone = github(bench.run(bench.forge.list(&PrFilter::default())));
    assert!(matches!(gone, GitHubError::NoRepository { .. }), "{gone}");
    let (bench, other) = (Bench::github(), Bench::github());
    bench.fake.send_away(other.fake.url());
    let away = github(bench.run(bench.forge.list(&PrFilter::default())));
    assert!(matches!(away, GitHubError::SentAway { .. }), "{away}");
    assert_eq!(bench.fake.log().len(), 1, "it was followed");
    assert!(other.fake.log().is_empty(), "the token was shown to another server");
}

#[test]
fn s20_what_github_does_not_accept_is_said_in_its_words() {
    let bench = Bench::github();
    bench.set("empty", bench.tip("main").as_str());
    let empty = NewPr { head: "empty".to_owned(), ..bench.new_pr("u1") };
    let error = github(bench.run(bench.forge.create(empty, Tried::Perhaps))).to_string();
    assert!(error.contains("No commits between main and empty"), "{error}");
    let gone = NewPr { base: "gone".to_owned(), ..bench.new_pr("u1") };
    let error = github(bench.run(bench.forge.create(gone, Tried::Perhaps)));
    assert!(error.to_string().contains("`base` is invalid"), "{error}");
    assert_eq!(error.kind(), FailureKind::Refused);
    bench.fake.limit(Some(0));
    let error = github(bench.run(bench.forge.create(bench.new_pr("u1"), Tried::Perhaps))).to_string();
    assert!(error.contains("maximum number of open pull requests"), "{error}");
    assert!(bench.fake.numbers().is_empty());
}

#[test]
fn p19_one_that_a_person_opened_for_the_branch_is_taken_over_and_another_runs_is_not() {
    let bench = Bench::github();
    let theirs = NewPr { marker: "x".to_owned(), body: "by hand".to_owned(), ..bench.new_pr("u1") };
    _ = bench.run(bench.forge.create(theirs, Tried::Perhaps));
    let opened = bench.run(bench.forge.create(bench.new_pr("u1"), Tried::Perhaps)).expect("it is found");
    let Opened::Existing(pull) = opened else { panic!("a second one was opened") };
    assert_eq!((pull.number, pull.marker.as_str()), (1, "laneway:demo:u1:core"));
    let error = github(bench.run(bench.forge.create(bench.new_pr("u2"), Tried::Perhaps)));
    assert!(matches!(error, GitHubError::OtherRun { number: 1 }), "{error}");
    assert_eq!(bench.fake.numbers(), [1]);
}

#[test]
fn ar18_only_the_gated_head_is_merged() {
    let bench = Bench::github();
    let pull = bench.open("u1");
    let other = bench.commit(&[bench.tip("main").as_str()], "evil.txt", "1");
    bench.fake.force(HEAD, &other);
    let error = github(bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)));
    assert!(matches!(error, GitHubError::HeadMoved { number: 1, .. }), "{error}");
    assert_eq!(
        (error.kind(), bench.run(bench.forge.get(1)).expect("it is there").state),
        (FailureKind::Refused, PrState::Open)
    );
    bench.fake.force(HEAD, pull.head_sha.as_str());
    bench.fake.protect(Some("At least 1 approving review is required by reviewers with write access."));
    let error = github(bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)));
    assert!(error.to_string().contains("approving review is required"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("laneway pr merge 1")), "{error}");
    bench.fake.protect(Some("Base branch was modified. Review and try the merge again."));
    let error = github(bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)));
    assert_eq!(error.kind(), FailureKind::Moved, "{error}");
    bench.fake.protect(None);
    by_person(&bench, 1, Method::Squash);
    let landed =
        bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)).expect("it is merged");
    assert_eq!(landed, Landed { sha: bench.tip("main"), by: Some("bob".to_owned()) });
}
