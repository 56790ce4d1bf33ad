//! `docs/graph.md`: every table and key of a graph file, from the tables that the reader reads by.

use std::fmt::Write as _;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::{Key, Keys, Presence, TABLES};
use super::resolve::PLACEHOLDERS;
use super::schema;
use super::substitution;

/// What stands before the tables; the graph in it is read by a test.
const BEGIN: &str = include_str!("reference/begin.md");
/// What stands behind them.
const END: &str = include_str!("reference/end.md");

/// Returns `docs/graph.md`, which is made from the tables of keys.
pub fn graph_page() -> String {
    let mut out = BEGIN.to_owned();
    for keys in TABLES {
        section(keys, &mut out);
    }
    let names = substitution::NAMES.map(|name| format!("`${{{name}}}`"));
    let placeholders = PLACEHOLDERS.map(|name| format!("`{{{name}}}`"));
    out.push('\n');
    out.push_str(
        &END.replace("NAMES", &listed(&names, "and")).replace("PLACEHOLDERS", &listed(&placeholders, "and")),
    );
    out
}

fn section(keys: &Keys, out: &mut String) {
    let title = heading(keys.table);
    let mut put = |line: std::fmt::Arguments<'_>| writeln!(out, "{line}").expect("a string takes everything");
    put(format_args!("\n## {title}\n\n{}\n", keys.doc.trim()));
    put(format_args!("| key | takes | default | meaning | example |\n|---|---|---|---|---|"));
    for key in keys.known.iter().filter(|key| key.presence != Presence::Refused) {
        let (meaning, default) = meaning(key);
        put(format_args!("| `{}` | {} | {default} | {meaning} | `{}` |", key.name, takes(key), key.example));
    }
    let refused = keys.known.iter().filter(|key| key.presence == Presence::Refused).map(|key| key.name);
    let later = refused.chain(keys.later.iter().copied()).map(|name| format!("`{name}`"));
    let later: Vec<String> = later.collect();
    if !later.is_empty() {
        put(format_args!("\nNot supported yet, and refused by name: {}.", listed(&later, "and")));
    }
}

/// What a table is called in messages, as a heading.
fn heading(table: &str) -> String {
    let mut chars = table.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// The meaning of a key, and its default as its documentation tells it.
fn meaning(key: &Key) -> (String, String) {
    let doc = key.doc.trim();
    if key.presence == Presence::Required {
        return (doc.to_owned(), "required".to_owned());
    }
    if let Some((meaning, default)) = doc.split_once(" Default: ") {
        return (meaning.to_owned(), default.trim_end_matches('.').to_owned());
    }
    let word =
        doc.split_once(", the default").and_then(|(before, _)| before.rsplit_once('`')?.0.rsplit_once('`'));
    (doc.to_owned(), word.map_or_else(String::new, |(_, word)| format!("`{word}`")))
}

/// What a key takes, in words.
fn takes(key: &Key) -> String {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let schema = (key.schema)(&mut generator).to_value();
    let definitions = Value::Object(generator.take_definitions(true));
    words(&schema, &definitions)
}

fn words(schema: &Value, definitions: &Value) -> String {
    let quoted = |all: &Vec<Value>| -> Vec<String> {
        all.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect()
    };
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(|one| words(one, definitions)).collect::<Vec<_>>().join(", or ");
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return linked(&definitions[name]["description"]);
    }
    match (&schema["const"], schema["enum"].as_array(), schema["type"].as_str()) {
        (Value::Null, Some(all), _) => listed(&quoted(all), "or"),
        (Value::Null, None, Some("array")) => format!("list of {}", words(&schema["items"], definitions)),
        (Value::Null, None, Some("object")) => {
            format!("{} for each name", words(&schema["additionalProperties"], definitions))
        }
        (Value::Null, None, Some("integer")) => range(schema),
        (Value::Null, None, Some("boolean")) => "`true` or `false`".to_owned(),
        (Value::Null, None, _) => schema::name_of_text(schema).to_owned(),
        (constant, ..) => format!("`{constant}`"),
    }
}

/// The table with this documentation, as a link to its section.
fn linked(doc: &Value) -> String {
    let keys = TABLES.iter().find(|keys| Some(keys.doc.trim()) == doc.as_str());
    let keys = keys.expect("every table of the schema is one of the file");
    let title = heading(keys.table);
    let shown =
        title.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric() && c != ' ' && c != '-', "");
    format!("[table](#{})", shown.replace(' ', "-"))
}

fn range(schema: &Value) -> String {
    match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(least), Some(most)) if least > i64::from(i32::MIN) => {
            format!("whole number, {least} to {most}")
        }
        _ => "whole number".to_owned(),
    }
}

/// Words with commas, and `last` before the last of them.
fn listed(all: &[String], last: &str) -> String {
    match all {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., end] => format!("{} {last} {end}", before.join(", ")),
    }
}
