//! Commits, trees and their ancestry; making new commits, and making what others wrote durable.
#![expect(clippy::disallowed_methods, reason = "syncs the files of loose objects")]

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Repository, Signature, Sort};

use super::command::Git;
use super::repo::{oid, sha, sync_dir};
use super::synced::FileId;
use super::{GitError, Identity, Repo};
use crate::failpoint::{self, Point};
use crate::id::Sha;

/// One commit, for a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub sha: Sha,
    /// The first line of its message.
    pub subject: String,
    /// The author's name.
    pub author: String,
}

impl std::fmt::Display for CommitInfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.sha.short(), self.subject)
    }
}

impl Repo {
    /// The tree of a commit.
    pub fn tree_of(&self, commit: &Sha) -> Result<Sha, GitError> {
        self.with(|repo| {
            let commit = find_commit(repo, commit)?;
            Ok(sha(commit.tree_id()))
        })
    }

    /// Those of `paths` that a commit does not have, neither as a file nor as a folder.
    pub fn missing_paths(&self, commit: &Sha, paths: &[String]) -> Result<Vec<String>, GitError> {
        self.with(|repo| {
            let tree = find_commit(repo, commit)?.tree().map_err(GitError::library("reading a tree"))?;
            let mut missing = Vec::new();
            for path in paths {
                match tree.get_path(Path::new(path)) {
                    Ok(_) => {}
                    Err(error) if error.code() == ErrorCode::NotFound => missing.push(path.clone()),
                    Err(error) => return Err(GitError::library("looking a path up")(error)),
                }
            }
            Ok(missing)
        })
    }

    /// Whether there is such a commit.
    pub(super) fn has_commit(&self, commit: &Sha) -> Result<bool, GitError> {
        let id = oid(commit)?;
        self.with(|repo| Ok(repo.find_commit(id).is_ok()))
    }

    /// The parents of a commit, in order.
    pub fn parents(&self, commit: &Sha) -> Result<Vec<Sha>, GitError> {
        self.with(|repo| Ok(find_commit(repo, commit)?.parent_ids().map(sha).collect()))
    }

    /// Whether `ancestor` is `commit` or an ancestor of it.
    pub fn is_ancestor(&self, ancestor: &Sha, commit: &Sha) -> Result<bool, GitError> {
        if ancestor == commit {
            return Ok(true);
        }
        let (ancestor, commit) = (oid(ancestor)?, oid(commit)?);
        self.with(|repo| {
            repo.graph_descendant_of(commit, ancestor).map_err(GitError::library("comparing commits"))
        })
    }

    /// The best common ancestor of two commits; `None` where they share no history.
    pub fn merge_base(&self, one: &Sha, two: &Sha) -> Result<Option<Sha>, GitError> {
        let (one, two) = (oid(one)?, oid(two)?);
        self.with(|repo| match repo.merge_base(one, two) {
            Ok(base) => Ok(Some(sha(base))),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(error) => Err(GitError::library("finding the merge base")(error)),
        })
    }

    /// The whole message of a commit. Bytes that are not UTF-8 are replaced.
    pub fn commit_message(&self, commit: &Sha) -> Result<String, GitError> {
        self.with(|repo| Ok(String::from_utf8_lossy(find_commit(repo, commit)?.message_bytes()).into_owned()))
    }

    /// The commits that `tip` has and `base` has not, newest first.
    pub fn commits_between(&self, base: &Sha, tip: &Sha) -> Result<Vec<CommitInfo>, GitError> {
        self.with(|repo| {
            let ids = new_commits(repo, tip, std::slice::from_ref(base))?;
            let mut commits = Vec::with_capacity(ids.len());
            for id in ids {
                let commit = repo.find_commit(id).map_err(GitError::library("reading a commit"))?;
                commits.push(CommitInfo {
                    sha: sha(id),
                    subject: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned(),
                    author: String::from_utf8_lossy(commit.author().name_bytes()).into_owned(),
                });
            }
            Ok(commits)
        })
    }

    /// Writes a commit, durably, and moves no branch; a ref of ours holds it until one does. It is signed where the user's config asks for it; a signing program that
    /// cannot ask its question is [`GitError::Signing`].
    pub fn commit_tree(
        &self,
        tree: &Sha,
        parents: &[Sha],
        message: &str,
        author: &Identity,
    ) -> Result<Sha, GitError> {
        let commit = if self.signs_commits()? {
            self.commit_signed(tree, parents, message, author)?
        } else {
            self.commit_plain(tree, parents, message, author)?
        };
        self.hold(&commit)?;
        Ok(commit)
    }

    /// A commit that is never signed: commits made for custody must not ask anybody anything.
    pub(super) fn commit_plain(
        &self,
        tree: &Sha,
        parents: &[Sha],
        message: &str,
        author: &Identity,
    ) -> Result<Sha, GitError> {
        let failed = || GitError::library("writing a commit");
        self.with_durable(|repo| {
            let signature = Signature::now(&author.name, &author.email).map_err(failed())?;
            let tree = repo.find_tree(oid(tree)?).map_err(failed())?;
            let mut found = Vec::with_capacity(parents.len());
            for parent in parents {
                found.push(find_commit(repo, parent)?);
            }
            let parents: Vec<_> = found.iter().collect();
            failpoint::write(Point::CommitWrite)
                .map_err(GitError::io("written to", &self.common_dir().join("objects")))?;
            let made = repo.commit(None, &signature, &signature, message, &tree, &parents);
            failpoint::pass(Point::CommitWritten);
            let made = made.map_err(failed())?;
            // Synced by libgit2, with its name. One of these very bytes, of this second, that was there before is ours too.
            let written = FileId::at(&loose(&self.common_dir().join("objects"), made));
            self.synced().add(written.map(|written| (made, written)));
            Ok(sha(made))
        })
    }

    fn commit_signed(
        &self,
        tree: &Sha,
        parents: &[Sha],
        message: &str,
        author: &Identity,
    ) -> Result<Sha, GitError> {
        let mut git = Git::new(self.scope(), "commit-tree").arg("-S").arg(tree.as_str());
        for parent in parents {
            git = git.args(["-p", parent.as_str()]);
        }
        for (role, value) in [("NAME", &author.name), ("EMAIL", &author.email)] {
            git = git.env(&format!("GIT_AUTHOR_{role}"), value).env(&format!("GIT_COMMITTER_{role}"), value);
        }
        let answer = git.stdin(message.as_bytes().to_vec()).outside().run().map_err(|error| match error {
            GitError::Failed { stderr, .. } => GitError::Signing { detail: stderr },
            GitError::TimedOut { seconds, .. } => {
                GitError::Signing { detail: format!("no answer from the signing program in {seconds} s") }
            }
            other => other,
        })?;
        answer.sha("commit-tree")
    }

    /// Looks whether everything is there that `tip` has and none of `known` has; else it is [`GitError::ObjectGone`].
    pub(super) fn assure_objects(&self, tip: &Sha, known: &[Sha]) -> Result<(), GitError> {
        self.with(|repo| {
            for id in new_objects(repo, tip, known)? {
                if !holds(repo, id)? {
                    return Err(GitError::ObjectGone { id: id.to_string() });
                }
            }
            Ok(())
        })
    }

    /// Makes everything durable that `tip` has and none of `known` has, whoever wrote it: an agent's git does not sync its
    /// loose objects. Packs are synced by every git when they are written.
    ///
    /// An object that is missing is [`GitError::ObjectGone`]: nothing may come to depend on `tip` then.
    pub fn sync_objects(&self, tip: &Sha, known: &[Sha]) -> Result<(), GitError> {
        let ids = self.with(|repo| new_objects(repo, tip, known))?;
        if ids.is_empty() {
            return Ok(());
        }
        let objects = self.common_dir().join("objects");
        let mut fans: BTreeSet<PathBuf> = BTreeSet::new();
        let mut synced = Vec::new();
        for id in ids {
            let path = loose(&objects, id);
            if self.synced().has(id, &path) {
                continue;
            }
            match File::open(&path) {
                Ok(file) => {
                    let found = file.metadata().and_then(|found| file.sync_all().map(|()| found));
                    let found = found.map_err(GitError::io("synced", &path))?;
                    synced.extend(FileId::of(&found).map(|file| (id, file)));
                }
                // Packed by somebody, or pruned: what was written a moment ago hung on no ref yet.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if self.with(|repo| holds(repo, id))? {
                        continue;
                    }
                    return Err(GitError::ObjectGone { id: id.to_string() });
                }
                Err(error) => return Err(GitError::io("synced", &path)(error)),
            }
            fans.extend(path.parent().map(Path::to_owned));
        }
        // The folder of one that was known may be new: whoever wrote that one synced the folder, but not its name.
        fans.insert(objects);
        for dir in fans {
            sync_dir(&dir).map_err(GitError::io("synced", &dir))?;
        }
        self.synced().add(synced);
        Ok(())
    }
}

/// Where a loose object is.
fn loose(objects: &Path, id: Oid) -> PathBuf {
    let name = id.to_string();
    objects.join(&name[..2]).join(&name[2..])
}

pub(super) fn find_commit<'r>(repo: &'r Repository, commit: &Sha) -> Result<git2::Commit<'r>, GitError> {
    repo.find_commit(oid(commit)?).map_err(GitError::library("reading a commit"))
}

/// Whether the object is there, packs that came since they were listed last included.
fn holds(repo: &Repository, id: Oid) -> Result<bool, GitError> {
    let odb = repo.odb().map_err(GitError::library("looking for an object"))?;
    if odb.exists(id) {
        return Ok(true);
    }
    odb.refresh().map_err(GitError::library("looking for an object"))?;
    Ok(odb.exists(id))
}

fn new_commits(repo: &Repository, tip: &Sha, known: &[Sha]) -> Result<Vec<Oid>, GitError> {
    let failed = || GitError::library("walking the history");
    let mut walk = repo.revwalk().map_err(failed())?;
    walk.set_sorting(Sort::TOPOLOGICAL).map_err(failed())?;
    walk.push(oid(tip)?).map_err(failed())?;
    for commit in known {
        walk.hide(oid(commit)?).map_err(failed())?;
    }
    walk.collect::<Result<_, _>>().map_err(failed())
}

/// The commits, trees and blobs that `tip` adds. Trees are compared with the parents' trees, so that only what differs is
/// visited.
fn new_objects(repo: &Repository, tip: &Sha, known: &[Sha]) -> Result<HashSet<Oid>, GitError> {
    let failed = || GitError::library("reading a tree");
    let mut found = HashSet::new();
    for id in new_commits(repo, tip, known)? {
        found.insert(id);
        let commit = repo.find_commit(id).map_err(GitError::library("reading a commit"))?;
        let tree = commit.tree().map_err(failed())?;
        let base = match commit.parents().next() {
            Some(parent) => Some(parent.tree().map_err(failed())?),
            None => None,
        };
        add_tree(repo, &tree, base.as_ref(), &mut found)?;
    }
    Ok(found)
}

fn add_tree(
    repo: &Repository,
    tree: &git2::Tree<'_>,
    base: Option<&git2::Tree<'_>>,
    found: &mut HashSet<Oid>,
) -> Result<(), GitError> {
    let failed = || GitError::library("reading a tree");
    if base.is_some_and(|base| base.id() == tree.id()) || !found.insert(tree.id()) {
        return Ok(());
    }
    for entry in tree {
        let before = base.and_then(|base| base.get_name_bytes(entry.name_bytes()));
        if before.as_ref().is_some_and(|before| before.id() == entry.id()) {
            continue;
        }
        match entry.kind() {
            Some(ObjectType::Tree) => {
                let inner = repo.find_tree(entry.id()).map_err(failed())?;
                let base = match before.filter(|before| before.kind() == Some(ObjectType::Tree)) {
                    Some(before) => Some(repo.find_tree(before.id()).map_err(failed())?),
                    None => None,
                };
                add_tree(repo, &inner, base.as_ref(), found)?;
            }
            Some(ObjectType::Blob) => {
                found.insert(entry.id());
            }
            _ => {}
        }
    }
    Ok(())
}
