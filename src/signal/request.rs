//! Requests of people and tools to a run: the content of `control/<verb>-<id>`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::event::UndoTarget;
use crate::id::{LaneId, Sha, TaskId};

/// What a request is aimed at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The whole run.
    #[default]
    Run,
    /// One lane.
    Lane(LaneId),
    /// One task.
    Task(TaskId),
}

/// How a run stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopMode {
    /// Nothing new is started; what works is let finish.
    #[default]
    Drain,
    /// What works is stopped.
    Now,
}

/// What is asked of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Verb {
    /// Stops work and ends it as cancelled.
    Cancel {
        /// Whose.
        #[serde(default)]
        target: Target,
    },
    /// Starts nothing until `resume`.
    Pause {},
    /// Ends a pause.
    Resume {},
    /// Ends the orchestrator; the run can be resumed.
    Stop {
        /// How.
        #[serde(default)]
        mode: StopMode,
    },
    /// Tries again what has failed: the tasks and lanes named, or everything where none is.
    Retry {
        /// Tasks.
        #[serde(default)]
        tasks: Vec<TaskId>,
        /// Lanes.
        #[serde(default)]
        lanes: Vec<LaneId>,
    },
    /// Goes on without the tasks and lanes named.
    Skip {
        /// Tasks.
        #[serde(default)]
        tasks: Vec<TaskId>,
        /// Lanes.
        #[serde(default)]
        lanes: Vec<LaneId>,
    },
    /// Undoes what a plan says that was shown and confirmed.
    Reset {
        /// What is undone.
        of: UndoTarget,
        /// The digest of the plan, as `laneway reset --json` shows it.
        digest: String,
    },
    /// Merges a pull request.
    Merge {
        /// Its number.
        pr: u64,
        /// Only if its head still is this commit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha: Option<Sha>,
    },
    /// Approves a pull request.
    Approve {
        /// Its number.
        pr: u64,
        /// The head that was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha: Option<Sha>,
    },
    /// Asks for changes to a pull request; the note says which.
    RequestChanges {
        /// Its number.
        pr: u64,
        /// The head that was looked at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha: Option<Sha>,
    },
    /// Comments on a pull request; the note is the comment.
    Comment {
        /// Its number.
        pr: u64,
    },
    /// Closes a pull request without merging it.
    Close {
        /// Its number.
        pr: u64,
    },
    /// Answers a question.
    Answer {
        /// The task that asked.
        task: TaskId,
        /// The id of its question; its only open one where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ask: Option<String>,
        /// The answer.
        text: String,
    },
    /// Claims for a task, in place of its agent, that it is done; the note says what was done.
    SignalDone {
        /// The task.
        task: TaskId,
    },
    /// Claims for a task, in place of its agent, that it cannot be done; the note says why.
    SignalFailed {
        /// The task.
        task: TaskId,
    },
}

/// The names of the verbs, as they stand in front of file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is documented as a variant of `Verb`")]
pub enum VerbName {
    Cancel,
    Pause,
    Resume,
    Stop,
    Retry,
    Skip,
    Reset,
    Merge,
    Approve,
    RequestChanges,
    Comment,
    Close,
    Answer,
    SignalDone,
    SignalFailed,
}

impl VerbName {
    /// Every name.
    pub const ALL: [Self; 15] = [
        Self::Cancel,
        Self::Pause,
        Self::Resume,
        Self::Stop,
        Self::Retry,
        Self::Skip,
        Self::Reset,
        Self::Merge,
        Self::Approve,
        Self::RequestChanges,
        Self::Comment,
        Self::Close,
        Self::Answer,
        Self::SignalDone,
        Self::SignalFailed,
    ];

    /// The name as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Reset => "reset",
            Self::Merge => "merge",
            Self::Approve => "approve",
            Self::RequestChanges => "request-changes",
            Self::Comment => "comment",
            Self::Close => "close",
            Self::Answer => "answer",
            Self::SignalDone => "signal-done",
            Self::SignalFailed => "signal-failed",
        }
    }

    /// Splits a file name into its verb and the id after the hyphen (empty where there is none).
    pub(super) fn split(file: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|verb| {
            let rest = file.strip_prefix(verb.as_str())?;
            if rest.is_empty() { Some((verb, rest)) } else { Some((verb, rest.strip_prefix('-')?)) }
        })
    }
}

impl Verb {
    /// Its name.
    pub fn name(&self) -> VerbName {
        match self {
            Self::Cancel { .. } => VerbName::Cancel,
            Self::Pause {} => VerbName::Pause,
            Self::Resume {} => VerbName::Resume,
            Self::Stop { .. } => VerbName::Stop,
            Self::Retry { .. } => VerbName::Retry,
            Self::Skip { .. } => VerbName::Skip,
            Self::Reset { .. } => VerbName::Reset,
            Self::Merge { .. } => VerbName::Merge,
            Self::Approve { .. } => VerbName::Approve,
            Self::RequestChanges { .. } => VerbName::RequestChanges,
            Self::Comment { .. } => VerbName::Comment,
            Self::Close { .. } => VerbName::Close,
            Self::Answer { .. } => VerbName::Answer,
            Self::SignalDone { .. } => VerbName::SignalDone,
            Self::SignalFailed { .. } => VerbName::SignalFailed,
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of its file in `control/`, which no other request of the run ever has again.
    pub file: String,
    /// What is asked.
    pub verb: Verb,
    /// Who asks, as they say; empty where they do not.
    pub by: String,
    /// When it was written, as they say (RFC 3339).
    pub at: Option<String>,
    /// What they add: a reason, a comment, a text.
    pub note: Option<String>,
}

impl Request {
    /// Reads the text of the file of a `verb` request. JSON has the fields of the verb and `by`, `at`, `note`; any
    /// other text is the note of a request whose verb needs nothing more. The error is that of the JSON.
    pub(super) fn parse(file: &str, verb: VerbName, text: &str) -> Result<Self, serde_json::Error> {
        let text = text.trim();
        let mut fields: Map<String, Value> =
            if text.starts_with('{') { serde_json::from_str(text)? } else { Map::new() };
        let mut words =
            |key| fields.remove(key).filter(|v| !v.is_null()).map(serde_json::from_value::<String>);
        let (by, at, note) = (words("by").transpose()?, words("at").transpose()?, words("note").transpose()?);
        let note = if text.starts_with('{') || text.is_empty() { note } else { Some(text.to_owned()) };
        fields.insert("verb".to_owned(), verb.as_str().into());
        let verb = serde_json::from_value(Value::Object(fields))?;
        Ok(Self { file: file.to_owned(), verb, by: by.unwrap_or_default(), at, note })
    }

    /// The text of its file.
    pub(super) fn render(&self) -> String {
        let mut value = serde_json::to_value(&self.verb).expect("a verb has only text keys");
        let fields = value.as_object_mut().expect("a verb is an object");
        fields.insert("by".to_owned(), self.by.clone().into());
        for (key, text) in [("at", &self.at), ("note", &self.note)] {
            if let Some(text) = text {
                fields.insert(key.to_owned(), text.clone().into());
            }
        }
        format!("{value:#}\n")
    }
}
