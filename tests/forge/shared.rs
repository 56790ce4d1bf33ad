//! Several processes of one repository that look at one GitHub.

use std::time::{SystemTime, UNIX_EPOCH};

use laneway::event::Timestamp;
use laneway::forge::{ForgeError, GitHub, GitHubError, PrNews, PrState, Watch};
use tempfile::TempDir;

use super::bench::{Bench, by_person};
use super::hub::{Hub, Merge};
use crate::harness::Fault;

const LIST: &str = "sort=updated";
/// Every answer is younger than that.
const LONG_AGO: Timestamp = Timestamp(0);

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp(i64::try_from(since.as_millis()).expect("our time"))
}

/// A run of the repository: a client of its own, as another process has, and what it has seen.
struct Run {
    github: GitHub,
    watch: Watch,
    number: u64,
}

impl Run {
    fn new(bench: &Bench, record: &TempDir, number: u64) -> Self {
        let github = bench.client(Some(&bench.fake.token())).sharing(record.path());
        Self { github, watch: Watch::default(), number }
    }

    async fn look(&mut self, since: Timestamp) -> Result<Vec<PrNews>, ForgeError> {
        self.github.news_since(&mut self.watch, &[self.number], since).await
    }
}

#[test]
fn p08_two_runs_ask_as_often_as_one() {
    let (bench, record) = (Bench::github(), tempfile::tempdir().expect("a directory"));
    bench.open("u1");
    bench.open_other("u2");
    let (mut one, mut two) = (Run::new(&bench, &record, 1), Run::new(&bench, &record, 2));
    let lists = || bench.fake.count("GET", LIST);
    assert_eq!(bench.run(one.look(now())).expect("news").len(), 1);
    for _ in 0..5 {
        bench.run(two.look(LONG_AGO)).expect("what the other was told");
        assert!(bench.run(one.look(LONG_AGO)).expect("nothing new").is_empty());
    }
    assert_eq!(lists(), 1, "both have asked");

    by_person(&bench, 1, crate::harness::Method::Merge);
    bench.fake.review(2, "eve", "CHANGES_REQUESTED", "Why?");
    let news = bench.run(two.look(now())).expect("news").remove(0);
    assert_eq!((news.reviews[0].author.as_str(), lists()), ("eve", 2));
    let news = bench.run(one.look(LONG_AGO)).expect("what the other was told").remove(0);
    assert_eq!((news.pull.state, lists()), (PrState::Merged, 2));
}

#[test]
fn p08_of_many_who_want_to_know_at_once_one_asks() {
    let (bench, record) = (Bench::github(), tempfile::tempdir().expect("a directory"));
    bench.open("u1");
    let runs: Vec<Run> = (0..8).map(|_| Run::new(&bench, &record, 1)).collect();
    bench.run(Run::new(&bench, &record, 1).look(now())).expect("news");
    let since = now();
    // An answer of the same moment may be the one before.
    while now() == since {
        std::hint::spin_loop();
    }
    bench.run(async {
        let mut looks = tokio::task::JoinSet::new();
        for mut run in runs {
            looks.spawn(async move { run.look(since).await.expect("an answer").len() });
        }
        assert_eq!(looks.join_all().await, [1; 8]);
    });
    assert_eq!(bench.fake.count("GET", LIST), 2);
    let log = bench.fake.log();
    let same = log.iter().filter(|one| one.path.contains(LIST) && one.status == 304).count();
    assert_eq!(same, 1, "the tag is shared too");
}

#[test]
fn p08_what_one_run_is_told_to_wait_for_all_wait_for() {
    let (bench, record) = (Bench::github(), tempfile::tempdir().expect("a directory"));
    bench.open("u1");
    let (mut one, mut two) = (Run::new(&bench, &record, 1), Run::new(&bench, &record, 1));
    bench.fake.fail(Fault::TooMany(600), 1, "GET", LIST);
    let told = |result: Result<Vec<PrNews>, ForgeError>| match result {
        Err(ForgeError::GitHub(error @ GitHubError::RateLimited { .. })) => error.until(),
        other => panic!("no limit: {other:?}"),
    };
    let until = told(bench.run(one.look(now())));
    let asked = bench.fake.log().len();
    assert_eq!(told(bench.run(two.look(now()))), until);
    assert!(bench.run(two.github.get(1)).is_err());
    assert_eq!(bench.fake.log().len(), asked, "somebody asked before the time was over");
    // The limit is one of a token.
    let other = bench.client(Some("another-canary")).sharing(record.path());
    let error = bench.run(other.get(1)).expect_err("nobody knows that token");
    assert!(matches!(error, ForgeError::GitHub(GitHubError::BadToken { .. })), "{error}");
    let left = super::hub::files_with(record.path(), "canary");
    assert_eq!(left, Vec::<String>::new(), "a token was written down");
}

#[test]
fn p08_looks_of_one_process_after_another_are_not_paid_for() {
    let hub = Hub::new();
    hub.graph(Merge::Review).run().success();
    hub.status();
    let (spent, asked) = (hub.fake.spent(), hub.fake.log().len());
    hub.status();
    assert!(hub.fake.log().len() > asked, "nobody looked");
    assert_eq!(hub.fake.spent(), spent, "{:#?}", &hub.fake.log()[asked..]);

    hub.fake.fail(Fault::Exhausted(1800), 1, "GET", LIST);
    hub.status();
    let asked = hub.fake.log().len();
    hub.status();
    hub.laneway(&["pr", "list"]).failure();
    assert_eq!(hub.fake.log().len(), asked, "a process asked before the time was over");
}
