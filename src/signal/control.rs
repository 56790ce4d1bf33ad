//! The files of requests: written by people, tools and the CLI; read, and moved away once their event is durable.
#![expect(clippy::disallowed_methods, reason = "signal is an IO module")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use super::board::{Board, BoardError, Deed};
use super::kind;
use super::reject::RejectReason;
use super::request::{Request, Verb, VerbName};
use super::scan::decode;
use super::settle::Settle;
use super::steady::{Reading, Refusal, SteadyDir};
use crate::failpoint::{self, Point};

/// The most bytes of one request.
const LIMIT: u64 = 256 * 1024;

/// The most requests that are read at once; taking them makes room for the next.
const BATCH: usize = 1000;

/// Why a file in `control/` is no request.
#[derive(Debug, thiserror::Error)]
pub enum ControlReject {
    /// Its name starts with no verb.
    #[error(
        "its name must be <verb>-<anything>; the verbs are {}",
        VerbName::ALL.map(VerbName::as_str).join(", ")
    )]
    Name,
    /// It cannot be read as a file of text.
    #[error(transparent)]
    File(RejectReason),
    /// Its fields are not those of the verb.
    #[error("it is no `{}` request: {source}", verb.as_str())]
    Fields {
        /// The verb.
        verb: VerbName,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// A file in `control/` that is no request.
#[derive(Debug)]
pub struct RejectedRequest {
    /// Its name, for [`take`].
    pub file: OsString,
    /// Its name, fit to be shown.
    pub name: String,
    /// Why.
    pub reason: ControlReject,
}

/// What stands in `control/`.
#[derive(Debug, Default)]
pub struct Requests {
    /// Requests, the oldest first.
    pub accepted: Vec<Request>,
    /// Files that are no requests.
    pub rejected: Vec<RejectedRequest>,
    /// Names of files that may still be being written.
    pub unsettled: Vec<String>,
    /// Whether there are more; take these, then read again.
    pub more: bool,
}

/// Writes a request into the board's `control/` and returns it.
pub fn submit(
    board: &Board,
    verb: Verb,
    by: &str,
    at: Option<String>,
    note: Option<String>,
) -> Result<Request, BoardError> {
    let id = ulid::Ulid::generate().to_string().to_lowercase();
    let file = format!("{}-{id}", verb.name().as_str());
    let request = Request { file, verb, by: by.to_owned(), at, note };
    board.write_file(&board.control_dir().join(&request.file), request.render().as_bytes())?;
    Ok(request)
}

/// Reads the requests that wait.
pub fn read_requests(board: &Board, settle: Settle<'_>) -> Result<Requests, BoardError> {
    let dir = SteadyDir::open(&board.control_dir())?;
    // Hidden files and `taken/` are listed too and must not crowd out a request.
    let listing = dir.list(BATCH * 2)?;
    let mut out = Requests { more: listing.cut, ..Requests::default() };
    let mut dated = Vec::new();
    for name in listing.names {
        if kind::is_private(name.as_bytes()) || name == "taken" {
            continue;
        }
        let shown = kind::shown(name.as_bytes());
        match read_one(&dir, &name, settle) {
            Ok(Some(one)) => dated.push(one),
            Ok(None) => {}
            Err(Doubt::Unsettled) => out.unsettled.push(shown),
            Err(Doubt::Rejected(reason)) => {
                out.rejected.push(RejectedRequest { file: name, name: shown, reason });
            }
        }
    }
    dated.sort_by(|a, b| (a.0, &a.1.file).cmp(&(b.0, &b.1.file)));
    out.accepted = dated.into_iter().map(|(_, request)| request).collect();
    Ok(out)
}

/// Moves `file` out of the way, to `control/taken/`. Call it when the event of the request is durable; calling it
/// again does no harm.
pub fn take(board: &Board, file: &OsStr) -> Result<(), BoardError> {
    let (from, taken) = (board.control_dir().join(file), board.taken_dir());
    fs::create_dir_all(&taken).map_err(|e| BoardError::io(Deed::Create, &taken, e))?;
    let mut to = taken.join(file);
    if fs::symlink_metadata(&to).is_ok() {
        let mut name = file.to_os_string();
        name.push(format!(".{}", ulid::Ulid::generate()));
        to = taken.join(name);
    }
    failpoint::pass(Point::RequestTake);
    let moved = fs::rename(&from, to);
    failpoint::pass(Point::RequestTaken);
    match moved {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(BoardError::io(Deed::Move, &from, error))
        }
        _ => Ok(()),
    }
}

enum Doubt {
    Unsettled,
    Rejected(ControlReject),
}

fn rejected(reason: RejectReason) -> Doubt {
    Doubt::Rejected(ControlReject::File(reason))
}

fn read_one(
    dir: &SteadyDir,
    name: &OsStr,
    settle: Settle<'_>,
) -> Result<Option<(SystemTime, Request)>, Doubt> {
    let changed = match dir.look(name) {
        Ok((_, changed)) => changed,
        Err(Refusal::Vanished) => return Ok(None),
        Err(Refusal::Refused(reason)) => return Err(rejected(reason)),
    };
    let text_name = kind::check_name(name.as_bytes()).map_err(rejected)?;
    let Some((verb, _)) = VerbName::split(text_name) else {
        let doubt = Doubt::Rejected(ControlReject::Name);
        return Err(if settle.is_quiet(changed) { doubt } else { Doubt::Unsettled });
    };
    let file = match dir.file(name) {
        Ok(file) => file,
        Err(Refusal::Vanished) => return Ok(None),
        Err(Refusal::Refused(reason)) => return Err(rejected(reason)),
    };
    if !settle.accepts(text_name, changed) {
        return Err(Doubt::Unsettled);
    }
    let bytes = match file.bytes(LIMIT) {
        (Reading::Whole(_), bytes) => bytes,
        (Reading::Unsettled, _) => return Err(Doubt::Unsettled),
        (Reading::Refused(reason), _) => return Err(rejected(reason)),
    };
    let text = decode(bytes).map_err(rejected)?;
    let request = Request::parse(text_name, verb, &text)
        .map_err(|source| Doubt::Rejected(ControlReject::Fields { verb, source }))?;
    Ok(Some((changed, request)))
}

#[cfg(test)]
mod tests;
