//! Doing what the plan of a collection says. Each step can be repeated, so that being killed anywhere loses nothing.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::abandoned::at_work;
use super::plan::{Item, Left, Spared, Thing, entries, needed, spared};
use crate::git::{GitError, Worktree};
use crate::id::{GraphName, RunNo};
use crate::plan::custody_ref;
use crate::runtime::effects::SetupResult;
use crate::runtime::kept::{standing, under_lock};
use crate::runtime::{Project, RuntimeError};

/// What became of an item.
#[derive(Debug)]
pub enum Swept {
    /// It is gone.
    Gone,
    /// It stays: since the plan was made, something has changed.
    Spared(Spared),
    /// It stays: it could not be removed.
    Failed(RuntimeError),
}

/// Collects those of `items` that are not spared, one after the other, each under the lock of its graph and after a second look
/// at its run. Returns what became of each.
pub fn sweep(project: &Project, items: &[Item]) -> Result<Vec<Swept>, RuntimeError> {
    // What a collection that was killed had taken away already.
    for left in entries(&going(project))? {
        if let Err(error) = remove_all(&left) {
            // What resists is no reason to keep everything else.
            tracing::warn!(%error, path = %left.display(), "what an earlier collection took away is still there");
        }
    }
    // Before the runs are looked at: what one that begins now holds is not among it.
    let held = project.repo.held()?;
    // Another run may have begun since the plan was made.
    let needed = needed(project)?;
    if needed.is_none() {
        for commit in &held {
            project.repo.let_go(commit);
        }
        if let Err(error) = project.repo.sweep_submodules() {
            tracing::warn!(%error, "commits of submodules are held on");
        }
    } else {
        project.repo.sweep_held();
    }
    Ok(items.iter().map(|item| one(project, item, needed.as_ref())).collect())
}

fn one(project: &Project, item: &Item, needed: Option<&Spared>) -> Swept {
    if let Some(spared) = &item.spared {
        return Swept::Spared(spared.clone());
    }
    let done = match (&item.thing, run_of(&item.thing)) {
        (thing, Some((graph, run))) => {
            let stays = match thing {
                Thing::Worktree { left: Left::Abandoned, .. } => at_work,
                _ => spared,
            };
            under_lock(project, graph, || match stays(&standing(project, graph, *run)) {
                Some(spared) => Ok(Some(spared)),
                None => remove(project, thing).map(|()| None),
            })
        }
        (Thing::Setup { path, command: Some(_) }, None) => unused(project, path),
        (Thing::Base { .. } | Thing::Custody(_), None) => remove(project, &item.thing).map(|()| None),
        (thing, None) => match needed {
            Some(spared) => Ok(Some(spared.clone())),
            None => remove(project, thing).map(|()| None),
        },
    };
    match done {
        Ok(None) => Swept::Gone,
        Ok(Some(spared)) => Swept::Spared(spared),
        Err(RuntimeError::Lock(crate::journal::LockError::Held { .. })) => Swept::Spared(Spared::Live),
        Err(error) => Swept::Failed(error),
    }
}

/// Removes the result of a setup command, unless a run is at it.
fn unused(project: &Project, path: &Path) -> Result<Option<Spared>, RuntimeError> {
    let Some(_claim) = SetupResult::claim(path)? else { return Ok(Some(Spared::InUse)) };
    take_away(project, path).map(|()| None)
}

fn run_of(thing: &Thing) -> Option<&(GraphName, RunNo)> {
    match thing {
        Thing::Custody(kept) => kept.run.as_ref(),
        Thing::Worktree { run, .. } | Thing::Attempts { run, .. } | Thing::Board { run, .. } => Some(run),
        Thing::Trash { .. } | Thing::Setup { .. } | Thing::Base { .. } | Thing::Seen { .. } => None,
    }
}

fn remove(project: &Project, thing: &Thing) -> Result<(), RuntimeError> {
    match thing {
        Thing::Custody(kept) => {
            forgotten(project.repo.drop_custody(&kept.found.reference, &kept.found.commit))
        }
        Thing::Seen { reference, commit } => forgotten(project.repo.delete_ref(reference, commit)),
        Thing::Base { base } => project.repo.drop_base(base).map_err(Into::into),
        Thing::Worktree { worktree, run, left } => remove_worktree(project, worktree, run, *left),
        Thing::Trash { path }
        | Thing::Setup { path, .. }
        | Thing::Attempts { path, .. }
        | Thing::Board { path, .. } => take_away(project, path),
    }
}

fn forgotten(deleted: Result<(), GitError>) -> Result<(), RuntimeError> {
    match deleted {
        // It holds something newer now, which nobody has looked at.
        Ok(()) | Err(GitError::RefMoved { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What the worktree holds is kept like everything that is removed.
fn remove_worktree(
    project: &Project,
    worktree: &Worktree,
    (graph, run): &(GraphName, RunNo),
    left: Left,
) -> Result<(), RuntimeError> {
    let first = custody_ref(graph, *run, &format!("gc/{}", worktree.name()));
    let (mut name, mut n) = (first.clone(), 1_u32);
    while project.repo.read_ref(&name)?.is_some() {
        n += 1;
        name = format!("{first}.{n}");
    }
    let reason = match left {
        Left::Merged => "what a merged lane's worktree held",
        Left::Abandoned => "what the worktree of a lane held that was given up",
    };
    project.repo.custody(worktree, &name, reason, &[])?;
    project.repo.remove(worktree, &project.record.trash())?;
    Ok(())
}

/// Renamed first: whoever looks meets all of it or nothing, and a collection that is killed is gone on with by the next.
fn take_away(project: &Project, path: &Path) -> Result<(), RuntimeError> {
    let going = going(project);
    let failed = |source| RuntimeError::Io { action: "removed", path: path.to_owned(), source };
    std::fs::create_dir_all(&going).map_err(failed)?;
    let place = tempfile::Builder::new().prefix("going-").tempdir_in(&going).map_err(failed)?.keep();
    match std::fs::rename(path, place.join("it")) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        // A worktree folder or a record on another file system cannot be renamed here.
        Err(error) if error.kind() == ErrorKind::CrossesDevices => remove_all(path)?,
        Err(error) => return Err(failed(error)),
    }
    remove_all(&place)
}

fn going(project: &Project) -> std::path::PathBuf {
    project.record.root().join("gc")
}

/// Removes a directory, also one with directories that were made read-only, as the caches of some build tools are.
fn remove_all(path: &Path) -> Result<(), RuntimeError> {
    let failed = |source| RuntimeError::Io { action: "removed", path: path.to_owned(), source };
    let removed = match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(path);
            std::fs::remove_dir_all(path)
        }
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// Lets the user into every directory below `root`; where that fails, removing it says so.
fn open_up(root: &Path) {
    let mut look = vec![root.to_owned()];
    while let Some(dir) = look.pop() {
        let Ok(found) = std::fs::symlink_metadata(&dir) else { continue };
        let mode = found.permissions().mode();
        if mode & 0o700 != 0o700 {
            let opened = std::fs::set_permissions(&dir, Permissions::from_mode(mode & 0o7777 | 0o700));
            if let Err(error) = opened {
                tracing::debug!(%error, path = %dir.display(), "stays closed");
            }
        }
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        let is_dir = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        look.extend(entries.flatten().filter(is_dir).map(|entry| entry.path()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r54_a_read_only_cache_does_not_stay_and_its_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (cache, other) = (dir.path().join("cache"), dir.path().join("other"));
        std::fs::create_dir_all(cache.join("mod/pkg")).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::fs::write(cache.join("mod/pkg/file"), "x").unwrap();
        std::os::unix::fs::symlink(&other, cache.join("mod/link")).unwrap();
        for (path, mode) in
            [(cache.join("mod/pkg"), 0o555), (cache.join("mod"), 0o555), (other.clone(), 0o555)]
        {
            std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        open_up(&cache);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&cache.join("mod/pkg")), mode(&other)), (0o755, 0o555));
        std::fs::set_permissions(cache.join("mod"), Permissions::from_mode(0o555)).unwrap();
        remove_all(&cache).unwrap();
        assert!(!cache.exists() && other.exists());
    }
}
