//! `laneway pr list`.

use clap::{Args, ValueEnum};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::forge::with_forges;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::forge::{PrFilter, PrState, PullRequest};
use crate::id::GraphName;
use crate::view::plain::one_line;

/// How much of a title is shown, in characters.
const TITLE: usize = 60;

/// Which pull requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateChoice {
    /// Waiting for review or merge
    Open,
    /// In their target
    Merged,
    /// Given up
    Closed,
    /// Every one
    All,
}

/// List the pull requests
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway pr list --state open")]
pub(super) struct PrListArgs {
    /// Only those in this state
    #[arg(long, value_name = "STATE", default_value = "all")]
    state: StateChoice,
    /// Only those of this graph
    #[arg(long, value_name = "GRAPH")]
    graph: Option<GraphName>,
}

impl PrListArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let project = session.project()?;
        let filter = PrFilter {
            state: match self.state {
                StateChoice::Open => Some(PrState::Open),
                StateChoice::Merged => Some(PrState::Merged),
                StateChoice::Closed => Some(PrState::Closed),
                StateChoice::All => None,
            },
            graph: self.graph.clone(),
            ..PrFilter::default()
        };
        let pulls = with_forges(session, &project, |forges| async move {
            let mut pulls = Vec::new();
            for forge in forges {
                pulls.extend(forge.list(&filter).await?);
            }
            Ok(pulls)
        })?;
        if session.json() {
            session.answer_json(&pulls)?;
        } else if pulls.is_empty() {
            session.note("there are no such pull requests");
        } else {
            let rows = pulls.iter().map(row).collect();
            let titles = ["pr", "state", "head", "base", "title"];
            session.answer(&screen::table(titles, rows, session.color()))?;
        }
        Ok(Exit::Achieved)
    }
}

fn row(pull: &PullRequest) -> [String; 5] {
    [
        pull.number.to_string(),
        pull.state.to_string(),
        pull.head.clone(),
        pull.base.clone(),
        one_line(&pull.title, TITLE),
    ]
}
