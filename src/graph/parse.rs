//! The way from a text to a graph.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::agent::AgentDef;
use super::code::Code;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::file::GraphFile;
use super::model::Graph;
use super::read::{Read, Reader};
use super::resolve;
use super::role::Role;
use crate::id::{AgentName, RoleName};

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
    /// The roles that stand beside the graph, in addition to the built-in ones or instead of them.
    pub roles: BTreeMap<RoleName, Role>,
}

/// Reads and checks a graph file: all or nothing.
///
/// # Errors
/// Every problem of the file at once. After a TOML syntax error only what can still be read is checked: keys, types
/// and single values, but not what is missing or how the tables fit together.
///
/// # Panics
/// Never: a graph that is not complete has a diagnostic.
pub fn parse(source: &Source, known: &ProjectDefaults) -> Result<Graph, Diagnostics> {
    let mut reader = Reader::new(&source.text);
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    reader.broken = !errors.is_empty();
    let span = table.span();
    let root = Spanned::new(span, DeValue::Table(table.into_inner()));
    let file = GraphFile::read(&root, "the graph", &mut reader);
    let graph = match file {
        Some(file) if !reader.broken => resolve::graph(&file, known, digest(&source.text), &mut reader),
        _ => None,
    };
    let misread = Misread::new(&source.text, &errors);
    reader.list.retain(|diagnostic| !misread.covers(diagnostic.span.start));
    reader
        .list
        .extend(errors.iter().filter(|e| !is_duplicate(e) || !misread.covers(place_of(e))).map(syntax));
    match Diagnostics::collect(&source.path, &source.text, reader.list) {
        Some(diagnostics) => Err(diagnostics),
        None => Ok(graph.expect("a graph without diagnostics is complete")),
    }
}

fn syntax(error: &toml::de::Error) -> Diagnostic {
    let (label, hint) = if is_duplicate(error) {
        ("written a second time", "keep one of the two")
    } else {
        ("not TOML", "correct this first; the rest is checked in full once the file is TOML")
    };
    let span = error.span().unwrap_or(0..0);
    Diagnostic::new(Code::Syntax, span, error.message().trim(), label).hint(hint.to_owned())
}

/// The parts of a text that may not be what was meant: the lines with a syntax error, and everything after a broken
/// table header, since nobody knows which table its keys belong to.
struct Misread {
    /// In the order of the text.
    lines: Vec<Range<usize>>,
    from: usize,
}

impl Misread {
    fn new(text: &str, errors: &[toml::de::Error]) -> Self {
        let mut places: Vec<usize> =
            errors.iter().filter(|error| !is_duplicate(error)).map(place_of).collect();
        places.sort_unstable();
        let mut lines: Vec<Range<usize>> = Vec::new();
        for at in places {
            if lines.last().is_none_or(|line| at > line.end) {
                let start = text[..at].rfind('\n').map_or(0, |before| before + 1);
                let end = text[at..].find('\n').map_or(text.len(), |after| at + after);
                lines.push(start..end);
            }
        }
        let header = lines.iter().find(|line| text[(*line).clone()].trim_start().starts_with('['));
        let from = header.map_or(usize::MAX, |line| line.start);
        Self { lines, from }
    }

    fn covers(&self, at: usize) -> bool {
        let line = self.lines.partition_point(|line| line.end < at);
        at >= self.from || self.lines.get(line).is_some_and(|line| line.start <= at)
    }
}

fn is_duplicate(error: &toml::de::Error) -> bool {
    error.message().trim() == "duplicate key"
}

fn place_of(error: &toml::de::Error) -> usize {
    error.span().map_or(0, |span| span.start)
}

/// The digest by which a plan knows the text that it was made from.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes every text");
        hex
    })
}
