//! Whatever passes for an id makes refs that the git program takes and paths that stay where they belong, and two ids
//! never make the same.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use laneway::id::{GraphName, LaneId, RunNo, TaskId, suggest};
use laneway::plan;
use proptest::prelude::*;

/// Texts that are ids, or nearly: what git, shells and file systems treat specially is likely.
fn nearly_an_id() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "a",
        "z",
        "0",
        "9",
        "-",
        "_",
        "--",
        "lock",
        ".lock",
        "head",
        "HEAD",
        "con",
        "nul",
        "com1",
        "@",
        "@{",
        "..",
        ".",
        "/",
        "~",
        "^",
        ":",
        " ",
        "*",
        "é",
        "\n",
        "main",
        "refs",
        "pr",
        "integration",
        "task",
        "-r2",
        "$x",
        "'",
    ]);
    proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn git_takes(name: &str) -> bool {
    Command::new("git").args(["check-ref-format", name]).status().expect("git can be run").success()
}

/// Every ref and every worktree of one task.
fn all(graph: &str, lane: &str, task: &str, run: u32) -> Option<(Vec<String>, Vec<PathBuf>)> {
    let (graph, lane, task) = (GraphName::new(graph).ok()?, LaneId::new(lane).ok()?, TaskId::new(task).ok()?);
    let run = RunNo(run);
    let branches = [
        plan::integration_branch(&graph, run, &lane),
        plan::task_branch(&graph, run, &lane, &task, 1),
        plan::task_pr_branch(&graph, run, &lane, &task),
        plan::revert_branch(&graph, run, &lane, 1),
    ];
    let kept = [
        format!("before/{task}/1-1"),
        format!("teardown/{graph}-{lane}-{task}"),
        format!("branch/{}", branches[0]),
    ];
    let refs = branches.iter().map(|branch| format!("refs/heads/{branch}"));
    let refs = refs.chain(kept.iter().map(|what| plan::custody_ref(&graph, run, what))).collect();
    let root = Path::new("/w");
    let paths = vec![
        root.join(lane.as_str()),
        plan::task_worktree(root, &lane, &task),
        plan::review_worktree(root, &lane, &task),
        plan::gate_worktree(root, &lane, &task),
    ];
    Some((refs, paths))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn ar02_every_accepted_id_makes_refs_that_git_takes_and_paths_that_stay(
        mut texts in proptest::collection::vec(nearly_an_id(), 3),
        run in 1_u32..3,
    ) {
        for text in &mut texts {
            // What is refused is followed by what is suggested for it, which has to hold as well.
            if LaneId::new(text).is_err() {
                *text = suggest(text).unwrap_or_else(|| "x".to_owned());
            }
        }
        let (refs, paths) = all(&texts[0], &texts[1], &texts[2], run).expect("a suggestion is an id");
        for name in &refs {
            prop_assert!(git_takes(name), "{:?}", name);
        }
        for path in &paths {
            let below = path.strip_prefix("/w").expect("below its root");
            prop_assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{:?}", below);
            prop_assert_eq!(below.components().count(), 1);
        }
        let differing: BTreeSet<&PathBuf> = paths.iter().collect();
        prop_assert_eq!(differing.len(), paths.len());
    }

    #[test]
    fn ar02_other_ids_make_other_refs_and_paths(one in nearly_an_id(), other in nearly_an_id(), lane in nearly_an_id()) {
        let (first, second) = (all("g", &lane, &one, 1), all("g", &lane, &other, 1));
        let (Some(first), Some(second)) = (first, second) else { return Ok(()) };
        if one != other {
            let own = |of: &(Vec<String>, Vec<PathBuf>)| -> BTreeSet<String> {
                let refs = of.0.iter().filter(|name| name.contains("/task/") || name.contains("/before/"));
                refs.cloned().chain(of.1[1..].iter().map(|path| path.display().to_string())).collect()
            };
            prop_assert!(own(&first).is_disjoint(&own(&second)), "{:?} {:?}", first, second);
        }
    }
}
