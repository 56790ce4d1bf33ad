//! What people do: reviews, and merges by other hands.

use std::sync::Arc;

use super::pull_request::{forge_failure, open_forge};
use super::{Done, blocking, git_failure, permanent, sync};
use crate::event::{
    CHECK_AHEAD, CheckRecorded, CheckStatus, Draft, Effect, Failure, PrClosed, PrMerged, ReviewAct,
    ReviewObserved, SignalRejected, Subject,
};
use crate::forge::{Closed, Forge, ForgeError, Merged, NewComment, NewReview, Tried, Verdict};
use crate::git::{GitError, Merge};
use crate::id::{LaneId, Sha};
use crate::runtime::brief::Brief;
use crate::runtime::{Context, clock};
use crate::state::State;

/// A person's act on a pull request that is not a merge.
pub(super) async fn review(context: &Context, brief: &Brief) -> Done {
    let (Effect::Review { lane, request, act, by, text }, Some(state)) = (&brief.effect, &brief.state) else {
        return permanent("no review".to_owned()).into();
    };
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let marker = crate::plan::pr_marker(&context.plan, lane, state.lanes[ix].rounds());
    match try_review(context, (lane, &marker), request, *act, by, text).await {
        Ok(facts) => Done::well(facts),
        Err(failure) => failure.into(),
    }
}

async fn try_review(
    context: &Context,
    (lane, marker): (&LaneId, &str),
    request: &str,
    act: ReviewAct,
    by: &str,
    text: &str,
) -> Result<Vec<Draft>, Failure> {
    let forge = open_forge(context)?;
    let failed = |e: ForgeError| forge_failure("reviewing the pull request", &e);
    let found = forge.find_by_marker(marker, &context.lane(lane).branch).await.map_err(failed)?;
    let pull = found
        .ok_or_else(|| permanent(format!("the pull request of lane `{lane}` is gone from its forge")))?;
    let at = clock::wall().to_string();
    let subject = Subject::lane(lane);
    let key = Some(request.to_owned());
    let verdict = match act {
        ReviewAct::Close => {
            let closed = Closed { by: by.to_owned(), at };
            forge.close(pull.number, closed).await.map_err(failed)?;
            return Ok(vec![Draft::world(subject, PrClosed { by: by.to_owned() })]);
        }
        ReviewAct::Comment => None,
        ReviewAct::Approve => Some(Verdict::Approve),
        ReviewAct::RequestChanges => Some(Verdict::RequestChanges),
    };
    let (author, body) = (by.to_owned(), text.to_owned());
    match verdict {
        None => {
            let comment = NewComment { author, body, at, path: None, line: None, key };
            forge.add_comment(pull.number, comment, Tried::Perhaps).await.map_err(failed)?;
        }
        Some(verdict) => {
            let review = NewReview { author, verdict, body, sha: pull.head_sha.clone(), at, key };
            forge.add_review(pull.number, review).await.map_err(failed)?;
        }
    }
    let event =
        ReviewObserved { act, by: by.to_owned(), text: text.to_owned(), tip: pull.head_sha, id: None };
    Ok(vec![Draft::world(subject, event)])
}

/// `merged` means that the content is in the target, whoever says so.
pub(super) async fn check_merged(context: &Arc<Context>, brief: &Brief, lane: &LaneId, tip: &Sha) -> Done {
    let (shared, id, at, state) = (Arc::clone(context), lane.clone(), tip.clone(), brief.state.clone());
    blocking(move || look_merged(&shared, state.as_deref(), &id, &at)).await
}

fn look_merged(context: &Context, state: Option<&State>, lane: &LaneId, tip: &Sha) -> Done {
    match in_target(context, lane, tip) {
        Err(error) => git_failure(&format!("looking for lane `{lane}` in its target"), &error).into(),
        Ok(None) => {
            let reason = format!("`{}` does not hold this lane's work", context.lane(lane).target);
            let event = SignalRejected { name: format!("lanes/{lane}/merged"), reason };
            Done::well(vec![Draft::world(Subject::lane(lane), event)])
        }
        Ok(Some(commit)) => match mark(context, state, lane, &commit) {
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

fn mark(
    context: &Context,
    state: Option<&State>,
    lane: &LaneId,
    commit: &Sha,
) -> Result<Vec<Draft>, Failure> {
    let by = "other hands".to_owned();
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let pr = state.and_then(|s| s.lanes[ix].pr.clone());
    let subject = Subject::lane(lane);
    let Some(pr) = pr else {
        let detail = "its content is in the target already".to_owned();
        let event =
            CheckRecorded { name: CHECK_AHEAD.to_owned(), status: CheckStatus::Skip, detail, duration_ms: 0 };
        return Ok(vec![Draft::world(subject, event)]);
    };
    let merged = Merged { sha: commit.clone(), by: by.clone(), at: clock::wall().to_string() };
    // GitHub sees by itself what reached the target.
    if let Forge::Local(forge) = open_forge(context)? {
        forge
            .mark_merged(pr.at.number, merged)
            .map_err(|e| forge_failure("marking the pull request as merged", &e))?;
    }
    Ok(vec![Draft::world(subject, PrMerged { commit: commit.clone(), by, head: None })])
}
