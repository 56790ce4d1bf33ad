//! Gates: commands that must pass on the exact tree that is merged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::event::{CheckRecorded, CheckStatus, Failure, FailureKind};
use crate::exec::{self, Launch, StdinFrom};
use crate::graph::{Command, Gate, Millis};
use crate::runtime::Context;
use crate::runtime::halt::AttemptKey;

/// A gate that nobody gave a time has as long as this.
const TIMEOUT: Millis = Millis(30 * 60 * 1000);
/// Lines of a failed gate's output that go into the evidence.
const SHOWN_LINES: usize = 60;
/// Bytes of them.
const SHOWN_BYTES: u64 = 16 * 1024;

/// Where and for whom a gate runs.
pub(super) struct Setting<'a> {
    /// The worktree, at the tree in question.
    pub(super) lane: &'a Path,
    /// The log.
    pub(super) log: PathBuf,
    /// The attempt whose landing is gated; none for the merge of a lane.
    pub(super) attempt: Option<AttemptKey>,
    /// Names the gate's processes.
    pub(super) tag: String,
    /// Variables beside the usual.
    pub(super) given: Vec<(OsString, OsString)>,
}

/// Runs `gate`, as often as it may be tried, and returns the evidence.
pub(super) async fn run(
    context: &Context,
    gate: &Gate,
    setting: &Setting<'_>,
) -> Result<CheckRecorded, Failure> {
    let timeout: Duration = gate.timeout.unwrap_or(TIMEOUT).into();
    let launch = Launch {
        argv: argv(&gate.command),
        cwd: setting.lane.to_owned(),
        env: context.environment_in(setting.lane, &setting.given)?,
        stdin: StdinFrom::Null,
        log: setting.log.clone(),
        tag: setting.tag.clone(),
    };
    let mut check = CheckRecorded {
        name: "gate".to_owned(),
        status: CheckStatus::Fail,
        detail: String::new(),
        duration_ms: 0,
    };
    for _ in 0..gate.attempts.max(1) {
        if context.is_halted(setting.attempt.as_ref()) {
            return Err(interrupted(gate));
        }
        let halted = context.halted(setting.attempt.clone());
        let before = std::fs::metadata(&setting.log).map_or(0, |m| m.len());
        let ran = exec::run_bounded(&launch, timeout, context.grace().min(Duration::from_secs(5)), halted)
            .await
            .map_err(|e| {
                super::permanent(format!(
                    "the gate `{}` could not be started: {}",
                    gate.command,
                    super::chain(&e)
                ))
            })?;
        if ran.cancelled {
            return Err(interrupted(gate));
        }
        check.duration_ms = u64::try_from(ran.duration.as_millis()).unwrap_or(u64::MAX);
        if ran.exit.is_success() && !ran.timed_out {
            check.status = CheckStatus::Pass;
            check.detail.clear();
            break;
        }
        let how = if ran.timed_out {
            format!("was stopped after {timeout:?}")
        } else {
            format!("ended with {}", ran.exit)
        };
        if let Some(full) = context.lacks_room(setting.lane) {
            return Err(super::permanent(format!("the gate `{}` {how}: {full}", gate.command)));
        }
        check.detail = format!("the gate `{}` {how}\n{}", gate.command, output(&setting.log, before));
    }
    Ok(check)
}

fn interrupted(gate: &Gate) -> Failure {
    let message = format!("the gate `{}` was interrupted", gate.command);
    Failure { class: FailureKind::Transient, message, hint: None, retry_at: None }
}

/// The end of what a gate printed from `from` on.
fn output(log: &Path, from: u64) -> String {
    let size = std::fs::metadata(log).map_or(0, |m| m.len()).saturating_sub(from);
    match exec::tail_lines(log, SHOWN_LINES, size.min(SHOWN_BYTES)) {
        Ok(lines) => lines.join("\n"),
        Err(error) => format!("(its output could not be read: {})", super::chain(&error)),
    }
}

/// The argv of a command of the graph.
pub(super) fn argv(command: &Command) -> Vec<OsString> {
    match command {
        Command::Shell(text) => exec::shell_argv(text),
        Command::Argv(words) => words.iter().map(OsString::from).collect(),
    }
}
