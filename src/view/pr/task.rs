//! The text of a task's own pull request: short, because the lane's tells the rest.

use super::body::PrText;
use super::neutral::{code, inline, prose, quote};
use super::sections::stat;
use crate::id::GraphName;
use crate::plan::TaskPlan;
use crate::state::{Attempt, PullRequest};
use crate::view::plain::{one_line, put};

/// How much of a title, of a description or of the detail of a check is shown, in characters.
const WORDS: usize = 200;
/// Room for what the agent said, in characters.
const SUMMARY: usize = 8_000;
/// How many checks are shown.
const CHECKS: usize = 40;

/// Writes the pull request of `task` as it shows `attempt`, whose agent said `summary`. The same input gives the same bytes.
pub fn task_pull_request(
    graph: &GraphName,
    task: &TaskPlan,
    attempt: &Attempt,
    summary: Option<&str>,
) -> PrText {
    let claimed = attempt.claims.done.as_ref().map(|(_, text)| text.as_str());
    let said = summary.or(claimed).map(str::trim).filter(|text| !text.is_empty());
    let first = said.and_then(|text| text.lines().next());
    let about = task.description.as_deref().or(first).unwrap_or(task.id.as_str());
    let title = format!("{}/{}/{}: {}", graph, task.lane, task.id, prose(about, WORDS));
    let mut body = String::new();
    if let Some(description) = &task.description {
        put(&mut body, format_args!("{}\n", prose(description, WORDS)));
    }
    put(
        &mut body,
        format_args!(
            "Attempt {} of task `{}`. Laneway merges it into lane `{}` when its evidence holds; what people merge is the \
             pull request of the lane.\n",
            attempt.number, task.id, task.lane
        ),
    );
    if let Some(diff) = attempt.diff {
        put(&mut body, format_args!("Change: {}\n", stat(diff)));
    }
    evidence(&mut body, task, attempt);
    if let Some(said) = said {
        let quote = quote(said, SUMMARY);
        put(&mut body, format_args!("## What its agent says\n\n{}", quote.text));
        if quote.is_cut {
            put(
                &mut body,
                format_args!("The rest is cut off here; `laneway status --json` has all of it.\n"),
            );
        }
    }
    PrText { title, body }
}

/// The comment on a task's pull request that Laneway closes.
pub fn task_pr_closed(reason: &str) -> String {
    format!("Closed by Laneway: {}", prose(reason, SUMMARY))
}

fn evidence(body: &mut String, task: &TaskPlan, attempt: &Attempt) {
    if let Some(gate) = &task.gate {
        put(body, format_args!("Gate: {}\n", code(&gate.command.to_string(), WORDS)));
    }
    if attempt.checks.is_empty() {
        return;
    }
    put(body, format_args!("## Evidence\n\n| check | result | detail |\n|---|---|---|"));
    for check in attempt.checks.iter().take(CHECKS) {
        let (name, detail) = (inline(&check.name, WORDS), inline(&check.detail, WORDS));
        put(body, format_args!("| {name} | {} | {detail} |", check.status.word()));
    }
    let more = attempt.checks.len().saturating_sub(CHECKS);
    if more > 0 {
        put(body, format_args!("\nand {more} more"));
    }
    body.push('\n');
}

/// A task's own pull request in a cell of a table.
pub(super) fn link(pr: &PullRequest) -> String {
    format!(" [#{}]({})", pr.at.number, one_line(&pr.at.url, WORDS).replace([' ', ')', '|'], ""))
}
