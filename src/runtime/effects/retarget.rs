//! A pull request that the run has opened shows another tip, or goes elsewhere: changed without being looked for.

use super::pull_request::forge_failure;
use crate::event::{Failure, PrUpdated};
use crate::forge::{Forge, ForgeError, PrUpdate};
use crate::id::LaneId;
use crate::runtime::Context;
use crate::state::{PullRequest, State};

/// The open pull request of the lane, as far as the run knows.
pub(super) fn known(context: &Context, state: &State, lane: &LaneId) -> Option<PullRequest> {
    let lane = context.index.lane(lane).expect("effects name lanes of the plan");
    let pr = state.lanes[lane].pr.as_ref();
    pr.filter(|pr| pr.merged.is_none() && pr.closed_by.is_none()).cloned()
}

/// Changes the pull request `known`; `None` where there is none that could be changed, so that it has to be looked for.
pub(super) async fn known_one(
    forge: &Forge,
    known: Option<PullRequest>,
    update: &PrUpdate,
    at: &str,
) -> Result<Option<PrUpdated>, Failure> {
    let Some(known) = known else { return Ok(None) };
    let (Some(tip), Some(base), Some(draft)) = (update.head_sha.clone(), update.base.clone(), update.draft)
    else {
        return Ok(None);
    };
    let pr = known.at;
    if let Forge::GitHub(github) = forge
        && (&known.base, known.draft) == (&base, draft)
    {
        // The push has moved its head, unless somebody had merged it before that: then it stays at what was merged, which
        // is not all of the lane. Whether it is still open, the next look at it tells.
        let merged = github.merged(pr.number).await;
        let merged = merged.map_err(|e| forge_failure("looking at the pull request", &e))?;
        return Ok(merged.is_none().then_some(PrUpdated { pr, tip, base, draft }));
    }
    match forge.update(pr.number, update.clone(), at).await {
        Ok(_) => Ok(Some(PrUpdated { pr, tip, base, draft })),
        Err(ForgeError::WrongState { .. } | ForgeError::NotFound { .. }) => Ok(None),
        Err(error) => Err(forge_failure("updating the pull request", &error)),
    }
}
