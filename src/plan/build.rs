//! Graph and observations in, plan out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Index, Inputs, LanePlan, PLAN_SCHEMA, Places, Plan, PlanSource, ReviewPlan, Settings, TaskPlan, Work,
    integration_branch,
};
use crate::graph::{AgentDef, DiffPolicy, Gate, Graph, Millis, Task, Verb, Workstream, lane_needs};
use crate::id::{AgentName, LaneId};

/// How long a review may take where nobody says.
const REVIEW_TIMEOUT: Millis = Millis(30 * 60 * 1000);

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Nobody observed the lane's base.
    #[error("the base of workstream `{lane}` was not observed")]
    NoBase {
        /// The lane.
        lane: LaneId,
    },
    /// A task names an agent that is nowhere defined.
    #[error("task `{task}` uses the agent `{agent}`, which is not defined")]
    NoAgent {
        /// The task.
        task: crate::id::TaskId,
        /// The agent.
        agent: AgentName,
    },
}

/// Makes the plan of one run.
pub fn build(graph: &Graph, inputs: &Inputs) -> Result<Plan, PlanError> {
    let mut tasks =
        graph.tasks.iter().map(|task| plan_task(graph, task, inputs)).collect::<Result<Vec<_>, _>>()?;
    let needs = lane_needs(graph);
    let mut gates = gates_of(&tasks);
    let lanes = graph
        .workstreams
        .iter()
        .map(|workstream| {
            let needs = needs.get(&workstream.id).map(|n| n.iter().cloned().collect()).unwrap_or_default();
            let gates = gates.remove(&workstream.id).unwrap_or_default();
            plan_lane(graph, workstream, gates, needs, inputs)
        })
        .collect::<Result<Vec<_>, _>>()?;
    order(&mut tasks);
    Ok(Plan {
        schema: PLAN_SCHEMA,
        graph: graph.name.clone(),
        run: inputs.run,
        uuid: inputs.uuid.clone(),
        description: graph.description.clone(),
        source: PlanSource { path: inputs.path.clone(), digest: graph.digest.clone() },
        author: inputs.author.clone(),
        places: Places {
            repo: inputs.repo.clone(),
            record: inputs.record.clone(),
            board: inputs.board.clone(),
            worktrees: inputs.worktrees.clone(),
        },
        remote: inputs.remote.clone(),
        settings: Settings {
            max_parallel: inputs.max_parallel,
            handoff: graph.handoff.unwrap_or(inputs.handoff),
            grace: inputs.grace,
            forge: inputs.forge,
            github: inputs.github.clone(),
            ports: inputs.ports,
            warm: inputs.warm,
            share: inputs.share,
        },
        roles: graph.roles.clone(),
        lanes,
        tasks,
    })
}

fn plan_task(graph: &Graph, task: &Task, inputs: &Inputs) -> Result<TaskPlan, PlanError> {
    let work = match &task.verb {
        Verb::Run { command } => Work::Run { command: command.clone() },
        Verb::Agent { prompt, by } => Work::Agent {
            prompt: prompt.clone(),
            def: agent_def(graph, task, &by.agent, inputs)?,
            by: by.clone(),
        },
    };
    Ok(TaskPlan {
        id: task.id.clone(),
        lane: task.workstream.clone(),
        description: task.description.clone(),
        work,
        needs: task.needs.clone(),
        writes: task.writes.clone(),
        overlap: task.overlap,
        gate: task.gate.clone().or_else(|| default_gate(graph, task, inputs)),
        attempts: task.attempts.or(graph.defaults.attempts).unwrap_or(inputs.attempts),
        timeout: task.timeout.or(graph.defaults.timeout).unwrap_or(inputs.timeout),
        stall: task.stall.or(graph.defaults.stall),
        diff: task.diff,
        commit: task.commit,
        env: task.env.clone(),
        priority: task.priority,
        retry: task.retry.clone(),
        contract: task.contract.clone(),
        review: plan_review(graph, task, inputs)?,
        wave: 0,
        depth_below: 0,
    })
}

fn agent_def(
    graph: &Graph,
    task: &Task,
    agent: &AgentName,
    inputs: &Inputs,
) -> Result<Arc<AgentDef>, PlanError> {
    let known = graph.agents.get(agent).or_else(|| inputs.agents.get(agent));
    known
        .map(|def| Arc::new(def.clone()))
        .ok_or_else(|| PlanError::NoAgent { task: task.id.clone(), agent: agent.clone() })
}

fn plan_review(graph: &Graph, task: &Task, inputs: &Inputs) -> Result<Option<ReviewPlan>, PlanError> {
    let Some(review) = &task.review else { return Ok(None) };
    Ok(Some(ReviewPlan {
        agent: review.agent.clone(),
        def: agent_def(graph, task, &review.agent, inputs)?,
        model: review.model.clone(),
        prompt: review.prompt.clone(),
        timeout: review.timeout.unwrap_or(REVIEW_TIMEOUT),
    }))
}

/// The default gate proves changes; a task that has no diff by declaration is not asked for it.
fn default_gate(graph: &Graph, task: &Task, inputs: &Inputs) -> Option<Gate> {
    let gate = graph.defaults.gate.as_ref().or(inputs.gate.as_ref());
    gate.filter(|_| task.diff != DiffPolicy::None).cloned()
}

/// The distinct gates of the tasks of each lane, in the order of the file.
fn gates_of(tasks: &[TaskPlan]) -> BTreeMap<LaneId, Vec<Gate>> {
    let mut all: BTreeMap<LaneId, Vec<Gate>> = BTreeMap::new();
    for (lane, gate) in tasks.iter().filter_map(|t| Some((&t.lane, t.gate.as_ref()?))) {
        let gates = all.entry(lane.clone()).or_default();
        if !gates.iter().any(|g| g.command == gate.command) {
            gates.push(gate.clone());
        }
    }
    all
}

fn plan_lane(
    graph: &Graph,
    workstream: &Workstream,
    of_tasks: Vec<Gate>,
    needs: Vec<LaneId>,
    inputs: &Inputs,
) -> Result<LanePlan, PlanError> {
    let id = &workstream.id;
    let observed = inputs.bases.get(id).ok_or_else(|| PlanError::NoBase { lane: id.clone() })?;
    let parent = workstream.parent.clone();
    let onto = parent.as_ref().map(|parent| integration_branch(&graph.name, inputs.run, parent));
    let mut gates: Vec<Gate> = workstream.gate.iter().cloned().collect();
    if gates.is_empty() {
        gates = of_tasks;
    }
    Ok(LanePlan {
        id: id.clone(),
        description: workstream.description.clone(),
        parent,
        base: onto.clone().unwrap_or_else(|| observed.base.clone()),
        base_sha: observed.base_sha.clone(),
        target: onto.unwrap_or_else(|| observed.target.clone()),
        merge: workstream.merge,
        parallel: workstream.parallel,
        gates,
        teardown: workstream.teardown,
        task_prs: workstream.task_prs,
        furnish: workstream.furnish.clone().or(&inputs.lanes),
        branch: integration_branch(&graph.name, inputs.run, id),
        worktree: inputs.worktrees.join(id.as_str()),
        needs,
    })
}

/// Fills in waves (longest way from a root) and the depth below (longest way to a leaf).
fn order(tasks: &mut [TaskPlan]) {
    let position: std::collections::HashMap<_, _> =
        tasks.iter().enumerate().map(|(ix, t)| (t.id.clone(), ix)).collect();
    let needs: Vec<Vec<usize>> =
        tasks.iter().map(|t| t.needs.iter().map(|n| position[n]).collect()).collect();
    let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); tasks.len()];
    for (task, needs) in needs.iter().enumerate() {
        for &need in needs {
            dependents[need].push(task);
        }
    }
    let mut sorted: Vec<usize> = (0..tasks.len()).filter(|&t| waiting[t] == 0).collect();
    let mut next = 0;
    while let Some(&task) = sorted.get(next) {
        next += 1;
        tasks[task].wave = 1 + needs[task].iter().map(|&n| tasks[n].wave).max().unwrap_or(0);
        for &dependent in &dependents[task] {
            waiting[dependent] -= 1;
            if waiting[dependent] == 0 {
                sorted.push(dependent);
            }
        }
    }
    for &task in sorted.iter().rev() {
        tasks[task].depth_below =
            1 + dependents[task].iter().map(|&d| tasks[d].depth_below).max().unwrap_or(0);
    }
}

impl Plan {
    /// The plan of a task by its id.
    pub fn task(&self, index: &Index, id: &crate::id::TaskId) -> Option<&TaskPlan> {
        index.task(id).map(|ix| &self.tasks[ix])
    }
}
