//! `laneway logs`.
#![expect(clippy::disallowed_methods, reason = "reads the logs of attempts")]

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::config::nearest;
use super::error::CliError;
use super::exit::Exit;
use super::out::Out;
use super::select::{Chosen, RunOption};
use super::session::Session;
use super::tail::{Bell, Tail};
use crate::event::{Entity, Envelope, Event, Status};
use crate::id::TaskId;
use crate::runtime::Loaded;

/// How often a log is looked at where the system does not tell of changes.
const LOOK: Duration = Duration::from_secs(1);

/// Show what an agent, a command, a gate or a reviewer has written
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(after_help = "Example:\n  laneway logs types --follow\n  laneway logs types --attempt 1 --gate")]
pub(super) struct LogsArgs {
    /// The task
    #[arg(value_name = "TASK")]
    task: String,
    #[command(flatten)]
    choice: RunOption,
    /// The attempt; default: the last one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// What the gate has written
    #[arg(long)]
    gate: bool,
    /// What the reviewer has written; where there were several, the last one
    #[arg(long, conflicts_with = "gate")]
    review: bool,
    /// Go on while the attempt does
    #[arg(long, short)]
    follow: bool,
    /// Leave colours and control characters in
    #[arg(long)]
    raw: bool,
}

impl LogsArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.choice().find(session)?;
        let loaded = chosen.load()?;
        let (task, attempt) = self.attempt(&loaded)?;
        let dir = chosen.project.record.attempt_dir(&chosen.graph, chosen.run, &task, attempt);
        let log = dir.join(self.file(&loaded, &task, attempt));
        if session.json() {
            return answer_json(session, &task, attempt, &log);
        }
        let mut printer = Printer { path: log, file: None, raw: self.raw, out: session.out().clone() };
        let found = printer.print_new()?;
        if self.follow {
            follow(&chosen, &task, attempt, &mut printer)?;
        } else if !found {
            let what = match () {
                () if self.gate => "its gate",
                () if self.review => "its reviewer",
                () => "it",
            };
            session
                .note(&format!("attempt {attempt} of task {task} is there, but {what} has written nothing"));
        }
        Ok(Exit::Achieved)
    }

    /// The name of the log in the attempt's record.
    fn file(&self, loaded: &Loaded, task: &TaskId, attempt: u32) -> String {
        if self.gate {
            return "gate.log".to_owned();
        }
        if !self.review {
            return "agent.log".to_owned();
        }
        let attempts = loaded.state.index().task(task).map(|ix| loaded.state.tasks[ix].attempts.as_slice());
        let reviewed = attempts.unwrap_or_default().iter().find(|one| one.number == attempt);
        format!("review-{}.log", reviewed.map_or(1, |one| one.reviews.max(1)))
    }

    /// The task and the number of its attempt, if both exist.
    fn attempt(&self, loaded: &Loaded) -> Result<(TaskId, u32), CliError> {
        let known = || loaded.plan.tasks.iter().map(|task| task.id.as_str());
        let Some(index) = known().position(|id| id == self.task) else {
            let hint = nearest(&self.task, known()).map_or_else(
                || format!("the tasks are {}", known().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("graph `{}` has no task `{}`", loaded.plan.graph, self.task);
            return Err(CliError::new("no_task", Exit::Usage, message).hint(hint));
        };
        let task = loaded.plan.tasks[index].id.clone();
        let attempts = &loaded.state.tasks[index].attempts;
        let last = attempts.last().map_or(0, |attempt| attempt.number);
        match self.attempt {
            Some(number) if number > last => {
                let message = format!("task `{task}` has no attempt {number}; it had {last} so far");
                Err(CliError::new("no_attempt", Exit::Usage, message))
            }
            Some(number) => Ok((task, number)),
            None if last == 0 => {
                let message = format!("task `{task}` has not been attempted yet");
                Err(CliError::new("no_attempt", Exit::Usage, message)
                    .hint("`laneway status` says what it waits for".to_owned()))
            }
            None => Ok((task, last)),
        }
    }
}

fn follow(chosen: &Chosen, task: &TaskId, attempt: u32, printer: &mut Printer) -> Result<(), CliError> {
    let mut tail = Tail::open(&chosen.dir(), &chosen.lock())?;
    let dir = printer.path.parent().unwrap_or(Path::new(".")).to_owned();
    let bell = Bell::hang(&dir);
    let mut over = false;
    loop {
        over |= tail.take().iter().any(|event| ends(event, task, attempt)) || !tail.is_carried();
        // What was written before the end is read after the end was seen.
        printer.print_new()?;
        if over {
            return Ok(());
        }
        bell.wait(LOOK);
        tail.look()?;
    }
}

/// Whether `event` is the end of the attempt.
fn ends(event: &Envelope, task: &TaskId, attempt: u32) -> bool {
    let Event::WorkflowTransition(transition) = &event.event else {
        return false;
    };
    let status = Status::read(Entity::Attempt, &transition.to);
    transition.of == Entity::Attempt
        && event.subject.task.as_ref() == Some(task)
        && event.subject.attempt == Some(attempt)
        && matches!(status, Some(Status::Attempt(status)) if status.is_terminal())
}

fn answer_json(session: &Session, task: &TaskId, attempt: u32, log: &Path) -> Result<Exit, CliError> {
    let bytes = match std::fs::read(log) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(CliError::file("read", log, &error)),
    };
    session.answer_json(&json!({
        "task": task,
        "attempt": attempt,
        "path": log.display().to_string(),
        "text": String::from_utf8_lossy(&bytes),
    }))?;
    Ok(Exit::Achieved)
}

/// Prints a file as it grows.
struct Printer {
    path: PathBuf,
    file: Option<File>,
    raw: bool,
    out: Out,
}

impl Printer {
    /// Prints what has come since the last call, and says whether there was anything.
    fn print_new(&mut self) -> Result<bool, CliError> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(CliError::file("read", &self.path, &error)),
            };
        }
        let Some(file) = &mut self.file else {
            return Ok(false);
        };
        let mut buffer = vec![0; 64 * 1024];
        let mut any = false;
        loop {
            let count = file.read(&mut buffer).map_err(|error| CliError::file("read", &self.path, &error))?;
            if count == 0 {
                return Ok(any);
            }
            any = true;
            let part = &buffer[..count];
            if self.raw {
                self.out.with(|out| out.write_all(part))?;
            } else {
                // What an agent prints must not be able to move the cursor or rename the window.
                self.out.with(|out| {
                    anstream::adapter::strip_bytes(part).try_for_each(|text| out.write_all(text))
                })?;
            }
        }
    }
}
