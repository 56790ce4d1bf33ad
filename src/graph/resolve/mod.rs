//! From what a file says to what it means: names are looked up, defaults filled in, texts substituted.
//!
//! `declarations` gathers the ids, `links` checks how the tables refer to each other, `tables` and `agents` turn each
//! table into its part of the model, `texts` fills in substitutions. All of them note problems and go on.

mod agents;
mod declarations;
mod links;
mod tables;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use super::agent::AgentDef;
use super::file::GraphFile;
use super::model::{Defaults, Graph, Task, Verb};
use super::parse::ProjectDefaults;
use super::read::Reader;
use crate::id::AgentName;
use declarations::Declarations;
use tables::Context;

pub(super) use agents::PLACEHOLDERS;

/// Resolves the file. `None` means that a diagnostic has been noted.
pub(super) fn graph(
    file: &GraphFile,
    known: &ProjectDefaults,
    digest: String,
    reader: &mut Reader<'_>,
) -> Option<Graph> {
    let declared = Declarations::gather(file, reader);
    links::check(file, &declared, reader);
    let name = file.name.value();
    let mut context = Context::new(file, known, name.map_or("", |name| name.as_str()), reader);
    let agents = context.agents();
    let agent = context.default_agent();
    let workstreams = context.workstreams();
    let tasks = context.tasks();
    let used: BTreeSet<&AgentName> =
        agent.iter().chain(tasks.iter().flatten().filter_map(agent_of)).collect();
    let agents = with_used(agents, known, &used);
    Some(Graph {
        name: name?.clone(),
        description: file.description.value().cloned(),
        base: file.base.value().map(|branch| branch.0.clone()),
        target: file.target.value().map(|branch| branch.0.clone()),
        max_parallel: file.max_parallel.value().map(|number| number.count()),
        handoff: file.handoff.value().copied(),
        agents,
        agent,
        defaults: defaults(file),
        workstreams: workstreams?,
        tasks: tasks?,
        digest,
    })
}

fn agent_of(task: &Task) -> Option<&AgentName> {
    match &task.verb {
        Verb::Agent { by, .. } => Some(&by.agent),
        Verb::Run { .. } => None,
    }
}

/// Adds the project's agents that the graph uses, so that the graph says all that its run needs.
fn with_used(
    mut agents: BTreeMap<AgentName, AgentDef>,
    known: &ProjectDefaults,
    used: &BTreeSet<&AgentName>,
) -> BTreeMap<AgentName, AgentDef> {
    for (name, agent) in &known.agents {
        if used.contains(name) && !agents.contains_key(name) {
            agents.insert(name.clone(), agent.clone());
        }
    }
    agents
}

fn defaults(file: &GraphFile) -> Defaults {
    file.defaults.value().map_or_else(Defaults::default, |defaults| Defaults {
        attempts: defaults.attempts.value().map(|number| number.count()),
        timeout: defaults.timeout.value().copied(),
        gate: defaults.gate.value().and_then(|gate| texts::gate_as_written(&gate.0)),
    })
}
