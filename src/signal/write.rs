//! Writes signals as an agent does: what `laneway signal ...` is made of.
#![expect(clippy::disallowed_methods, reason = "signal is an IO module")]

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::board::{BoardError, Deed};
use super::folder::{self, Durable};
use super::kind::{self, Limits, SignalKind};
use super::outputs::{OutputItem, Outputs, OutputsError};
use super::question::Question;
use super::reject::RejectReason;
use crate::id::TaskId;
use crate::plain_file;

/// Why a signal was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The attempt's signal directory is not there.
    #[error(
        "{} is not a signal directory: LANEWAY_SIGNALS must name the `signals` directory of a running attempt",
        path.display()
    )]
    NoSignals {
        /// What was taken for it.
        path: PathBuf,
    },
    /// Laneway would reject the file.
    #[error("{name} would be rejected: {reason}")]
    Refused {
        /// The name of the signal.
        name: String,
        /// Why.
        #[source]
        reason: RejectReason,
    },
    /// `outputs.json`, as it stands or as it would be, makes no sense.
    #[error("outputs.json is not understood")]
    Outputs(#[from] OutputsError),
    /// The file to keep could not be read.
    #[error("failed to read {}", path.display())]
    Source {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The signal could not be written.
    #[error(transparent)]
    Board(#[from] BoardError),
}

/// A signal to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Claims that the task is done, with what was done.
    Done(String),
    /// Claims that it cannot be done, with why.
    Failed(String),
    /// Says that a person is needed, and for what.
    Blocked(String),
    /// Raises a concern about the design.
    Concern(String),
    /// Raises a concern about tools or surroundings.
    OpsConcern(String),
    /// Sets the summary.
    Summary(String),
    /// Declares an output.
    Output {
        /// Its category.
        category: String,
        /// What it is.
        item: OutputItem,
    },
    /// Says what the agent is at.
    Progress(String),
    /// Asks a person; the answer comes as `answers/<name of the file>`.
    Ask(Question),
    /// Leaves a note for another task's agent.
    Note {
        /// The task.
        to: TaskId,
        /// The note.
        text: String,
    },
    /// Keeps a copy of a file.
    Artifact {
        /// Its name below `artifacts/`.
        name: String,
        /// The file.
        from: PathBuf,
    },
}

/// Writes `signal` into the signal directory `signals` so that a reader sees all of it or nothing, and returns the
/// file. What Laneway would reject is refused here, where its writer can still do better.
pub fn write(signals: &Path, signal: Write) -> Result<PathBuf, WriteError> {
    if !fs::symlink_metadata(signals).is_ok_and(|meta| meta.is_dir()) {
        return Err(WriteError::NoSignals { path: signals.to_path_buf() });
    }
    let fresh = || ulid::Ulid::generate().to_string().to_lowercase();
    let (name, kind, text) = match signal {
        Write::Done(text) => ("done".to_owned(), SignalKind::Done, text),
        Write::Failed(text) => ("failed".to_owned(), SignalKind::Failed, text),
        Write::Blocked(text) => ("blocked".to_owned(), SignalKind::Blocked, text),
        Write::Summary(text) => ("summary.md".to_owned(), SignalKind::Summary, text),
        Write::Progress(text) => ("progress".to_owned(), SignalKind::Progress, text),
        Write::Concern(text) => (format!("concerns/{}", fresh()), SignalKind::Concern, text),
        Write::OpsConcern(text) => (format!("ops-concerns/{}", fresh()), SignalKind::OpsConcern, text),
        Write::Ask(question) => {
            let id = fresh();
            (format!("ask/{id}"), SignalKind::Ask { id }, question.render())
        }
        Write::Note { to, text } => (format!("notes/{to}/{}", fresh()), SignalKind::Note { to }, text),
        Write::Output { category, item } => return output(signals, &category, item),
        Write::Artifact { name, from } => return artifact(signals, &name, &from),
    };
    put_text(signals, &name, &kind, text)
}

fn put_text(signals: &Path, name: &str, kind: &SignalKind, mut text: String) -> Result<PathBuf, WriteError> {
    let refused = |reason| WriteError::Refused { name: kind.word().to_owned(), reason };
    if text.trim().is_empty() && !kind.may_be_empty() {
        return Err(refused(RejectReason::Empty));
    }
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Err(refused(RejectReason::Nul { at }));
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let (size, limit) = (text.len() as u64, kind.limit(&Limits::default()));
    if size > limit {
        return Err(refused(RejectReason::TooLarge { size, limit }));
    }
    let path = place(signals, name)?;
    folder::replace(&path, text.as_bytes(), Durable::No)?;
    Ok(path)
}

/// The path of `name`, with its directory made.
fn place(signals: &Path, name: &str) -> Result<PathBuf, BoardError> {
    let path = signals.join(name);
    let dir = folder::parent(&path);
    match folder::make_dir(signals, dir)? {
        folder::Stood::Other => Err(BoardError::InTheWay { path: dir.to_path_buf() }),
        folder::Stood::Directory | folder::Stood::Nothing => Ok(path),
    }
}

fn output(signals: &Path, category: &str, item: OutputItem) -> Result<PathBuf, WriteError> {
    let path = signals.join("outputs.json");
    // Two processes of one attempt may declare at the same time; the lock goes with the descriptor.
    let lock = File::open(signals).map_err(|e| BoardError::io(Deed::Read, signals, e))?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive)
        .map_err(|e| BoardError::io(Deed::Read, signals, e))?;
    let mut outputs = match plain_file::read_text(&path, SignalKind::Outputs.limit(&Limits::default())) {
        Ok(text) => Outputs::parse(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Outputs::default(),
        Err(error) => return Err(BoardError::io(Deed::Read, &path, error).into()),
    };
    outputs.add(category, item)?;
    put_text(signals, "outputs.json", &SignalKind::Outputs, outputs.render())
}

fn artifact(signals: &Path, name: &str, from: &Path) -> Result<PathBuf, WriteError> {
    let limits = Limits::default();
    let refused = |reason| WriteError::Refused { name: name.to_owned(), reason };
    let parts: Vec<&str> = name.split('/').collect();
    for part in &parts {
        kind::check_name(part.as_bytes()).map_err(refused)?;
        if part.is_empty() || kind::is_private(part.as_bytes()) {
            return Err(refused(RejectReason::Unknown { suggestion: from_name(from) }));
        }
    }
    if parts.len() > limits.artifact_depth + 1 {
        return Err(refused(RejectReason::TooDeep { limit: limits.artifact_depth }));
    }
    let unread = |source| WriteError::Source { path: from.to_path_buf(), source };
    let mut file = plain_file::open_named(from).map_err(unread)?;
    let size = file.metadata().map_err(unread)?.len();
    let limit = limits.artifact_bytes;
    if size > limit {
        return Err(refused(RejectReason::TooLarge { size, limit }));
    }
    let path = place(signals, &format!("artifacts/{name}"))?;
    folder::replace_with(&path, Durable::No, |out| {
        // One byte more than is taken, so that a file that grows is refused by the reader and not cut.
        io::copy(&mut (&mut file).take(limit + 1), out)?;
        out.flush()
    })?;
    Ok(path)
}

fn from_name(from: &Path) -> Option<String> {
    let name = from.file_name()?.to_str()?.trim_start_matches('.');
    (!name.is_empty()).then(|| format!("artifacts/{name}"))
}

#[cfg(test)]
mod tests;
