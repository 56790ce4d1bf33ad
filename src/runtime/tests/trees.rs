//! What of their commits lanes hold: a part of the tree, submodules, large files.

use super::*;
use crate::event::{CheckStatus, Event, RunStatus};

/// A repository with two services beside each other.
fn services() -> tempfile::TempDir {
    let dir = repository();
    sh(dir.path(), "mkdir one two; echo 1 > one/f; echo 2 > two/f; git add -A && git commit -qm services");
    dir
}

/// A repository with a submodule in `lib`.
fn with_submodule() -> tempfile::TempDir {
    let dir = repository();
    sh(
        dir.path(),
        "git init -q -b main .git/upstream && cd .git/upstream && git config user.name T && git config user.email t@example.org
         echo one > f && git add f && git commit -qm one && cd ../..
         git -c protocol.file.allow=always submodule --quiet add \"$PWD/.git/upstream\" lib && git commit -qm lib",
    );
    dir
}

/// What was found wrong by the check.
fn faults(bench: &Bench, name: &str) -> Vec<String> {
    let checks = bench.envelopes().into_iter().filter_map(|envelope| match envelope.event {
        Event::CheckRecorded(check) if check.name == name && check.status != CheckStatus::Pass => {
            Some(check.detail)
        }
        _ => None,
    });
    checks.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_sparse_lanes_are_worked_gated_handed_on_and_merged_like_any() {
    let bench = Bench::on(
        services(),
        &graph(
            r#"
[[workstreams]]
id = "a"
sparse = ["one"]
merge = "auto"
[[workstreams]]
id = "b"
sparse = ["two"]
merge = "auto"
parallel = 2
[[tasks]]
id = "first"
workstream = "a"
run = "test ! -e two; test -z \"$(git status --porcelain)\"; echo x > one/new; git add -A"
gate = { run = "test ! -e two && test -f one/new", fresh = true }
[[tasks]]
id = "second"
workstream = "b"
needs = ["first"]
run = "test ! -e one; git ls-files --error-unmatch one/new; echo y > two/new; echo changed > file; git add -A"
gate = "test ! -e one"
[[tasks]]
id = "third"
workstream = "b"
needs = ["first"]
run = "test ! -e one; mkdir three; echo z > three/new; rm \"$(git rev-parse --git-dir)/index\"; git reset -q; git add -A --sparse"
gate = "test ! -e one"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(
        bench.git("ls-tree --name-only -r main"),
        "file\none/f\none/new\nthree/new\ntwo/f\ntwo/new\n",
        "{}",
        bench.told()
    );
    assert!(!bench.git("config --list").to_lowercase().contains("sparse"));
    assert_eq!(bench.git("status --porcelain"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_what_a_lane_does_not_hold_is_deleted_by_no_attempt() {
    let bench = Bench::on(
        services(),
        &graph(
            r#"
[[workstreams]]
id = "a"
sparse = ["one"]
[[tasks]]
id = "t"
workstream = "a"
attempts = 1
run = "unset GIT_CONFIG_COUNT; rm \"$(git rev-parse --git-dir)/index\"; git reset -q; echo x > one/new; git add -A; git -c user.name=A -c user.email=a@example.org commit -qm all"
"#,
        ),
    );
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Failed), "{}", bench.told());
    let said = faults(&bench, "sparse");
    assert!(said.iter().any(|detail| detail.contains("two/f") && !detail.contains("one/new")), "{said:?}");
    assert_eq!(bench.git("ls-tree --name-only -r laneway/g/a/integration"), "file\none/f\ntwo/f\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn p10_a_folder_that_is_not_there_stops_the_lane_by_name() {
    let lanes = "[[workstreams]]\nid = \"a\"\n[[workstreams]]\nid = \"b\"\nsparse = [\"oen\"]\n";
    let task = |id: &str, lane: &str| {
        format!("[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\nrun = \"echo {id} > {id}\"\n")
    };
    let text = format!("{lanes}{}{}needs = [\"t\"]\n", task("t", "a"), task("u", "b"));
    let bench = Bench::on(services(), &graph(&text));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Failed), "{}", bench.told());
    assert!(bench.told().contains("`oen` of `sparse` is no folder of"), "{}", bench.told());
    assert_eq!(bench.told().matches("process.started").count(), 1, "{}", bench.told());
}

#[test]
fn p10_a_folder_that_the_base_does_not_have_is_named_before_anything_begins() {
    let dir = services();
    let project = Project::open(dir.path()).unwrap();
    let lane = "[[workstreams]]\nid = \"a\"\nsparse = [\"two/oen\"]\n";
    let task = "[[tasks]]\nid = \"t\"\nworkstream = \"a\"\nrun = \"true\"\n";
    let source = Source { path: "g.toml".into(), text: graph(&format!("{lane}{task}")) };
    let parsed = parse(&source, &ProjectDefaults::default()).unwrap();
    let error = prepare(&project, &parsed, "g.toml", RunNo(1), &Config::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("workstream `a`: `two/oen` of `sparse` is no folder of"),
        "{error}"
    );
    let hint = "look below `two`, which is there, and mend `sparse` in the graph";
    assert_eq!(error.hint().as_deref(), Some(hint));
    assert!(!dir.path().join(".git/laneway/graphs/g/runs").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn p14_work_in_a_submodule_reaches_gates_and_other_lanes_once_it_is_committed() {
    let bench = Bench::on(
        with_submodule(),
        &graph(
            r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[workstreams]]
id = "c"
submodules = false
[[tasks]]
id = "inside"
workstream = "a"
run = "cd lib; echo two > f; if [ $LANEWAY_ATTEMPT = 2 ]; then git -c user.name=A -c user.email=a@example.org commit -qam two; fi"
gate = { run = "grep two lib/f", fresh = true }
[[tasks]]
id = "after"
workstream = "b"
needs = ["inside"]
run = "cat lib/f > seen"
gate = "grep two lib/f"
[[tasks]]
id = "without"
workstream = "c"
run = "test -z \"$(ls lib)\" && echo none > seen"
"#,
        ),
    );
    let before = bench.git("config --list --local");
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    // The first attempt left it uncommitted, which no commit of the lane could have held.
    assert_eq!(faults(&bench, "clean"), ["changes in a submodule are not committed there: lib/f"]);
    assert_eq!(bench.git("show laneway/g/b/integration:seen"), "two\n");
    assert_eq!(bench.git("config --list --local"), before);
    assert_eq!(bench.git("-C lib rev-parse HEAD"), bench.git("rev-parse HEAD:lib"));
    assert_eq!(bench.git("status --porcelain"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn p14_pointers_are_told_and_pointers_that_are_meant_are_not() {
    let dir = repository();
    sh(
        dir.path(),
        "for key in clean smudge process; do git config filter.lfs.$key ''; done; git config filter.lfs.required false
         echo '*.bin filter=lfs' > .gitattributes
         printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%064d\\nsize 5\\n' 0 > big.bin
         git add -A && git commit -qm big",
    );
    let task = |id: &str, lane: &str| {
        let seen = "grep -q git-lfs big.bin; env | grep -c GIT_LFS_SKIP_SMUDGE=1 > seen; true";
        format!("[[tasks]]\nid = \"{id}\"\nworkstream = \"{lane}\"\nrun = \"{seen}\"\n")
    };
    let lanes = "[[workstreams]]\nid = \"a\"\n[[workstreams]]\nid = \"b\"\nlfs = \"skip\"\n";
    let bench = Bench::on(dir, &graph(&[lanes, &task("one", "a"), &task("two", "b")].concat()));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let said = faults(&bench, "lfs");
    assert!(
        said.len() == 1 && said[0].contains("big.bin") && said[0].contains("git lfs install"),
        "{said:?}"
    );
    assert_eq!(bench.git("show laneway/g/a/integration:seen"), "0\n");
    assert_eq!(bench.git("show laneway/g/b/integration:seen"), "1\n");
}
