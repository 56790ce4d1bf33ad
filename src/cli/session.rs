//! One call of the program: its global options, its surroundings, and the two streams that it answers on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::error::CliError;
use super::exit::Exit;
use super::out::Out;
use super::screen;
use crate::runtime::Project;

/// When there is colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Work on the repository of this directory instead of the current one
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) repo: Option<PathBuf>,
    /// Answer in JSON, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(super) color: ColorChoice,
    /// Say nothing but the answer and errors
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
}

/// Everything that a command gets from outside.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) global: Global,
    cwd: PathBuf,
    env: BTreeMap<OsString, OsString>,
    out: Out,
}

impl Session {
    /// The surroundings of this process; the only place where they are read.
    #[expect(clippy::disallowed_methods, reason = "the environment is read here and handed down")]
    pub(super) fn of_process(global: Global) -> Result<Self, CliError> {
        let cwd = std::env::current_dir().map_err(|error| {
            CliError::new("environment", Exit::Environment, "there is no current directory")
                .hint(error.to_string())
        })?;
        let out = Out::to(BufWriter::new(io::stdout()));
        Ok(Self::new(global, cwd, std::env::vars_os().collect(), out))
    }

    /// A session in given surroundings.
    pub(super) fn new(global: Global, cwd: PathBuf, env: BTreeMap<OsString, OsString>, out: Out) -> Self {
        Self { global, cwd, env, out }
    }

    /// A variable of the environment that is set, is text, and is not empty.
    pub(super) fn env(&self, name: &str) -> Option<&str> {
        let value = self.env.get(OsStr::new(name))?.to_str()?;
        (!value.is_empty()).then_some(value)
    }

    /// A variable of the environment as it is.
    pub(super) fn env_os(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The whole environment.
    pub(super) fn environment(&self) -> Vec<(OsString, OsString)> {
        self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// A path of the command line, which counts from the current directory.
    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.cwd.join(path)
    }

    /// The repository, from wherever in it the program was called.
    pub(super) fn project(&self) -> Result<Project, CliError> {
        Ok(Project::open(&self.start())?)
    }

    /// Where the repository is looked for.
    pub(super) fn start(&self) -> PathBuf {
        match &self.global.repo {
            Some(repo) => self.path(repo),
            None => self.cwd.clone(),
        }
    }

    /// Who asks: the repository's user, for requests and reviews.
    pub(super) fn person(&self, project: &Project) -> String {
        // A request is taken from anybody: without an identity the system's name for them has to do.
        project
            .repo
            .identity()
            .map_or_else(|_| self.env("USER").unwrap_or("somebody").to_owned(), |identity| identity.name)
    }

    /// Whether the answer is for programs.
    pub(super) fn json(&self) -> bool {
        self.global.json
    }

    /// Whether the answer is read by a person right now.
    pub(super) fn on_terminal(&self) -> bool {
        !self.json() && io::stdout().is_terminal()
    }

    /// Whether the answer is coloured.
    pub(super) fn color(&self) -> bool {
        !self.json() && self.colors(io::stdout().is_terminal())
    }

    fn colors(&self, terminal: bool) -> bool {
        match self.global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                terminal && self.env("NO_COLOR").is_none() && self.env("TERM") != Some("dumb")
            }
        }
    }

    /// The stream of the answer, for those who write it piece by piece.
    pub(super) fn out(&self) -> &Out {
        &self.out
    }

    /// Answers with a text; a newline is added where it has none.
    pub(super) fn answer(&self, text: &str) -> Result<(), CliError> {
        let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        Ok(self.out.with(|out| write!(out, "{text}{newline}"))?)
    }

    /// Answers with a JSON value over several lines.
    pub(super) fn answer_json(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value).expect("answers have text keys");
        self.answer(&text)
    }

    /// Says something beside the answer.
    pub(super) fn note(&self, text: &str) {
        if !self.global.quiet {
            say(text);
        }
    }

    /// Tells a failure, and returns how the program ends.
    pub(super) fn tell(&self, error: &CliError) -> Exit {
        let CliError::Told(trouble) = error else {
            return error.exit();
        };
        if self.json() {
            let text = trouble.json();
            if let Err(CliError::Told(_)) = self.answer(&text.to_string()) {
                say(&screen::error(trouble, false));
            }
        } else {
            say(&screen::error(trouble, self.colors(io::stderr().is_terminal())));
        }
        trouble.exit
    }
}

/// Writes to standard error. Where nobody reads it, there is nobody to tell.
pub(super) fn say(text: &str) {
    let mut err = io::stderr().lock();
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    let _ = write!(err, "{text}{newline}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(color: ColorChoice, env: &[(&str, &str)]) -> Session {
        let global = Global { color, ..Global::default() };
        let env = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Session::new(global, "/".into(), env, Out::to(io::sink()))
    }

    #[test]
    fn colour_is_for_terminals_and_can_be_forced() {
        assert!(session(ColorChoice::Auto, &[]).colors(true));
        assert!(!session(ColorChoice::Auto, &[]).colors(false));
        assert!(!session(ColorChoice::Auto, &[("NO_COLOR", "1")]).colors(true));
        assert!(session(ColorChoice::Auto, &[("NO_COLOR", "")]).colors(true));
        assert!(!session(ColorChoice::Auto, &[("TERM", "dumb")]).colors(true));
        assert!(session(ColorChoice::Always, &[("NO_COLOR", "1")]).colors(false));
        assert!(!session(ColorChoice::Never, &[]).colors(true));
    }
}
