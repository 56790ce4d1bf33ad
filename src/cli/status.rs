//! `laneway status`.

use clap::Args;

use super::error::CliError;
use super::exit::Exit;
use super::forge;
use super::live;
use super::resume::is_carried;
use super::screen;
use super::select::RunChoice;
use super::session::Session;
use crate::render;

/// Show where a run stands: its lanes, its tasks, and what waits for a person
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway status\n  laneway status quickstart --json\n  laneway status --live"
)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// Look at the processes of living attempts too
    #[arg(long)]
    live: bool,
}

impl StatusArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.choice.find(session)?;
        forge::ask_for_news(session, &chosen.project, &chosen.graph, chosen.run)?;
        let loaded = chosen.load()?;
        if let Some(remark) = forge::remark(&chosen.project, &loaded.plan)? {
            session.note(&remark);
        }
        let mut status = screen::status(&loaded);
        status.carried = Some(is_carried(&chosen)?);
        status.live = self.live.then(|| live::look(&loaded));
        if session.json() {
            session.answer_json(&status)?;
        } else {
            let palette = screen::palette(session.color());
            let living = status.live.as_deref().map(live::text).filter(|text| !text.is_empty());
            let living = living.map_or_else(String::new, |text| format!("\n{text}"));
            session.answer(&(render::status(&status, &palette) + &living))?;
        }
        Ok(Exit::Achieved)
    }
}
