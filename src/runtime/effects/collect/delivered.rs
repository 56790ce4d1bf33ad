//! What a task must deliver beside its change: declared outputs, a decision record.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::Look;
use crate::event::{CheckStatus, Failure, Output, OutputsRecorded, named};
use crate::git::{Change, DiffFile, Worktree};
use crate::graph::ExpectedOutput;
use crate::id::{Category, Sha};
use crate::runtime::effects::{attempt, chain, permanent};
use crate::signal::{self, OutputItem, Outputs};

impl Look<'_> {
    /// A file that the lane does not hold was not deleted by anyone who has seen it: a git that did not know of the sparse
    /// checkout has taken it for missing.
    pub(super) fn judge_cone(&mut self, work: &[&DiffFile]) {
        let shape = self.context.shape(&self.task.lane);
        let unseen = |file: &&&DiffFile| file.change == Change::Deleted && !shape.holds(&file.path);
        let deleted: Vec<&str> = work.iter().filter(unseen).map(|file| file.path.as_str()).collect();
        if !deleted.is_empty() {
            let detail =
                format!("files were deleted that lie outside of the lane's `sparse`: {}", named(&deleted));
            self.check("sparse", CheckStatus::Fail, &detail);
        }
    }

    /// What the lane was furnished with, such as a copied `.env`, is for no commit. Says whether none has any; work that does is
    /// not gone on from, as all its commits would be pushed.
    pub(super) fn judge_brought(
        &mut self,
        worktree: &Worktree,
        start: &Sha,
        head: &Sha,
    ) -> Result<bool, Failure> {
        let target = &self.context.lane(&self.task.lane).target;
        let public = self.repo.branch_tip(target).map_err(|e| self.failed(&e))?;
        let added = self.repo.brought_in(worktree, start, head, public.as_ref());
        let added = added.map_err(|e| self.failed(&e))?;
        if !added.is_empty() {
            let detail = format!(
                "commits hold files that Laneway copied or set up in the lane, which were ignored: {}",
                named(&added)
            );
            self.check("brought", CheckStatus::Fail, &detail);
        }
        Ok(added.is_empty())
    }

    /// Names what it was furnished with that a commit of all its files would have held, had it not been left out.
    pub(super) fn judge_left_out(&mut self, worktree: &Worktree, commit: &Sha) -> Result<(), Failure> {
        let left = self.repo.brought_left(worktree, commit).map_err(|e| self.failed(&e))?;
        if !left.is_empty() {
            let detail = format!(
                "no longer ignored, and left uncommitted, as Laneway copied or set it up in the lane: {}",
                named(&left)
            );
            self.check("brought", CheckStatus::Warn, &detail);
        }
        Ok(())
    }

    /// Whether the outputs that the task must declare were declared and are in `commit`.
    pub(super) fn judge_outputs(&mut self, commit: &Sha) -> Result<(), Failure> {
        let expected = &self.task.contract.outputs;
        if expected.is_empty() || !self.is_claimed() {
            return Ok(());
        }
        let declared = self.declared()?;
        let mut outputs = BTreeMap::new();
        let mut wrong = Vec::new();
        for expected in expected {
            let found: Vec<Output> =
                declared.0.get(expected.category.as_str()).into_iter().flatten().map(output).collect();
            wrong.extend(miscounted(expected, found.len()));
            let paths: Vec<String> = found.iter().filter_map(path).collect();
            let missing = self.repo.missing_paths(commit, &paths).map_err(|e| self.failed(&e))?;
            wrong.extend(absent(&expected.category, &missing));
            outputs.insert(expected.category.clone(), found);
        }
        if wrong.is_empty() {
            self.check("outputs", CheckStatus::Pass, "");
            self.fact(OutputsRecorded { outputs });
        } else {
            let refused = self.known.attempt.rejected.iter().find(|(name, _)| name == "outputs.json");
            wrong.extend(refused.map(|(_, why)| format!("its outputs.json was not accepted: {why}")));
            self.check("outputs", CheckStatus::Fail, &wrong.join("; "));
        }
        Ok(())
    }

    /// What the attempt's last process declared, from the seal of its signals.
    fn declared(&self) -> Result<Outputs, Failure> {
        let attempt = &self.known.attempt;
        let sealed = attempt::sealed_place(self.context, &self.task.id, attempt.number, attempt.iteration);
        let found = signal::sealed_outputs(&sealed).map_err(|e| {
            permanent(format!("the outputs of `{}` could not be read: {}", self.task.id, chain(&e)))
        })?;
        Ok(found.unwrap_or_default())
    }

    /// Whether the decision record that was asked for is in the change.
    pub(super) fn judge_record(&mut self, files: &[DiffFile]) {
        let Some(adr) = &self.task.contract.adr else { return };
        // One whose work has landed before has only a conflict to resolve now; its record is in the lane.
        if self.known.landed_before {
            return;
        }
        if files.iter().any(|file| adr.holds(&file.path) && file.change != Change::Deleted) {
            self.check("adr", CheckStatus::Pass, "");
        } else if self.is_claimed() {
            let detail =
                format!("it was to write a decision record into {}/, and its change has none", adr.folder);
            self.check("adr", CheckStatus::Fail, &detail);
        }
    }
}

fn miscounted(expected: &ExpectedOutput, found: usize) -> Option<String> {
    let ExpectedOutput { category, min, max } = expected;
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if found < *min {
        return Some(format!(
            "it declared {found} of the {min} outputs of category `{category}`; `laneway signal output {category} PATH` declares one"
        ));
    }
    let max = max.filter(|max| found > *max)?;
    Some(format!("it declared {found} outputs of category `{category}`, and {max} are the most"))
}

fn absent(category: &Category, missing: &[String]) -> Option<String> {
    let paths: Vec<&str> = missing.iter().map(String::as_str).collect();
    (!paths.is_empty())
        .then(|| format!("it declared as `{category}` what its commit does not have: {}", named(&paths)))
}

fn output(item: &OutputItem) -> Output {
    match item {
        OutputItem::Path(path) => Output::Path(normal(path)),
        OutputItem::Value(value) => Output::Value(value.clone()),
    }
}

fn path(output: &Output) -> Option<String> {
    match output {
        Output::Path(path) => Some(path.clone()),
        Output::Value(_) => None,
    }
}

/// A declared path as git writes it: without `.` and doubled slashes.
fn normal(path: &str) -> String {
    let parts = Path::new(path).components().filter_map(|part| match part {
        Component::Normal(part) => part.to_str(),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}
