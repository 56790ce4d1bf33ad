//! The end of a lane's worktrees and branches: what is not merged is kept first, what cannot be removed is said.

use super::{Done, keep};
use crate::event::{Draft, LaneRemoved, LaneStatus, Subject};
use crate::git::{GitError, Worktree};
use crate::id::{LaneId, Sha};
use crate::plan;
use crate::runtime::brief::Brief;
use crate::runtime::{Context, ports};

/// Removes them, best effort; nothing here changes how the lane ended.
pub(super) fn run(context: &Context, brief: &Brief, lane: &LaneId) -> Done {
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let state = brief.state.as_ref().map(|s| &s.lanes[ix]);
    let (tip, landed) =
        (state.and_then(|l| l.tip.clone()), state.and_then(|l| l.pr.as_ref()?.merged.clone()));
    let mut work = Removal::new(context, lane, tip, landed);
    work.worktrees(ix);
    if let Err(error) = ports::release(context, lane) {
        work.remarks.push(format!("its ports stay claimed: {}", super::chain(&error)));
    }
    // A lane that failed can be retried; its branches say where it stood.
    if state.is_some_and(|l| l.status == LaneStatus::Merged) {
        work.branches();
    }
    let mut facts = work.facts;
    facts.push(Draft::world(Subject::lane(lane), LaneRemoved { remarks: work.remarks }));
    Done::well(facts)
}

/// What of a lane is removed.
pub(super) struct Removal<'a> {
    context: &'a Context,
    lane: &'a LaneId,
    tip: Option<Sha>,
    /// The commit of the target that has the lane's work. One that was squashed or rebased does not hold its commits.
    landed: Option<Sha>,
    facts: Vec<Draft>,
    remarks: Vec<String>,
}

impl<'a> Removal<'a> {
    pub(super) fn new(context: &'a Context, lane: &'a LaneId, tip: Option<Sha>, landed: Option<Sha>) -> Self {
        Self { context, lane, tip, landed, facts: Vec::new(), remarks: Vec::new() }
    }

    /// What was kept, and what stayed with the reasons.
    pub(super) fn into_parts(self) -> (Vec<Draft>, Vec<String>) {
        (self.facts, self.remarks)
    }

    pub(super) fn worktrees(&mut self, ix: plan::LaneIx) {
        let root = &self.context.plan.places.worktrees;
        let own = self.context.index.tasks_of[ix].iter().flat_map(|&t| {
            let task = &self.context.plan.tasks[t].id;
            [
                plan::task_worktree(root, self.lane, task),
                plan::review_worktree(root, self.lane, task),
                plan::gate_worktree(root, self.lane, task),
            ]
        });
        let paths: Vec<_> =
            std::iter::once(self.context.lane(self.lane).worktree.clone()).chain(own).collect();
        for path in paths {
            match self.context.project.repo.reopen(&path) {
                Ok(Some(worktree)) => {
                    if let Err(error) = self.worktree(&worktree) {
                        self.say(&format!("{} stays", path.display()), &error);
                    }
                }
                Ok(None) => {}
                Err(error) => self.say(&format!("{} stays", path.display()), &error),
            }
        }
    }

    fn worktree(&mut self, worktree: &Worktree) -> Result<(), GitError> {
        let known: Vec<Sha> = self.tip.iter().cloned().collect();
        let what = format!("teardown/{}", worktree.name());
        if let Some(kept) = keep::worktree(self.context, worktree, &what, &self.reason(), &known)? {
            self.facts.push(Draft::world(Subject::lane(self.lane), kept));
        }
        self.context.project.repo.remove(worktree, &self.context.project.record.trash())?;
        Ok(())
    }

    fn reason(&self) -> String {
        format!("what lane {} held when it was removed", self.lane)
    }

    /// The lane loses its branches here and on origin; what is not in it is kept under a custody ref.
    pub(super) fn branches(&mut self) {
        let repo = &self.context.project.repo;
        let integration = format!("refs/heads/{}", self.context.lane(self.lane).branch);
        let prefix = integration.trim_end_matches("integration").to_owned();
        let found = match repo.list_refs(&prefix) {
            Ok(found) => found,
            Err(error) => return self.say("its branches stay", &error),
        };
        for (name, at) in found {
            if let Err(error) = self.branch(&name, &at) {
                self.say(&format!("{name} stays"), &error);
            }
        }
        if let (Some(remote), Some(tip)) = (self.context.push_remote(), self.tip.clone()) {
            let branch = &self.context.lane(self.lane).branch;
            let removed = match repo.remote_tip(remote, branch) {
                Ok(Some(there)) => match self.is_within(&there, &tip) {
                    Ok(true) => repo.delete_remote_branch(remote, branch, &there),
                    Ok(false) => {
                        let there = there.short();
                        let moved = format!("origin's {branch} stays: others have moved it to {there}");
                        self.remarks.push(moved);
                        Ok(())
                    }
                    Err(error) => Err(error),
                },
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = removed {
                self.say(&format!("origin's {branch} stays"), &error);
            }
        }
    }

    /// Whether a commit of origin's is the lane's tip, or one from before it, as not every tip is shown there; or whether it
    /// has landed, with what people had put on top.
    fn is_within(&self, there: &Sha, tip: &Sha) -> Result<bool, GitError> {
        let repo = &self.context.project.repo;
        if repo.resolve_commit(there.as_str())?.is_none() {
            return Ok(false);
        }
        let landed = self.landed.as_ref().map_or(Ok(false), |landed| repo.is_ancestor(there, landed));
        Ok(repo.is_ancestor(there, tip)? || landed?)
    }

    fn branch(&mut self, name: &str, at: &Sha) -> Result<(), GitError> {
        let repo = &self.context.project.repo;
        let held = match &self.landed {
            Some(landed) => repo.is_ancestor(at, landed)?,
            None => false,
        };
        if !held {
            let short = name.trim_start_matches("refs/heads/laneway/").replace('/', "-");
            let kept = keep::commit(self.context, at, &format!("branch/{short}"), &self.reason())?;
            self.facts.push(Draft::world(Subject::lane(self.lane), kept));
        }
        repo.delete_ref(name, at)
    }

    fn say(&mut self, what: &str, error: &GitError) {
        self.remarks.push(format!("{what}: {}", super::chain(error)));
    }
}
