//! Lanes in lanes on GitHub, merged there by people and by themselves.

use std::fmt::Write as _;

use serde_json::Value;

use super::hub::{Hub, Merge};
use crate::harness::{Barrier, Method, Output, Scratch, Status};

const LANES: [&str; 3] = ["top", "mid", "low"];
/// Of each task: its lane, what it needs, and the line of the one file that it changes. Work that is merged twice or
/// taken for new conflicts.
const TASKS: [(&str, &str, &str, u32); 7] = [
    ("begin", "top", "", 1),
    ("beside", "top", "\"begin\"", 11),
    ("on-top", "mid", "\"begin\"", 5),
    ("late", "mid", "\"on-top\"", 15),
    ("deep", "low", "\"on-top\"", 9),
    ("back", "mid", "\"deep\"", 19),
    ("end", "top", "\"back\"", 3),
];

fn branch(lane: &str) -> String {
    format!("laneway/hub/{lane}/integration")
}

/// What a task does: `before` first.
fn work(id: &str, line: u32, before: &str) -> String {
    let make = if id == "begin" { "seq 1 20 > list && " } else { "" };
    format!("{before}{make}sed s/^{line}$/{id}/ list > new && mv new list && echo {id} > {id}.txt")
}

/// A run of lanes three deep.
struct Nest {
    hub: Hub,
}

impl Nest {
    fn new(merge: Merge, late: &str) -> Self {
        let hub = Hub::new();
        let nest = Self { hub };
        nest.graph(merge, late);
        // Nothing may ever be forced.
        nest.scratch().git_in(&nest.scratch().origin(), &["config", "receive.denyNonFastForwards", "true"]);
        nest
    }

    fn graph(&self, merge: Merge, late: &str) {
        let merge = if merge == Merge::Auto { "auto" } else { "review" };
        let mut text = "schema = 1\nname = \"hub\"\n".to_owned();
        let parents = ["", "parent = \"top\"\n", "parent = \"mid\"\n"];
        for (lane, parent) in LANES.into_iter().zip(parents) {
            write!(
                text,
                "\n[[workstreams]]\nid = \"{lane}\"\n{parent}merge = \"{merge}\"\ngate = \"test -s list\"\n"
            )
            .expect("a string takes every text");
        }
        for (id, lane, needs, line) in TASKS {
            let run = work(id, line, if id == "late" { late } else { "" });
            write!(text, "\n[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\nneeds = [{needs}]\nrun = \"{run}\"\ndiff = \"required\"\n")
                .expect("a string takes every text");
        }
        self.scratch().write("graphs/hub.toml", &text);
    }

    fn scratch(&self) -> &Scratch {
        &self.hub.scratch
    }

    #[track_caller]
    fn status(&self) -> Status {
        self.hub.status()
    }

    /// Goes on until nothing is left to do, or only what a person has to do first.
    fn run(&self, left: bool) {
        let output: Output = self.hub.run();
        if left {
            output.failure()
        } else {
            output.success()
        };
    }

    fn on_origin(&self, lane: &str) -> String {
        self.scratch()
            .git_in(&self.scratch().origin(), &["rev-parse", &format!("refs/heads/{}", branch(lane))])
    }

    /// The files that the open pull request of a lane shows as its own.
    fn shown(&self, lane: &str) -> Vec<String> {
        let pull = self.hub.fake.pull(self.hub.number(lane));
        let (base, head) = (&pull["base"]["ref"], &pull["head"]["sha"]);
        let range =
            format!("refs/heads/{}...{}", base.as_str().expect("a branch"), head.as_str().expect("a commit"));
        let names = self.scratch().git_in(&self.scratch().origin(), &["diff", "--name-only", &range]);
        names.lines().filter_map(|name| name.strip_suffix(".txt")).map(str::to_owned).collect()
    }

    fn merge(&self, lane: &str, method: Method) -> String {
        let pull = self.hub.fake.pull(self.hub.number(lane));
        assert_eq!((&pull["state"], &pull["draft"]), (&"open".into(), &false.into()), "{pull:#}");
        self.hub.fake.merge_somehow(self.hub.number(lane), method, "bob")
    }

    /// Everything is in `main`, once.
    #[track_caller]
    fn expect_end(&self) {
        self.status().expect(
            "completed",
            &LANES.map(|lane| (lane, "merged")),
            &TASKS.map(|task| (task.0, "merged")),
        );
        let list = self.hub.origin_file("list").expect("the work has landed");
        let mut expected: Vec<String> = (1..=20).map(|n: u32| n.to_string()).collect();
        for (id, _, _, line) in TASKS {
            id.clone_into(&mut expected[line as usize - 1]);
        }
        assert_eq!(list.lines().collect::<Vec<_>>(), expected);
        let events = self.scratch().events("hub");
        let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
        assert_eq!((of("pr.opened").len(), of("pr.merged").len()), (3, 3));
        assert_eq!(of("merge.recorded").len(), TASKS.len(), "each task lands once");
        assert_eq!(self.hub.fake.numbers(), [1, 2, 3]);
        expect_taken_in(&events);
        let left = self
            .scratch()
            .git_in(&self.scratch().origin(), &["for-each-ref", "--format=%(refname)", "refs/heads/laneway"]);
        assert_eq!(left, "");
        self.hub.laneway(&["verify", "hub"]).success();
    }
}

/// A nested lane is merged when its parent has it here, and not because GitHub says so.
#[track_caller]
fn expect_taken_in(events: &[Value]) {
    for (lane, parent) in [("low", "mid"), ("mid", "top")] {
        let at = |what: &dyn Fn(&Value) -> bool| {
            events.iter().position(what).unwrap_or_else(|| panic!("`{lane}` was not taken in"))
        };
        let on_github = at(&|event| event["kind"] == "pr.merged" && event["lane"] == lane);
        let taken = at(&|event| {
            event["kind"] == "lane.synced"
                && event["lane"] == parent
                && event["payload"]["upstream"].to_string().contains(&format!("\"{lane}\""))
        });
        let merged = at(&|event| {
            event["kind"] == "workflow.transition"
                && event["lane"] == lane
                && event["payload"]["to"] == "merged"
                && event["payload"]["of"] == "lane"
        });
        assert!(on_github < taken && taken < merged, "`{lane}`: {on_github}, {taken}, {merged}");
    }
}

#[test]
fn ar21_nested_lanes_on_github_are_merged_by_people_however_they_do_it() {
    for first in 0..3 {
        let method = |n: usize| [Method::Merge, Method::Squash, Method::Rebase][(first + n) % 3];
        let nest = Nest::new(Merge::Review, "");
        nest.run(true);
        let found = LANES.map(|lane| nest.status().lane(lane)["status"].as_str().map(str::to_owned));
        assert_eq!(found.map(Option::unwrap_or_default), ["active", "active", "pr_created"]);
        assert_eq!(nest.hub.fake.pull(1)["base"]["ref"], branch("mid"));
        assert_eq!(nest.shown("low"), ["deep"]);
        nest.merge("low", method(0));
        nest.run(true);
        assert_eq!(nest.status().lane("low")["status"], "merged");
        assert_eq!(nest.hub.fake.pull(2)["base"]["ref"], branch("top"));
        let mut shown = nest.shown("mid");
        shown.sort();
        assert_eq!(shown, ["back", "deep", "late", "on-top"]);
        nest.merge("mid", method(1));
        nest.run(false);
        assert_eq!(nest.status().tip("top"), nest.on_origin("top"));
        nest.merge("top", method(2));
        nest.run(false);
        nest.expect_end();
    }
}

#[test]
fn ar21_nested_lanes_on_github_merge_themselves_into_what_was_gated() {
    let nest = Nest::new(Merge::Auto, "");
    nest.run(false);
    nest.expect_end();
    for (lane, parent) in [("low", "mid"), ("mid", "top")] {
        let mut gated = Value::Null;
        for event in nest.scratch().events("hub") {
            let moved = if event["kind"] == "merge.recorded" { "to" } else { "tip" };
            if event["lane"] == parent
                && ["merge.recorded", "lane.synced", "lane.provisioned"]
                    .iter()
                    .any(|kind| event["kind"] == *kind)
            {
                gated = event["payload"][moved].clone();
            }
            if event["lane"] == lane && event["kind"] == "pr.merged" {
                let commit = event["payload"]["commit"].as_str().expect("a commit");
                let onto = nest.scratch().git(&["rev-parse", &format!("{commit}^")]);
                assert_eq!(gated, onto, "GitHub merged `{lane}` into something else than was gated");
            }
        }
    }
}

#[test]
fn ar21_what_lands_in_the_parent_between_a_pull_request_and_its_merge_is_not_lost() {
    for method in [Method::Merge, Method::Squash, Method::Rebase] {
        let scratch = Hub::new();
        let nest = Nest { hub: scratch };
        let mut gate = Barrier::new(nest.scratch(), "late", &["late".to_owned()]);
        nest.graph(Merge::Review, &format!("{} && ", gate.command("late")));
        let mut run = nest.hub.spawn(&["run", "graphs/hub.toml", "--json"]);
        gate.gather(&mut run);
        run.wait_for_line(|line| line.contains("\"pr.opened\"") && line.contains("\"low\""));
        let before = nest.on_origin("mid");
        gate.open();
        run.wait_for_line(|line| line.contains("\"merge.recorded\"") && line.contains("\"late\""));
        run.wait().failure();
        assert_eq!(nest.on_origin("mid"), before, "the merge is to meet a parent that has moved on here");
        nest.merge("low", method);
        nest.run(true);
        nest.merge("mid", method);
        nest.run(false);
        nest.merge("top", Method::Merge);
        nest.run(false);
        nest.expect_end();
    }
}

/// A person commits `file` on a lane's branch and pushes that to origin.
fn by_hand(nest: &Nest, lane: &str, file: &str, message: &str) -> String {
    let (scratch, at) = (nest.scratch(), nest.scratch().shared().join(file));
    let (origin, to) = (scratch.origin().display().to_string(), at.display().to_string());
    scratch.git(&["clone", "-q", "-b", &branch(lane), &origin, &to]);
    std::fs::write(at.join(file), "by hand\n").expect("a writable clone");
    scratch.git_in(&at, &["add", "."]);
    let person = ["-c", "user.name=Eve", "-c", "user.email=eve@example.org"];
    scratch.git_in(&at, &[&person[..], &["commit", "-q", "-m", message]].concat());
    scratch.git_in(&at, &["push", "-q", "origin", "HEAD"]);
    scratch.git_in(&at, &["rev-parse", "HEAD"])
}

#[test]
fn ar21_commits_that_people_push_onto_a_parents_branch_are_taken_in() {
    let nest = Nest::new(Merge::Review, "");
    nest.run(true);
    let pushed = [by_hand(&nest, "mid", "on-mid", "By hand"), by_hand(&nest, "top", "on-top", "By hand")];
    nest.merge("low", Method::Squash);
    nest.run(true);
    let mut shown = nest.shown("mid");
    shown.sort();
    assert_eq!(shown, ["back", "deep", "late", "on-top"]);
    nest.merge("mid", Method::Merge);
    nest.run(false);
    for commit in pushed {
        nest.scratch().git(&["merge-base", "--is-ancestor", &commit, nest.status().tip("top")]);
    }
    nest.merge("top", Method::Merge);
    nest.run(false);
    nest.expect_end();
    for file in ["on-mid", "on-top"] {
        assert_eq!(nest.hub.origin_file(file).as_deref(), Some("by hand"));
    }
}

#[test]
fn ar21_commits_of_another_run_on_a_parents_branch_are_left_alone() {
    let nest = Nest::new(Merge::Review, "");
    nest.run(true);
    by_hand(&nest, "top", "theirs", "Land\n\nLaneway-Run: another");
    let theirs = nest.on_origin("top");
    nest.merge("low", Method::Merge);
    nest.run(true);
    let status = nest.status();
    let error = status.lane("mid")["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains("holds commits that this run does not know"), "{:#}", status.value());
    assert_eq!(nest.on_origin("top"), theirs);
}

#[test]
fn p19_a_nested_run_on_github_that_is_killed_anywhere_does_nothing_twice() {
    let whole = Nest::new(Merge::Auto, "");
    whole.run(false);
    whole.expect_end();
    let events = whole.scratch().events("hub").len();
    let asked = std::env::var("LANEWAY_SWEEP").ok().map(|text| text.parse().expect("a number"));
    let stride: usize = asked.unwrap_or(events / 6).max(1);
    for point in (1 + stride / 2..=events).step_by(stride) {
        let nest = Nest::new(Merge::Auto, "");
        // Tasks land in another order each time, so a run may be over before.
        _ = nest.hub.crash(point).crashed();
        nest.run(false);
        nest.expect_end();
        let merges = nest.hub.fake.log();
        let merges = merges.iter().filter(|one| one.path.ends_with("/merge") && one.status == 200).count();
        assert_eq!(merges, 3, "killed after event {point}");
    }
}

#[test]
fn ar21_the_shipped_nest_runs_on_github() {
    let hub = Hub::new();
    hub.laneway(&["run", "graphs/nested.toml"]).success();
    let status = Status::of(hub.laneway(&["status", "nested", "--json"]).success().json());
    let found = ["release", "engine", "checks"].map(|lane| status.lane(lane)["status"].clone());
    assert_eq!(found, ["pr_created", "merged", "merged"], "{:#}", status.value());
    let number = status.pr("release").parse().expect("a number");
    hub.fake.merge(number, Method::Squash, "bob");
    hub.laneway(&["run", "graphs/nested.toml"]).success();
    assert!(hub.origin_file("ops/span.sh").is_some());
}

#[test]
fn ar21_what_was_merged_into_a_parent_that_conflicts_goes_to_the_parents_last_agent() {
    let nest = Nest { hub: Hub::new() };
    let mut gate = Barrier::new(nest.scratch(), "late", &["late".to_owned()]);
    let work = "if grep -q '<<<<' list; then echo both > list; else BARRIER && echo late > list; fi; \
                echo done > \\\"$LANEWAY_SIGNALS/done\\\"";
    let text = format!(
        "schema = 1\nname = \"hub\"\n[agents.fixer]\ncommand = [\"sh\", \"-c\", \"{}\"]\n\n[[workstreams]]\nid = \"top\"\n\n\
         [[workstreams]]\nid = \"mid\"\nparent = \"top\"\n\n[[tasks]]\nid = \"begin\"\nworkstream = \"top\"\nrun = \"echo 1 > list\"\n\n\
         [[tasks]]\nid = \"late\"\nworkstream = \"top\"\nneeds = [\"begin\"]\nagent = \"fixer\"\nprompt = \"Change it.\"\n\n\
         [[tasks]]\nid = \"deep\"\nworkstream = \"mid\"\nneeds = [\"begin\"]\nrun = \"echo deep > list\"\n",
        work.replace("BARRIER", &gate.command("late"))
    );
    nest.scratch().write("graphs/hub.toml", &text);
    let mut run = nest.hub.spawn(&["run", "graphs/hub.toml", "--json"]);
    gate.gather(&mut run);
    run.wait_for_line(|line| line.contains("\"pr.opened\"") && line.contains("\"mid\""));
    gate.open();
    run.wait().failure();
    let landed = nest.merge("mid", Method::Squash);
    nest.run(false);
    let status = nest.status();
    assert_eq!((status.attempts("late"), &status.lane("mid")["status"]), (2, &"merged".into()));
    let tip = status.tip("top").to_owned();
    assert_eq!(nest.scratch().git(&["show", &format!("{tip}:list")]), "both");
    nest.scratch().git(&["merge-base", "--is-ancestor", &landed, &tip]);
    assert_eq!(nest.on_origin("top"), tip);
}
