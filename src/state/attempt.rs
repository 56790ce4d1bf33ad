//! A task's part of the state: its attempts and what each of them showed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conflict, Landing, PullRequest, Unresolved};
use crate::event::{
    AttemptStatus, CHECK_PROGRESS, CheckStatus, DiffStat, Effect, Evidence, ExitStatus, Failure, FailureKind,
    Output, Place, ProcessId, StopReason, TaskStatus, Timestamp,
};
use crate::graph::ClaimBy;
use crate::id::{Category, Sha, TaskId};
use crate::plan::Work;

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
    /// When it was intended last.
    pub began: Timestamp,
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

/// What files that were not accepted are counted under.
pub const REJECTED: &str = "rejected";

/// What agent processes used, as far as their output says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input tokens, those read from a cache among them.
    pub input_tokens: u64,
    /// Input tokens that were read from a cache.
    pub cached_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Cost in millionths of a US dollar.
    pub cost_micros: u64,
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self {
            input_tokens: a.input_tokens.saturating_add(b.input_tokens),
            cached_tokens: a.cached_tokens.saturating_add(b.cached_tokens),
            output_tokens: a.output_tokens.saturating_add(b.output_tokens),
            cost_micros: a.cost_micros.saturating_add(b.cost_micros),
        })
    }
}

/// One try at a task.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them may hold together"
)]
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
    /// The commit that its newest process started from.
    pub from: Option<Sha>,
    /// Processes in a row, before the newest, that changed nothing.
    pub idle: u32,
    /// The newest session that its agent told of, with where that process worked.
    pub session: Option<(String, Place)>,
    /// What each of its processes used, by iteration.
    pub usage: BTreeMap<u32, Usage>,
    /// What each of its reviewers used, by round.
    pub review_usage: BTreeMap<u32, Usage>,
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
    /// What the process before the newest one left, by the same rule.
    pub collected_before: Option<Option<Sha>>,
    /// The outputs that it declared and that hold.
    pub outputs: BTreeMap<Category, Vec<Output>>,
    /// Whether its work is in the lane, or its gate alone has passed.
    pub landed: bool,
    /// How its work came into the lane, where it has any.
    pub landing: Option<Landing>,
    /// Whether what it did was undone: nothing goes on from it.
    pub undone: bool,
    /// Reviewers of its work so far.
    pub reviews: u32,
    /// The size of its change.
    pub diff: Option<DiffStat>,
    /// A conflict that it ran into.
    pub conflict: Option<Conflict>,
    /// The conflict of its lane with upstream work that it is to resolve.
    pub resolves: Option<Unresolved>,
    /// Files that were not accepted, with why.
    pub rejected: Vec<(String, String)>,
    /// Signals that were taken, by path and digest.
    pub seen: BTreeSet<(String, String)>,
    /// How many signals of each kind were taken, and under [`REJECTED`] how many files were not.
    pub taken: BTreeMap<&'static str, u32>,
    /// How far it says it is.
    pub progress: Option<String>,
    /// That it is quiet, while it is.
    pub quiet: Option<Quiet>,
}

/// An attempt that shows no sign of life, as it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// What was seen.
    pub evidence: Evidence,
    /// How often it was reported since it became quiet.
    pub times: u32,
}

impl Attempt {
    /// What each process of an agent used, those of reviewers among them.
    pub fn used(&self) -> impl Iterator<Item = Usage> + '_ {
        self.usage.values().chain(self.review_usage.values()).copied()
    }

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
            from: None,
            idle: 0,
            session: None,
            usage: BTreeMap::new(),
            review_usage: BTreeMap::new(),
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
            collected_before: None,
            outputs: BTreeMap::new(),
            landed: false,
            landing: None,
            undone: false,
            reviews: 0,
            diff: None,
            conflict: None,
            resolves: None,
            rejected: Vec::new(),
            seen: BTreeSet::new(),
            taken: BTreeMap::new(),
            progress: None,
            quiet: None,
        }
    }

    /// What a person has to put right before it can go on where it stopped.
    pub fn refusal(&self) -> Option<&Failure> {
        let (failure, _) = self.step.as_ref()?.failure()?;
        (failure.class == FailureKind::Refused).then_some(failure)
    }

    /// Whether it goes on with the step that was refused, where it was; nobody has an answer for its agent.
    pub fn goes_on_in_place(&self) -> bool {
        self.refusal().is_some() || self.answer.is_none()
    }

    /// The last of its work that was looked at, with the process that left it: the newest may have ended before its turn.
    pub fn work(&self) -> Option<(&Option<Sha>, u32)> {
        let newest = self.collected.as_ref().map(|work| (work, self.iteration));
        newest.or_else(|| Some((self.collected_before.as_ref()?, self.iteration.saturating_sub(1))))
    }

    /// Whether it is being ended although nothing speaks against its work.
    pub fn is_called_off(&self) -> bool {
        matches!(self.stop, Some(StopReason::Cancelled | StopReason::Interrupted))
    }

    /// Whether its newest process changed nothing, as far as that was looked at.
    pub fn is_idle(&self) -> bool {
        self.checks.iter().any(|c| c.name == CHECK_PROGRESS && c.status == CheckStatus::Skip)
    }

    /// Whether it is said to be done: by a signal file, or by its exit where that is how its agent says it. With a
    /// tracker a clean exit only ends an iteration.
    pub fn is_claimed(&self, work: &Work) -> bool {
        let by_exit = match work {
            Work::Agent { by, def, .. } => {
                let tracked = by.repeat.as_ref().is_some_and(|repeat| repeat.tracker.is_some());
                def.claim == ClaimBy::Exit && !tracked
            }
            Work::Run { .. } => false,
        };
        let well = self.process.as_ref().and_then(|p| p.exit).is_some_and(ExitStatus::success);
        let silent = self.claims.first().is_none() && self.question.is_none();
        self.claims.done.is_some() || by_exit && well && silent
    }

    /// Whether it waits for a person, or has claimed: then nothing is expected of it.
    pub fn may_be_quiet(&self) -> bool {
        self.question.is_some() || self.claims.first().is_some()
    }

    /// The evidence that speaks against it.
    pub fn failed_checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|c| c.status == CheckStatus::Fail)
    }
}

/// Where a task stands.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them may hold together"
)]
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
    /// Why it is to be undone, where it is.
    pub reset_wanted: Option<String>,
    /// Whether a person chose to go on without it.
    pub set_aside: bool,
    /// What agents of other tasks had to say to this one's.
    pub notes: Vec<Note>,
    /// Its own pull request, in a lane that has them.
    pub pr: Option<PullRequest>,
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
            reset_wanted: None,
            set_aside: false,
            notes: Vec::new(),
            pr: None,
        }
    }
}

impl Task {
    /// What its agent said of its work: its summary, or the text of its newest claim.
    pub fn said(&self) -> Option<&str> {
        let claimed = || self.attempt()?.claims.done.as_ref().map(|(_, text)| text.as_str());
        self.summary.as_deref().filter(|text| !text.trim().is_empty()).or_else(claimed)
    }

    /// Whether nothing waits for it any more: it is done, or a person chose to go on without it.
    pub fn is_settled(&self) -> bool {
        self.status.is_success() || self.set_aside
    }

    /// Whether it has ended in a way from which its lane can go on.
    pub fn is_over(&self) -> bool {
        self.status.is_terminal() && (self.is_settled() || self.passed_over)
    }

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
