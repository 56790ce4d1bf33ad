//! `laneway signal`: what an agent, or a person in its place, says to the run.
//!
//! In an attempt this does one thing: it writes a file into `$LANEWAY_SIGNALS`. Nothing is discovered, read or
//! started for it.

mod answer;
mod conformance;
mod text;
mod write;

use clap::{Args, Subcommand};

use super::error::CliError;
use super::exit::Exit;
use super::session::Session;

/// Say something to the run, from inside an attempt or (with --task) in an agent's place
///
/// In an attempt `LANEWAY_SIGNALS` says where to. A TEXT of - is read from standard input; so is the text of a concern,
/// a summary, a question or a note that is given neither as TEXT nor as --file.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway signal done 'added the parser and its tests'\n  laneway signal concern 'two clocks: which one counts?'\n  laneway signal summary --file notes.md"
)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct SignalArgs {
    #[command(subcommand)]
    word: Word,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Claim that the task is done; the evidence decides
    #[command(after_help = "Example:\n  laneway signal done 'added the parser'")]
    Done(text::Claim),
    /// Claim that the task cannot be done
    #[command(after_help = "Example:\n  laneway signal failed 'the service is not there'")]
    Failed(text::Claim),
    /// Say that a person is needed before the work can go on
    #[command(after_help = "Example:\n  laneway signal blocked 'I have no right to read the schema'")]
    Blocked(text::Claim),
    /// Raise a concern about the design; it stops an automatic merge
    #[command(after_help = "Example:\n  laneway signal concern 'this makes the cache grow without end'")]
    Concern(text::Said),
    /// Raise a concern about tools or surroundings; it stops nothing
    #[command(after_help = "Example:\n  laneway signal ops-concern 'the tests take ten minutes'")]
    OpsConcern(text::Said),
    /// Say what was done, for the pull request
    #[command(after_help = "Example:\n  laneway signal summary --file notes.md")]
    Summary(text::Said),
    /// Declare something that was made, for later tasks
    #[command(
        after_help = "Example:\n  laneway signal output stubs src/api/stubs.rs\n  laneway signal output version --value '\"1.2.0\"'"
    )]
    Output(write::OutputArgs),
    /// Say what is being done right now
    #[command(after_help = "Example:\n  laneway signal progress 'half of the tests are written'")]
    Progress(text::Claim),
    /// Ask a person; prints the path where the answer will appear
    #[command(
        after_help = "Example:\n  laneway signal ask 'Which database?' --option postgres --option sqlite"
    )]
    Ask(write::AskArgs),
    /// Leave a note for the agent of another task
    #[command(after_help = "Example:\n  laneway signal note docs 'the flag is called --depth'")]
    Note(write::NoteArgs),
    /// Keep a copy of a file in the record
    #[command(after_help = "Example:\n  laneway signal artifact target/report.html")]
    Artifact(write::ArtifactArgs),
    Answer(answer::AnswerArgs),
    Conformance(conformance::ConformanceArgs),
}

impl SignalArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        use crate::signal::Write;
        match &self.word {
            Word::Done(args) => args.write(session, Write::Done),
            Word::Failed(args) => args.write(session, Write::Failed),
            Word::Blocked(args) => args.write(session, Write::Blocked),
            Word::Progress(args) => args.write(session, Write::Progress),
            Word::Concern(args) => args.write(session, Write::Concern),
            Word::OpsConcern(args) => args.write(session, Write::OpsConcern),
            Word::Summary(args) => args.write(session, Write::Summary),
            Word::Output(args) => args.run(session),
            Word::Ask(args) => args.run(session),
            Word::Note(args) => args.run(session),
            Word::Artifact(args) => args.run(session),
            Word::Answer(args) => args.run(session),
            Word::Conformance(args) => args.run(session),
        }
    }
}
