//! `outputs.json`: what an attempt declares to have made, by category.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use serde_json::{Map, Value};

/// One declared output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputItem {
    /// A path in the lane, relative to its root.
    Path(String),
    /// A value for later tasks.
    Value(Value),
}

/// The declared outputs, by category.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outputs(pub BTreeMap<String, Vec<OutputItem>>);

/// Why a text is not a declaration of outputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputsError {
    /// Not JSON.
    #[error("not JSON at line {line}, column {column}")]
    Syntax {
        /// The 1-based line.
        line: usize,
        /// The 1-based column.
        column: usize,
    },
    /// Not an object of lists.
    #[error("it must look like {{\"category\": [\"path\", {{\"value\": ...}}]}}")]
    Shape,
    /// A category that is not a list.
    #[error("category {category:?} must hold a list")]
    NotAList {
        /// The category.
        category: String,
    },
    /// An entry that is neither a path nor a value.
    #[error(
        "entry {index} of {category:?} must be a path, {{\"path\": ...}} or {{\"value\": ...}}, and nothing else"
    )]
    Item {
        /// The category.
        category: String,
        /// The 0-based index.
        index: usize,
    },
    /// A path that leaves the lane.
    #[error("{path:?} of {category:?} must be a path inside the lane, relative to its root")]
    Outside {
        /// The category.
        category: String,
        /// The path.
        path: String,
    },
}

impl Outputs {
    /// Reads the text of `outputs.json`.
    pub fn parse(text: &str) -> Result<Self, OutputsError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| OutputsError::Syntax { line: e.line(), column: e.column() })?;
        let Value::Object(categories) = value else {
            return Err(OutputsError::Shape);
        };
        let mut all = BTreeMap::new();
        for (category, list) in categories {
            let Value::Array(list) = list else {
                return Err(OutputsError::NotAList { category });
            };
            let items = list.into_iter().enumerate().map(|(index, item)| item_of(&category, index, item));
            let items = items.collect::<Result<Vec<_>, _>>()?;
            all.insert(category, items);
        }
        Ok(Self(all))
    }

    /// Adds `item` to `category` unless it is there already.
    pub fn add(&mut self, category: &str, item: OutputItem) -> Result<(), OutputsError> {
        if let OutputItem::Path(path) = &item {
            check_path(category, path)?;
        }
        let items = self.0.entry(category.to_owned()).or_default();
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    }

    /// The text of `outputs.json`.
    pub fn render(&self) -> String {
        let categories: Map<String, Value> = self
            .0
            .iter()
            .map(|(category, items)| (category.clone(), items.iter().map(value_of).collect()))
            .collect();
        format!("{:#}\n", Value::Object(categories))
    }
}

fn value_of(item: &OutputItem) -> Value {
    match item {
        OutputItem::Path(path) => Value::String(path.clone()),
        OutputItem::Value(value) => serde_json::json!({ "value": value }),
    }
}

fn item_of(category: &str, index: usize, item: Value) -> Result<OutputItem, OutputsError> {
    let wrong = || OutputsError::Item { category: category.to_owned(), index };
    let path = match item {
        Value::String(path) => path,
        Value::Object(mut fields) if fields.len() == 1 => {
            if let Some(value) = fields.remove("value") {
                return Ok(OutputItem::Value(value));
            }
            match fields.remove("path") {
                Some(Value::String(path)) => path,
                _ => return Err(wrong()),
            }
        }
        _ => return Err(wrong()),
    };
    check_path(category, &path)?;
    Ok(OutputItem::Path(path))
}

fn check_path(category: &str, path: &str) -> Result<(), OutputsError> {
    let inside = Path::new(path).components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if path.is_empty() || path.contains('\0') || !inside {
        return Err(OutputsError::Outside { category: category.to_owned(), path: path.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ar27_outputs_survive_a_round_trip_and_are_not_doubled() {
        let mut outputs = Outputs::default();
        outputs.add("stubs", OutputItem::Path("src/a.rs".to_owned())).unwrap();
        outputs.add("stubs", OutputItem::Path("src/a.rs".to_owned())).unwrap();
        outputs.add("version", OutputItem::Value(serde_json::json!({"major": 1}))).unwrap();
        assert_eq!(outputs.0["stubs"].len(), 1);
        assert_eq!(Outputs::parse(&outputs.render()).unwrap(), outputs);
    }

    #[test]
    fn ar27_outputs_that_cannot_be_meant_are_named() {
        let cases = [
            ("{", "line 1"),
            ("[]", "must look like"),
            (r#"{"a": "x"}"#, "must hold a list"),
            (r#"{"a": [1]}"#, "entry 0"),
            (r#"{"a": [{"path": "x", "value": 1}]}"#, "entry 0"),
            (r#"{"a": ["../x"]}"#, "inside the lane"),
            (r#"{"a": ["/etc/passwd"]}"#, "inside the lane"),
            (r#"{"a": [""]}"#, "inside the lane"),
        ];
        for (text, part) in cases {
            let error = Outputs::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
