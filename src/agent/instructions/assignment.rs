//! What a task knows and must deliver, as its agent reads it.

use std::collections::BTreeMap;

use super::{PATHS_SHOWN, line, one_line, quote};
use crate::graph::{Adr, AdrLevel, ExpectedOutput};
use crate::id::{Category, RoleName, TaskId};

/// What a task knows beside its prompt, and what it must deliver beside its change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// The role, and what it says.
    pub role: Option<(RoleName, String)>,
    /// Paths that matter, by category.
    pub paths: BTreeMap<Category, Vec<String>>,
    /// What tasks before this one have made for it.
    pub inputs: Vec<GivenInput>,
    /// What it must declare.
    pub outputs: Vec<ExpectedOutput>,
    /// The decision record that it must write.
    pub adr: Option<Adr>,
    /// Whether a picture of the whole graph stands in `context/graph.md`.
    pub overview: bool,
}

/// Outputs of a task before this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenInput {
    /// The task.
    pub task: TaskId,
    /// Their category.
    pub category: Category,
    /// Those that are files, from the root of the repository.
    pub paths: Vec<String>,
    /// Those that are values, as JSON.
    pub values: Vec<String>,
}

pub(super) fn role(text: &mut String, assignment: &Assignment) {
    if let Some((name, says)) = &assignment.role {
        line(text, format_args!("## Your role: {name}\n\n{}\n", says.trim()));
    }
}

pub(super) fn overview(text: &mut String, assignment: &Assignment) {
    if assignment.overview {
        line(
            text,
            format_args!(
                "- Other tasks work beside yours. The whole graph, and where each task stands, is in `$LANEWAY_SIGNALS/../context/graph.md`."
            ),
        );
    }
}

pub(super) fn sections(text: &mut String, assignment: &Assignment) {
    paths(text, &assignment.paths);
    inputs(text, &assignment.inputs);
    outputs(text, &assignment.outputs);
    if let Some(adr) = &assignment.adr {
        record(text, adr);
    }
}

fn paths(text: &mut String, paths: &BTreeMap<Category, Vec<String>>) {
    if paths.is_empty() {
        return;
    }
    line(text, format_args!("## Paths\n"));
    for (category, paths) in paths {
        line(text, format_args!("- {category}: {}", listed(paths)));
    }
    text.push('\n');
}

fn inputs(text: &mut String, inputs: &[GivenInput]) {
    if inputs.is_empty() {
        return;
    }
    line(text, format_args!("## What you are given\n"));
    for GivenInput { task, category, paths, values } in inputs {
        if values.is_empty() {
            line(text, format_args!("- {category} of task `{task}`: {}", listed(paths)));
        } else {
            let files = if paths.is_empty() { String::new() } else { format!("{}, and ", listed(paths)) };
            line(text, format_args!("- {category} of task `{task}`: {files}these values:\n"));
            quote(text, &values.join("\n"));
        }
    }
    text.push('\n');
}

fn outputs(text: &mut String, outputs: &[ExpectedOutput]) {
    if outputs.is_empty() {
        return;
    }
    line(
        text,
        format_args!(
            "## What you must declare\n\n\
             Other tasks build on these. Declare each with `laneway signal output CATEGORY PATH`, or list them in \
             `$LANEWAY_SIGNALS/outputs.json` as `{{\"CATEGORY\": [\"PATH\"]}}`, before you claim that you are done. A path \
             is a file of your work, from the root of the repository; without the declaration the task has failed.\n"
        ),
    );
    for ExpectedOutput { category, min, max } in outputs {
        let number = match (min, max) {
            (0, None) => "any number".to_owned(),
            (min, None) => format!("{min} or more"),
            (min, Some(max)) if min == max => format!("exactly {min}"),
            (min, Some(max)) => format!("{min} to {max}"),
        };
        line(text, format_args!("- {category}: {number}"));
    }
    text.push('\n');
}

fn record(text: &mut String, adr: &Adr) {
    let folder = &adr.folder;
    line(
        text,
        format_args!(
            "## Decision record\n\n\
             Write down what you decided and why, as one new file in `{folder}/`, named like its neighbours or \
             `0001-what-was-decided.md`. It is part of your change; without it the task has failed."
        ),
    );
    let says = match adr.level {
        AdrLevel::Detailed => {
            "It says: the context and its forces; the alternatives that you weighed, with what speaks for and against \
             each; the decision; its consequences, good and bad; how to tell that it was wrong, and how to go back."
        }
        AdrLevel::Standard | AdrLevel::None => {
            "It says, on a page at most: the context, the decision, its consequences."
        }
    };
    line(text, format_args!("{says}\n"));
}

fn listed(paths: &[String]) -> String {
    let shown = paths.iter().take(PATHS_SHOWN).map(|path| format!("`{}`", one_line(path)));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match paths.len().checked_sub(PATHS_SHOWN) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ if paths.is_empty() => "none".to_owned(),
        _ => shown,
    }
}
