//! What a reviewer's signals say.

use std::path::Path;

use super::{Ending, Examination};
use crate::event::{
    Actor, CHECK_REVIEW, CheckRecorded, CheckStatus, Draft, Event, SignalKind as Observed, SignalObserved,
    Source,
};
use crate::graph::ClaimBy;
use crate::signal::{self, BoardError, Body, Deed, Limits, Scan, SealError, Settle, SignalFile, SignalKind};

/// How much of a reviewer's findings goes into the evidence, in bytes.
const FINDINGS: usize = 16 * 1024;

impl Examination<'_> {
    /// What the reviewer said as evidence, with the concerns that it raised.
    pub(super) fn judge(&self, scan: &Scan, ending: Ending) -> Vec<Draft> {
        let (status, detail) = self.verdict(scan, ending);
        let mut facts: Vec<Draft> = scan.accepted.iter().filter_map(|file| self.concern(file)).collect();
        let name = CHECK_REVIEW.to_owned();
        facts.push(self.fact(CheckRecorded { name, status, detail, duration_ms: 0 }));
        facts
    }

    fn verdict(&self, scan: &Scan, ending: Ending) -> (CheckStatus, String) {
        let agent = &self.plan.agent;
        if let Some(findings) = claim(scan, &SignalKind::Failed) {
            let findings = if findings.is_empty() { "it gave no reason" } else { cut(findings) };
            return (CheckStatus::Fail, format!("the reviewer `{agent}` rejects the work:\n{findings}"));
        }
        if let Some(words) = claim(scan, &SignalKind::Done) {
            return match ending {
                Ending::Itself(exit) if !exit.success() => {
                    (CheckStatus::Warn, format!("the reviewer `{agent}` approves, and ended with {exit}"))
                }
                _ => (CheckStatus::Pass, cut(words).to_owned()),
            };
        }
        if self.approves_by_exit(scan, ending) {
            return (CheckStatus::Pass, format!("the reviewer `{agent}` ended without an objection"));
        }
        let how = match ending {
            Ending::Itself(exit) => format!("ended with {exit}"),
            Ending::TimedOut => {
                format!("was stopped after {:?}", std::time::Duration::from(self.plan.timeout))
            }
            Ending::None => "was not started".to_owned(),
        };
        let blocked = claim(scan, &SignalKind::Blocked)
            .map_or_else(String::new, |why| format!("; it says that it is blocked: {}", cut(why)));
        let refused = scan.rejected.first().map_or_else(String::new, |file| {
            format!("; its signal `{}` was not accepted: {}", file.name, file.reason)
        });
        (CheckStatus::Skip, format!("the reviewer `{agent}` {how} without a verdict{blocked}{refused}"))
    }

    /// Agents that know nothing of signal files say by a clean exit that they are done, and here: with no objection.
    fn approves_by_exit(&self, scan: &Scan, ending: Ending) -> bool {
        let well = matches!(ending, Ending::Itself(exit) if exit.success());
        let silent = claim(scan, &SignalKind::Blocked).is_none() && scan.rejected.is_empty();
        self.plan.def.claim == ClaimBy::Exit && well && silent
    }

    fn concern(&self, file: &SignalFile) -> Option<Draft> {
        let signal = match file.kind {
            SignalKind::Concern => Observed::Concern,
            SignalKind::OpsConcern => Observed::OpsConcern,
            _ => return None,
        };
        let path =
            format!("tasks/{}/{}/review-{}/signals/{}", self.task.id, self.number, self.round, file.name);
        let event = Event::from(SignalObserved { signal, text: cut(text_of(file)).to_owned() });
        let source = Some(Source { path, digest: file.digest.clone() });
        Some(Draft { subject: self.subject.clone(), actor: Actor::Agent, source, event })
    }
}

/// Whether what a reviewer said is in the record.
pub(super) fn is_sealed(record: &Path) -> bool {
    signal::read_seal(record).is_ok_and(|sealed| sealed.is_some())
}

/// Takes what stands in the signals into the record. What came after the seal says nothing.
pub(super) fn seal(signals: &Path, record: &Path) -> Result<Scan, SealError> {
    let found = look(signals)?;
    if found.accepted.is_empty() {
        return Ok(found);
    }
    std::fs::create_dir_all(record).map_err(|source| BoardError::Io {
        deed: Deed::Create,
        path: record.to_owned(),
        source,
    })?;
    let (sealed, mut scan) = signal::seal(signals, record, &Limits::default())?;
    let late: Vec<String> = sealed.late(&scan).into_iter().map(|file| file.name).collect();
    scan.accepted.retain(|file| !late.contains(&file.name));
    Ok(scan)
}

/// Removes what a reviewer before this one claimed.
pub(super) fn clear(signals: &Path) {
    for name in ["done", "failed", "blocked"] {
        _ = std::fs::remove_file(signals.join(name));
    }
}

/// What stands in the signals; a directory that is gone says nothing.
fn look(signals: &Path) -> Result<Scan, BoardError> {
    match signal::scan(signals, &Limits::default(), Settle::Ended) {
        Err(BoardError::Gone { .. }) => Ok(Scan::default()),
        other => other,
    }
}

fn claim<'s>(scan: &'s Scan, kind: &SignalKind) -> Option<&'s str> {
    scan.accepted.iter().find(|file| file.kind == *kind).map(text_of)
}

fn text_of(file: &SignalFile) -> &str {
    match &file.body {
        Body::Text(text) => text.trim(),
        Body::Blob => "",
    }
}

fn cut(text: &str) -> &str {
    let end = (0..=FINDINGS.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}
