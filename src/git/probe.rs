//! Which commits would not merge, found in the object database without touching a ref, an index or a worktree.
//!
//! ```text
//! pairs ──> merge base ──> what each side changed ──> can they touch each other? ──no──> clean
//!                                                        │ yes, or nobody can tell
//!                                                        └──> all such pairs in one `git merge-tree --stdin`
//! ```
//!
//! Everything that is written goes to a directory of the probe's own, with the repository's objects behind it, so that
//! nothing of it stays in the repository.
#![expect(clippy::disallowed_methods, reason = "lays out the directory that a probe writes its objects to")]

mod changes;
mod merges;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use git2::{Oid, Repository};
use tempfile::TempDir;

use super::command::{Git, Scope};
use super::private::Private;
use super::repo::oid;
use super::{GitError, Identity, Repo, Worktree};
use crate::id::Sha;
use changes::{Changes, Given};
use merges::{Attributes, ToMerge};

/// What merging two commits would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// They merge.
    Clean,
    /// They do not.
    Conflict {
        /// The paths in conflict, in order.
        paths: Vec<String>,
    },
    /// They share no history, so that nobody merges them.
    Unrelated,
    /// Git itself breaks down over them, as it would when they are merged.
    Broken {
        /// What it said.
        why: String,
    },
}

/// A series of probes on one repository. What was learnt of a commit is kept for the next pair that it is in.
pub struct Probe {
    repo: Repo,
    library: Repository,
    /// The commits of files as they are, where any were made.
    snapshots: Option<TempDir>,
    /// What a tree changed in another, by the two.
    changes: HashMap<(Oid, Oid), Arc<Changes>>,
    /// A merge base that was found, and which commits each tip has beyond it; `None` for tips that do not descend from it.
    trunk: Option<Oid>,
    beyond: HashMap<Oid, Option<Arc<HashSet<Oid>>>>,
    known: HashMap<(Sha, Sha), Verdict>,
    merged: usize,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("repo", &self.repo).finish_non_exhaustive()
    }
}

/// What a look at a pair without merging says.
enum Look {
    Known(Verdict),
    NeedsMerge(Attributes),
}

/// Where two histories part.
enum Parting {
    /// At one commit.
    At(Oid),
    /// At several: histories that cross.
    Several,
    /// Nowhere.
    Never,
}

impl Repo {
    /// Begins a series of probes.
    pub fn probe(&self) -> Result<Probe, GitError> {
        let library = Repository::open(self.common_dir())
            .map_err(|source| super::repo::refusal(self.common_dir(), source))?;
        Ok(Probe {
            repo: self.clone(),
            library,
            snapshots: None,
            changes: HashMap::new(),
            trunk: None,
            beyond: HashMap::new(),
            known: HashMap::new(),
            merged: 0,
        })
    }
}

impl Probe {
    /// A commit of a lane's files as they are now, untracked ones included and ignored ones not, on top of `tip`. It lives as
    /// long as the probe. Neither the lane's index nor Laneway's own of it is written.
    pub fn snapshot(&mut self, worktree: &Worktree, tip: &Sha, author: &Identity) -> Result<Sha, GitError> {
        let objects = self.snapshots()?;
        let private = Private::open(&self.repo, worktree)?;
        private.index_at(tip)?;
        let index =
            tempfile::NamedTempFile::new_in(&objects).map_err(GitError::io("written to", &objects))?;
        private.copy_index(index.path())?;
        let git =
            |operation| beside(private.scope(), operation, &objects).env("GIT_INDEX_FILE", index.path());
        git("add").args(["-A", "--", "."]).run()?;
        let tree = git("write-tree").run()?.sha("write-tree")?;
        let mut commit =
            beside(self.repo.scope(), "commit-tree", &objects).args([tree.as_str(), "-p", tip.as_str()]);
        for (role, value) in [("NAME", &author.name), ("EMAIL", &author.email)] {
            commit =
                commit.env(&format!("GIT_AUTHOR_{role}"), value).env(&format!("GIT_COMMITTER_{role}"), value);
        }
        commit.args(["--no-gpg-sign", "-m", "files as they are"]).run()?.sha("commit-tree")
    }

    /// What merging each pair would come to, in the order of `pairs`. The first of a pair is ours, the second theirs.
    pub fn pairs(&mut self, pairs: &[(Sha, Sha)]) -> Result<Vec<Verdict>, GitError> {
        let mut merge: Vec<ToMerge> = Vec::new();
        for pair in pairs {
            if self.known.contains_key(pair) || merge.iter().any(|other| other.pair == *pair) {
                continue;
            }
            match self.look(oid(&pair.0)?, oid(&pair.1)?)? {
                Look::Known(verdict) => {
                    self.known.insert(pair.clone(), verdict);
                }
                Look::NeedsMerge(attributes) => merge.push(ToMerge { pair: pair.clone(), attributes }),
            }
        }
        let merged = self.merges(&merge)?;
        self.merged += merge.len();
        self.known.extend(merge.into_iter().map(|to_merge| to_merge.pair).zip(merged));
        Ok(pairs.iter().map(|pair| self.known[pair].clone()).collect())
    }

    /// How many pairs had to be merged so far, because nothing less could tell.
    pub fn merged(&self) -> usize {
        self.merged
    }

    /// Forgets what was learnt of commits that are none of `tips`.
    pub fn keep_only(&mut self, tips: &HashSet<Sha>) -> Result<(), GitError> {
        let mut ids = HashSet::new();
        let mut trees = HashSet::new();
        for tip in tips {
            let id = oid(tip)?;
            ids.insert(id);
            trees.insert(self.tree(id)?);
        }
        self.known.retain(|(ours, theirs), _| tips.contains(ours) && tips.contains(theirs));
        self.beyond.retain(|tip, _| ids.contains(tip));
        self.changes.retain(|(_, tree), _| trees.contains(tree));
        Ok(())
    }

    fn look(&mut self, ours: Oid, theirs: Oid) -> Result<Look, GitError> {
        let clean = Ok(Look::Known(Verdict::Clean));
        if ours == theirs {
            return clean;
        }
        let base = match self.parting(ours, theirs)? {
            Parting::At(base) if base == ours || base == theirs => return clean,
            Parting::At(base) => base,
            Parting::Several => return Ok(Look::NeedsMerge(Attributes::Of(ours))),
            Parting::Never => return Ok(Look::Known(Verdict::Unrelated)),
        };
        let [base_tree, our_tree, their_tree] = [self.tree(base)?, self.tree(ours)?, self.tree(theirs)?];
        if our_tree == their_tree || our_tree == base_tree || their_tree == base_tree {
            return clean;
        }
        let [our, their] = [self.changes(base_tree, our_tree)?, self.changes(base_tree, their_tree)?];
        if !our.may_touch(&their) {
            return clean;
        }
        // They are those of our side, as where it is merged for real. What lies in directories that neither side changed is
        // taken as it is, whatever attributes it has.
        Ok(Look::NeedsMerge(match (our.attributes, their.attributes) {
            (Given::None, Given::None) => Attributes::Nobodys,
            (Given::None | Given::Same, _) => Attributes::Of(base),
            (Given::Others, _) => Attributes::Of(ours),
        }))
    }

    fn tree(&self, commit: Oid) -> Result<Oid, GitError> {
        let commit = self.library.find_commit(commit).map_err(GitError::library("reading a commit"))?;
        Ok(commit.tree_id())
    }

    fn changes(&mut self, base: Oid, tree: Oid) -> Result<Arc<Changes>, GitError> {
        if let Some(known) = self.changes.get(&(base, tree)) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(Changes::between(&self.library, base, tree)?);
        self.changes.insert((base, tree), Arc::clone(&found));
        Ok(found)
    }

    fn parting(&mut self, ours: Oid, theirs: Oid) -> Result<Parting, GitError> {
        if let Some(trunk) = self.trunk
            && let (Some(a), Some(b)) = (self.beyond(trunk, ours)?, self.beyond(trunk, theirs)?)
            && a.is_disjoint(&b)
        {
            return Ok(Parting::At(trunk));
        }
        match self.library.merge_bases(ours, theirs) {
            Ok(bases) => match &bases[..] {
                [one] => {
                    if self.trunk.is_none() {
                        self.trunk = Some(*one);
                    }
                    Ok(Parting::At(*one))
                }
                _ => Ok(Parting::Several),
            },
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(Parting::Never),
            Err(error) => Err(GitError::library("finding the merge base")(error)),
        }
    }

    /// The commits that `tip` has and `trunk` has not; `None` where it does not descend from it.
    fn beyond(&mut self, trunk: Oid, tip: Oid) -> Result<Option<Arc<HashSet<Oid>>>, GitError> {
        if let Some(known) = self.beyond.get(&tip) {
            return Ok(known.clone());
        }
        let failed = || GitError::library("walking the history");
        let descends = tip == trunk || self.library.graph_descendant_of(tip, trunk).map_err(failed())?;
        let found = if descends {
            let mut walk = self.library.revwalk().map_err(failed())?;
            walk.push(tip).map_err(failed())?;
            walk.hide(trunk).map_err(failed())?;
            Some(Arc::new(walk.collect::<Result<_, _>>().map_err(failed())?))
        } else {
            None
        };
        self.beyond.insert(tip, found.clone());
        Ok(found)
    }

    /// Where snapshots are written, made and known to libgit2 from the first of them on.
    fn snapshots(&mut self) -> Result<std::path::PathBuf, GitError> {
        if let Some(dir) = &self.snapshots {
            return Ok(dir.path().to_owned());
        }
        let dir = objects(&self.repo, None, &std::env::temp_dir())?;
        let path = dir.path().to_owned();
        let failed = || GitError::library("opening the object database");
        let odb = self.library.odb().map_err(failed())?;
        odb.add_disk_alternate(&path.to_string_lossy()).map_err(failed())?;
        self.snapshots = Some(dir);
        Ok(path)
    }
}

/// An object directory of our own in `dir`, with the repository's behind it, and the snapshots.
fn objects(repo: &Repo, snapshots: Option<&Path>, dir: &Path) -> Result<TempDir, GitError> {
    let made = tempfile::Builder::new().prefix("laneway-probe-").tempdir_in(dir);
    let made = made.map_err(GitError::io("written to", dir))?;
    let info = made.path().join("info");
    let behind: Vec<u8> = std::iter::once(repo.common_dir().join("objects"))
        .chain(snapshots.map(Path::to_owned))
        .flat_map(|dir| [dir.into_os_string().into_encoded_bytes(), b"\n".to_vec()].concat())
        .collect();
    std::fs::create_dir(&info)
        .and_then(|()| std::fs::write(info.join("alternates"), behind))
        .map_err(GitError::io("written to", &info))?;
    Ok(made)
}

/// A call that writes its objects to `objects`. They are for nobody to keep, so they are not synced.
fn beside(scope: Scope<'_>, operation: &'static str, objects: &Path) -> Git {
    Git::configured(scope, operation, &["core.fsync=none"]).env("GIT_OBJECT_DIRECTORY", objects)
}
