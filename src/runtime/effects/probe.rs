//! Which lanes would not merge with each other, or with their targets. Nothing is fetched and nothing is written.

use std::collections::{BTreeMap, HashSet};

use super::{Done, git_failure};
use crate::event::{ConflictCleared, ConflictPredicted, Draft, Probed, Subject};
use crate::git::{GitError, Verdict};
use crate::id::{LaneId, Sha};
use crate::plan::LaneIx;
use crate::runtime::Context;
use crate::runtime::brief::{Brief, Compared};
use crate::runtime::conflicts::target_as_seen;
use crate::state::Against;

/// Compares what moved with everything else, and says what is new about it.
pub(super) fn run(context: &Context, brief: &Brief, moved: &[(LaneId, Sha)]) -> Done {
    let moved = moved.iter().filter_map(|(lane, _)| context.index.lane(lane)).collect();
    match look(context, &brief.lanes, &moved) {
        Ok(facts) => Done::well(facts),
        Err(error) => git_failure("looking for conflicts ahead", &error).into(),
    }
}

fn look(context: &Context, lanes: &[Compared], moved: &HashSet<LaneIx>) -> Result<Vec<Draft>, GitError> {
    let asked = asked(context, lanes, moved)?;
    let pairs: Vec<(Sha, Sha)> = asked.iter().map(|one| (one.ours.clone(), one.theirs.clone())).collect();
    let tips = pairs.iter().flat_map(|(ours, theirs)| [ours.clone(), theirs.clone()]);
    let tips: HashSet<Sha> = tips.chain(lanes.iter().filter_map(|lane| lane.tip.clone())).collect();
    let verdicts = context.with_probe(|probe| {
        probe.keep_only(&tips)?;
        probe.pairs(&pairs)
    })?;
    let known: BTreeMap<LaneIx, &Compared> = lanes.iter().map(|lane| (lane.lane, lane)).collect();
    let mut facts = gone(context, lanes, &known);
    for (one, verdict) in asked.iter().zip(verdicts) {
        facts.extend(one.news(context, known[&one.lane], verdict));
    }
    Ok(facts)
}

/// A comparison of a lane with another that comes later in the plan, or with its target.
struct Asked {
    lane: LaneIx,
    against: Against,
    ours: Sha,
    theirs: Sha,
}

/// The comparisons whose answer can be another than before.
fn asked(context: &Context, lanes: &[Compared], moved: &HashSet<LaneIx>) -> Result<Vec<Asked>, GitError> {
    let mut asked = Vec::new();
    let mut targets: BTreeMap<&str, Option<Sha>> = BTreeMap::new();
    let branches: HashSet<&str> = context.plan.lanes.iter().map(|lane| lane.branch.as_str()).collect();
    for (n, one) in lanes.iter().enumerate() {
        let Some(ours) = &one.tip else { continue };
        for other in &lanes[n + 1..] {
            let Some(theirs) = other.tip.as_ref() else { continue };
            if moved.contains(&one.lane) || moved.contains(&other.lane) {
                let against = Against::Lane(other.lane);
                asked.push(Asked { lane: one.lane, against, ours: ours.clone(), theirs: theirs.clone() });
            }
        }
        let target = context.plan.lanes[one.lane].target.as_str();
        // The branch of a lane that it is nested in is compared as that lane.
        if branches.contains(target) {
            continue;
        }
        if !targets.contains_key(target) {
            targets.insert(target, target_as_seen(&context.project.repo, target)?);
        }
        if let Some(theirs) = targets[target].clone() {
            asked.push(Asked { lane: one.lane, against: Against::Target, ours: ours.clone(), theirs });
        }
    }
    Ok(asked)
}

impl Asked {
    /// What the answer changes in what is known.
    fn news(&self, context: &Context, lane: &Compared, verdict: Verdict) -> Option<Draft> {
        let id = |lane: LaneIx| context.plan.lanes[lane].id.clone();
        let (other, with) = match self.against {
            Against::Lane(other) => (Some(id(other)), format!("lane {}", id(other))),
            Against::Target => (None, format!("`{}`", context.plan.lanes[self.lane].target)),
        };
        let known = lane.predicted.get(&self.against);
        let subject = Subject::lane(&id(self.lane));
        let paths = match verdict {
            Verdict::Conflict { paths } => paths,
            // It does not merge, but for no path that anybody could look at.
            Verdict::Broken { .. } => Vec::new(),
            Verdict::Clean | Verdict::Unrelated => {
                return known.map(|_| Draft::world(subject, ConflictCleared { with, lane: other }));
            }
        };
        let mut event = ConflictPredicted::over(with, paths, String::new());
        // The same trouble with the same paths is no news, although the lanes moved on.
        if known.is_some_and(|known| (&known.paths, known.more) == (&event.paths, event.more.unwrap_or(0))) {
            return None;
        }
        let (ours, theirs) = (self.ours.clone(), self.theirs.clone());
        event.probed = Some(Probed { lane: other, ours, theirs });
        Some(Draft::world(subject, event))
    }
}

/// What was predicted of lanes that are out of the question now.
fn gone(context: &Context, lanes: &[Compared], known: &BTreeMap<LaneIx, &Compared>) -> Vec<Draft> {
    let mut facts = Vec::new();
    let in_play = |lane: &LaneIx| known.get(lane).is_some_and(|known| known.tip.is_some());
    for one in lanes {
        for (against, predicted) in &one.predicted {
            let other = match against {
                // Said once, by the first of the two.
                Against::Lane(other) if *other < one.lane => continue,
                Against::Lane(other) if in_play(&one.lane) && in_play(other) => continue,
                Against::Target if in_play(&one.lane) => continue,
                Against::Lane(other) => Some(context.plan.lanes[*other].id.clone()),
                Against::Target => None,
            };
            let subject = Subject::lane(&context.plan.lanes[one.lane].id);
            facts.push(Draft::world(subject, ConflictCleared { with: predicted.with.clone(), lane: other }));
        }
    }
    facts
}
