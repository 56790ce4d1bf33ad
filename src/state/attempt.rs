//! A task's part of the state: its attempts and what each of them showed.

use std::collections::{BTreeMap, BTreeSet};

use super::Conflict;
use crate::event::{
    AttemptStatus, CheckStatus, DiffStat, Effect, ExitStatus, Failure, Output, Place, ProcessId, StopReason,
    TaskStatus, Timestamp,
};
use crate::id::{Category, Sha, TaskId};

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// The result.
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// An effect that something stands or falls with.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The effect.
    pub effect: Effect,
    /// Times it was intended.
    pub tries: u32,
    /// How far it is.
    pub phase: StepPhase,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq)]
pub enum StepPhase {
    /// Intended; its answer is awaited.
    InFlight,
    /// It failed.
    Failed {
        /// When.
        at: Timestamp,
        /// How.
        failure: Failure,
    },
}

impl Step {
    /// Whether its answer is awaited.
    pub fn is_in_flight(&self) -> bool {
        matches!(self.phase, StepPhase::InFlight)
    }

    /// How it failed, and when.
    pub fn failure(&self) -> Option<(&Failure, Timestamp)> {
        match &self.phase {
            StepPhase::InFlight => None,
            StepPhase::Failed { at, failure } => Some((failure, *at)),
        }
    }
}

/// The main process of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// What proves it ours.
    pub id: ProcessId,
    /// The monotonic clock when it began, in milliseconds.
    pub mono: u64,
    /// The wall clock when it began.
    pub at: Timestamp,
    /// How it ended.
    pub exit: Option<ExitStatus>,
}

/// What an agent claimed, with when it was seen.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claims {
    /// `done`.
    pub done: Option<(Timestamp, String)>,
    /// `failed`.
    pub failed: Option<(Timestamp, String)>,
    /// `blocked`.
    pub blocked: Option<(Timestamp, String)>,
}

impl Claims {
    /// When the first claim was seen.
    pub fn first(&self) -> Option<Timestamp> {
        [&self.done, &self.failed, &self.blocked].into_iter().flatten().map(|(at, _)| *at).min()
    }
}

/// One try at a task.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its number, from 1.
    pub number: u32,
    /// Its status.
    pub status: AttemptStatus,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// When it was chosen.
    pub queued_at: Timestamp,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// The process of the attempt that ran last, from 1.
    pub iteration: u32,
    /// The commit it started from.
    pub start: Option<Sha>,
    /// Where it works.
    pub place: Place,
    /// The effect it stands or falls with now.
    pub step: Option<Step>,
    /// Its main process.
    pub process: Option<Process>,
    /// Whether its process and all that came of it are over and its signals sealed.
    pub over: bool,
    /// What its agent claimed.
    pub claims: Claims,
    /// A question that its agent asked.
    pub question: Option<String>,
    /// The id of the question; `None` for a `blocked` claim.
    pub ask: Option<String>,
    /// A person's answer.
    pub answer: Option<String>,
    /// Why its processes are being ended.
    pub stop: Option<StopReason>,
    /// Whether a person called it off.
    pub cancel_wanted: bool,
    /// Evidence.
    pub checks: Vec<Check>,
    /// Whether its work was looked at, and the commit it became.
    pub collected: Option<Option<Sha>>,
    /// The outputs that it declared and that hold.
    pub outputs: BTreeMap<Category, Vec<Output>>,
    /// Whether its work is in the lane, or its gate alone has passed.
    pub landed: bool,
    /// Reviewers of its work so far.
    pub reviews: u32,
    /// The size of its change.
    pub diff: Option<DiffStat>,
    /// A conflict that it ran into.
    pub conflict: Option<Conflict>,
    /// Files that were not accepted, with why.
    pub rejected: Vec<(String, String)>,
    /// Signals that were taken, by path and digest.
    pub seen: BTreeSet<(String, String)>,
    /// How far it says it is.
    pub progress: Option<String>,
}

impl Attempt {
    pub(super) fn new(number: u32, at: Timestamp) -> Self {
        Self {
            number,
            status: AttemptStatus::Queued,
            reason: None,
            queued_at: at,
            started_at: None,
            ended_at: None,
            iteration: 0,
            start: None,
            place: Place::Lane,
            step: None,
            process: None,
            over: false,
            claims: Claims::default(),
            question: None,
            ask: None,
            answer: None,
            stop: None,
            cancel_wanted: false,
            checks: Vec::new(),
            collected: None,
            outputs: BTreeMap::new(),
            landed: false,
            reviews: 0,
            diff: None,
            conflict: None,
            rejected: Vec::new(),
            seen: BTreeSet::new(),
            progress: None,
        }
    }

    /// The evidence that speaks against it.
    pub fn failed_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|c| c.status == CheckStatus::Fail)
    }
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its status.
    pub status: TaskStatus,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// Its attempts, in order; the position is the number less one.
    pub attempts: Vec<Attempt>,
    /// Attempts that count against it.
    pub failures: u32,
    /// Whether it was skipped because a `when` does not hold: nothing went wrong.
    pub passed_over: bool,
    /// What its agent said for the pull request.
    pub summary: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether a person called it off.
    pub cancel_wanted: bool,
    /// Whether a retry was asked for.
    pub retry_wanted: bool,
    /// What agents of other tasks had to say to this one's.
    pub notes: Vec<Note>,
}

/// A word of one task's agent to another's.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Whose agent wrote it.
    pub from: TaskId,
    /// The name of its file.
    pub name: String,
    /// What it says.
    pub text: String,
}

impl Default for Task {
    fn default() -> Self {
        Self {
            status: TaskStatus::Pending,
            reason: None,
            attempts: Vec::new(),
            failures: 0,
            passed_over: false,
            summary: None,
            ended_at: None,
            cancel_wanted: false,
            retry_wanted: false,
            notes: Vec::new(),
        }
    }
}

impl Task {
    /// The newest attempt.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// What it made for other tasks: the outputs of the attempt that succeeded.
    pub fn outputs(&self) -> Option<&BTreeMap<Category, Vec<Output>>> {
        let well = self.attempts.iter().rev().find(|a| a.status == AttemptStatus::Succeeded);
        well.map(|attempt| &attempt.outputs)
    }

    /// The attempt with this number.
    pub fn attempt_mut(&mut self, number: u32) -> Option<&mut Attempt> {
        self.attempts.get_mut(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Whether it ended without success, and not by choice.
    pub fn ended_badly(&self) -> bool {
        self.status.is_terminal() && !self.status.is_success() && !self.passed_over
    }

    /// Whether an attempt holds a place: it is started and not over.
    pub fn is_live(&self) -> bool {
        self.attempt().is_some_and(|a| a.status == AttemptStatus::Started)
    }
}
