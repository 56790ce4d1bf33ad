//! Whether living attempts show signs of life: looked at with every backstop, so that nothing wakes for it alone.
//!
//! ```text
//! backstop -> what each living attempt is at -> Signs -> Evidence -> liveness.recorded, where that is news
//! ```
//!
//! A sign is a change between two looks; its age counts time that the machine was awake. What is quiet is reported.
//! Only the graph's `stall` lets the engine end it, and never before it was reported.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::SystemTime;

use super::Context;
use super::effects::place_of;
use super::orchestrator::Orchestrator;
use crate::event::{Draft, Effect, EffectId, Evidence, LivenessRecorded, Subject};
use crate::exec::{self, ProcessRef, Vitals};
use crate::state::{Attempt, State};

/// How long an attempt is quiet before it is reported, in milliseconds; less where the graph has it ended sooner.
const REPORTED_AFTER: u64 = 10 * 60 * 1000;
/// CPU time that is a sign of life, in milliseconds. Less is what a program spends on its timers while it waits.
const CPU_WORTH: u64 = 100;
/// How many files of a worktree are looked at.
const MOST_FILES: usize = 20_000;

/// A living attempt, and where its signs of life are to be seen.
#[derive(Debug, Clone)]
struct Watched {
    effect: EffectId,
    subject: Subject,
    process: ProcessRef,
    log: PathBuf,
    signals: PathBuf,
    lane: PathBuf,
    stall: Option<u64>,
    /// What was reported last, by whoever carried the run then.
    reported: u64,
}

/// What was seen of the attempts that live, by the tags of their processes.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    signs: HashMap<String, Signs>,
}

impl Orchestrator {
    /// Looks at the attempts that live, beside the loop: their files may be many.
    pub(super) fn look_for_life(&self) {
        let watched = watched(&self.context, self.core.state());
        let (context, liveness) = (Arc::clone(&self.context), Arc::clone(&self.liveness));
        if watched.is_empty() {
            return;
        }
        tokio::task::spawn_blocking(move || look(&context, &liveness, &watched));
    }
}

fn watched(context: &Context, state: &State) -> Vec<Watched> {
    let started = state.tasks.iter().filter_map(|task| task.attempt());
    started.filter_map(|attempt| one(context, attempt)).collect()
}

/// The attempt, if its process lives and something is to be expected of it.
fn one(context: &Context, attempt: &Attempt) -> Option<Watched> {
    let step = attempt.step.as_ref().filter(|step| step.is_in_flight())?;
    let Effect::Attempt { task, attempt: number, iteration, place, .. } = &step.effect else { return None };
    let process = attempt.process.as_ref().filter(|process| process.exit.is_none())?;
    if attempt.stop.is_some() || attempt.may_be_quiet() {
        return None;
    }
    let task = context.task(task);
    Some(Watched {
        effect: step.effect.id(),
        subject: Subject { iteration: Some(*iteration), ..Subject::attempt(&task.lane, &task.id, *number) },
        process: ProcessRef {
            pid: process.id.pid,
            start_time: process.id.start_time,
            boot_id: process.id.boot_id.clone(),
            tag: process.id.tag.clone(),
        },
        log: context.attempt_record(&task.id, *number).join("agent.log"),
        signals: context.board.signals_dir(&task.id, *number),
        lane: place_of(context, task, *place),
        stall: task.stall.map(|stall| stall.0),
        reported: attempt.quiet.map_or(0, |quiet| quiet.evidence.quiet_ms()),
    })
}

fn look(context: &Context, liveness: &Mutex<Liveness>, watched: &[Watched]) {
    let mut liveness = match liveness.try_lock() {
        Ok(liveness) => liveness,
        Err(TryLockError::Poisoned(poisoned)) => PoisonError::into_inner(poisoned),
        // The look before takes long; it does for this one too.
        Err(TryLockError::WouldBlock) => return,
    };
    liveness.signs.retain(|tag, _| watched.iter().any(|one| one.process.tag == *tag));
    for one in watched {
        if let Some(evidence) = liveness.look_at(one, exec::monotonic_ms()) {
            context
                .report(&one.effect, vec![Draft::world(one.subject.clone(), LivenessRecorded { evidence })]);
        }
    }
}

impl Liveness {
    /// What is news about an attempt. What cannot be looked at is not taken for quiet.
    fn look_at(&mut self, one: &Watched, now: u64) -> Option<Evidence> {
        let vitals = exec::vitals(&one.process)
            .inspect_err(|error| tracing::warn!(%error, "processes cannot be looked at"))
            .ok()??;
        let output = fs::metadata(&one.log).map_or(0, |log| log.len());
        let seen = Seen { vitals, output, signals: Trace::of(&one.signals, MOST_FILES) };
        let Some(signs) = self.signs.get_mut(&one.process.tag) else {
            self.signs.insert(one.process.tag.clone(), Signs::new(seen, one.reported, now));
            return None;
        };
        let evidence = signs.see(seen, || Trace::of(&one.lane, MOST_FILES), now);
        signs.is_news(evidence.quiet_ms(), one.stall).then_some(evidence)
    }
}

/// The files of a directory as they change: how many, and when the newest did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Trace {
    files: usize,
    newest: Option<SystemTime>,
}

impl Trace {
    /// Of what cannot be read there is no trace, and none of what git keeps for itself.
    fn of(dir: &Path, most: usize) -> Self {
        let mut trace = Self::default();
        let mut dirs = vec![dir.to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
                if trace.files == most {
                    return trace;
                }
                if entry.file_name() == ".git" {
                    continue;
                }
                let Ok(meta) = entry.metadata() else { continue };
                if meta.is_dir() {
                    dirs.push(entry.path());
                }
                trace.files += 1;
                trace.newest = trace.newest.max(meta.modified().ok());
            }
        }
        trace
    }
}

/// What a look costs little to see.
#[derive(Debug, Clone, Copy)]
struct Seen {
    vitals: Vitals,
    output: u64,
    signals: Trace,
}

/// Something that changes where there is life, and the look at which it was first seen as it is.
#[derive(Debug, Clone, Copy)]
struct Mark<T> {
    value: T,
    since: u64,
}

impl<T: PartialEq> Mark<T> {
    fn see(&mut self, value: T, now: u64) {
        if self.value != value {
            *self = Self { value, since: now };
        }
    }

    fn age(&self, now: u64) -> u64 {
        now.saturating_sub(self.since)
    }
}

/// What was seen of one attempt so far.
#[derive(Debug, Clone)]
struct Signs {
    cpu: Mark<u64>,
    output: Mark<u64>,
    signals: Mark<Trace>,
    /// Looked at where nothing else has changed.
    files: Option<Mark<Trace>>,
    /// How long it was quiet when that was last reported; 0 while it is not.
    reported: u64,
}

impl Signs {
    fn new(seen: Seen, reported: u64, now: u64) -> Self {
        Self {
            cpu: Mark { value: seen.vitals.cpu_ms, since: now },
            output: Mark { value: seen.output, since: now },
            signals: Mark { value: seen.signals, since: now },
            files: None,
            reported,
        }
    }

    fn see(&mut self, seen: Seen, files: impl FnOnce() -> Trace, now: u64) -> Evidence {
        if seen.vitals.cpu_ms.abs_diff(self.cpu.value) >= CPU_WORTH {
            self.cpu.see(seen.vitals.cpu_ms, now);
        }
        self.output.see(seen.output, now);
        self.signals.see(seen.signals, now);
        let ages = [self.cpu.age(now), self.output.age(now), self.signals.age(now)];
        if !ages.contains(&0) {
            let value = files();
            self.files.get_or_insert(Mark { value, since: now }).see(value, now);
        }
        Evidence {
            cpu_ms: ages[0],
            output_ms: ages[1],
            // What was never looked at may have changed just now.
            files_ms: self.files.map_or(0, |files| files.age(now)),
            signal_ms: ages[2],
            processes: seen.vitals.processes,
            sockets: seen.vitals.sockets,
        }
    }

    /// Whether it is to be reported: when it has become quiet, when that has doubled, when the graph's patience is
    /// over, and when it is quiet no longer.
    fn is_news(&mut self, quiet: u64, stall: Option<u64>) -> bool {
        let before = std::mem::replace(&mut self.reported, quiet);
        let due = match before {
            0 => stall.map_or(REPORTED_AFTER, |stall| REPORTED_AFTER.min(stall / 2)).max(1),
            before => before.saturating_mul(2).min(stall.unwrap_or(u64::MAX)),
        };
        let news = quiet >= due || quiet == 0 && before > 0;
        if !news {
            self.reported = before;
        }
        news
    }
}

#[cfg(test)]
mod tests;
