//! Reads an attempt's signals without trusting them.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::board::BoardError;
use super::kind::{self, Entry, Folder, Limits, SignalKind};
use super::outputs::Outputs;
use super::reject::{NodeKind, RejectReason, Rejected};
use super::settle::Settle;
use super::steady::{Reading, Refusal, SteadyDir};
use crate::id::TaskId;

/// What a signal file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text: UTF-8 without a byte order mark, lines ended by `\n`.
    Text(String),
    /// Bytes that were hashed and not kept.
    Blob,
}

impl Body {
    /// The text, or nothing.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Blob => "",
        }
    }
}

/// A signal file that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalFile {
    /// What it says.
    pub kind: SignalKind,
    /// Its name relative to the signal directory, such as `concerns/01`.
    pub name: String,
    /// SHA-256 of its bytes as they were, in lower-case hex.
    pub digest: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it holds.
    pub body: Body,
}

/// What an attempt says about its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim<'a> {
    /// The task is done.
    Done(&'a SignalFile),
    /// The task cannot be done.
    Failed(&'a SignalFile),
    /// A person is needed.
    Blocked(&'a SignalFile),
}

/// What stands in a signal directory. Each list is in order of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// Files that are taken.
    pub accepted: Vec<SignalFile>,
    /// Files that are not, and why.
    pub rejected: Vec<Rejected>,
    /// Files that may still be being written; a later scan takes or rejects them.
    pub unsettled: Vec<String>,
}

impl Scan {
    /// The claim. Where there are several, the one that claims least counts: `failed`, then `blocked`, then `done`.
    pub fn claim(&self) -> Option<Claim<'_>> {
        let find = |kind: &SignalKind| self.accepted.iter().find(|file| file.kind == *kind);
        None.or_else(|| find(&SignalKind::Failed).map(Claim::Failed))
            .or_else(|| find(&SignalKind::Blocked).map(Claim::Blocked))
            .or_else(|| find(&SignalKind::Done).map(Claim::Done))
    }
}

/// Reads the signal directory `dir`. What it finds depends only on the directory, `limits` and `settle`.
///
/// `artifacts/` is read only when the writers have ended: hashing gigabytes at every change would serve nobody.
/// Errors are about `dir` itself; [`BoardError::Gone`] means that it was deleted. One without permissions is rejected
/// like what is in it.
pub fn scan(dir: &Path, limits: &Limits, settle: Settle<'_>) -> Result<Scan, BoardError> {
    let mut walk = Walk { limits, settle, out: Scan::default(), unlisted: 0 };
    match SteadyDir::open(dir) {
        Ok(root) => walk.root(&root)?,
        Err(error) => walk.closed("", error)?,
    }
    let mut out = walk.out;
    if walk.unlisted > 0 {
        let reason = RejectReason::Further { count: walk.unlisted };
        out.rejected.push(Rejected { name: ".".to_owned(), reason });
    }
    Ok(out)
}

struct Walk<'a> {
    limits: &'a Limits,
    settle: Settle<'a>,
    out: Scan,
    unlisted: usize,
}

/// How many more files of a kind are taken, and how many were seen.
struct Quota {
    limit: usize,
    seen: usize,
}

impl Quota {
    fn new(limit: usize) -> Self {
        Self { limit, seen: 0 }
    }

    fn take(&mut self) -> bool {
        self.seen += 1;
        self.seen <= self.limit
    }
}

impl Walk<'_> {
    fn root(&mut self, root: &SteadyDir) -> Result<(), BoardError> {
        for name in self.names(root, "")? {
            match kind::entry(&name) {
                Entry::File(kind) => self.file(root, &name, name.clone(), kind),
                Entry::Folder(folder) => self.folder(root, folder)?,
                Entry::Unknown => self.unknown(root, &name, name.clone(), kind::suggest(&name)),
            }
        }
        Ok(())
    }

    /// The names in `dir` that are fit to be looked at; `prefix` is its own name with a slash.
    fn names(&mut self, dir: &SteadyDir, prefix: &str) -> Result<Vec<String>, BoardError> {
        let listing = match dir.list(self.limits.entries) {
            Ok(listing) => listing,
            Err(error) => return self.closed(prefix, error).map(|()| Vec::new()),
        };
        let mut fit = Vec::new();
        for name in &listing.names {
            if kind::is_private(name.as_bytes()) {
                continue;
            }
            match kind::check_name(name.as_bytes()) {
                Ok(name) => fit.push(name.to_owned()),
                Err(reason) => self.reject(format!("{prefix}{}", kind::shown(name.as_bytes())), reason),
            }
        }
        if listing.cut {
            let limit = self.limits.entries;
            self.reject(directory_name(prefix), RejectReason::TooMany { found: limit + 1, limit });
        }
        Ok(fit)
    }

    /// Rejects the directory that its writer has made unreadable; any other failure is ours.
    fn closed(&mut self, prefix: &str, error: BoardError) -> Result<(), BoardError> {
        match error {
            BoardError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                self.reject(
                    directory_name(prefix.trim_end_matches('/')),
                    RejectReason::Unreadable { error: source.kind() },
                );
                Ok(())
            }
            error => Err(error),
        }
    }

    fn folder(&mut self, root: &SteadyDir, folder: Folder) -> Result<(), BoardError> {
        if folder == Folder::Artifacts && !self.settle.is_final() {
            return Ok(());
        }
        let Some(dir) = self.open(root, folder.name(), folder.name()) else {
            return Ok(());
        };
        let prefix = format!("{}/", folder.name());
        let mut quota = Quota::new(match folder {
            Folder::Concerns | Folder::OpsConcerns => self.limits.concerns,
            Folder::Ask => self.limits.asks,
            Folder::Notes => self.limits.notes,
            Folder::Artifacts => self.limits.artifacts,
        });
        match folder {
            Folder::Concerns => self.flat(&dir, &prefix, &mut quota, |_| SignalKind::Concern)?,
            Folder::OpsConcerns => self.flat(&dir, &prefix, &mut quota, |_| SignalKind::OpsConcern)?,
            Folder::Ask => {
                self.flat(&dir, &prefix, &mut quota, |name| SignalKind::Ask { id: name.to_owned() })?;
            }
            Folder::Notes => self.notes(&dir, &mut quota)?,
            Folder::Artifacts => self.artifacts(&dir, &prefix, 0, &mut quota)?,
        }
        if quota.seen > quota.limit {
            self.reject(prefix, RejectReason::TooMany { found: quota.seen, limit: quota.limit });
        }
        Ok(())
    }

    fn flat(
        &mut self,
        dir: &SteadyDir,
        prefix: &str,
        quota: &mut Quota,
        kind: impl Fn(&str) -> SignalKind,
    ) -> Result<(), BoardError> {
        for name in self.names(dir, prefix)? {
            if quota.take() {
                self.file(dir, &name, format!("{prefix}{name}"), kind(&name));
            }
        }
        Ok(())
    }

    fn notes(&mut self, dir: &SteadyDir, quota: &mut Quota) -> Result<(), BoardError> {
        for name in self.names(dir, "notes/")? {
            let shown = format!("notes/{name}");
            let is_file = dir.look(OsStr::new(&name)).is_ok_and(|(found, _)| found == NodeKind::File);
            if is_file {
                self.unknown(dir, &name, shown, Some(format!("notes/<task>/{name}")));
                continue;
            }
            match TaskId::new(&name) {
                Ok(to) => {
                    let Some(inner) = self.open(dir, &name, &shown) else {
                        continue;
                    };
                    self.flat(&inner, &format!("{shown}/"), quota, |_| SignalKind::Note { to: to.clone() })?;
                }
                Err(source) => self.reject(shown, RejectReason::NotATask { source }),
            }
        }
        Ok(())
    }

    fn artifacts(
        &mut self,
        dir: &SteadyDir,
        prefix: &str,
        depth: usize,
        quota: &mut Quota,
    ) -> Result<(), BoardError> {
        for name in self.names(dir, prefix)? {
            let shown = format!("{prefix}{name}");
            let found = dir.look(OsStr::new(&name));
            if !matches!(found, Ok((NodeKind::Directory, _))) {
                if quota.take() {
                    let below = shown.trim_start_matches("artifacts/").to_owned();
                    self.file(dir, &name, shown, SignalKind::Artifact { name: below });
                }
            } else if depth == self.limits.artifact_depth {
                self.reject(shown, RejectReason::TooDeep { limit: depth });
            } else if quota.seen <= quota.limit {
                let Some(inner) = self.open(dir, &name, &shown) else {
                    continue;
                };
                self.artifacts(&inner, &format!("{shown}/"), depth + 1, quota)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, dir: &SteadyDir, name: &str, shown: &str) -> Option<SteadyDir> {
        match dir.dir(OsStr::new(name)) {
            Ok(inner) => Some(inner),
            Err(Refusal::Vanished) => None,
            Err(Refusal::Refused(reason)) => {
                self.reject(shown.to_owned(), reason);
                None
            }
        }
    }

    /// A name that means nothing may be a private name of a writer who renames it in a moment.
    fn unknown(&mut self, dir: &SteadyDir, name: &str, shown: String, suggestion: Option<String>) {
        match dir.look(OsStr::new(name)) {
            Ok((_, changed)) if !self.settle.is_quiet(changed) => self.out.unsettled.push(shown),
            Err(Refusal::Vanished) => {}
            Ok(_) | Err(Refusal::Refused(_)) => self.reject(shown, RejectReason::Unknown { suggestion }),
        }
    }

    fn file(&mut self, dir: &SteadyDir, name: &str, shown: String, kind: SignalKind) {
        let name = OsStr::new(name);
        let file = match dir.file(name) {
            Ok(file) => file,
            Err(Refusal::Vanished) => return,
            Err(Refusal::Refused(reason)) => return self.reject(shown, reason),
        };
        if !self.settle.accepts(&shown, file.changed()) {
            return self.out.unsettled.push(shown);
        }
        let keep = !matches!(kind, SignalKind::Artifact { .. });
        let limit = kind.limit(self.limits);
        let (reading, bytes) = if keep { file.bytes(limit) } else { (file.hash(limit), Vec::new()) };
        let content = match reading {
            Reading::Whole(content) => content,
            Reading::Unsettled => return self.out.unsettled.push(shown),
            Reading::Refused(reason) => return self.reject(shown, reason),
        };
        let body = if keep {
            decode(bytes).and_then(|text| check(&kind, text)).map(Body::Text)
        } else {
            Ok(Body::Blob)
        };
        match body {
            Ok(body) => self.out.accepted.push(SignalFile {
                kind,
                name: shown,
                digest: content.digest,
                size: content.size,
                body,
            }),
            Err(reason) => self.reject(shown, reason),
        }
    }

    fn reject(&mut self, name: String, reason: RejectReason) {
        if self.out.rejected.len() < self.limits.rejections {
            self.out.rejected.push(Rejected { name, reason });
        } else {
            self.unlisted += 1;
        }
    }
}

fn directory_name(prefix: &str) -> String {
    if prefix.is_empty() { ".".to_owned() } else { prefix.to_owned() }
}

/// Makes text of bytes: no byte order mark, `\n` at the ends of lines, no NUL.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, RejectReason> {
    let nul = bytes.iter().position(|byte| *byte == 0);
    let text = String::from_utf8(bytes).map_err(|error| match nul {
        // UTF-16 is the usual cause, and NUL says it better.
        Some(at) => RejectReason::Nul { at },
        None => RejectReason::NotUtf8 { at: error.utf8_error().valid_up_to() },
    })?;
    if let Some(at) = nul {
        return Err(RejectReason::Nul { at });
    }
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    Ok(if text.contains('\r') { text.replace("\r\n", "\n") } else { text })
}

fn check(kind: &SignalKind, text: String) -> Result<String, RejectReason> {
    if text.trim().is_empty() && !kind.may_be_empty() {
        return Err(RejectReason::Empty);
    }
    if *kind == SignalKind::Outputs {
        Outputs::parse(&text).map_err(|source| RejectReason::Outputs { source })?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
