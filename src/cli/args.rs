//! The command line. The doc comments are the help.

use clap::{Parser, Subcommand};

use super::attach::AttachArgs;
use super::cancel::CancelArgs;
use super::check::CheckArgs;
use super::completions::CompletionsArgs;
use super::config::ConfigArgs;
use super::conflicts::ConflictsArgs;
use super::custody::CustodyArgs;
use super::demo::DemoArgs;
use super::doctor::DoctorArgs;
use super::error::CliError;
use super::events::EventsArgs;
use super::exit::{EXIT_HELP, Exit};
use super::gc::GcArgs;
use super::list::ListArgs;
use super::logs::LogsArgs;
use super::pause::PauseArgs;
use super::plan::PlanArgs;
use super::pr::PrArgs;
use super::rebuild::RebuildArgs;
use super::reset::ResetArgs;
use super::resume::ResumeArgs;
use super::retry::RetryArgs;
use super::run::RunArgs;
use super::schema::SchemaArgs;
use super::session::{Global, Session};
use super::signal::SignalArgs;
use super::skip::SkipArgs;
use super::status::StatusArgs;
use super::verify::VerifyArgs;
use super::waiting::WaitingArgs;

/// Run many coding agents on one git repository, and get pull requests that are proven and can be reviewed
///
/// A graph in a TOML file says which tasks there are and how they depend on each other. Each workstream of it gets a
/// worktree and an integration branch of its own. Agents work there and report through signal files; what they claim
/// is checked; what holds is merged into the integration branch and offered as a pull request.
#[derive(Debug, Parser)]
#[command(name = "laneway", version, after_help = EXIT_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Check(CheckArgs),
    Plan(PlanArgs),
    Run(RunArgs),
    List(ListArgs),
    Status(StatusArgs),
    Conflicts(ConflictsArgs),
    Waiting(WaitingArgs),
    Logs(LogsArgs),
    Attach(AttachArgs),
    Events(EventsArgs),
    Cancel(CancelArgs),
    Pause(PauseArgs),
    Resume(ResumeArgs),
    Retry(RetryArgs),
    Skip(SkipArgs),
    Reset(ResetArgs),
    Pr(PrArgs),
    Signal(SignalArgs),
    Verify(VerifyArgs),
    Rebuild(RebuildArgs),
    Custody(CustodyArgs),
    Gc(GcArgs),
    Doctor(DoctorArgs),
    Config(ConfigArgs),
    Schema(SchemaArgs),
    Demo(DemoArgs),
    Completions(CompletionsArgs),
}

impl Command {
    /// Does it.
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        match self {
            // An agent waits for this one: nothing is read or started for it that it does not need.
            Self::Signal(args) => args.run(session),
            Self::Check(args) => args.run(session),
            Self::Plan(args) => args.run(session),
            Self::Run(args) => args.run(session),
            Self::List(args) => args.run(session),
            Self::Status(args) => args.run(session),
            Self::Conflicts(args) => args.run(session),
            Self::Waiting(args) => args.run(session),
            Self::Logs(args) => args.run(session),
            Self::Attach(args) => args.run(session),
            Self::Events(args) => args.run(session),
            Self::Cancel(args) => args.run(session),
            Self::Pause(args) => args.run(session),
            Self::Resume(args) => args.run(session),
            Self::Retry(args) => args.run(session),
            Self::Skip(args) => args.run(session),
            Self::Reset(args) => args.run(session),
            Self::Pr(args) => args.run(session),
            Self::Verify(args) => args.run(session),
            Self::Rebuild(args) => args.run(session),
            Self::Custody(args) => args.run(session),
            Self::Gc(args) => args.run(session),
            Self::Doctor(args) => args.run(session),
            Self::Config(args) => args.run(session),
            Self::Schema(args) => args.run(session),
            Self::Demo(args) => args.run(session),
            Self::Completions(args) => args.run(session),
        }
    }
}
