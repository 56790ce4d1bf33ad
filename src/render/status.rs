//! `status` and `waiting` for people.

use super::style::{Palette, paint};
use super::table::{Cell, Table};
use crate::event::{CheckStatus, ConcernClass, RunStatus, few};
use crate::id::LaneId;
use crate::view::plain::{one_line, put};
use crate::view::{LaneView, PrState, Status, TaskView, Waiting, clock, conflicts_ahead, elapsed};

/// How much of anybody's words a line shows, in characters.
const WORDS_SHOWN: usize = 300;

/// Where a run stands, for people.
pub fn status(status: &Status, palette: &Palette) -> String {
    let mut out = heading(status, palette);
    out.push('\n');
    out.push_str(&lanes(&status.lanes, palette));
    out.push('\n');
    out.push_str(&tasks(&status.tasks, palette));
    out.push_str(&ahead(&status.lanes, palette));
    out.push_str(&concerns(&status.lanes, palette));
    if !status.waiting.is_empty() {
        put(&mut out, format_args!("\n{}", paint(palette.strong, "waiting for you")));
        out.push_str(&waiting(&status.waiting, palette));
    }
    out
}

/// What waits for a person, each with the command that lets it go on.
pub fn waiting(waiting: &[Waiting], palette: &Palette) -> String {
    let mut out = String::new();
    for wait in waiting {
        let kind = paint(palette.warn, wait.kind.word());
        put(&mut out, format_args!("  {kind}: {}", one_line(&wait.question, WORDS_SHOWN)));
        put(&mut out, format_args!("    {}", one_line(&wait.hint, WORDS_SHOWN)));
        if let Some(conflicts) = &wait.conflicts {
            let noun = if conflicts.lanes.len() == 1 { "lane" } else { "lanes" };
            let lanes = conflicts.lanes.iter().map(LaneId::as_str).collect::<Vec<_>>().join(", ");
            let lanes = one_line(&lanes, WORDS_SHOWN);
            put(&mut out, format_args!("    conflicts with {noun} {lanes}, as they stand;"));
            put(
                &mut out,
                format_args!("    once one of them is merged, {}", one_line(&conflicts.then, WORDS_SHOWN)),
            );
        }
    }
    out
}

fn heading(status: &Status, palette: &Palette) -> String {
    let state = match status.state {
        Some(RunStatus::Running) if status.paused => paint(palette.warn, "running, paused"),
        Some(RunStatus::Running) if is_left(status) => paint(palette.warn, "interrupted"),
        Some(state) => paint(palette.run(state), state.word()),
        None => paint(palette.dim, "not begun"),
    };
    let mut out = format!("graph {}, run {}: {state}", status.graph, status.run);
    if let Some(reason) = &status.reason {
        out.push_str(", ");
        out.push_str(&one_line(reason, WORDS_SHOWN));
    }
    if let Some(started) = status.started_at {
        let took = status
            .ended_at
            .map_or(String::new(), |ended| format!(", took {}", elapsed(ended.since(started))));
        let since = format!("  (since {} UTC{took})", clock(started));
        out.push_str(&paint(palette.dim, &since));
    }
    out.push('\n');
    if is_left(status) {
        let note = paint(palette.warn, "note");
        put(
            &mut out,
            format_args!("{note}: no process carries it; `laneway resume {}` goes on", status.graph),
        );
    }
    if let Some(drift) = &status.drift {
        let note = paint(palette.warn, "note");
        put(&mut out, format_args!("{note}: {}", one_line(drift, WORDS_SHOWN)));
    }
    out
}

/// Whether work is left and nobody is at it.
fn is_left(status: &Status) -> bool {
    status.state == Some(RunStatus::Running) && status.carried == Some(false)
}

fn lanes(lanes: &[LaneView], palette: &Palette) -> String {
    let titles = ["lane", "status", "tip", "pull request", "", ""];
    let mut table = Table::new(&titles, palette.dim);
    for lane in lanes {
        let pr = lane.pr.as_ref().map_or(String::new(), |pr| match pr.state {
            PrState::Open => format!("#{} {}", pr.number, one_line(&pr.url, WORDS_SHOWN)),
            state => format!("#{} {} {}", pr.number, state.word(), one_line(&pr.url, WORDS_SHOWN)),
        });
        let said = lane.error.as_ref().or(lane.reason.as_ref());
        table.row(vec![
            lane.id.as_str().into(),
            Cell::new(lane.status.word(), palette.lane(lane.status)),
            lane.tip.as_ref().map_or("", |tip| tip.short()).into(),
            pr.into(),
            failing(&lane.checks).into(),
            said.map_or(String::new(), |s| one_line(s, WORDS_SHOWN)).into(),
        ]);
    }
    table.text(0)
}

fn tasks(tasks: &[TaskView], palette: &Palette) -> String {
    let mut table = Table::new(&["task", "lane", "status", "attempts", "", ""], palette.dim);
    for task in tasks {
        let quiet = task.quiet.map(|evidence| evidence.to_string());
        let said = [&task.error, &task.question, &quiet, &task.progress, &task.reason];
        let said = said.into_iter().flatten().next();
        let attempts = match task.attempts {
            0 => String::new(),
            n => n.to_string(),
        };
        table.row(vec![
            task.id.as_str().into(),
            task.lane.as_str().into(),
            Cell::new(task.status.word(), palette.task(task.status)),
            attempts.into(),
            failing(&task.checks).into(),
            said.map_or(String::new(), |s| one_line(s, WORDS_SHOWN)).into(),
        ]);
    }
    table.text(0)
}

/// The checks that do not hold, by name.
fn failing(checks: &[crate::view::CheckView]) -> String {
    let names: Vec<String> = checks
        .iter()
        .filter(|c| c.status == CheckStatus::Fail)
        .map(|c| format!("{} failed", one_line(&c.name, WORDS_SHOWN)))
        .collect();
    names.join(", ")
}

/// Conflicts to be expected, those over the same paths together; one between two lanes is said once.
fn ahead(lanes: &[LaneView], palette: &Palette) -> String {
    let mut out = String::new();
    for one in conflicts_ahead(lanes) {
        let title = paint(palette.warn, "conflict ahead");
        let (who, paths) =
            (one_line(&one.who, WORDS_SHOWN), one_line(&few(one.paths, one.more), WORDS_SHOWN));
        put(&mut out, format_args!("{title} {who}: {paths}"));
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

fn concerns(lanes: &[LaneView], palette: &Palette) -> String {
    let mut out = String::new();
    let all = lanes.iter().flat_map(|l| l.concerns.iter().map(move |c| (&l.id, c)));
    for (lane, concern) in all {
        let class = match concern.class {
            ConcernClass::Design => paint(palette.warn, "design concern"),
            ConcernClass::Ops => paint(palette.dim, "ops concern"),
        };
        let by = concern.task.as_ref().map_or_else(|| lane.to_string(), |task| format!("{lane}/{task}"));
        put(&mut out, format_args!("{class} {by}: {}", one_line(&concern.text, WORDS_SHOWN)));
    }
    let remarks = lanes.iter().flat_map(|l| l.remarks.iter().map(move |r| (&l.id, r)));
    for (lane, remark) in remarks {
        let note = paint(palette.dim, "note");
        put(&mut out, format_args!("{note} {lane}: {}", one_line(remark, WORDS_SHOWN)));
    }
    for lane in lanes.iter().filter(|lane| !lane.ports.is_empty()) {
        let ports: Vec<String> = lane.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
        put(&mut out, format_args!("{} {}: {}", paint(palette.dim, "ports"), lane.id, ports.join(" ")));
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

#[cfg(test)]
mod tests;
