//! What an attempt did beside its lane: to the stash, the branches and the config that it shares with everybody, and
//! repositories that it left inside.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Look;
use crate::event::{CheckStatus, Failure, named};
use crate::git::{DirtyKind, Worktree};
use crate::id::Sha;
use crate::runtime::effects::{keep, permanent, prepare};

impl Look<'_> {
    pub(super) fn judge_surroundings(&mut self, worktree: &Worktree, start: &Sha) -> Result<(), Failure> {
        self.judge_stash()?;
        self.judge_branches(worktree, start)?;
        self.judge_config(worktree)
    }

    /// The user's branches are moved by merges that somebody asked for. Only commits that were made in this lane speak against
    /// the attempt: people go on with their branches while it works.
    fn judge_branches(&mut self, worktree: &Worktree, start: &Sha) -> Result<(), Failure> {
        let Ok(before) = std::fs::read_to_string(self.record().join(prepare::BRANCHES_BEFORE)) else {
            return Ok(());
        };
        let now = self.repo.branches_of_others().map_err(|e| self.failed(&e))?;
        for line in before.lines() {
            let Some((old, name)) = line.split_once(' ') else { continue };
            let (Ok(old), Some(new)) = (Sha::new(old), now.get(name)) else { continue };
            if *new == old {
                continue;
            }
            let made = self.repo.made_in(worktree, new, &[&old, start]).map_err(|e| self.failed(&e))?;
            if !made.is_empty() {
                let made: Vec<&str> = made.iter().map(Sha::short).collect();
                let detail = format!(
                    "the agent moved the branch `{name}`, which is not its own, from {} to {}; nobody has reviewed there \
                     what it committed ({}); to set it back: git branch -f {name} {old}, or, in a checkout of it, \
                     git reset --keep {old}",
                    old.short(),
                    new.short(),
                    named(&made)
                );
                self.check("branches", CheckStatus::Fail, &detail);
            }
        }
        Ok(())
    }

    /// All worktrees share the config. What has the git of others run something, or go elsewhere, speaks against the attempt,
    /// unless others worked at the same time: who of them it was cannot be told.
    fn judge_config(&mut self, worktree: &Worktree) -> Result<(), Failure> {
        let Some((before, was_alone)) = prepare::config_before(&self.record()) else { return Ok(()) };
        let lanes = &self.context.plan.places.worktrees;
        let now = self.repo.config_keys(worktree, lanes).map_err(|e| self.failed(&e))?;
        let key = (self.task.id.clone(), self.known.attempt.number);
        let is_alone = was_alone && self.context.live().keys().all(|other| *other == key);
        let none = BTreeMap::new();
        for file in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let (old, new) = (before.get(file).unwrap_or(&none), now.get(file).unwrap_or(&none));
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            let changed: Vec<&str> =
                keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(String::as_str).collect();
            if changed.is_empty() {
                continue;
            }
            let is_grave = changed.iter().any(|key| is_grave(key));
            let (status, whose) = match (is_grave, is_alone) {
                (true, true) => (CheckStatus::Fail, ""),
                (_, true) => (CheckStatus::Warn, ""),
                (_, false) => {
                    (CheckStatus::Warn, ", and so did other attempts: which of them it was is not known")
                }
            };
            let changed: Vec<String> = changed.into_iter().map(shown).collect();
            let path = file.display();
            let detail = format!(
                "while it worked{whose}, the repository's config changed: {} in {path}; to look: git config --file {path} \
                 --list; to undo: git config --file {path} --unset-all KEY, or --edit",
                named(&changed)
            );
            self.check("config", status, &detail);
        }
        Ok(())
    }

    fn record(&self) -> PathBuf {
        self.context.attempt_record(&self.task.id, self.known.attempt.number)
    }

    /// All worktrees share one stash: an agent that uses it hides its work from the lane and clutters the user's.
    fn judge_stash(&mut self) -> Result<(), Failure> {
        let Ok(before) = std::fs::read_to_string(self.record().join(prepare::STASH_BEFORE)) else {
            return Ok(());
        };
        let now = self.repo.stash_tip().map_err(|e| self.failed(&e))?;
        if now.as_ref().map_or("", Sha::as_str) != before {
            let detail = "the stash changed while the attempt ran; `git stash list` may hold its work";
            self.check("stash", CheckStatus::Warn, detail);
        }
        Ok(())
    }

    /// Notes what of the uncommitted files belongs to repositories of their own.
    pub(super) fn note_nested(&mut self, worktree: &Worktree, head: &Sha) -> Result<(), Failure> {
        let state = self.repo.tree_state(worktree, head).map_err(|e| self.failed(&e))?;
        let nested = state.files.iter().filter(|f| f.kind == DirtyKind::Untracked && f.path.ends_with('/'));
        let nested: Vec<&str> = nested.map(|file| file.path.as_str()).collect();
        let attempt = &self.known.attempt;
        keep::note_nested(self.context, &self.task.id, (attempt.number, attempt.iteration), &nested)
            .map_err(|e| permanent(format!("the repositories inside the lane could not be noted: {e}")))
    }
}

/// Sections by which the git of others runs something, or goes elsewhere.
const GRAVE: &[&str] = &[
    "include.",
    "includeif.",
    "url.",
    "remote.",
    "credential.",
    "filter.",
    "alias.",
    "http.",
    "gpg.",
    "pager.",
];
/// Keys like that in sections of which most is harmless, with the last part of the key where they have names in between.
const GRAVE_KEYS: &[(&str, &str)] = &[
    ("core.", "bare"),
    ("core.", "worktree"),
    ("core.", "hookspath"),
    ("core.", "fsmonitor"),
    ("core.", "sshcommand"),
    ("core.", "editor"),
    ("core.", "pager"),
    ("core.", "askpass"),
    ("core.", "gitproxy"),
    ("sequence.", "editor"),
    ("diff.", "command"),
    ("diff.", "external"),
    ("diff.", "textconv"),
    ("merge.", "driver"),
    ("submodule.", "update"),
];

/// Whether a key has the git of others run something or go elsewhere. A file that git cannot read stops all of it.
fn is_grave(key: &str) -> bool {
    let ends = |section: &str, last: &str| {
        key.strip_prefix(section).is_some_and(|rest| rest.rsplit('.').next() == Some(last))
    };
    key.starts_with('(')
        || GRAVE.iter().any(|section| key.starts_with(section))
        || GRAVE_KEYS.iter().any(|(section, last)| ends(section, last))
}

/// A key as it can be told: an address in it may hold a password.
fn shown(key: &str) -> String {
    match (key.split_once('.'), key.rsplit_once('.')) {
        (Some((section, _)), Some((whole, last))) if whole.contains("://") => format!("{section}.*.{last}"),
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s22_keys_that_have_the_git_of_others_run_something_are_told_from_others_and_shown_without_passwords() {
        let grave = ["core.hookspath", "core.bare", "filter.x.clean", "diff.a.b.command", "merge.x.driver"];
        assert!(grave.iter().all(|key| is_grave(key)));
        let harmless = ["user.name", "core.ignorecase", "branch.main.remote", "diff.renames", "merge.ff"];
        assert!(!harmless.iter().any(|key| is_grave(key)));
        assert_eq!(shown("url.https://me:tok@x.org/.insteadof"), "url.*.insteadof");
        assert_eq!(shown("branch.a.b.remote"), "branch.a.b.remote");
    }
}
