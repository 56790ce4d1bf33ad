//! `laneway retry`.

use clap::Args;

use super::ask::{Ask, ask, tell_events};
use super::error::CliError;
use super::exit::Exit;
use super::graph_file::tell_drift_of_source;
use super::select::RunChoice;
use super::session::Session;
use super::tail::Tail;
use crate::id::{LaneId, TaskId};
use crate::signal::Verb;

/// Give what has failed new attempts, and what was skipped because of it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway retry quickstart --task types && laneway resume quickstart")]
pub(super) struct RetryArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// Only these tasks
    #[arg(long, value_name = "TASK")]
    task: Vec<TaskId>,
    /// Only these lanes
    #[arg(long, value_name = "LANE")]
    lane: Vec<LaneId>,
}

impl RetryArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let events = ask(
            session,
            Ask {
                project: &chosen.project,
                graph: &chosen.graph,
                run: chosen.run,
                verb: Verb::Retry { tasks: self.task.clone(), lanes: self.lane.clone() },
                note: None,
            },
        )?;
        tell_events(session, &events)?;
        tell_drift_of_source(session, &chosen.project, &chosen.load()?.plan);
        if !Tail::open(&chosen.dir(), &chosen.lock())?.is_carried() {
            session.note(&format!("`laneway resume {}` starts the new attempts", chosen.graph));
        }
        Ok(Exit::Achieved)
    }
}
