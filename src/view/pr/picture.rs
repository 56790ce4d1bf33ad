//! The tasks of a lane as a picture, with those of other lanes that they need or that need them. Nothing but ids goes
//! into it.

use std::collections::{BTreeMap, BTreeSet};

use super::sections::Section;
use crate::plan::{LaneIx, TaskIx};
use crate::view::plain::put;

/// Boxes of a picture that somebody can still read.
const BOXES: usize = 60;

impl Section<'_> {
    /// The picture; empty where the table of tasks says as much.
    pub(super) fn picture(&self) -> String {
        let arrows = self.arrows();
        if arrows.is_empty() {
            return String::new();
        }
        let index = self.state.index();
        let mut boxes: BTreeMap<LaneIx, BTreeSet<TaskIx>> = BTreeMap::new();
        let own = index.tasks_of[self.lane].iter().copied();
        for task in own.chain(arrows.iter().flat_map(|&(from, to)| [from, to])) {
            boxes.entry(index.lane_of[task]).or_default().insert(task);
        }
        let size: usize = boxes.values().map(BTreeSet::len).sum();
        if size > BOXES {
            return format!(
                "A picture of these {size} tasks and those around them would be too large to be read.\n"
            );
        }
        let mut out = String::from("```mermaid\nflowchart LR\n");
        for (lane, tasks) in &boxes {
            put(&mut out, format_args!("  subgraph lane{lane}[\"{}\"]", self.plan.lanes[*lane].id));
            for task in tasks {
                put(&mut out, format_args!("    t{task}[\"{}\"]", self.plan.tasks[*task].id));
            }
            out.push_str("  end\n");
        }
        for (from, to) in arrows {
            put(&mut out, format_args!("  t{from} --> t{to}"));
        }
        let others = boxes.keys().filter(|lane| **lane != self.lane);
        for lane in others {
            put(&mut out, format_args!("  style lane{lane} stroke-dasharray: 4 4"));
        }
        out.push_str("```\n");
        out
    }

    /// Every need of a task of the lane, and of a task elsewhere on one of the lane.
    fn arrows(&self) -> BTreeSet<(TaskIx, TaskIx)> {
        let index = self.state.index();
        let tasks = index.tasks_of[self.lane].iter();
        tasks
            .flat_map(|&task| {
                let needs = index.needs[task].iter().map(move |&need| (need, task));
                needs.chain(index.dependents[task].iter().map(move |&after| (task, after)))
            })
            .collect()
    }
}
