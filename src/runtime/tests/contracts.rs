//! What tasks are given and what they must deliver.

use serde_json::{Value, json};

use super::*;
use crate::event::{LaneStatus, RunStatus, TaskStatus};

impl Bench {
    /// A file of an attempt on the noticeboard.
    fn shown(&self, task: &str, attempt: u32, file: &str) -> String {
        let id = crate::id::TaskId::new(task).unwrap();
        let dir = self.project.board(&self.plan.graph, RunNo(1)).attempt_dir(&id, attempt);
        std::fs::read_to_string(dir.join(file)).unwrap()
    }

    fn manifest(&self, task: &str, attempt: u32) -> Value {
        serde_json::from_str(&self.shown(task, attempt, "task.json")).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar14_outputs_that_are_not_declared_or_not_there_fail_their_task_and_not_the_graph() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "silent"
workstream = "a"
attempts = 3
outputs = [{ category = "stubs", min = 2, max = 2 }]
prompt = '''
RUN: echo "$LANEWAY_ATTEMPT" > x; echo made > made; mkdir -p target; echo '*.o' > .gitignore; echo o > target/x.o
RUN: if [ "$LANEWAY_ATTEMPT" = 2 ]; then echo '{"stubs": ["made", "target/x.o"]}' > "$LANEWAY_SIGNALS/outputs.json"; fi
RUN: if [ "$LANEWAY_ATTEMPT" = 3 ]; then echo '{"stubs": ["made", "x", "file"]}' > "$LANEWAY_SIGNALS/outputs.json"; fi
RUN: echo yes > "$LANEWAY_SIGNALS/done"
'''
[[tasks]]
id = "other"
workstream = "b"
prompt = "RUN: echo x > y; echo yes > $LANEWAY_SIGNALS/done"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Failed, "{}", bench.told());
    assert_eq!(state.lanes[1].status, LaneStatus::PrCreated);
    let why = |attempt: usize| state.tasks[0].attempts[attempt].reason.clone().unwrap();
    let first =
        "it declared 0 of the 2 outputs of category `stubs`; `laneway signal output stubs PATH` declares one";
    assert_eq!(why(0), first);
    assert_eq!(why(1), "it declared as `stubs` what its commit does not have: target/x.o");
    assert_eq!(why(2), "it declared 3 outputs of category `stubs`, and 2 are the most");
    let told = bench.shown("silent", 2, "instructions.md");
    assert!(told.contains(first) && told.contains("- stubs: exactly 2"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar14_declared_outputs_reach_the_tasks_after_through_others_and_across_lanes() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "make"
workstream = "a"
outputs = [{ category = "stubs" }, { category = "version", max = 1 }, { category = "none", min = 0 }]
prompt = '''
RUN: mkdir src; echo 1 > src/one; echo 2 > src/two
RUN: echo '{"stubs": ["./src//one", {"path": "src/two"}], "version": [{"value": {"major": 2}}], "other": ["gone"]}' > "$LANEWAY_SIGNALS/outputs.json"
RUN: echo yes > "$LANEWAY_SIGNALS/done"
'''
[[tasks]]
id = "middle"
workstream = "a"
needs = ["make"]
diff = "none"
run = "true"
[[tasks]]
id = "take"
workstream = "b"
needs = ["middle"]
inputs = [{ task = "make", category = "stubs" }, { task = "make", category = "version" }, { task = "make", category = "none" }]
prompt = "RUN: cat src/one src/two > sum; echo yes > $LANEWAY_SIGNALS/done"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(
        bench.manifest("take", 1)["inputs"],
        json!([
            { "task": "make", "category": "stubs", "paths": ["src/one", "src/two"], "values": [] },
            { "task": "make", "category": "version", "paths": [], "values": [{ "major": 2 }] },
            { "task": "make", "category": "none", "paths": [], "values": [] },
        ])
    );
    let told = bench.shown("take", 1, "instructions.md");
    assert!(told.contains("- stubs of task `make`: `src/one`, `src/two`"), "{told}");
    assert!(told.contains("{\"major\":2}") && told.contains("- none of task `make`: none"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar14_a_command_that_changes_nothing_can_declare_what_is_there() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "find"
run = "echo '{\"found\": [\"file\"]}' > \"$LANEWAY_SIGNALS/outputs.json\""
diff = "none"
outputs = [{ category = "found" }]
[[tasks]]
id = "lie"
run = "echo '{\"found\": [\"nothing\"]}' > \"$LANEWAY_SIGNALS/outputs.json\""
diff = "none"
attempts = 1
outputs = [{ category = "found" }]
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Completed, "{}", bench.told());
    assert_eq!(state.tasks[1].status, TaskStatus::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn ar31_a_task_without_its_decision_record_is_asked_again_and_may_write_it_beside_its_scope() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "decide"
writes = ["src/**"]
adr = { level = "detailed", folder = "decisions" }
prompt = '''
RUN: mkdir -p src; echo x > src/x
RUN: if [ "$LANEWAY_ATTEMPT" = 2 ]; then mkdir decisions; echo because > decisions/0001-x.md; fi
RUN: echo yes > "$LANEWAY_SIGNALS/done"
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    let first = &state.tasks[0].attempts[0];
    let why = "it was to write a decision record into decisions/, and its change has none";
    assert_eq!(first.reason.as_deref(), Some(why));
    assert_eq!(state.tasks[0].attempts.len(), 2);
    let told = bench.shown("decide", 2, "instructions.md");
    assert!(told.contains(why) && told.contains("the alternatives that you weighed"), "{told}");
    assert!(told.contains("match `src/**`, `decisions/**`"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar13_the_manifest_says_all_that_the_task_is_about_and_a_page_shows_the_whole_graph() {
    let text = graph(
        r#"
[[workstreams]]
id = "api"
description = "Server side"
[[workstreams]]
id = "web"
[[tasks]]
id = "graph"
workstream = "api"
description = "A task with the name of the page"
prompt = "RUN: echo x > a; echo mine > $LANEWAY_SIGNALS/summary.md; echo yes > $LANEWAY_SIGNALS/done"
[[tasks]]
id = "two"
workstream = "web"
needs = ["graph"]
role = "implementer"
paths = { src = ["a", "src/**"] }
outputs = [{ category = "b", min = 0, max = 3 }]
adr = "standard"
prompt = "RUN: mkdir -p docs/adr; echo x > docs/adr/1.md; echo yes > $LANEWAY_SIGNALS/done"
[[tasks]]
id = "three"
workstream = "web"
description = "Later"
needs = ["two"]
diff = "none"
run = "true"
"#,
    );
    let described = "schema = 1\ndescription = \"Rework the checkout\"";
    let bench = Bench::new(&text.replacen("schema = 1", described, 1));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let manifest = bench.manifest("two", 1);
    assert_eq!(manifest["role"], "implementer");
    assert_eq!(manifest["paths"], json!({ "src": ["a", "src/**"] }));
    assert_eq!(manifest["outputs"], json!([{ "category": "b", "min": 0, "max": 3 }]));
    assert_eq!(manifest["adr"], json!({ "level": "standard", "folder": "docs/adr" }));
    assert_eq!(
        manifest["branches"],
        json!({
            "integration": "laneway/g/web/integration", "attempt": "laneway/g/web/task/two/1",
            "base": "main", "target": "main",
        })
    );
    let read = |path: &Value| std::fs::read_to_string(path.as_str().unwrap()).unwrap();
    assert_eq!(read(&manifest["needs"][0]["summary"]), "mine\n");
    // Whether the pull request of the lane before is open by now is nobody's promise.
    let overview = read(&manifest["overview"]).replace("merge_ready", "pr_created");
    insta::assert_snapshot!("overview", overview);
    assert_eq!(read(&manifest["overview"]), bench.shown("two", 1, "context/graph.md"));
    let described = crate::signal::manifest_schema();
    let described = described["properties"].as_object().unwrap();
    assert!(manifest.as_object().unwrap().keys().all(|key| described.contains_key(key)), "{manifest:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar12_an_agent_without_a_role_plays_the_generic_one_as_it_was_when_the_run_was_planned() {
    let bench = Bench::new(&graph(
        "[[tasks]]\nid = \"one\"\nprompt = \"RUN: echo x > a; echo yes > $LANEWAY_SIGNALS/done\"\n",
    ));
    bench.drive().await;
    let generic = crate::id::RoleName::new("generic").unwrap();
    let role = &bench.plan.roles[&generic];
    assert_eq!(role.digest, crate::signal::digest(role.text.as_bytes()));
    let told = bench.shown("one", 1, "instructions.md");
    assert!(told.contains(&format!("## Your role: generic\n\n{}", role.text.trim())), "{told}");
}
