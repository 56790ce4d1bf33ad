//! Looking at open pull requests again and again.

use laneway::forge::{CheckStatus, PrNews, PrState, Verdict, Watch};

use super::bench::{Bench, HEAD, by_person};
use crate::harness::{Fault, Method};

fn look(bench: &Bench, watch: &mut Watch) -> Vec<PrNews> {
    bench.run(bench.on_github().news(watch, &[1])).expect("an answer")
}

#[test]
fn p08_a_quiet_repository_costs_no_quota() {
    let bench = Bench::github();
    bench.open("u1");
    let mut watch = Watch::default();
    assert_eq!(look(&bench, &mut watch).len(), 1, "everything is new the first time");
    let (spent, asked) = (bench.fake.spent(), bench.fake.log().len());
    for _ in 0..5 {
        assert!(look(&bench, &mut watch).is_empty());
    }
    assert_eq!(bench.fake.spent(), spent, "a quiet look was paid for");
    let log = bench.fake.log();
    assert!(log[asked..].iter().all(|one| one.status == 304), "{:?}", &log[asked..]);
    assert_eq!(log.len() - asked, 15, "the list, the check runs and the statuses");
}

#[test]
fn s20_checks_reviews_and_moves_are_seen_once() {
    let bench = Bench::github();
    let pull = bench.open("u1");
    let mut watch = Watch::default();
    look(&bench, &mut watch);
    bench.fake.check(1, "build", None);
    let news = look(&bench, &mut watch);
    assert_eq!(news[0].pull.checks[0].status, CheckStatus::Pending);
    bench.fake.check(1, "build", Some("failure"));
    let news = look(&bench, &mut watch);
    assert_eq!(
        (news[0].pull.checks[0].name.as_str(), news[0].pull.checks[0].status),
        ("build", CheckStatus::Fail)
    );
    assert!(news[0].reviews.is_empty());
    assert!(look(&bench, &mut watch).is_empty());

    bench.fake.review(1, "bob", "APPROVED", "good");
    bench.fake.review(1, "eve", "DISMISSED", "never mind");
    let news = look(&bench, &mut watch);
    let reviews: Vec<_> = news[0].reviews.iter().map(|r| (r.author.as_str(), r.verdict)).collect();
    assert_eq!(reviews, [("bob", Verdict::Approve)]);
    assert_eq!(news[0].reviews[0].sha, pull.head_sha);
    let other = bench.commit(&[pull.head_sha.as_str()], "more.txt", "1");
    bench.fake.force(HEAD, &other);
    assert_eq!(look(&bench, &mut watch)[0].pull.head_sha.as_str(), other);
    bench.fake.close(1, "carol");
    let closed = look(&bench, &mut watch).remove(0).pull;
    assert_eq!(
        (closed.state, closed.closed.map(|closed| closed.by)),
        (PrState::Closed, Some("carol".to_owned()))
    );
    bench.fake.reopen(1);
    assert_eq!(look(&bench, &mut watch)[0].pull.state, PrState::Open);
}

#[test]
fn s20_a_merge_by_a_person_is_seen_with_the_commit_that_landed() {
    for method in [Method::Merge, Method::Squash, Method::Rebase] {
        let bench = Bench::github();
        bench.open("u1");
        let mut watch = Watch::default();
        look(&bench, &mut watch);
        let landed = by_person(&bench, 1, method);
        let pull = look(&bench, &mut watch).remove(0).pull;
        let merged = pull.merged.expect("it is merged");
        assert_eq!(
            (pull.state, merged.sha.as_str(), merged.by.as_str()),
            (PrState::Merged, landed.as_str(), "bob")
        );
        assert_eq!(bench.tip("main").as_str(), landed, "{method:?}");
        assert!(look(&bench, &mut watch).is_empty());
    }
}

#[test]
fn p08_news_that_could_not_be_read_are_asked_for_again() {
    let bench = Bench::github();
    bench.open("u1");
    let mut watch = Watch::default();
    look(&bench, &mut watch);
    by_person(&bench, 1, Method::Merge);
    bench.fake.fail(Fault::TooMany(1), 1, "GET", "/pulls/1");
    assert!(bench.run(bench.on_github().news(&mut watch, &[1])).is_err());
    assert_eq!(look(&bench, &mut watch)[0].pull.state, PrState::Merged);
}
