//! A look at what a reset would run into, before anybody confirms it: everything is tried in the object database, and no
//! branch moves.

use std::collections::BTreeMap;

use serde::Serialize;

use super::effects::undo::{revert, take_back};
use super::{Project, RuntimeError};
use crate::event::{Failure, LaneUndo, UndoLane, UndoPlan};
use crate::git::{GitError, Identity, Landed};
use crate::id::{LaneId, Sha};
use crate::plan::LaneIx;
use crate::state::State;

/// Why a lane cannot be undone as planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndoProblem {
    /// The lane.
    pub lane: LaneId,
    /// What is in the way.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a plan is recognised by when it is confirmed.
///
/// # Panics
/// Never: a plan can always be written as JSON.
pub fn undo_digest(plan: &UndoPlan) -> String {
    let text = serde_json::to_vec(plan).expect("a plan has only text keys");
    crate::signal::digest(&text)
}

/// What stands in the way of `plan`; nothing where it can be carried out as things stand.
pub fn probe_undo(
    project: &Project,
    state: &State,
    plan: &UndoPlan,
) -> Result<Vec<UndoProblem>, RuntimeError> {
    let author = &state.plan().author;
    let mut probe = Probe {
        project,
        state: state.supposing(plan),
        plan,
        author: Identity { name: author.name.clone(), email: author.email.clone() },
        tips: BTreeMap::new(),
        targets: BTreeMap::new(),
        made: Vec::new(),
        problems: Vec::new(),
    };
    let looked = probe.forward().and_then(|()| probe.reverts());
    // It was only a look.
    for made in &probe.made {
        project.repo.let_go(made);
    }
    looked?;
    Ok(probe.problems)
}

struct Probe<'a> {
    project: &'a Project,
    state: State,
    plan: &'a UndoPlan,
    author: Identity,
    /// Where lanes would stand.
    tips: BTreeMap<LaneId, Sha>,
    /// Where targets would stand, once what was taken back before is merged.
    targets: BTreeMap<String, Sha>,
    /// The commits that were made to see what it comes to.
    made: Vec<Sha>,
    problems: Vec<UndoProblem>,
}

impl Probe<'_> {
    fn ix(&self, lane: &LaneId) -> LaneIx {
        self.state.index().lane(lane).expect("the plan was made of this run")
    }

    fn problem(&mut self, lane: &LaneId, failure: Failure) {
        let Failure { message, hint, .. } = failure;
        self.problems.push(UndoProblem { lane: lane.clone(), message, hint });
    }

    /// Lanes go forward after those that they take from.
    fn forward(&mut self) -> Result<(), GitError> {
        let plan = self.plan;
        let mut open: Vec<(&UndoLane, &Vec<LaneId>)> = plan
            .lanes
            .iter()
            .filter_map(|lane| match &lane.undo {
                LaneUndo::TakeBack { from } => Some((lane, from)),
                _ => None,
            })
            .collect();
        while !open.is_empty() {
            let waits = |from: &Vec<LaneId>| from.iter().any(|f| open.iter().any(|(l, _)| l.lane == *f));
            let Some(next) = open.iter().position(|(_, from)| !waits(from)) else { return Ok(()) };
            let (lane, from) = open.remove(next);
            self.take_back(lane, from)?;
        }
        Ok(())
    }

    fn take_back(&mut self, lane: &UndoLane, from: &[LaneId]) -> Result<(), GitError> {
        let Some(tip) = &lane.tip else { return Ok(()) };
        let from: Vec<(LaneId, Sha)> =
            from.iter().filter_map(|l| Some((l.clone(), self.tips.get(l)?.clone()))).collect();
        let maker = take_back::Maker {
            repo: &self.project.repo,
            author: &self.author,
            mark: "Laneway-Undo: a look at what it would come to\n".to_owned(),
            landed: &[],
        };
        match maker.make(tip, &self.state.to_take_back(self.ix(&lane.lane)), &from)? {
            Ok(made) => {
                if made != *tip {
                    self.made.push(made.clone());
                }
                self.tips.insert(lane.lane.clone(), made);
            }
            Err(clash) => self.problem(&lane.lane, take_back::conflict(&lane.lane, &clash)),
        }
        Ok(())
    }

    /// Lanes that stand on others are taken back before those.
    fn reverts(&mut self) -> Result<(), GitError> {
        let plan = self.plan;
        let mut lanes: Vec<(&UndoLane, &String)> = plan
            .lanes
            .iter()
            .filter_map(|lane| match &lane.undo {
                LaneUndo::Revert { target, .. } => Some((lane, target)),
                _ => None,
            })
            .collect();
        lanes.sort_by_key(|(lane, _)| std::cmp::Reverse(self.state.lanes[self.ix(&lane.lane)].merged_seq));
        for (lane, target) in lanes {
            self.revert(&lane.lane, target)?;
        }
        Ok(())
    }

    fn revert(&mut self, lane: &LaneId, target: &str) -> Result<(), GitError> {
        let (ix, repo) = (self.ix(lane), &self.project.repo);
        let parts = self.state.lanes[ix].landings().into_iter();
        let landed: Vec<Landed> = parts.map(|part| Landed { commit: part.landed, head: part.head }).collect();
        let Some(base) = self.target(target)? else { return Ok(()) };
        let out = revert::Out {
            repo,
            author: &self.author,
            lane,
            base: &self.state.plan().lanes[ix].base_sha,
            mark: "Laneway-Undo: a look at what it would come to\n".to_owned(),
        };
        match out.without(&base, &landed)? {
            revert::Without::Gone => {}
            revert::Without::At(made, _) => {
                self.made.push(made.clone());
                self.targets.insert(target.to_owned(), made);
            }
            revert::Without::Clash(paths) => {
                self.problem(lane, revert::clash(lane.as_str(), target, &paths));
            }
            revert::Without::Mixed => self.problem(lane, revert::mixed(lane.as_str(), target)),
        }
        Ok(())
    }

    /// Where a target stands; origin's word counts where it can be asked, unless the local branch is ahead of it.
    fn target(&self, target: &str) -> Result<Option<Sha>, GitError> {
        if let Some(known) = self.targets.get(target) {
            return Ok(Some(known.clone()));
        }
        let repo = &self.project.repo;
        let local = repo.branch_tip(target)?;
        let asks = self.state.plan().remote.as_ref().is_some_and(|remote| remote.push);
        let origin = match repo.origin()?.filter(|_| asks) {
            None => None,
            Some(remote) => match repo.fetch_branch(&remote, target) {
                Ok(tip) => tip,
                Err(GitError::Unreachable { .. } | GitError::Auth { .. } | GitError::TimedOut { .. }) => {
                    repo.read_ref(&format!("refs/laneway/remote/{target}"))?
                }
                Err(error) => return Err(error),
            },
        };
        Ok(match (local, origin) {
            (Some(local), Some(origin)) if repo.is_ancestor(&origin, &local)? => Some(local),
            (local, origin) => origin.or(local),
        })
    }
}
