//! `laneway skip`.

use clap::Args;

use super::ask::{Ask, ask, tell_events};
use super::error::CliError;
use super::exit::Exit;
use super::select::RunChoice;
use super::session::Session;
use super::tail::Tail;
use crate::id::{LaneId, TaskId};
use crate::signal::Verb;

/// Go on without tasks or lanes that failed, or that were never begun
///
/// Without a task, its lane goes on with the others. Without a lane, those that need it go on without its work.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway skip quickstart --task docs && laneway resume quickstart")]
#[group(id = "what", required = true, multiple = true, args = ["task", "lane"])]
pub(super) struct SkipArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// This task
    #[arg(long, value_name = "TASK")]
    task: Vec<TaskId>,
    /// This lane
    #[arg(long, value_name = "LANE")]
    lane: Vec<LaneId>,
}

impl SkipArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let events = ask(
            session,
            Ask {
                project: &chosen.project,
                graph: &chosen.graph,
                run: chosen.run,
                verb: Verb::Skip { tasks: self.task.clone(), lanes: self.lane.clone() },
                note: None,
            },
        )?;
        tell_events(session, &events)?;
        if !Tail::open(&chosen.dir(), &chosen.lock())?.is_carried() {
            session.note(&format!("`laneway resume {}` starts what waited", chosen.graph));
        }
        Ok(Exit::Achieved)
    }
}
