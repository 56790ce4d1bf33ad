//! The steps of a reset, one lane at a time. Each looks first at what an interrupted try of it has done.

mod remove;
pub(in crate::runtime) mod revert;
pub(in crate::runtime) mod take_back;

use std::sync::Arc;

use super::pull_request::{forge_failure, open_forge};
use super::{Done, blocking, permanent};
use crate::event::{Draft, Effect, Event, Failure, Subject, UndoStep};
use crate::forge::{NewComment, Tried};
use crate::git::Landed;
use crate::id::LaneId;
use crate::runtime::brief::Brief;
use crate::runtime::{Context, clock};
use crate::state::{Lane, Revert, State};

/// Who asked for what, with what was known of the lane.
#[derive(Clone)]
struct Asked {
    context: Arc<Context>,
    lane: LaneId,
    n: u32,
    request: String,
    by: String,
    state: Arc<State>,
    landed: Vec<Landed>,
}

impl Asked {
    /// What the commits of this step end with.
    fn mark(&self) -> String {
        format!("Laneway-Run: {}\nLaneway-Undo: {}/{}\n", self.context.plan.uuid, self.lane, self.n)
    }

    fn lane_state(&self) -> &Lane {
        &self.state.lanes[self.context.index.lane(&self.lane).expect("effects name lanes of the plan")]
    }

    fn open_pr(&self) -> Option<u64> {
        let pr = self.lane_state().pr.as_ref();
        pr.filter(|pr| pr.merged.is_none() && pr.closed_by.is_none()).map(|pr| pr.at.number)
    }

    fn revert(&self) -> Result<&Revert, Failure> {
        let known = self.lane_state().revert.as_ref();
        known.ok_or_else(|| permanent(format!("no pull request takes lane `{}` back", self.lane)))
    }

    fn fact(&self, event: impl Into<Event>) -> Draft {
        Draft::world(Subject::lane(&self.lane), event)
    }

    /// Says something on a pull request, once: a comment that is there is found again by its key.
    async fn say(&self, number: u64, body: String) -> Result<(), Failure> {
        let comment = NewComment {
            author: "laneway".to_owned(),
            body,
            at: clock::wall().to_string(),
            path: None,
            line: None,
            key: Some(format!("{}:{}", self.request, self.lane)),
        };
        let said = open_forge(&self.context)?.add_comment(number, comment, Tried::Perhaps).await;
        said.map(drop).map_err(|e| forge_failure("saying what was undone", &e))
    }
}

/// Carries one step out.
pub(super) async fn run(context: &Arc<Context>, brief: &Brief) -> Done {
    let (Effect::Undo { lane, n, request, by, step }, Some(state)) = (&brief.effect, &brief.state) else {
        return permanent("nothing to undo".to_owned()).into();
    };
    let asked = Asked {
        context: Arc::clone(context),
        lane: lane.clone(),
        n: *n,
        request: request.clone(),
        by: by.clone(),
        state: Arc::clone(state),
        landed: brief.landed.clone(),
    };
    match take_step(asked, step.clone()).await {
        Ok(facts) => Done::well(facts),
        Err(failure) => failure.into(),
    }
}

async fn take_step(asked: Asked, step: UndoStep) -> Result<Vec<Draft>, Failure> {
    let mover = asked.clone();
    match step {
        UndoStep::TakeBack { tip, commits, from } => {
            let (wanted, taken) = (commits.clone(), from.clone());
            let made = blocking(move || take_back::forward(&mover, &tip, &wanted, &taken)).await?;
            Ok(take_back::show(&asked, made, commits, from).await)
        }
        UndoStep::Remove { tip } => {
            let mut facts = remove::close(&asked).await?;
            facts.extend(blocking(move || remove::remove(&mover, tip)).await?);
            Ok(facts)
        }
        UndoStep::Revert { landed, head, parts } => {
            let parts = parts.into_iter().map(|part| Landed { commit: part.landed, head: part.head });
            let landed: Vec<Landed> = std::iter::once(Landed { commit: landed, head }).chain(parts).collect();
            let ready = blocking(move || revert::make(&mover, &landed)).await?;
            revert::open(&asked, ready).await
        }
        UndoStep::Merge { tip } => revert::merge(&asked, &tip).await,
        UndoStep::Close => revert::close(&asked).await,
    }
}
