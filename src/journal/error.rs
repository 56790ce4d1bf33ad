//! What can go wrong with a journal.

use std::io;
use std::path::PathBuf;

/// A journal operation failed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// There is a journal already where one was to be created.
    #[error("there is a journal already at {path}")]
    Exists {
        /// The journal file.
        path: PathBuf,
    },
    /// There is no journal to open.
    #[error("there is no journal at {path}")]
    Missing {
        /// The journal file.
        path: PathBuf,
    },
    /// Creating or opening the file failed.
    #[error("the journal {path} cannot be opened")]
    Open {
        /// The journal file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Reading the file failed.
    #[error("the journal {path} cannot be read")]
    Read {
        /// The journal file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Writing failed, for example on a full disk. Nothing of the batch counts; the journal is poisoned.
    #[error("the journal {path} cannot be written")]
    Write {
        /// The journal file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Syncing failed: what reached the disk is unknown. Never retried; the journal is poisoned.
    #[error("the journal {path} cannot be synced to disk")]
    Sync {
        /// The file or directory that was synced.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A torn tail could not be saved beside the journal or cut off.
    #[error("the torn tail of the journal cannot be set aside as {path}")]
    SetAside {
        /// Where the tail was to be kept.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A line that others follow is not what it was when it was written.
    #[error("line {line} of the journal {path} is damaged: {reason}")]
    Damaged {
        /// The journal file.
        path: PathBuf,
        /// The first bad line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: Damage,
    },
    /// A text to append is not one that a line can hold. Nothing was written; the journal goes on.
    #[error("entry {index} of the batch cannot be a journal line")]
    Body {
        /// Its place in the batch, from 0.
        index: usize,
        /// What is wrong with it.
        #[source]
        source: BodyFault,
    },
    /// An earlier write or sync failed, or the file changed under the writer.
    #[error("the journal {path} takes no more entries after an earlier failure")]
    Poisoned {
        /// The journal file.
        path: PathBuf,
    },
    /// It was opened for reading.
    #[error("the journal {path} was opened for reading only")]
    ReadOnly {
        /// The journal file.
        path: PathBuf,
    },
    /// The file is longer or shorter than this writer, or this reader, left it.
    #[error(
        "the journal {path} was changed by somebody else: it has {found} bytes where {expected} are known"
    )]
    Changed {
        /// The journal file.
        path: PathBuf,
        /// The length that is known, in bytes.
        expected: u64,
        /// The length that was found, in bytes.
        found: u64,
    },
    /// The file was deleted while it was open: what is appended would be lost.
    #[error("the journal {path} was deleted while it was in use")]
    Deleted {
        /// Where it was.
        path: PathBuf,
    },
    /// The thread that writes could not be started, or it is gone.
    #[error("the journal {path} has no writing thread")]
    NoWriter {
        /// The journal file.
        path: PathBuf,
        /// What the system said, where the thread could not be started.
        #[source]
        source: Option<io::Error>,
    },
}

/// What is wrong with a line that lies before well-formed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not end in `"prev":"<64 hex digits>"}` or is not a JSON object.
    #[error("it is not a JSON object that ends in `prev`")]
    Malformed,
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    NotUtf8,
    /// It has not the digest that the next line recorded.
    #[error(
        "line {next} was not written after it: it was changed, or lines behind it are gone or out of place"
    )]
    Changed {
        /// The line that recorded another digest.
        next: u64,
    },
    /// Its `prev` is not the digest of the line before it.
    #[error("its `prev` is not the digest of the line before it")]
    NotLinked,
}

/// Why a text cannot be a journal line.
#[derive(Debug, thiserror::Error)]
pub enum BodyFault {
    /// A line break would make it two lines.
    #[error("it has a line break")]
    LineBreak,
    /// It does not begin with `{` and end with `}`, or it is not valid JSON.
    #[error("it is not a JSON object")]
    NotAnObject {
        /// What the parser said, where it came that far.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// `prev` is written by the journal.
    #[error("it has a member `prev`, which only the journal writes")]
    HasPrev,
}
