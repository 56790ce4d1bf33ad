//! `laneway custody list`.

use clap::Args;

use super::{Row, Stock, TITLES};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::id::{GraphName, TaskId};

/// List what is kept, the oldest first
///
/// The size is what only this one takes on disk: what two of them share counts for neither.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway custody list --graph quickstart")]
pub(super) struct CustodyListArgs {
    /// Only of this graph
    #[arg(long, value_name = "GRAPH")]
    graph: Option<GraphName>,
    /// Only of this task
    #[arg(long, value_name = "TASK")]
    task: Option<TaskId>,
}

impl CustodyListArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let stock = Stock::open(session)?;
        let wanted = stock.all.iter().filter(|kept| {
            let graph = kept.run.as_ref().map(|(graph, _)| graph);
            self.graph.as_ref().is_none_or(|wanted| graph == Some(wanted))
                && self.task.as_ref().is_none_or(|wanted| kept.task.as_ref() == Some(wanted))
        });
        let rows = wanted.map(|kept| stock.row(kept)).collect::<Result<Vec<Row>, CliError>>()?;
        if session.json() {
            session.answer_json(&rows)?;
        } else if rows.is_empty() {
            session.note("nothing is kept: nothing was reset or removed that is not merged");
        } else {
            let cells = rows.iter().map(Row::cells).collect();
            session.answer(&screen::table(TITLES, cells, session.color()))?;
        }
        Ok(Exit::Achieved)
    }
}
