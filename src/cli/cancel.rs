//! `laneway cancel`.

use clap::Args;

use super::ask::{Ask, ask, tell_events};
use super::error::CliError;
use super::exit::Exit;
use super::select::RunChoice;
use super::session::Session;
use crate::id::{LaneId, TaskId};
use crate::signal::{Target, Verb};

/// Call off a run, or one task or lane of it
///
/// What works is stopped; what was made is kept.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway cancel quickstart --task docs")]
pub(super) struct CancelArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// Only this task
    #[arg(long, value_name = "TASK", conflicts_with = "lane")]
    task: Option<TaskId>,
    /// Only this lane
    #[arg(long, value_name = "LANE")]
    lane: Option<LaneId>,
}

impl CancelArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        let target = match (&self.task, &self.lane) {
            (Some(task), _) => Target::Task(task.clone()),
            (None, Some(lane)) => Target::Lane(lane.clone()),
            (None, None) => Target::Run,
        };
        let events = ask(
            session,
            Ask {
                project: &chosen.project,
                graph: &chosen.graph,
                run: chosen.run,
                verb: Verb::Cancel { target },
                note: None,
            },
        )?;
        tell_events(session, &events)?;
        Ok(Exit::Achieved)
    }
}
