//! The statuses of run, lane, task and attempt, and the one table of legal transitions.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every status, in the order of the life cycle.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word on the wire and on the screen.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

statuses!(
    /// Where a run stands.
    RunStatus {
        /// Work goes on, or can go on when the run is resumed.
        Running = "running",
        /// Every lane has its pull request open or merged.
        Completed = "completed",
        /// A person is needed and nothing else can go on.
        Blocked = "blocked",
        /// Something failed and nothing else can go on.
        Failed = "failed",
        /// A person called it off.
        Cancelled = "cancelled",
    }
);

statuses!(
    /// Where a lane stands; the same words are the names of its status files.
    LaneStatus {
        /// Not provisioned yet.
        Pending = "pending",
        /// Provisioned; tasks can run in it.
        Active = "active",
        /// Every task is in; the pull request is next.
        MergeReady = "merge_ready",
        /// The integration pull request is open.
        PrCreated = "pr_created",
        /// The content is in the target.
        Merged = "merged",
        /// It ended without reaching the target.
        Failed = "failed",
        /// It was undone; a retry of its tasks begins it anew.
        Reset = "reset",
    }
);

statuses!(
    /// Where a task stands.
    TaskStatus {
        /// Waits for its needs, or for a free place.
        Pending = "pending",
        /// Has an attempt that is not over, or between two attempts.
        Running = "running",
        /// Its work is in its lane.
        Merged = "merged",
        /// It succeeded and had no diff to merge.
        Completed = "completed",
        /// Its attempts are used up.
        Failed = "failed",
        /// It can never run, because of what it needs.
        Skipped = "skipped",
        /// Called off.
        Cancelled = "cancelled",
        /// Its work was taken back; it waits for a person to have it done again, or to go on without it.
        Reset = "reset",
    }
);

statuses!(
    /// Where an attempt stands.
    AttemptStatus {
        /// Chosen; waits for its turn or its backoff.
        Queued = "queued",
        /// Its process is intended, lives, or is being judged.
        Started = "started",
        /// Waits for a person.
        Waiting = "waiting",
        /// Proven.
        Succeeded = "succeeded",
        /// The evidence spoke against it.
        Failed = "failed",
        /// Called off, by a person or an interrupt.
        Cancelled = "cancelled",
        /// Ran into its timeout.
        TimedOut = "timed_out",
        /// Its iterations are used up, or led nowhere.
        Exhausted = "exhausted",
        /// What became of it could not be found out.
        Unknown = "unknown",
    }
);

impl TaskStatus {
    /// Whether the task has come to its end. One that was reset has not: it waits for a person.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running | Self::Reset)
    }

    /// Whether what depends on the task may go on.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Merged | Self::Completed)
    }
}

impl AttemptStatus {
    /// Whether it counts against its task.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Exhausted | Self::Unknown)
    }

    /// Whether the attempt is over.
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Started | Self::Waiting)
    }
}

impl LaneStatus {
    /// Whether nothing more happens to the lane by itself.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Merged | Self::Failed | Self::Reset)
    }
}

/// What a transition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entity {
    /// The run.
    Run,
    /// A lane.
    Lane,
    /// A task.
    Task,
    /// An attempt of a task.
    Attempt,
}

/// A status of whichever entity; `None` in a transition's `from` means that the entity begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Of a run.
    Run(RunStatus),
    /// Of a lane.
    Lane(LaneStatus),
    /// Of a task.
    Task(TaskStatus),
    /// Of an attempt.
    Attempt(AttemptStatus),
}

impl Status {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Run(s) => s.word(),
            Self::Lane(s) => s.word(),
            Self::Task(s) => s.word(),
            Self::Attempt(s) => s.word(),
        }
    }

    /// What it is a status of.
    pub const fn entity(self) -> Entity {
        match self {
            Self::Run(_) => Entity::Run,
            Self::Lane(_) => Entity::Lane,
            Self::Task(_) => Entity::Task,
            Self::Attempt(_) => Entity::Attempt,
        }
    }

    /// Reads `word` as a status of `entity`.
    pub fn read(entity: Entity, word: &str) -> Option<Self> {
        fn find<T: Copy>(all: &[T], word: &str, of: impl Fn(T) -> &'static str) -> Option<T> {
            all.iter().copied().find(|s| of(*s) == word)
        }
        match entity {
            Entity::Run => find(RunStatus::ALL, word, RunStatus::word).map(Self::Run),
            Entity::Lane => find(LaneStatus::ALL, word, LaneStatus::word).map(Self::Lane),
            Entity::Task => find(TaskStatus::ALL, word, TaskStatus::word).map(Self::Task),
            Entity::Attempt => find(AttemptStatus::ALL, word, AttemptStatus::word).map(Self::Attempt),
        }
    }
}

/// The one table of legal transitions. `from` is `None` only for an attempt that begins.
pub fn legal(from: Option<Status>, to: Status) -> bool {
    match (from, to) {
        (None, Status::Attempt(to)) => to == AttemptStatus::Queued,
        (Some(Status::Run(from)), Status::Run(to)) => run(from, to),
        (Some(Status::Lane(from)), Status::Lane(to)) => lane(from, to),
        (Some(Status::Task(from)), Status::Task(to)) => task(from, to),
        (Some(Status::Attempt(from)), Status::Attempt(to)) => attempt(from, to),
        _ => false,
    }
}

#[expect(clippy::unnested_or_patterns, reason = "a table is read by its rows")]
fn run(from: RunStatus, to: RunStatus) -> bool {
    use RunStatus::{Blocked, Cancelled, Completed, Failed, Running};
    matches!(
        (from, to),
        (Running, Completed | Blocked | Failed | Cancelled)
            | (Blocked | Failed | Completed | Cancelled, Running)
            // What a run waited for came about, or never will.
            | (Blocked, Completed | Failed | Cancelled)
            // A merge gave a task back that waits to be started.
            | (Completed, Blocked)
            // What had failed was undone, and waits for a person.
            | (Failed, Blocked)
            // Its lanes got well without anything being started: a pull request could be opened after all.
            | (Failed, Completed)
    )
}

#[expect(clippy::unnested_or_patterns, reason = "a table is read by its rows")]
fn lane(from: LaneStatus, to: LaneStatus) -> bool {
    use LaneStatus::{Active, Failed, MergeReady, Merged, Pending, PrCreated, Reset};
    matches!(
        (from, to),
        (Pending, Active)
            | (Active, MergeReady)
            | (MergeReady, PrCreated | Merged)
            | (PrCreated | Failed, Merged)
            | (Pending | Active | MergeReady | PrCreated, Failed)
            // A lane whose tasks were all skipped by choice has nothing to bring, until one can run after all.
            | (Pending, Merged)
            | (Merged, Pending)
            // A retry, or a reset of some of its tasks, takes a lane back to where its work can go on.
            | (Failed, Pending | Active | PrCreated)
            | (MergeReady | PrCreated, Active)
            // It was undone as a whole, and can be begun anew.
            | (Pending | Active | MergeReady | PrCreated | Merged | Failed, Reset)
            | (Reset, Pending)
    )
}

#[expect(clippy::unnested_or_patterns, reason = "a table is read by its rows")]
fn task(from: TaskStatus, to: TaskStatus) -> bool {
    use TaskStatus::{Cancelled, Completed, Failed, Merged, Pending, Reset, Running, Skipped};
    matches!(
        (from, to),
        (Pending, Running | Skipped | Cancelled)
            | (Running, Merged | Completed | Failed | Cancelled)
            | (Failed | Skipped | Cancelled, Pending)
            // What its lane was given afterwards does not merge with its work.
            | (Merged, Pending)
            // Its work was taken back; whatever worked on it was called off first.
            | (Pending | Merged | Completed | Failed | Skipped | Cancelled, Reset)
            | (Reset, Pending | Skipped | Cancelled)
    )
}

fn attempt(from: AttemptStatus, to: AttemptStatus) -> bool {
    use AttemptStatus::{
        Cancelled, Exhausted, Failed, Queued, Started, Succeeded, TimedOut, Unknown, Waiting,
    };
    matches!(
        (from, to),
        (Queued, Started | Cancelled)
            | (Started, Waiting | Succeeded | Failed | Cancelled | TimedOut | Exhausted | Unknown)
            | (Waiting, Started | Failed | Cancelled)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_attempt_never_moves_again() {
        for &from in AttemptStatus::ALL {
            for &to in AttemptStatus::ALL {
                if from.is_terminal() {
                    assert!(!legal(Some(Status::Attempt(from)), Status::Attempt(to)), "{from} -> {to}");
                }
            }
        }
    }

    #[test]
    fn every_word_reads_back() {
        for &status in LaneStatus::ALL {
            assert_eq!(Status::read(Entity::Lane, status.word()), Some(Status::Lane(status)));
        }
        assert_eq!(Status::read(Entity::Task, "merge_ready"), None);
    }

    #[test]
    fn entities_do_not_mix() {
        assert!(!legal(Some(Status::Lane(LaneStatus::Pending)), Status::Task(TaskStatus::Running)));
        assert!(!legal(None, Status::Lane(LaneStatus::Pending)));
    }
}
