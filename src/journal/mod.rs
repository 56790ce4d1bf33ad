//! The truth on disk: the append-only journal of a run, the lock that gives a graph one writer, and the layout
//! of the record around them.
//!
//! A journal is a file of JSON objects, one a line. The last member of each is `prev`, the SHA-256 of the line
//! before it, so a line that was changed, lost or put in shows. This layer knows nothing of event types; it
//! stores texts and gives them back.
//!
//! ```text
//! append(batch) -> one write -> one fdatasync -> Ok            an error poisons the journal for good
//! open(Append)  -> read, check the chain, save and cut a torn tail, sync -> Replay
//! ```
//!
//! Durability: what `append` answered with `Ok` survives a power cut. What was written but not yet answered may
//! survive too; `open` syncs before it hands such lines out, so nothing is acted upon that can still vanish.

#![expect(clippy::disallowed_methods, reason = "the journal, its lock and the record are files")]

mod chain;
mod error;
mod file;
mod follow;
mod lock;
mod owner;
mod read;
mod record;
mod replay;
mod scan;
mod writer;

pub use chain::{LineHash, Position};
pub use error::{BodyFault, Damage, JournalError};
pub use file::{Journal, Mode, Verified, verify};
pub use follow::Follow;
pub use lock::{FileSystem, LockError, Locks, RunLock, file_system};
pub use owner::Owner;
pub use record::{Record, RecordError, sync_dir, write_synced};
pub use replay::{LineIter, Lines, Replay, Torn};
pub use writer::GroupWriter;

#[cfg(test)]
mod tests;
