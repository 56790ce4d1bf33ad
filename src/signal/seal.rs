//! Copies an attempt's signals into the record, where nobody changes them any more.
#![expect(clippy::disallowed_methods, reason = "signal is an IO module")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::board::{BoardError, Deed};
use super::folder::{self, Durable};
use super::kind::Limits;
use super::outputs::{Outputs, OutputsError};
use super::reject::{RejectReason, Rejected};
use super::scan::{Scan, SignalFile, scan};
use super::settle::Settle;
use super::steady::{Reading, SteadyDir};
use crate::failpoint::{self, Point};

/// Scans that a seal makes before it gives up on files that go on changing.
const TRIES: usize = 3;

/// Why an attempt's signals could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The signals or the record could not be read or written.
    #[error(transparent)]
    Board(#[from] BoardError),
    /// Somebody goes on writing although the attempt has ended.
    #[error("{name} goes on changing although the attempt has ended")]
    Unsettled {
        /// One of the files.
        name: String,
    },
    /// The index in the record is damaged.
    #[error("{} is not an index of sealed signals", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The sealed outputs are damaged.
    #[error("{} is not a declaration of outputs", path.display())]
    Outputs {
        /// The copy.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: OutputsError,
    },
}

/// The name of the file with an attempt's outputs.
const OUTPUTS: &str = "outputs.json";

/// One sealed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedFile {
    /// What it says ([`super::SignalKind::word`]).
    pub kind: String,
    /// SHA-256 of its bytes, and the name of its copy.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The sealed files of an attempt, by their names relative to the signal directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed {
    /// By name.
    pub files: BTreeMap<String, SealedFile>,
}

impl Sealed {
    /// What a later scan of the same directory found that is not sealed: files that came or changed since.
    pub fn late(&self, scan: &Scan) -> Vec<Rejected> {
        let fresh = |file: &&SignalFile| self.files.get(&file.name).is_none_or(|f| f.digest != file.digest);
        let late = |file: &SignalFile| Rejected { name: file.name.clone(), reason: RejectReason::Late };
        scan.accepted.iter().filter(fresh).map(late).collect()
    }
}

/// Copies every accepted file of `signals` to `<record>/signals/<digest>` and writes `<record>/signals/index.json`.
/// All of it is synced when this returns; the index comes last, so that it is the seal. Sealing again after a crash
/// completes the first seal; sealing what is sealed returns what was sealed, whatever stands in `signals` by then.
pub fn seal(signals: &Path, record: &Path, limits: &Limits) -> Result<(Sealed, Scan), SealError> {
    if let Some(sealed) = read_seal(record)? {
        return Ok((sealed, scan(signals, limits, Settle::Ended)?));
    }
    let copies = record.join("signals");
    fs::create_dir_all(&copies).map_err(|e| BoardError::io(Deed::Create, &copies, e))?;
    let mut changing = String::new();
    for _ in 0..TRIES {
        let found = scan(signals, limits, Settle::Ended)?;
        match copy_all(signals, &copies, &found, limits)? {
            Copied::All(sealed) => {
                finish(&copies, &sealed)?;
                return Ok((sealed, found));
            }
            Copied::Changed(name) => changing = name,
        }
    }
    Err(SealError::Unsettled { name: changing })
}

/// The seal of an attempt, if it has one.
pub fn read_seal(record: &Path) -> Result<Option<Sealed>, SealError> {
    let path = record.join("signals").join("index.json");
    match fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|source| SealError::Index { path, source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BoardError::io(Deed::Read, &path, error).into()),
    }
}

/// The outputs that a sealed attempt declared; `None` where it declared none, or has no seal.
pub fn sealed_outputs(record: &Path) -> Result<Option<Outputs>, SealError> {
    let sealed = read_seal(record)?.and_then(|mut sealed| sealed.files.remove(OUTPUTS));
    let Some(file) = sealed else { return Ok(None) };
    let path = record.join("signals").join(&file.digest);
    let text = fs::read_to_string(&path).map_err(|e| BoardError::io(Deed::Read, &path, e))?;
    // What was sealed had been accepted, and a byte order mark is no obstacle to that.
    let parsed = Outputs::parse(text.trim_start_matches('\u{feff}'));
    parsed.map(Some).map_err(|source| SealError::Outputs { path, source })
}

enum Copied {
    All(Sealed),
    Changed(String),
}

fn copy_all(signals: &Path, copies: &Path, found: &Scan, limits: &Limits) -> Result<Copied, BoardError> {
    if let Some(name) = found.unsettled.first() {
        return Ok(Copied::Changed(name.clone()));
    }
    let mut sealed = Sealed::default();
    for file in &found.accepted {
        if !copy(signals, copies, file, limits)? {
            return Ok(Copied::Changed(file.name.clone()));
        }
        let entry =
            SealedFile { kind: file.kind.word().to_owned(), digest: file.digest.clone(), size: file.size };
        sealed.files.insert(file.name.clone(), entry);
    }
    Ok(Copied::All(sealed))
}

fn finish(copies: &Path, sealed: &Sealed) -> Result<(), BoardError> {
    let mut index = serde_json::to_vec_pretty(sealed).expect("an index has only text keys");
    index.push(b'\n');
    folder::sync_dir(copies)?;
    failpoint::pass(Point::SealIndex);
    folder::replace(&copies.join("index.json"), &index, Durable::Yes)?;
    folder::sync_dir(folder::parent(copies))?;
    failpoint::pass(Point::Sealed);
    Ok(())
}

/// Copies one file; says whether its bytes still were what the scan saw.
fn copy(signals: &Path, copies: &Path, file: &SignalFile, limits: &Limits) -> Result<bool, BoardError> {
    let target = copies.join(&file.digest);
    // A copy got its name only after it was complete and synced.
    if fs::symlink_metadata(&target).is_ok_and(|meta| meta.len() == file.size) {
        return Ok(true);
    }
    let Some((dir, name)) = open_parent(signals, &file.name)? else {
        return Ok(false);
    };
    let Ok(source) = dir.file(OsStr::new(&name)) else {
        return Ok(false);
    };
    let private = folder::private_name(copies);
    let failed = |e| BoardError::io(Deed::Write, &private, e);
    let made = failpoint::write(Point::SealCopy).and_then(|()| File::create_new(&private));
    let mut out = made.map_err(failed)?;
    let read = source.read(file.kind.limit(limits), |part| out.write_all(part));
    let same = matches!(read.map_err(failed)?, Reading::Whole(reading) if reading.digest == file.digest);
    if same {
        out.sync_all().map_err(failed)?;
        fs::rename(&private, &target).map_err(failed)?;
    } else {
        fs::remove_file(&private).map_err(failed)?;
    }
    Ok(same)
}

/// Opens the directory of `name` part by part.
fn open_parent(signals: &Path, name: &str) -> Result<Option<(SteadyDir, String)>, BoardError> {
    let mut dir = SteadyDir::open(signals)?;
    let mut parts: Vec<&str> = name.split('/').collect();
    let last = parts.pop().expect("a split has at least one part").to_owned();
    for part in parts {
        match dir.dir(OsStr::new(part)) {
            Ok(inner) => dir = inner,
            Err(_) => return Ok(None),
        }
    }
    Ok(Some((dir, last)))
}

#[cfg(test)]
mod tests;
