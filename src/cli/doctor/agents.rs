//! Which agents can be started here. Those that a graph of the repository names are tried as a run would try them.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::thread;

use crate::cli::config::Layers;
use crate::cli::error::CliError;
use crate::cli::programs::{absent_agent, absent_agents, probe};
use crate::cli::session::Session;
use crate::graph::{AgentDef, Graph};
use crate::id::AgentName;
use crate::runtime::Project;
use crate::runtime::checkup::Finding;

/// The agents that are there, and those that are missed.
pub(super) fn on_path(
    session: &Session,
    project: &Project,
    layers: &Layers,
    graphs: &[Graph],
) -> Result<Vec<Finding>, CliError> {
    let path =
        |def: &AgentDef| def.env.get("PATH").map(Into::into).or(session.env_os("PATH").map(Into::into));
    let mut missing: BTreeMap<AgentName, Finding> = BTreeMap::new();
    let mut named: BTreeMap<&AgentName, &AgentDef> = BTreeMap::new();
    for graph in graphs {
        named.extend(&graph.agents);
        for (agent, why) in absent_agents(session, graph) {
            let next = graph.agents.get(&agent).and_then(|def| def.install.clone());
            let found = format!("{agent}, named by the graph {}: {why}", graph.name);
            missing.entry(agent).or_insert_with(|| Finding::warn("agents", found, next));
        }
    }
    named.retain(|agent, def| !missing.contains_key(*agent) && def.probe.is_some());
    // Each takes as long as its program takes to start.
    let probed: Vec<Result<Option<String>, CliError>> = thread::scope(|scope| {
        let one = |def: &AgentDef| {
            let path: Option<std::ffi::OsString> = path(def);
            probe(session, def, path.as_deref().unwrap_or(OsStr::new("")), &project.root())
        };
        let all: Vec<_> = named.values().map(|def| scope.spawn(move || one(def))).collect();
        all.into_iter().map(|one| one.join().expect("threads do not panic")).collect()
    });
    for ((agent, def), why) in named.iter().zip(probed) {
        if let Some(why) = why? {
            let found = format!("{agent}: {why}");
            missing.insert((*agent).clone(), Finding::warn("agents", found, def.install.clone()));
        }
    }
    let known = layers.agents();
    let there: Vec<&str> = known
        .iter()
        .filter(|(agent, (def, _))| {
            let path = path(def).unwrap_or_default();
            !missing.contains_key(**agent) && absent_agent(def, &path).is_none()
        })
        .map(|(agent, _)| agent.as_str())
        .collect();
    let mut findings: Vec<Finding> = missing.into_values().collect();
    findings.push(if there.is_empty() {
        let known: Vec<&str> = known.keys().map(|agent| agent.as_str()).collect();
        let found = format!("none of {} is here; commands and agents of your own are", known.join(", "));
        Finding::ok("agents", found)
    } else {
        Finding::ok("agents", format!("{} can be started", there.join(", ")))
    });
    Ok(findings)
}
