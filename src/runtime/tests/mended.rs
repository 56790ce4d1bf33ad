//! Defects that a review found, and that stay mended.

use super::*;
use crate::event::{LaneStatus, RunStatus};

/// How each attempt of the first task began and ended.
fn starts(state: &State) -> Vec<String> {
    let told = |a: &crate::state::Attempt| {
        format!(
            "{} began at {:?}, resolves {:?}, left {:?}: {:?}",
            a.number,
            a.start,
            a.resolves.as_ref().map(|r| &r.marked),
            a.work(),
            a.reason
        )
    };
    state.tasks[0].attempts.iter().map(told).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_target_that_moves_into_a_conflict_twice_is_taken_in_twice() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
merge = "auto"
gate = "! grep -q '<<<' file"
[[tasks]]
id = "one"
workstream = "a"
attempts = 1
prompt = '''
RUN: n=$LANEWAY_ATTEMPT; if test $n != 1; then grep -q '<<<' file; fi; echo mine-$n > file
RUN: if test $n != 3; then echo theirs-$n > ../../../file; git -C ../../.. commit -qam theirs-$n; fi
RUN: : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged, "{:?}", starts(&state));
    assert_eq!(bench.git("show main:file"), "mine-3\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_a_stacked_lane_that_landed_with_its_upstream_lets_the_run_rest() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "one"
workstream = "a"
run = "echo one > one"
[[tasks]]
id = "two"
workstream = "b"
needs = ["one"]
run = "echo two > two"
"#,
    ));
    let state = bench.drive().await;
    assert_eq!(state.run.status, Some(RunStatus::Completed));
    // Somebody merges the whole stack by its top.
    bench.git("merge -q --no-ff -m stack laneway/g/b/integration");
    let (told, mut events) = mpsc::unbounded_channel::<Vec<Envelope>>();
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    let id = crate::id::LaneId::new("a").unwrap();
    std::fs::write(board.lane_dir(&id).join("merged"), "by hand\n").unwrap();
    let updates = async {
        let mut updates = 0;
        while let Some(batch) = events.recv().await {
            let update = |e: &&Envelope| matches!(&e.event, crate::event::Event::EffectIntended(i) if i.id.0.starts_with("open-pr/b"));
            updates += batch.iter().filter(update).count();
            assert!(updates < 20, "the same update is made again and again");
        }
    };
    tokio::select! {
        state = bench.drive_telling(Some(told)) => assert_eq!(state.lanes[1].status, LaneStatus::Merged),
        () = updates => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_half_of_a_conflicts_markers_does_not_reach_the_lane() {
    let bench = Bench::new(&graph(
        r#"
[[workstreams]]
id = "a"
[[workstreams]]
id = "b"
[[tasks]]
id = "zero"
workstream = "b"
run = "echo from-b > file"
[[tasks]]
id = "one"
workstream = "a"
run = "echo from-a > file"
[[tasks]]
id = "two"
workstream = "b"
needs = ["zero", "one"]
attempts = 1
prompt = '''
RUN: sed -i '/^<<<<<<< /d' file; : > $LANEWAY_SIGNALS/done
'''
"#,
    ));
    bench.drive().await;
    assert_eq!(bench.git("show laneway/g/b/integration:file"), "from-b\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn ar21_the_commits_of_a_lane_that_was_squashed_can_be_brought_back() {
    let bench = Bench::new(&graph(
        r#"
[[tasks]]
id = "one"
run = "echo one > one"
"#,
    ));
    let state = bench.drive().await;
    let tip = state.lanes[0].tip.clone().unwrap();
    bench.git("merge -q --squash laneway/g/default/integration");
    bench.git("commit -qm squashed");
    let board = bench.project.board(&bench.plan.graph, RunNo(1));
    std::fs::write(board.lane_dir(&bench.plan.lanes[0].id).join("merged"), "by hand\n").unwrap();
    let state = bench.drive().await;
    assert_eq!(state.lanes[0].status, LaneStatus::Merged);
    assert_ne!(bench.git(&format!("for-each-ref --contains {tip}")), "", "no ref brings {tip} back");
}
