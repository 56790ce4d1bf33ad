//! The names of the protocol: which file means what, and how much of it is read.

use super::reject::RejectReason;
use crate::id::TaskId;

/// The longest name of a file or directory, in bytes.
const MAX_NAME: usize = 128;

/// What a signal file says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignalKind {
    /// The claim that the task is done.
    Done,
    /// The claim that the task cannot be done.
    Failed,
    /// A person is needed before the work can go on.
    Blocked,
    /// What was done, for the pull request.
    Summary,
    /// A concern about the design; it stops an automatic merge.
    Concern,
    /// A concern about tools or surroundings; it does not.
    OpsConcern,
    /// Declared outputs.
    Outputs,
    /// What the agent is at; the last one counts.
    Progress,
    /// A question to a person.
    Ask {
        /// Its id: the name of the file, and of the answer in `answers/`.
        id: String,
    },
    /// A note to another task's agent.
    Note {
        /// The task.
        to: TaskId,
    },
    /// A file to keep.
    Artifact {
        /// Its name below `artifacts/`.
        name: String,
    },
}

impl SignalKind {
    /// A stable word for the kind, for events and `--json`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Summary => "summary",
            Self::Concern => "concern",
            Self::OpsConcern => "ops-concern",
            Self::Outputs => "outputs",
            Self::Progress => "progress",
            Self::Ask { .. } => "ask",
            Self::Note { .. } => "note",
            Self::Artifact { .. } => "artifact",
        }
    }

    /// Whether an empty file of this kind says something: a claim and the end of a progress line do.
    pub(super) fn may_be_empty(&self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Blocked | Self::Progress | Self::Artifact { .. })
    }

    /// The most bytes that are taken.
    pub(super) fn limit(&self, limits: &Limits) -> u64 {
        match self {
            Self::Done | Self::Failed | Self::Blocked | Self::Progress => limits.claim_bytes,
            Self::Summary => limits.summary_bytes,
            Self::Concern | Self::OpsConcern => limits.concern_bytes,
            Self::Outputs => limits.outputs_bytes,
            Self::Ask { .. } => limits.ask_bytes,
            Self::Note { .. } => limits.note_bytes,
            Self::Artifact { .. } => limits.artifact_bytes,
        }
    }
}

/// How much is read of an attempt's signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of `done`, `failed`, `blocked` and `progress`, each.
    pub claim_bytes: u64,
    /// Bytes of `summary.md`.
    pub summary_bytes: u64,
    /// Bytes of one concern.
    pub concern_bytes: u64,
    /// Files in `concerns/` and in `ops-concerns/`, each.
    pub concerns: usize,
    /// Bytes of `outputs.json`.
    pub outputs_bytes: u64,
    /// Bytes of one question.
    pub ask_bytes: u64,
    /// Files in `ask/`.
    pub asks: usize,
    /// Bytes of one note.
    pub note_bytes: u64,
    /// Notes to all tasks together.
    pub notes: usize,
    /// Bytes of one artifact.
    pub artifact_bytes: u64,
    /// Artifacts.
    pub artifacts: usize,
    /// Directories that may lie between `artifacts/` and an artifact.
    pub artifact_depth: usize,
    /// Entries of one directory that are looked at.
    pub entries: usize,
    /// Rejections that are listed one by one.
    pub rejections: usize,
}

const KIB: u64 = 1024;

impl Default for Limits {
    fn default() -> Self {
        Self {
            claim_bytes: 64 * KIB,
            summary_bytes: 256 * KIB,
            concern_bytes: 64 * KIB,
            concerns: 100,
            outputs_bytes: 256 * KIB,
            ask_bytes: 64 * KIB,
            asks: 20,
            note_bytes: 64 * KIB,
            notes: 50,
            artifact_bytes: 64 * KIB * KIB,
            artifacts: 100,
            artifact_depth: 4,
            entries: 10_000,
            rejections: 100,
        }
    }
}

/// The directories of an attempt's signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Folder {
    Concerns,
    OpsConcerns,
    Ask,
    Notes,
    Artifacts,
}

impl Folder {
    pub(super) const ALL: [Self; 5] =
        [Self::Concerns, Self::OpsConcerns, Self::Ask, Self::Notes, Self::Artifacts];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Concerns => "concerns",
            Self::OpsConcerns => "ops-concerns",
            Self::Ask => "ask",
            Self::Notes => "notes",
            Self::Artifacts => "artifacts",
        }
    }
}

/// What a name directly in the signal directory stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    File(SignalKind),
    Folder(Folder),
    Unknown,
}

const FILES: [(&str, SignalKind); 6] = [
    ("done", SignalKind::Done),
    ("failed", SignalKind::Failed),
    ("blocked", SignalKind::Blocked),
    ("summary.md", SignalKind::Summary),
    ("outputs.json", SignalKind::Outputs),
    ("progress", SignalKind::Progress),
];

pub(super) fn entry(name: &str) -> Entry {
    if let Some((_, kind)) = FILES.iter().find(|(file, _)| *file == name) {
        return Entry::File(kind.clone());
    }
    match Folder::ALL.into_iter().find(|folder| folder.name() == name) {
        Some(folder) => Entry::Folder(folder),
        None => Entry::Unknown,
    }
}

/// Whether a name is a writer's private business: hidden, or a temporary or backup file.
pub(super) fn is_private(name: &[u8]) -> bool {
    name.starts_with(b".") || [&b".tmp"[..], b"~", b".swp"].iter().any(|end| name.ends_with(end))
}

/// Checks the bytes of a name and returns it as text.
pub(super) fn check_name(name: &[u8]) -> Result<&str, RejectReason> {
    if name.len() > MAX_NAME {
        return Err(RejectReason::NameTooLong { len: name.len(), limit: MAX_NAME });
    }
    let text = std::str::from_utf8(name).map_err(|_| RejectReason::NameNotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(RejectReason::NameControl);
    }
    Ok(text)
}

/// A name that may hold anything, made fit to be shown.
pub(super) fn shown(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let escaped: String = text.chars().flat_map(char::escape_debug).take(MAX_NAME).collect();
    escaped
}

/// The name that was probably meant by `name`.
pub(super) fn suggest(name: &str) -> Option<String> {
    let folded = name.trim().to_lowercase().replace(['_', ' '], "-");
    let stem = folded.split('.').next().unwrap_or(&folded);
    let words = [
        ("done", "done"),
        ("success", "done"),
        ("complete", "done"),
        ("completed", "done"),
        ("failed", "failed"),
        ("failure", "failed"),
        ("error", "failed"),
        ("blocked", "blocked"),
        ("summary", "summary.md"),
        ("outputs", "outputs.json"),
        ("progress", "progress"),
        ("concerns", "concerns/<name>"),
        ("ops-concerns", "ops-concerns/<name>"),
        ("ask", "ask/<name>"),
        ("question", "ask/<name>"),
        ("notes", "notes/<task>/<name>"),
        ("artifacts", "artifacts/<name>"),
    ];
    let near = words.iter().map(|(word, meant)| (strsim::damerau_levenshtein(stem, word), *meant));
    let (distance, meant) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance * 2 < stem.chars().count()).then(|| meant.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ar27_a_near_miss_names_the_signal_that_was_meant() {
        let cases = [
            ("Done", Some("done")),
            ("done.txt", Some("done")),
            ("summary", Some("summary.md")),
            ("concern", Some("concerns/<name>")),
            ("OPS_CONCERNS", Some("ops-concerns/<name>")),
            ("fialed", Some("failed")),
            ("readme", None),
            ("x", None),
            ("", None),
        ];
        for (name, meant) in cases {
            assert_eq!(suggest(name).as_deref(), meant, "{name}");
        }
    }

    #[test]
    fn private_names_are_left_alone() {
        for name in [".done.swp", ".x", "done.tmp", "done~", "a.swp"] {
            assert!(is_private(name.as_bytes()), "{name}");
        }
        assert!(!is_private(b"done"));
    }
}
