//! Graphs in a few words, and their plans.

use std::fmt::Write as _;

use super::*;
use crate::graph::{ProjectDefaults, parse};
use crate::plan::{Inputs, LaneBase, build};

pub(super) fn sha(n: u64) -> Sha {
    Sha::new(&format!("{n:040x}")).unwrap()
}

/// A graph in a few words: lanes with their policies, tasks with their needs.
pub(super) struct Draw {
    pub(super) lanes: Vec<(&'static str, MergePolicy)>,
    pub(super) tasks: Vec<(&'static str, &'static str, Vec<&'static str>)>,
    pub(super) handoff: Handoff,
    pub(super) attempts: u32,
}

impl Draw {
    pub(super) fn plan(&self) -> Arc<Plan> {
        self.nested(&[])
    }

    /// The plan with these lanes nested: the inner one, then the one that holds it.
    pub(super) fn nested(&self, nests: &[(&str, &str)]) -> Arc<Plan> {
        planned(&self.text(nests))
    }

    fn text(&self, nests: &[(&str, &str)]) -> String {
        let (handoff, attempts) = (key(&self.handoff), self.attempts);
        let mut text = format!("schema = 1\nname = \"g\"\nhandoff = {handoff}\nagents.a.command = [\"a\"]\n");
        for (lane, merge) in &self.lanes {
            _ = writeln!(text, "[[workstreams]]\nid = \"{lane}\"\nmerge = {}", key(merge));
            for (_, outer) in nests.iter().filter(|(inner, _)| inner == lane) {
                _ = writeln!(text, "parent = \"{outer}\"");
            }
        }
        for (task, lane, needs) in &self.tasks {
            _ = writeln!(
                text,
                "[[tasks]]\nid = \"{task}\"\nworkstream = \"{lane}\"\nneeds = {needs:?}\nprompt = \"do\"\nagent = \"a\"\n\
                 gate = \"true\"\nattempts = {attempts}"
            );
        }
        text
    }
}

/// The word for it in a graph.
fn key(choice: &impl serde::Serialize) -> String {
    serde_json::to_string(choice).unwrap()
}

pub(super) fn diamond(merge: MergePolicy, handoff: Handoff) -> Draw {
    Draw {
        lanes: vec![("a", merge), ("b", merge), ("c", merge), ("d", merge)],
        tasks: vec![
            ("a1", "a", vec![]),
            ("b1", "b", vec!["a1"]),
            ("c1", "c", vec!["a1"]),
            ("d1", "d", vec!["b1", "c1"]),
            ("d2", "d", vec!["d1"]),
        ],
        handoff,
        attempts: 2,
    }
}

pub(super) fn one_lane(merge: MergePolicy, tasks: &[&'static str]) -> Draw {
    Draw {
        lanes: vec![("a", merge)],
        tasks: tasks.iter().map(|t| (*t, "a", vec![])).collect(),
        handoff: Handoff::Ready,
        attempts: 3,
    }
}

/// Two lanes; the first task of the second needs the first lane.
pub(super) fn after_another() -> Draw {
    let mut draw = diamond(MergePolicy::Auto, Handoff::Ready);
    draw.lanes.truncate(2);
    draw.tasks.truncate(2);
    draw.tasks.push(("b2", "b", vec!["b1", "a1"]));
    draw.tasks[1].2.clear();
    draw
}

/// The diamond, with `b` and `c` nested in `a`, and `d` in `c`.
pub(super) fn nest(merge: MergePolicy) -> Arc<Plan> {
    let mut draw = diamond(merge, Handoff::Ready);
    draw.tasks[3].2 = vec!["c1"];
    draw.nested(&[("b", "a"), ("c", "a"), ("d", "c")])
}

#[expect(clippy::disallowed_methods, reason = "the shipped graphs are files")]
/// The plans of the graphs that are shipped.
pub(super) fn shipped() -> Vec<(String, Arc<Plan>)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    let paths = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.display().to_string(), planned(&std::fs::read_to_string(&path).unwrap())))
        .collect()
}

/// The plan of a graph, as a repository with one commit would give it.
pub(super) fn planned(text: &str) -> Arc<Plan> {
    let source = graph::Source { path: "g.toml".into(), text: text.into() };
    let graph = parse(&source, &ProjectDefaults::default()).unwrap();
    let base = LaneBase { base: "main".into(), base_sha: sha(1), target: "main".into() };
    let inputs = Inputs { timeout: Millis(60_000), ..Inputs::plain(&graph, &base) };
    Arc::new(build(&graph, &inputs).unwrap())
}
