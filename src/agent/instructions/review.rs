//! The text that a reviewer reads: what was asked, what was done, how to answer.

use super::{EarlierAttempt, earlier, fenced, line, quote};
use crate::id::{GraphName, LaneId, RoleName, TaskId};

/// How much of a change is shown, in bytes; the reviewer has all of it in its worktree.
const DIFF_SHOWN: usize = 64 << 10;

/// Everything that the instructions of a review say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewInput {
    /// The graph.
    pub graph: GraphName,
    /// The task.
    pub task: TaskId,
    /// Its lane.
    pub lane: LaneId,
    /// Which attempt is reviewed, from 1.
    pub attempt: u32,
    /// What the graph asks of the reviewer, where it asks something.
    pub asked: Option<String>,
    /// What every reviewer is told.
    pub role: Option<(RoleName, String)>,
    /// What the author was asked to do.
    pub prompt: String,
    /// What the author said of the work.
    pub said: Option<String>,
    /// The command that must pass on the merged result, after the review.
    pub gate: Option<String>,
    /// The attempts before, oldest first.
    pub earlier: Vec<EarlierAttempt>,
}

/// The change that is reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedChange {
    /// The commit that it is seen against, as text.
    pub base: String,
    /// The commit that is reviewed, as text.
    pub commit: String,
    /// The change, as a patch.
    pub patch: String,
}

/// Writes the instructions of a review, in Markdown. A pure function: the same input gives the same bytes.
pub fn review_instructions(input: &ReviewInput, change: &ReviewedChange) -> String {
    let mut text = String::new();
    let ReviewInput { graph, task, lane, attempt, .. } = input;
    line(
        &mut text,
        format_args!("# Task `{task}` of graph `{graph}`, lane `{lane}`: review of attempt {attempt}\n"),
    );
    let asked = input.asked.as_deref().unwrap_or("Decide whether the work of this attempt may be merged.");
    line(&mut text, format_args!("{}\n", asked.trim()));
    if let Some((name, says)) = &input.role {
        line(&mut text, format_args!("## Your role: {name}\n\n{}\n", says.trim()));
    }
    place(&mut text, input, change);
    answer(&mut text);
    line(&mut text, format_args!("## What its author was asked\n"));
    fenced(&mut text, input.prompt.trim());
    text.push('\n');
    if let Some(said) = &input.said {
        line(&mut text, format_args!("## What its author says\n"));
        quote(&mut text, said);
        text.push('\n');
    }
    earlier(&mut text, &input.earlier);
    line(&mut text, format_args!("## The change\n"));
    fenced(&mut text, &beginning(change.patch.trim_end()));
    text
}

fn place(text: &mut String, input: &ReviewInput, change: &ReviewedChange) {
    let ReviewedChange { base, commit, .. } = change;
    line(
        text,
        format_args!(
            "## Where and how\n\n\
             - The current directory is a git worktree of your own with the work, at commit `{commit}`. What you change in it is thrown away.\n\
             - The change is `git diff {base} {commit}`; it stands below, too."
        ),
    );
    if let Some(gate) = &input.gate {
        line(text, format_args!("- If you approve, this command still has to pass on the merged result:\n"));
        quote(text, gate);
    }
    text.push('\n');
}

fn answer(text: &mut String) {
    text.push_str(
        "## How to answer\n\n\
         Write exactly one of these files into `$LANEWAY_SIGNALS` (or use `laneway signal done|failed`), as the last thing you do:\n\n\
         - The work may be merged: `echo \"what you looked at\" > \"$LANEWAY_SIGNALS/done\"`.\n\
         - It may not: your findings into `$LANEWAY_SIGNALS/failed`. They are all that the author of the next attempt gets to see of your review.\n\
         - Beside either: one file for each doubt that a person should weigh in `concerns/`. A design concern keeps the lane from being merged by itself.\n\n\
         Without one of the two there is no verdict, and another reviewer is asked.\n\n",
    );
}

/// Keeps the beginning of a long patch.
fn beginning(patch: &str) -> String {
    let Some(over @ 1..) = patch.len().checked_sub(DIFF_SHOWN) else {
        return patch.to_owned();
    };
    let cut = (0..=DIFF_SHOWN).rev().find(|at| patch.is_char_boundary(*at)).unwrap_or(0);
    format!("{}\n[... {} bytes left out ...]", &patch[..cut], over + DIFF_SHOWN - cut)
}
