//! What the loop hears: notices of the watcher, the noticeboard's files, the backstop's look at everything.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::SystemTime;

use super::RuntimeError;
use super::noticeboard::{self, Look, SETTLED};
use super::orchestrator::Orchestrator;
use crate::engine::{Input, Report};
use crate::event::{Effect, Subject};
use crate::exec;
use crate::id::TaskId;
use crate::signal::{self, BoardError, Notice, Settle, WatchError, WatchKey};

impl Orchestrator {
    /// Directories first, then the watch, then a look: nothing falls between.
    pub(super) fn watch_attempt(&mut self, task: &TaskId, attempt: u32) {
        let is_agent = matches!(self.context.task(task).work, crate::plan::Work::Agent { .. });
        if !is_agent || !self.watched.insert((task.clone(), attempt)) {
            return;
        }
        self.watch_signals(task, attempt);
    }

    /// Makes the directories of the attempt's signals that are missing, and watches those that are not watched yet.
    fn watch_signals(&mut self, task: &TaskId, attempt: u32) {
        let made = self.context.board.put_up_attempt(task, attempt).map(drop);
        if let Err(error) = made {
            tracing::warn!(%error, %task, "the noticeboard could not be put up");
            self.unsettled |= is_passing(&error);
        }
        let Some(watcher) = &mut self.watcher else { return };
        let key = WatchKey::Signals { task: task.clone(), attempt };
        let dir = self.context.board.signals_dir(task, attempt);
        if let Err(error) = watcher.watch(&key, &dir) {
            tracing::warn!(%error, %task, "signals are only rescanned");
            self.unsettled |= is_missing(&error);
        }
    }

    /// What is done on the noticeboard may fail because somebody deletes it meanwhile, or has put something else there.
    /// Neither ends the run: the next look follows soon, and what stays in the way is told once.
    pub(super) fn bear<T: Default>(&mut self, answer: Result<T, BoardError>) -> Result<T, RuntimeError> {
        let error = match answer {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        match &error {
            _ if is_passing(&error) => self.unsettled = true,
            BoardError::InTheWay { path } => self.tell_once(path, error.to_string()),
            BoardError::Io { path, source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                self.tell_once(path, format!("{error}: {source}"));
            }
            BoardError::Gone { .. } | BoardError::Io { .. } => return Err(error.into()),
        }
        tracing::warn!(%error, "the noticeboard is looked at again");
        Ok(T::default())
    }

    fn tell_once(&mut self, path: &Path, what: String) {
        if self.in_the_way.insert(path.to_owned()) {
            // It goes to ourselves.
            _ = self.context.inputs.send(Input::Loss { what });
        }
    }

    /// Puts the noticeboard up before anything is begun: where there is no place for it, no attempt is worth its while.
    pub(super) fn put_up_first(&mut self) -> Result<(), RuntimeError> {
        match self.context.board.put_up(&[]).map(drop) {
            Err(error @ BoardError::InTheWay { .. }) => Err(error.into()),
            _ => self.put_up(),
        }
    }

    /// Puts up what is missing of the noticeboard and watches it.
    pub(super) fn put_up(&mut self) -> Result<(), RuntimeError> {
        let lanes: Vec<_> = self.context.plan.lanes.iter().map(|l| l.id.clone()).collect();
        let put_up = self.context.board.put_up(&lanes).map(drop);
        self.bear(put_up)?;
        let Some(watcher) = &mut self.watcher else {
            return Ok(());
        };
        let board = &self.context.board;
        let mut dirs =
            vec![(WatchKey::Control, board.control_dir()), (WatchKey::Board, board.root().to_owned())];
        dirs.extend(lanes.into_iter().map(|l| (WatchKey::Lane(l.clone()), board.lane_dir(&l))));
        for (key, dir) in dirs {
            if let Err(error) = watcher.watch(&key, &dir) {
                tracing::warn!(%error, "part of the noticeboard is only rescanned");
                self.unsettled |= is_missing(&error);
            }
        }
        Ok(())
    }

    /// What a notice of the watcher is worth.
    pub(super) fn hear(&mut self, notice: Notice) -> Result<Vec<Input>, RuntimeError> {
        match notice {
            Notice::Changed(changed) => {
                let key = changed.key().clone();
                let closed = changed.take();
                if let WatchKey::Signals { task, attempt } = &key {
                    // A directory may have come, or been replaced.
                    self.watch_signals(task, *attempt);
                }
                self.look(&key, live_now(&closed))
            }
            Notice::Gone { .. } => self.rescan(live_now(&BTreeSet::new())),
            Notice::Overflow => {
                let mut inputs = self.rescan(live_now(&BTreeSet::new()))?;
                inputs.push(Input::Loss {
                    what: "the system dropped file events; everything was looked at again".to_owned(),
                });
                Ok(inputs)
            }
            Notice::Error { source } => {
                let mut inputs = self.rescan(live_now(&BTreeSet::new()))?;
                inputs.push(Input::Loss {
                    what: format!("watching failed: {source}; everything was looked at again"),
                });
                Ok(inputs)
            }
        }
    }

    fn look(&mut self, key: &WatchKey, settle: Settle<'_>) -> Result<Vec<Input>, RuntimeError> {
        match key {
            WatchKey::Board => Ok(Vec::new()),
            WatchKey::Control => self.requests(settle),
            WatchKey::Lane(lane) => {
                let Some(ix) = self.core.state().index().lane(lane) else {
                    return Ok(Vec::new());
                };
                let shown = self.projector.show(&self.context.board, self.core.state(), ix, Look::At(settle));
                self.bear(shown)
            }
            WatchKey::Signals { task, attempt } => self.signals(task, *attempt, settle),
        }
    }

    fn requests(&mut self, settle: Settle<'_>) -> Result<Vec<Input>, RuntimeError> {
        let found = noticeboard::requests(&self.context.board, &self.context.plan, self.core.state(), settle);
        let found = self.bear(found)?;
        Ok(found
            .into_iter()
            .filter_map(|(file, input)| {
                let id = match &input {
                    Input::Control(control) => control.id.clone(),
                    Input::BadControl { name, .. } => name.clone(),
                    _ => return None,
                };
                if self.core.state().handled.contains(&id) {
                    // Durable before a crash kept it from being put aside.
                    _ = signal::take(&self.context.board, &file);
                    return None;
                }
                self.taken.insert(id, file);
                Some(input)
            })
            .collect())
    }

    fn signals(
        &mut self,
        task: &TaskId,
        attempt: u32,
        settle: Settle<'_>,
    ) -> Result<Vec<Input>, RuntimeError> {
        let state = self.core.state();
        let found = state
            .index()
            .task(task)
            .and_then(|ix| state.tasks[ix].attempt())
            .filter(|newest| newest.number == attempt)
            .and_then(|newest| newest.step.as_ref().filter(|step| step.is_in_flight()))
            .and_then(|step| match &step.effect {
                Effect::Attempt { iteration, .. } => Some((step.effect.id(), *iteration)),
                _ => None,
            });
        let Some((id, iteration)) = found else {
            return Ok(Vec::new());
        };
        let scan = noticeboard::scan_live(&self.context.board, task, attempt, settle);
        let scan = self.bear(scan)?;
        self.unsettled |= !scan.unsettled.is_empty();
        let lane = &self.context.task(task).lane;
        let subject = Subject { iteration: Some(iteration), ..Subject::attempt(lane, task, attempt) };
        let facts = noticeboard::facts(&subject, task, attempt, &scan);
        if facts.is_empty() {
            Ok(Vec::new())
        } else {
            Ok(vec![Input::Report(Report { id, facts, end: None })])
        }
    }

    /// Looks at everything.
    pub(super) fn rescan(&mut self, settle: Settle<'_>) -> Result<Vec<Input>, RuntimeError> {
        self.put_up()?;
        let mut inputs = self.requests(settle)?;
        for lane in 0..self.context.plan.lanes.len() {
            let board = &self.context.board;
            let shown = self.projector.show(board, self.core.state(), lane, Look::At(settle));
            inputs.extend(self.bear(shown)?);
        }
        let live_settle = match settle {
            Settle::Ended => live_now(&EMPTY),
            live @ Settle::Live { .. } => live,
        };
        for (task, attempt) in self.watched.clone() {
            self.watch_signals(&task, attempt);
            inputs.extend(self.signals(&task, attempt, live_settle)?);
            let log = self.context.attempt_record(&task, attempt).join("agent.log");
            if let Err(error) = exec::trim_live(&log, &exec::LogLimit::default()) {
                tracing::debug!(%error, "a log could not be trimmed");
            }
        }
        if let Err(error) = exec::collect_orphans() {
            tracing::warn!(%error, "orphans could not be collected");
        }
        Ok(inputs)
    }
}

/// Whether it is a matter of somebody who deletes a part of the noticeboard just now.
fn is_passing(error: &BoardError) -> bool {
    match error {
        BoardError::Gone { .. } => true,
        BoardError::Io { source, .. } => {
            matches!(source.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        }
        BoardError::InTheWay { .. } => false,
    }
}

/// Whether the directory was deleted, so that nothing will tell when it comes back. Where a link or a file stands in its place or
/// on the way to it, looking again soon does not help: the slow rescan sees when that is gone.
fn is_missing(error: &WatchError) -> bool {
    let WatchError::Gone { dir } = error else { return false };
    let standing = dir.ancestors().find_map(|part| part.symlink_metadata().ok());
    dir.symlink_metadata().is_err() && standing.is_some_and(|found| found.is_dir())
}

static EMPTY: BTreeSet<String> = BTreeSet::new();

pub(super) fn live_now(closed: &BTreeSet<String>) -> Settle<'_> {
    Settle::Live { closed, now: SystemTime::now(), quiet: SETTLED }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests look at real files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn p24_a_dangling_link_in_the_noticeboard_is_not_looked_at_for_ever() {
        let dir = tempfile::tempdir().expect("a directory");
        let attempt = dir.path().join("tasks/types/1");
        let missing = || is_missing(&WatchError::Gone { dir: attempt.join("signals") });
        assert!(missing(), "it may come back any moment");
        fs::create_dir_all(attempt.parent().expect("a parent")).expect("made");
        assert!(missing());
        symlink(dir.path().join("nowhere"), &attempt).expect("a link");
        assert!(!missing());
        fs::create_dir(dir.path().join("nowhere")).expect("made");
        assert!(!missing(), "nothing is made beyond a link");
        fs::remove_file(&attempt).expect("removed");
        fs::create_dir_all(attempt.join("signals")).expect("made");
        assert!(!missing());
    }
}
