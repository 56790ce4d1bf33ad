//! The next attempt goes on from what the one before left, committed or not.

use super::*;
use crate::event::{Event, RunStatus, TaskStatus};

/// A task whose agent commits for itself, and what its attempts do.
fn commits_itself(attempts: u32, prompt: &str) -> String {
    graph(&format!(
        r#"
[[workstreams]]
id = "a"
parallel = 2
[[tasks]]
id = "one"
workstream = "a"
commit = "agent"
attempts = {attempts}
retry = {{ on = ["transient"], backoff = "1ms", max = 1 }}
prompt = '''
{prompt}
'''
"#
    ))
}

fn restored(bench: &Bench) -> Vec<crate::event::CustodyRestored> {
    let restored = |e: Envelope| match e.event {
        Event::CustodyRestored(event) => Some(event),
        _ => None,
    };
    bench.envelopes().into_iter().filter_map(restored).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_the_next_attempt_finds_commits_and_uncommitted_files_of_the_one_before() {
    let bench = Bench::new(&commits_itself(
        2,
        "RUN: if test $LANEWAY_ATTEMPT = 2; then
RUN:   test \"$(git log -1 --format=%s)\" = first; grep -q changed file; test ! -e gone; test -x dir/script
RUN:   git add -A; git commit -qm second; echo well > $LANEWAY_SIGNALS/done; exit 0
RUN: fi
RUN: echo x > committed; echo x > gone; git add committed gone; git commit -qm first
RUN: echo changed > file; rm gone; mkdir dir; echo x > dir/script; chmod +x dir/script; : > $LANEWAY_SIGNALS/done",
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 2);
    assert!(state.tasks[0].attempts[0].reason.as_ref().unwrap().contains("left changes uncommitted"));
    assert_eq!(bench.git("show laneway/g/a/integration:file"), "changed\n");
    assert_eq!(restored(&bench).iter().map(|r| r.files).collect::<Vec<_>>(), [3], "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_uncommitted_files_are_given_back_by_another_orchestrator_and_only_until_they_are_committed() {
    let bench = Bench::new(&commits_itself(
        3,
        "RUN: case $LANEWAY_ATTEMPT in
RUN: 1) echo kept > file; : > $LANEWAY_SIGNALS/done;;
RUN: 2) if ! test -e $LANEWAY_SIGNALS/../../../../go; then echo who > $LANEWAY_SIGNALS/blocked; exit 0; fi
RUN:    test \"$(cat file)\" = kept; git commit -qam two; echo no > $LANEWAY_SIGNALS/failed;;
RUN: 3) test -z \"$(git status --porcelain)\"; test \"$(cat file)\" = kept; : > $LANEWAY_SIGNALS/done;;
RUN: esac",
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Blocked), "{}", bench.told());
    std::fs::write(bench.plan.places.board.join("go"), "").unwrap();
    let task = bench.plan.tasks[0].id.clone();
    bench.ask(crate::signal::Verb::Answer { task, ask: None, text: "you".into() }).await;
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].status, TaskStatus::Merged, "{}", bench.told());
    assert_eq!(state.tasks[0].attempts.len(), 3);
    let references: Vec<_> = restored(&bench).into_iter().map(|r| r.reference).collect();
    let kept = "refs/laneway/custody/g/1/uncommitted/one";
    assert_eq!(references, [format!("{kept}/1-1"), format!("{kept}/2-1")], "{}", bench.told());
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_a_repository_inside_the_lane_is_kept_told_of_and_not_given_back_as_work() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
attempts = 2
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = '''
RUN: if test $LANEWAY_ATTEMPT = 1; then git init -q inner; echo x > inner/x; echo own > beside; fi
RUN: if test $LANEWAY_ATTEMPT = 2; then test ! -e inner; grep -q inner/ ../../../.laneway/g/1/tasks/one/2/instructions.md; fi
RUN: test -e beside; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("ls-tree -r --name-only laneway/g/default/integration"), "beside\nfile\n");
    let restored = restored(&bench);
    assert_eq!((restored[0].files, restored[0].held_back.as_slice()), (1, &["inner/".to_owned()][..]));
    assert_eq!(bench.git(&format!("show {}:inner/x", restored[0].commit)), "x\n", "custody has it");
    let told = bench.told();
    assert!(told.contains("nothing was committed") && !told.contains("nothing was changed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar23_what_landed_meanwhile_is_not_undone_by_uncommitted_files() {
    let mut text = commits_itself(
        2,
        "RUN: if test $LANEWAY_ATTEMPT = 2; then cp file seen; git add -A; git commit -qm two; : > $LANEWAY_SIGNALS/done; exit 0; fi
RUN: echo mine > file; echo mine > other
RUN: until git log --format=%s laneway/g/a/integration | grep -q a/two; do :; done; : > $LANEWAY_SIGNALS/done",
    );
    text.push_str("\n[[tasks]]\nid = \"two\"\nworkstream = \"a\"\nrun = \"echo theirs > file\"\n");
    let bench = Bench::new(&text);
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    assert_eq!(bench.git("show laneway/g/a/integration:seen"), "theirs\n");
    assert_eq!(bench.git("show laneway/g/a/integration:other"), "mine\n");
    assert_eq!(restored(&bench)[0].held_back, ["file"]);
}
