//! The JSON Schema of a graph file, made from the same tables as the reader.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use super::agent::{ClaimBy, SessionPolicy};
use super::contract::AdrLevel;
use super::file::{
    AdrFile, AgentChoice, AgentFile, DefaultsFile, GateFile, GraphFile, InputFile, Keys, LoopFile,
    OutputFile, Presence, RetryFile, ReviewFile, SchemaVersion, SetupFile, Short, TaskFile, WorkstreamFile,
};
use super::furnish::Lfs;
use super::model::{CommitPolicy, DiffPolicy, Handoff, MergePolicy, Millis, PromptBy, RetryOn, Teardown};
use super::read::{At, Free, Whole};
use super::values::{Argv, Branch, CommandText, EnvName, Folder, Named, Plain, PortName, Scope, WhenText};
use super::words::Words;
use crate::id::{AgentName, Category, GraphName, LaneId, MAX_ID_LEN, RoleName, TaskId};

/// Returns the JSON Schema (draft 2020-12) of a graph file, for editors and for programs that write graphs.
pub fn json_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = GraphFile::json_schema(&mut generator);
    let definitions = generator.take_definitions(true);
    schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
    schema.insert("title".to_owned(), "Laneway graph".into());
    schema.insert("$defs".to_owned(), Value::Object(definitions));
    schema.to_value()
}

fn table_schema(keys: &Keys, generator: &mut SchemaGenerator) -> Schema {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys.known.iter().filter(|key| key.presence != Presence::Refused) {
        let mut schema = (key.schema)(generator);
        schema.insert("description".to_owned(), key.doc.trim().into());
        properties.insert(key.name.to_owned(), schema.to_value());
        if key.presence == Presence::Required {
            required.push(key.name);
        }
    }
    json_schema!({
        "type": "object",
        "description": keys.doc.trim(),
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

macro_rules! table_schemas {
    ($($ty:ident $name:literal),*) => {
        $(
            impl JsonSchema for $ty {
                fn schema_name() -> Cow<'static, str> {
                    $name.into()
                }

                fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                    table_schema(&Self::KEYS, generator)
                }
            }
        )*
    };
}

table_schemas!(
    GraphFile "Graph", DefaultsFile "Defaults", AgentFile "Agent", WorkstreamFile "Workstream", TaskFile "Task",
    GateFile "Gate", AgentChoice "AgentChoice", RetryFile "Retry", LoopFile "Loop", AdrFile "Adr",
    InputFile "Input", OutputFile "Output", ReviewFile "Review", SetupFile "Setup"
);

macro_rules! inline_schemas {
    ($($ty:ty: $schema:expr;)*) => {
        $(
            impl JsonSchema for $ty {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($ty).into()
                }

                fn inline_schema() -> bool {
                    true
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    $schema
                }
            }
        )*
    };
}

inline_schemas! {
    SchemaVersion: json_schema!({ "const": 1 });
    GraphName: id_schema();
    LaneId: id_schema();
    TaskId: id_schema();
    AgentName: id_schema();
    RoleName: id_schema();
    Category: id_schema();
    AdrLevel: words_schema::<Self>();
    Branch: text_schema();
    Scope: text_schema();
    Plain: text_schema();
    Folder: text_schema();
    WhenText: text_schema();
    Free: json_schema!({ "type": "string" });
    EnvName: json_schema!({ "type": "string", "pattern": "^(?!LANEWAY_)[A-Za-z_][A-Za-z0-9_]*$" });
    PortName: json_schema!({
        "type": "string",
        "pattern": "^(?!(LANEWAY|DYLD|GIT|LC|LD|XDG)_|(BASH_ENV|ENV|HOME|IFS|LANG|LOGNAME|PATH|PWD|SHELL|TERM|TMPDIR|USER)$)[A-Za-z_][A-Za-z0-9_]*$",
    });
    Millis: duration_schema();
    Argv: argv_schema();
    CommandText: json_schema!({ "anyOf": [text_schema(), argv_schema()] });
    Handoff: words_schema::<Self>();
    Lfs: words_schema::<Self>();
    PromptBy: words_schema::<Self>();
    ClaimBy: words_schema::<Self>();
    SessionPolicy: words_schema::<Self>();
    MergePolicy: words_schema::<Self>();
    Teardown: words_schema::<Self>();
    DiffPolicy: words_schema::<Self>();
    CommitPolicy: words_schema::<Self>();
    RetryOn: words_schema::<Self>();
}

fn id_schema() -> Schema {
    json_schema!({ "type": "string", "pattern": format!("^[a-z0-9][a-z0-9_-]{{0,{}}}$", MAX_ID_LEN - 1) })
}

fn text_schema() -> Schema {
    json_schema!({ "type": "string", "pattern": r"\S" })
}

fn duration_schema() -> Schema {
    json_schema!({
        "type": "string",
        "pattern": r"^(?=.)\s*([0-9]+\s*h)?\s*([0-9]+\s*m)?\s*([0-9]+\s*s)?\s*([0-9]+\s*ms)?\s*$",
    })
}

/// What people call a text that has to be of this form.
pub(super) fn name_of_text(schema: &Value) -> &'static str {
    if *schema == id_schema().to_value() {
        "id"
    } else if *schema == duration_schema().to_value() {
        "duration"
    } else {
        "text"
    }
}

fn argv_schema() -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
}

fn words_schema<T: Words>() -> Schema {
    let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
    json_schema!({ "enum": words })
}

impl<const MIN: i32, const MAX: i32> JsonSchema for Whole<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        format!("Whole_{MIN}_{MAX}").into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

impl<T: JsonSchema> JsonSchema for Short<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Short_{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [text_schema(), generator.subschema_for::<T>()] })
    }
}

impl<K: JsonSchema, V: JsonSchema> JsonSchema for Named<K, V> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}_{}", K::schema_name(), V::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": generator.subschema_for::<K>(),
            "additionalProperties": generator.subschema_for::<V>(),
        })
    }
}
