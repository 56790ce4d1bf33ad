//! `laneway schema`.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::event::{KINDS, SCHEMA};
use crate::{graph, signal};

/// What is described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Subject {
    /// A graph file
    Graph,
    /// The task.json that an agent finds
    Task,
    /// A line of `laneway events --json`
    Events,
}

/// Print the JSON Schema of what Laneway reads and writes
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway schema graph > graph.schema.json")]
pub(super) struct SchemaArgs {
    /// What to describe
    #[arg(value_name = "WHAT")]
    subject: Subject,
}

impl SchemaArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let schema = match self.subject {
            Subject::Graph => graph::schema::json_schema(),
            Subject::Task => signal::manifest_schema(),
            Subject::Events => events(),
        };
        session.answer_json(&schema)?;
        Ok(Exit::Achieved)
    }
}

/// The envelope. Readers must let kinds pass that they do not know, so the kinds are examples and no closed list.
fn events() -> Value {
    let text = json!({ "type": "string" });
    let number = json!({ "type": "integer", "minimum": 1 });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Laneway event",
        "type": "object",
        "required": ["seq", "at", "graph", "run", "schema", "kind", "actor", "payload"],
        "properties": {
            "seq": number,
            "at": { "type": "string", "format": "date-time" },
            "graph": text,
            "run": number,
            "schema": { "type": "integer", "minimum": 1, "maximum": SCHEMA },
            "kind": { "type": "string", "examples": KINDS },
            "lane": text,
            "task": text,
            "attempt": number,
            "iteration": number,
            "actor": {
                "anyOf": [
                    { "enum": ["engine", "agent", "world"] },
                    { "type": "object", "properties": { "person": text }, "required": ["person"] },
                ],
            },
            "cause": number,
            "source": {
                "type": "object",
                "properties": { "path": text, "digest": text },
                "required": ["path", "digest"],
            },
            "payload": { "type": "object" },
        },
    })
}
