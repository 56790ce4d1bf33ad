//! Why a file is not taken, in words that tell its writer how to do it right.

use std::fmt;
use std::io;

use super::outputs::OutputsError;
use crate::id::IdError;

/// A file that Laneway saw and does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its name relative to the signal directory; bytes that cannot be shown are escaped.
    pub name: String,
    /// Why.
    pub reason: RejectReason,
}

/// What stands where a regular file or a directory should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

impl fmt::Display for NodeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Symlink => "a symbolic link",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
        })
    }
}

/// Why a signal file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RejectReason {
    /// The name is not UTF-8.
    #[error("its name is not UTF-8; use letters, digits, `.`, `-` and `_`")]
    NameNotUtf8,
    /// The name holds a control character.
    #[error("its name holds a control character; use letters, digits, `.`, `-` and `_`")]
    NameControl,
    /// The name is too long.
    #[error("its name has {len} bytes; use at most {limit}")]
    NameTooLong {
        /// The length in bytes.
        len: usize,
        /// The most that is taken.
        limit: usize,
    },
    /// No signal has this name.
    #[error("no signal has this name{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// The name that was probably meant.
        suggestion: Option<String>,
    },
    /// Not a regular file.
    #[error("it is {found}; write a regular file with the text itself")]
    NotAFile {
        /// What it is.
        found: NodeKind,
    },
    /// Not a directory.
    #[error("it is {found}; make it a directory and write one file for each entry in it")]
    NotADirectory {
        /// What it is.
        found: NodeKind,
    },
    /// Too large.
    #[error(
        "it has {size} bytes, at most {limit} are taken; write a shorter text, or put the rest into `artifacts/`"
    )]
    TooLarge {
        /// The size in bytes.
        size: u64,
        /// The most that is taken.
        limit: u64,
    },
    /// Too many files in one directory.
    #[error(
        "it holds {found} entries and only the first {limit} by name are taken; write fewer, longer ones"
    )]
    TooMany {
        /// How many were found, or where counting stopped.
        found: usize,
        /// The most that are taken.
        limit: usize,
    },
    /// Nested too deeply.
    #[error("it lies more than {limit} directories deep; pack it into one file")]
    TooDeep {
        /// The deepest level that is read.
        limit: usize,
    },
    /// A text with bytes that are not UTF-8.
    #[error("byte {at} is not UTF-8; write UTF-8 text, or put the file into `artifacts/`")]
    NotUtf8 {
        /// The 0-based position.
        at: usize,
    },
    /// A text with a NUL byte.
    #[error("byte {at} is NUL; write plain text (UTF-8, not UTF-16), or put the file into `artifacts/`")]
    Nul {
        /// The 0-based position.
        at: usize,
    },
    /// A text that says nothing where it has to.
    #[error("it is empty; write the text into it")]
    Empty,
    /// It cannot be read.
    #[error("it cannot be read ({error}); make it readable for the user who runs Laneway (chmod 644)")]
    Unreadable {
        /// What the system said.
        error: io::ErrorKind,
    },
    /// A note directory that names no task.
    #[error("`notes/<task>/` needs a task id: {source}")]
    NotATask {
        /// What is wrong with the name.
        #[source]
        source: IdError,
    },
    /// `outputs.json` does not say what it should.
    #[error("it is not understood: {source}")]
    Outputs {
        /// What is wrong with it.
        #[source]
        source: OutputsError,
    },
    /// The claim of this attempt has been taken.
    #[error("it came after the claim of this attempt was taken; nothing written now counts for it")]
    Late,
    /// More rejected files than are listed.
    #[error("{count} further files are rejected; the signal directory is for signals only")]
    Further {
        /// How many are not listed.
        count: usize,
    },
}

impl RejectReason {
    /// A stable word for the reason, for events and `--json`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NameNotUtf8 => "name_not_utf8",
            Self::NameControl => "name_control",
            Self::NameTooLong { .. } => "name_too_long",
            Self::Unknown { .. } => "unknown",
            Self::NotAFile { .. } => "not_a_file",
            Self::NotADirectory { .. } => "not_a_directory",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::TooDeep { .. } => "too_deep",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::Nul { .. } => "nul",
            Self::Empty => "empty",
            Self::Unreadable { .. } => "unreadable",
            Self::NotATask { .. } => "not_a_task",
            Self::Outputs { .. } => "outputs",
            Self::Late => "late",
            Self::Further { .. } => "further",
        }
    }
}
