//! Refs: reading, listing, and moving by compare-and-swap. Branches move through [`Repo::advance`] only.

use std::collections::BTreeMap;
use std::time::Duration;

use git2::{ErrorClass, ErrorCode, Reference, Repository};

use super::repo::{absent, oid, sha};
use super::{GitError, Repo, others, stale};
use crate::failpoint::{self, Point};
use crate::id::Sha;

const HEADS: &str = "refs/heads/";
const TRIES: u32 = 40;
const SWEPT_TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(25);

impl Repo {
    /// What a ref (by its full name) points to; `None` where it does not exist. Symbolic refs are followed.
    pub fn read_ref(&self, name: &str) -> Result<Option<Sha>, GitError> {
        self.with(|repo| read(repo, name))
    }

    /// Every ref whose full name starts with `prefix`, in order of name.
    /// `prefix` begins with `refs/`. One that stands for another or cannot be read does not count.
    pub fn list_refs(&self, prefix: &str) -> Result<Vec<(String, Sha)>, GitError> {
        self.list_refs_but(prefix, None)
    }

    /// The same except for those in the folder `without`, which is not even listed.
    fn list_refs_but(&self, prefix: &str, without: Option<&str>) -> Result<Vec<(String, Sha)>, GitError> {
        let Some(names) = others::names(self.common_dir(), prefix, without)? else {
            let mut all = self.list_refs_by_library(prefix)?;
            all.retain(|(name, _)| without.is_none_or(|without| !name.starts_with(without)));
            return Ok(all);
        };
        self.with(|repo| {
            let at = |name: &String| repo.find_reference(name).ok()?.target();
            Ok(names.into_iter().filter_map(|name| at(&name).map(|id| (name, sha(id)))).collect())
        })
    }

    /// Also those whose names are no text.
    fn list_refs_by_library(&self, prefix: &str) -> Result<Vec<(String, Sha)>, GitError> {
        let failed = || GitError::library("listing refs");
        self.with(|repo| {
            let mut found = BTreeMap::new();
            for reference in repo.references().map_err(failed())? {
                let reference = reference.map_err(failed())?;
                let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
                if name.starts_with(prefix)
                    && let Some(id) = reference.target()
                {
                    found.insert(name, sha(id));
                }
            }
            Ok(found.into_iter().collect())
        })
    }

    /// All local branches, without `refs/heads/`. Comparing two of these shows what an agent made.
    pub fn branches(&self) -> Result<BTreeMap<String, Sha>, GitError> {
        Ok(branches(self.list_refs(HEADS)?))
    }

    /// The local branches that are not Laneway's, as [`Self::branches`] has them. Those of a graph, one for each attempt, are
    /// not even listed.
    pub fn branches_of_others(&self) -> Result<BTreeMap<String, Sha>, GitError> {
        Ok(branches(self.list_refs_but(HEADS, Some("refs/heads/laneway/"))?))
    }

    /// The newest stash; `None` where there is none.
    pub fn stash_tip(&self) -> Result<Option<Sha>, GitError> {
        self.read_ref("refs/stash")
    }

    /// Points `name` to `new` if it is at `old` (`None`: if it does not exist). Being at `new` already is success,
    /// so that a repeat after a crash is harmless. Branches go through [`Repo::advance`] and its care for checkouts.
    pub fn set_ref(&self, name: &str, new: &Sha, old: Option<&Sha>) -> Result<(), GitError> {
        if name.starts_with("refs/heads/") {
            return self.advance(name, old, new).map(drop);
        }
        self.hold(new)?;
        self.with_durable(|repo| swap(repo, name, old, new))?;
        self.let_go(new);
        Ok(())
    }

    /// Deletes `name` if it is at `old`. That it is gone already is success. A branch that is checked out is
    /// [`GitError::CheckoutBusy`].
    pub fn delete_ref(&self, name: &str, old: &Sha) -> Result<(), GitError> {
        if name.starts_with("refs/heads/")
            && let Some(checkout) = self.checkouts_of(name)?.into_iter().next()
        {
            let operation = checkout.operation.unwrap_or("a checkout");
            return Err(GitError::CheckoutBusy { path: checkout.path, branch: name.to_owned(), operation });
        }
        failpoint::pass(Point::RefDelete);
        let deleted = self.with_durable(|repo| {
            patiently(repo, name, None, "deleting a ref", || {
                let mut reference = match repo.find_reference(name) {
                    Ok(reference) => reference,
                    Err(error) if absent(&error) => return Ok(Ok(())),
                    Err(error) => return Err(error),
                };
                if reference.target() != oid(old).ok() {
                    return Ok(Err(moved(name, Some(old), reference.target().map(sha))));
                }
                // libgit2 compares again with what was read, under the lock.
                reference.delete().map(Ok)
            })?
        });
        failpoint::pass(Point::RefDeleted);
        deleted
    }
}
/// Branches by their short names.
fn branches(refs: Vec<(String, Sha)>) -> BTreeMap<String, Sha> {
    refs.into_iter().map(|(name, at)| (name[HEADS.len()..].to_owned(), at)).collect()
}

pub(super) fn moved(name: &str, expected: Option<&Sha>, found: Option<Sha>) -> GitError {
    GitError::RefMoved { name: name.to_owned(), expected: expected.cloned(), found }
}

pub(super) fn read(repo: &Repository, name: &str) -> Result<Option<Sha>, GitError> {
    let failed = || GitError::library("reading a ref");
    match repo.find_reference(name).and_then(|reference| reference.resolve()) {
        Ok(reference) => Ok(reference.target().map(sha)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(failed()(error)),
    }
}

/// Compare-and-swap of one ref.
pub(super) fn swap(repo: &Repository, name: &str, old: Option<&Sha>, new: &Sha) -> Result<(), GitError> {
    let target = oid(new)?;
    let expected = old.map(oid).transpose()?;
    failpoint::write(Point::RefMove).map_err(GitError::io("moved", std::path::Path::new(name)))?;
    let outcome = patiently(repo, name, Some(new), "moving a ref", || {
        let swapped = match expected {
            Some(expected) => repo.reference_matching(name, target, true, expected, "laneway"),
            None => repo.reference(name, target, false, "laneway"),
        };
        lost_race(swapped)
    })?;
    failpoint::pass(Point::RefMoved);
    match outcome {
        Race::Won => Ok(()),
        Race::Lost => match read(repo, name)? {
            Some(found) if found == *new => Ok(()),
            found => Err(moved(name, old, found)),
        },
    }
}

enum Race {
    Won,
    Lost,
}

fn lost_race(swapped: Result<Reference<'_>, git2::Error>) -> Result<Race, git2::Error> {
    match swapped {
        Ok(_) => Ok(Race::Won),
        Err(error)
            if matches!(error.code(), ErrorCode::Modified | ErrorCode::Exists | ErrorCode::NotFound) =>
        {
            Ok(Race::Lost)
        }
        Err(error) => Err(error),
    }
}

/// Repeats `act` on the ref `name` while another process holds its lock or that of the packed refs, for about a second.
/// A lock that a killed process has left is removed; `wanted` is where the ref is to go.
pub(super) fn patiently<T>(
    repo: &Repository,
    name: &str,
    wanted: Option<&Sha>,
    action: &'static str,
    mut act: impl FnMut() -> Result<T, git2::Error>,
) -> Result<T, GitError> {
    let mut tries = 1;
    loop {
        let error = match act() {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let locked = error.code() == ErrorCode::Locked;
        // The last ref of a directory that goes takes the directory along, perhaps just as we put a ref into it.
        let swept = error.class() == ErrorClass::Os && error.code() == ErrorCode::GenericError;
        if locked && stale::clear(repo, name, wanted) {
            continue;
        }
        if !(locked && tries < TRIES || swept && tries < SWEPT_TRIES) {
            return Err(GitError::library(action)(error));
        }
        tries += 1;
        std::thread::sleep(PAUSE);
    }
}
