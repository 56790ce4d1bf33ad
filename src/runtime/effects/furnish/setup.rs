//! Setup commands: they run in order, in the worktree, with the environment of a gate.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::shelf::{Shelf, ShelfError, Slot};
use super::{Room, counted};
use crate::event::{CheckRecorded, CheckStatus, Failure, FailureKind};
use crate::exec::{self, Bounded, Launch, StdinFrom};
use crate::graph::{Millis, Setup};
use crate::runtime::Context;
use crate::runtime::effects::{blocking, chain, gate, git_failure, permanent, stop};

/// A command that nobody gave a time has as long as this.
const TIMEOUT: Millis = Millis(30 * 60 * 1000);
/// Lines of a failed command's output that go into the evidence.
const SHOWN_LINES: usize = 40;
/// Bytes of them.
const SHOWN_BYTES: u64 = 16 * 1024;
/// How often it is asked whether another Laneway has ended the command that two need.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How long what is stopped has to end by itself.
const GRACE: Duration = Duration::from_secs(5);

/// Runs all of them. Each may count on the one before.
pub(super) async fn run_all(
    context: &Arc<Context>,
    room: &Room,
    setup: &[Setup],
    checks: &mut Vec<CheckRecorded>,
) -> Result<(), Failure> {
    let log = log_of(context, room)?;
    let work = Work { context, room, log, tag: tag(context, room) };
    if work.log.exists() {
        // Another orchestrator may have been killed while one ran.
        stop::unrecorded(context, work.tag.clone()).await;
    }
    let began = tokio::time::Instant::now();
    let mut taken = 0;
    for one in setup {
        match work.one(one).await {
            Ok(Made::Ran) => {}
            Ok(Made::Taken) => taken += 1,
            Err(Trouble::Halted) => return Err(interrupted(one)),
            Err(Trouble::Broken(failure)) => return Err(failure),
            Err(Trouble::Failed { detail }) => {
                if let Some(full) = context.lacks_room(&room.worktree.path) {
                    let message = format!("{}; {full}", detail.lines().next().unwrap_or_default());
                    return Err(permanent(message));
                }
                let message = format!(
                    "{}; its log is {}",
                    detail.lines().next().unwrap_or_default(),
                    work.log.display()
                );
                checks.push(check(CheckStatus::Fail, detail, began.elapsed()));
                return Err(Failure { class: FailureKind::Work, message, hint: None, retry_at: None });
            }
        }
    }
    let taken = if taken == 0 { String::new() } else { format!(", {taken} of them done before") };
    let detail = format!("{}{taken}", counted(setup.len() as u64, "setup command"));
    checks.push(check(CheckStatus::Pass, detail, began.elapsed()));
    Ok(())
}

/// How a command's result came to be there.
enum Made {
    Ran,
    /// From the shelf.
    Taken,
}

/// Why it is not there.
enum Trouble {
    Halted,
    Failed { detail: String },
    Broken(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Broken(failure)
    }
}

struct Work<'a> {
    context: &'a Arc<Context>,
    room: &'a Room,
    log: PathBuf,
    tag: String,
}

impl Work<'_> {
    async fn one(&self, setup: &Setup) -> Result<Made, Trouble> {
        if setup.makes.is_empty() {
            return self.run(setup).await.map(|()| Made::Ran);
        }
        let slot = self.slot(setup).await?;
        // Of those that need the same, one runs the command and the others wait for its result.
        let door = self.context.door(slot.path());
        let _inside = tokio::select! {
            inside = door.lock() => inside,
            () = self.context.setup_halted(self.room.attempt.clone()) => return Err(Trouble::Halted),
        };
        let _alone = loop {
            let held = slot.try_lock().map_err(|e| broken("locking a setup result", &e))?;
            if let Some(held) = held {
                break held;
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_AGAIN) => {}
                () = self.context.setup_halted(self.room.attempt.clone()) => return Err(Trouble::Halted),
            }
        };
        let (there, worktree, shared) = (slot.clone(), self.room.worktree.clone(), Arc::clone(self.context));
        let taken = blocking(move || there.fetch(&shared.project.repo, &worktree)).await;
        if taken.map_err(|e| broken("copying a setup result", &e))? {
            self.note(&format!("# {} was done before; copied {}\n", setup.command, slot.path().display()));
            self.stays(setup).await?;
            return Ok(Made::Taken);
        }
        self.run(setup).await?;
        self.stays(setup).await?;
        let worktree = self.room.worktree.clone();
        let command = setup.command.to_string();
        let missing = blocking(move || slot.store(&worktree, &command)).await;
        match missing.map_err(|e| broken("keeping a setup result", &e))? {
            None => Ok(Made::Ran),
            Some(path) => Err(Trouble::Failed {
                detail: format!("the setup `{}` did not make {path}, which its `makes` names", setup.command),
            }),
        }
    }

    /// What is not ignored would be put back before anybody works in the lane, and the first task would fail for want of it.
    async fn stays(&self, setup: &Setup) -> Result<(), Trouble> {
        let (shared, room, makes) = (Arc::clone(self.context), self.room.clone(), setup.makes.clone());
        let seen =
            blocking(move || shared.project.repo.not_ignored_of(&room.worktree, &room.at, &makes)).await;
        let seen = seen.map_err(|e| git_failure("looking at what a setup command made", &e))?;
        let Some(first) = seen.first() else { return Ok(()) };
        let more = match seen.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let detail = format!(
            "git does not ignore {first}{more}, which the setup `{}` makes: name it in .gitignore or .git/info/exclude",
            setup.command
        );
        Err(Trouble::Failed { detail })
    }

    async fn slot(&self, setup: &Setup) -> Result<Slot, Trouble> {
        let kept = Shelf::new(&self.context.project.repo.record_dir());
        let (lane, setup) = (self.room.worktree.path.clone(), setup.clone());
        let path = self.context.environment.iter().find(|(name, _)| name == "PATH");
        let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
        let slot = blocking(move || kept.slot(&lane, &setup, &path)).await;
        Ok(slot.map_err(|e| broken("reading what a setup command reads", &e))?)
    }

    async fn run(&self, setup: &Setup) -> Result<(), Trouble> {
        let timeout: Duration = setup.timeout.unwrap_or(TIMEOUT).into();
        let lane = &self.room.worktree.path;
        let launch = Launch {
            argv: gate::argv(&setup.command),
            cwd: lane.clone(),
            env: self.context.environment_in(lane, &self.given())?,
            stdin: StdinFrom::Null,
            log: self.log.clone(),
            tag: self.tag.clone(),
        };
        self.note(&format!("$ {}\n", setup.command));
        let before = std::fs::metadata(&self.log).map_or(0, |found| found.len());
        let halted = self.context.setup_halted(self.room.attempt.clone());
        let ran = exec::run_bounded(&launch, timeout, self.context.grace().min(GRACE), halted).await;
        let ran = ran.map_err(|e| Trouble::Failed {
            detail: format!("the setup `{}` could not be started: {}", setup.command, chain(&e)),
        })?;
        match ran {
            Bounded { cancelled: true, .. } => Err(Trouble::Halted),
            Bounded { timed_out: false, exit, .. } if exit.is_success() => Ok(()),
            Bounded { timed_out, exit, .. } => {
                let how = if timed_out {
                    format!("was stopped after {timeout:?}")
                } else {
                    format!("ended with {exit}")
                };
                let output = tail(&self.log, before);
                Err(Trouble::Failed { detail: format!("the setup `{}` {how}\n{output}", setup.command) })
            }
        }
    }

    fn given(&self) -> Vec<(OsString, OsString)> {
        let mut given = vec![
            ("LANEWAY_LANE".into(), self.room.lane.as_str().into()),
            ("LANEWAY_GRAPH".into(), self.context.plan.graph.as_str().into()),
            ("LANEWAY_BASE".into(), self.room.at.as_str().into()),
        ];
        given.extend(self.context.ports(&self.room.lane));
        given
    }

    /// Writes a line of ours between what commands print.
    fn note(&self, line: &str) {
        let written = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .and_then(|mut log| log.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, "a log could not be written to");
        }
    }
}

/// The log of a worktree's setup: in the record, one for each worktree of the lane.
fn log_of(context: &Context, room: &Room) -> Result<PathBuf, Failure> {
    let dir = context.plan.places.record.join("lanes").join(room.lane.as_str());
    std::fs::create_dir_all(&dir)
        .map_err(|e| permanent(format!("{} could not be made: {e}", dir.display())))?;
    Ok(dir.join(format!("{}.setup.log", folder(room))))
}

/// What marks the processes of a worktree's setup.
fn tag(context: &Context, room: &Room) -> String {
    format!("{}/setup/{}", context.plan.uuid, folder(room))
}

fn folder(room: &Room) -> String {
    room.worktree.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn broken(doing: &str, error: &ShelfError) -> Failure {
    permanent(format!("{doing}: {}", chain(error)))
}

fn interrupted(setup: &Setup) -> Failure {
    let message = format!("the setup `{}` was interrupted", setup.command);
    Failure { class: FailureKind::Transient, message, hint: None, retry_at: None }
}

fn check(status: CheckStatus, detail: String, took: Duration) -> CheckRecorded {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    CheckRecorded { name: "setup".to_owned(), status, detail, duration_ms }
}

/// The end of what a command printed from `from` on.
fn tail(log: &Path, from: u64) -> String {
    let size = std::fs::metadata(log).map_or(0, |found| found.len()).saturating_sub(from);
    match exec::tail_lines(log, SHOWN_LINES, size.min(SHOWN_BYTES)) {
        Ok(lines) => lines.join("\n"),
        Err(error) => format!("(its output could not be read: {})", chain(&error)),
    }
}
