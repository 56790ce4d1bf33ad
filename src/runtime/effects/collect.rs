//! What an attempt left becomes a commit, with evidence for and against it.

mod delivered;
mod surroundings;

use std::collections::BTreeSet;

use super::{Done, attempt, git_failure, keep, tracker};
use crate::event::{
    CHECK_PROGRESS, CheckRecorded, CheckStatus, DiffRecorded, DiffStat, Draft, Event, Failure, Subject,
    WorkCollected, named,
};
use crate::git::{Change, DiffFile, GitError, Repo, Worktree};
use crate::graph::{CommitPolicy, DiffPolicy};
use crate::id::{Sha, TaskId};
use crate::plan::{self, Scope, TaskPlan};
use crate::runtime::Context;
use crate::runtime::brief::{AttemptBrief, Brief};

/// Files of a diff that the record names.
const FILES_NAMED: usize = 200;

/// Looks at the worktree of the attempt.
pub(super) fn run(context: &Context, brief: &Brief, task: &TaskId, number: u32) -> Done {
    let Some(known) = &brief.attempt else {
        return super::permanent(format!("attempt {number} of `{task}` is unknown")).into();
    };
    let task = context.task(task);
    let mut look = Look {
        context,
        repo: &context.project.repo,
        task,
        known,
        subject: Subject::attempt(&task.lane, &task.id, number),
        facts: Vec::new(),
        is_left_out: false,
    };
    match look.over() {
        Ok(()) => Done::well(look.facts),
        Err(failure) => Done::failed(look.facts, failure),
    }
}

struct Look<'a> {
    context: &'a Context,
    repo: &'a Repo,
    task: &'a TaskPlan,
    known: &'a AttemptBrief,
    subject: Subject,
    facts: Vec<Draft>,
    /// Whether changes are kept that no commit has.
    is_left_out: bool,
}

impl Look<'_> {
    fn over(&mut self) -> Result<(), Failure> {
        let Some(start) = self.known.attempt.start.clone() else {
            return Ok(());
        };
        if self.task.diff == DiffPolicy::None {
            self.judge_outputs(&start)?;
            self.fact(WorkCollected { commit: None });
            return Ok(());
        }
        let path = attempt::place_of(self.context, self.task, self.known.attempt.place);
        let found = self.repo.reopen(&path).map_err(|e| self.failed(&e))?;
        let Some(worktree) = found else {
            self.check("worktree", CheckStatus::Fail, "the agent removed its worktree from git");
            return Ok(());
        };
        self.judge_surroundings(&worktree, &start)?;
        if !path.exists() {
            self.check("worktree", CheckStatus::Fail, "the agent deleted its lane");
            return self.keep_head(&worktree, &start);
        }
        if !path.join(".git").exists() {
            self.check("worktree", CheckStatus::Fail, "the agent deleted the `.git` of its lane");
        }
        if let Some(what) = worktree.unfinished() {
            self.check("finished", CheckStatus::Fail, &format!("the agent left {what} half done"));
            return self.keep(&worktree, &start);
        }
        let head = match self.repo.head(&worktree) {
            Ok(head) => head,
            Err(GitError::HeadUnborn { found, .. }) => {
                self.check("base", CheckStatus::Fail, &format!("HEAD of the lane names no commit ({found})"));
                return self.keep(&worktree, &start);
            }
            Err(error) => return Err(self.failed(&error)),
        };
        if let Some(branch) = &head.branch {
            self.check(
                "branch",
                CheckStatus::Warn,
                &format!("the agent worked on a branch of its own, `{branch}`"),
            );
        }
        if !self.repo.is_ancestor(&start, &head.sha).map_err(|e| self.failed(&e))? {
            let detail = format!(
                "the work at {} does not descend from the lane's {}",
                head.sha.short(),
                start.short()
            );
            self.check("base", CheckStatus::Fail, &detail);
            return self.keep(&worktree, &start);
        }
        self.check("base", CheckStatus::Pass, "");
        if !self.judge_brought(&worktree, &start, &head.sha)? {
            return self.keep(&worktree, &start);
        }
        let commit = self.committed(&worktree, &head.sha)?;
        self.judge_left_out(&worktree, &commit)?;
        self.judge_diff(&start, &commit)?;
        match &head.branch {
            Some(branch) => self.remove_branch(&worktree, branch, &commit),
            None => Ok(()),
        }
    }

    /// A branch that the agent made up has served its purpose: its commits are kept, its name is not.
    fn remove_branch(&mut self, worktree: &Worktree, branch: &str, commit: &Sha) -> Result<(), Failure> {
        if self.context.branches.contains(branch) || branch.starts_with("laneway/") {
            return Ok(());
        }
        let name = format!("refs/heads/{branch}");
        let Some(at) = self.repo.read_ref(&name).map_err(|e| self.failed(&e))? else {
            return Ok(());
        };
        self.hold(
            &format!("made-up/{}/{}", self.task.id, self.known.attempt.number),
            &at,
            &format!("the agent's branch {branch}"),
        )?;
        self.repo.set_to(worktree, commit).map_err(|e| self.failed(&e))?;
        match self.repo.delete_ref(&name, &at) {
            Ok(()) | Err(GitError::CheckoutBusy { .. } | GitError::RefMoved { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A lane whose files are gone still has its commits.
    fn keep_head(&mut self, worktree: &Worktree, start: &Sha) -> Result<(), Failure> {
        match self.repo.head(worktree) {
            Ok(head) if head.sha != *start => {
                let what = format!("attempt/{}/{}", self.task.id, self.known.attempt.number);
                self.hold(&what, &head.sha, "commits of a lane that its agent deleted")
            }
            Ok(_) | Err(GitError::HeadUnborn { .. }) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Puts a commit under a custody ref.
    fn hold(&mut self, what: &str, commit: &Sha, reason: &str) -> Result<(), Failure> {
        let kept = keep::commit(self.context, commit, what, reason).map_err(|e| self.failed(&e))?;
        self.fact(kept);
        Ok(())
    }

    /// The attempt's commit: HEAD, and on top of it what was left uncommitted.
    fn committed(&mut self, worktree: &Worktree, head: &Sha) -> Result<Sha, Failure> {
        match self.task.commit {
            CommitPolicy::Auto => {
                let message = self.message();
                match self.repo.commit_all(worktree, head, &message, &self.context.author) {
                    Ok(commit) => Ok(commit.unwrap_or_else(|| head.clone())),
                    Err(GitError::NestedRepositories { paths }) => {
                        let detail = format!(
                            "a git repository inside the lane cannot be committed: {}",
                            named(&paths)
                        );
                        self.check("clean", CheckStatus::Fail, &detail);
                        self.keep_uncommitted(worktree, head)?;
                        Ok(head.clone())
                    }
                    Err(GitError::SubmoduleDirty { paths }) => {
                        let detail =
                            format!("changes in a submodule are not committed there: {}", named(&paths));
                        self.check("clean", CheckStatus::Fail, &detail);
                        self.keep_uncommitted(worktree, head)?;
                        Ok(head.clone())
                    }
                    Err(error) => Err(self.failed(&error)),
                }
            }
            CommitPolicy::Agent => {
                let dirty = self.repo.tree_state(worktree, head).map_err(|e| self.failed(&e))?;
                if dirty.is_clean() {
                    self.check("clean", CheckStatus::Pass, "");
                } else {
                    let paths: Vec<&str> = dirty.files.iter().map(|f| f.path.as_str()).collect();
                    let detail = format!("the agent left changes uncommitted: {}", named(&paths));
                    self.check("clean", CheckStatus::Fail, &detail);
                    self.keep_uncommitted(worktree, head)?;
                }
                Ok(head.clone())
            }
        }
    }

    fn message(&self) -> String {
        let attempt = &self.known.attempt;
        let said =
            attempt.claims.done.as_ref().and_then(|(_, text)| text.lines().next()).unwrap_or_default().trim();
        let what = self.task.description.as_deref().unwrap_or(self.task.id.as_str());
        let subject = if said.is_empty() { what } else { said };
        let subject: String = subject.lines().next().unwrap_or_default().chars().take(72).collect();
        format!(
            "{subject}\n\nLaneway-Run: {}\nLaneway-Task: {}\nLaneway-Attempt: {}\n",
            self.context.plan.uuid, self.task.id, attempt.number
        )
    }

    /// The change against where the lane stands, over all attempts: one that only had to say `done` about the work of
    /// the one before it has a diff too.
    fn judge_diff(&mut self, start: &Sha, commit: &Sha) -> Result<(), Failure> {
        let base = self.diff_base(start, commit)?;
        let files = if base == *commit {
            Vec::new()
        } else {
            self.repo.diff(&base, commit).map_err(|e| self.failed(&e))?
        };
        self.fact(recorded(&base, commit, &files));
        self.judge_progress(commit);
        if files.is_empty() {
            let (status, detail) = match self.task.diff {
                DiffPolicy::Required if self.is_claimed() && !self.is_left_out => {
                    (CheckStatus::Fail, "nothing was changed; set diff = \"optional\" where that is fine")
                }
                _ if self.is_left_out => {
                    (CheckStatus::Skip, "nothing was committed; what was changed is kept in custody")
                }
                _ => (CheckStatus::Skip, "nothing was changed"),
            };
            self.check("diff", status, detail);
        } else {
            self.judge_files(&files)?;
        }
        self.judge_record(&files);
        self.judge_outputs(commit)?;
        if files.is_empty() && self.known.attempt.resolves.is_none() {
            self.fact(WorkCollected { commit: None });
            return Ok(());
        }
        self.judge_conflict(commit)?;
        self.put_branch(commit)?;
        self.fact(WorkCollected { commit: Some(commit.clone()) });
        Ok(())
    }

    /// A loop's tracker is its own to change, and no work.
    fn judge_files(&mut self, files: &[DiffFile]) -> Result<(), Failure> {
        let tracker = tracker::of(self.task).and_then(|repeat| repeat.tracker.as_deref());
        let work: Vec<&DiffFile> = files.iter().filter(|f| Some(f.path.as_str()) != tracker).collect();
        if work.is_empty() && self.task.diff == DiffPolicy::Required && self.is_claimed() {
            self.check("diff", CheckStatus::Fail, "nothing was changed but the tracker");
        } else {
            self.check("diff", CheckStatus::Pass, "");
        }
        self.judge_cone(&work);
        self.judge_scope(&work)
    }

    /// The task's branch shows the work.
    fn put_branch(&mut self, commit: &Sha) -> Result<(), Failure> {
        let branch = self.task_branch();
        let old = self.repo.read_ref(&branch).map_err(|e| self.failed(&e))?;
        if old.as_ref() != Some(commit) {
            if let Some(old) = &old
                && !self.repo.is_ancestor(old, commit).map_err(|e| self.failed(&e))?
            {
                let what = format!("taken-over/{}/{}", self.task.id, self.known.attempt.number);
                self.hold(&what, old, "a branch by the name of the task's own, which stood there before")?;
            }
            self.repo.advance(&branch, old.as_ref(), commit).map_err(|e| self.failed(&e))?;
        }
        Ok(())
    }

    /// What the work is a change of: where it left the lane, or the merge with conflicts that it was given to resolve.
    fn diff_base(&self, start: &Sha, commit: &Sha) -> Result<Sha, Failure> {
        if let Some(resolves) = &self.known.attempt.resolves {
            return Ok(resolves.marked.clone());
        }
        let tip = self.known.tip.as_ref().unwrap_or(start);
        let base = self.repo.merge_base(tip, commit).map_err(|e| self.failed(&e))?;
        Ok(base.unwrap_or_else(|| start.clone()))
    }

    /// An attempt that was given a merge with conflicts has to have resolved them.
    fn judge_conflict(&mut self, commit: &Sha) -> Result<(), Failure> {
        let Some(resolves) = &self.known.attempt.resolves else { return Ok(()) };
        let paths = self.in_conflict()?;
        let left = self.repo.still_marked(&resolves.marked, commit, &paths).map_err(|e| self.failed(&e))?;
        if left.is_empty() {
            self.check("conflict", CheckStatus::Pass, "");
        } else {
            let detail = format!("conflict markers are left in {}", named(&left));
            self.check("conflict", CheckStatus::Fail, &detail);
        }
        Ok(())
    }

    /// The files of the conflict that the attempt is to resolve. The record names as many as it has room for; where there
    /// are more, any file that the other side changed may be one.
    fn in_conflict(&self) -> Result<Vec<String>, Failure> {
        let Some(resolves) = &self.known.attempt.resolves else { return Ok(Vec::new()) };
        if resolves.conflict.more == 0 {
            return Ok(resolves.conflict.paths.clone());
        }
        let files = self.repo.diff(&resolves.tip, &resolves.marked).map_err(|e| self.failed(&e))?;
        Ok(files.into_iter().map(|file| file.path).collect())
    }

    /// Whether one process of a loop left anything that the one before it had not.
    fn judge_progress(&mut self, commit: &Sha) {
        let Some(repeat) = tracker::of(self.task) else { return };
        if self.known.attempt.is_claimed(&self.task.work) {
            return;
        }
        let attempt = &self.known.attempt;
        let record = self.context.attempt_record(&self.task.id, attempt.number);
        let lane = attempt::place_of(self.context, self.task, attempt.place);
        let noted = repeat.tracker.as_ref().is_some_and(|path| tracker::changed(&record, &lane, path));
        if attempt.from.as_ref() == Some(commit) && !noted {
            self.check(CHECK_PROGRESS, CheckStatus::Skip, "the iteration changed nothing");
        } else {
            self.check(CHECK_PROGRESS, CheckStatus::Pass, "");
        }
    }

    /// Whether the attempt says that it is done, so that its evidence is asked for.
    fn is_claimed(&self) -> bool {
        let attempt = &self.known.attempt;
        let ran = matches!(self.task.work, plan::Work::Run { .. });
        let called_off = attempt.stop.is_some_and(|s| s != crate::event::StopReason::Claimed);
        !called_off
            && (ran || attempt.is_claimed(&self.task.work))
            && attempt.failed_checks().next().is_none()
    }

    fn judge_scope(&mut self, files: &[&DiffFile]) -> Result<(), Failure> {
        let scope = Scope::new(&self.task.writes);
        if !scope.is_declared() {
            return Ok(());
        }
        let given: BTreeSet<String> = self.in_conflict()?.into_iter().collect();
        let paths = files.iter().flat_map(|f| std::iter::once(&f.path).chain(&f.old_path));
        // The record that was asked for may be written whatever else may.
        let adr = self.task.contract.adr.as_ref();
        let held = |path: &String| {
            scope.holds(path) || given.contains(path) || adr.is_some_and(|adr| adr.holds(path))
        };
        let outside: Vec<&str> = paths.filter(|path| !held(path)).map(String::as_str).collect();
        if outside.is_empty() {
            self.check("writes", CheckStatus::Pass, "");
        } else {
            let detail = format!("it changed paths outside its `writes`: {}", named(&outside));
            self.check("writes", CheckStatus::Fail, &detail);
        }
        Ok(())
    }

    /// Puts what cannot be collected where it can be brought back from.
    fn keep(&mut self, worktree: &Worktree, start: &Sha) -> Result<(), Failure> {
        let number = self.known.attempt.number;
        let what = format!("attempt/{}/{number}", self.task.id);
        let reason = format!("work of attempt {number} of {} that was not taken", self.task.id);
        self.keep_as(worktree, &what, &reason, start)
    }

    /// Keeps the uncommitted files of work that was collected, for the process that goes on from it.
    fn keep_uncommitted(&mut self, worktree: &Worktree, head: &Sha) -> Result<(), Failure> {
        let attempt = &self.known.attempt;
        let what = keep::uncommitted(&self.task.id, attempt.number, attempt.iteration);
        let reason = format!("uncommitted files of attempt {} of {}", attempt.number, self.task.id);
        self.note_nested(worktree, head)?;
        self.is_left_out = true;
        self.keep_as(worktree, &what, &reason, head)
    }

    fn keep_as(&mut self, worktree: &Worktree, what: &str, reason: &str, known: &Sha) -> Result<(), Failure> {
        let kept = keep::worktree(self.context, worktree, what, reason, std::slice::from_ref(known));
        if let Some(kept) = kept.map_err(|e| self.failed(&e))? {
            self.fact(kept);
        }
        Ok(())
    }

    fn task_branch(&self) -> String {
        let plan = &self.context.plan;
        let name = plan::task_branch(
            &plan.graph,
            plan.run,
            &self.task.lane,
            &self.task.id,
            self.known.attempt.number,
        );
        format!("refs/heads/{name}")
    }

    fn check(&mut self, name: &str, status: CheckStatus, detail: &str) {
        self.fact(CheckRecorded { name: name.to_owned(), status, detail: detail.to_owned(), duration_ms: 0 });
    }

    fn fact(&mut self, event: impl Into<Event>) {
        self.facts.push(Draft::world(self.subject.clone(), event));
    }

    fn failed(&self, error: &GitError) -> Failure {
        git_failure(&format!("looking at what `{}` left", self.task.id), error)
    }
}

/// A diff as the record holds it.
pub(super) fn recorded(base: &Sha, head: &Sha, files: &[DiffFile]) -> DiffRecorded {
    let stat = DiffStat {
        files: files.len() as u64,
        additions: files.iter().map(|f| f.additions).sum(),
        deletions: files.iter().map(|f| f.deletions).sum(),
    };
    let files = files.iter().take(FILES_NAMED).map(file).collect();
    DiffRecorded { base: base.clone(), head: head.clone(), stat, files }
}

/// A changed file as the record holds it.
pub(super) fn file(file: &DiffFile) -> crate::event::DiffFile {
    crate::event::DiffFile {
        path: file.path.clone(),
        change: match file.change {
            Change::Added => "added",
            Change::Modified => "modified",
            Change::Deleted => "deleted",
            Change::Renamed => "renamed",
            Change::TypeChanged => "type_changed",
        }
        .to_owned(),
        additions: file.additions,
        deletions: file.deletions,
        binary: file.binary,
        old_path: file.old_path.clone(),
    }
}
