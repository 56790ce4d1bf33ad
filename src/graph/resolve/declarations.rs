//! The ids that a file declares.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use crate::graph::code::Code;
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{GraphFile, TaskFile, WorkstreamFile};
use crate::graph::read::{At, Reader};
use crate::id::{LaneId, TaskId};

/// The workstream of a file without workstreams, and of a task without one.
pub(super) const DEFAULT_LANE: &str = "default";

/// Where each id is declared. Numbers are positions in the file's lists.
#[derive(Debug)]
pub(super) struct Declarations<'f> {
    pub(super) tasks: HashMap<&'f TaskId, usize>,
    /// Numbered from 0; the implicit `default` is number 0 too.
    pub(super) lanes: HashMap<LaneId, usize>,
    /// The id of each lane, for names in messages.
    pub(super) lane_ids: Vec<Option<LaneId>>,
    /// The lane of each task; `None` where it is not known.
    pub(super) lane_of: Vec<Option<usize>>,
}

impl<'f> Declarations<'f> {
    /// Gathers the ids and notes those that are declared twice, and tasks in workstreams that are not declared.
    pub(super) fn gather(file: &'f GraphFile, reader: &mut Reader<'_>) -> Self {
        let tasks = unique(file.tasks.items().iter().map(|task| task.value.id.get()), "task", reader);
        let declared = file.workstreams.items();
        let lanes = unique(declared.iter().map(|lane| lane.value.id.get()), "workstream", reader);
        let mut lanes: HashMap<LaneId, usize> =
            lanes.into_iter().map(|(id, number)| (id.clone(), number)).collect();
        let mut lane_ids: Vec<Option<LaneId>> =
            declared.iter().map(|lane| lane.value.id.value().cloned()).collect();
        if declared.is_empty() {
            let id = LaneId::new(DEFAULT_LANE).expect("the word is an id");
            lanes.insert(id.clone(), 0);
            lane_ids.push(Some(id));
        }
        let mut out = Self { tasks, lanes, lane_ids, lane_of: Vec::new() };
        out.lane_of = file.tasks.items().iter().map(|task| out.lane_of(task, declared, reader)).collect();
        out
    }

    fn lane_of(
        &self,
        task: &At<TaskFile>,
        declared: &[At<WorkstreamFile>],
        reader: &mut Reader<'_>,
    ) -> Option<usize> {
        let named = task.value.workstream.get();
        let id = match named {
            Some(at) => at.value.as_str(),
            None if task.value.workstream.is_absent() => DEFAULT_LANE,
            None => return None,
        };
        if let Some(lane) = self.lanes.get(id) {
            return Some(*lane);
        }
        // A workstream whose own id is refused may well be the one that is meant.
        if declared.iter().all(|lane| lane.value.id.get().is_some()) {
            let nearest = reader.nearest.find(id, self.lane_names());
            reader.push(unknown_lane(task, named, id, declared.is_empty(), nearest));
        }
        None
    }

    /// The ids of the workstreams, as declared.
    pub(super) fn lane_names(&self) -> impl Iterator<Item = &str> {
        self.lane_ids.iter().flatten().map(LaneId::as_str)
    }
}

fn unknown_lane(
    task: &At<TaskFile>,
    named: Option<&At<LaneId>>,
    id: &str,
    none_declared: bool,
    nearest: Option<&str>,
) -> Diagnostic {
    let Some(at) = named else {
        let message = "the task names no workstream, and `default` is not declared";
        let hint = "say `workstream = ...` in the task, or declare `[[workstreams]]` with `id = \"default\"`";
        return Diagnostic::new(Code::UnknownWorkstream, head(task), message, "belongs to `default`")
            .hint(hint.to_owned());
    };
    let declare = format!("declare it: `[[workstreams]]` with `id = \"{id}\"`");
    let hint = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`? Else {declare}"),
        None if none_declared => format!("{declare}; without any `[[workstreams]]` there is only `default`"),
        None => declare,
    };
    let message = format!("there is no workstream `{id}`");
    Diagnostic::new(Code::UnknownWorkstream, at.span.clone(), message, "not declared").hint(hint)
}

/// The place that stands for a task: its id, else its table.
pub(super) fn head(task: &At<TaskFile>) -> Range<usize> {
    task.value.id.get().map_or_else(|| task.span.clone(), |id| id.span.clone())
}

/// Returns the number of the first declaration of each id, and notes the others.
fn unique<'f, K: Hash + Eq + std::fmt::Display + 'f>(
    ids: impl Iterator<Item = Option<&'f At<K>>>,
    what: &str,
    reader: &mut Reader<'_>,
) -> HashMap<&'f K, usize> {
    let mut first: HashMap<&'f K, (usize, &'f At<K>)> = HashMap::new();
    for (number, id) in ids.enumerate() {
        let Some(id) = id else { continue };
        if let Some((_, before)) = first.get(&id.value) {
            let message = format!("there are two {what}s with the id `{}`", id.value);
            let diagnostic = Diagnostic::new(Code::Duplicate, id.span.clone(), message, "declared again")
                .related(before.span.clone(), "declared here first")
                .hint(format!("give one of the {what}s another id"));
            reader.push(diagnostic);
        } else {
            first.insert(&id.value, (number, id));
        }
    }
    first.into_iter().map(|(id, (number, _))| (id, number)).collect()
}
