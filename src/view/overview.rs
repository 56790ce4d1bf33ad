//! The whole graph for an agent at work in one lane of it: bounded, its own lane first.

use super::plain::{one_line, put};
use crate::event::{LaneStatus, TaskStatus};
use crate::plan::{Index, LaneIx, Plan, TaskIx};
use crate::state::State;

/// How many tasks are shown; an agent's context is worth more than the far end of a large graph.
const TASKS_SHOWN: usize = 300;
/// How much of a description is shown, in characters.
const WORDS_SHOWN: usize = 160;

/// Where every lane and task stood at one moment: all that the page is made of besides the plan, in a few bytes each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    lanes: Vec<LaneStatus>,
    tasks: Vec<TaskStatus>,
}

impl Standing {
    /// Where they stand now.
    pub fn of(state: &State) -> Self {
        let lanes = state.lanes.iter().map(|lane| lane.status).collect();
        Self { lanes, tasks: state.tasks.iter().map(|task| task.status).collect() }
    }
}

/// Every lane with its tasks, where each stands and what it is about, as Markdown.
pub fn overview(plan: &Plan, index: &Index, standing: &Standing, lane: LaneIx) -> String {
    let mut out = String::new();
    put(&mut out, format_args!("# Graph `{}`, run {}", plan.graph, plan.run));
    if let Some(description) = &plan.description {
        put(&mut out, format_args!("\n{}", one_line(description, 4 * WORDS_SHOWN)));
    }
    let held = index.upstream[lane].iter().copied();
    let mut seen = vec![false; plan.lanes.len()];
    let order = std::iter::once(lane).chain(held).chain(0..plan.lanes.len());
    let mut left = TASKS_SHOWN;
    for shown in order {
        let tasks = &index.tasks_of[shown];
        if left == 0 {
            break;
        }
        if std::mem::replace(&mut seen[shown], true) {
            continue;
        }
        lane_text(&mut out, plan, standing, shown, shown == lane);
        for &task in tasks.iter().take(left) {
            task_text(&mut out, plan, standing, task);
        }
        left = left.saturating_sub(tasks.len());
    }
    if let Some(more @ 1..) = plan.tasks.len().checked_sub(TASKS_SHOWN) {
        put(&mut out, format_args!("\n{more} more tasks are not shown."));
    }
    out
}

fn lane_text(out: &mut String, plan: &Plan, standing: &Standing, lane: LaneIx, own: bool) {
    let lane_plan = &plan.lanes[lane];
    let yours = if own { ", yours" } else { "" };
    let needs = match lane_plan.needs.as_slice() {
        [] => String::new(),
        needs => {
            let names: Vec<String> = needs.iter().map(|need| format!("`{need}`")).collect();
            format!(", takes in {}", names.join(", "))
        }
    };
    put(
        out,
        format_args!(
            "\n## Lane `{}`{yours}: {}, to `{}`{needs}\n",
            lane_plan.id, standing.lanes[lane], lane_plan.target
        ),
    );
    if let Some(description) = &lane_plan.description {
        put(out, format_args!("{}\n", one_line(description, WORDS_SHOWN)));
    }
}

fn task_text(out: &mut String, plan: &Plan, standing: &Standing, task: TaskIx) {
    let task_plan = &plan.tasks[task];
    let about = task_plan
        .description
        .as_deref()
        .map_or_else(String::new, |description| format!(": {}", one_line(description, WORDS_SHOWN)));
    let needs = match task_plan.needs.as_slice() {
        [] => String::new(),
        needs => {
            let names: Vec<String> = needs.iter().take(20).map(|need| format!("`{need}`")).collect();
            format!(" (after {})", names.join(", "))
        }
    };
    put(out, format_args!("- `{}` {}{about}{needs}", task_plan.id, standing.tasks[task]));
}
