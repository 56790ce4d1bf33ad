//! What people do: reviews, and merges by other hands.

use super::pull_request::{forge_failure, open_forge};
use super::{Done, git_failure, permanent, sync};
use crate::event::{
    CHECK_AHEAD, CheckRecorded, CheckStatus, Draft, Failure, PrClosed, PrMerged, ReviewAct, ReviewObserved,
    SignalRejected, Subject,
};
use crate::forge::{Closed, ForgeError, Merged, NewComment, NewReview, Verdict};
use crate::git::{GitError, Merge};
use crate::id::{LaneId, Sha};
use crate::runtime::brief::Brief;
use crate::runtime::{Context, clock};

/// A person's act on a pull request that is not a merge.
pub(super) fn review(context: &Context, lane: &LaneId, act: ReviewAct, by: &str, text: &str) -> Done {
    match try_review(context, lane, act, by, text) {
        Ok(facts) => Done::well(facts),
        Err(failure) => failure.into(),
    }
}

fn try_review(
    context: &Context,
    lane: &LaneId,
    act: ReviewAct,
    by: &str,
    text: &str,
) -> Result<Vec<Draft>, Failure> {
    let forge = open_forge(context)?;
    let failed = |e: ForgeError| forge_failure("reviewing the pull request", &e);
    let marker = crate::plan::pr_marker(&context.plan, lane);
    let pull = forge.find_by_marker(&marker).map_err(failed)?.ok_or_else(|| {
        permanent(format!("the pull request of lane `{lane}` is gone from the local forge"))
    })?;
    let at = clock::wall().to_string();
    let subject = Subject::lane(lane);
    let verdict = match act {
        ReviewAct::Close => {
            forge.close(pull.number, Closed { by: by.to_owned(), at }).map_err(failed)?;
            return Ok(vec![Draft::world(subject, PrClosed { by: by.to_owned() })]);
        }
        ReviewAct::Comment => None,
        ReviewAct::Approve => Some(Verdict::Approve),
        ReviewAct::RequestChanges => Some(Verdict::RequestChanges),
    };
    match verdict {
        None => {
            let comment = NewComment {
                author: by.to_owned(),
                body: text.to_owned(),
                at,
                path: None,
                line: None,
                key: None,
            };
            forge.add_comment(pull.number, comment).map_err(failed)?;
        }
        Some(verdict) => {
            let review = NewReview {
                author: by.to_owned(),
                verdict,
                body: text.to_owned(),
                sha: pull.head_sha.clone(),
                at,
                key: None,
            };
            forge.add_review(pull.number, review).map_err(failed)?;
        }
    }
    let event = ReviewObserved { act, by: by.to_owned(), text: text.to_owned(), tip: pull.head_sha };
    Ok(vec![Draft::world(subject, event)])
}

/// `merged` means that the content is in the target, whoever says so.
pub(super) fn check_merged(context: &Context, brief: &Brief, lane: &LaneId, tip: &Sha) -> Done {
    match in_target(context, lane, tip) {
        Err(error) => git_failure(&format!("looking for lane `{lane}` in its target"), &error).into(),
        Ok(None) => {
            let reason = format!("`{}` does not hold this lane's work", context.lane(lane).target);
            let event = SignalRejected { name: format!("lanes/{lane}/merged"), reason };
            Done::well(vec![Draft::world(Subject::lane(lane), event)])
        }
        Ok(Some(commit)) => match mark(context, brief, lane, &commit) {
            Ok(facts) => Done::well(facts),
            Err(failure) => failure.into(),
        },
    }
}

/// The target's commit, if it contains the tip or merging the tip would change nothing.
fn in_target(context: &Context, lane: &LaneId, tip: &Sha) -> Result<Option<Sha>, GitError> {
    let repo = &context.project.repo;
    let target = sync::target_tip(context, &context.lane(lane).target)?;
    let mut seen = vec![target.clone()];
    seen.extend(repo.branch_tip(&context.lane(lane).target)?.filter(|local| *local != target));
    for target in seen {
        let holds = repo.is_ancestor(tip, &target)?
            || matches!(repo.merge(&target, tip)?, Merge::Clean { tree, .. } if tree == repo.tree_of(&target)?);
        if holds {
            return Ok(Some(target));
        }
    }
    Ok(None)
}

fn mark(context: &Context, brief: &Brief, lane: &LaneId, commit: &Sha) -> Result<Vec<Draft>, Failure> {
    let by = "other hands".to_owned();
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let pr = brief.state.as_ref().and_then(|s| s.lanes[ix].pr.clone());
    let subject = Subject::lane(lane);
    let Some(pr) = pr else {
        let detail = "its content is in the target already".to_owned();
        let event =
            CheckRecorded { name: CHECK_AHEAD.to_owned(), status: CheckStatus::Skip, detail, duration_ms: 0 };
        return Ok(vec![Draft::world(subject, event)]);
    };
    let merged = Merged { sha: commit.clone(), by: by.clone(), at: clock::wall().to_string() };
    open_forge(context)?
        .mark_merged(pr.at.number, merged)
        .map_err(|e| forge_failure("marking the pull request as merged", &e))?;
    Ok(vec![Draft::world(subject, PrMerged { commit: commit.clone(), by })])
}
