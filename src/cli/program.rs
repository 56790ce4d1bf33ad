//! From the command line of the process to its exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::Cli;
use super::error::CliError;
use super::exit::Exit;
use super::out::Out;
use super::session::{Session, say};
use crate::failpoint;

/// Runs the program as it was called.
pub fn main() -> ExitCode {
    if let Err(error) = failpoint::arm() {
        say(&error.to_string());
        return Exit::Usage.into();
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    match Cli::try_parse_from(&words) {
        Ok(cli) => call(&cli).into(),
        Err(error) => not_understood(&error, &words).into(),
    }
}

fn call(cli: &Cli) -> Exit {
    let session = match Session::of_process(cli.global.clone()) {
        Ok(session) => session,
        Err(error) => {
            let out = Out::to(std::io::stdout());
            let nowhere = Session::new(cli.global.clone(), "/".into(), BTreeMap::new(), out);
            return nowhere.tell(&error);
        }
    };
    cli.command.run(&session).unwrap_or_else(|error| session.tell(&error))
}

/// Help and version are answers; anything else is bad usage, and in JSON where it was asked for.
fn not_understood(error: &clap::Error, words: &[OsString]) -> Exit {
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !is_answer && words.iter().any(|word| word == "--json") {
        let text = error.render().to_string();
        let first = text.lines().next().unwrap_or_default();
        let told = CliError::usage(first.trim_start_matches("error: "))
            .hint("`laneway --help` shows the commands, `laneway COMMAND --help` their options".to_owned());
        if let CliError::Told(trouble) = &told {
            say_json(&trouble.json().to_string());
        }
        return Exit::Usage;
    }
    // Whoever does not read the help any more has had enough of it.
    let _ = error.print();
    if is_answer { Exit::Achieved } else { Exit::Usage }
}

fn say_json(text: &str) {
    use std::io::Write;
    if writeln!(std::io::stdout(), "{text}").is_err() {
        say(text);
    }
}
