//! What can go wrong with git, by name.

use std::io;
use std::path::{Path, PathBuf};

use crate::id::Sha;

/// A kind of repository that Laneway cannot work in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Refs kept in a reftable.
    #[error("its refs are stored as a reftable")]
    Reftable,
    /// SHA-256 object ids.
    #[error("its object format is {format}")]
    ObjectFormat {
        /// The format that the repository names.
        format: String,
    },
    /// A clone that fetches missing objects on demand.
    #[error("it is a partial clone (objects are missing until they are asked for)")]
    PartialClone,
    /// Any other repository extension that libgit2 does not know.
    #[error("it uses an extension that libgit2 cannot open: {detail}")]
    Extension {
        /// What libgit2 says.
        detail: String,
    },
}

/// Why a remote did not take a push.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The remote branch is not where the lease expects it.
    #[error("it is not where it was last seen")]
    Stale,
    /// The remote refuses to move the branch backwards or sideways.
    #[error("the remote refuses a move that is not a fast-forward")]
    NotFastForward,
    /// A hook or a rule of the remote.
    #[error("the remote says: {message}")]
    Remote {
        /// The remote's reason.
        message: String,
    },
}

/// How many files a message names.
const FILES_NAMED: usize = 5;

/// Everything that a function of this module can fail with.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// No repository at or above the start.
    #[error("{} is not in a git repository", start.display())]
    NotARepository {
        /// Where the search began.
        start: PathBuf,
    },
    /// A repository that Laneway refuses by name.
    #[error("{} cannot be used: {feature}", path.display())]
    Unsupported {
        /// The repository's git directory.
        path: PathBuf,
        /// What stands in the way.
        feature: Unsupported,
    },
    /// The repository belongs to another user and is not declared safe.
    #[error("{} belongs to another user (see git's safe.directory)", path.display())]
    UnsafeOwner {
        /// The repository.
        path: PathBuf,
    },
    /// The `git` program is older than what Laneway needs.
    #[error("{found} is too old, {needed} or newer is needed")]
    GitTooOld {
        /// What `git version` prints.
        found: String,
        /// The oldest version that works.
        needed: &'static str,
    },
    /// Neither a name nor an e-mail address to commit with.
    #[error("git has no {missing} to commit with")]
    NoIdentity {
        /// The missing key: `user.name` or `user.email`.
        missing: &'static str,
    },
    /// The `git` program could not be started or talked to.
    #[error("`git {operation}` could not be run")]
    Spawn {
        /// The sub-command.
        operation: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The `git` program ended with an error.
    #[error("`git {operation}` failed ({}): {stderr}", status_text(*code))]
    Failed {
        /// The sub-command.
        operation: String,
        /// Its exit code; `None` when a signal ended it.
        code: Option<i32>,
        /// The end of what it wrote to stderr.
        stderr: String,
    },
    /// A call that talks to the network, or that signs, took too long and was stopped.
    #[error("`git {operation}` was stopped after {seconds} s")]
    TimedOut {
        /// The sub-command.
        operation: String,
        /// The limit.
        seconds: u64,
    },
    /// The `git` program printed something that its documentation does not allow for.
    #[error("`git {operation}` printed something unexpected: {found:?}")]
    Output {
        /// The sub-command.
        operation: String,
        /// The part that does not fit.
        found: String,
    },
    /// libgit2 failed.
    #[error("{action} failed")]
    Library {
        /// What was being done.
        action: &'static str,
        /// Why.
        #[source]
        source: git2::Error,
    },
    /// A file could not be read or written.
    #[error("{} could not be {action}", path.display())]
    Io {
        /// What was being done, as a participle.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process holds the lock for too long.
    #[error("{} is held by another process for more than {seconds} s", path.display())]
    LockBusy {
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// Something that was just written is not there any more: a `git gc --prune=now` (or `git prune`) of the user's ran
    /// before a ref held it. Written again, it stays.
    #[error(
        "the object {id} is gone; `git gc --prune=now` or `git prune` in this repository takes what is being made"
    )]
    ObjectGone {
        /// The object.
        id: String,
    },
    /// A ref is not where it was expected.
    #[error("{name} is at {}, not at {}", place(found.as_ref()), place(expected.as_ref()))]
    RefMoved {
        /// The full name of the ref.
        name: String,
        /// Where it was expected; `None`: nowhere.
        expected: Option<Sha>,
        /// Where it is; `None`: nowhere.
        found: Option<Sha>,
    },
    /// A branch is checked out with changes that moving it would mix up.
    #[error("{branch} is checked out in {} with uncommitted changes", path.display())]
    CheckoutDirty {
        /// The checkout.
        path: PathBuf,
        /// The full name of the branch.
        branch: String,
        /// The files that stand in the way.
        files: Vec<String>,
    },
    /// A branch is checked out where files that git does not track stand in the way of those that would come.
    #[error(
        "{branch} is checked out in {}, and what is merged has files where untracked or ignored ones stand there: {}",
        path.display(),
        some(files)
    )]
    CheckoutInTheWay {
        /// The checkout.
        path: PathBuf,
        /// The full name of the branch.
        branch: String,
        /// The files that stand in the way.
        files: Vec<String>,
    },
    /// A branch is checked out where something else is under way.
    #[error("{branch} is in use by {operation} in {}", path.display())]
    CheckoutBusy {
        /// The checkout.
        path: PathBuf,
        /// The full name of the branch.
        branch: String,
        /// What is under way there.
        operation: &'static str,
    },
    /// A directory that a lane needs holds something that is not Laneway's.
    #[error("{} is taken by something that Laneway did not make", path.display())]
    PathOccupied {
        /// The directory.
        path: PathBuf,
    },
    /// A directory that a lane needs is a worktree of another repository.
    #[error("{} is a worktree of another repository, {}", path.display(), other.display())]
    PathOfAnother {
        /// The directory.
        path: PathBuf,
        /// The git directory of that repository.
        other: PathBuf,
    },
    /// A folder of a sparse lane that the commit does not have.
    #[error("`{folder}` of `sparse` is no folder of {}", commit.short())]
    NoSuchFolder {
        /// The folder.
        folder: String,
        /// The nearest folder on the way to it that there is; empty for the root.
        nearest: String,
        /// The commit.
        commit: Sha,
    },
    /// A file in LFS whose contents cannot be had.
    #[error("a file in LFS could not be written: {detail}")]
    Lfs {
        /// What git and git-lfs say.
        detail: String,
    },
    /// The commit of a submodule cannot be had.
    #[error("the submodule `{name}` at {path} cannot be checked out: its commit {} is missing ({detail})", commit.short())]
    Submodule {
        /// Its name in `.gitmodules`.
        name: String,
        /// Where it lies.
        path: String,
        /// Where the outermost one around it lies; the same where it is in none.
        outermost: String,
        /// The commit.
        commit: Sha,
        /// Where it was looked for, and what became of that.
        detail: String,
    },
    /// What was changed in a submodule and not committed there, so that no commit around it can hold it.
    #[error("changes in a submodule are not committed there: {}", crate::event::named(paths))]
    SubmoduleDirty {
        /// The files, relative to the lane.
        paths: Vec<String>,
    },
    /// Somebody locked the worktree with `git worktree lock`.
    #[error("{} is locked: {reason}", path.display())]
    WorktreeLocked {
        /// The worktree.
        path: PathBuf,
        /// The reason that was given.
        reason: String,
    },
    /// A lane's HEAD names no commit.
    #[error("HEAD of {} names no commit ({found:?})", path.display())]
    HeadUnborn {
        /// The worktree.
        path: PathBuf,
        /// What HEAD holds.
        found: String,
    },
    /// Repositories inside the lane, which a commit would record as bare pointers, losing their files.
    #[error("a repository lies inside the lane: {}", crate::event::named(paths))]
    NestedRepositories {
        /// Where they are, relative to the lane.
        paths: Vec<String>,
    },
    /// Two commits without a common ancestor.
    #[error("{} and {} have no common history", ours.short(), theirs.short())]
    UnrelatedHistories {
        /// The first.
        ours: Sha,
        /// The second.
        theirs: Sha,
    },
    /// The remote did not take a push.
    #[error("pushing {branch} was rejected: {cause}")]
    PushRejected {
        /// The branch, without `refs/heads/`.
        branch: String,
        /// Why.
        cause: Rejection,
    },
    /// The remote cannot be reached, or is not a repository.
    #[error("{remote} cannot be reached: {detail}")]
    Unreachable {
        /// The remote's name.
        remote: String,
        /// What git says.
        detail: String,
    },
    /// The remote does not let us in, or asks for something that nobody is there to answer.
    #[error("{remote} refuses access: {detail}")]
    Auth {
        /// The remote's name.
        remote: String,
        /// What git says.
        detail: String,
    },
    /// The commit could not be signed as the user's config asks.
    #[error("the commit could not be signed: {detail}")]
    Signing {
        /// What git or the signing program says.
        detail: String,
    },
    /// A lane's files could not be brought to the wanted state.
    #[error("{} could not be reset, these files resist: {}", path.display(), crate::event::named(files))]
    StillDirty {
        /// The lane.
        path: PathBuf,
        /// The files.
        files: Vec<String>,
    },
}

/// What git says when an object is gone.
const LOST: [&str; 5] =
    ["invalid object", "error building trees", "unable to read", "bad object", "not a valid object"];

impl GitError {
    pub(super) fn library(action: &'static str) -> impl FnOnce(git2::Error) -> Self {
        move |source| Self::Library { action, source }
    }

    /// Whether it may come of an object that was pruned before anything held it.
    pub(super) fn is_of_a_lost_object(&self) -> bool {
        match self {
            Self::ObjectGone { .. } => true,
            Self::Library { source, .. } => {
                source.code() == git2::ErrorCode::NotFound
                    || matches!(source.class(), git2::ErrorClass::Odb | git2::ErrorClass::Os)
            }
            Self::Failed { stderr, .. } => {
                // The folder that an object was about to be put into goes with the last one in it.
                let folder = ["unable to create temporary file", "unable to write file"];
                LOST.iter().any(|said| stderr.contains(said))
                    || stderr.contains("No such file or directory")
                        && folder.iter().any(|said| stderr.contains(said))
            }
            _ => false,
        }
    }

    /// Whether git-lfs, or that it is missing, kept git from writing a file.
    pub(super) fn is_of_lfs(&self) -> bool {
        matches!(self, Self::Failed { stderr, .. } if stderr.contains("smudge filter lfs failed") || stderr.contains("git-lfs"))
    }

    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

fn status_text(code: Option<i32>) -> String {
    code.map_or_else(|| "killed by a signal".to_owned(), |code| format!("exit code {code}"))
}

/// As many files as a message has room for.
fn some(files: &[String]) -> String {
    let shown = files[..files.len().min(FILES_NAMED)].join(", ");
    match files.len().saturating_sub(FILES_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn place(at: Option<&Sha>) -> &str {
    at.map_or("no commit", Sha::short)
}
