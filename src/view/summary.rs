//! The closing words of `run`, and whether what was asked for is achieved.

use std::fmt::Write as _;

use super::plain::{one_line, put};
use super::status::{PrState, PrView};
use super::{WaitingKind, waiting};
use crate::event::{LaneStatus, RunStatus, TaskStatus};
use crate::plan::Plan;
use crate::state::State;

/// How much of a reason is shown, in characters.
const REASON_SHOWN: usize = 400;

/// Whether a run achieved what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Every lane has its pull request open for review, or its content is in the target.
    Achieved,
    /// Something failed, was called off, or needs a person before it can go on.
    Attention,
}

/// Whether a run achieved what was asked for. Open pull requests that a person has to merge are an achievement, also
/// where a design concern handed one to a person; a lane that cannot be merged because something failed is not.
pub fn exit_class(state: &State) -> Outcome {
    let stuck = waiting(state.plan(), state).iter().any(|w| match w.kind {
        WaitingKind::Merge | WaitingKind::Concern | WaitingKind::Loss => false,
        WaitingKind::Answer | WaitingKind::Attention | WaitingKind::Retry => true,
    });
    if state.run.status == Some(RunStatus::Completed) && !stuck {
        Outcome::Achieved
    } else {
        Outcome::Attention
    }
}

/// The closing words: how each lane ended, what failed and where its log is, what waits for a person.
pub fn summary(plan: &Plan, state: &State) -> String {
    let mut out = String::new();
    let status = match state.run.status {
        // A summary is of what nobody carries any more.
        Some(RunStatus::Running) if state.run.interrupts > 0 => "interrupted",
        status => status.map_or("not started", RunStatus::word),
    };
    let why =
        state.run.reason.as_deref().map_or(String::new(), |why| format!(": {}", one_line(why, REASON_SHOWN)));
    put(&mut out, format_args!("graph {}, run {}: {status}{why}", plan.graph, plan.run));
    lanes(&mut out, plan, state);
    failures(&mut out, plan, state);
    let waits = waiting(plan, state);
    if !waits.is_empty() {
        put(&mut out, format_args!("\nwaiting for you"));
    }
    for wait in waits {
        put(&mut out, format_args!("  {}\n    {}", one_line(&wait.question, REASON_SHOWN), wait.hint));
    }
    out
}

fn lanes(out: &mut String, plan: &Plan, state: &State) {
    let width = plan.lanes.iter().map(|l| l.id.as_str().len()).max().unwrap_or(0);
    for (plan, lane) in plan.lanes.iter().zip(&state.lanes) {
        let mut text = lane_words(lane.status).to_owned();
        if let Some(pr) = lane.pr.as_ref().map(PrView::new) {
            let (number, url) = (pr.number, one_line(&pr.url, REASON_SHOWN));
            match pr.state {
                PrState::Open => write!(text, ", #{number} {url}"),
                state => write!(text, ", #{number} {} {url}", state.word()),
            }
            .expect("a string takes everything");
        }
        if let Some(reason) = &lane.reason {
            write!(text, ": {}", one_line(reason, REASON_SHOWN)).expect("a string takes everything");
        }
        put(out, format_args!("  {:width$}  {text}", plan.id));
        for remark in &lane.remarks {
            put(out, format_args!("  {:width$}  note: {}", "", one_line(remark, REASON_SHOWN)));
        }
    }
}

fn lane_words(status: LaneStatus) -> &'static str {
    match status {
        LaneStatus::Pending => "not begun",
        LaneStatus::Active => "active",
        LaneStatus::MergeReady => "ready to be merged",
        LaneStatus::PrCreated => "pull request open",
        LaneStatus::Merged => "merged",
        LaneStatus::Failed => "failed",
        LaneStatus::Reset => "undone",
    }
}

fn failures(out: &mut String, plan: &Plan, state: &State) {
    let mut first = true;
    for (task_plan, task) in plan.tasks.iter().zip(&state.tasks) {
        if !task.status.is_terminal() || task.status.is_success() {
            continue;
        }
        if std::mem::take(&mut first) {
            put(out, format_args!("\nnot done"));
        }
        let why =
            task.reason.as_deref().map_or(String::new(), |why| format!(": {}", one_line(why, REASON_SHOWN)));
        put(out, format_args!("  {} {}{why}", task_plan.id, task.status));
        if task.status == TaskStatus::Failed && !task.attempts.is_empty() {
            put(out, format_args!("    laneway logs {}", task_plan.id));
        }
    }
}
