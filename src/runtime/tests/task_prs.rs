//! Tasks with pull requests of their own.

use super::*;
use crate::event::{Event, RunStatus};
use crate::forge::{LocalForge, PrFilter, PrState, PullRequest};

fn pulls(bench: &Bench) -> Vec<PullRequest> {
    let forge = LocalForge::open(&bench.project.record.forge_dir()).unwrap();
    forge.list(&PrFilter::default()).unwrap()
}

fn of_task<'a>(pulls: &'a [PullRequest], task: &str) -> Vec<&'a PullRequest> {
    pulls.iter().filter(|pull| pull.task().is_some_and(|of| of.as_str() == task)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ar33_work_that_began_anew_after_a_conflict_is_shown_by_the_same_pull_request() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
parallel = 2
task_prs = true
[[tasks]]
id = "one"
workstream = "a"
run = "echo from-one > file"
[[tasks]]
id = "two"
workstream = "a"
attempts = 2
retry = { on = ["transient"], backoff = "1ms", max = 1 }
prompt = '''
RUN: if test $LANEWAY_ATTEMPT = 1; then while ! git log --format=%s laneway/g/a/integration | grep -q 'a/one'; do :; done; fi
RUN: cat file > seen; echo from-two > file; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let pulls = pulls(&bench);
    assert_eq!(pulls.len(), 3, "{pulls:#?}");
    let two = of_task(&pulls, "two");
    assert_eq!((two.len(), two[0].state), (1, PrState::Merged));
    let second = bench.git("rev-parse laneway/g/a/task/two/2");
    assert_eq!(two[0].head_sha.as_str(), second.trim());
    assert_eq!(bench.git(&format!("rev-parse {}", two[0].head)), second);
    let first = bench.git("rev-parse laneway/g/a/task/two/1");
    let shown = |e: &Envelope| match &e.event {
        Event::TaskPrOpened(event) if event.pr.number == two[0].number => Some(format!("{}\n", event.tip)),
        _ => None,
    };
    assert_eq!(bench.envelopes().iter().filter_map(shown).collect::<Vec<_>>(), [first, second]);
    let kept = |e: &&Envelope| matches!(&e.event, Event::CustodyKept(k) if k.reference.contains("/task-pr/"));
    assert_eq!(
        bench.envelopes().iter().filter(kept).count(),
        0,
        "the first attempt's has a branch of its own"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn ar33_work_after_a_landing_has_another_pull_request() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
merge = "auto"
task_prs = true
gate = "! grep -q '<<<' file"
[[tasks]]
id = "one"
workstream = "a"
prompt = '''
RUN: if grep -q '<<<' file; then echo both > file; else
RUN:   echo mine > file; git -C ../../.. commit -q --allow-empty -m keep; echo theirs > ../../../file; git -C ../../.. commit -qam theirs
RUN: fi; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.tasks[0].attempts.len(), 2, "{}", bench.told());
    let pulls = pulls(&bench);
    let one = of_task(&pulls, "one");
    assert_eq!((pulls.len(), one.len()), (3, 2), "{pulls:#?}");
    assert!(one.iter().all(|pull| pull.state == PrState::Merged), "{one:#?}");
    assert!(one[1].marker.ends_with(":a:one:2"), "{}", one[1].marker);
    let number = state.tasks[0].pr.as_ref().map(|pr| pr.at.number);
    assert_eq!(number, Some(one[1].number), "the newest is the task's");
    assert_eq!(bench.git("show main:file"), "both\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar33_tasks_of_a_nested_lane_show_their_work_against_that_lane() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "core"
[[workstreams]]
id = "inner"
parent = "core"
merge = "auto"
task_prs = true
[[tasks]]
id = "begin"
workstream = "core"
run = "echo core > core"
[[tasks]]
id = "go"
workstream = "inner"
needs = ["begin"]
run = "cat core > inner"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let pulls = pulls(&bench);
    let bases: Vec<&str> = pulls.iter().map(|pull| pull.base.as_str()).collect();
    assert_eq!(bases, ["laneway/g/inner/integration", "laneway/g/core/integration", "main"]);
    assert_eq!((of_task(&pulls, "go").len(), pulls[0].state), (1, PrState::Merged));
    assert!(state.tasks[0].pr.is_none(), "only lanes that want them have them");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar33_commits_of_other_hands_on_the_branch_of_a_pull_request_are_kept() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
task_prs = true
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
"#,
    ));
    bench.git("commit -q --allow-empty -m theirs");
    let theirs = bench.git("rev-parse HEAD");
    bench.git("branch laneway/g/a/task/one/pr HEAD");
    bench.git("reset -q --hard HEAD~1");
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed), "{}", bench.told());
    let kept = bench.git("for-each-ref --format='%(objectname)' refs/laneway/custody/g/1/task-pr");
    assert_eq!(kept, theirs);
    assert_eq!(of_task(&pulls(&bench), "one").len(), 1);
}
