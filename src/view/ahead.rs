//! Conflicts that are to be expected, those over the same paths put together.

use std::collections::BTreeMap;

use super::LaneView;
use crate::id::LaneId;

/// Lanes that would not merge, all of them over the same paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictAhead<'a> {
    /// Who with whom, in words.
    pub who: String,
    /// The paths, as many as the record lists.
    pub paths: &'a [String],
    /// How many more there are.
    pub more: u64,
}

/// A lane with what it would not merge with: the other lane, where it is one, and its name in words.
type Pair<'a> = (&'a LaneId, Option<&'a LaneId>, &'a str);

/// Paths that are listed, and how many are not.
type Over<'a> = (&'a [String], u64);

/// The conflicts that `lanes` are to expect, in their order. One between two lanes is said once.
pub fn conflicts_ahead(lanes: &[LaneView]) -> Vec<ConflictAhead<'_>> {
    let mut at: BTreeMap<Over<'_>, usize> = BTreeMap::new();
    let mut groups: Vec<(Over<'_>, Vec<Pair<'_>>)> = Vec::new();
    for (n, lane) in lanes.iter().enumerate() {
        let earlier = |id| lanes[..n].iter().any(|other| Some(&other.id) == id);
        for one in lane.predicted.iter().filter(|one| !earlier(one.lane.as_ref())) {
            let over = (one.paths.as_slice(), one.more);
            let ix = *at.entry(over).or_insert_with(|| {
                groups.push((over, Vec::new()));
                groups.len() - 1
            });
            groups[ix].1.push((&lane.id, one.lane.as_ref(), &one.with));
        }
    }
    let group =
        |((paths, more), pairs): ((_, _), Vec<Pair<'_>>)| ConflictAhead { who: who(&pairs), paths, more };
    groups.into_iter().map(group).collect()
}

fn who(pairs: &[Pair<'_>]) -> String {
    let mut all: Vec<&LaneId> = Vec::new();
    for id in pairs.iter().flat_map(|&(lane, other, _)| [Some(lane), other]).flatten() {
        if !all.contains(&id) {
            all.push(id);
        }
    }
    let among_lanes = pairs.iter().all(|(_, other, _)| other.is_some());
    if among_lanes && all.len() > 2 && pairs.len() == all.len() * (all.len() - 1) / 2 {
        let all: Vec<&str> = all.into_iter().map(LaneId::as_str).collect();
        return format!("lanes {} with each other", all.join(", "));
    }
    let mut by_lane: Vec<(&LaneId, Vec<&str>)> = Vec::new();
    for &(lane, _, with) in pairs {
        match by_lane.last_mut().filter(|(last, _)| *last == lane) {
            Some((_, others)) => others.push(with),
            None => by_lane.push((lane, vec![with])),
        }
    }
    let said = by_lane.iter().map(|(lane, others)| format!("lane {lane} with {}", others.join(", ")));
    said.collect::<Vec<_>>().join("; ")
}
