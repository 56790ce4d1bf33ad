use std::collections::BTreeSet;

use super::*;

/// A file, and the codes that it must be refused with: no others, in this order.
struct Case {
    name: &'static str,
    text: &'static str,
    codes: &'static [Code],
}

const fn case(name: &'static str, text: &'static str, codes: &'static [Code]) -> Case {
    Case { name, text, codes }
}

/// Everything that a file can be refused for. Each is kept as a snapshot of what a person sees.
const CASES: &[Case] = &[
    case("empty_file", "", &[Code::MissingKey, Code::MissingKey]),
    case("comment_only", "# nothing\n", &[Code::MissingKey, Code::MissingKey]),
    case(
        "syntax",
        r#"colour = 1
name = "x
agent = claude
max_parallel =
[[tasks]]
id = "a"
prompt = "p"
colour = 2
[[tasks]
id = "b"
colour = 3
"#,
        &[Code::UnknownKey, Code::Syntax, Code::Syntax, Code::Syntax, Code::UnknownKey, Code::Syntax],
    ),
    case("key_twice", "name = \"x\"\nname = \"y\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\n", &[Code::Syntax]),
    case(
        "unknown_keys",
        r#"nmae = "x"
name = "x"
gate = "make"
[defaults]
attempt = 2
[[workstreams]]
id = "api"
prompt = "p"
zzz = 1
[[tasks]]
id = "a"
workstream = "api"
depends_on = ["b"]
run = "true"
"#,
        &[
            Code::UnknownKey,
            Code::UnknownKey,
            Code::UnknownKey,
            Code::UnknownKey,
            Code::UnknownKey,
            Code::UnknownKey,
        ],
    ),
    case(
        "p12_p13_bad_furnishings",
        r#"name = "x"
[[workstreams]]
id = "api"
copy = ["/etc/passwd", "../x", "a/"]
sparse = ["../other", "a/*", "."]
lfs = "maybe"
submodules = "yes"
ports = ["HTTP", "LANEWAY_PORT", "HTTP", "PATH", "GIT_DIR"]
setup = ["", { reads = ["a"] }, { run = "make", makes = ["out/*", ".git/hooks"] }, { run = "make", makes = ["out"] }]
[[tasks]]
id = "a"
workstream = "api"
run = "true"
"#,
        &[
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::UnknownValue,
            Code::WrongType,
            Code::BadEnvName,
            Code::Duplicate,
            Code::BadEnvName,
            Code::BadEnvName,
            Code::Blank,
            Code::MissingKey,
            Code::BadPath,
            Code::BadPath,
            Code::MissingKey,
        ],
    ),
    case(
        "not_supported",
        r#"name = "x"
agent = "person"
[policy]
require_human_approval = true
[[workstreams]]
id = "api"
merge = "queue"
profile = "build"
[[workstreams]]
id = "web"
[[tasks]]
id = "a"
workstream = "api"
prompt = "Use ${input.version}"
agent = "claude"
foreach = ["x"]
[[tasks]]
id = "b"
workstream = "web"
run = { template = "publish" }
[tasks.artifacts]
capture = ["*.log"]
"#,
        &[
            Code::NotSupported,
            Code::NotSupported,
            Code::NotSupported,
            Code::NotSupported,
            Code::NotSupported,
            Code::NotSupported,
            Code::NotSupported,
            Code::NotSupported,
        ],
    ),
    case(
        "wrong_types",
        r#"name = 1
max_parallel = "4"
schema = "1"
defaults = []
[[workstreams]]
id = "default"
parallel = 2.0
[[tasks]]
id = "a"
run = true
needs = "b"
gate = ["make", "test"]
timeout = 90
env = ["A=1"]
writes = [1]
[[tasks]]
id = ["b"]
prompt = 2026-01-01
"#,
        &[
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::WrongType,
            Code::NoAgent,
            Code::WrongType,
            Code::WrongType,
        ],
    ),
    case("tasks_is_a_table", "name = \"x\"\n[tasks]\nid = \"a\"\n", &[Code::WrongType]),
    case(
        "blank",
        r#"name = "x"
description = ""
agent = "claude"
tasks = [
  { id = "a", prompt = " \t " },
  { id = "b", run = "" },
  { id = "c", run = [] },
  { id = "d", run = ["", "x"] },
  { id = "e", run = "true", gate = "  " },
  { id = "f", prompt = "p", writes = [""] },
]
"#,
        &[Code::Blank, Code::Blank, Code::Blank, Code::Blank, Code::Blank, Code::Blank, Code::Blank],
    ),
    case(
        "ar12_unknown_roles",
        r#"name = "x"
agent = "claude"
[[tasks]]
id = "a"
prompt = "p"
role = "implementor"
[[tasks]]
id = "b"
prompt = "p"
role = "zzz"
[[tasks]]
id = "c"
run = "true"
role = "poet"
paths = { src = ["a"] }
adr = "standard"
"#,
        &[Code::UnknownRole, Code::UnknownRole, Code::TwoVerbs, Code::TwoVerbs, Code::TwoVerbs],
    ),
    case(
        "ar14_inputs_from_nowhere",
        r#"name = "x"
agent = "claude"
[[tasks]]
id = "spec"
prompt = "p"
outputs = [{ category = "stubs" }]
[[tasks]]
id = "other"
prompt = "p"
[[tasks]]
id = "a"
prompt = "p"
needs = ["spec", "other"]
inputs = [
  { task = "spce", category = "stubs" },
  { task = "spec", category = "stub" },
  { task = "other", category = "stubs" },
  { task = "later", category = "stubs" },
  { task = "a", category = "stubs" },
]
[[tasks]]
id = "later"
prompt = "p"
needs = ["a"]
outputs = [{ category = "stubs" }]
"#,
        &[
            Code::InputFromNowhere,
            Code::InputFromNowhere,
            Code::InputFromNowhere,
            Code::InputFromNowhere,
            Code::InputFromNowhere,
        ],
    ),
    case(
        "ar16_bad_reviews",
        r#"name = "x"
agent = "claude"
[[tasks]]
id = "a"
prompt = "p"
review = "claud"
[[tasks]]
id = "b"
prompt = "p"
review = { agent = "plain", model = "large", prompt = "${nothing}" }
[[tasks]]
id = "c"
prompt = "p"
review = { prompt = "p" }
[[tasks]]
id = "d"
run = "true"
diff = "none"
review = "claude"
"#,
        &[
            Code::UnknownAgent,
            Code::UnusedModel,
            Code::UnknownSubstitution,
            Code::MissingKey,
            Code::Contradiction,
        ],
    ),
    case(
        "bad_conditions",
        r#"name = "x"
[[tasks]]
id = "spec"
run = "true"
[[tasks]]
id = "far"
run = "true"
[[tasks]]
id = "a"
run = "true"
needs = ["spec"]
when = "${tasks.spec.outcome} == 'merge'"
[[tasks]]
id = "b"
run = "true"
needs = ["spec"]
when = """
${tasks.spec.outcome} == 'merged' && ${tasks.far.outcome} == 'merged'
  || ${tasks.spce.outcome} == 'merged' || ${tasks.spec.outputs.stubs} == 0
"""
[[tasks]]
id = "c"
run = "true"
needs = ["spec"]
when = "${tasks.spec.outcome} == \"\u006derged"
[[tasks]]
id = "d"
run = "true"
when = 3
"#,
        &[
            Code::BadCondition,
            Code::BadCondition,
            Code::BadCondition,
            Code::InputFromNowhere,
            Code::BadCondition,
            Code::WrongType,
        ],
    ),
    case(
        "ar14_bad_contracts",
        r#"name = "x"
agent = "claude"
[[tasks]]
id = "a"
prompt = "p"
paths = { "Bad Name" = ["x"], src = ["/etc"] }
outputs = [{ category = "c", min = 3, max = 2 }, { category = "c" }, { min = -1 }]
adr = "long"
[[tasks]]
id = "b"
prompt = "p"
diff = "none"
adr = "standard"
"#,
        &[
            Code::BadId,
            Code::BadPath,
            Code::Contradiction,
            Code::Duplicate,
            Code::MissingKey,
            Code::OutOfRange,
            Code::UnknownValue,
            Code::Contradiction,
        ],
    ),
    case("no_tasks", "name = \"x\"\ntasks = []\n", &[Code::Blank]),
    case(
        "missing_keys",
        r#"agent = "mine"
[agents.mine]
prompt = "file"
[[workstreams]]
description = "no id"
[[tasks]]
prompt = "p"
gate = { timeout = "1m" }
agent = { model = "m" }
"#,
        &[
            Code::MissingKey,
            Code::MissingKey,
            Code::MissingKey,
            Code::MissingKey,
            Code::MissingKey,
            Code::MissingKey,
        ],
    ),
    case(
        "nul_character",
        "name = \"x\"\n[[tasks]]\nid = \"a\"\nrun = [\"echo\", \"a\\u0000b\"]\nenv = { A = \"\\u0000\" }\n",
        &[Code::Nul, Code::Nul],
    ),
    case(
        "schema_version",
        "schema = 2\nname = \"x\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\n",
        &[Code::UnsupportedSchema],
    ),
    case(
        "unknown_values",
        r#"name = "x"
handoff = "redy"
[[workstreams]]
id = "default"
merge = "automatic"
teardown = "on-success"
[[tasks]]
id = "a"
run = "true"
diff = "maybe"
commit = "AUTO"
retry = { on = ["always"] }
"#,
        &[
            Code::UnknownValue,
            Code::UnknownValue,
            Code::UnknownValue,
            Code::UnknownValue,
            Code::UnknownValue,
            Code::UnknownValue,
        ],
    ),
    case(
        "out_of_range",
        r#"name = "x"
max_parallel = 1025
max_depth = 0
[defaults]
timeout = "0s"
[[workstreams]]
id = "default"
parallel = 65
[[tasks]]
id = "a"
run = "true"
attempts = 21
priority = 99999999999999999999
timeout = "100000h"
gate = { run = "true", attempts = 0 }
retry = { max = -1 }
"#,
        &[
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
            Code::OutOfRange,
        ],
    ),
    case(
        "bad_durations",
        r#"name = "x"
[[tasks]]
id = "a"
run = "true"
timeout = "90"
gate = { run = "true", timeout = "2 days" }
retry = { backoff = "30m1h" }
"#,
        &[Code::BadDuration, Code::BadDuration, Code::BadDuration],
    ),
    case(
        "ar02_bad_ids",
        r#"name = "../../x"
[agents."My Agent"]
command = ["a"]
[[workstreams]]
id = "con"
[[tasks]]
id = "Fix Bug"
workstream = "a.lock"
run = "true"
[[tasks]]
id = "///"
run = "true"
"#,
        &[Code::BadId, Code::BadId, Code::BadId, Code::BadId, Code::BadId, Code::BadId],
    ),
    case(
        "duplicates",
        r#"name = "x"
[[workstreams]]
id = "api"
[[tasks]]
id = "a"
workstream = "api"
run = "true"
[[tasks]]
id = "b"
workstream = "api"
run = "true"
needs = ["a", "a"]
[[workstreams]]
id = "api"
[[tasks]]
id = "a"
workstream = "api"
run = "true"
"#,
        &[Code::Duplicate, Code::Duplicate, Code::Duplicate],
    ),
    case(
        "unknown_workstream",
        r#"name = "x"
[[workstreams]]
id = "api"
[[tasks]]
id = "a"
workstream = "apj"
run = "true"
[[tasks]]
id = "b"
run = "true"
"#,
        &[Code::UnknownWorkstream, Code::UnknownWorkstream],
    ),
    case(
        "unknown_workstream_without_any",
        "name = \"x\"\n[[tasks]]\nid = \"a\"\nworkstream = \"web\"\nrun = \"true\"\n",
        &[Code::UnknownWorkstream],
    ),
    case(
        "unknown_needs",
        r#"name = "x"
[[workstreams]]
id = "backend"
[[tasks]]
id = "spec"
workstream = "backend"
run = "true"
[[tasks]]
id = "b"
workstream = "backend"
run = "true"
needs = ["spce", "backend", "nothing-like-it"]
"#,
        &[Code::UnknownNeed, Code::UnknownNeed, Code::UnknownNeed],
    ),
    case(
        "task_cycles",
        r#"name = "x"
[[tasks]]
id = "a"
needs = ["b"]
run = "true"
[[tasks]]
id = "b"
needs = ["a", "c"]
run = "true"
[[tasks]]
id = "c"
needs = ["d"]
run = "true"
[[tasks]]
id = "d"
needs = ["b"]
run = "true"
[[tasks]]
id = "e"
needs = ["e", "a"]
run = "true"
"#,
        &[Code::TaskCycle, Code::TaskCycle, Code::TaskCycle],
    ),
    case(
        "task_cycle_across_lanes_is_told_once",
        r#"name = "x"
[[workstreams]]
id = "one"
[[workstreams]]
id = "two"
[[tasks]]
id = "a"
workstream = "one"
needs = ["b"]
run = "true"
[[tasks]]
id = "b"
workstream = "two"
needs = ["a"]
run = "true"
"#,
        &[Code::TaskCycle],
    ),
    case(
        "lane_cycle",
        r#"name = "x"
[[workstreams]]
id = "one"
[[workstreams]]
id = "two"
[[tasks]]
id = "a"
workstream = "one"
run = "true"
[[tasks]]
id = "b"
workstream = "two"
needs = ["a"]
run = "true"
[[tasks]]
id = "c"
workstream = "one"
needs = ["b"]
run = "true"
"#,
        &[Code::LaneCycle],
    ),
    case(
        "empty_workstream",
        r#"name = "x"
[[workstreams]]
id = "default"
[[workstreams]]
id = "docs"
[[tasks]]
id = "a"
run = "true"
"#,
        &[Code::EmptyWorkstream],
    ),
    case(
        "parents",
        r#"name = "x"
max_depth = 2
[[workstreams]]
id = "default"
parent = "cor"
[[workstreams]]
id = "core"
[[workstreams]]
id = "mid"
parent = "core"
[[workstreams]]
id = "low"
parent = "mid"
[[workstreams]]
id = "lowest"
parent = "low"
[[tasks]]
id = "a"
run = "true"
[[tasks]]
id = "b"
workstream = "core"
run = "true"
[[tasks]]
id = "c"
workstream = "mid"
run = "true"
[[tasks]]
id = "d"
workstream = "low"
run = "true"
[[tasks]]
id = "e"
workstream = "lowest"
run = "true"
"#,
        &[Code::UnknownParent, Code::TooDeep],
    ),
    case(
        "parent_cycles",
        r#"name = "x"
[[workstreams]]
id = "default"
parent = "default"
[[workstreams]]
id = "one"
parent = "two"
[[workstreams]]
id = "two"
parent = "one"
[[tasks]]
id = "a"
run = "true"
[[tasks]]
id = "b"
workstream = "one"
run = "true"
[[tasks]]
id = "c"
workstream = "two"
run = "true"
"#,
        &[Code::ParentCycle, Code::ParentCycle],
    ),
    case(
        "nested_bases",
        r#"name = "x"
[[workstreams]]
id = "core"
[[workstreams]]
id = "inner"
parent = "core"
base = "main"
target = "next"
[[tasks]]
id = "a"
workstream = "inner"
run = "true"
"#,
        &[Code::NestedBase, Code::NestedBase],
    ),
    case(
        "ar03_nothing_to_do",
        "name = \"x\"\nagent = \"claude\"\n[[tasks]]\nid = \"a\"\n[[tasks]]\n",
        &[Code::NothingToDo, Code::MissingKey, Code::NothingToDo],
    ),
    case(
        "two_verbs",
        "name = \"x\"\n[[tasks]]\nid = \"a\"\nprompt = \"p\"\nrun = \"true\"\nagent = \"claude\"\n",
        &[Code::TwoVerbs, Code::TwoVerbs],
    ),
    case(
        "unknown_agents",
        r#"name = "x"
agent = "claud"
[[tasks]]
id = "a"
prompt = "uses the default, which is told once"
[[tasks]]
id = "b"
prompt = "p"
agent = { use = "nobody" }
"#,
        &[Code::UnknownAgent, Code::UnknownAgent],
    ),
    case("no_agent", "name = \"x\"\n[[tasks]]\nid = \"a\"\nprompt = \"p\"\n", &[Code::NoAgent]),
    case(
        "bad_paths",
        r#"name = "x"
[[tasks]]
id = "a"
run = "true"
writes = ["/etc/**", "../x", "~/x", "./src/**", "src//x", "src/", "ok/**", "a[", "{a,b"]
"#,
        &[
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadPath,
            Code::BadGlob,
            Code::BadGlob,
        ],
    ),
    case(
        "bad_env_names",
        "name = \"x\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\nenv = { LANEWAY_TASK = \"t\", \"A=B\" = \"\", \"\" = \"\", 1A = \"\", OK = \"\" }\n",
        &[Code::BadEnvName, Code::BadEnvName, Code::BadEnvName, Code::BadEnvName],
    ),
    case(
        "bad_branches",
        r#"name = "x"
base = "refs/heads/main"
target = "a b"
[[workstreams]]
id = "default"
base = "HEAD"
target = "x.lock"
[[tasks]]
id = "a"
run = "true"
"#,
        &[Code::BadBranch, Code::BadBranch, Code::BadBranch, Code::BadBranch],
    ),
    case(
        "unknown_substitutions",
        r#"name = "x"
agent = "claude"
[agents.own]
command = ["own"]
env = { LANE = "${lane.id}" }
[defaults]
gate = "make ${graph.nam}"
[[workstreams]]
id = "default"
gate = "check ${task.id}"
[[tasks]]
id = "a"
run = "echo ${HOME} ${graph.name"
[[tasks]]
id = "b"
run = ["echo", "${A}", "${A}"]
env = { WHO = "${task.idd}" }
[[tasks]]
id = "c"
prompt = "escaped \u0024{B}"
"#,
        &[
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
            Code::UnknownSubstitution,
        ],
    ),
    case(
        "unknown_placeholders",
        r#"name = "x"
[agents.own]
command = ["own", "{promptfile}", "${HOME}", "{\"json\": 1}", "{lane}"]
probe = ["own", "{version}"]
[[tasks]]
id = "a"
run = "true"
"#,
        &[Code::UnknownPlaceholder, Code::UnknownPlaceholder],
    ),
    case(
        "unused_models",
        r#"name = "x"
[agents.own]
command = ["own"]
model = "large"
[[tasks]]
id = "a"
prompt = "p"
agent = { use = "plain", model = "large" }
"#,
        &[Code::UnusedModel, Code::UnusedModel],
    ),
    case(
        "bad_loops",
        r#"name = "x"
[agents.own]
like = "clade"
[agents.other]
like = "nobody-at-all"
command = ["other"]
[agents.one]
like = "two"
[agents.two]
like = "one"
[agents.self]
like = "self"
[[tasks]]
id = "a"
prompt = "p"
agent = { use = "plain", session = "continue", loop = { tracker = "T.md" } }
[[tasks]]
id = "b"
prompt = "p"
agent = { use = "plain", session = "again", loop = { max_iterations = 0, tracker = "notes/*.md" } }
"#,
        &[
            Code::UnknownAgent,
            Code::UnknownAgent,
            Code::UnknownAgent,
            Code::UnknownAgent,
            Code::UnknownValue,
            Code::MissingKey,
            Code::UnknownValue,
            Code::OutOfRange,
            Code::BadPath,
        ],
    ),
    case(
        "characters_and_tabs_count_as_one_column",
        "name = \"x\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\ndescription = \"äöü → 日本\"\n\t\"größe\" = 1\n",
        &[Code::UnknownKey],
    ),
    case(
        "windows_line_ends",
        "name = \"x\"\r\n[[tasks]]\r\nid = \"a\"\r\nrun = \"true\"\r\nruns = \"true\"\r\n",
        &[Code::UnknownKey],
    ),
];

#[test]
fn ar01_every_rejection_is_shown_with_its_place_and_a_hint() {
    for Case { name, text, codes } in CASES {
        let diagnostics = refuse(text);
        let shown = diagnostics.render(&source(text), false);
        let found: Vec<Code> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
        assert_eq!(found, *codes, "{name}:\n{shown}");
        insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../snapshots" }, {
            insta::assert_snapshot!(*name, shown);
        });
    }
}

#[test]
fn ar01_every_code_has_a_rejection_and_every_rejection_has_a_hint() {
    let mut codes = BTreeSet::new();
    for case in CASES {
        for diagnostic in &refuse(case.text) {
            codes.insert(diagnostic.code);
            assert!(diagnostic.hint.is_some(), "{}: {diagnostic:?}", case.name);
            assert!(diagnostic.message.chars().next().is_some_and(|c| !c.is_uppercase()), "{diagnostic:?}");
        }
    }
    let all: BTreeSet<Code> = Code::ALL.iter().copied().collect();
    assert_eq!(codes, all);
}

#[test]
fn ar01_lines_and_columns_point_at_the_text_that_is_marked() {
    for case in CASES {
        for diagnostic in &refuse(case.text) {
            let line = case.text.split('\n').nth(diagnostic.at.line - 1).expect("the line is there");
            let before: String = line.chars().take(diagnostic.at.column - 1).collect();
            let lines_before: usize =
                case.text.split('\n').take(diagnostic.at.line - 1).map(|l| l.len() + 1).sum();
            assert_eq!(lines_before + before.len(), diagnostic.span.start, "{}: {diagnostic:?}", case.name);
        }
    }
}

#[test]
fn ar01_all_kinds_of_problem_are_reported_at_once() {
    let text = r#"name = "My Graph"
colour = "red"
max_parallel = 0
[[tasks]]
id = "a"
needs = ["b", "zz"]
run = "true"
[[tasks]]
id = "b"
needs = ["a"]
timeout = "soon"
prompt = "p ${HOME}"
"#;
    let found: Vec<(Code, usize)> = refuse(text).iter().map(|d| (d.code, d.at.line)).collect();
    assert_eq!(
        found,
        [
            (Code::BadId, 1),
            (Code::UnknownKey, 2),
            (Code::OutOfRange, 3),
            (Code::UnknownNeed, 6),
            (Code::NoAgent, 9),
            (Code::TaskCycle, 10),
            (Code::BadDuration, 11),
            (Code::UnknownSubstitution, 12),
        ]
    );
}

#[test]
fn diagnostics_as_json_can_be_read_alone() {
    let diagnostics = refuse(
        "name = \"x\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\n[[tasks]]\nid = \"a\"\nrun = \"true\"\n",
    );
    insta::assert_json_snapshot!(diagnostics, @r#"
    [
      {
        "code": "G013",
        "name": "duplicate",
        "severity": "error",
        "message": "there are two tasks with the id `a`",
        "path": "graphs/x.toml",
        "line": 6,
        "column": 6,
        "label": "declared again",
        "hint": "give one of the tasks another id",
        "related": {
          "line": 3,
          "column": 6,
          "label": "declared here first"
        }
      }
    ]
    "#);
}

#[test]
fn colour_only_adds_escape_codes() {
    let text = "name = \"x\"\n";
    let diagnostics = refuse(text);
    let plain = diagnostics.render(&source(text), false);
    let color = diagnostics.render(&source(text), true);
    assert!(!plain.contains('\u{1b}') && color.contains('\u{1b}'));
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the page is a file of the repository; LANEWAY_BLESS=1 writes it"
)]
fn the_reference_page_says_what_the_code_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/diagnostics.md");
    if std::env::var_os("LANEWAY_BLESS").is_some() {
        std::fs::write(path, reference_page()).expect("docs/ is writable");
    }
    let page = std::fs::read_to_string(path).expect("the page is there; LANEWAY_BLESS=1 writes it");
    assert!(page == reference_page(), "docs/diagnostics.md is out of date; LANEWAY_BLESS=1 writes it anew");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_or_the_carets_panic(text in "(\\PC|\n|\r|\t|\"|\\[|\\]|=|\\.|a|id|name|tasks){0,60}") {
        let source = source(&text);
        if let Err(diagnostics) = parse(&source, &known()) {
            proptest::prop_assert!(!diagnostics.render(&source, false).is_empty());
        }
    }

    #[test]
    fn no_damaged_file_makes_the_reader_or_the_carets_panic(at in 0usize..400, with in "\\PC{0,3}|\n|\r\n|\r|\"|\\]") {
        for case in CASES {
            let Some((start, end)) = case.text.split_at_checked(at) else { continue };
            let source = source(&format!("{start}{with}{end}"));
            if let Err(diagnostics) = parse(&source, &known()) {
                proptest::prop_assert!(!diagnostics.render(&source, false).is_empty());
            }
        }
    }
}

fn codes(text: &str) -> Vec<Code> {
    refuse(text).iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn ar10_a_nest_waits_for_whatever_a_workstream_in_it_waits_for() {
    let lanes = "[[workstreams]]\nid = \"a\"\n[[workstreams]]\nid = \"b\"\nparent = \"a\"\n[[workstreams]]\nid = \"c\"\n";
    let task = |id: &str, lane: &str, needs: &str| {
        format!("[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\nrun = \"x\"\nneeds = [{needs}]\n")
    };
    let out = [task("b1", "b", ""), task("c1", "c", "\"b1\""), task("a1", "a", "\"c1\"")].concat();
    let found = codes(&format!("schema = 1\nname = \"g\"\n{lanes}{out}"));
    assert_eq!(found, [Code::LaneCycle], "the work of `b` lands with `a`, which waits for `c`");
    let back = [task("a1", "a", ""), task("c1", "c", "\"a1\""), task("b1", "b", "\"c1\"")].concat();
    let found = codes(&format!("schema = 1\nname = \"g\"\n{lanes}{back}"));
    assert_eq!(found, [Code::LaneCycle], "`a` is ready once `b` is merged, which waits for `c`");
}

#[test]
fn ar10_a_task_does_not_wait_for_a_nested_workstream_that_waits_for_it() {
    let text = "schema = 1\nname = \"g\"\n[[workstreams]]\nid = \"a\"\n[[workstreams]]\nid = \"b\"\nparent = \"a\"\n\
        [[tasks]]\nid = \"b1\"\nworkstream = \"b\"\nrun = \"x\"\n\
        [[tasks]]\nid = \"a1\"\nworkstream = \"a\"\nrun = \"x\"\nneeds = [\"b1\"]\n\
        [[tasks]]\nid = \"b2\"\nworkstream = \"b\"\nrun = \"x\"\nneeds = [\"a1\"]\n";
    assert_eq!(codes(text), [Code::LaneCycle]);
}

#[test]
fn ar10_a_task_does_not_wait_for_a_workstream_beside_its_own_that_waits_for_it_through_the_one_around_both() {
    let lane = |id: &str, parent: &str| format!("[[workstreams]]\nid = \"{id}\"\n{parent}");
    let task = |id: &str, lane: &str, needs: &str| {
        format!("[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\nrun = \"x\"\nneeds = [{needs}]\n")
    };
    let within = "parent = \"a\"\n";
    let lanes = [lane("a", ""), lane("b", within), lane("c", within)].concat();
    let first = [task("c1", "c", ""), task("b1", "b", "\"c1\""), task("a1", "a", "\"b1\"")].concat();
    let sound = format!("schema = 1\nname = \"g\"\n{lanes}{first}");
    accept(&sound);
    let text = format!("{sound}{}", task("c2", "c", "\"a1\""));
    assert_eq!(
        codes(&text),
        [Code::LaneCycle],
        "`b` lands after all of `c`, which waits for `a1` and so for `b`"
    );
}
