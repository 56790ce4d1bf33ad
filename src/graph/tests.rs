//! Tests of the whole way from text to graph.

mod accepted;
mod rejected;
mod schema;

use std::collections::BTreeMap;

use super::*;
use crate::id::{AgentName, RoleName};

/// A project that knows the agents `claude` (which takes a model) and `plain` (which does not).
fn known() -> ProjectDefaults {
    let agent = |command: &[&str]| AgentDef {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        ..AgentDef::default()
    };
    let agents = [
        (name("claude"), agent(&["claude", "--model", "{model}", "{prompt_file}"])),
        (name("plain"), agent(&["plain", "{prompt_file}"])),
    ];
    let own = Role::new("Speak in verse.\n".to_owned(), RoleSource::File("graphs/roles/poet.md".to_owned()));
    ProjectDefaults { agents: agents.into(), roles: [(RoleName::new("poet").expect("an id"), own)].into() }
}

fn name(text: &str) -> AgentName {
    AgentName::new(text).expect("a valid name")
}

fn source(text: &str) -> Source {
    Source { path: "graphs/x.toml".to_owned(), text: text.to_owned() }
}

fn accept(text: &str) -> Graph {
    let source = source(text);
    match parse(&source, &known()) {
        Ok(graph) => graph,
        Err(diagnostics) => panic!("refused:\n{}", diagnostics.render(&source, false)),
    }
}

fn refuse(text: &str) -> Diagnostics {
    match parse(&source(text), &known()) {
        Ok(graph) => panic!("accepted: {graph:#?}"),
        Err(diagnostics) => diagnostics,
    }
}
