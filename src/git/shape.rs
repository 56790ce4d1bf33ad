//! What of its commit a lane holds: all of it, or a cone; with submodules or without; contents or pointers of large files.
//!
//! It is kept in the lane's private git directory, written before the lane is known to git, so that everything that is done in
//! the lane later, by this process or another, sees it the same way.
//!
//! **A sparse lane and the user's config.** Git reads `core.sparseCheckout` from the config of the repository, or from that
//! of the worktree where `extensions.worktreeConfig` is set in the repository's: both are the user's. So neither is written. Our own calls
//! are told on their command lines; agents, gates and setup commands by a variable that includes a file of ours for this one git
//! directory (`includeIf.gitdir`). A git that is told nothing, a person's say, meets the index with its skip-worktree bits,
//! which it honours in `status`, `add -A`, `commit`, `checkout` and `merge`; only a new index (`rm index && git reset`)
//! would take the rest for deleted. Where the user has set `extensions.worktreeConfig`, the worktree's config says it to everyone.
#![expect(clippy::disallowed_methods, reason = "keeps the shape of lanes in their private git directories")]

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::command::Git;
use super::cone::Cone;
use super::private::{Private, remove_file};
use super::repo::replace_file;
use super::{GitError, Repo, Worktree};
use crate::graph::Lfs;
use crate::id::Sha;
use crate::plan::Share;

const FILE: &str = "shape.json";
/// What agents' git is told, in the form of a config file.
const CONFIG: &str = "agent.config";
const SPARSE: &str = "info/sparse-checkout";

/// See the module. The default is a whole tree without submodules, and large files as git's config has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The folders of a sparse checkout in cone mode; empty: everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sparse: Vec<String>,
    /// Whether submodules are checked out, those in submodules too.
    #[serde(default)]
    pub submodules: bool,
    /// What becomes of files in LFS.
    #[serde(default)]
    pub lfs: Lfs,
    /// Whether the network is not to be asked for submodules.
    #[serde(default)]
    pub offline: bool,
    /// How its files are made, which is nothing to anybody once they are there.
    #[serde(skip)]
    pub share: Share,
}

impl Shape {
    /// That of the lane with this private git directory.
    pub(super) fn read(private: &Path) -> Result<Self, GitError> {
        let path = private.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        serde_json::from_slice(&bytes).map_err(|error| GitError::io("read", &path)(error.into()))
    }

    /// Keeps it, with what git reads of it.
    pub(super) fn write(&self, private: &Path) -> Result<(), GitError> {
        if *self == Self::default() {
            return Ok(());
        }
        if let Some(cone) = self.cone() {
            replace_file(&private.join(SPARSE), cone.patterns().as_bytes())?;
            let config = "[core]\n\tsparseCheckout = true\n\tsparseCheckoutCone = true\n";
            replace_file(&private.join(CONFIG), config.as_bytes())?;
        }
        let path = private.join(FILE);
        let text = serde_json::to_vec(self).map_err(|error| GitError::io("written", &path)(error.into()))?;
        replace_file(&path, &text)
    }

    /// Whether a lane of this shape has a file at `path` of its commit.
    pub fn holds(&self, path: &str) -> bool {
        self.cone().is_none_or(|cone| cone.has(path.as_bytes()))
    }

    pub(super) fn cone(&self) -> Option<Cone> {
        (!self.sparse.is_empty()).then(|| Cone::of(&self.sparse))
    }
}

impl Repo {
    /// What processes in the lane need in their environment, so that their git sees it as ours does. `base` is what they have
    /// otherwise: variables that it uses for the same are counted on.
    pub fn variables(
        &self,
        worktree: &Worktree,
        base: &[(OsString, OsString)],
    ) -> Result<Vec<(OsString, OsString)>, GitError> {
        let private = worktree.private(self);
        let shape = Shape::read(&private)?;
        let mut given = Vec::new();
        if shape.lfs == Lfs::Skip {
            given.push(("GIT_LFS_SKIP_SMUDGE".into(), "1".into()));
        }
        if !shape.sparse.is_empty() {
            let count = base.iter().rev().find(|(name, _)| name == "GIT_CONFIG_COUNT");
            let count: u32 = count.and_then(|(_, count)| count.to_str()?.parse().ok()).unwrap_or(0);
            let mut key = OsString::from("includeIf.gitdir:");
            key.push(literal(&worktree.admin));
            key.push(".path");
            given.push((format!("GIT_CONFIG_KEY_{count}").into(), key));
            given.push((format!("GIT_CONFIG_VALUE_{count}").into(), private.join(CONFIG).into()));
            given.push(("GIT_CONFIG_COUNT".into(), (count + 1).to_string().into()));
        }
        Ok(given)
    }

    /// Checks that the commit has the folders that a sparse lane is to hold; else [`GitError::NoSuchFolder`].
    pub fn ensure_folders(&self, sparse: &[String], at: &Sha) -> Result<(), GitError> {
        match self.missing_folders(at, sparse)?.into_iter().next() {
            None => Ok(()),
            Some((folder, nearest)) => Err(GitError::NoSuchFolder { folder, nearest, commit: at.clone() }),
        }
    }

    /// Tells git what of the lane is there, as an agent's and a person's git read it.
    pub(super) fn hand_out_cone(&self, private: &Private<'_>, worktree: &Worktree) -> Result<(), GitError> {
        let Some(cone) = private.cone() else { return Ok(()) };
        let path = worktree.admin.join(SPARSE);
        let patterns = cone.patterns();
        if std::fs::read(&path).ok().as_deref() != Some(patterns.as_bytes()) {
            remove_file(&path)?;
            replace_file(&path, patterns.as_bytes())?;
        }
        if self.has_worktree_configs()? {
            let config = std::fs::read(private.dir().join(CONFIG));
            let config = config.map_err(GitError::io("read", private.dir()))?;
            replace_file(&worktree.admin.join("config.worktree"), &config)?;
        }
        Ok(())
    }

    /// Whether the user lets worktrees have configs of their own.
    fn has_worktree_configs(&self) -> Result<bool, GitError> {
        let answer = Git::new(self.scope(), "config")
            .args(["--type=bool", "--get", "extensions.worktreeConfig"])
            .accept(&[0, 1])
            .run()?;
        Ok(answer.line() == "true")
    }
}

/// A path as a pattern that matches nothing else.
fn literal(path: &Path) -> OsString {
    let mut bytes = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        if b"*?[\\".contains(&byte) {
            bytes.push(b'\\');
        }
        bytes.push(byte);
    }
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}
