//! The diamond of four lanes, on both forges, with both handoffs, merged by people and without them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::hub::{Hub, Merge};
use crate::harness::{Method, Status};

const LANES: [&str; 4] = ["core", "left", "right", "suite"];
/// Of each task: its lane, what it needs, and what it does. All change one file, so that work that is merged twice or
/// taken for new conflicts.
const TASKS: [(&str, &str, &str, &str); 5] = [
    ("list", "core", "", "seq 1 20 > list"),
    ("name", "core", "\"list\"", "sed s/^1$/one/ list > new && mv new list"),
    ("lower", "left", "\"name\"", "sed -e s/^one$/uno/ -e s/^3$/three/ list > new && mv new list"),
    ("upper", "right", "\"name\"", "sed s/^17$/seventeen/ list > new && mv new list"),
    (
        "join",
        "suite",
        "\"lower\", \"upper\"",
        "sed -e s/^uno$/eins/ -e s/^17$/x/ -e s/^seventeen$/17/ list > new && mv new list",
    ),
];

/// One run of the diamond.
#[derive(Debug, Clone, Copy)]
struct Case {
    github: bool,
    handoff: &'static str,
    merge: Merge,
    /// How people merge `core`, and the others in turn.
    first: usize,
}

impl Case {
    fn graph(&self) -> String {
        let merge = if self.merge == Merge::Auto { "auto" } else { "review" };
        let mut text = format!("schema = 1\nname = \"hub\"\nhandoff = \"{}\"\n", self.handoff);
        for lane in LANES {
            write!(
                text,
                "\n[[workstreams]]\nid = \"{lane}\"\nmerge = \"{merge}\"\ngate = \"test -s list\"\n"
            )
            .expect("a string takes every text");
        }
        for (id, lane, needs, run) in TASKS {
            write!(
                text,
                "\n[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\nneeds = [{needs}]\nrun = \"{run}\"\ndiff = \"required\"\n"
            )
            .expect("a string takes every text");
        }
        text
    }
}

/// A case at work.
struct Diamond {
    case: Case,
    hub: Hub,
}

impl Diamond {
    fn new(case: Case) -> Self {
        let hub = Hub::new();
        hub.scratch.write("graphs/hub.toml", &case.graph());
        Self { case, hub }
    }

    fn laneway(&self, arguments: &[&str]) -> crate::harness::Output {
        if self.case.github { self.hub.laneway(arguments) } else { self.hub.scratch.laneway(arguments) }
    }

    /// Runs until nothing is left to do, or only what a person has to do first.
    fn run(&self, left: usize) {
        let answer = self.laneway(&["run", "graphs/hub.toml"]);
        if left > 1 && self.case.handoff == "merged" && self.case.merge == Merge::Review {
            answer.failure();
        } else {
            answer.success();
        }
    }

    #[track_caller]
    fn status(&self) -> Status {
        Status::of(self.laneway(&["status", "hub", "--json"]).success().json())
    }

    /// The base of the pull request of a lane and whether it is a draft, as the forge shows it.
    #[track_caller]
    fn shown(&self, lane: &str) -> (String, bool) {
        let pulls = self.laneway(&["pr", "list", "--json"]).success().json();
        let head = format!("laneway/hub/{lane}/integration");
        let pull = pulls.as_array().into_iter().flatten().find(|pull| pull["head"] == head.as_str());
        let pull = pull.unwrap_or_else(|| panic!("`{lane}` has no pull request: {pulls:#}"));
        (pull["base"].as_str().expect("a branch").to_owned(), pull["draft"] == true)
    }

    /// A person merges the pull request of the `n`th lane.
    fn merge(&self, n: usize) {
        let number = self.status().pr(LANES[n]);
        if self.case.github {
            let method = [Method::Merge, Method::Squash, Method::Rebase][(self.case.first + n) % 3];
            // What was squashed below makes a rebase impossible, on GitHub too.
            self.hub.fake.merge_somehow(number.parse().expect("a number"), method, "bob");
        } else {
            self.laneway(&["pr", "merge", &number]).success();
        }
        self.run(LANES.len() - n - 1);
    }

    fn merge_all(&self) {
        let stacked = self.case.handoff == "ready";
        let (main, core) = ("main".to_owned(), "laneway/hub/core/integration".to_owned());
        if stacked {
            let shown = LANES.map(|lane| self.shown(lane));
            let expected =
                [(main.clone(), false), (core.clone(), false), (core, false), (main.clone(), true)];
            assert_eq!(shown, expected, "{:?}", self.case);
        }
        for (n, lane) in LANES.into_iter().enumerate() {
            self.merge(n);
            let status = self.status();
            assert_eq!(status.lane(lane)["status"], "merged", "{:?}: {:#}", self.case, status.value());
            if stacked && n == 0 {
                assert_eq!(self.shown("left"), (main.clone(), false), "{:?}", self.case);
                assert_eq!(self.shown("right"), (main.clone(), false), "{:?}", self.case);
            }
            if stacked && n < 3 {
                assert_eq!(self.shown("suite"), (main.clone(), n < 2), "{:?} after {n}", self.case);
            }
        }
    }

    #[track_caller]
    fn expect_end(&self) {
        let case = self.case;
        let status = self.status();
        status.expect(
            "completed",
            &LANES.map(|lane| (lane, "merged")),
            &TASKS.map(|task| (task.0, "merged")),
        );
        let scratch = &self.hub.scratch;
        let list =
            scratch.file_at(&scratch.origin(), "refs/heads/main", "list").expect("the work has landed");
        let lines: Vec<&str> = list.lines().collect();
        let of = |n: usize| lines[n - 1];
        assert_eq!((lines.len(), of(1), of(3), of(17)), (20, "eins", "three", "17"), "{case:?}");
        let events = scratch.events("hub");
        let started = counted(&events, "process.started", "task");
        assert_eq!(started, TASKS.iter().map(|task| (task.0.to_owned(), 1)).collect(), "{case:?}");
        let opened = counted(&events, "pr.opened", "lane");
        assert_eq!(opened, LANES.iter().map(|lane| ((*lane).to_owned(), 1)).collect(), "{case:?}");
        assert!(events.iter().all(|event| event["kind"] != "pr.closed"), "{case:?}");
        if case.github {
            assert_eq!(self.hub.fake.numbers(), [1, 2, 3, 4], "{case:?}");
        } else {
            assert!(self.hub.fake.log().is_empty(), "{case:?}");
        }
        expect_order(case, &events);
        let left =
            scratch.git_in(&scratch.origin(), &["for-each-ref", "--format=%(refname)", "refs/heads/laneway"]);
        assert_eq!(left, "", "{case:?}");
        self.laneway(&["verify", "hub"]).success();
    }
}

/// What stands on a branch goes elsewhere before the branch is gone.
#[track_caller]
fn expect_order(case: Case, events: &[Value]) {
    let gone = events.iter().position(|event| event["kind"] == "lane.removed" && event["lane"] == "core");
    let gone = gone.unwrap_or_else(|| panic!("{case:?}: the branch of `core` is still there"));
    let core = "laneway/hub/core/integration";
    let landed = events.iter().position(|event| event["kind"] == "pr.merged" && event["lane"] == "core");
    assert!(landed.is_some(), "{case:?}: `core` was never merged");
    for lane in ["left", "right"] {
        let bases = events.iter().enumerate().filter(|(_, event)| event["lane"] == lane);
        let bases = bases.filter_map(|(at, event)| Some((at, event["payload"]["base"].as_str()?)));
        let stacked: Vec<_> = bases.clone().filter(|(_, base)| *base == core).collect();
        if case.handoff == "merged" || stacked.is_empty() {
            // What merges itself may be in the target before there is anything to be put on top of it.
            let first = bases.clone().next().map(|(at, _)| at);
            assert!(stacked.is_empty() && landed < first, "{case:?}: {lane}");
        }
        if let Some((last, _)) = stacked.last() {
            let moved = bases.clone().find(|(at, base)| at > last && *base == "main");
            assert!(moved.is_some_and(|(at, _)| at < gone), "{case:?}: {lane} was left behind");
        }
    }
}

fn counted(events: &[Value], kind: &str, by: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events.iter().filter(|event| event["kind"] == kind) {
        if let Some(key) = event[by].as_str() {
            *counts.entry(key.to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

fn play(github: bool, handoff: &'static str, merge: Merge, first: usize) -> Diamond {
    let diamond = Diamond::new(Case { github, handoff, merge, first });
    diamond.run(LANES.len());
    if merge == Merge::Review {
        diamond.merge_all();
    }
    diamond.expect_end();
    diamond
}

#[test]
fn ar21_a_diamond_on_the_local_forge_flows_on_when_ready_and_people_merge_it() {
    play(false, "ready", Merge::Review, 0);
}

#[test]
fn ar21_a_diamond_on_the_local_forge_flows_on_when_ready_and_merges_itself() {
    play(false, "ready", Merge::Auto, 0);
}

#[test]
fn ar21_a_diamond_on_the_local_forge_flows_on_when_merged_and_people_merge_it() {
    play(false, "merged", Merge::Review, 0);
}

#[test]
fn ar21_a_diamond_on_the_local_forge_flows_on_when_merged_and_merges_itself() {
    play(false, "merged", Merge::Auto, 0);
}

#[test]
fn ar21_a_diamond_on_github_flows_on_when_ready_and_people_merge_it() {
    for first in 0..3 {
        play(true, "ready", Merge::Review, first);
    }
}

#[test]
fn ar21_a_diamond_on_github_flows_on_when_ready_and_merges_itself() {
    play(true, "ready", Merge::Auto, 0);
}

#[test]
fn ar21_a_diamond_on_github_flows_on_when_merged_and_people_merge_it() {
    for first in 0..3 {
        play(true, "merged", Merge::Review, first);
    }
}

#[test]
fn ar21_a_diamond_on_github_flows_on_when_merged_and_merges_itself() {
    play(true, "merged", Merge::Auto, 0);
}

/// What was asked, by kind; `looks` are those for news, and what GitHub answered at no cost. The lists of `laneway pr list`
/// are the test's own.
fn asked(hub: &Hub) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for one in hub.fake.log() {
        let path = one.path.split('?').next().unwrap_or_default();
        let of_repo = path.split('/').skip(4);
        let named = of_repo.map(|part| match part {
            number if number.parse::<u64>().is_ok() => "N",
            commit if commit.len() == 40 => "SHA",
            word => word,
        });
        let named = named.collect::<Vec<_>>().join("/");
        let looks = ["/reviews", "/check-runs", "/status"].iter().any(|end| named.ends_with(end))
            || one.path.contains("sort=updated")
            || one.status == 304;
        if one.path.contains("sort=created") {
            continue;
        }
        let kind = if looks { "looks".to_owned() } else { format!("{} {named}", one.method) };
        *kinds.entry(kind).or_insert(0) += 1;
    }
    kinds
}

#[test]
fn p08_a_diamond_on_github_takes_at_most_six_requests_a_lane() {
    for (handoff, merge) in
        [("ready", Merge::Auto), ("merged", Merge::Auto), ("ready", Merge::Review), ("merged", Merge::Review)]
    {
        let diamond = play(true, handoff, merge, 0);
        let mut asked = asked(&diamond.hub);
        let looks = asked.remove("looks").unwrap_or_default();
        let (all, paid) = (asked.values().sum::<usize>(), diamond.hub.fake.spent());
        println!(
            "{handoff}, {merge:?}: {all} requests for four lanes: {asked:#?}; {looks} looks for news; {paid} paid for"
        );
        assert!(all <= 6 * LANES.len(), "{handoff}, {merge:?}: {all} requests: {asked:#?}");
    }
}
