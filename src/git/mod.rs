//! Everything about git: worktrees, merges in the object database, guarded branch moves, custody.
//!
//! `git2` reads and writes objects, refs and worktree metadata of the *main* repository; the `git` program does
//! what its behaviour defines (status, add, checkout of files, merges, fetch, push), through one gateway,
//! `command`. All calls block; an async caller uses a blocking thread.
//!
//! **Two git directories a lane.** Agents live with `<common>/worktrees/<name>` (HEAD, index, config of their
//! own). Laneway looks at the same files through a *private* git directory, `<common>/laneway/index/<name>`, with a HEAD
//! and an index that only Laneway writes. So nothing that an agent leaves in its own (flags that hide edits,
//! a broken HEAD, a locked index, a planted `config.worktree`) changes what Laneway sees, and since the private
//! index has kept its stat data, looking is fast. git2 never opens a lane, and a lane's `.git` is never followed.
//!
//! **Durability.** Whatever `git` writes for us is written with `core.fsync=all`, but for private indexes, which are made again; libgit2 writes objects and refs with
//! its own fsync on (`Repo::with_durable`). Objects that an agent's git wrote are synced by
//! [`Repo::sync_objects`], which belongs before `merge.recorded` and knows the files that were synced before.

mod abandon;
mod advance;
mod bring;
mod carry;
mod command;
mod cone;
mod custody;
mod diff;
mod discover;
mod error;
mod fill;
mod handed;
mod holding;
mod ignored;
mod kept;
mod left;
mod lfs;
mod lock;
mod merge;
mod objects;
mod others;
mod pipe;
mod private;
mod probe;
mod program;
mod provenance;
mod provision;
mod refs;
mod remote;
mod renames;
mod repo;
mod reset;
mod restack;
mod restore;
mod settled;
mod shape;
mod share;
mod stale;
mod submodules;
mod synced;
mod traits;
mod tree_state;
mod undo;
mod unlink;
mod worktree;
mod young;

#[cfg(test)]
mod tests;

pub use advance::Advanced;
pub use bring::{Brought, Copied, LeftOut, WORKTREE_INCLUDE, copy_tree, is_way_shut};
pub use diff::{Change, DiffFile};
pub use discover::git_version;
pub use error::{GitError, Rejection, Unsupported};
pub use fill::{LaneFiles, LeftToGit, Survey, Writer};
pub use kept::{CUSTODY, KeptKind, KeptRef, Restored};
pub use lock::RepoLock;
pub use merge::{Landed, Merge};
pub use objects::CommitInfo;
pub use probe::{Probe, Verdict};
pub use provenance::ConfigKeys;
pub use remote::Remote;
pub use repo::{Identity, Repo};
pub use restack::Landing;
pub use restore::Overlaid;
pub use shape::Shape;
pub use share::{KeptBase, NotShared};
pub use submodules::{LeftBehind, Why};
pub use traits::Trait;
pub use tree_state::{DirtyFile, DirtyKind, TreeState};
pub use undo::Stretch;
pub use worktree::{Head, Worktree};
