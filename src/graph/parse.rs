//! The way from a text to a graph.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::code::Code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::file::GraphFile;
use super::model::{AgentDef, Graph};
use super::read::{Read, Reader};
use super::resolve;
use crate::id::AgentName;

/// A graph file that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where it is, as shown to people.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// What the project says outside of the graph file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectDefaults {
    /// The agents that a graph may name without defining them.
    pub agents: BTreeMap<AgentName, AgentDef>,
}

/// Reads and checks a graph file: all or nothing.
///
/// # Errors
/// Every problem of the file at once. After a TOML syntax error only what can still be read is checked: keys, types
/// and single values, but not what is missing or how the tables fit together.
pub fn parse(source: &Source, known: &ProjectDefaults) -> Result<Graph, Diagnostics> {
    let mut reader = Reader::new(&source.text);
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    reader.broken = !errors.is_empty();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        reader.push(Diagnostic::new(
            Code::Syntax,
            span,
            error.message().trim(),
            "TOML ends to make sense here",
        ));
    }
    let span = table.span();
    let root = Spanned::new(span, DeValue::Table(table.into_inner()));
    let file = GraphFile::read(&root, "the graph", &mut reader);
    let graph = match file {
        Some(file) if !reader.broken => resolve::graph(&file, known, digest(&source.text), &mut reader),
        _ => None,
    };
    match Diagnostics::collect(&source.path, &source.text, reader.list) {
        Some(diagnostics) => Err(diagnostics),
        None => Ok(graph.expect("a graph without diagnostics is complete")),
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string takes every text");
            hex
        })
}
