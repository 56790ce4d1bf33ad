//! `laneway signal conformance`.
#![expect(clippy::disallowed_methods, reason = "lays out a scratch attempt for the agent")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::cli::drive::runtime;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::session::Session;
use crate::exec::{self, Launch, StdinFrom, run_bounded, tail_lines};
use crate::id::TaskId;
use crate::signal::{self, Board, Finding, Level, Limits, Settle, judge, scan};

/// How long the agent has to end after being asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How much of the agent's output is shown, in lines and in bytes.
const SHOWN: (usize, u64) = (20, 16 * 1024);

/// Run an agent once in a scratch folder, and say what Laneway makes of its signals
///
/// For authors of agents. The agent gets the environment of an attempt and instructions in a file; `{prompt_file}` in
/// the command stands for its path.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway signal conformance -- ./my-agent.sh {prompt_file}")]
pub(super) struct ConformanceArgs {
    /// How long it may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    timeout: u64,
    /// The agent's command
    #[arg(value_name = "CMD", required = true, last = true)]
    command: Vec<String>,
}

/// The scratch attempt.
struct Scratch {
    dir: tempfile::TempDir,
    lane: PathBuf,
    signals: PathBuf,
    prompt: PathBuf,
}

impl ConformanceArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let scratch = lay_out()?;
        let launch = self.launch(session, &scratch);
        let timeout = Duration::from_secs(self.timeout);
        let ran = runtime()?.block_on(run_bounded(&launch, timeout, GRACE, std::future::pending()))?;
        let found = scan(&scratch.signals, &Limits::default(), Settle::Ended)?;
        let exit = match ran.exit {
            exec::Exit::Code(code) => signal::Exit::Code(code),
            exec::Exit::Signal(number) => signal::Exit::Signal(number),
            // Only a process that does not even follow KILL ends so.
            exec::Exit::Unknown => signal::Exit::Signal(9),
        };
        let findings = judge(&found, exit);
        let conforms = !ran.timed_out && findings.iter().all(|one| one.level() != Level::Fail);
        if session.json() {
            answer_json(session, &findings, ran.timed_out, conforms)?;
        } else {
            answer_text(session, &findings, ran.timed_out, conforms)?;
            tell_output(session, &launch.log, conforms)?;
        }
        Ok(if conforms { Exit::Achieved } else { Exit::Failed })
    }

    fn launch(&self, session: &Session, scratch: &Scratch) -> Launch {
        let prompt = scratch.prompt.display().to_string();
        let given = [
            ("LANEWAY_SIGNALS", scratch.signals.as_os_str().to_owned()),
            ("LANEWAY_TASK", "conformance".into()),
            ("LANEWAY_ATTEMPT", "1".into()),
            ("LANEWAY_LANE", "conformance".into()),
            ("LANEWAY_GRAPH", "conformance".into()),
            ("LANEWAY_BASE", "main".into()),
        ]
        .map(|(name, value)| (OsString::from(name), value));
        let mut env = session.environment();
        env.retain(|(name, _)| !given.iter().any(|(given, _)| given == name));
        env.extend(given);
        Launch {
            argv: self
                .command
                .iter()
                .map(|word| from_here(session, &word.replace("{prompt_file}", &prompt)))
                .collect(),
            cwd: scratch.lane.clone(),
            env,
            stdin: StdinFrom::Null,
            log: scratch.dir.path().join("agent.log"),
            tag: ulid::Ulid::generate().to_string(),
        }
    }
}

/// A word that names a file here names the same file in the scratch lane.
fn from_here(session: &Session, word: &str) -> OsString {
    let here = session.path(Path::new(word));
    if word.contains('/') && here.exists() { here.into() } else { word.into() }
}

fn lay_out() -> Result<Scratch, CliError> {
    let temp = std::env::temp_dir();
    let dir = tempfile::Builder::new()
        .prefix("laneway-conformance-")
        .tempdir()
        .map_err(|error| CliError::file("made", &temp, &error))?;
    let lane = dir.path().join("lane");
    fs::create_dir(&lane).map_err(|error| CliError::file("made", &lane, &error))?;
    let board = Board::new(dir.path().join("board"));
    let task = TaskId::new("conformance").expect("the word is an id");
    let _ = board.put_up(&[])?;
    let _ = board.put_up_attempt(&task, 1)?;
    let prompt = board.attempt_dir(&task, 1).join("instructions.md");
    board.write_file(&prompt, INSTRUCTIONS.as_bytes())?;
    Ok(Scratch { lane, signals: board.signals_dir(&task, 1), prompt, dir })
}

const INSTRUCTIONS: &str = "\
# Task conformance

This is a test of how you report. There is nothing to change.
Write one sentence about what you see to the file `done` in the directory that LANEWAY_SIGNALS names, then end with
exit code 0.

## Where and how

You are in an empty folder.
";

fn word(level: Level) -> &'static str {
    match level {
        Level::Pass => "pass",
        Level::Warn => "warn",
        Level::Fail => "fail",
    }
}

fn answer_json(
    session: &Session,
    findings: &[Finding],
    timed_out: bool,
    conforms: bool,
) -> Result<(), CliError> {
    let findings: Vec<_> = findings
        .iter()
        .map(|one| json!({ "level": word(one.level()), "message": one.to_string() }))
        .collect();
    session.answer_json(&json!({ "conforms": conforms, "timed_out": timed_out, "findings": findings }))
}

fn answer_text(
    session: &Session,
    findings: &[Finding],
    timed_out: bool,
    conforms: bool,
) -> Result<(), CliError> {
    for one in findings {
        session.answer(&format!("{} {one}", word(one.level())))?;
    }
    if timed_out {
        session.answer("fail it did not end in its time")?;
    }
    session.answer(if conforms { "the agent conforms" } else { "the agent does not conform" })
}

fn tell_output(session: &Session, log: &Path, conforms: bool) -> Result<(), CliError> {
    if conforms {
        return Ok(());
    }
    for line in tail_lines(log, SHOWN.0, SHOWN.1)? {
        session.note(&format!("  | {line}"));
    }
    Ok(())
}
