//! The steps of a run, said before it and recognised in its journal: both are made by the same words.

use std::collections::BTreeSet;

use super::plain::one_line;
use crate::event::{Effect, Envelope, Event};
use crate::graph::{DiffPolicy, MergePolicy, Teardown};
use crate::id::{LaneId, TaskId};
use crate::plan::{Index, LaneIx, LanePlan, Plan, TaskIx, TaskPlan, Work};

/// How much of a command a step shows, in characters.
const COMMAND_SHOWN: usize = 200;

/// The steps of a run in which everything succeeds at once, in an order that holds when one attempt runs at a time;
/// with several at a time, steps of different lanes interleave. What follows on a person's merge is not foreseen,
/// and neither is whether an optional change is made: where it may be, its landing and its pull request are listed.
pub fn steps(plan: &Plan) -> Vec<String> {
    let index = Index::new(plan);
    let mut order = Order {
        plan,
        done: vec![false; plan.tasks.len()],
        prepared: vec![false; plan.lanes.len()],
        ended: vec![false; plan.lanes.len()],
        holds: vec![BTreeSet::new(); plan.lanes.len()],
        index,
        steps: Vec::new(),
    };
    while let Some(task) = order.next() {
        order.prepare(task);
        order.work(task);
        order.finish(order.index.lane_of[task]);
    }
    order.steps
}

/// The step that an event of a journal records, in the words of [`steps`]; `None` for events that begin no step. A
/// step that is tried again is recorded again; only a further attempt of a task is a step of its own.
pub fn recorded(plan: &Plan, envelope: &Envelope) -> Option<String> {
    let lane = |id: &LaneId| plan.lanes.iter().find(|l| l.id == *id);
    let task = |id: &TaskId| plan.tasks.iter().find(|t| t.id == *id);
    match &envelope.event {
        Event::EffectIntended(event) => match &event.effect {
            Effect::Provision { lane: id } => Some(provision(lane(id)?)),
            Effect::Sync { lane, from, .. } => {
                let mut sources: Vec<&LaneId> = from.iter().flat_map(sources).collect();
                sources.sort_unstable();
                Some(sync(lane, &sources))
            }
            Effect::Attempt { task: id, attempt, iteration: 1, .. } => Some(start(task(id)?, *attempt)),
            Effect::Collect { task, .. } => Some(collect(task)),
            Effect::Examine { task: id, round: 1, .. } => review(task(id)?),
            Effect::Land { task: id, .. } => Some(land(task(id)?)),
            Effect::OpenPr { lane: id, .. } => Some(open_pr(lane(id)?)),
            Effect::Prove { lane: id, .. } => Some(prove(lane(id)?)),
            Effect::MergePr { lane: id, .. } => Some(merge(lane(id)?)),
            Effect::Teardown { lane, .. } => Some(teardown(lane)),
            Effect::Conclude { lane } => Some(conclude(lane)),
            // It is part of making the lane, which the plan has as one step.
            Effect::Warm { .. }
            | Effect::Attempt { .. }
            | Effect::Stop { .. }
            | Effect::Examine { .. }
            | Effect::CheckMerged { .. }
            | Effect::Probe { .. }
            | Effect::Undo { .. }
            | Effect::Review { .. } => None,
        },
        // Nothing is intended while a person has to decide; the proof of the merge is the last thing that is done.
        Event::EffectConfirmed(event) if event.id.0.starts_with("prove/") => {
            let lane = lane(envelope.subject.lane.as_ref()?)?;
            (lane.merge == MergePolicy::Review).then(|| leave(lane))
        }
        _ => None,
    }
}

fn sources(source: &crate::event::SyncSource) -> Vec<&LaneId> {
    match source {
        crate::event::SyncSource::Lane { lane, .. } | crate::event::SyncSource::Landing { lane, .. } => {
            vec![lane]
        }
        crate::event::SyncSource::Target { landed } => landed.iter().map(|(lane, _)| lane).collect(),
        crate::event::SyncSource::Origin => Vec::new(),
    }
}

struct Order<'a> {
    plan: &'a Plan,
    index: Index,
    done: Vec<bool>,
    prepared: Vec<bool>,
    ended: Vec<bool>,
    holds: Vec<BTreeSet<LaneIx>>,
    steps: Vec<String>,
}

impl Order<'_> {
    /// The task that would be started next.
    fn next(&self) -> Option<TaskIx> {
        let ready = |&task: &TaskIx| {
            let lane = self.index.lane_of[task];
            !self.done[task]
                && self.index.needs[task].iter().all(|&n| {
                    self.done[n] && (self.index.lane_of[n] == lane || self.ended[self.index.lane_of[n]])
                })
        };
        let rank = |&task: &TaskIx| {
            let plan = &self.plan.tasks[task];
            (std::cmp::Reverse(plan.priority), std::cmp::Reverse(plan.depth_below), task)
        };
        (0..self.plan.tasks.len()).filter(ready).min_by_key(rank)
    }

    fn prepare(&mut self, task: TaskIx) {
        let lane = self.index.lane_of[task];
        if !std::mem::replace(&mut self.prepared[lane], true) {
            self.steps.push(provision(&self.plan.lanes[lane]));
        }
        let needed = self.index.needs[task].iter().map(|&n| self.index.lane_of[n]);
        let missing: BTreeSet<LaneIx> =
            needed.filter(|&up| up != lane && !self.holds[lane].contains(&up)).collect();
        if missing.is_empty() {
            return;
        }
        let mut names: Vec<&LaneId> = missing.iter().map(|&up| &self.plan.lanes[up].id).collect();
        names.sort_unstable();
        self.steps.push(sync(&self.plan.lanes[lane].id, &names));
        self.holds[lane].extend(missing);
    }

    fn work(&mut self, task: TaskIx) {
        let plan = &self.plan.tasks[task];
        self.steps.push(start(plan, 1));
        if plan.diff != DiffPolicy::None || !plan.contract.outputs.is_empty() {
            self.steps.push(collect(&plan.id));
        }
        self.steps.extend(review(plan));
        if plan.diff != DiffPolicy::None || plan.gate.is_some() {
            self.steps.push(land(plan));
        }
        self.done[task] = true;
    }

    fn finish(&mut self, lane: LaneIx) {
        if !self.index.tasks_of[lane].iter().all(|&t| self.done[t]) {
            return;
        }
        self.ended[lane] = true;
        let plan = &self.plan.lanes[lane];
        let changes = self.index.tasks_of[lane].iter().any(|&t| self.plan.tasks[t].diff != DiffPolicy::None);
        let shown = changes || !self.holds[lane].is_empty();
        if shown {
            self.steps.push(open_pr(plan));
            self.steps.push(prove(plan));
            if plan.merge == MergePolicy::Review {
                return self.steps.push(leave(plan));
            }
            self.steps.push(merge(plan));
        }
        if plan.teardown != Teardown::Never {
            self.steps.push(teardown(&plan.id));
        }
        if shown {
            self.steps.push(conclude(&plan.id));
        }
    }
}

fn provision(lane: &LanePlan) -> String {
    format!(
        "prepare lane {}: branch {} from {} at {}",
        lane.id,
        lane.branch,
        lane.base,
        lane.base_sha.short()
    )
}

fn sync(lane: &LaneId, from: &[&LaneId]) -> String {
    let names: Vec<&str> = from.iter().map(|l| l.as_str()).collect();
    let noun = if names.len() == 1 { "lane" } else { "lanes" };
    format!("bring {noun} {} into lane {lane}", names.join(", "))
}

fn start(task: &TaskPlan, attempt: u32) -> String {
    let again = if attempt > 1 { format!(" again, attempt {attempt}") } else { String::new() };
    format!("start task {} in lane {}{again}: {}", task.id, task.lane, work(task))
}

fn collect(task: &TaskId) -> String {
    format!("check the work of task {task}")
}

fn review(task: &TaskPlan) -> Option<String> {
    let reviewer = &task.review.as_ref()?.agent;
    Some(format!("have the work of task {} reviewed by agent {reviewer}", task.id))
}

fn land(task: &TaskPlan) -> String {
    let gate = task.gate.as_ref().map_or("no gate".to_owned(), |g| {
        format!("gate `{}`", one_line(&g.command.to_string(), COMMAND_SHOWN))
    });
    format!("land task {} in lane {}: {gate}", task.id, task.lane)
}

fn open_pr(lane: &LanePlan) -> String {
    format!("open the pull request of lane {} to {}", lane.id, lane.target)
}

fn prove(lane: &LanePlan) -> String {
    let gates: Vec<String> = lane
        .gates
        .iter()
        .map(|g| format!("gate `{}`", one_line(&g.command.to_string(), COMMAND_SHOWN)))
        .collect();
    let gates = if gates.is_empty() { "no gate".to_owned() } else { gates.join(", ") };
    format!("prove the merge of lane {} into {}: {gates}", lane.id, lane.target)
}

fn merge(lane: &LanePlan) -> String {
    format!("merge the pull request of lane {} into {}", lane.id, lane.target)
}

fn leave(lane: &LanePlan) -> String {
    format!("leave the pull request of lane {} to a person: laneway pr merge", lane.id)
}

fn teardown(lane: &LaneId) -> String {
    format!("remove the worktree of lane {lane}")
}

fn conclude(lane: &LaneId) -> String {
    format!("say on the pull request of lane {lane} what became of it")
}

/// What does a task's work, in few words.
pub(super) fn work(task: &TaskPlan) -> String {
    match &task.work {
        Work::Agent { by, def, .. } => {
            let agent = match by.model.as_ref().or(def.model.as_ref()) {
                Some(model) => format!("agent {} ({})", by.agent, one_line(model, COMMAND_SHOWN)),
                None => format!("agent {}", by.agent),
            };
            match &by.repeat {
                Some(repeat) => format!("{agent}, up to {} iterations", repeat.max_iterations),
                None => agent,
            }
        }
        Work::Run { command } => format!("run `{}`", one_line(&command.to_string(), COMMAND_SHOWN)),
    }
}
