//! Landing: merge in the object database, gate on the merged tree, look again, move the lane.

use std::sync::Arc;

use super::furnish::{Room, furnish};
use super::{Done, attempt, blocking, gate, git_failure, keep, origin, permanent, task_pr};
use crate::event::{
    CheckRecorded, CheckStatus, ConflictPredicted, CustodyKept, Draft, Effect, Failure, FailureKind,
    MergeRecorded, Subject, few, named,
};
use crate::git::{GitError, Merge, Worktree};
use crate::id::Sha;
use crate::plan::{self, TaskPlan};
use crate::runtime::Context;
use crate::runtime::brief::{AttemptBrief, Brief};
use crate::runtime::halt::AttemptKey;

/// What is to land.
#[derive(Clone)]
struct Candidate {
    commit: Sha,
    tree: Sha,
    worktree: Worktree,
    /// The lane has moved to it already, before the answer was lost.
    landed: bool,
}

/// Lands one attempt, in its lane's turn.
pub(super) async fn run(context: &Arc<Context>, brief: &Brief) -> Done {
    let Effect::Land { task, attempt, tip, commit } = &brief.effect else {
        return permanent("no landing".to_owned()).into();
    };
    let Some(known) = &brief.attempt else {
        return permanent(format!("attempt {attempt} of `{task}` is unknown")).into();
    };
    let task = context.task(task).clone();
    let subject = Subject::attempt(&task.lane, &task.id, *attempt);
    let landing = Landing { context, known, task, number: *attempt, tip, commit: commit.as_ref(), subject };
    if brief.resumed && landing.task.gate.is_some() {
        super::stop::unrecorded(context, landing.gate_tag()).await;
    }
    let mut facts = Vec::new();
    let shown = task_pr::show(&landing, &brief.effect.id(), &mut facts).await;
    if let Some(full) = task_pr::lacked_room(&facts) {
        return permanent(full).into();
    }
    let outcome = landing.go(&mut facts).await;
    if let Some(shown) = shown {
        task_pr::settle(&landing, &shown, outcome.as_ref().err(), &mut facts).await;
    }
    if let Some(full) = task_pr::lacked_room(&facts) {
        // What the next try finds done in the lane, it says again.
        return permanent(full).into();
    }
    match outcome {
        Ok(()) => Done::well(facts),
        Err(failure) => Done::failed(facts, failure),
    }
}

/// A landing under way.
pub(super) struct Landing<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) known: &'a AttemptBrief,
    pub(super) task: TaskPlan,
    pub(super) number: u32,
    pub(super) tip: &'a Sha,
    pub(super) commit: Option<&'a Sha>,
    pub(super) subject: Subject,
}

impl Landing<'_> {
    async fn go(&self, facts: &mut Vec<Draft>) -> Result<(), Failure> {
        let candidate = self.candidate(facts).await?;
        if candidate.landed {
            if self.task.gate.is_some() {
                // An earlier try may have failed on it, and the one that passed did not get to say so.
                self.check(facts, "gate", CheckStatus::Pass, "it has passed before the branch moved");
            }
            self.moved(&candidate, facts);
            return Ok(());
        }
        self.gate(&candidate, facts).await?;
        if self.commit.is_none() {
            return Ok(());
        }
        if self.context.is_halted(Some(&self.key())) {
            let message = format!("landing `{}` was called off", self.task.id);
            return Err(Failure { class: FailureKind::Transient, message, hint: None, retry_at: None });
        }
        let (context, tip, branch) = (Arc::clone(self.context), self.tip.clone(), self.branch());
        let (subject, landing) = (self.subject.clone(), candidate.clone());
        let (outcome, noted) = blocking(move || {
            let mut noted = Vec::new();
            let outcome = advance(&context, &branch, &tip, &landing, &mut noted, &subject);
            (outcome, noted)
        })
        .await;
        facts.extend(noted);
        outcome.map_err(|e| self.failed(&e))?;
        self.moved(&candidate, facts);
        Ok(())
    }

    /// The merge of lane and work, checked out where the attempt worked.
    async fn candidate(&self, facts: &mut Vec<Draft>) -> Result<Candidate, Failure> {
        let (context, tip, commit) = (Arc::clone(self.context), self.tip.clone(), self.commit.cloned());
        let path = attempt::place_of(self.context, &self.task, self.known.attempt.place);
        let (message, branch, mark) = (self.message(), self.branch(), self.mark());
        let pristine = !self.must_run(None);
        let what = format!("landing/{}/{}", self.task.id, self.number);
        let reason =
            format!("what stood in the lane before attempt {} of {} landed", self.number, self.task.id);
        let (subject, lane) = (self.subject.clone(), self.task.lane.clone());
        let build =
            move |noted: &mut Vec<Draft>| -> Result<Result<Candidate, (Vec<String>, String)>, GitError> {
                let repo = &context.project.repo;
                let worktree = super::provision::worktree(&context, &lane, &path, &tip)?;
                let Some(commit) = commit else {
                    let tree = repo.tree_of(&tip)?;
                    return Ok(Ok(Candidate { commit: tip, tree, worktree, landed: false }));
                };
                if let Some(found) = repo.read_ref(&format!("refs/heads/{branch}"))?.filter(|f| *f != tip)
                    && repo.parents(&found)?.first() == Some(&tip)
                    && repo.commit_message(&found)?.contains(&mark)
                {
                    let tree = repo.tree_of(&found)?;
                    return Ok(Ok(Candidate { commit: found, tree, worktree, landed: true }));
                }
                let parents = [tip, commit.clone()];
                let made = repo.unpruned(|| match repo.merge(&parents[0], &commit)? {
                    Merge::Clean { tree, .. } => {
                        Ok(Ok((repo.commit_tree(&tree, &parents, &message, &context.author)?, tree)))
                    }
                    Merge::Conflict { paths, detail, .. } => Ok(Err((paths, detail))),
                })?;
                let (merged, tree) = match made {
                    Ok(made) => made,
                    Err(conflict) => return Ok(Err(conflict)),
                };
                if !pristine {
                    // A person may have worked there since the work was collected.
                    let known = [commit, merged.clone()];
                    let (kept, set) =
                        keep::worktree_then_set(&context, &worktree, (&what, &reason), &known, &merged)?;
                    noted.extend(kept.map(|kept| Draft::world(subject, kept)));
                    set?;
                }
                Ok(Ok(Candidate { commit: merged, tree, worktree, landed: false }))
            };
        let (made, noted) = blocking(move || {
            let mut noted = Vec::new();
            let made = build(&mut noted);
            (made, noted)
        })
        .await;
        facts.extend(noted);
        made.map_err(|e| self.failed(&e))?.map_err(|(paths, detail)| {
            let lane = &self.task.lane;
            let message = format!("its work and lane `{lane}` both changed {}", few(&paths, 0));
            let event = ConflictPredicted::over(format!("lane {lane}"), paths, detail);
            facts.push(Draft::world(self.subject.clone(), event));
            self.check(facts, "merge", CheckStatus::Fail, &message);
            Failure { class: FailureKind::Conflict, message, hint: None, retry_at: None }
        })
    }

    /// Runs the gate on the candidate's tree, unless that very tree has passed it.
    async fn gate(&self, candidate: &Candidate, facts: &mut Vec<Draft>) -> Result<(), Failure> {
        let Some(gate) = &self.task.gate else {
            return Ok(());
        };
        if !self.must_run(Some(&candidate.tree)) {
            self.check(facts, "gate", CheckStatus::Pass, "this tree has passed it before");
            return Ok(());
        }
        let fresh = if gate.fresh { Some(self.pristine(candidate, facts).await?) } else { None };
        let place = fresh.as_ref().unwrap_or(&candidate.worktree);
        let mut given = attempt::given(self.context, &self.task, self.number, self.tip);
        given.retain(|(name, _)| name != "LANEWAY_SIGNALS");
        given.extend(self.task.env.iter().map(|(k, v)| (k.into(), v.into())));
        let setting = gate::Setting {
            lane: &place.path,
            log: self.context.attempt_record(&self.task.id, self.number).join("gate.log"),
            attempt: Some(self.key()),
            tag: self.gate_tag(),
            given,
        };
        let ran = gate::run(self.context, gate, &setting).await;
        if let Some(fresh) = fresh.clone() {
            match self.discard(fresh, &candidate.commit).await {
                Ok(kept) => facts.extend(kept),
                Err(error) => tracing::warn!(%error, "a pristine worktree could not be removed"),
            }
        }
        let mut check = ran?;
        if gate.fresh && check.status == CheckStatus::Pass {
            "in a pristine worktree".clone_into(&mut check.detail);
        }
        let passed = check.status == CheckStatus::Pass;
        let why = check.detail.lines().next().unwrap_or_default().to_owned();
        facts.push(Draft::world(self.subject.clone(), check));
        if fresh.is_none() {
            self.look_again(candidate, facts).await?;
        }
        if passed {
            Ok(())
        } else {
            Err(Failure { class: FailureKind::Work, message: why, hint: None, retry_at: None })
        }
    }

    /// What a gate changed in tracked files is said, and never merged; a HEAD that it moved speaks against it.
    async fn look_again(&self, candidate: &Candidate, facts: &mut Vec<Draft>) -> Result<(), Failure> {
        let (context, at) = (Arc::clone(self.context), candidate.clone());
        let (head, dirty) = blocking(move || {
            let repo = &context.project.repo;
            Ok((repo.head(&at.worktree)?.sha, repo.tree_state(&at.worktree, &at.commit)?))
        })
        .await
        .map_err(|e: GitError| self.failed(&e))?;
        if head != candidate.commit {
            let detail = format!("the gate moved HEAD to {}", head.short());
            self.check(facts, "head", CheckStatus::Fail, &detail);
            return Err(Failure { class: FailureKind::Work, message: detail, hint: None, retry_at: None });
        }
        let changed: Vec<&str> = dirty
            .files
            .iter()
            .filter(|f| f.kind != crate::git::DirtyKind::Untracked)
            .map(|f| f.path.as_str())
            .collect();
        if !changed.is_empty() {
            let detail = format!("the gate changed tracked files, which are not merged: {}", named(&changed));
            self.check(facts, "gate-changes", CheckStatus::Warn, &detail);
        }
        Ok(())
    }

    /// Removes a pristine worktree; what the gate left there is kept first.
    async fn discard(&self, fresh: Worktree, commit: &Sha) -> Result<Option<Draft>, GitError> {
        let (context, commit, subject) = (Arc::clone(self.context), commit.clone(), self.subject.clone());
        let what = format!("gate/{}/{}", self.task.id, self.number);
        let reason = format!("what the gate of {} left", self.task.id);
        blocking(move || {
            let kept = keep::worktree(&context, &fresh, &what, &reason, &[commit])?;
            context.project.repo.remove(&fresh, &context.project.record.trash())?;
            Ok(kept.map(|kept| Draft::world(subject, kept)))
        })
        .await
    }

    async fn pristine(&self, candidate: &Candidate, facts: &mut Vec<Draft>) -> Result<Worktree, Failure> {
        let path = plan::gate_worktree(&self.context.plan.places.worktrees, &self.task.lane, &self.task.id);
        let context = Arc::clone(self.context);
        let commit = candidate.commit.clone();
        let place = path.clone();
        let left =
            blocking(move || context.project.repo.reopen(&place)).await.map_err(|e| self.failed(&e))?;
        if let Some(left) = left {
            facts.extend(self.discard(left, &commit).await.map_err(|e| self.failed(&e))?);
        }
        let context = Arc::clone(self.context);
        let lane = self.task.lane.clone();
        let made = blocking(move || {
            let worktree = super::provision::whole(&context, &lane, &path, &commit)?;
            // Files that lanes share may have been changed by one of them; what the gate judges is what is merged.
            context.project.repo.set_to(&worktree, &commit)?;
            Ok(worktree)
        });
        let worktree = made.await.map_err(|e: GitError| self.failed(&e))?;
        let room = Room {
            lane: self.task.lane.clone(),
            worktree: worktree.clone(),
            at: candidate.commit.clone(),
            attempt: Some(self.key()),
        };
        // What came of it was said when the lane got the same.
        furnish(self.context, &room, &mut Vec::new()).await?;
        Ok(worktree)
    }

    /// A person has put on origin what landed here as `commit`: the lane goes on from both, and it is said where that could not be
    /// shown on origin. `None` where origin's branch holds anything but `tree`, or did not begin where the lane stood.
    pub(super) async fn go_on_from(
        &self,
        commit: &Sha,
        tree: &Sha,
    ) -> Result<Option<(Sha, Option<Failure>)>, Failure> {
        let (context, lane, branch) = (Arc::clone(self.context), self.task.lane.clone(), self.branch());
        let (tip, commit, tree, message) = (self.tip.clone(), commit.clone(), tree.clone(), self.message());
        let doing = self.failed_by();
        blocking(move || {
            let Some(there) = origin::continues(&context, &lane, &tip, &tree).map_err(&doing)? else {
                return Ok(None);
            };
            let repo = &context.project.repo;
            let parents = [tip, there];
            let both = repo.commit_tree(&tree, &parents, &message, &context.author).map_err(&doing)?;
            repo.sync_objects(&both, &parents).map_err(&doing)?;
            repo.advance(&format!("refs/heads/{branch}"), Some(&commit), &both).map_err(&doing)?;
            let unpushed = origin::push(&context, &lane, &both).err().map(|unpushed| unpushed.failure);
            Ok(Some((both, unpushed)))
        })
        .await
    }

    /// Whether the gate has to run on `tree`; with no tree at hand, whether there is one to run.
    fn must_run(&self, tree: Option<&Sha>) -> bool {
        let Some(gate) = &self.task.gate else { return false };
        let command = gate.command.to_string();
        gate.fresh
            || tree.is_none_or(|tree| !self.known.gated.iter().any(|(t, c)| t == tree && *c == command))
    }

    fn moved(&self, candidate: &Candidate, facts: &mut Vec<Draft>) {
        let event = MergeRecorded {
            branch: self.branch(),
            from: self.tip.clone(),
            to: candidate.commit.clone(),
            tree: candidate.tree.clone(),
        };
        facts.push(Draft::world(self.subject.clone(), event));
    }

    pub(super) fn branch(&self) -> String {
        self.context.lane(&self.task.lane).branch.clone()
    }

    pub(super) fn key(&self) -> AttemptKey {
        (self.task.id.clone(), self.number)
    }

    fn gate_tag(&self) -> String {
        format!("{}/gate", attempt::tag(self.context, &self.task.id, self.number, 0))
    }

    fn mark(&self) -> String {
        format!(
            "Laneway-Run: {}\nLaneway-Task: {}\nLaneway-Attempt: {}\n",
            self.context.plan.uuid, self.task.id, self.number
        )
    }

    fn message(&self) -> String {
        let gate = self
            .task
            .gate
            .as_ref()
            .map(|g| format!("Laneway-Gate: {}\n", g.command.to_string().replace('\n', " ")));
        let summary =
            self.known.attempt.claims.done.as_ref().map(|(_, text)| {
                format!("Laneway-Summary: sha256:{}\n", crate::signal::digest(text.as_bytes()))
            });
        format!(
            "Land {}/{}\n\n{}{}{}",
            self.task.lane,
            self.task.id,
            self.mark(),
            gate.unwrap_or_default(),
            summary.unwrap_or_default()
        )
    }

    pub(super) fn check(&self, facts: &mut Vec<Draft>, name: &str, status: CheckStatus, detail: &str) {
        let event =
            CheckRecorded { name: name.to_owned(), status, detail: detail.to_owned(), duration_ms: 0 };
        facts.push(Draft::world(self.subject.clone(), event));
    }

    fn failed(&self, error: &GitError) -> Failure {
        git_failure(&format!("landing `{}`", self.task.id), error)
    }

    fn failed_by(&self) -> impl Fn(GitError) -> Failure + Send + 'static {
        let doing = format!("landing `{}`", self.task.id);
        move |error| git_failure(&doing, &error)
    }
}

fn advance(
    context: &Context,
    branch: &str,
    tip: &Sha,
    candidate: &Candidate,
    facts: &mut Vec<Draft>,
    subject: &Subject,
) -> Result<(), GitError> {
    let repo = &context.project.repo;
    repo.sync_objects(&candidate.commit, std::slice::from_ref(tip))?;
    restore_branch(context, branch, tip, facts, subject)?;
    repo.advance(&format!("refs/heads/{branch}"), Some(tip), &candidate.commit)?;
    Ok(())
}

/// An integration branch that somebody else moved is kept, and set back to where the lane stands.
pub(super) fn restore_branch(
    context: &Context,
    branch: &str,
    tip: &Sha,
    facts: &mut Vec<Draft>,
    subject: &Subject,
) -> Result<(), GitError> {
    let repo = &context.project.repo;
    let reference = format!("refs/heads/{branch}");
    let found = repo.read_ref(&reference)?;
    if found.as_ref() == Some(tip) {
        return Ok(());
    }
    if let Some(found) = &found {
        let kept = plan::custody_ref(
            &context.plan.graph,
            context.plan.run,
            &format!("moved/{}/{}", branch.replace('/', "-"), found.short()),
        );
        if repo.read_ref(&kept)?.is_none() {
            repo.set_ref(&kept, found, None)?;
        }
        let reason = format!("`{branch}` was moved by other hands than Laneway's");
        facts.push(Draft::world(
            subject.clone(),
            CustodyKept { reference: kept, commit: found.clone(), reason },
        ));
    }
    repo.advance(&reference, found.as_ref(), tip)?;
    Ok(())
}
