//! A pull request and what belongs to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{GraphName, LaneId, RunNo, Sha, TaskId};

/// Where a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrState {
    /// Waiting for review or merge.
    Open,
    /// Its content is in the base.
    Merged,
    /// Given up; can be opened again.
    Closed,
}

impl fmt::Display for PrState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PrState::Open => "open",
            PrState::Merged => "merged",
            PrState::Closed => "closed",
        })
    }
}

/// What can only be done in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrAction {
    /// Change its branches, its head or its draft mark.
    Move,
    /// Record that it landed.
    Merge,
    /// Give it up.
    Close,
    /// Open it again.
    Reopen,
}

impl fmt::Display for PrAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            PrAction::Move => "moved",
            PrAction::Merge => "merged",
            PrAction::Close => "closed",
            PrAction::Reopen => "reopened",
        })
    }
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullRequest {
    /// From 1, unique in the repository, never given twice.
    pub number: u64,
    /// What `pr_created` holds and people pass around; `laneway://pr/<number>` in the local forge.
    pub url: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Where it stands.
    pub state: PrState,
    /// Not yet to be merged.
    pub draft: bool,
    /// The branch with the work, without `refs/heads/`.
    pub head: String,
    /// The branch it goes into, without `refs/heads/`.
    pub base: String,
    /// The tip of `head` that was last told.
    pub head_sha: Sha,
    /// The tip of `base` that was last told.
    pub base_sha: Sha,
    /// Unique to one lane of one run, so that a repeated opening is recognised.
    pub marker: String,
    /// The graph it came from.
    pub graph: GraphName,
    /// The run it came from.
    pub run: RunNo,
    /// The lane it came from.
    pub lane: LaneId,
    /// Who opened it.
    pub author: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; changes with everything but a repeat.
    pub updated_at: String,
    /// Set when, and only when, it is merged.
    pub merged: Option<Merged>,
    /// Set when, and only when, it is closed.
    pub closed: Option<Closed>,
    /// In the order they were given.
    pub labels: Vec<String>,
    /// Who was asked to look at it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reviewers: Vec<String>,
    /// The evidence shown with it.
    pub checks: Vec<PrCheck>,
}

impl PullRequest {
    /// The task that it is about, as its marker says; `None` for the integration pull request of a lane.
    #[must_use]
    pub fn task(&self) -> Option<TaskId> {
        // `laneway:GRAPH:RUN:LANE:TASK`, of a later pull request of the same task with the attempt after it.
        TaskId::new(self.marker.split(':').nth(4)?).ok()
    }
}

/// How a pull request landed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The commit of the base that has its content.
    pub sha: Sha,
    /// Who merged it.
    pub by: String,
    /// RFC 3339.
    pub at: String,
}

/// How a pull request was given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Who closed it.
    pub by: String,
    /// RFC 3339.
    pub at: String,
}

/// The verdict of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Not decided yet.
    Pending,
    /// It holds.
    Pass,
    /// It holds with a remark.
    Warn,
    /// It does not hold.
    Fail,
    /// It does not apply.
    Skip,
}

/// One check shown on a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrCheck {
    /// Unique on its pull request.
    pub name: String,
    /// The verdict.
    pub status: CheckStatus,
    /// One line for people.
    pub detail: String,
}

/// What a reviewer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It may be merged.
    Approve,
    /// It may not be merged so.
    RequestChanges,
    /// Neither.
    Comment,
}

/// A review of one exact head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// From 1, unique on its pull request, shared with comments.
    pub id: u64,
    /// Who reviewed.
    pub author: String,
    /// What they say.
    pub verdict: Verdict,
    /// Markdown.
    pub body: String,
    /// The head that they looked at.
    pub sha: Sha,
    /// RFC 3339.
    pub at: String,
    /// In the local forge the request that it answers, by which a repeat is recognised; GitHub keeps it in the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Review {
    /// Whether it was given for what `pr` is now: an approval of an older head approves nothing.
    #[must_use]
    pub fn covers(&self, pr: &PullRequest) -> bool {
        self.sha == pr.head_sha
    }
}

/// A review that was taken back, so that it counts no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dismissed {
    /// As in [`Review`].
    pub id: u64,
    /// Who had reviewed.
    pub author: String,
    /// What they had written.
    pub body: String,
    /// The head that they had looked at.
    pub sha: Sha,
    /// Whether it was given through Laneway, in the name of somebody whom the forge does not know.
    pub ours: bool,
}

/// A remark, on a line of a file or on the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// From 1, unique on its pull request, shared with reviews.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// RFC 3339.
    pub at: String,
    /// The file it is about.
    pub path: Option<String>,
    /// The line of the file, from 1.
    pub line: Option<u32>,
    /// As in [`Review`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// A pull request to open; fields as in [`PullRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `PullRequest`")]
pub struct NewPr {
    pub title: String,
    pub body: String,
    pub draft: bool,
    pub head: String,
    pub base: String,
    pub head_sha: Sha,
    pub base_sha: Sha,
    pub marker: String,
    pub graph: GraphName,
    pub run: RunNo,
    pub lane: LaneId,
    pub author: String,
    pub at: String,
    pub labels: Vec<String>,
    pub reviewers: Vec<String>,
    pub checks: Vec<PrCheck>,
}

impl NewPr {
    pub(super) fn numbered(self, number: u64) -> PullRequest {
        PullRequest {
            number,
            url: format!("laneway://pr/{number}"),
            title: self.title,
            body: self.body,
            state: PrState::Open,
            draft: self.draft,
            head: self.head,
            base: self.base,
            head_sha: self.head_sha,
            base_sha: self.base_sha,
            marker: self.marker,
            graph: self.graph,
            run: self.run,
            lane: self.lane,
            author: self.author,
            created_at: self.at.clone(),
            updated_at: self.at,
            merged: None,
            closed: None,
            labels: self.labels,
            reviewers: self.reviewers,
            checks: self.checks,
        }
    }
}

/// Whether what is asked for may have been done before, so that it has to be looked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// Nobody has asked for it yet.
    Never,
    /// Somebody has, or may have, and the answer is not known.
    Perhaps,
}

/// How a pull request was merged on a forge that merges by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// The commit of the base that has its content.
    pub sha: Sha,
    /// Who had merged it before it could be merged here; `None` where it was merged here.
    pub by: Option<String>,
}

/// What came of opening a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Opened {
    /// It was made.
    New(PullRequest),
    /// There was one with this marker; it is unchanged.
    Existing(PullRequest),
}

impl Opened {
    /// The pull request, new or not.
    pub fn into_pull(self) -> PullRequest {
        match self {
            Opened::New(pr) | Opened::Existing(pr) => pr,
        }
    }
}

/// Changes to a pull request; what is `None` stays. Title, body, labels and checks can change in every state, the
/// rest only while it is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `PullRequest`")]
pub struct PrUpdate {
    pub title: Option<String>,
    pub body: Option<String>,
    pub draft: Option<bool>,
    pub base: Option<String>,
    pub head_sha: Option<Sha>,
    pub base_sha: Option<Sha>,
    pub labels: Option<Vec<String>>,
    pub reviewers: Option<Vec<String>>,
    pub checks: Option<Vec<PrCheck>>,
}

impl PrUpdate {
    /// Whether it touches what is fixed once the pull request is no longer open.
    pub(super) fn moves(&self, pr: &PullRequest) -> bool {
        self.draft.is_some_and(|draft| draft != pr.draft)
            || self.base.as_ref().is_some_and(|base| *base != pr.base)
            || self.head_sha.as_ref().is_some_and(|sha| *sha != pr.head_sha)
            || self.base_sha.as_ref().is_some_and(|sha| *sha != pr.base_sha)
    }

    /// Whether it would change anything.
    pub(super) fn differs(&self, pr: &PullRequest) -> bool {
        let mut after = pr.clone();
        self.clone().apply(&mut after);
        after != *pr
    }

    pub(super) fn apply(self, pr: &mut PullRequest) {
        set(&mut pr.title, self.title);
        set(&mut pr.body, self.body);
        set(&mut pr.draft, self.draft);
        set(&mut pr.base, self.base);
        set(&mut pr.head_sha, self.head_sha);
        set(&mut pr.base_sha, self.base_sha);
        set(&mut pr.labels, self.labels);
        set(&mut pr.reviewers, self.reviewers);
        set(&mut pr.checks, self.checks);
    }
}

fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// Which pull requests to list; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrFilter {
    /// Only those in this state.
    pub state: Option<PrState>,
    /// Only those of this graph.
    pub graph: Option<GraphName>,
    /// Only those of runs of this number.
    pub run: Option<RunNo>,
    /// Only those of lanes of this name.
    pub lane: Option<LaneId>,
}

impl PrFilter {
    pub(super) fn admits(&self, pr: &PullRequest) -> bool {
        self.state.is_none_or(|state| state == pr.state)
            && self.graph.as_ref().is_none_or(|graph| *graph == pr.graph)
            && self.run.is_none_or(|run| run == pr.run)
            && self.lane.as_ref().is_none_or(|lane| *lane == pr.lane)
    }
}

/// A review to add; fields as in [`Review`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Review`")]
pub struct NewReview {
    pub author: String,
    pub verdict: Verdict,
    pub body: String,
    pub sha: Sha,
    pub at: String,
    /// The request that asks for it; what has been added is found again by it.
    pub key: Option<String>,
}

/// A comment to add; fields as in [`Comment`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of `Comment`")]
pub struct NewComment {
    pub author: String,
    pub body: String,
    pub at: String,
    pub path: Option<String>,
    pub line: Option<u32>,
    /// As in [`NewReview`].
    pub key: Option<String>,
}
