//! Conflicts that are predicted between lanes that go on, and with their targets.

use std::collections::BTreeSet;

use super::{Lane, State};
use crate::event::{ConflictCleared, ConflictPredicted, EffectId, LaneStatus, Probed};
use crate::id::{LaneId, Sha};
use crate::plan::LaneIx;

/// What a lane would not merge with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Against {
    /// Another lane.
    Lane(LaneIx),
    /// The branch it goes to.
    Target,
}

/// A conflict that is to be expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicted {
    /// What with, in words.
    pub with: String,
    /// The paths, as many as the record lists.
    pub paths: Vec<String>,
    /// How many more there are.
    pub more: u64,
    /// Where the lane stood.
    pub ours: Sha,
    /// Where the other side stood.
    pub theirs: Sha,
}

impl Lane {
    /// Whether it has a branch that goes on and may meet others.
    pub fn is_in_play(&self) -> bool {
        let open = matches!(self.status, LaneStatus::Active | LaneStatus::MergeReady | LaneStatus::PrCreated);
        open && self.tip.is_some()
    }
}

impl State {
    /// What `lane` is not expected to merge with, as far as both are still in play.
    pub fn predictions(&self, lane: LaneIx) -> impl Iterator<Item = (Against, &Predicted)> + '_ {
        let in_play = |lane: LaneIx| self.lanes[lane].is_in_play();
        let of_lane = self.lanes[lane].predicted.iter().filter(move |_| in_play(lane));
        of_lane.filter_map(move |(against, predicted)| match *against {
            Against::Lane(other) if !in_play(other) => None,
            against => Some((against, predicted)),
        })
    }

    /// The lanes in play that hold work of their own, where they stand; and those of the last probe that are not any more.
    pub fn unprobed(&self) -> (Vec<(LaneIx, Sha)>, Vec<LaneIx>) {
        let mut moved = Vec::new();
        let mut gone: BTreeSet<LaneIx> = self.run.probed.keys().copied().collect();
        for (ix, lane) in self.lanes.iter().enumerate() {
            let Some(tip) = lane.tip.as_ref().filter(|_| lane.is_in_play()) else { continue };
            gone.remove(&ix);
            let begun = *tip != self.plan.lanes[ix].base_sha;
            if begun && self.run.probed.get(&ix) != Some(tip) {
                moved.push((ix, tip.clone()));
            }
        }
        (moved, gone.into_iter().collect())
    }

    /// Whether a probe is under way.
    pub fn is_probing(&self) -> bool {
        self.outstanding.contains_key(&EffectId(format!("probe/{}", self.run.probes)))
    }

    pub(super) fn probing(&mut self, n: u32, moved: &[(LaneId, Sha)], gone: &[LaneId]) {
        self.run.probes = n;
        for (lane, tip) in moved {
            if let Some(ix) = self.index.lane(lane) {
                self.run.probed.insert(ix, tip.clone());
            }
        }
        for lane in gone {
            if let Some(ix) = self.index.lane(lane) {
                self.run.probed.remove(&ix);
            }
        }
    }

    /// Both lanes know of it, each from its side.
    pub(super) fn predict(&mut self, lane: LaneIx, event: &ConflictPredicted, probed: &Probed) {
        let predicted = Predicted {
            with: event.with.clone(),
            paths: event.paths.clone(),
            more: event.more.unwrap_or_default(),
            ours: probed.ours.clone(),
            theirs: probed.theirs.clone(),
        };
        let other = probed.lane.as_ref().and_then(|id| self.index.lane(id));
        let Some(other) = other else {
            self.lanes[lane].predicted.insert(Against::Target, predicted);
            return;
        };
        let mirrored = Predicted {
            with: format!("lane {}", self.plan.lanes[lane].id),
            ours: predicted.theirs.clone(),
            theirs: predicted.ours.clone(),
            ..predicted.clone()
        };
        self.lanes[lane].predicted.insert(Against::Lane(other), predicted);
        self.lanes[other].predicted.insert(Against::Lane(lane), mirrored);
    }

    pub(super) fn clear(&mut self, lane: LaneIx, event: &ConflictCleared) {
        match event.lane.as_ref().and_then(|id| self.index.lane(id)) {
            Some(other) => {
                self.lanes[lane].predicted.remove(&Against::Lane(other));
                self.lanes[other].predicted.remove(&Against::Lane(lane));
            }
            None => {
                self.lanes[lane].predicted.remove(&Against::Target);
            }
        }
    }
}
