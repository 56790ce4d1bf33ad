//! The text of a graph file: every text is either a plan whose names git and file systems take, or diagnostics that can
//! be shown.

use std::collections::BTreeSet;

use laneway::plan::{Index, Plan, dot, integration_branch, mermaid, task_branch, task_worktree};

use super::planned;

/// Reads, resolves and plans.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let source = planned::source(text);
    match planned::read(&source) {
        Ok(graph) => check(&planned::plan(&graph)),
        Err(diagnostics) => {
            assert!(diagnostics.len() > 0, "refused without a reason");
            for diagnostic in &diagnostics {
                let span = &diagnostic.span;
                assert!(text.get(span.clone()).is_some(), "{span:?} is no part of the text");
                assert!(!diagnostic.message.is_empty());
            }
            let shown = diagnostics.render(&source, false);
            assert!(!shown.is_empty());
            _ = diagnostics.render(&source, true);
        }
    }
}

fn check(plan: &Plan) {
    let index = Index::new(plan);
    let mut branches = BTreeSet::new();
    let mut places = BTreeSet::new();
    for lane in &plan.lanes {
        assert!(index.lane(&lane.id).is_some());
        branches.insert(integration_branch(&plan.graph, plan.run, &lane.id));
    }
    for task in &plan.tasks {
        assert!(index.task(&task.id).is_some());
        branches.insert(task_branch(&plan.graph, plan.run, &task.lane, &task.id, 1));
        let place = task_worktree(&plan.places.worktrees, &task.lane, &task.id);
        assert_eq!(place.parent(), Some(plan.places.worktrees.as_path()));
        places.insert(place);
    }
    assert_eq!(branches.len(), plan.lanes.len() + plan.tasks.len(), "two things have one branch");
    assert_eq!(places.len(), plan.tasks.len(), "two tasks have one place");
    for branch in &branches {
        assert!(git2::Reference::is_valid_name(&format!("refs/heads/{branch}")), "{branch}");
    }
    let text = serde_json::to_string(plan).expect("a plan can be written");
    let again: Plan = serde_json::from_str(&text).expect("and read");
    assert_eq!(again, *plan);
    assert!(!mermaid(plan).is_empty() && !dot(plan).is_empty());
}
