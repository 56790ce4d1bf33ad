//! What the agents said of their work: folded in, and the first to be cut.

use std::fmt::Write as _;

use super::neutral::quote;
use crate::id::TaskId;
use crate::plan::{LaneIx, Plan};
use crate::state::State;

const HEADING: &str = "## What the agents say\n";
/// Room for the tags and notes around one summary beside the task's id, and for the closing note, in characters.
const AROUND: usize = 160;
const CLOSING: usize = 120;
/// A summary of fewer characters says too little to be shown cut.
const LEAST: usize = 200;

/// The summaries of a lane's tasks in at most `room` characters; empty where there are none.
pub(super) fn summaries(plan: &Plan, state: &State, lane: LaneIx, room: usize) -> String {
    let all: Vec<(&TaskId, &str)> = state.index().tasks_of[lane]
        .iter()
        .filter_map(|&t| Some((&plan.tasks[t].id, state.tasks[t].said()?)))
        .filter(|(_, text)| !text.trim().is_empty())
        .collect();
    if all.is_empty() {
        return String::new();
    }
    let room = room.saturating_sub(HEADING.len() + CLOSING);
    let around = |id: &TaskId| AROUND + id.as_str().len();
    let mut most = room;
    let shown: Vec<_> = all
        .iter()
        .take_while(|(id, _)| {
            let fits = most >= around(id) + LEAST;
            most = most.saturating_sub(around(id) + LEAST);
            fits
        })
        .collect();
    let room = room.saturating_sub(shown.iter().map(|(id, _)| around(id)).sum());
    let cap =
        share(shown.iter().map(|(_, text)| quote(text, usize::MAX).text.chars().count()).collect(), room);
    let mut out = String::from(HEADING);
    for (id, text) in &shown {
        let quote = quote(text, cap);
        write!(out, "\n<details><summary><code>{id}</code></summary>\n\n{}", quote.text)
            .expect("a string takes everything");
        if quote.is_cut {
            out.push_str("\nThe rest is cut off here; `laneway status --json` has all of it.\n");
        }
        out.push_str("\n</details>\n");
    }
    let left_out = all.len() - shown.len();
    if left_out > 0 {
        let text = format!("\n{left_out} more left out here; `laneway status --json` has them all.\n");
        out.push_str(&text);
    }
    out
}

/// The greatest size that texts of these sizes may have so that together they fit into `room`.
fn share(mut sizes: Vec<usize>, room: usize) -> usize {
    sizes.sort_unstable();
    let mut left = room;
    for (ix, &size) in sizes.iter().enumerate() {
        let each = left / (sizes.len() - ix);
        if size > each {
            return each;
        }
        left -= size;
    }
    usize::MAX
}
