//! Results of setup commands, kept for lanes in which the same command would read the same.
//!
//! ```text
//! <record>/setup/<digest>/
//!     about.json    the command; its time of change is when the result was last used
//!     made/...      what it made, at its paths
//! <record>/setup/<digest>.lock
//! ```

use std::ffi::OsStr;
use std::fs::{File, FileTimes};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

use crate::failpoint::{self, Point};
use crate::git::{GitError, Repo, RepoLock, Worktree, copy_tree, is_way_shut};
use crate::graph::Setup;

/// Changes when results of before can no more be used.
const VERSION: &str = "laneway-setup-1";

/// Why a result cannot be kept or used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShelfError {
    /// A file of the lane or of the shelf.
    #[error("{} could not be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Locking or copying.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Where the results are.
pub(super) struct Shelf {
    root: PathBuf,
}

impl Shelf {
    pub(super) fn new(record: &Path) -> Self {
        Self { root: record.join("setup") }
    }

    /// The place of what `setup` makes in `lane` as its files are now. `search` is the `PATH` of the command: with other
    /// tools it may make something else.
    pub(super) fn slot(&self, lane: &Path, setup: &Setup, search: &OsStr) -> Result<Slot, ShelfError> {
        let mut hash = Sha256::new();
        let mut put = |part: &[u8]| {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        };
        put(VERSION.as_bytes());
        put(std::env::consts::OS.as_bytes());
        put(std::env::consts::ARCH.as_bytes());
        put(search.as_bytes());
        put(setup.command.to_string().as_bytes());
        for path in &setup.makes {
            put(path.as_bytes());
        }
        for path in &setup.reads {
            put(path.as_bytes());
            read_into(&lane.join(path), &mut put).map_err(io_error(&lane.join(path)))?;
        }
        let digest = hash.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Ok(Slot { path: self.root.join(digest), makes: setup.makes.clone() })
    }
}

/// The place of one result.
#[derive(Clone)]
pub(super) struct Slot {
    path: PathBuf,
    makes: Vec<String>,
}

/// What is known of a result.
#[derive(Serialize, Deserialize)]
struct About {
    command: String,
}

impl Slot {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Taken by one Laneway at a time, for as long as the command runs.
    pub(super) fn try_lock(&self) -> Result<Option<RepoLock>, ShelfError> {
        Ok(SetupResult::claim(&self.path)?)
    }

    /// Puts the result into the lane, in the place of what stands there. `false` where there is none.
    pub(super) fn fetch(&self, repo: &Repo, worktree: &Worktree) -> Result<bool, ShelfError> {
        let about = self.path.join("about.json");
        if !about.exists() {
            return Ok(false);
        }
        if self.makes.iter().any(|made| is_way_shut(&worktree.path, Path::new(made))) {
            return Ok(false);
        }
        failpoint::write(Point::SetupTake).map_err(io_error(&self.path))?;
        let paths: Vec<PathBuf> = self.makes.iter().map(PathBuf::from).collect();
        repo.set_aside(worktree, &paths)?;
        let latest = Some(repo.before_its_files(worktree)?);
        for made in &self.makes {
            copy_tree(&self.path.join("made").join(made), &worktree.path.join(made), latest)?;
        }
        let used = File::options().write(true).open(&about);
        let used = used.and_then(|file| file.set_times(FileTimes::new().set_modified(SystemTime::now())));
        used.map_err(io_error(&about))?;
        failpoint::pass(Point::SetupTaken);
        Ok(true)
    }

    /// Keeps what the command made. Returns the path that it did not make, if any.
    pub(super) fn store(&self, worktree: &Worktree, command: &str) -> Result<Option<String>, ShelfError> {
        let there = |made: &&String| worktree.path.join(made).symlink_metadata().is_ok();
        if let Some(missing) = self.makes.iter().find(|made| !there(made)) {
            return Ok(Some(missing.clone()));
        }
        let root = self.path.parent().unwrap_or(&self.path);
        failpoint::write(Point::SetupKeep).map_err(io_error(root))?;
        let aside = tempfile::Builder::new().prefix("new-").tempdir_in(root).map_err(io_error(root))?;
        for made in &self.makes {
            copy_tree(&worktree.path.join(made), &aside.path().join("made").join(made), None)?;
        }
        let finish = || -> io::Result<()> {
            let about = serde_json::to_vec(&About { command: command.to_owned() })?;
            std::fs::write(aside.path().join("about.json"), about)?;
            failpoint::pass(Point::SetupAside);
            std::fs::rename(aside.path(), &self.path)
        };
        finish().map_err(io_error(&self.path))?;
        failpoint::pass(Point::SetupKept);
        // It is not there any more to be removed.
        drop(aside.keep());
        Ok(None)
    }
}

/// Feeds what is at `path` to `put`: content, links and names, in order. What is missing is told from what is empty.
fn read_into(path: &Path, put: &mut impl FnMut(&[u8])) -> io::Result<()> {
    for entry in WalkDir::new(path).follow_links(false).sort_by_file_name() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.io_error().is_some_and(|e| e.kind() == ErrorKind::NotFound) => {
                put(b"missing");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let below = entry.path().strip_prefix(path).expect("the walk stays below its root");
        put(below.as_os_str().as_bytes());
        let kind = entry.file_type();
        if kind.is_file() {
            let is_program = entry.metadata()?.permissions().mode() & 0o100 != 0;
            put(if is_program { b"program" } else { b"file" });
            put(&std::fs::read(entry.path())?);
        } else if kind.is_symlink() {
            put(b"link");
            put(std::fs::read_link(entry.path())?.as_os_str().as_bytes());
        } else {
            put(b"other");
        }
    }
    Ok(())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> ShelfError {
    let path = path.to_owned();
    move |source| ShelfError::File { path, source }
}

/// A kept result of a setup command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupResult {
    /// Its folder.
    pub path: PathBuf,
    /// The command; `None` for what an interrupted one has left.
    pub command: Option<String>,
    /// When it was made or last used.
    pub used: SystemTime,
}

impl SetupResult {
    /// Keeps runs from using it, so that it can be removed; `None` while one does.
    pub fn claim(path: &Path) -> Result<Option<RepoLock>, GitError> {
        RepoLock::try_acquire(&path.with_extension("lock"))
    }
}

/// The results of setup commands that the record keeps, in no order.
pub fn setup_results(record: &Path) -> io::Result<Vec<SetupResult>> {
    let entries = match std::fs::read_dir(Shelf::new(record).root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        let about = path.join("about.json");
        let (command, used) = match std::fs::read(&about) {
            Ok(bytes) => {
                let about_it: Option<About> = serde_json::from_slice(&bytes).ok();
                (about_it.map(|about| about.command), about.metadata()?.modified()?)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (None, path.metadata()?.modified()?),
            Err(error) => return Err(error),
        };
        found.push(SetupResult { path, command, used });
    }
    Ok(found)
}
