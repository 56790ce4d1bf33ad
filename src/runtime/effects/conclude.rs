//! The last comment on a merged lane's pull request.

use super::pull_request::{forge_failure, open_forge};
use super::{Done, permanent};
use crate::event::{Effect, Failure};
use crate::forge::{Forge, ForgeError, NewComment, PrUpdate};
use crate::plan::{self, LaneIx};
use crate::runtime::brief::Brief;
use crate::runtime::{Context, clock};
use crate::state::{ForgeStep, State};
use crate::view;

/// Says what became of the lane, once: a comment that is there is found again by its key.
pub(super) async fn run(context: &Context, brief: &Brief) -> Done {
    match say(context, brief).await {
        Ok(()) => Done::well(Vec::new()),
        Err(failure) => failure.into(),
    }
}

async fn say(context: &Context, brief: &Brief) -> Result<(), Failure> {
    let (Effect::Conclude { lane }, Some(state)) = (&brief.effect, &brief.state) else {
        return Err(permanent("there is nothing to conclude".to_owned()));
    };
    let ix = context.index.lane(lane).expect("effects name lanes of the plan");
    let Some(pr) = &state.lanes[ix].pr else { return Ok(()) };
    let comment = NewComment {
        author: "laneway".to_owned(),
        body: view::last_word(&context.plan, state, ix),
        at: clock::wall().to_string(),
        path: None,
        line: None,
        key: Some(format!("{}:end", plan::pr_marker(&context.plan, lane, state.lanes[ix].rounds()))),
    };
    settle(context, state, ix, pr.at.number).await?;
    let tried = brief.tried(&state.lanes[ix], ForgeStep::Conclude);
    let said = open_forge(context)?.add_comment(pr.at.number, comment, tried).await;
    said.map_err(|e| forge_failure("saying what became of the lane", &e))?;
    Ok(())
}

/// What was to be expected while the pull request was open is not said of one that is merged. On GitHub it costs requests, which
/// are only made where something was expected at the end.
async fn settle(context: &Context, state: &State, lane: LaneIx, number: u64) -> Result<(), Failure> {
    let forge = open_forge(context)?;
    if matches!(forge, Forge::GitHub(_)) && state.lanes[lane].predicted.is_empty() {
        return Ok(());
    }
    let doing = |e: ForgeError| forge_failure("bringing the merged pull request up to date", &e);
    let pull = forge.get(number).await.map_err(doing)?;
    let Some(body) = view::without_trouble(&pull.body) else { return Ok(()) };
    let update = PrUpdate { body: Some(body), ..PrUpdate::default() };
    forge.update(number, update, &clock::wall().to_string()).await.map_err(doing)?;
    Ok(())
}
