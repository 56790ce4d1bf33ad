//! From what a file says to what it means: names are looked up, defaults filled in, texts substituted.
//!
//! `declarations` gathers the ids, `links` checks how the tables refer to each other, `tables` and `agents` turn each
//! table into its part of the model, `texts` fills in substitutions. All of them note problems and go on.

mod agents;
mod conditions;
mod contract;
mod declarations;
mod furnish;
mod inputs;
mod links;
mod nests;
mod tables;
mod texts;

use std::collections::{BTreeMap, BTreeSet};

use super::agent::AgentDef;
use super::file::GraphFile;
use super::model::{Defaults, Graph, Task, Verb};
use super::parse::ProjectDefaults;
use super::read::Reader;
use super::role::{REVIEWER, Role};
use crate::id::{AgentName, RoleName};
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
    conditions::check(file, &declared, reader);
    let name = file.name.value();
    let mut context = Context::new(file, known, name.map_or("", |name| name.as_str()), reader);
    let agents = context.agents();
    let agent = context.default_agent();
    let workstreams = context.workstreams();
    let tasks = context.tasks();
    let used: BTreeSet<&AgentName> = agent.iter().chain(tasks.iter().flatten().flat_map(agents_of)).collect();
    let agents = with_used(agents, known, &used);
    let roles = roles(&context, tasks.as_deref().unwrap_or_default());
    Some(Graph {
        name: name?.clone(),
        description: file.description.value().cloned(),
        base: file.base.value().map(|branch| branch.0.clone()),
        target: file.target.value().map(|branch| branch.0.clone()),
        max_parallel: file.max_parallel.value().map(|number| number.count()),
        handoff: file.handoff.value().copied(),
        agents,
        agent,
        roles,
        defaults: defaults(file),
        workstreams: workstreams?,
        tasks: tasks?,
        digest,
    })
}

/// The roles that the tasks play, so that the graph says all that its run needs.
fn roles(context: &Context<'_, '_, '_>, tasks: &[Task]) -> BTreeMap<RoleName, Role> {
    let reviewer = RoleName::new(REVIEWER).expect("the word is an id");
    let mut played: BTreeSet<&RoleName> =
        tasks.iter().filter_map(|task| task.contract.role.as_ref()).collect();
    played.extend(tasks.iter().any(|task| task.review.is_some()).then_some(&reviewer));
    let known = |name: &RoleName| Some((name.clone(), context.roles.get(name)?.clone()));
    played.into_iter().filter_map(known).collect()
}

fn agents_of(task: &Task) -> impl Iterator<Item = &AgentName> {
    let own = match &task.verb {
        Verb::Agent { by, .. } => Some(&by.agent),
        Verb::Run { .. } => None,
    };
    own.into_iter().chain(task.review.as_ref().map(|review| &review.agent))
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
        stall: defaults.stall.value().copied(),
        gate: defaults.gate.value().and_then(|gate| texts::gate_as_written(&gate.0)),
    })
}
