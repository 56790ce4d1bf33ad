use serde_json::Value;

use super::*;
use crate::graph::file::{Presence, TABLES};
use crate::graph::schema::json_schema;

fn table<'s>(schema: &'s Value, doc: &str) -> &'s Value {
    let mut tables =
        std::iter::once(schema).chain(schema["$defs"].as_object().into_iter().flat_map(|defs| defs.values()));
    tables.find(|table| table["description"] == doc.trim()).unwrap_or_else(|| panic!("no schema for {doc:?}"))
}

#[test]
fn ar01_the_schema_accepts_exactly_the_keys_that_the_reader_accepts() {
    let schema = json_schema();
    for keys in TABLES {
        let table = table(&schema, keys.doc);
        let mut names: Vec<&str> = keys.names().collect();
        names.sort_unstable();
        let mut properties: Vec<&str> =
            table["properties"].as_object().expect("an object").keys().map(String::as_str).collect();
        properties.sort_unstable();
        assert_eq!(properties, names, "{}", keys.table);
        assert_eq!(table["additionalProperties"], false, "{}", keys.table);
        let required: Vec<&str> =
            keys.known.iter().filter(|key| key.presence == Presence::Required).map(|key| key.name).collect();
        assert_eq!(table["required"], serde_json::json!(required), "{}", keys.table);
    }
}

#[test]
fn every_key_is_either_accepted_or_for_later() {
    for keys in TABLES {
        let both: Vec<&str> = keys.names().filter(|name| keys.later.contains(name)).collect();
        assert_eq!(both, Vec::<&str>::new(), "{}", keys.table);
    }
}

/// A file in which one table has one more line.
fn with_line(table: &str, line: &str) -> String {
    match table {
        "the graph" => format!("{line}\n"),
        "`[defaults]`" => format!("[defaults]\n{line}\n"),
        "`[agents.NAME]`" => format!("[agents.a]\n{line}\n"),
        "`[[workstreams]]`" => format!("[[workstreams]]\n{line}\n"),
        "`[[tasks]]`" => format!("[[tasks]]\n{line}\n"),
        "a gate" => format!("[defaults.gate]\n{line}\n"),
        "`loop`" => format!("[[tasks]]\n[tasks.agent.loop]\n{line}\n"),
        "`agent`" => format!("[[tasks]]\n[tasks.agent]\n{line}\n"),
        "an input" => format!("[[tasks]]\n[[tasks.inputs]]\n{line}\n"),
        "an output" => format!("[[tasks]]\n[[tasks.outputs]]\n{line}\n"),
        "`review`" => format!("[[tasks]]\n[tasks.review]\n{line}\n"),
        "`adr`" => format!("[[tasks]]\n[tasks.adr]\n{line}\n"),
        "a setup command" => format!("[[workstreams]]\n[[workstreams.setup]]\n{line}\n"),
        "`retry`" => format!("[[tasks]]\n[tasks.retry]\n{line}\n"),
        other => panic!("a table that this test does not know: {other}"),
    }
}

#[test]
fn every_accepted_key_is_read_and_no_date_fits_it() {
    for keys in TABLES {
        for key in keys.names() {
            let text = with_line(keys.table, &format!("{key} = 2026-01-01"));
            let wrong = format!("`{key}` takes ");
            let found =
                refuse(&text).iter().any(|d| d.code == Code::WrongType && d.message.starts_with(&wrong));
            assert!(found, "{key} of {} is accepted and not read", keys.table);
        }
    }
}

#[test]
fn every_key_for_later_is_refused_by_name() {
    for keys in TABLES {
        let refused = keys.known.iter().filter(|key| key.presence == Presence::Refused).map(|key| key.name);
        for key in keys.later.iter().copied().chain(refused) {
            let text = with_line(keys.table, &format!("{key} = 1"));
            let codes: Vec<Code> = refuse(&text)
                .iter()
                .filter(|d| d.message.contains(&format!("`{key}`")))
                .map(|d| d.code)
                .collect();
            assert!(codes.contains(&Code::NotSupported), "{key} of {}: {codes:?}", keys.table);
            assert!(!codes.contains(&Code::UnknownKey), "{key} of {}", keys.table);
        }
    }
}

#[test]
fn the_schema_is_what_editors_get() {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
        insta::assert_json_snapshot!("json_schema", json_schema());
    });
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the page is a file of the repository; LANEWAY_BLESS=1 writes it"
)]
fn the_page_of_keys_says_what_the_reader_reads() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/graph.md");
    if std::env::var_os("LANEWAY_BLESS").is_some() {
        std::fs::write(path, graph_page()).expect("docs/ is writable");
    }
    let page = std::fs::read_to_string(path).expect("the page is there; LANEWAY_BLESS=1 writes it");
    assert!(page == graph_page(), "docs/graph.md is out of date; LANEWAY_BLESS=1 writes it anew");
    for keys in TABLES {
        for key in keys.names() {
            assert!(page.contains(&format!("\n| `{key}` | ")), "{key} of {}", keys.table);
        }
    }
}
