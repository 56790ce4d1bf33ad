//! How the tables of a file refer to each other: needs, cycles, parents, workstreams without tasks.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::declarations::Declarations;
use super::inputs;
use super::nests::Nests;
use crate::graph::code::Code;
use crate::graph::cycle::{self, Cycle};
use crate::graph::diagnostic::Diagnostic;
use crate::graph::file::{GraphFile, TaskFile, WorkstreamFile};
use crate::graph::read::{At, Reader};
use crate::id::{LaneId, TaskId};

/// How deep workstreams may be nested where the file does not say.
const MAX_DEPTH: u32 = 3;

/// Checks every reference from one table to another.
pub(super) fn check(file: &GraphFile, declared: &Declarations<'_>, reader: &mut Reader<'_>) {
    let needs = Needs::gather(file, declared, reader);
    let cycles = cycle::find(&needs.edges);
    for found in &cycles {
        task_cycle(file, &needs, found, reader);
    }
    lane_cycles(file, declared, &needs, &cycles, reader);
    inputs::check(file, declared, &needs.edges, reader);
    empty_lanes(file, declared, reader);
    parents(file, declared, reader);
}

/// The needs of the tasks, by number.
struct Needs<'f> {
    edges: Vec<Vec<usize>>,
    /// Where each edge is written, in the order of `edges`.
    places: Vec<Vec<&'f At<TaskId>>>,
}

impl<'f> Needs<'f> {
    fn gather(file: &'f GraphFile, declared: &Declarations<'_>, reader: &mut Reader<'_>) -> Self {
        let tasks = file.tasks.items();
        let mut out = Self { edges: vec![Vec::new(); tasks.len()], places: vec![Vec::new(); tasks.len()] };
        let mut known: Option<Vec<&str>> = None;
        for (number, task) in tasks.iter().enumerate() {
            let mut seen: HashMap<&TaskId, &At<TaskId>> = HashMap::new();
            for need in task.value.needs.items() {
                if let Some(first) = seen.insert(&need.value, need) {
                    reader.push(named_twice(need, first));
                } else if task.value.id.value() == Some(&need.value) {
                    reader.push(needs_itself(need));
                } else if let Some(to) = declared.tasks.get(&need.value) {
                    out.edges[number].push(*to);
                    out.places[number].push(need);
                } else {
                    let known = known.get_or_insert_with(|| task_names(tasks));
                    unknown_need(need, known, declared, reader);
                }
            }
        }
        out
    }
}

fn task_names(tasks: &[At<TaskFile>]) -> Vec<&str> {
    tasks.iter().filter_map(|task| task.value.id.value()).map(TaskId::as_str).collect()
}

fn named_twice(need: &At<TaskId>, first: &At<TaskId>) -> Diagnostic {
    let message = format!("`needs` names `{}` twice", need.value);
    Diagnostic::new(Code::Duplicate, need.span.clone(), message, "named again")
        .related(first.span.clone(), "named here first")
        .hint("remove one of them".to_owned())
}

fn needs_itself(need: &At<TaskId>) -> Diagnostic {
    let message = format!("the task needs itself: {0} -> {0}", need.value);
    Diagnostic::new(Code::TaskCycle, need.span.clone(), message, "the task itself")
        .hint("remove it from `needs`".to_owned())
}

fn unknown_need(need: &At<TaskId>, known: &[&str], declared: &Declarations<'_>, reader: &mut Reader<'_>) {
    let id = &need.value;
    let hint = match reader.nearest.find(id.as_str(), known.iter().copied()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if declared.lanes.contains_key(id.as_str()) => {
            format!("`{id}` is a workstream; name the task of it that comes last")
        }
        None => format!("add a task with `id = \"{id}\"`, or remove it from `needs`"),
    };
    let message = format!("there is no task `{id}`");
    reader.push(Diagnostic::new(Code::UnknownNeed, need.span.clone(), message, "no such task").hint(hint));
}

fn id_of(task: &At<TaskFile>) -> &str {
    task.value.id.value().map_or("?", TaskId::as_str)
}

fn task_cycle(file: &GraphFile, needs: &Needs<'_>, found: &Cycle, reader: &mut Reader<'_>) {
    let tasks = file.tasks.items();
    let names = found.names(|number| id_of(&tasks[number]));
    let (from, edge) = found.closing;
    let closing = needs.places[from][edge];
    let hint = format!(
        "`{}` needs `{}` here; remove this or another of the needs",
        id_of(&tasks[from]),
        closing.value
    );
    let message = format!("tasks wait for each other: {names}");
    let label = "this closes the cycle";
    reader.push(Diagnostic::new(Code::TaskCycle, closing.span.clone(), message, label).hint(hint));
}

/// Why one lane needs another: the first task and need that say so.
struct Cause<'f> {
    task: usize,
    need: &'f At<TaskId>,
}

/// Finds cycles of lanes that are none of tasks. The needs that close a cycle of tasks are left out, so that one
/// mistake is not told twice.
fn lane_cycles(
    file: &GraphFile,
    declared: &Declarations<'_>,
    needs: &Needs<'_>,
    cycles: &[Cycle],
    reader: &mut Reader<'_>,
) {
    let told: HashSet<(usize, usize)> = cycles.iter().map(|found| found.closing).collect();
    let nests = Nests::gather(file, declared);
    let mut causes: BTreeMap<(usize, usize), Cause<'_>> = BTreeMap::new();
    for (task, edges) in needs.edges.iter().enumerate() {
        let upstream = edges.iter().enumerate().filter(|(edge, _)| !told.contains(&(task, *edge)));
        for (edge, to) in upstream {
            if let (Some(from), Some(to)) = (declared.lane_of[task], declared.lane_of[*to])
                && from != to
                && let Some((from, to)) = nests.apart(from, to)
            {
                causes.entry((from, to)).or_insert(Cause { task, need: needs.places[task][edge] });
            }
        }
    }
    let mut edges = vec![Vec::new(); declared.lane_ids.len()];
    for (from, to) in causes.keys() {
        edges[*from].push(*to);
    }
    let between = cycle::find(&edges);
    for found in &between {
        lane_cycle(file, declared, &edges, &causes, found, reader);
    }
    if cycles.is_empty() && between.is_empty() {
        nest_cycles(file, declared, needs, &nests, reader);
    }
}

/// Finds tasks that wait for a workstream to land as a whole, of which a task waits for them.
fn nest_cycles(
    file: &GraphFile,
    declared: &Declarations<'_>,
    needs: &Needs<'_>,
    nests: &Nests,
    reader: &mut Reader<'_>,
) {
    let tasks = file.tasks.items();
    let name = |node: usize| match node.checked_sub(tasks.len()) {
        None => id_of(&tasks[node]),
        Some(lane) => declared.lane_ids[lane].as_ref().map_or("?", LaneId::as_str),
    };
    let waits = nests.waits(&declared.lane_of, &needs.edges);
    for found in cycle::find(&waits) {
        let (from, edge) = found.closing;
        // A long cycle is not shown to its end, which the closing edge is.
        let steps = found.nodes.windows(2).map(|pair| (pair[0], pair[1])).chain([(from, waits[from][edge])]);
        let mut causes = steps.filter_map(|(task, to)| {
            let (needed, lane) = (needs.edges.get(task)?, declared.lane_of.get(task).copied().flatten()?);
            let first = |need: usize| nests.lands_first(lane, declared.lane_of[need]?);
            let edge = needed.iter().position(|&need| first(need).is_some_and(|l| tasks.len() + l == to))?;
            Some((task, needs.places[task][edge], to, nests.is_within(to - tasks.len(), lane)))
        });
        let message = format!("tasks and workstreams wait for each other: {}", found.names(name));
        let Some((task, need, lane, nested)) = causes.next() else {
            // Workstreams that are nested in each other are told elsewhere.
            if let Some(need) = found.nodes.iter().find_map(|&node| needs.places.get(node)?.first()) {
                let (span, label) = (need.span.clone(), "this is a part of it");
                let hint = "move a task to another workstream".to_owned();
                reader.push(Diagnostic::new(Code::LaneCycle, span, message, label).hint(hint));
            }
            continue;
        };
        let what = if nested { "nested workstream" } else { "workstream" };
        let hint = format!(
            "`{}` needs `{}`, which it has once all of the {what} `{}` is merged; move a task to another workstream",
            name(task),
            need.value,
            name(lane)
        );
        let label = format!("this waits for the whole {what}");
        reader.push(Diagnostic::new(Code::LaneCycle, need.span.clone(), message, label).hint(hint));
    }
}

fn lane_cycle(
    file: &GraphFile,
    declared: &Declarations<'_>,
    edges: &[Vec<usize>],
    causes: &BTreeMap<(usize, usize), Cause<'_>>,
    found: &Cycle,
    reader: &mut Reader<'_>,
) {
    let tasks = file.tasks.items();
    let lane = |number: usize| declared.lane_ids[number].as_ref().map_or("?", LaneId::as_str);
    let reason = |from: usize, to: usize| {
        let cause = &causes[&(from, to)];
        let (task, need) = (id_of(&tasks[cause.task]), &cause.need.value);
        format!("`{}` needs `{}` because task `{task}` needs `{need}`", lane(from), lane(to))
    };
    let (from, edge) = found.closing;
    let to = edges[from][edge];
    let mut reasons: Vec<String> = found.nodes.windows(2).map(|pair| reason(pair[0], pair[1])).collect();
    reasons.push(reason(from, to));
    let hint = format!("{}; move a task to the other workstream, or split a workstream", reasons.join(", "));
    let message = format!("workstreams wait for each other: {}", found.names(lane));
    let span = causes[&(from, to)].need.span.clone();
    reader.push(Diagnostic::new(Code::LaneCycle, span, message, "this closes the cycle").hint(hint));
}

fn empty_lanes(file: &GraphFile, declared: &Declarations<'_>, reader: &mut Reader<'_>) {
    // A task whose workstream is not known may be the missing one.
    if declared.lane_of.iter().any(Option::is_none) {
        return;
    }
    let used: HashSet<usize> = declared.lane_of.iter().copied().flatten().collect();
    for (id, number) in &declared.lanes {
        // One that only holds nested workstreams together needs no task of its own.
        let holds = |lane: &At<WorkstreamFile>| lane.value.parent.value() == Some(id);
        if used.contains(number) || file.workstreams.items().iter().any(holds) {
            continue;
        }
        if let Some(at) = file.workstreams.items().get(*number).and_then(|lane| lane.value.id.get()) {
            let message = format!("the workstream `{id}` has no tasks");
            let hint = format!("give a task `workstream = \"{id}\"`, or remove the workstream");
            let label = "no task belongs to it";
            reader.push(Diagnostic::new(Code::EmptyWorkstream, at.span.clone(), message, label).hint(hint));
        }
    }
}

fn parents(file: &GraphFile, declared: &Declarations<'_>, reader: &mut Reader<'_>) {
    let lanes = file.workstreams.items();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); lanes.len()];
    for (number, lane) in lanes.iter().enumerate() {
        let Some(parent) = lane.value.parent.get() else {
            continue;
        };
        for (name, key) in [("base", lane.value.base.get()), ("target", lane.value.target.get())] {
            if let Some(key) = key {
                let message = format!("`{name}` and `parent` exclude each other");
                let hint = format!(
                    "a nested workstream is cut from `{}` and goes back into it; remove `{name}`",
                    parent.value
                );
                let label = "not in a nested workstream";
                reader.push(Diagnostic::new(Code::NestedBase, key.span.clone(), message, label).hint(hint));
            }
        }
        if let Some(to) = declared.lanes.get(&parent.value) {
            edges[number].push(*to);
            continue;
        }
        let nearest = reader.nearest.find(parent.value.as_str(), declared.lane_names());
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "declare it with `[[workstreams]]`, or remove `parent`".to_owned(),
        };
        let message = format!("there is no workstream `{}` to be the parent", parent.value);
        let label = "not declared";
        reader.push(Diagnostic::new(Code::UnknownParent, parent.span.clone(), message, label).hint(hint));
    }
    let name = |number: usize| declared.lane_ids[number].as_ref().map_or("?", LaneId::as_str);
    let itself = |number: &usize| edges[*number].contains(number);
    let own = (0..lanes.len()).filter(itself).map(|number| Cycle {
        nodes: vec![number],
        more: 0,
        closing: (number, 0),
    });
    let cycles: Vec<Cycle> = own.chain(cycle::find(&edges)).collect();
    for found in &cycles {
        let Some(parent) = lanes[found.closing.0].value.parent.get() else {
            continue;
        };
        let message = format!("workstreams are nested in each other: {}", found.names(name));
        let hint = "remove one of the parents".to_owned();
        let label = "this closes the cycle";
        reader.push(Diagnostic::new(Code::ParentCycle, parent.span.clone(), message, label).hint(hint));
    }
    if cycles.is_empty() {
        too_deep(file, &edges, reader);
    }
}

/// Notes the lanes that are one deeper than allowed; those below them are as deep only because of these.
fn too_deep(file: &GraphFile, edges: &[Vec<usize>], reader: &mut Reader<'_>) {
    let max = file.max_depth.value().map_or(MAX_DEPTH, |number| number.count());
    for (number, lane) in file.workstreams.items().iter().enumerate() {
        let mut depth = 1;
        let mut here = number;
        while let Some(parent) = edges[here].first().filter(|_| depth <= max + 1) {
            here = *parent;
            depth += 1;
        }
        if depth == max + 1
            && let Some(parent) = lane.value.parent.get()
        {
            let message = format!("workstreams may be nested {max} deep, and this one is at depth {depth}");
            let hint = "nest it higher, or raise `max_depth`".to_owned();
            reader.push(Diagnostic::new(Code::TooDeep, parent.span.clone(), message, "too deep").hint(hint));
        }
    }
}
