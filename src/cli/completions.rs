//! `laneway completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::args::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway completions bash > ~/.local/share/bash-completion/completions/laneway"
)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl CompletionsArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let mut script = Vec::new();
        generate(self.shell, &mut Cli::command(), "laneway", &mut script);
        session.answer(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Achieved)
    }
}
