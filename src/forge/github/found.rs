//! What GitHub shows, in the words of both forges.

use super::client::GitHub;
use super::error::GitHubError;
use super::wire;
use crate::forge::pull_request::{
    CheckStatus, Closed, Comment, Dismissed, Merged, PrCheck, PrState, PullRequest, Review, Verdict,
};
use crate::id::{GraphName, LaneId, RunNo, Sha, TaskId};

/// Ends what a person asked Laneway to write, so that it is recognised as written.
const KEY: &str = "<!-- laneway-request:";

/// Whose a pull request is, as its body and its branch say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) marker: String,
    pub(super) graph: GraphName,
    pub(super) run: RunNo,
    pub(super) lane: LaneId,
}

impl Owner {
    /// Reads the last marker of a body: what stands before it was written by others.
    pub(super) fn of(body: &str, branch: &str) -> Option<Self> {
        let (_, rest) = body.rsplit_once("<!-- laneway:")?;
        let (inner, _) = rest.split_once("-->")?;
        let inner = inner.trim();
        let mut parts = inner.split(':');
        let (graph, _uuid, lane) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some_and(|task| TaskId::new(task).is_err())
            || parts.next().is_some_and(|attempt| attempt.parse::<u32>().is_err())
            || parts.next().is_some()
        {
            return None;
        }
        let rest = branch.strip_prefix("laneway/")?.strip_prefix(graph)?;
        let folder = rest.split('/').next()?;
        let run = match folder.strip_prefix("-r") {
            Some(number) => number.parse().ok()?,
            None => 1,
        };
        Some(Self {
            marker: format!("laneway:{inner}"),
            graph: GraphName::new(graph).ok()?,
            run: RunNo(run),
            lane: LaneId::new(lane).ok()?,
        })
    }

    /// What the branch alone says, for one whose marker somebody has edited away.
    pub(super) fn of_branch(branch: &str) -> Option<Self> {
        let mut parts = branch.strip_prefix("laneway/")?.split('/');
        let (folder, lane) = (parts.next()?, parts.next()?);
        if parts.next() != Some("integration") || parts.next().is_some() {
            return None;
        }
        let (graph, run) = match folder.rsplit_once("-r") {
            Some((graph, number)) => (graph, number.parse().ok()),
            None => (folder, None),
        };
        let (graph, run) = run.map_or((folder, 1), |run| (graph, run));
        Some(Self {
            marker: String::new(),
            graph: GraphName::new(graph).ok()?,
            run: RunNo(run),
            lane: LaneId::new(lane).ok()?,
        })
    }
}

/// A body that is sure to carry its marker, where there is one.
pub(super) fn marked(body: &str, marker: &str) -> String {
    if marker.is_empty() || body.contains(&format!("<!-- {marker} -->")) {
        body.to_owned()
    } else {
        format!("{body}\n<!-- {marker} -->\n")
    }
}

/// `text` with the request that it answers.
pub(super) fn keyed(text: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("{text}\n\n{KEY}{key} -->"),
        None => text.to_owned(),
    }
}

/// Whether `text` answers `key`.
pub(super) fn has_key(text: &str, key: &str) -> bool {
    text.contains(&format!("{KEY}{key} -->"))
}

/// Whether Laneway wrote it for somebody; those words are in the journal under their name.
pub(super) fn is_ours(text: &str) -> bool {
    text.contains(KEY)
}

fn without_key(text: &str) -> String {
    text.split_once(KEY).map_or(text, |(before, _)| before).trim_end().to_owned()
}

/// The name of an account that may be gone.
pub(super) fn login(user: Option<&wire::User>) -> String {
    user.map_or_else(|| "ghost".to_owned(), |user| user.login.clone())
}

/// The verdict of a check run or a status.
pub(super) fn verdict(word: Option<&str>) -> CheckStatus {
    match word {
        Some("success") => CheckStatus::Pass,
        Some("neutral" | "skipped") => CheckStatus::Skip,
        Some(
            "failure" | "error" | "timed_out" | "cancelled" | "action_required" | "startup_failure" | "stale",
        ) => CheckStatus::Fail,
        Some("pending") | None => CheckStatus::Pending,
        Some(_) => CheckStatus::Warn,
    }
}

impl GitHub {
    fn sha(&self, text: &str) -> Result<Sha, GitHubError> {
        Sha::new(text).map_err(|error| {
            let source = <serde_json::Error as serde::de::Error>::custom(error);
            GitHubError::Strange { host: self.host(), source }
        })
    }

    /// The pull request as Laneway sees it, without its checks.
    pub(super) fn pull(&self, wire: wire::Pull) -> Result<PullRequest, GitHubError> {
        let body = wire.body.unwrap_or_default();
        let branch = &wire.head.r#ref;
        let owner = Owner::of(&body, branch).or_else(|| Owner::of_branch(branch));
        let owner = owner.ok_or(GitHubError::Foreign { number: wire.number })?;
        let merged = match (&wire.merged_at, &wire.merge_commit_sha) {
            (Some(at), Some(sha)) => {
                Some(Merged { sha: self.sha(sha)?, by: login(wire.merged_by.as_ref()), at: at.clone() })
            }
            _ => None,
        };
        let state = match wire.state {
            wire::OpenOrClosed::Open => PrState::Open,
            wire::OpenOrClosed::Closed if wire.merged_at.is_some() => PrState::Merged,
            wire::OpenOrClosed::Closed => PrState::Closed,
        };
        let at = wire.closed_at.unwrap_or_default();
        let closed = (state == PrState::Closed).then(|| Closed { by: "somebody".to_owned(), at });
        Ok(PullRequest {
            number: wire.number,
            url: wire.html_url,
            title: wire.title,
            body,
            state,
            draft: wire.draft,
            head_sha: self.sha(&wire.head.sha)?,
            base_sha: self.sha(&wire.base.sha)?,
            head: wire.head.r#ref,
            base: wire.base.r#ref,
            marker: owner.marker,
            graph: owner.graph,
            run: owner.run,
            lane: owner.lane,
            author: login(wire.user.as_ref()),
            created_at: wire.created_at,
            updated_at: wire.updated_at,
            merged,
            closed,
            labels: wire.labels.into_iter().map(|label| label.name).collect(),
            reviewers: wire.requested_reviewers.into_iter().map(|user| user.login).collect(),
            checks: Vec::new(),
        })
    }

    /// A review that was taken back, without what Laneway had added to it.
    pub(super) fn dismissed(&self, wire: &wire::Review) -> Result<Option<Dismissed>, GitHubError> {
        let Some(commit) = wire.commit_id.as_ref().filter(|_| wire.state == "DISMISSED") else {
            return Ok(None);
        };
        let body = wire.body.as_deref().unwrap_or_default();
        Ok(Some(Dismissed {
            id: wire.id,
            author: login(wire.user.as_ref()),
            body: without_key(body),
            sha: self.sha(commit)?,
            ours: is_ours(body),
        }))
    }

    /// A review that says something; `None` for one that is not sent yet or was taken back.
    pub(super) fn review(&self, wire: wire::Review) -> Result<Option<Review>, GitHubError> {
        let verdict = match wire.state.as_str() {
            "APPROVED" => Verdict::Approve,
            "CHANGES_REQUESTED" => Verdict::RequestChanges,
            "COMMENTED" => Verdict::Comment,
            _ => return Ok(None),
        };
        let Some(commit) = wire.commit_id else { return Ok(None) };
        Ok(Some(Review {
            id: wire.id,
            author: login(wire.user.as_ref()),
            verdict,
            body: wire.body.unwrap_or_default(),
            sha: self.sha(&commit)?,
            at: wire.submitted_at.unwrap_or_default(),
            key: None,
        }))
    }
}

/// A comment.
pub(super) fn comment(wire: wire::Comment) -> Comment {
    Comment {
        id: wire.id,
        author: login(wire.user.as_ref()),
        body: without_key(&wire.body.unwrap_or_default()),
        at: wire.created_at,
        path: wire.path,
        line: wire.line,
        key: None,
    }
}

/// A review without what Laneway added to it.
pub(super) fn shown(mut review: Review) -> Review {
    review.body = without_key(&review.body);
    review
}

/// The checks of a commit, from both of the ways in which GitHub keeps them.
pub(super) fn checks(runs: wire::CheckRuns, statuses: wire::CombinedStatus) -> Vec<PrCheck> {
    let runs = runs.check_runs.into_iter().map(|run| PrCheck {
        status: verdict(run.conclusion.as_deref()),
        detail: run.html_url.unwrap_or_default(),
        name: run.name,
    });
    let statuses = statuses.statuses.into_iter().map(|status| PrCheck {
        status: verdict(Some(&status.state)),
        detail: status.description.unwrap_or_default(),
        name: status.context,
    });
    let mut all: Vec<PrCheck> = Vec::new();
    for check in runs.chain(statuses) {
        // A check that was run again is listed with its newest run first.
        if all.iter().all(|known| known.name != check.name) {
            all.push(check);
        }
    }
    all
}
