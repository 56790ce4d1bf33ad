//! The plan as a picture for people: mermaid and dot.

use std::fmt::Write;

use super::Plan;

/// The plan as a mermaid flow chart, a box a lane.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = String::from("flowchart LR\n");
    for (n, lane) in plan.lanes.iter().enumerate() {
        let _ = writeln!(out, "  subgraph lane{n} [\"{} -> {}\"]", lane.id, quoted(&lane.target));
        for (i, task) in plan.tasks.iter().enumerate().filter(|(_, t)| t.lane == lane.id) {
            let _ = writeln!(out, "    t{i}[\"{}\"]", task.id);
        }
        out.push_str("  end\n");
    }
    edges(plan, |from, to| {
        let _ = writeln!(out, "  t{from} --> t{to}");
    });
    out
}

/// The plan as a graphviz digraph, a cluster a lane.
pub fn dot(plan: &Plan) -> String {
    let mut out = format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n", plan.graph);
    for (n, lane) in plan.lanes.iter().enumerate() {
        let _ = writeln!(
            out,
            "  subgraph cluster_{n} {{\n    label=\"{} -> {}\";",
            lane.id,
            quoted(&lane.target)
        );
        for (i, task) in plan.tasks.iter().enumerate().filter(|(_, t)| t.lane == lane.id) {
            let _ = writeln!(out, "    t{i} [label=\"{}\"];", task.id);
        }
        out.push_str("  }\n");
    }
    edges(plan, |from, to| {
        let _ = writeln!(out, "  t{from} -> t{to};");
    });
    out.push_str("}\n");
    out
}

fn quoted(text: &str) -> String {
    text.replace('"', "'")
}

fn edges(plan: &Plan, mut each: impl FnMut(usize, usize)) {
    let index = super::Index::new(plan);
    for (to, needs) in index.needs.iter().enumerate() {
        for &from in needs {
            each(from, to);
        }
    }
}
