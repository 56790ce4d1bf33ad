//! What a run is going to be, before it begins.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::holds::{Include, holds_json, holds_text};
use super::plain::{one_line, put};
use super::steps::{steps, work};
use super::turns::{crowded, overlapping};
use crate::graph::{Gate, Handoff, MergePolicy};
use crate::id::TaskId;
use crate::plan::{Plan, TaskPlan, Work};

/// How much of a description or command is shown, in characters.
const WORDS_SHOWN: usize = 200;

/// The plan for people: lanes, then tasks in waves. Everything in a wave can run at once, but for what takes turns.
pub fn plan_text(plan: &Plan, include: Include) -> String {
    let mut out = String::new();
    let handoff = match plan.settings.handoff {
        Handoff::Ready => "ready",
        Handoff::Merged => "merged",
    };
    put(
        &mut out,
        format_args!(
            "graph {}, run {}: {}, {}, at most {} at once, handoff {handoff}",
            plan.graph,
            plan.run,
            counted(plan.lanes.len(), "lane"),
            counted(plan.tasks.len(), "task"),
            plan.settings.max_parallel,
        ),
    );
    if let Some(description) = &plan.description {
        put(&mut out, format_args!("  {}", one_line(description, WORDS_SHOWN)));
    }
    put(&mut out, format_args!("\nlanes"));
    for lane in &plan.lanes {
        put(
            &mut out,
            format_args!(
                "  {}: {} at {} -> {}, {}",
                lane.id,
                lane.base,
                lane.base_sha.short(),
                lane.target,
                match lane.merge {
                    MergePolicy::Review => "a person merges",
                    MergePolicy::Auto => "merged by itself when every check holds",
                }
            ),
        );
        put(&mut out, format_args!("    branch {}", lane.branch));
        if !lane.needs.is_empty() {
            put(&mut out, format_args!("    takes in {}", joined(&lane.needs)));
        }
        holds_text(&mut out, &lane.furnish, include);
        for gate in &lane.gates {
            put(&mut out, format_args!("    proven by {}", gate_text(gate)));
        }
    }
    let turns = overlapping(plan);
    for (wave, tasks) in waves(plan) {
        put(&mut out, format_args!("\nwave {wave}"));
        for task in &tasks {
            let turns = plan.tasks.iter().position(|other| other.id == task.id).map(|ix| &turns[ix]);
            task_text(&mut out, task, turns.map_or(&[][..], Vec::as_slice));
        }
        for (lane, parallel, tasks) in crowded(plan, &tasks) {
            let how =
                if parallel == 1 { "one at a time".to_owned() } else { format!("{parallel} at a time") };
            put(&mut out, format_args!("  {} take turns: {lane} runs {how}", joined(&tasks)));
        }
    }
    out
}

fn task_text(out: &mut String, task: &TaskPlan, turns: &[&TaskId]) {
    let attempts = match task.attempts {
        1 => String::new(),
        n => format!(", up to {n} attempts"),
    };
    put(out, format_args!("  {} in {}: {}{attempts}", task.id, task.lane, work(task)));
    if let Some(gate) = &task.gate {
        put(out, format_args!("    gate {}", gate_text(gate)));
    }
    if !task.needs.is_empty() {
        put(out, format_args!("    needs {}", joined(&task.needs)));
    }
    if !turns.is_empty() {
        let others = one_line(&joined(turns), WORDS_SHOWN);
        put(out, format_args!("    takes turns with {others}, as what they write overlaps"));
    }
    contract_text(out, task);
}

/// What it knows and must deliver, where the graph says more than what holds for every task.
fn contract_text(out: &mut String, task: &TaskPlan) {
    let contract = &task.contract;
    if let Some(when) = &contract.when {
        put(out, format_args!("    when {}", one_line(&when.text, WORDS_SHOWN)));
    }
    for input in &contract.inputs {
        put(out, format_args!("    takes {} of {}", input.category, input.task));
    }
    if !contract.outputs.is_empty() {
        let categories: Vec<&str> = contract.outputs.iter().map(|output| output.category.as_str()).collect();
        put(out, format_args!("    declares {}", categories.join(", ")));
    }
    if let Some(adr) = &contract.adr {
        put(out, format_args!("    writes a decision record into {}", one_line(&adr.folder, WORDS_SHOWN)));
    }
    if let Some(review) = &task.review {
        put(out, format_args!("    reviewed by agent {}", review.agent));
    }
}

/// The plan for programs: `{graph, run, lanes, waves, tasks, steps}`.
pub fn plan_json(plan: &Plan, include: Include) -> Value {
    let waves: Vec<Vec<&TaskId>> =
        waves(plan).into_values().map(|tasks| tasks.into_iter().map(|t| &t.id).collect()).collect();
    let lanes: Vec<Value> = plan
        .lanes
        .iter()
        .map(|lane| {
            json!({
                "id": lane.id,
                "branch": lane.branch,
                "worktree": lane.worktree,
                "base": lane.base,
                "base_sha": lane.base_sha,
                "target": lane.target,
                "merge": lane.merge,
                "needs": lane.needs,
                "parallel": lane.parallel,
                "holds": holds_json(&lane.furnish, include),
                "gates": lane.gates.iter().map(|g| g.command.to_string()).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "graph": plan.graph,
        "run": plan.run,
        "description": plan.description,
        "lanes": lanes,
        "waves": waves,
        "tasks": plan.tasks.iter().zip(overlapping(plan)).map(|(task, turns)| task_json(task, &turns)).collect::<Vec<_>>(),
        "steps": steps(plan),
    })
}

fn task_json(task: &TaskPlan, turns: &[&TaskId]) -> Value {
    let (verb, agent, command) = match &task.work {
        Work::Agent { by, .. } => ("agent", Some(&by.agent), None),
        Work::Run { command } => ("run", None, Some(command.to_string())),
    };
    json!({
        "id": task.id,
        "lane": task.lane,
        "wave": task.wave,
        "verb": verb,
        "needs": task.needs,
        "gate": task.gate.as_ref().map(|g| g.command.to_string()),
        "agent": agent,
        "command": command,
        "attempts": task.attempts,
        "writes": task.writes,
        "takes_turns_with": turns,
        "role": task.contract.role,
        "when": task.contract.when.as_ref().map(|when| &when.text),
        "inputs": task.contract.inputs,
        "outputs": task.contract.outputs,
        "reviewer": task.review.as_ref().map(|review| &review.agent),
    })
}

fn waves(plan: &Plan) -> BTreeMap<u32, Vec<&TaskPlan>> {
    let mut waves: BTreeMap<u32, Vec<&TaskPlan>> = BTreeMap::new();
    for task in &plan.tasks {
        waves.entry(task.wave).or_default().push(task);
    }
    waves
}

fn gate_text(gate: &Gate) -> String {
    let fresh = if gate.fresh { " in a pristine worktree" } else { "" };
    format!("`{}`{fresh}", one_line(&gate.command.to_string(), WORDS_SHOWN))
}

fn joined<T: std::fmt::Display>(ids: &[T]) -> String {
    ids.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
