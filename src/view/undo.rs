//! What a reset undoes, for whoever has to confirm it, and what pull requests are told of it.

use std::fmt::Write as _;

use super::plain::one_line;
use crate::event::{LaneUndo, LaneUndone, UndoLane, UndoPlan, UndoTarget, UndoTask, UndoWhy};
use crate::id::{GraphName, LaneId, Sha};

/// How much of anybody's words is shown, in characters.
pub(super) const WORDS_SHOWN: usize = 300;
/// Why writing into a string cannot fail.
pub(super) const FITS: &str = "a string takes every text";

/// What is undone, as `laneway reset` takes it.
pub(super) fn target(of: &UndoTarget) -> String {
    match of {
        UndoTarget::Task(task) => format!("task {task}"),
        UndoTarget::Lane(lane) => format!("workstream {lane}"),
        UndoTarget::To(task) => format!("--to {task}"),
    }
}

/// What a reset is about, on one line.
pub(super) fn headline(plan: &UndoPlan) -> String {
    let count = |n: usize, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
    let what = match &plan.of {
        UndoTarget::Task(task) => format!("task {task}"),
        UndoTarget::Lane(lane) => format!("lane {lane}"),
        UndoTarget::To(task) => format!("everything after task {task}"),
    };
    format!("{what}: {} in {}", count(plan.tasks.len(), "task"), count(plan.lanes.len(), "lane"))
}

pub(super) fn lane_undone(event: &LaneUndone) -> String {
    let mut text = match (&event.tip, event.reverted.len()) {
        (Some(tip), 0) => format!("lane goes forward to {}", tip.short()),
        (Some(tip), 1) => format!("1 commit taken back; now at {}", tip.short()),
        (Some(tip), n) => format!("{n} commits taken back; now at {}", tip.short()),
        (None, _) => "lane undone".to_owned(),
    };
    if !event.remarks.is_empty() {
        write!(text, "; but {}", one_line(&event.remarks.join("; "), WORDS_SHOWN)).expect(FITS);
    }
    text
}

/// What a reset does, what goes with it and why, one line each.
pub fn undo_text(plan: &UndoPlan) -> String {
    let mut out = format!("undo {}\n\ntasks\n", headline(plan));
    let width =
        plan.tasks.iter().map(|t| t.task.as_str().len() + t.lane.as_str().len() + 1).max().unwrap_or(0);
    for task in &plan.tasks {
        let name = format!("{}/{}", task.lane, task.task);
        writeln!(out, "  {name:width$}  {}; {}", why(&task.why), of_task(task)).expect(FITS);
    }
    out.push_str("\nlanes\n");
    let width = plan.lanes.iter().map(|l| l.lane.as_str().len()).max().unwrap_or(0);
    for lane in &plan.lanes {
        writeln!(out, "  {:width$}  {}; {}", lane.lane, why(&lane.why), of_lane(lane)).expect(FITS);
    }
    out
}

fn of_task(task: &UndoTask) -> String {
    let shorts: Vec<&str> = task.landed.iter().map(Sha::short).collect();
    match (task.at_work, shorts.is_empty()) {
        (true, _) => "its attempt is called off, its work kept".to_owned(),
        (false, true) => "nothing of it has landed".to_owned(),
        (false, false) => format!("landed as {}", shorts.join(", ")),
    }
}

fn of_lane(lane: &UndoLane) -> String {
    let pr = |deed: &str| lane.pr.map_or(String::new(), |n| format!("; pull request #{n} {deed}"));
    match &lane.undo {
        LaneUndo::TakeBack { from } if from.is_empty() => {
            format!("its branch goes forward by commits that take the work back{}", pr("is told"))
        }
        LaneUndo::TakeBack { from } => {
            let from: Vec<&str> = from.iter().map(LaneId::as_str).collect();
            format!("its branch goes forward and takes {} in anew{}", from.join(", "), pr("is told"))
        }
        LaneUndo::Remove => {
            format!("branch and worktree are removed, after custody{}", pr("is told and closed"))
        }
        LaneUndo::Revert { target, landed, parts } => {
            let by = std::iter::once(landed).chain(parts.iter().map(|part| &part.landed));
            let by: Vec<&str> = by.map(Sha::short).collect();
            format!(
                "a pull request takes it out of {target}, which has it by {}; you merge that{}",
                by.join(" and "),
                pr("is told and closed then")
            )
        }
    }
}

fn why(why: &UndoWhy) -> String {
    match why {
        UndoWhy::Asked => "as asked".to_owned(),
        UndoWhy::LandedAfter(task) => format!("it landed after {task}"),
        UndoWhy::Needs(task) => format!("it needs {task}"),
        UndoWhy::WithLane(lane) => format!("lane {lane} goes as a whole"),
        UndoWhy::Holds(lane) => format!("it holds the work of lane {lane}"),
        UndoWhy::Has(task) => format!("task {task} goes"),
        UndoWhy::InTarget(task) => format!("task {task} goes, and the target has the lane as a whole"),
    }
}

/// What the pull request of a lane is told that was closed because the lane is undone.
pub fn undo_closed(lane: &LaneId, by: &str) -> String {
    format!(
        "**Undone.** {} has lane `{lane}` undone. This pull request is closed; its branch is removed, and what it held is \
         kept by custody refs.\n",
        super::pr::neutral::prose(by, WORDS_SHOWN)
    )
}

/// What the pull request of a lane is told of which some work is undone.
pub fn undo_taken_back(lane: &LaneId, by: &str, commits: &[Sha], tip: &Sha) -> String {
    let by = super::pr::neutral::prose(by, WORDS_SHOWN);
    let mut out = format!(
        "**Work was taken back.** {by} has tasks of lane `{lane}`, or of lanes that it holds, undone. The branch has gone \
         forward to `{}`.\n",
        tip.short()
    );
    for commit in commits {
        writeln!(out, "- takes back `{}`", commit.short()).expect(FITS);
    }
    out
}

/// What the merged pull request of a lane is told of the one that takes it back.
pub fn undo_reverting(lane: &LaneId, by: &str, number: u64) -> String {
    let by = super::pr::neutral::prose(by, WORDS_SHOWN);
    format!(
        "**To be taken back.** {by} asked to undo lane `{lane}`. Once it is merged, #{number} takes it out again.\n"
    )
}

/// Title and text of the pull request that takes a lane out of its target.
pub fn revert_pull_request(
    graph: &GraphName,
    lane: &LaneId,
    by: &str,
    target: &str,
    landed: &Sha,
    number: Option<u64>,
) -> super::PrText {
    let by = super::pr::neutral::prose(by, WORDS_SHOWN);
    let merged = number.map_or(String::new(), |number| format!(", which #{number} had brought"));
    let body = format!(
        "Takes lane `{lane}` of `{graph}` out of `{target}` again, as {by} asked.\n\n- takes back `{}`{merged}\n- nothing \
         else of `{target}` is touched\n- no history is rewritten: it is one more commit\n\nOnce this is merged, the \
         lane's tasks are reset; `laneway retry` does them again.\n",
        landed.short()
    );
    super::PrText { title: format!("Revert {graph}/{lane}"), body }
}
