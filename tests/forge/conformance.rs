//! What every forge promises, held against each.

use laneway::forge::{
    ForgeError, NewComment, NewPr, NewReview, Opened, PrFilter, PrState, PrUpdate, Tried, Verdict,
};
use laneway::id::{GraphName, LaneId, RunNo};

use super::bench::{Bench, HEAD, at, closed};

fn both() -> [(&'static str, Bench); 2] {
    [("local", Bench::local()), ("github", Bench::github())]
}

#[test]
fn s13_opening_again_with_the_same_marker_gives_the_same_pull_request() {
    for (name, bench) in both() {
        let first = bench.open("u1");
        assert_eq!((first.state, first.draft), (PrState::Open, false), "{name}");
        assert_eq!((first.head.as_str(), first.base.as_str()), (HEAD, "main"), "{name}");
        assert_eq!((&first.head_sha, &first.base_sha), (&bench.tip(HEAD), &bench.tip("main")), "{name}");
        assert_eq!(
            (first.marker.as_str(), first.graph.as_str(), first.run, first.lane.as_str()),
            ("laneway:demo:u1:core", "demo", RunNo(1), "core"),
            "{name}"
        );
        let again = NewPr { title: "Another".to_owned(), ..bench.new_pr("u1") };
        let Opened::Existing(second) =
            bench.run(bench.forge.create(again.clone(), Tried::Perhaps)).expect("it is found")
        else {
            panic!("{name}: a second one was opened")
        };
        assert_eq!((second.number, &second.title), (first.number, &first.title), "{name}");
        bench.run(bench.forge.close(first.number, closed())).expect("it is closed");
        let found = bench.run(bench.forge.create(again, Tried::Perhaps)).expect("it is found").into_pull();
        assert_eq!((found.number, found.state), (first.number, PrState::Closed), "{name}");
        let by_marker = bench.run(bench.forge.find_by_marker(&first.marker, HEAD)).expect("an answer");
        assert_eq!(by_marker.map(|pull| pull.number), Some(first.number), "{name}");
        let other = bench.run(bench.forge.find_by_marker("laneway:demo:u1", HEAD)).expect("an answer");
        assert_eq!(other, None, "{name}");
        let missing = bench.run(bench.forge.get(99));
        assert!(matches!(missing, Err(ForgeError::NotFound { number: 99 })), "{name}: {missing:?}");
    }
}

#[test]
fn s20_an_update_changes_what_it_names() {
    for (name, bench) in both() {
        let before = bench.open("u1");
        bench.set("next", bench.tip("main").as_str());
        let update = PrUpdate {
            title: Some("Better".to_owned()),
            body: Some(format!("New text\n<!-- {} -->\n", before.marker)),
            base: Some("next".to_owned()),
            labels: Some(vec!["laneway".to_owned(), "core".to_owned()]),
            reviewers: Some(vec!["eve".to_owned()]),
            draft: Some(true),
            ..PrUpdate::default()
        };
        bench.run(bench.forge.update(before.number, update.clone(), &at(1))).expect("it is changed");
        let after = bench.run(bench.forge.get(before.number)).expect("it is there");
        assert_eq!(
            (after.title.as_str(), after.base.as_str(), after.draft),
            ("Better", "next", true),
            "{name}"
        );
        assert_eq!(
            (&after.labels[..], &after.reviewers[..]),
            (&["laneway".to_owned(), "core".to_owned()][..], &["eve".to_owned()][..]),
            "{name}"
        );
        assert!(after.body.starts_with("New text\n") && after.marker == before.marker, "{name}");
        assert_eq!((&after.head, after.number), (&before.head, before.number), "{name}");
        let same = bench.run(bench.forge.update(before.number, update, &at(9))).expect("a repeat");
        assert_eq!(same.updated_at, after.updated_at, "{name}: a repeat changed something");
        let ready = PrUpdate { draft: Some(false), ..PrUpdate::default() };
        let ready = bench.run(bench.forge.update(before.number, ready, &at(3))).expect("it is ready");
        assert!(!ready.draft, "{name}");
        let missing = bench.run(bench.forge.update(7, PrUpdate::default(), &at(1)));
        assert!(matches!(missing, Err(ForgeError::NotFound { number: 7 })), "{name}: {missing:?}");
    }
}

#[test]
fn s20_a_draft_stays_one_and_a_merged_pull_request_stays_merged() {
    for (name, bench) in both() {
        let draft = NewPr { draft: true, ..bench.new_pr("u1") };
        let pull = bench.run(bench.forge.create(draft, Tried::Perhaps)).expect("it is opened").into_pull();
        assert!(pull.draft, "{name}");
        let ready = PrUpdate { draft: Some(false), ..PrUpdate::default() };
        let pull = bench.run(bench.forge.update(pull.number, ready, &at(1))).expect("it is ready");
        let landed = bench.merge(&pull).expect("it merges");
        assert_eq!(landed, bench.tip("main"), "{name}");
        assert_eq!(bench.git(&["show", "main:work.txt"]), "1", "{name}");
        let merged = bench.run(bench.forge.get(pull.number)).expect("it is there");
        assert_eq!(merged.state, PrState::Merged, "{name}");
        assert_eq!(merged.merged.as_ref().map(|merged| &merged.sha), Some(&landed), "{name}");
        for refused in [
            bench.run(bench.forge.close(pull.number, closed())),
            bench.run(bench.forge.reopen(pull.number, &at(4))),
            bench.run(bench.forge.update(
                pull.number,
                PrUpdate { draft: Some(true), ..PrUpdate::default() },
                &at(4),
            )),
        ] {
            assert!(
                matches!(refused, Err(ForgeError::WrongState { state: PrState::Merged, .. })),
                "{name}: {refused:?}"
            );
        }
        let body = PrUpdate { body: Some(format!("after\n<!-- {} -->", pull.marker)), ..PrUpdate::default() };
        let after = bench.run(bench.forge.update(pull.number, body, &at(5))).expect("text can change");
        assert!(after.body.starts_with("after"), "{name}");
    }
}

#[test]
fn s20_a_closed_pull_request_is_not_merged_until_it_is_open_again() {
    for (name, bench) in both() {
        let pull = bench.open("u1");
        for _ in 0..2 {
            let pull = bench.run(bench.forge.close(pull.number, closed())).expect("it is closed");
            assert_eq!(pull.state, PrState::Closed, "{name}");
            assert!(pull.closed.is_some_and(|closed| !closed.by.is_empty()), "{name}");
        }
        assert!(bench.merge(&pull).is_err(), "{name}: it was merged");
        for _ in 0..2 {
            let pull = bench.run(bench.forge.reopen(pull.number, &at(4))).expect("it is opened");
            assert_eq!((pull.state, pull.closed), (PrState::Open, None), "{name}");
        }
        bench.merge(&pull).expect("it merges");
    }
}

#[test]
fn s20_reviews_and_comments_are_kept_in_order_and_a_review_holds_for_its_head() {
    for (name, bench) in both() {
        let pull = bench.open("u1");
        let review = |sha: &laneway::id::Sha, verdict, key: &str| NewReview {
            author: "bob".to_owned(),
            verdict,
            body: "fine".to_owned(),
            sha: sha.clone(),
            at: at(1),
            key: Some(key.to_owned()),
        };
        let first = review(&pull.head_sha, Verdict::Approve, "k1");
        let first = bench.run(bench.forge.add_review(pull.number, first)).expect("a review");
        assert!(first.covers(&bench.run(bench.forge.get(pull.number)).expect("it is there")), "{name}");
        let comment = NewComment {
            author: "eve".to_owned(),
            body: "why?".to_owned(),
            at: at(2),
            path: None,
            line: None,
            key: Some("k2".to_owned()),
        };
        let again = comment.clone();
        let comment =
            bench.run(bench.forge.add_comment(pull.number, comment, Tried::Perhaps)).expect("a comment");
        assert_eq!(comment.body, "why?", "{name}");
        let again =
            bench.run(bench.forge.add_comment(pull.number, again, Tried::Perhaps)).expect("it has been said");
        assert_eq!(again.id, comment.id, "{name}: one key, one comment");
        let head = bench.commit(&[pull.head_sha.as_str()], "work.txt", "2");
        bench.set(HEAD, &head);
        let moved = PrUpdate { head_sha: Some(bench.tip(HEAD)), ..PrUpdate::default() };
        let pull = bench.run(bench.forge.update(pull.number, moved, &at(3))).expect("it is moved");
        assert_eq!(pull.head_sha.as_str(), head, "{name}");
        assert!(!first.covers(&pull), "{name}: an approval of an older head approves nothing");
        let second = review(&pull.head_sha, Verdict::RequestChanges, "k3");
        let second = bench.run(bench.forge.add_review(pull.number, second)).expect("a review");
        let shown = bench.run(bench.forge.reviews(pull.number)).expect("reviews");
        assert_eq!(shown, [first, second], "{name}");
        let bodies: Vec<_> = shown.iter().map(|review| review.body.as_str()).collect();
        assert_eq!(bodies, ["fine", "fine"], "{name}");
        assert_eq!(bench.run(bench.forge.comments(pull.number)).expect("comments"), [comment], "{name}");
        let missing = bench.run(bench.forge.reviews(9));
        assert!(matches!(missing, Err(ForgeError::NotFound { number: 9 })), "{name}: {missing:?}");
    }
}

#[test]
fn s20_a_list_is_filtered_and_in_order() {
    for (name, bench) in both() {
        let main = bench.tip("main");
        let mut numbers = Vec::new();
        for (n, lane) in ["core", "docs", "site"].into_iter().enumerate() {
            let head = format!("laneway/demo-r{}/{lane}/integration", n + 2);
            bench.set(&head, &bench.commit(&[main.as_str()], lane, "x"));
            let marker = format!("laneway:demo:u{n}:{lane}");
            let new = NewPr {
                head,
                lane: LaneId::new(lane).expect("a name"),
                run: RunNo(u32::try_from(n + 2).expect("small")),
                body: format!("<!-- {marker} -->"),
                marker,
                ..bench.new_pr("u")
            };
            numbers.push(
                bench.run(bench.forge.create(new, Tried::Perhaps)).expect("it is opened").into_pull().number,
            );
        }
        bench.run(bench.forge.close(numbers[1], closed())).expect("it is closed");
        let listed = |filter: PrFilter| -> Vec<u64> {
            let pulls = bench.run(bench.forge.list(&filter)).expect("a list");
            pulls.into_iter().map(|pull| pull.number).collect()
        };
        assert_eq!(listed(PrFilter::default()), numbers, "{name}");
        let state = |state| PrFilter { state: Some(state), ..PrFilter::default() };
        assert_eq!(listed(state(PrState::Open)), [numbers[0], numbers[2]], "{name}");
        assert_eq!(listed(state(PrState::Closed)), [numbers[1]], "{name}");
        assert!(listed(state(PrState::Merged)).is_empty(), "{name}");
        let site = PrFilter { lane: Some(LaneId::new("site").expect("a name")), ..PrFilter::default() };
        assert_eq!(listed(PrFilter { run: Some(RunNo(4)), ..site.clone() }), [numbers[2]], "{name}");
        assert!(listed(PrFilter { run: Some(RunNo(1)), ..site }).is_empty(), "{name}");
        let other = PrFilter { graph: Some(GraphName::new("other").expect("a name")), ..PrFilter::default() };
        assert!(listed(other).is_empty(), "{name}");
    }
}
