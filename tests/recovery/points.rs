//! Every shipped graph, with an orchestrator that is killed on both sides of everything it does outside, or whose disk
//! is full at a write.
//!
//! Rows A06, A18, A19, P16 and P19. Of each graph a few points are tried, together all of them; with `LANEWAY_SWEEP=1`
//! every passing of every point, with `LANEWAY_SWEEP=n` every n-th:
//!
//! ```text
//! LANEWAY_SWEEP=1 cargo test --locked --test main recovery:: -- --nocapture
//! ```
//!
//! The run that goes on does so at once, after a reboot, or with the clock set back or forward, in turn.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use laneway::failpoint::Point;

use super::disk;
use super::ground::{Done, End, Ground, Place};
use super::interlude::Interlude;
use crate::harness::Output;

/// One shipped graph on one forge, with the points that are tried where nobody asks for more.
struct Course {
    graph: &'static str,
    code: i32,
    place: Place,
    points: &'static [&'static str],
}

/// What is done to a run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Blow {
    Crash { point: String, n: usize },
    Full { point: String, n: usize },
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blow::Crash { point, n } => write!(f, "killed at {point}:{n}"),
            Blow::Full { point, n } => write!(f, "disk full at {point}:{n}"),
        }
    }
}

/// Points at which a write can fail.
const WRITES: &[Point] = &[
    Point::JournalCreate,
    Point::JournalWrite,
    Point::JournalTorn,
    Point::JournalSync,
    Point::RecordWrite,
    Point::BoardWrite,
    Point::StatusWrite,
    Point::SealCopy,
    Point::WorktreeDir,
    Point::WorktreeAdmin,
    Point::WorktreeFiles,
    Point::BaseMake,
    Point::BaseChange,
    Point::SnapshotMake,
    Point::GitFile,
    Point::CommitWrite,
    Point::RefMove,
    Point::CustodyKeep,
    Point::ProcessStart,
    Point::ShelfWrite,
];

/// What a sweep has found.
#[derive(Debug, Default)]
struct Count {
    crashes: usize,
    full: usize,
    /// Blows that never fell, because the run took another turn.
    missed: usize,
    duplicates: Vec<String>,
    losses: Vec<String>,
    differing: Vec<String>,
    /// How often the next run went on after what.
    after: BTreeMap<&'static str, usize>,
}

impl Count {
    /// Counts a blow. What befalls the machine after it takes turns, among the kills and among the full disks.
    fn next(&mut self, graph: &str, blow: &Blow) -> Interlude {
        let so_far = match blow {
            Blow::Crash { .. } => &mut self.crashes,
            Blow::Full { .. } => &mut self.full,
        };
        *so_far += 1;
        Interlude::of(graph.len() + *so_far)
    }
}

/// An undisturbed run.
struct Model {
    end: End,
    done: Done,
    starts: BTreeMap<String, usize>,
    passed: BTreeMap<String, usize>,
}

impl Course {
    #[track_caller]
    fn model(&self) -> Model {
        let ground = Ground::new(self.graph, self.place);
        let list = ground.list();
        let list = list.to_str().expect("a path in UTF-8");
        ground.run(&[("LANEWAY_TEST_POINTS", list)]).code(self.code);
        assert_eq!((ground.pushed_again(), ground.started_again()), (Vec::new(), Vec::new()));
        Model { end: ground.end(), done: ground.done(), starts: ground.starts(), passed: ground.passed() }
    }

    /// What is tried.
    #[track_caller]
    fn blows(&self, model: &Model) -> Vec<Blow> {
        let asked: Option<usize> =
            std::env::var("LANEWAY_SWEEP").ok().map(|text| text.parse().expect("LANEWAY_SWEEP is a number"));
        let is_write = |point: &str| WRITES.iter().any(|write| write.name() == point);
        let mut blows = Vec::new();
        if let Some(stride) = asked {
            for (point, times) in &model.passed {
                // So that graphs and points do not all begin at the first time.
                let first =
                    if stride == 1 { 1 } else { 1 + (self.graph.len() + point.len()) % stride.min(*times) };
                for n in (first..=*times).step_by(stride) {
                    blows.push(Blow::Crash { point: point.clone(), n });
                    if is_write(point) {
                        blows.push(Blow::Full { point: point.clone(), n });
                    }
                }
            }
            return blows;
        }
        for (turn, point) in self.points.iter().enumerate() {
            let times = model.passed.get(*point);
            let times =
                times.unwrap_or_else(|| panic!("{} does not pass {point}: {:?}", self.graph, model.passed));
            let (point, n) = ((*point).to_owned(), times.div_ceil(2));
            let full = is_write(&point) && turn % 2 == 1;
            blows.push(if full { Blow::Full { point, n } } else { Blow::Crash { point, n } });
        }
        blows
    }

    /// Strikes a run, has it go on, and compares its end.
    #[track_caller]
    fn strike(&self, model: &Model, blow: &Blow, interlude: Interlude, count: &mut Count) {
        let ground = Ground::new(self.graph, self.place);
        let (variable, value) = match blow {
            Blow::Crash { point, n } => ("LANEWAY_TEST_CRASH_AT", format!("{point}:{n}")),
            Blow::Full { point, n } => ("LANEWAY_TEST_FAIL_AT", format!("{point}:{n}:ENOSPC")),
        };
        let output = ground.run(&[(variable, &value)]);
        *count.after.entry(interlude.words()).or_insert(0) += 1;
        let at = |what: String| format!("{} {blow}, {}: {what}", self.graph, interlude.words());
        if let Blow::Crash { .. } = blow {
            if !output.crashed() {
                count.missed += 1;
                _ = output.code(self.code);
            }
        } else if let Err(text) = stopped_clearly(&output, self.code) {
            count.differing.push(at(text));
            return;
        }
        let variables = interlude.happen(&ground);
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let again = ground.run(&variables);
        if again.status_code() != Some(self.code) {
            count.differing.push(at(again.all()));
            return;
        }
        _ = ground.with(&["verify", self.graph], &[]).success();
        let (end, done) = (ground.end(), ground.done());
        if end != model.end {
            count.differing.push(at(format!("{end:#?} instead of {:#?}", model.end)));
        }
        if !ground.times().is_sorted() {
            count.differing.push(at(format!("an event is older than one before it: {:#?}", ground.times())));
        }
        let more = |found: Vec<String>| found.into_iter().map(&at);
        count.duplicates.extend(more(done.beyond(&model.done)));
        count.losses.extend(more(model.done.beyond(&done)));
        count.duplicates.extend(more(ground.pushed_again()));
        count.duplicates.extend(more(ground.started_again()));
        count.duplicates.extend(more(self.excess(model, &ground.starts())));
    }

    /// A process that a blow has taken, or whose exit it has, is started once more; all others are not.
    fn excess(&self, model: &Model, starts: &BTreeMap<String, usize>) -> Vec<String> {
        if self.graph == "conflict" {
            return Vec::new();
        }
        let usual = |who: &String| model.starts.get(who).copied().unwrap_or(0);
        let too_often = starts.iter().filter(|(who, n)| **n > usual(who) + 1);
        too_often.map(|(who, n)| format!("{who} was started {n} times")).collect()
    }

    #[track_caller]
    fn sweep(&self) {
        let model = self.model();
        let mut count = Count::default();
        for blow in self.blows(&model) {
            let interlude = count.next(self.graph, &blow);
            self.strike(&model, &blow, interlude, &mut count);
        }
        println!(
            "{:?} {}: {} crash points and {} full disks tried ({} never came; {:?}), {} duplicates, {} losses, \
             {} differing ends",
            self.place,
            self.graph,
            count.crashes,
            count.full,
            count.missed,
            count.after,
            count.duplicates.len(),
            count.losses.len(),
            count.differing.len()
        );
        let bad: Vec<_> = [count.duplicates, count.losses, count.differing].concat();
        assert!(bad.is_empty(), "{}", bad.join("\n"));
    }
}

/// A run whose disk was full went on all the same, or says so.
fn stopped_clearly(output: &Output, code: i32) -> Result<(), String> {
    match output.status_code() {
        Some(found) if found == code => Ok(()),
        Some(4) if output.all().contains("no space") => Ok(()),
        _ => Err(output.all()),
    }
}

macro_rules! courses {
    ($($name:ident: $graph:literal, $code:literal, $place:ident, $points:expr;)*) => {
        const COURSES: &[Course] = &[
            $(Course { graph: $graph, code: $code, place: Place::$place, points: &$points },)*
        ];

        $(
            #[test]
            fn $name() {
                Course { graph: $graph, code: $code, place: Place::$place, points: &$points }.sweep();
            }
        )*
    };
}

courses! {
    a06_a19_p19_chain_at_its_points: "chain", 0, Local, ["record.write", "journal.torn", "push.send"];
    a06_a19_p19_chain_on_github_at_its_points: "chain", 0, GitHub, ["github.sent", "pr.created"];
    a06_a19_p19_commands_at_its_points: "commands", 0, Local, ["journal.durable", "process.start", "process.started"];
    a06_a19_p19_concerns_at_its_points: "concerns", 0, Local, ["ref.files", "pr.merge", "ref.move"];
    a06_a19_p19_conditions_at_its_points: "conditions", 0, Local, ["journal.sync", "status.write"];
    a06_a19_p19_conflict_at_its_points: "conflict", 0, Local, ["effect.begin", "board.write"];
    a06_a19_p19_diamond_auto_at_its_points: "diamond-auto", 0, Local, ["pr.merged", "ref.deleted"];
    a06_a19_p19_diamond_auto_on_github_at_its_points: "diamond-auto", 0, GitHub, ["pr.comment", "github.send", "pr.commented"];
    a06_a19_p19_diamond_review_at_its_points: "diamond-review", 0, Local, ["pr.update", "shelf.write"];
    a06_a19_p19_environment_at_its_points: "environment", 0, Local, [
        "ports.write", "ports.written", "setup.take", "setup.taken", "setup.keep", "setup.aside", "setup.kept", "furnish.note",
        "furnish.noted"
    ];
    a06_a19_p19_failure_isolated_at_its_points: "failure-isolated", 1, Local, ["effect.done", "journal.write"];
    a06_a19_p19_fan_in_at_its_points: "fan-in", 0, Local, ["worktree.ready", "commit.written"];
    a06_a19_p19_gate_retry_at_its_points: "gate-retry", 0, Local, ["custody.keep", "custody.kept"];
    a06_a19_p19_handover_at_its_points: "handover", 0, Local, ["seal.index", "seal.copy"];
    a06_a19_p19_loop_at_its_points: "loop", 0, Local, ["seal.done", "commit.write"];
    a06_a19_p19_nested_at_its_points: "nested", 0, Local, ["ref.delete", "remove.lane", "shelf.rename"];
    a06_a19_p19_no_diff_at_its_points: "no-diff", 0, Local, ["worktree.files", "worktree.filled"];
    a06_a19_p19_one_by_one_at_its_points: "one-by-one", 0, Local, ["remove.done", "remove.trashed", "remove.forget"];
    a06_a19_p19_parallel_at_its_points: "parallel", 0, Local, ["worktree.known", "worktree.dir", "worktree.admin"];
    a06_a19_p19_quickstart_at_its_points: "quickstart", 0, Local, ["record.rename", "journal.create", "journal.created"];
    a06_a19_p19_retry_exhausted_at_its_points: "retry-exhausted", 1, Local, ["status.written", "published", "git.file"];
    a06_a19_p19_reviewed_at_its_points: "reviewed", 0, Local, ["board.rename", "board.written"];
    a06_a19_p19_stacked_at_its_points: "stacked", 0, Local, ["record.written", "push.sent", "pr.create"];
    a06_a19_p19_task_prs_at_its_points: "task-prs", 0, Local, ["pr.updated", "ref.moved"];
}

#[test]
fn a18_a_full_disk_closes_no_pull_request_of_a_task() {
    let graph = "task-prs";
    let course = Course { graph, code: 0, place: Place::Local, points: &[] };
    let (model, mut count) = (course.model(), Count::default());
    // The gate of the last attempt of `double`: a failure of that attempt would close its pull request, with a comment.
    let blow = Blow::Full { point: "process.start".to_owned(), n: 4 };
    course.strike(&model, &blow, Interlude::Nothing, &mut count);
    assert_eq!((count.duplicates, count.losses, count.differing), (Vec::new(), Vec::new(), Vec::new()));
}

/// Points that only a request passes, which no graph makes.
const OF_REQUESTS: [&str; 2] = ["request.take", "request.taken"];
/// The point that a status file passes which somebody else has written.
const OF_TOUCHES: &str = "status.aside";

#[test]
fn a19_a_status_file_of_somebody_else_is_replaced_wherever_its_replacer_dies() {
    let ground = Ground::new("failure-isolated", Place::Local);
    ground.run(&[]).code(1);
    let model = (ground.end(), ground.done());
    let file = ground.scratch.board("failure-isolated", "lanes/shaky/active");
    std::fs::write(file, "nonsense\n").expect("a writable board");
    let output = ground.run(&[("LANEWAY_TEST_CRASH_AT", &format!("{OF_TOUCHES}:1"))]);
    assert!(output.crashed(), "{}", output.all());
    ground.run(&[]).code(1);
    assert_eq!((ground.end(), ground.done()), model);
    ground.with(&["verify", "failure-isolated"], &[]).success();
}

#[test]
fn a19_p19_a_request_is_carried_out_once_wherever_its_taker_dies() {
    let asked = |variables: &[(&str, &str)]| {
        let ground = Ground::new("quickstart", Place::Local);
        ground.run(&[]).success();
        let pr = ground.scratch.status("quickstart").pr("math");
        let output = ground.with(&["pr", "merge", &pr], variables);
        (ground, output)
    };
    let (model, output) = asked(&[]);
    output.success();
    for point in OF_REQUESTS {
        let (ground, output) = asked(&[("LANEWAY_TEST_CRASH_AT", &format!("{point}:1"))]);
        assert!(output.crashed(), "{}", output.all());
        ground.run(&[]).success();
        assert_eq!((ground.end(), ground.done()), (model.end(), model.done()), "{point}");
        assert_eq!((ground.pushed_again(), ground.started_again()), (Vec::new(), Vec::new()));
        ground.with(&["verify", "quickstart"], &[]).success();
    }
}

/// The points that only lanes on btrfs pass.
const OF_SNAPSHOTS: [&str; 6] =
    ["base.made", "base.make", "base.written", "snapshot.make", "snapshot.made", "snapshot.taken"];
/// The point that is passed where lanes of a commit follow those of a near one: the process is killed there, and the disk full.
const OF_NEAR_BASES: [&str; 2] = ["base.change", "base.change"];

#[test]
fn a06_a19_p16_p19_lanes_that_are_snapshots_at_their_points() {
    if disk::is_on_btrfs() {
        Course { graph: "parallel", code: 0, place: Place::Local, points: &OF_SNAPSHOTS }.sweep();
        return Course { graph: "nested", code: 0, place: Place::Local, points: &OF_NEAR_BASES }.sweep();
    }
    disk::on_btrfs("recovery::points::a06_a19_p16_p19_lanes_that_are_snapshots_at_their_points");
}

#[test]
fn every_point_is_passed_by_a_shipped_graph() {
    let tried: BTreeSet<&str> = COURSES
        .iter()
        .flat_map(|course| course.points)
        .chain(&OF_REQUESTS)
        .chain(&OF_SNAPSHOTS)
        .chain(&OF_NEAR_BASES)
        .copied()
        .chain([OF_TOUCHES])
        .collect();
    let all: BTreeSet<&str> = Point::ALL.iter().map(|point| point.name()).collect();
    assert_eq!(tried.difference(&all).count(), 0);
    let left: Vec<_> = all.difference(&tried).collect();
    assert!(left.is_empty(), "{left:?}");
}
