//! Ignored files of the main worktree that a lane gets a copy of: those that `.worktreeinclude` names, and those that its
//! workstream asks for. Nothing else is ever copied.
//!
//! Only files that are untracked in the main worktree and ignored in the lane are taken: what is tracked comes with
//! the commit, and what is not ignored would be swept into the next one. Git says which those are; it lists neither
//! sockets, fifos and devices nor what lies in a repository inside the worktree.
#![expect(clippy::disallowed_methods, reason = "copies files into lanes")]

mod copy;
mod noted;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use globset::GlobBuilder;

use super::command::{Git, Scope};
use super::private::Private;
use super::repo::replace_file;
use super::{GitError, Repo, Worktree};

pub(super) use noted::is_among;

pub use copy::{Copied, copy_tree};
use copy::{copy_entry, make_folder, settle_folders};

/// The file at the root of a repository that names what its worktrees are to have, in the form of `.gitignore`.
pub const WORKTREE_INCLUDE: &str = ".worktreeinclude";

/// How much older than the lane what is brought is at least: the lane's own files count as written a little before it.
const OLDER: Duration = Duration::from_secs(10);

/// What came of bringing files into a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brought {
    /// What was copied.
    pub copied: Copied,
    /// The files and links that were copied, in order.
    pub names: Vec<PathBuf>,
    /// What was asked for and did not come, in order.
    pub left_out: Vec<LeftOut>,
    /// Links among what was copied that lead out of the lane, as they did out of the main worktree.
    pub leading_out: Vec<PathBuf>,
}

/// What was asked for and did not come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// The main worktree has no untracked file there.
    Missing {
        /// The glob.
        glob: String,
    },
    /// It is not ignored in the lane, so a commit would take it up.
    NotIgnored {
        /// The file.
        path: PathBuf,
    },
    /// It is a repository of its own.
    Repository {
        /// Its folder.
        path: PathBuf,
    },
    /// The way to it leads through a link or a file of the lane.
    InTheWay {
        /// The file.
        path: PathBuf,
    },
}

impl Repo {
    /// Copies into the lane what `.worktreeinclude` of the main worktree names and what matches the globs `copy`, where
    /// the lane has nothing yet. `apart` are folders of Laneway's own, of which nothing is taken.
    pub fn bring(
        &self,
        worktree: &Worktree,
        copy: &[String],
        apart: &[PathBuf],
    ) -> Result<Brought, GitError> {
        let mut brought = Brought::default();
        if self.is_bare() {
            brought.left_out = missing(copy, &BTreeSet::new());
            return Ok(brought);
        }
        let asked = self.asked_for(copy)?;
        let mut found = asked.clone();
        found.extend(self.included()?);
        let root = self.root().to_owned();
        found.retain(|path| !apart.iter().any(|apart| root.join(path).starts_with(apart)));
        brought.left_out = missing(copy, &found);
        let (mut files, mut shut) = (Vec::new(), Vec::new());
        for path in found {
            if path.as_os_str().as_bytes().ends_with(b"/") {
                brought.left_out.push(LeftOut::Repository { path });
            } else if is_way_shut(&worktree.path, &path) {
                shut.push(LeftOut::InTheWay { path });
            } else {
                files.push(path);
            }
        }
        brought.left_out.extend(shut);
        let private = Private::open(self, worktree)?;
        let rules = if private.cone().is_none() { Ignores::Worktree } else { Ignores::Index };
        let ignored = ignored(private.scope(), &files, rules)?;
        let latest = Some(self.before_its_files(worktree)?);
        let mut folders = Vec::new();
        for path in files {
            if !ignored.contains(&path) {
                brought.left_out.push(LeftOut::NotIgnored { path });
                continue;
            }
            if leads_out(&root, &path)? {
                brought.leading_out.push(path.clone());
            }
            let taken = take(&root, &worktree.path, &path, latest, &mut folders)?;
            brought.copied += taken;
            if taken.files > 0 {
                brought.names.push(path);
            }
        }
        settle_folders(folders, latest)?;
        Ok(brought)
    }

    /// Whether the main worktree names files for every lane.
    pub fn has_include(&self) -> bool {
        !self.is_bare() && self.include_file().is_some()
    }

    fn include_file(&self) -> Option<PathBuf> {
        let path = self.root().join(WORKTREE_INCLUDE);
        path.symlink_metadata().is_ok_and(|found| found.is_file()).then_some(path)
    }

    /// The untracked files that match one of `globs`, or lie in a folder that does.
    fn asked_for(&self, globs: &[String]) -> Result<BTreeSet<PathBuf>, GitError> {
        if globs.is_empty() {
            return Ok(BTreeSet::new());
        }
        let specs =
            globs.iter().flat_map(|glob| [format!(":(top,glob){glob}"), format!(":(top,glob){glob}/**")]);
        let answer = Git::new(self.scope(), "ls-files").args(["-z", "--others", "--"]).args(specs).run()?;
        Ok(paths(&answer.stdout).collect())
    }

    /// The untracked files that `.worktreeinclude` names.
    fn included(&self) -> Result<BTreeSet<PathBuf>, GitError> {
        let Some(file) = self.include_file() else { return Ok(BTreeSet::new()) };
        let mut from = OsString::from("--exclude-from=");
        from.push(&file);
        let answer =
            Git::new(self.scope(), "ls-files").args(["-z", "--others", "--ignored"]).arg(from).run()?;
        Ok(paths(&answer.stdout).collect())
    }

    /// A time before that of any file of the lane's commit. Nothing that is brought may seem to be newer: it may have been
    /// built from other sources, and `make` or `cargo` would believe it.
    pub fn before_its_files(&self, worktree: &Worktree) -> Result<SystemTime, GitError> {
        let gitfile = worktree.path.join(".git");
        let made = gitfile.symlink_metadata().and_then(|found| found.modified());
        Ok(made.map_err(GitError::io("read", &gitfile))? - OLDER)
    }

    /// What the lane was furnished with when that was done last, if this is still the same folder.
    pub fn furnished(&self, worktree: &Worktree) -> Result<Option<String>, GitError> {
        let path = furnished_file(self, worktree);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(GitError::io("read", &path)(error)),
        };
        let folder = folder_name(worktree)?;
        let same = text.split_once('\n').filter(|(at, _)| *at == folder);
        Ok(same.map(|(_, what)| what.trim_end().to_owned()))
    }

    /// Notes that the lane is furnished with `what`, one line, and what of it git ignores: no commit is to have that.
    pub fn set_furnished(&self, worktree: &Worktree, what: &str) -> Result<(), GitError> {
        Private::open(self, worktree)?.note_brought()?;
        let text = format!("{}\n{what}\n", folder_name(worktree)?);
        replace_file(&furnished_file(self, worktree), text.as_bytes())
    }

    /// Moves what stands at `paths` of the lane to the trash.
    pub fn set_aside(&self, worktree: &Worktree, paths: &[PathBuf]) -> Result<(), GitError> {
        let there = |path: &&PathBuf| worktree.path.join(path).symlink_metadata().is_ok();
        let standing: Vec<PathBuf> = paths.iter().filter(there).cloned().collect();
        self.trash_files(worktree, &standing)
    }
}

/// Whether the folders on the way to `path` below `root` cannot be made: one is a link or a file.
pub fn is_way_shut(root: &Path, path: &Path) -> bool {
    let folders = path.ancestors().skip(1).filter(|part| *part != Path::new(""));
    let mut found = folders.filter_map(|part| root.join(part).symlink_metadata().ok());
    found.any(|found| !found.is_dir())
}

fn furnished_file(repo: &Repo, worktree: &Worktree) -> PathBuf {
    worktree.private(repo).join("furnished")
}

/// What tells a folder from another that stands in its place later.
fn folder_name(worktree: &Worktree) -> Result<String, GitError> {
    let found = std::fs::metadata(&worktree.path).map_err(GitError::io("read", &worktree.path))?;
    let born = found.created().ok().and_then(|born| born.duration_since(SystemTime::UNIX_EPOCH).ok());
    Ok(format!("{}:{}:{}", found.dev(), found.ino(), born.map_or(0, |born| born.as_nanos())))
}

fn paths(bytes: &[u8]) -> impl Iterator<Item = PathBuf> {
    let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec())))
}

/// Where the files called `.gitignore` lie that say what is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ignores {
    /// All of them in the worktree.
    Worktree,
    /// Some only in the index, as in a sparse worktree. For each path git goes through all of the index then: a minute, where a folder
    /// of dependencies is asked about.
    Index,
}

/// Those of `files` that git ignores in the worktree of `scope`, and does not track.
fn ignored(scope: Scope<'_>, files: &[PathBuf], rules: Ignores) -> Result<BTreeSet<PathBuf>, GitError> {
    if files.is_empty() {
        return Ok(BTreeSet::new());
    }
    let mut list = Vec::new();
    for file in files {
        list.extend_from_slice(file.as_os_str().as_bytes());
        list.push(0);
    }
    let asked = Git::new(scope, "check-ignore").args(["-z", "--stdin"]).stdin(list);
    let asked = if rules == Ignores::Worktree { asked.arg("--no-index") } else { asked };
    let mut ignored: BTreeSet<PathBuf> = paths(&asked.accept(&[0, 1]).run()?.stdout).collect();
    for tracked in paths(&Git::new(scope, "ls-files").arg("-z").run()?.stdout) {
        ignored.remove(&tracked);
    }
    Ok(ignored)
}

/// The globs that no file of `found` came of.
fn missing(globs: &[String], found: &BTreeSet<PathBuf>) -> Vec<LeftOut> {
    let names_some = |glob: &&String| {
        let built = GlobBuilder::new(glob).literal_separator(true).build();
        // The reader of the graph has built it before.
        let Ok(matcher) = built.map(|glob| glob.compile_matcher()) else { return false };
        found.iter().any(|path| path.ancestors().any(|part| matcher.is_match(part)))
    };
    let without = globs.iter().filter(|glob| !names_some(glob));
    without.map(|glob| LeftOut::Missing { glob: glob.clone() }).collect()
}

/// Whether `path` is a link to something outside of the worktree `root`, as its text says.
fn leads_out(root: &Path, path: &Path) -> Result<bool, GitError> {
    let full = root.join(path);
    if !full.symlink_metadata().map_err(GitError::io("read", &full))?.is_symlink() {
        return Ok(false);
    }
    let target = std::fs::read_link(&full).map_err(GitError::io("read", &full))?;
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Ok(true),
        }
    }
    Ok(false)
}

/// Copies one file, with the folders above it. What was changed or removed meanwhile by its user is not insisted on.
fn take(
    root: &Path,
    lane: &Path,
    path: &Path,
    latest: Option<SystemTime>,
    folders: &mut Vec<(PathBuf, std::fs::Metadata)>,
) -> Result<Copied, GitError> {
    let to = lane.join(path);
    if to.symlink_metadata().is_ok() {
        return Ok(Copied::default());
    }
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|part| *part != Path::new("")).collect();
    above.reverse();
    for part in above {
        let folder = lane.join(part);
        if folder.symlink_metadata().is_err() {
            make_folder(&folder).map_err(GitError::io("created", &folder))?;
            let found = root.join(part).metadata().map_err(GitError::io("read", part))?;
            folders.push((folder, found));
        }
    }
    let from = root.join(path);
    match from.symlink_metadata() {
        Ok(found) => copy_entry(&from, &found, &to, latest),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Copied::default()),
        Err(error) => Err(GitError::io("read", &from)(error)),
    }
}
