//! `laneway attach`.

use std::time::Duration;

use clap::Args;

use super::drive::exit_of;
use super::error::CliError;
use super::exit::Exit;
use super::screen;
use super::select::{Chosen, RunChoice};
use super::session::Session;
use super::tail::{Tail, abandoned};
use super::ticker::Ticker;
use crate::runtime::Loaded;
use crate::state::State;

/// How often the time that has passed is shown anew.
const TICK: Duration = Duration::from_secs(1);

/// Watch a run that another process carries, until it comes to rest
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway attach quickstart")]
pub(super) struct AttachArgs {
    #[command(flatten)]
    choice: RunChoice,
}

impl AttachArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let state = watch(session, &chosen)?;
        if !session.json() {
            session.answer(&screen::summary(&state))?;
        }
        Ok(exit_of(&state, false))
    }
}

/// Shows the run until it rests.
fn watch(session: &Session, chosen: &Chosen) -> Result<State, CliError> {
    let mut tail = Tail::open(&chosen.dir(), &chosen.lock())?;
    let Loaded { plan, .. } = chosen.load()?;
    let index = std::sync::Arc::new(crate::plan::Index::new(&plan));
    let mut state = State::new(plan, index);
    for event in tail.take() {
        state.apply(&event)?;
    }
    let mut ticker = Ticker::new(session, &chosen.project, state);
    loop {
        ticker.refresh();
        let carried = tail.is_carried();
        let batch = if carried {
            tail.next(TICK)?
        } else {
            // The last words of an orchestrator may have come after the last look.
            tail.look()?;
            tail.take()
        };
        let silent = batch.is_empty();
        ticker.take(&batch);
        if !carried && silent {
            break;
        }
    }
    ticker.finish();
    let state = ticker.state().clone();
    if exit_of(&state, false) == Exit::Interrupted {
        return Err(abandoned());
    }
    Ok(state)
}
