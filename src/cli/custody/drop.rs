//! `laneway custody drop`.

use clap::Args;
use serde_json::json;

use super::{Row, Stock, TITLES};
use crate::cli::age::Age;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::render::causes;
use crate::runtime::{Kept, Standing, drop_kept, standing};

/// Let go of what is kept, for good
///
/// Without --yes it only says what would go. What a run holds that is not over stays; what is older than an age goes only
/// where its run is merged. Space comes free when git collects its garbage.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway custody drop 1f3a --yes\n  laneway custody drop --older-than 30d --yes"
)]
pub(super) struct CustodyDropArgs {
    /// Their ids, or the starts of them
    #[arg(value_name = "ID", required_unless_present = "older_than")]
    ids: Vec<String>,
    /// All that are older
    #[arg(long, value_name = "AGE", conflicts_with = "ids")]
    older_than: Option<Age>,
    /// Do it
    #[arg(long)]
    yes: bool,
}

impl CustodyDropArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let stock = Stock::open(session)?;
        let chosen = self.chosen(session, &stock)?;
        let rows = chosen.iter().map(|kept| stock.row(kept)).collect::<Result<Vec<Row>, CliError>>()?;
        let refused = if self.yes { drop_kept(&stock.project, &chosen)? } else { Vec::new() };
        if session.json() {
            let refused: Vec<_> = refused
                .iter()
                .map(|(reference, error)| json!({"reference": reference, "reason": error.to_string()}))
                .collect();
            session.answer_json(&json!({ "dropped": self.yes, "custody": rows, "refused": refused }))?;
        } else if rows.is_empty() {
            session.note("there is nothing to drop");
        } else {
            let cells = rows.iter().map(Row::cells).collect();
            session.answer(&screen::table(TITLES, cells, session.color()))?;
            for (reference, error) in &refused {
                let why = [vec![error.to_string()], causes(error)].concat().join(": ");
                session.note(&format!("{reference} stays: {why}"));
            }
            session.note(if self.yes { "dropped" } else { "nothing was dropped; --yes does it" });
        }
        Ok(if refused.is_empty() { Exit::Achieved } else { Exit::Failed })
    }

    fn chosen(&self, session: &Session, stock: &Stock) -> Result<Vec<Kept>, CliError> {
        let mut chosen: Vec<Kept> = Vec::new();
        if let Some(age) = self.older_than {
            for kept in stock.all.iter().filter(|kept| stock.now.since(kept.at) >= age.ms) {
                match stays(stock, kept) {
                    None => chosen.push(kept.clone()),
                    Some(why) => session.note(&format!("{} stays: {why}", stock.id(kept))),
                }
            }
            return Ok(chosen);
        }
        for word in &self.ids {
            for kept in stock.find(word)? {
                if standing_of(stock, kept) == Some(Standing::Live) {
                    let message = format!("the run of {} is not over and may go on from it", stock.id(kept));
                    return Err(CliError::new("live", Exit::Failed, message)
                        .hint("`laneway cancel` ends the run".to_owned()));
                }
                if !chosen.iter().any(|other| other.found.reference == kept.found.reference) {
                    chosen.push(kept.clone());
                }
            }
        }
        Ok(chosen)
    }
}

fn standing_of(stock: &Stock, kept: &Kept) -> Option<Standing> {
    kept.run.as_ref().map(|(graph, run)| standing(&stock.project, graph, *run))
}

/// Why something is not dropped for its age alone.
fn stays(stock: &Stock, kept: &Kept) -> Option<String> {
    match standing_of(stock, kept)? {
        Standing::Over { .. } | Standing::Gone => None,
        Standing::Live => Some("its run is not over".to_owned()),
        Standing::Unmerged { lane } => Some(format!("lane {lane} of its run is not merged")),
        Standing::Unreadable { reason } => Some(format!("its run cannot be read: {reason}")),
    }
}
