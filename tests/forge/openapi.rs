//! Whether our GitHub and our client speak as GitHub's own description says. The description is not part of the project:
//! `LANEWAY_OPENAPI` names the directory of the npm package `@octokit/openapi`, or its file `api.github.com.json`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use laneway::forge::{NewComment, NewReview, PrFilter, PrUpdate, Tried, Verdict, Watch};
use serde_json::{Map, Value, json};

use super::bench::{Bench, HEAD, at, closed};

fn description() -> Option<Value> {
    let given = PathBuf::from(std::env::var_os("LANEWAY_OPENAPI")?);
    let file = if given.is_dir() { given.join("generated/api.github.com.json") } else { given };
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    Some(serde_json::from_str(&text).expect("it is JSON"))
}

/// `nullable` is a word of `OpenAPI` 3.0 that JSON Schema does not know.
fn as_json_schema(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => {
            let mut out: Map<String, Value> = map
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "example" | "examples" | "nullable"))
                .map(|(key, value)| (key.clone(), as_json_schema(value)))
                .collect();
            // As the name of a property `example` and the like stay.
            if let Some(Value::Object(properties)) = map.get("properties") {
                let properties = properties.iter().map(|(key, value)| (key.clone(), as_json_schema(value)));
                out.insert("properties".to_owned(), properties.collect());
            }
            let inner = Value::Object(out);
            if map.get("nullable") == Some(&Value::Bool(true)) {
                json!({ "anyOf": [inner, { "type": "null" }] })
            } else {
                inner
            }
        }
        Value::Array(list) => list.iter().map(as_json_schema).collect(),
        other => other.clone(),
    }
}

/// `schema` with every component that it reaches.
fn whole(description: &Value, schema: &Value) -> Value {
    let mut components = Map::new();
    let mut look = vec![schema.clone()];
    while let Some(part) = look.pop() {
        match &part {
            Value::Object(map) => {
                if let Some(name) = map.get("$ref").and_then(Value::as_str)
                    && let Some(name) = name.strip_prefix("#/components/schemas/")
                    && !components.contains_key(name)
                {
                    let found = description["components"]["schemas"][name].clone();
                    components.insert(name.to_owned(), as_json_schema(&found));
                    look.push(found);
                }
                look.extend(map.values().cloned());
            }
            Value::Array(list) => look.extend(list.iter().cloned()),
            _ => {}
        }
    }
    json!({ "allOf": [as_json_schema(schema)], "components": { "schemas": components } })
}

#[track_caller]
fn expect_valid(description: &Value, schema: &Value, instance: &Value, what: &str) {
    let schema = whole(description, schema);
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator
        .iter_errors(instance)
        .take(5)
        .map(|error| format!("{}: {error}", error.instance_path()).chars().take(400).collect())
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

/// The description of a path and the template that fits it.
fn operation<'a>(description: &'a Value, method: &str, path: &str) -> Option<(&'a str, &'a Value)> {
    let path = path.split('?').next().unwrap_or(path);
    let asked: Vec<&str> = path.split('/').collect();
    let paths = description["paths"].as_object()?;
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len()
            && parts.iter().zip(&asked).all(|(part, word)| part.starts_with('{') || part == word)
    };
    let mut found: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    let (template, item) = found.first()?;
    let operation = item.get(method.to_ascii_lowercase())?;
    Some((template.as_str(), operation))
}

fn everything(bench: &Bench) {
    let pull = bench.open("u1");
    bench.set("next", bench.tip("main").as_str());
    let update = PrUpdate {
        title: Some("Better".to_owned()),
        base: Some("next".to_owned()),
        labels: Some(vec!["laneway".to_owned()]),
        reviewers: Some(vec!["eve".to_owned()]),
        ..PrUpdate::default()
    };
    bench.run(bench.forge.update(1, update, &at(1))).expect("it is changed");
    let none = PrUpdate { reviewers: Some(Vec::new()), ..PrUpdate::default() };
    bench.run(bench.forge.update(1, none, &at(1))).expect("it is changed");
    let comment = |path: Option<&str>| NewComment {
        author: "a".to_owned(),
        body: "why?".to_owned(),
        at: at(1),
        path: path.map(str::to_owned),
        line: path.map(|_| 1),
        key: None,
    };
    bench.run(bench.forge.add_comment(1, comment(None), Tried::Perhaps)).expect("a comment");
    let review = NewReview {
        author: "a".to_owned(),
        verdict: Verdict::Approve,
        body: "fine".to_owned(),
        sha: pull.head_sha.clone(),
        at: at(1),
        key: None,
    };
    bench.run(bench.forge.add_review(1, review)).expect("a review");
    bench.fake.check(1, "build", Some("success"));
    bench.fake.check(1, "lint", None);
    bench.run(bench.on_github().news(&mut Watch::default(), &[1])).expect("news");
    bench.run(bench.forge.close(1, closed())).expect("it is closed");
    bench.run(bench.forge.reopen(1, &at(1))).expect("it is opened");
    bench.run(bench.forge.list(&PrFilter::default())).expect("a list");
    bench.run(bench.forge.reviews(1)).expect("reviews");
    bench.run(bench.forge.comments(1)).expect("comments");
    _ = bench.run(bench.forge.get(9));
    let empty =
        laneway::forge::NewPr { base: "gone".to_owned(), head: HEAD.to_owned(), ..bench.new_pr("u2") };
    _ = bench.run(bench.forge.create(empty, Tried::Perhaps));
    bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never)).expect("it merges");
    _ = bench.run(bench.on_github().merge(1, &pull.head_sha, "m", Tried::Never));
}

#[test]
fn s20_requests_and_answers_are_those_of_githubs_description() {
    let Some(description) = description() else {
        println!("skipped: LANEWAY_OPENAPI does not name the npm package @octokit/openapi");
        return;
    };
    let bench = Bench::github();
    everything(&bench);
    let mut seen = BTreeSet::new();
    for one in bench.fake.log() {
        if one.path == "/graphql" {
            continue;
        }
        let what = format!("{} {} -> {}", one.method, one.path, one.status);
        let (template, operation) = operation(&description, &one.method, &one.path)
            .unwrap_or_else(|| panic!("{what}: not described"));
        if !one.sent.is_null() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert!(schema.is_object(), "{what}: takes no body");
            expect_valid(&description, schema, &one.sent, &format!("the request of {what}"));
        }
        let answer = &operation["responses"][one.status.to_string()];
        let answer = match answer["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            Some(name) => &description["components"]["responses"][name],
            None => answer,
        };
        let schema = &answer["content"]["application/json"]["schema"];
        if schema.is_object() {
            expect_valid(&description, schema, &one.answered, &format!("the answer of {what}"));
            seen.insert(format!("{} {template} {}", one.method, one.status));
        }
    }
    assert!(seen.len() >= 15, "only {seen:#?} were looked at");
}
