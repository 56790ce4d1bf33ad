#![expect(clippy::disallowed_methods, reason = "tests read the documentation")]

use super::*;

fn manifest() -> TaskManifest {
    TaskManifest {
        protocol: PROTOCOL,
        graph: GraphName::new("shop").unwrap(),
        run: RunNo(1),
        lane: LaneId::new("api").unwrap(),
        task: TaskId::new("types").unwrap(),
        attempt: 2,
        description: "API types".to_owned(),
        base: Sha::new(&"a".repeat(40)).unwrap(),
        branch: "laneway/shop/api/integration".to_owned(),
        branches: Some(Branches {
            integration: "laneway/shop/api/integration".to_owned(),
            attempt: "laneway/shop/api/task/types/2".to_owned(),
            base: "main".to_owned(),
            target: "main".to_owned(),
        }),
        role: Some(RoleName::new("implementer").unwrap()),
        paths: [(Category::new("src").unwrap(), vec!["src/api/types.rs".to_owned()])].into(),
        inputs: vec![GivenInput {
            task: TaskId::new("spec").unwrap(),
            category: Category::new("stubs").unwrap(),
            paths: vec!["src/api/stubs.rs".to_owned()],
            values: vec![serde_json::json!({ "major": 2 })],
        }],
        outputs: vec![ExpectedOutput { category: Category::new("types").unwrap(), min: 1, max: Some(3) }],
        adr: Some(RecordAsked { level: "standard".to_owned(), folder: "docs/adr".to_owned() }),
        overview: Some("/repo/.laneway/shop/1/tasks/types/2/context/graph.md".into()),
        worktree: "/repo/.worktrees/shop/api".into(),
        signals: "/repo/.laneway/shop/1/tasks/types/2/signals".into(),
        writes: vec!["src/api/**".to_owned()],
        gate: Some("cargo test".to_owned()),
        needs: vec![Need { task: TaskId::new("spec").unwrap(), summary: None, artifacts: None }],
        earlier: vec![EarlierAttempt {
            attempt: 1,
            outcome: "failed".to_owned(),
            why: "the gate failed".to_owned(),
        }],
    }
}

/// The first block of the page fenced as `language`.
fn block(language: &str) -> Value {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signals.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    serde_json::from_str(text).unwrap()
}

#[test]
fn ar27_a_manifest_survives_its_file() {
    let text = manifest().render().unwrap();
    assert_eq!(serde_json::from_str::<TaskManifest>(&text).unwrap(), manifest());
}

#[test]
fn ar27_the_schema_has_every_field_of_a_manifest() {
    let schema = manifest_schema();
    let value = serde_json::to_value(manifest()).unwrap();
    let written: Vec<_> = value.as_object().unwrap().keys().collect();
    let described: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(written.len(), described.len());
    assert!(written.iter().all(|key| described.contains(key)));
}

#[test]
fn ar27_the_page_shows_the_schema_and_a_manifest_that_is_one() {
    let shown = block("json schema");
    assert_eq!(shown, manifest_schema(), "put this into docs/signals.md:\n{:#}", manifest_schema());
    let example: TaskManifest = serde_json::from_value(block("json task")).unwrap();
    assert_eq!(example.protocol, PROTOCOL);
}
