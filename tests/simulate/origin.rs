//! The lanes' branches on origin: GitHub merges nested lanes there, and others put commits there.

use laneway::event::{
    CHECK_ORIGIN, CheckRecorded, CheckStatus, Draft, Failure, FailureKind, Subject, SyncSource,
};
use laneway::id::Sha;
use laneway::plan::LaneIx;
use laneway::state::{PullRequest, State};

use crate::pulls::{Pull, wrong};
use crate::world::{Owner, World};

/// Why a lane is not on origin as it stands here.
pub(crate) struct Unpushed {
    failure: Failure,
    /// The lane whose branch has moved on there.
    ahead: Option<LaneIx>,
}

impl World {
    /// Whether pull requests are about branches on origin, so that nested lanes are merged there.
    pub(crate) fn shares(&self) -> bool {
        self.plan.settings.github.is_some()
    }

    /// A branch on origin moves, and an open pull request shows it.
    pub(crate) fn put_on_origin(&mut self, lane: LaneIx, at: Sha) {
        if let Some(pull) = self.pulls[lane].as_mut().filter(|pull| pull.is_open()) {
            pull.head = at.clone();
        }
        self.repo.origin[lane] = Some(at);
    }

    /// Puts the lane on origin, after those that it is nested in.
    pub(crate) fn push(&mut self, lane: LaneIx, tip: &Sha) -> Result<(), Unpushed> {
        self.push_parents(lane)?;
        if self.shares() { self.push_one(lane, tip) } else { Ok(()) }
    }

    /// Puts the lanes that `lane` is nested in on origin as they stand, the outermost first.
    pub(crate) fn push_parents(&mut self, lane: LaneIx) -> Result<(), Unpushed> {
        let Some(parent) = self.index.parent[lane].filter(|_| self.shares()) else { return Ok(()) };
        self.push_parents(parent)?;
        match self.repo.lanes[parent].clone() {
            Some(tip) => self.push_one(parent, &tip),
            None => Ok(()),
        }
    }

    fn push_one(&mut self, lane: LaneIx, tip: &Sha) -> Result<(), Unpushed> {
        let there = self.repo.origin[lane].clone();
        if there.is_none_or(|there| self.repo.history.is_ancestor(&there, tip)) {
            self.put_on_origin(lane, tip.clone());
            return Ok(());
        }
        let takes_in = !self.index.children[lane].is_empty();
        let failure = if takes_in {
            wrong(FailureKind::Moved, "origin's branch has moved on")
        } else {
            wrong(FailureKind::Refused, "origin's branch holds commits that this run does not know")
        };
        Err(Unpushed { failure, ahead: takes_in.then_some(lane) })
    }

    /// The failure, with what has to be known of the lane put among the facts.
    pub(crate) fn told(&self, unpushed: Unpushed, facts: &mut Vec<Draft>) -> Failure {
        facts.extend(unpushed.ahead.map(|lane| self.warning(lane, CHECK_ORIGIN)));
        unpushed.failure
    }

    /// Where it can be done without.
    pub(crate) fn remarked(&self, lane: LaneIx, pushed: Result<(), Unpushed>, facts: &mut Vec<Draft>) {
        facts.extend(pushed.err().map(|unpushed| match unpushed.ahead {
            Some(ahead) => self.warning(ahead, CHECK_ORIGIN),
            None => self.warning(lane, "push"),
        }));
    }

    fn warning(&self, lane: LaneIx, name: &str) -> Draft {
        let (name, detail) = (name.to_owned(), "simulated".to_owned());
        let event = CheckRecorded { name, status: CheckStatus::Warn, detail, duration_ms: 0 };
        Draft::world(Subject::lane(&self.plan.lanes[lane].id), event)
    }

    /// After a sync: what came from origin goes back there as it was taken in, and what came from the lane around is
    /// shown there as that one's.
    pub(crate) fn share(&mut self, lane: LaneIx, from: &[SyncSource], tip: &Sha, facts: &mut Vec<Draft>) {
        let nested = |up: &laneway::id::LaneId| {
            self.index.lane(up).is_some_and(|up| self.index.parent[up] == Some(lane))
        };
        let around = self.index.parent[lane].map(|parent| &self.plan.lanes[parent].id);
        let comes_from_origin = from.iter().any(|source| match source {
            SyncSource::Origin => true,
            SyncSource::Landing { lane, .. } => nested(lane),
            SyncSource::Lane { .. } | SyncSource::Target { .. } => false,
        });
        let of_parent =
            from.iter().any(|s| matches!(s, SyncSource::Lane { lane, .. } if Some(lane) == around));
        let shared = if comes_from_origin {
            self.push(lane, tip)
        } else if of_parent {
            self.push_parents(lane)
        } else {
            Ok(())
        };
        self.remarked(lane, shared, facts);
    }

    /// Somebody puts work of their own on a lane's branch on origin. Nobody works on a branch that is not there.
    pub(crate) fn comes_to_origin(&mut self, lane: LaneIx) {
        let Some(there) = self.repo.origin[lane].clone() else { return };
        let (commit, _) = self.repo.history.work(&there, "by a person".to_owned());
        self.repo.owners.push(Owner::Person(lane));
        self.put_on_origin(lane, commit);
    }

    /// A branch goes from origin with its lane, unless others have moved it.
    pub(crate) fn gone_from_origin(&mut self, lane: LaneIx, tip: Option<&Sha>) {
        let history = &self.repo.history;
        self.repo.origin[lane].take_if(|there| tip.is_some_and(|tip| history.is_ancestor(there, tip)));
    }

    /// Whoever put commits on a branch that takes none, or on what a pull request shows, takes them back.
    pub(crate) fn clear_origin(&mut self, state: &State) {
        for lane in 0..self.repo.origin.len() {
            let is_shown =
                self.repo.origin[lane].is_some() && self.pulls[lane].as_ref().is_some_and(Pull::is_open);
            let is_open = |pr: &&PullRequest| is_shown && pr.merged.is_none() && pr.closed_by.is_none();
            let known = state.lanes[lane].pr.as_ref().filter(is_open);
            if let Some(tip) = known.map(|known| known.tip.clone()) {
                self.put_on_origin(lane, tip);
            } else if self.index.children[lane].is_empty() {
                self.repo.origin[lane] = None;
            }
        }
    }

    /// Work of others that a lane has taken in and that the target lacks. What was reset took along what stood on it.
    pub(crate) fn lost_of_others(&self, state: &State) -> Option<usize> {
        let (history, main) = (&self.repo.history, &self.repo.main);
        if state.lanes.iter().any(|lane| lane.undos > 0) {
            return None;
        }
        let works = self.repo.owners.iter().enumerate();
        let mut of_others = works.filter_map(|(work, owner)| match owner {
            Owner::Person(lane) => Some((work, *lane)),
            Owner::Attempt(..) => None,
        });
        let lost = of_others.find(|&(work, lane)| {
            let taken_in = || self.stood_with(lane, work);
            !history.works_of(main).holds(work) && !state.goes_on_without(lane) && taken_in()
        });
        lost.map(|(work, _)| work)
    }
}
