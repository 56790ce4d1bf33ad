//! Work that is taken back: out of lanes, and out of the target by a pull request of its own.

use laneway::event::{
    Draft, FailureKind, LaneUndone, PrClosed, PrRef, RevertClosed, RevertMerged, RevertOpened, Subject,
    UndoStep,
};
use laneway::id::{LaneId, Sha};
use laneway::plan::LaneIx;

use crate::history::Works;
use crate::pulls::wrong;
use crate::scenario::Fault;
use crate::world::{Begun, Done, Owner, World};

/// A pull request that takes a lane out of the target.
pub(crate) struct Reverting {
    mark: String,
    tip: Sha,
    taken: Works,
    merged: Option<Sha>,
}

impl World {
    /// One step of a reset, unless it was done before its answer was lost.
    pub(crate) fn undo(
        &mut self,
        begun: &Begun,
        key: &str,
        (lane, n): (&LaneId, u32),
        step: &UndoStep,
    ) -> Done {
        let ix = self.index.lane(lane).expect("effects name lanes of the plan");
        let fact = |event: laneway::event::Event| Draft::world(Subject::lane(lane), event);
        let mark = format!("undo/{lane}/{n}");
        match step {
            UndoStep::TakeBack { tip, commits, from } => {
                self.take_back(begun, key, (ix, &mark), tip, (commits, from))
            }
            UndoStep::Remove { .. } => self.remove_lane(begun, ix, lane),
            UndoStep::Revert { landed, parts, .. } => {
                let parts = parts.iter().map(|part| &part.landed);
                let landed: Vec<&Sha> = std::iter::once(landed).chain(parts).collect();
                self.open_revert(begun, key, (ix, mark), lane, &landed)
            }
            UndoStep::Merge { .. } => {
                let Some(revert) = self.reverts[ix].as_mut() else { return self.no_revert(lane) };
                let (main, history) = (&mut self.repo.main, &mut self.repo.history);
                let commit = revert.merged.get_or_insert_with(|| {
                    *main = history.without(main, &revert.taken, revert.mark.clone());
                    main.clone()
                });
                let event = RevertMerged { commit: commit.clone(), by: "ann".to_owned() };
                (vec![fact(event.into())], Ok(()))
            }
            UndoStep::Close if self.reverts[ix].as_ref().is_none_or(|revert| revert.merged.is_some()) => {
                self.no_revert(lane)
            }
            UndoStep::Close => (vec![fact(RevertClosed { by: "ann".to_owned() }.into())], Ok(())),
        }
    }

    fn no_revert(&mut self, lane: &LaneId) -> Done {
        self.wrongs.push(format!("there is no pull request that takes lane {lane} back"));
        (Vec::new(), Err(self.failure(Fault::Permanent)))
    }

    /// Whether `taken` is what the reset is about; a commit can bring more than that, and then nothing is taken back.
    /// What others put on the branch of a lane goes with the whole of it.
    fn is_undone(&self, begun: &Begun, taken: &Works, whole: Option<LaneIx>) -> bool {
        taken.each().all(|work| match self.repo.owners[work] {
            Owner::Attempt(task, attempt) => begun.undone.contains(&(task, attempt)),
            Owner::Person(lane) => {
                whole.is_some_and(|whole| lane == whole || self.index.is_within(lane, whole))
            }
        })
    }

    /// The branch goes forward to where it is without what `commits` had brought.
    fn take_back(
        &mut self,
        begun: &Begun,
        key: &str,
        (ix, mark): (LaneIx, &str),
        tip: &Sha,
        (commits, from): (&[Sha], &[(LaneId, Sha)]),
    ) -> Done {
        let lane = self.plan.lanes[ix].id.clone();
        let undone = |world: &mut Self, tip: Sha| {
            let mut facts = Vec::new();
            if let Err(unpushed) = world.push(ix, &tip) {
                world.told(unpushed, &mut facts);
            }
            let (reverted, upstream) = (commits.to_vec(), from.to_vec());
            let event = LaneUndone { tip: Some(tip), reverted, upstream, remarks: Vec::new() };
            facts.push(Draft::world(Subject::lane(&lane), event));
            (facts, Ok(()))
        };
        let found = self.repo.lanes[ix].clone();
        if let Some(found) = found.filter(|found| found != tip && self.repo.history.mark_of(found) == mark) {
            return undone(self, found);
        }
        if self.fails(Fault::Conflict, key) {
            return (Vec::new(), Err(self.failure(Fault::Conflict)));
        }
        self.restore_branch(ix, tip, mark);
        let mut taken = Works::default();
        for commit in commits {
            taken.take_in(&self.repo.history.brought_by(commit));
        }
        for (up, tip) in from {
            let held = self.index.lane(up).and_then(|up| begun.held.get(&up));
            if let Some(held) = held {
                let history = &self.repo.history;
                taken.take_in(&history.works_of(held).without(&history.works_of(tip)));
            }
        }
        if !self.is_undone(begun, &taken, None) {
            self.wrongs.push(format!("{mark} takes more back than what is reset: {taken:?}"));
        }
        let without = self.repo.history.without(tip, &taken, mark.to_owned());
        let parents: Vec<&Sha> = std::iter::once(&without).chain(from.iter().map(|(_, tip)| tip)).collect();
        let to = self.repo.history.commit(&parents, mark.to_owned());
        self.repo.lanes[ix] = Some(to.clone());
        undone(self, to)
    }

    /// Closes the pull request and removes branch and worktree.
    fn remove_lane(&mut self, begun: &Begun, ix: LaneIx, lane: &LaneId) -> Done {
        let tasks = &self.index.tasks_of[ix];
        if tasks.iter().any(|&task| self.processes_of(task).any(|(_, p)| p.is_alive())) {
            self.wrongs.push(format!("lane {lane} goes while a process works in it"));
        }
        let mut facts = Vec::new();
        if let Some(pull) =
            self.pulls[ix].as_mut().filter(|pull| !begun.is_merged && pull.rounds == begun.rounds)
        {
            if pull.merged.is_some() {
                return (facts, Err(wrong(FailureKind::Refused, "it was merged meanwhile; look again")));
            }
            if pull.closed.is_none() {
                pull.closed = Some("ann".to_owned());
                facts.push(Draft::world(Subject::lane(lane), PrClosed { by: "ann".to_owned() }));
            }
        }
        self.gone_from_origin(ix, begun.tip.as_ref());
        self.repo.lanes[ix] = None;
        let event = LaneUndone { tip: None, reverted: Vec::new(), upstream: Vec::new(), remarks: Vec::new() };
        facts.push(Draft::world(Subject::lane(lane), event));
        (facts, Ok(()))
    }

    fn open_revert(
        &mut self,
        begun: &Begun,
        key: &str,
        (ix, mark): (LaneIx, String),
        lane: &LaneId,
        landed: &[&Sha],
    ) -> Done {
        let fact = |event: laneway::event::Event| (vec![Draft::world(Subject::lane(lane), event)], Ok(()));
        let opened = |tip: &Sha| {
            let pr = PrRef { number: 500 + ix as u64, url: format!("local:revert-{lane}") };
            fact(
                RevertOpened { pr, branch: mark.clone(), tip: tip.clone(), reverts: landed[0].clone() }
                    .into(),
            )
        };
        if let Some(made) = self.reverts[ix].as_ref().filter(|made| made.mark == mark) {
            return opened(&made.tip);
        }
        let (history, main) = (&self.repo.history, self.repo.main.clone());
        let mut brought = Works::default();
        for landed in landed.iter().filter(|landed| history.is_ancestor(landed, &main)) {
            brought.take_in(&history.brought_by(landed));
        }
        let taken = brought.without(&history.gone_of(&main));
        if taken.is_empty() {
            let remarks = vec!["the target does not have its work any more".to_owned()];
            return fact(
                LaneUndone { tip: None, reverted: Vec::new(), upstream: Vec::new(), remarks }.into(),
            );
        }
        if !self.is_undone(begun, &taken, Some(ix)) {
            return (Vec::new(), Err(wrong(FailureKind::Refused, "it landed together with other work")));
        }
        if self.fails(Fault::Conflict, key) {
            return (Vec::new(), Err(self.failure(Fault::Conflict)));
        }
        let tip = self.repo.history.without(&main, &taken, mark.clone());
        let done = opened(&tip);
        self.reverts[ix] = Some(Reverting { mark, tip, taken, merged: None });
        done
    }
}
