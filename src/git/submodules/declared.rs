//! What submodules a commit declares.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use git2::{ErrorCode, ObjectType, Tree};

use crate::git::command::Git;
use crate::git::cone::Cone;
use crate::git::objects::find_commit;
use crate::git::repo::sha;
use crate::git::{GitError, Repo};
use crate::id::Sha;

/// A submodule as a commit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submodule {
    /// Where it lies.
    pub(super) path: String,
    /// Its name in `.gitmodules`, by which git finds its clone.
    pub(super) name: String,
    /// Where it comes from, as `.gitmodules` says.
    pub(super) url: String,
    pub(super) commit: Sha,
}

/// What `.gitmodules` says of one.
#[derive(Debug, Default)]
struct Said {
    path: String,
    url: String,
    is_left_out: bool,
}

impl Repo {
    /// The submodules of `at` that belong to `cone`, in order of their paths. What git would not check out is left out: those
    /// without a path and a URL in `.gitmodules`, and those with `update = none`.
    pub(super) fn submodules(&self, at: &Sha, cone: Option<&Cone>) -> Result<Vec<Submodule>, GitError> {
        let failed = || GitError::library("looking for submodules");
        let file = self.with(|repo| {
            let tree = find_commit(repo, at)?.tree().map_err(failed())?;
            let file = tree.get_name(".gitmodules");
            let blob =
                file.filter(|file| file.kind() == Some(ObjectType::Blob) && file.filemode() != 0o120_000);
            Ok(blob.map(|file| file.id()))
        })?;
        let Some(file) = file else { return Ok(Vec::new()) };
        let answer = Git::new(self.scope(), "config")
            .args(["-z", &format!("--blob={file}"), "--get-regexp", r"^submodule\..*\.(path|url|update)$"])
            .accept(&[0, 1])
            .run()?;
        let said = read(&String::from_utf8_lossy(&answer.stdout));
        self.with(|repo| {
            let tree = find_commit(repo, at)?.tree().map_err(failed())?;
            let mut found = BTreeMap::new();
            for (name, said) in said {
                let is_wanted =
                    !said.is_left_out && !said.url.is_empty() && is_inside(&said.path) && is_inside(&name);
                if !is_wanted || cone.is_some_and(|cone| !cone.has(said.path.as_bytes())) {
                    continue;
                }
                if let Some(commit) = link_at(&tree, &said.path)? {
                    let one = Submodule { path: said.path.clone(), name, url: said.url, commit };
                    found.insert(said.path, one);
                }
            }
            Ok(found.into_values().collect())
        })
    }

    /// The commit of the submodule that `at` has at `path`.
    pub(super) fn link_of(&self, at: &Sha, path: &str) -> Result<Option<Sha>, GitError> {
        self.with(|repo| {
            let tree = find_commit(repo, at)?.tree();
            link_at(&tree.map_err(GitError::library("looking for a submodule"))?, path)
        })
    }
}

fn link_at(tree: &Tree<'_>, path: &str) -> Result<Option<Sha>, GitError> {
    match tree.get_path(Path::new(path)) {
        Ok(entry) => Ok((entry.kind() == Some(ObjectType::Commit)).then(|| sha(entry.id()))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(GitError::library("looking for a submodule")(error)),
    }
}

/// Whether a path stays inside the lane and out of its `.git`.
fn is_inside(path: &str) -> bool {
    let plain = |part| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git"));
    !path.is_empty() && Path::new(path).components().all(plain)
}

/// Reads `submodule.NAME.KEY LF value NUL`; a name can have dots in it.
fn read(text: &str) -> BTreeMap<String, Said> {
    let mut all: BTreeMap<String, Said> = BTreeMap::new();
    for (key, value) in text.split('\0').filter_map(|pair| pair.split_once('\n')) {
        let Some((name, key)) = key.strip_prefix("submodule.").and_then(|rest| rest.rsplit_once('.')) else {
            continue;
        };
        let said = all.entry(name.to_owned()).or_default();
        match key {
            "path" => value.trim_end_matches('/').clone_into(&mut said.path),
            "url" => value.clone_into(&mut said.url),
            _ => said.is_left_out = value == "none",
        }
    }
    all
}
