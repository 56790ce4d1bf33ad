//! Finding the repository, and refusing by name what Laneway cannot work in.
#![expect(clippy::disallowed_methods, reason = "looks at the git directory before libgit2 opens it")]

use std::path::Path;

use git2::{Config, Repository, RepositoryOpenFlags};

use super::command::{Git, Scope};
use super::repo::refusal;
use super::{GitError, Repo, Unsupported};

/// The oldest git whose `merge-tree --write-tree` does what is needed.
const NEEDED: (u32, u32) = (2, 40);
const NEEDED_TEXT: &str = "2.40";

impl Repo {
    /// Finds the repository that `start` is in, from anywhere: a sub-directory, a lane, a linked worktree.
    ///
    /// Fails by name where there is none, where git is older than 2.40, or where the repository is of a kind that
    /// Laneway cannot work in ([`GitError::Unsupported`]).
    pub fn discover(start: &Path) -> Result<Self, GitError> {
        // A third of the time that making a lane takes would go into hashing what is read. Git does not do that either: bits
        // that have changed are found by the checksums of packs and of compression.
        git2::opts::strict_hash_verification(false);
        let version = new_enough(&version_line()?)?;
        let not_found = || GitError::NotARepository { start: start.to_owned() };
        let found = Repository::discover_path(start, std::iter::empty::<&Path>()).map_err(|_| not_found())?;
        let (common, linked) = match std::fs::read_to_string(found.join("commondir")) {
            Ok(text) => (found.join(text.trim_end()), true),
            Err(_) => (found, false),
        };
        let common = std::fs::canonicalize(&common).map_err(|_| not_found())?;
        refuse_oddities(&common)?;
        // A lane is left by its `.git` at once: only the main worktree is ever opened.
        let opened = if linked {
            Repository::open(&common)
        } else {
            Repository::open_ext(start, RepositoryOpenFlags::empty(), std::iter::empty::<&Path>())
        };
        let opened = opened.map_err(|source| refusal(&common, source))?;
        let bare = opened.is_bare();
        let root = match opened.workdir() {
            Some(dir) if !bare => std::fs::canonicalize(dir).map_err(GitError::io("found", dir))?,
            _ => common.clone(),
        };
        Ok(Self::found(root, common, bare, version))
    }
}

/// The version of the `git` program, as it says it. Fails where that is not new enough.
pub fn git_version() -> Result<String, GitError> {
    let found = version_line()?;
    new_enough(&found)?;
    Ok(found.trim_start_matches("git version ").to_owned())
}

fn version_line() -> Result<String, GitError> {
    Ok(Git::new(Scope::Nowhere, "version").run()?.line())
}

fn new_enough(found: &str) -> Result<(u32, u32), GitError> {
    let version = found.strip_prefix("git version ").and_then(|text| {
        let mut numbers = text.split(['.', ' ', '-']).map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    let found = found.to_owned();
    match version {
        Some(version) if version >= NEEDED => Ok(version),
        Some(_) => Err(GitError::GitTooOld { found, needed: NEEDED_TEXT }),
        None => Err(GitError::Output { operation: "version".to_owned(), found }),
    }
}

/// Reads the repository's own config before libgit2 opens it, so that what is refused is refused by name.
fn refuse_oddities(common: &Path) -> Result<(), GitError> {
    let refuse = |feature| Err(GitError::Unsupported { path: common.to_owned(), feature });
    let path = common.join("config");
    if !path.exists() {
        return Ok(());
    }
    let config = Config::open(&path).map_err(GitError::library("reading the config"))?;
    let get = |key: &str| config.get_string(key).map(|value| value.to_ascii_lowercase()).ok();
    if get("extensions.refstorage").is_some_and(|storage| storage != "files") {
        return refuse(Unsupported::Reftable);
    }
    if let Some(format) = get("extensions.objectformat").filter(|format| format != "sha1") {
        return refuse(Unsupported::ObjectFormat { format });
    }
    if get("extensions.partialclone").is_some() {
        return refuse(Unsupported::PartialClone);
    }
    let mut promisors =
        config.entries(Some(r"^remote\..*\.promisor$")).map_err(GitError::library("reading the config"))?;
    if let Some(entry) = promisors.next() {
        let entry = entry.map_err(GitError::library("reading the config"))?;
        if entry.value().is_ok_and(|value| value != "false") {
            return refuse(Unsupported::PartialClone);
        }
    }
    Ok(())
}
