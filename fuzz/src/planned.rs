//! A plan for any graph, as if a repository had been looked at.

use std::collections::BTreeMap;

use laneway::agent::built_in;
use laneway::graph::{Diagnostics, Graph, ProjectDefaults, Source, parse};
use laneway::id::Sha;
use laneway::plan::{Inputs, LaneBase, Plan, build};

pub(crate) fn source(text: &str) -> Source {
    Source { path: "g.toml".to_owned(), text: text.to_owned() }
}

pub(crate) fn read(source: &Source) -> Result<Graph, Diagnostics> {
    let known = ProjectDefaults { agents: built_in().clone(), roles: BTreeMap::new() };
    parse(source, &known)
}

pub(crate) fn plan(graph: &Graph) -> Plan {
    let sha = Sha::new(&"1".repeat(40)).expect("an object id");
    let base = LaneBase { base: "main".to_owned(), base_sha: sha, target: "main".to_owned() };
    let inputs = Inputs { agents: built_in().clone(), ..Inputs::plain(graph, &base) };
    build(graph, &inputs).expect("a graph that was accepted has a plan")
}
