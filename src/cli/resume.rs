//! `laneway resume`.

use clap::Args;

use super::ask::{Ask, ask, tell_events, tell_lines};
use super::drive::{Ride, ride};
use super::error::CliError;
use super::exit::Exit;
use super::graph_file::tell_drift_of_source;
use super::run::WaitFor;
use super::select::{Chosen, RunChoice};
use super::session::Session;
use crate::journal::{LockError, RunLock};
use crate::signal::Verb;

/// Go on with a run: after a pause, an interrupt, a crash or a retry
///
/// Where a process carries the run, it is told to go on; else this one carries it, as `laneway run` does.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway resume quickstart")]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// When the run is over
    #[arg(long, value_name = "STATE", default_value = "open")]
    wait: WaitFor,
}

impl ResumeArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let found = chosen.load()?;
        chosen.project.ensure_home(&found.plan)?;
        if found.state.run.paused || is_carried(&chosen)? {
            let events = end_pause(session, &chosen)?;
            if session.json() {
                tell_lines(session, &events)?;
            } else {
                tell_events(session, &events)?;
            }
        }
        let lock = match RunLock::try_acquire(&chosen.project.record.lock_path(&chosen.graph)) {
            Ok(lock) => lock,
            Err(LockError::Held { .. }) => {
                session.note("another process carries the run; `laneway attach` watches it");
                return Ok(Exit::Achieved);
            }
            Err(error) => return Err(error.into()),
        };
        let loaded = chosen.load()?;
        tell_drift_of_source(session, &chosen.project, &loaded.plan);
        ride(
            session,
            Ride {
                project: chosen.project,
                plan: loaded.plan,
                state: loaded.state,
                lock,
                wait_merged: self.wait == WaitFor::Merged,
            },
        )
    }
}

/// Whether a process carries the run.
pub(super) fn is_carried(chosen: &Chosen) -> Result<bool, CliError> {
    Ok(super::tail::Tail::open(&chosen.dir(), &chosen.lock())?.is_carried())
}

fn end_pause(session: &Session, chosen: &Chosen) -> Result<Vec<crate::event::Envelope>, CliError> {
    ask(
        session,
        Ask {
            project: &chosen.project,
            graph: &chosen.graph,
            run: chosen.run,
            verb: Verb::Resume {},
            note: None,
        },
    )
}
