//! What Laneway makes of what an agent left behind, for the authors of agents.

use super::reject::{RejectReason, Rejected};
use super::scan::{Claim, Scan};

/// How the agent's main process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// As it should be.
    Pass,
    /// Allowed, and probably not meant.
    Warn,
    /// Laneway would not take the claim, or would lose what was meant.
    Fail,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// A file was read.
    #[error("read {name} as {kind} ({size} bytes)")]
    Read {
        /// Its name.
        name: String,
        /// What it says.
        kind: &'static str,
        /// Its size.
        size: u64,
    },
    /// A file was rejected.
    #[error("rejected {name}: {reason}")]
    Rejected {
        /// Its name.
        name: String,
        /// Why.
        reason: RejectReason,
    },
    /// A file changed while it was read.
    #[error("{name} was still changing after the main process had ended; end every child before it")]
    Unsettled {
        /// Its name.
        name: String,
    },
    /// The claim would be taken.
    #[error("the claim `{claim}` would be taken; the evidence decides about the rest")]
    Taken {
        /// The claim.
        claim: &'static str,
    },
    /// There is no claim.
    #[error("there is no claim; before it ends the agent writes `done`, `failed` or `blocked`")]
    NoClaim,
    /// There are several claims.
    #[error("there is more than one claim; `{counted}` counts, write only one")]
    Several {
        /// The one that counts.
        counted: &'static str,
    },
    /// The claim says nothing.
    #[error("`{claim}` is empty, which is allowed; a sentence in it helps whoever reads the result")]
    Wordless {
        /// The claim.
        claim: &'static str,
    },
    /// The exit contradicts the claim.
    #[error("it claimed `done` and ended with {}; end with 0 when the work is done", exit_text(*.exit))]
    BadExit {
        /// How it ended.
        exit: Exit,
    },
}

impl Finding {
    /// How bad it is.
    pub fn level(&self) -> Level {
        match self {
            Self::Read { .. } | Self::Taken { .. } => Level::Pass,
            Self::Several { .. } | Self::Wordless { .. } => Level::Warn,
            Self::Rejected { .. } | Self::Unsettled { .. } | Self::NoClaim | Self::BadExit { .. } => {
                Level::Fail
            }
        }
    }
}

fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

/// Judges what an agent left behind: `scan` of its signals after every process had ended, and how its main process
/// ended. The agent conforms if no finding is [`Level::Fail`].
pub fn judge(scan: &Scan, exit: Exit) -> Vec<Finding> {
    let read = scan.accepted.iter().map(|file| Finding::Read {
        name: file.name.clone(),
        kind: file.kind.word(),
        size: file.size,
    });
    let rejected = scan
        .rejected
        .iter()
        .map(|Rejected { name, reason }| Finding::Rejected { name: name.clone(), reason: reason.clone() });
    let unsettled = scan.unsettled.iter().map(|name| Finding::Unsettled { name: name.clone() });
    read.chain(rejected).chain(unsettled).chain(judge_claim(scan, exit)).collect()
}

fn judge_claim(scan: &Scan, exit: Exit) -> Vec<Finding> {
    let Some(claim) = scan.claim() else {
        return vec![Finding::NoClaim];
    };
    let (Claim::Done(file) | Claim::Failed(file) | Claim::Blocked(file)) = &claim;
    let word = file.kind.word();
    let mut findings = Vec::new();
    let claims =
        scan.accepted.iter().filter(|file| matches!(file.kind.word(), "done" | "failed" | "blocked"));
    if claims.count() > 1 {
        findings.push(Finding::Several { counted: word });
    }
    if file.body.text().trim().is_empty() {
        findings.push(Finding::Wordless { claim: word });
    }
    findings.push(match claim {
        Claim::Done(_) if exit != Exit::Code(0) => Finding::BadExit { exit },
        _ => Finding::Taken { claim: word },
    });
    findings
}

#[cfg(test)]
mod tests;
