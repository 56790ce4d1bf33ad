use std::time::Duration;

use super::*;
use crate::id::{LaneId, RoleName, TaskId};

const EVERYTHING: &str = r#"schema = 1
name = "checkout"
description = "Rework the checkout"
base = "main"
target = "release/1.x"
agent = "mine"
max_parallel = 4
handoff = "merged"
max_depth = 3

[defaults]
attempts = 3
timeout = "45m"
gate = "make test TASK=${task.id}"

[agents.mine]
command = ["./agent.sh", "{prompt_file}", "--model={model}", "{signals}", "{lane}", "{session}"]
prompt = "stdin"
resume = ["./agent.sh", "again", "{session}"]
claim = "exit"
install = "make agent"
probe = ["./agent.sh", "--version"]
env = { GRAPH = "${graph.name}", EMPTY = "" }
model = "small"

[[workstreams]]
id = "api"
description = "Server side"
base = "next"
target = "next"
merge = "auto"
gate = { run = ["make", "ci-${lane.id}"], timeout = "10m", attempts = 2, fresh = true }
teardown = "never"
task_prs = true
parallel = 2
copy = [".env", "packages/*/.env"]
ports = ["HTTP_PORT", "DB_PORT"]
sparse = ["services/api/", "libs"]
submodules = false
lfs = "skip"
setup = ["make ${lane.id}", { run = ["npm", "ci"], reads = ["package-lock.json"], makes = ["node_modules"], timeout = "5m" }]

[[workstreams]]
id = "web"
parent = "api"

[[tasks]]
id = "spec"
workstream = "api"
description = "Write the spec of ${graph.name}"
outputs = [{ category = "stubs", min = 2, max = 3 }, { category = "notes" }]
adr = "none"

[[tasks]]
id = "types"
workstream = "api"
description = "API types"
prompt = """
Write ${task.id} in ${lane.id}.
Leave $${HOME} and $PATH alone.
"""
agent = { use = "mine", model = "large", session = "continue", loop = { max_iterations = 5, tracker = "TRACKER.md" } }
needs = ["spec"]
writes = ["src/api/**", "tests/*.rs"]
gate = "cargo test -p api"
attempts = 1
timeout = "1h30m"
diff = "optional"
commit = "agent"
env = { RUST_LOG = "info", TASK = "${task.id}" }
priority = -3
retry = { on = ["transient"], backoff = "500ms", max = 5 }
role = "poet"
paths = { src = ["src/api/**", "src/lib.rs"], test = ["tests/api.rs"] }
inputs = [{ task = "spec", category = "stubs" }]
adr = { level = "detailed", folder = "decisions" }
review = { agent = "claude", model = "huge", prompt = "Look at ${task.id}.", timeout = "10m" }

[[tasks]]
id = "pages"
workstream = "web"
run = ["make", "pages", "LANE=${lane.id}"]
review = "mine"
needs = ["types"]
when = "${tasks.types.outcome} != 'skipped'"
retry = {}
"#;

#[test]
fn every_key_arrives_in_the_model() {
    let mut graph = accept(EVERYTHING);
    assert_eq!(graph.digest.len(), 64);
    graph.digest.clear();
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
        insta::assert_json_snapshot!("accepted_everything", graph);
    });
}

#[test]
fn ar05_a_graph_survives_its_own_json() {
    let graph = accept(EVERYTHING);
    let json = serde_json::to_string(&graph).expect("a graph is JSON");
    assert_eq!(serde_json::from_str::<Graph>(&json).expect("its own JSON is read"), graph);
}

#[test]
fn ar04_omitted_workstreams_give_one_default() {
    let graph = accept("name = \"x\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\n");
    let lane = LaneId::new("default").expect("an id");
    let lanes: Vec<&LaneId> = graph.workstreams.iter().map(|lane| &lane.id).collect();
    assert_eq!(lanes, [&lane]);
    assert_eq!(graph.tasks[0].workstream, lane);
}

#[test]
fn ar04_a_task_without_workstream_belongs_to_a_declared_default() {
    let graph = accept(
        "name = \"x\"\n[[workstreams]]\nid = \"default\"\n[[workstreams]]\nid = \"api\"\n\
         [[tasks]]\nid = \"a\"\nrun = \"true\"\n[[tasks]]\nid = \"b\"\nworkstream = \"api\"\nrun = \"true\"\n",
    );
    let lanes: Vec<&str> = graph.tasks.iter().map(|task| task.workstream.as_str()).collect();
    assert_eq!(lanes, ["default", "api"]);
}

#[test]
fn a_command_need_not_change_anything_and_an_agent_must() {
    let graph = accept(
        "name = \"x\"\nagent = \"claude\"\ntasks = [{ id = \"a\", run = \"true\" }, { id = \"b\", prompt = \"p\" }]",
    );
    assert_eq!(graph.tasks[0].diff, DiffPolicy::Optional);
    assert_eq!(graph.tasks[1].diff, DiffPolicy::Required);
}

#[test]
fn a_graph_carries_the_project_s_agents_that_it_uses_and_no_others() {
    let graph = accept("name = \"x\"\ntasks = [{ id = \"a\", prompt = \"p\", agent = \"claude\" }]");
    assert_eq!(graph.agents, BTreeMap::from([(name("claude"), known().agents[&name("claude")].clone())]));
}

#[test]
fn s26_an_agent_of_the_file_adds_to_the_one_it_is_like_field_by_field() {
    let base = AgentDef {
        command: vec!["claude".into(), "--model".into(), "{model}".into()],
        resume: Some(vec!["claude".into(), "{session}".into()]),
        prompt: PromptBy::Stdin,
        probe: Some(vec!["claude".into(), "--version".into()]),
        install: Some("get claude".into()),
        env: [("A".to_owned(), "base".to_owned()), ("B".to_owned(), "base".to_owned())].into(),
        exclude: vec!["/.claude".into()],
        ..AgentDef::default()
    };
    let known =
        ProjectDefaults { agents: [(name("claude"), base.clone())].into(), ..ProjectDefaults::default() };
    let text = "name = \"x\"\nagent = \"claude\"\ntasks = [{ id = \"a\", prompt = \"p\" }]\n\
        [agents.claude]\nmodel = \"small\"\nenv = { B = \"own\" }\n\
        [agents.fast]\nlike = \"claude\"\nclaim = \"exit\"\nprompt = \"arg\"\n\
        [agents.wrapped]\nlike = \"claude\"\ncommand = [\"./wrap\", \"{model}\"]\n\
        [agents.lean]\nlike = \"claude\"\ncommand = [\"claude\", \"--bare\", \"{model}\"]\n";
    let graph = parse(&source(text), &known).expect("accepted");
    let env = [("A".to_owned(), "base".to_owned()), ("B".to_owned(), "own".to_owned())].into();
    let with_model = AgentDef { model: Some("small".into()), env, ..base.clone() };
    assert_eq!(graph.agents[&name("claude")], with_model);
    let base = with_model.clone();
    let Verb::Agent { by, .. } = &graph.tasks[0].verb else { panic!("an agent works on it") };
    assert_eq!(by.model.as_deref(), Some("small"));
    let fast = AgentDef { claim: ClaimBy::Exit, prompt: PromptBy::Arg, ..with_model.clone() };
    assert_eq!(graph.agents[&name("fast")], fast);
    // What was said of the program that is no longer started holds no longer.
    let command = vec!["./wrap".into(), "{model}".into()];
    let wrapped = AgentDef { command, resume: None, probe: None, install: None, ..base.clone() };
    assert_eq!(graph.agents[&name("wrapped")], wrapped);
    let command = vec!["claude".into(), "--bare".into(), "{model}".into()];
    assert_eq!(graph.agents[&name("lean")], AgentDef { command, resume: None, ..base });
}

#[test]
fn an_agent_of_the_file_replaces_the_project_s() {
    let graph = accept(
        "name = \"x\"\ntasks = [{ id = \"a\", prompt = \"p\", agent = \"claude\" }]\n[agents.claude]\ncommand = [\"own\"]",
    );
    assert_eq!(graph.agents[&name("claude")].command, ["own"]);
}

#[test]
fn the_default_gate_is_filled_in_for_each_task() {
    let graph = accept(
        "name = \"x\"\ntasks = [{ id = \"a\", run = \"true\" }, { id = \"b\", run = \"true\" }]\n[defaults]\ngate = \"g ${task.id}\"",
    );
    let gates: Vec<String> = graph
        .tasks
        .iter()
        .filter_map(|task| task.gate.as_ref())
        .map(|gate| gate.command.to_string())
        .collect();
    assert_eq!(gates, ["g a", "g b"]);
    assert_eq!(graph.defaults.gate.expect("as written").command, Command::Shell("g ${task.id}".to_owned()));
}

#[test]
fn ar12_an_agent_task_plays_generic_and_a_role_beside_the_graph_takes_the_place_of_a_built_in_one() {
    let text = "name = \"x\"\nagent = \"claude\"\ntasks = [{ id = \"a\", run = \"true\" }, { id = \"b\", prompt = \"p\" }]";
    let graph = accept(text);
    let role = |task: usize| graph.tasks[task].contract.role.as_ref().map(RoleName::as_str);
    assert_eq!((role(0), role(1)), (None, Some("generic")));
    let generic = RoleName::new("generic").expect("an id");
    assert_eq!(graph.roles.keys().collect::<Vec<_>>(), [&generic]);
    assert_eq!(graph.roles[&generic].source, RoleSource::BuiltIn);

    let own = Role::new("Mine.\n".to_owned(), RoleSource::File("graphs/roles/generic.md".to_owned()));
    let known = ProjectDefaults { roles: [(generic.clone(), own.clone())].into(), ..known() };
    let graph = parse(&source(text), &known).expect("a good graph");
    assert_eq!(graph.roles[&generic], own);
}

#[test]
fn ar14_an_input_may_come_from_a_task_that_a_need_needs() {
    let graph = accept(
        "name = \"x\"\nagent = \"claude\"\n[[tasks]]\nid = \"a\"\nprompt = \"p\"\noutputs = [{ category = \"c\" }]\n\
         [[tasks]]\nid = \"b\"\nrun = \"true\"\nneeds = [\"a\"]\n\
         [[tasks]]\nid = \"d\"\nprompt = \"p\"\nneeds = [\"b\"]\ninputs = [{ task = \"a\", category = \"c\" }]\n",
    );
    assert_eq!(graph.tasks[2].contract.inputs[0].task.as_str(), "a");
    let wanted = &graph.tasks[0].contract.outputs[0];
    assert_eq!((wanted.min, wanted.max), (1, None));
}

#[test]
fn the_digest_is_that_of_the_text() {
    let text = "name = \"x\"\ntasks = [{ id = \"a\", run = \"true\" }]\n";
    assert_eq!(accept(text).digest, accept(text).digest);
    assert_ne!(accept(text).digest, accept(&format!("{text}#")).digest);
}

#[test]
fn a_byte_order_mark_is_not_part_of_the_text() {
    accept("\u{feff}name = \"x\"\ntasks = [{ id = \"a\", run = \"true\" }]\n");
}

#[test]
fn lanes_need_the_lanes_of_their_tasks_needs() {
    let lane = |text: &str| LaneId::new(text).expect("an id");
    let graph = accept(EVERYTHING);
    let needs = lane_needs(&graph);
    assert_eq!(needs, BTreeMap::from([(lane("api"), [].into()), (lane("web"), [lane("api")].into())]));
}

#[test]
fn commands_show_as_a_person_would_type_them() {
    let argv =
        |words: &[&str]| Command::Argv(words.iter().map(|word| (*word).to_owned()).collect()).to_string();
    assert_eq!(Command::Shell("make | tee log".to_owned()).to_string(), "make | tee log");
    assert_eq!(argv(&["make", "-j2", "A=b"]), "make -j2 A=b");
    assert_eq!(argv(&["echo", "it's", "", "$HOME"]), r"echo 'it'\''s' '' '$HOME'");
}

#[test]
fn millis_are_durations() {
    assert_eq!(Duration::from(Millis(1_500)), Duration::from_millis(1_500));
}

/// A chain of `count` tasks over ten workstreams, each with a scope, a gate and an environment.
fn chain(count: usize, last_needs: &str) -> String {
    let lanes = (0..10).map(|lane| format!("[[workstreams]]\nid = \"lane{lane}\"\n"));
    let tasks = (0..count).map(|task| {
        let lane = task * 10 / count;
        let need = if task == 0 { last_needs.to_owned() } else { format!("\"t{}\"", task - 1) };
        format!(
            "[[tasks]]\nid = \"t{task}\"\nworkstream = \"lane{lane}\"\nprompt = \"do ${{task.id}}\"\nneeds = [{need}]\n\
             writes = [\"src/m{task}/**\"]\ngate = \"make ${{lane.id}}\"\nenv = {{ N = \"{task}\" }}\n",
        )
    });
    std::iter::once("name = \"big\"\nagent = \"claude\"\n".to_owned()).chain(lanes).chain(tasks).collect()
}

#[test]
fn a_hundred_thousand_tasks_are_read() {
    let graph = accept(&chain(100_000, ""));
    assert_eq!(graph.tasks.len(), 100_000);
    assert_eq!(graph.tasks[99_999].needs, [TaskId::new("t99998").expect("an id")]);
    assert_eq!(lane_needs(&graph).values().map(std::collections::BTreeSet::len).sum::<usize>(), 9);
}

#[test]
fn a_cycle_of_fifty_thousand_tasks_is_named_in_short() {
    let text = chain(50_000, "\"t49999\"");
    let found: Vec<(Code, String)> = refuse(&text).iter().map(|d| (d.code, d.message.clone())).collect();
    let [(Code::TaskCycle, tasks), (Code::LaneCycle, lanes)] = &found[..] else { panic!("{found:?}") };
    assert!(tasks.ends_with("t49990 -> t49989 -> (49988 more) -> t0"), "{tasks}");
    assert!(lanes.contains("lane0 -> lane9 -> lane8"), "even without the need that closes it: {lanes}");
}

#[test]
fn fifty_thousand_wrong_needs_are_all_shown() {
    let text = chain(50_000, "").replace("needs = [\"t", "needs = [\"u");
    let source = source(&text);
    let diagnostics = refuse(&text);
    assert_eq!(diagnostics.len(), 49_999);
    assert_eq!(diagnostics.render(&source, false).matches("error[G015]").count(), 49_999);
}
