//! What the rules have to look at, so that a step costs what it changes and not what there is.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::event::{Now, Timestamp};
use crate::plan::{Index, LaneIx, Plan, TaskIx};
use crate::state::Touched;

/// The order in which ready tasks go: priority, then what most hangs on, then the order of the file.
pub(super) type Rank = (Reverse<i32>, Reverse<u32>, TaskIx);

/// A moment that something waits for, on either clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadline {
    /// On the wall clock.
    pub wall: Option<Timestamp>,
    /// On the monotonic clock, in milliseconds.
    pub mono: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Task(TaskIx),
    Lane(LaneIx),
}

#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: BTreeSet<Item>,
    pub(super) schedule: bool,
    pub(super) run: bool,
    /// Whether a lane stands elsewhere, or is out of the question, or a probe has ended.
    pub(super) probe: bool,
    wall: BTreeSet<(Timestamp, Item)>,
    mono: BTreeSet<(u64, Item)>,
    /// Ready tasks of each lane.
    ready: BTreeMap<LaneIx, BTreeSet<Rank>>,
    pub(super) ready_count: usize,
}

impl Agenda {
    pub(super) fn everything(&mut self, plan: &Plan) {
        self.due.extend((0..plan.tasks.len()).map(Item::Task));
        self.due.extend((0..plan.lanes.len()).map(Item::Lane));
        self.schedule = true;
        self.run = true;
        self.probe = true;
    }

    pub(super) fn touch(&mut self, touched: Touched, plan: &Plan, index: &Index) {
        if touched.all {
            self.everything(plan);
            return;
        }
        self.schedule = true;
        self.run = true;
        if let Some(task) = touched.task {
            self.due.insert(Item::Task(task));
            if touched.spreads {
                self.due.extend(index.dependents[task].iter().copied().map(Item::Task));
            }
        }
        if let Some(lane) = touched.lane {
            self.due.insert(Item::Lane(lane));
            if touched.task.is_none() && touched.spreads {
                self.due.extend(index.tasks_of[lane].iter().copied().map(Item::Task));
                // Work of a nested lane has landed only once the lanes around it have.
                let within = std::iter::successors(Some(vec![lane]), |level| {
                    let below: Vec<LaneIx> =
                        level.iter().flat_map(|&l| &index.children[l]).copied().collect();
                    (!below.is_empty()).then_some(below)
                });
                let nested = index.parent[lane].iter().chain(&index.children[lane]).copied();
                let downstream = within.flatten().flat_map(|l| &index.downstream[l]).copied();
                for down in downstream.chain(nested) {
                    self.due.insert(Item::Lane(down));
                    self.due.extend(index.tasks_of[down].iter().copied().map(Item::Task));
                }
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        self.due.pop_first()
    }

    pub(super) fn wait_wall(&mut self, until: Timestamp, item: Item) {
        self.wall.insert((until, item));
    }

    pub(super) fn wait_mono(&mut self, until: u64, item: Item) {
        self.mono.insert((until, item));
    }

    /// Makes due what waited for a moment that has come.
    pub(super) fn wake(&mut self, now: Now) {
        while let Some(&(at, item)) = self.wall.first().filter(|(at, _)| *at <= now.wall) {
            self.wall.remove(&(at, item));
            self.due.insert(item);
            self.schedule = true;
            // What was waited for may turn out to be nobody's business any more.
            self.run = true;
        }
        while let Some(&(at, item)) = self.mono.first().filter(|(at, _)| *at <= now.mono) {
            self.mono.remove(&(at, item));
            self.due.insert(item);
        }
    }

    pub(super) fn next_deadline(&self) -> Deadline {
        Deadline { wall: self.wall.first().map(|(at, _)| *at), mono: self.mono.first().map(|(at, _)| *at) }
    }

    pub(super) fn touch_task(&mut self, task: TaskIx) {
        self.due.insert(Item::Task(task));
    }

    pub(super) fn touch_lanes(&mut self, lanes: impl Iterator<Item = LaneIx>) {
        self.due.extend(lanes.map(Item::Lane));
    }

    pub(super) fn set_ready(&mut self, lane: LaneIx, rank: Rank, ready: bool) {
        let set = self.ready.entry(lane).or_default();
        if ready {
            self.ready_count += usize::from(set.insert(rank));
        } else {
            self.ready_count -= usize::from(set.remove(&rank));
        }
        if set.is_empty() {
            self.ready.remove(&lane);
        }
    }

    /// The lanes that have ready tasks, best task first.
    pub(super) fn ready_lanes(&self) -> Vec<(Rank, LaneIx)> {
        let mut lanes: Vec<_> =
            self.ready.iter().filter_map(|(&lane, set)| set.first().map(|&rank| (rank, lane))).collect();
        lanes.sort_unstable();
        lanes
    }

    /// Every ready task with its lane.
    pub(super) fn ready(&self) -> impl Iterator<Item = (LaneIx, TaskIx)> + '_ {
        self.ready.iter().flat_map(|(&lane, set)| set.iter().map(move |&(_, _, task)| (lane, task)))
    }

    pub(super) fn ready_in(&self, lane: LaneIx) -> impl Iterator<Item = Rank> + '_ {
        self.ready.get(&lane).into_iter().flatten().copied()
    }
}
