//! The parts that facts are made of.

use serde::{Deserialize, Serialize};

use crate::id::{LaneId, Sha, TaskId};

/// The check of an attempt that says what a reviewer thinks of its work.
pub const CHECK_REVIEW: &str = "review";

/// The check of a lane that says whether it has anything that its target does not have.
pub const CHECK_AHEAD: &str = "ahead";
/// The check of a lane that says whether its branch on origin holds what the lane does not.
pub const CHECK_ORIGIN: &str = "origin-ahead";
/// The check that says whether the lane and its target merge.
pub const CHECK_MERGEABLE: &str = "mergeable";

/// The check that says whether one of the processes of an attempt changed anything.
pub const CHECK_PROGRESS: &str = "progress";

/// The check of an attempt that says what became of its task's own pull request, where that did not go as it should.
pub const CHECK_TASK_PR: &str = "task-pr";

/// The check of a lane that says whether its pull request still shows what the run has put there.
pub const CHECK_HEAD: &str = "head";

/// A piece of evidence's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// It holds.
    Pass,
    /// It holds, with something a person should know.
    Warn,
    /// It does not hold.
    Fail,
    /// It did not apply.
    Skip,
}

impl CheckStatus {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Skip => "skip",
        }
    }
}

/// What sort of remark an agent made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConcernClass {
    /// About the change itself; blocks an automatic merge.
    Design,
    /// About running it; a note to the reviewer.
    Ops,
}

/// The part of an attempt that a process plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessRole {
    /// An agent at work.
    Agent,
    /// The command of a `run` task.
    Command,
    /// A gate.
    Gate,
    /// An agent that reviews an attempt's work.
    Reviewer,
}

impl ProcessRole {
    /// Whether it does the attempt's work, and is not only asked about it.
    pub const fn does_the_work(self) -> bool {
        matches!(self, Self::Agent | Self::Command)
    }
}

/// A process, so that it can be proven ours after a crash.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// The boot that the two belong to.
    pub boot_id: String,
    /// The attempt's tag in the environment of its processes.
    pub tag: String,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It ended with a code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
    /// Nobody was there to see it.
    Unknown,
}

impl ExitStatus {
    /// Whether it is code 0.
    pub const fn success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl std::fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Unknown => f.write_str("an exit that nobody saw"),
        }
    }
}

/// Why an attempt's processes are ended by Laneway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// It claimed, and its grace is over.
    Claimed,
    /// Its timeout is over.
    TimedOut,
    /// It showed no sign of life for as long as the graph allows.
    Stalled,
    /// A person called it off.
    Cancelled,
    /// The orchestrator was interrupted; it runs again on resume and uses up nothing.
    Interrupted,
}

impl StopReason {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::TimedOut => "timed_out",
            Self::Stalled => "stalled",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What an accepted signal says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// The work is done, says the agent.
    Done,
    /// It cannot be done.
    Failed,
    /// A person is needed.
    Blocked,
    /// For the pull request.
    Summary,
    /// A design concern.
    Concern,
    /// An ops concern.
    OpsConcern,
    /// Declared outputs.
    Outputs,
    /// How far it is.
    Progress,
    /// A question to a person.
    Ask {
        /// The question's id.
        id: String,
    },
    /// A word to another task.
    Note {
        /// The task it is for.
        to: TaskId,
    },
    /// A file to keep.
    Artifact {
        /// Its name.
        name: String,
    },
    /// A lane's status file that somebody else wrote.
    LaneStatus {
        /// Which of them.
        status: super::LaneStatus,
    },
}

impl SignalKind {
    /// Its name without particulars, as it is counted by.
    pub const fn word(&self) -> &'static str {
        match self {
            SignalKind::Done => "done",
            SignalKind::Failed => "failed",
            SignalKind::Blocked => "blocked",
            SignalKind::Summary => "summary",
            SignalKind::Concern => "concern",
            SignalKind::OpsConcern => "ops-concern",
            SignalKind::Outputs => "outputs",
            SignalKind::Progress => "progress",
            SignalKind::Ask { .. } => "ask",
            SignalKind::Note { .. } => "note",
            SignalKind::Artifact { .. } => "artifact",
            SignalKind::LaneStatus { .. } => "lane status",
        }
    }

    /// How often an attempt may say it, new texts of one file included: the journal keeps each for ever.
    pub const fn most(&self) -> u32 {
        match self {
            // A line a second for an hour.
            SignalKind::Progress => 3600,
            SignalKind::Concern
            | SignalKind::OpsConcern
            | SignalKind::Note { .. }
            | SignalKind::Artifact { .. } => 256,
            _ => 64,
        }
    }
}

/// What a task made for others: a file or a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// A file of its work, from the root of the repository.
    Path(String),
    /// A value.
    Value(serde_json::Value),
}

/// A changed file of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffFile {
    /// Where it is now.
    pub path: String,
    /// `added`, `modified`, `deleted`, `renamed` or `type_changed`.
    pub change: String,
    /// Lines added.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
    /// Whether git takes it for binary.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub binary: bool,
    /// Where it was, for a rename.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_path: Option<String>,
}

/// The size of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DiffStat {
    /// Changed files.
    pub files: u64,
    /// Lines added.
    pub additions: u64,
    /// Lines removed.
    pub deletions: u64,
}

/// What a prediction is about: a lane as it stands, and what it was compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The other lane; absent where it is the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<LaneId>,
    /// The lane's tip.
    pub ours: Sha,
    /// Where the other one, or the target, stood.
    pub theirs: Sha,
}

/// A pull request as a run knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrRef {
    /// Its number on the forge.
    pub number: u64,
    /// Where a person finds it.
    pub url: String,
}

/// A request of a person or a tool, as it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// The request's id; a repeated id is recognised.
    pub id: String,
    /// Who asked.
    pub by: String,
    /// What is asked.
    pub verb: ControlVerb,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub enum ControlVerb {
    /// An orchestrator begins to carry the run, or takes it up again.
    Attach {
        /// Its process id.
        pid: u32,
        /// The boot it lives in.
        boot_id: String,
        /// Whether it may start attempts, or only settles what is there.
        attempts: bool,
    },
    /// Start nothing more; a second one ends what runs.
    Interrupt,
    /// Start nothing until resumed.
    Pause,
    /// Go on after a pause.
    Resume,
    /// Call off the run, or just these.
    Cancel {
        /// Tasks; with `lanes` empty too, the whole run.
        #[serde(default)]
        tasks: Vec<TaskId>,
        /// Lanes.
        #[serde(default)]
        lanes: Vec<LaneId>,
    },
    /// Give failed tasks (and what was skipped for them) new attempts; all of them where none is named.
    Retry {
        /// Tasks.
        #[serde(default)]
        tasks: Vec<TaskId>,
    },
    /// Go on without these: what needs them no longer waits for them.
    Skip {
        /// Tasks.
        tasks: Vec<TaskId>,
    },
    /// Answer a task that waits for a person.
    Answer {
        /// The task.
        task: TaskId,
        /// The question's id; absent where a `blocked` claim or the only open question is answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<String>,
        /// The answer.
        text: String,
    },
    /// Undo tasks and lanes, as it was planned and confirmed.
    Reset {
        /// The plan.
        plan: super::UndoPlan,
    },
    /// Merge, or close, the pull request that takes a lane out of its target.
    Revert {
        /// The lane.
        lane: LaneId,
        /// Whether it is merged; else it is closed.
        merge: bool,
    },
    /// Merge a lane's pull request.
    Merge {
        /// The lane.
        lane: LaneId,
        /// What was looked at: only that may be merged. `None` takes what is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha: Option<Sha>,
    },
    /// Another act on a lane's pull request.
    Review {
        /// The lane.
        lane: LaneId,
        /// Which.
        act: super::effect::ReviewAct,
        /// Words.
        #[serde(default)]
        text: String,
    },
}
