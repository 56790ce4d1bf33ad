//! What belongs to the user, so that a test can show that none of it changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use super::Scratch;

/// Files of the git directory that are the user's; one that is not there counts as such.
const GIT_FILES: [&str; 10] = [
    "HEAD",
    "index",
    "config",
    "logs/HEAD",
    "logs/refs/stash",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "MERGE_HEAD",
    "CHERRY_PICK_HEAD",
    "rebase-merge",
];
/// Directories at the top of the repository that are not the user's.
const OURS: [&str; 3] = [".git", ".laneway", ".worktrees"];

/// Everything of the user's in a repository, one line a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserState(BTreeMap<String, String>);

impl UserState {
    /// Looks without touching: not even the index is refreshed.
    pub(crate) fn of(scratch: &Scratch) -> Self {
        let mut all = BTreeMap::new();
        let refs = scratch.git(&["for-each-ref", "--format=%(refname) %(objectname) %(symref)"]);
        for line in refs.lines() {
            let (name, at) = line.split_once(' ').expect("a name and an object");
            if is_the_users(name) {
                all.insert(format!("ref {name}"), at.to_owned());
            }
        }
        let repo = scratch.repo();
        let git = if repo.join(".git").exists() {
            files(repo, "file", &OURS, &mut all);
            repo.join(".git")
        } else {
            repo.to_path_buf()
        };
        for name in GIT_FILES {
            all.insert(format!("git {name}"), seen(&git.join(name)));
        }
        files(&git.join("hooks"), "hook", &[], &mut all);
        Self(all)
    }

    /// The state without the branch `branch` and what origin is known to have of it: a merge was asked for. Where it
    /// is checked out, use [`UserState::without_checkout`] too.
    #[must_use]
    pub(crate) fn without_branch(mut self, branch: &str) -> Self {
        self.0.remove(&format!("ref refs/heads/{branch}"));
        let known = format!("refs/remotes/origin/{branch}");
        self.0.remove(&format!("ref {known}"));
        // `origin/HEAD` names the branch and moves with it; what it names must stay.
        if let Some(head) = self.0.get_mut("ref refs/remotes/origin/HEAD")
            && head.ends_with(&format!(" {known}"))
        {
            *head = known;
        }
        self
    }

    /// The state without the index and the files, which a merge moves along when they are clean.
    #[must_use]
    pub(crate) fn without_checkout(mut self) -> Self {
        self.0.retain(|thing, _| {
            !thing.starts_with("file ") && thing != "git index" && thing != "git logs/HEAD"
        });
        self
    }

    /// Expects that nothing of it changed.
    #[track_caller]
    pub(crate) fn expect(&self, before: &Self) {
        let difference = before.difference(self);
        assert!(difference.is_empty(), "what is the user's changed:\n{difference}");
    }

    /// What `after` has otherwise, as lines with `-` and `+`.
    pub(crate) fn difference(&self, after: &Self) -> String {
        let mut text = String::new();
        let all: BTreeSet<&String> = self.0.keys().chain(after.0.keys()).collect();
        for thing in all {
            let (was, is) = (self.0.get(thing), after.0.get(thing));
            for (sign, value) in [('-', was), ('+', is)] {
                if let Some(value) = value.filter(|_| was != is) {
                    writeln!(text, "{sign} {thing}: {value}").expect("a string takes every text");
                }
            }
        }
        text
    }
}

fn is_the_users(name: &str) -> bool {
    let ours = ["refs/heads/laneway/", "refs/laneway/", "refs/remotes/origin/laneway/"];
    !ours.iter().any(|prefix| name.starts_with(prefix))
}

fn files(root: &Path, kind: &str, skipped: &[&str], all: &mut BTreeMap<String, String>) {
    let entries = WalkDir::new(root).min_depth(1).into_iter().filter_entry(|entry| {
        entry.depth() != 1 || !skipped.iter().any(|skipped| entry.file_name() == *skipped)
    });
    for entry in entries.map(|entry| entry.expect("the repository can be read")) {
        let path = entry.path().strip_prefix(root).expect("it lies in there");
        all.insert(format!("{kind} {}", path.display()), seen(entry.path()));
    }
}

/// Kind, mode and digest of what stands at `path`.
fn seen(path: &Path) -> String {
    let Ok(meta) = fs::symlink_metadata(path) else {
        return "not there".to_owned();
    };
    let mode = meta.permissions().mode() & 0o7777;
    if meta.is_symlink() {
        let to = fs::read_link(path).expect("a link");
        format!("link to {}", to.display())
    } else if meta.is_dir() {
        format!("directory {mode:o}")
    } else {
        let bytes = fs::read(path).expect("a readable file");
        let digest = Sha256::digest(&bytes);
        let hex = digest[..8].iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        format!("file {mode:o}, {} bytes, {hex}", bytes.len())
    }
}
