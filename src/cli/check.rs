//! `laneway check`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::config::Layers;
use super::error::CliError;
use super::exit::Exit;
use super::graph_file::{self, GraphFile};
use super::programs;
use super::session::{Session, say};
use crate::graph::Code;
use crate::runtime::{Project, RuntimeError};

/// Check graph files: every problem at once, each with its place and what to do about it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway check graphs/*.toml\n  laneway check --explain G016")]
pub(super) struct CheckArgs {
    /// The graph files
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    files: Vec<PathBuf>,
    /// Explain a kind of problem, by its number or its name
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    explain: Option<String>,
}

impl CheckArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        match &self.explain {
            Some(code) => explain(session, code),
            None => self.check(session),
        }
    }

    fn check(&self, session: &Session) -> Result<Exit, CliError> {
        // A graph can be checked anywhere; in a repository its agents are known too.
        let project = session.project().ok();
        let root = project.as_ref().map(Project::root);
        let layers = Layers::read(session, root.as_deref())?;
        let mut worst = Exit::Achieved;
        let mut problems: Vec<Value> = Vec::new();
        for file in &self.files {
            match graph_file::read(session, project.as_ref(), &layers, file) {
                Ok(read) if session.json() => {
                    absent_json(session, &read, &mut problems);
                    for message in not_ignored(project.as_ref(), &read)? {
                        problems.push(json!({
                            "code": "not_ignored", "name": "not_ignored", "severity": "warning",
                            "path": read.source.path, "message": message, "hint": IGNORE_IT,
                        }));
                    }
                }
                Ok(read) => {
                    let (lanes, tasks) = (read.graph.workstreams.len(), read.graph.tasks.len());
                    session.answer(&format!(
                        "{}: ok ({}, {})",
                        read.source.path,
                        counted(lanes, "workstream"),
                        counted(tasks, "task")
                    ))?;
                    for (agent, why) in programs::absent_agents(session, &read.graph) {
                        session.answer(&format!("  the agent {agent} cannot run here: {why}"))?;
                    }
                    for remark in not_ignored(project.as_ref(), &read)? {
                        session.answer(&format!("  {remark}; {IGNORE_IT}"))?;
                    }
                }
                Err(error) => {
                    worst = worst.max(error.exit());
                    collect(session, &error, &mut problems)?;
                }
            }
        }
        if session.json() {
            session.answer_json(&problems)?;
        }
        Ok(worst)
    }
}

/// What to do about a result that git does not ignore.
const IGNORE_IT: &str =
    "unless the command has it ignored itself, name it in .gitignore or .git/info/exclude";

/// Results of setup commands that git does not ignore in the checkout: the lane could not begin. They are no fault of the file
/// either, and a lane may have another `.gitignore`.
fn not_ignored(project: Option<&Project>, read: &GraphFile) -> Result<Vec<String>, CliError> {
    let Some(project) = project else { return Ok(Vec::new()) };
    let mut remarks = Vec::new();
    for workstream in &read.graph.workstreams {
        for setup in &workstream.furnish.setup {
            let seen = project.repo.never_ignored(&setup.makes).map_err(RuntimeError::from)?;
            remarks.extend(seen.into_iter().map(|path| {
                let (id, command) = (&workstream.id, &setup.command);
                format!("git does not ignore {path}, which the setup `{command}` of workstream {id} makes")
            }));
        }
    }
    Ok(remarks)
}

/// A program that is not here is no fault of the file, so it does not change how the command ends.
fn absent_json(session: &Session, read: &GraphFile, problems: &mut Vec<Value>) {
    for (agent, why) in programs::absent_agents(session, &read.graph) {
        problems.push(json!({
            "code": "missing_program", "name": "missing_program", "severity": "warning",
            "path": read.source.path, "message": format!("the agent {agent} cannot run here: {why}"),
            "hint": read.graph.agents.get(&agent).and_then(|def| def.install.clone()),
        }));
    }
}

/// Problems of a file are an answer of this command. A file that cannot be read at all ends it in JSON, which
/// has no place for it in the list.
fn collect(session: &Session, error: &CliError, problems: &mut Vec<Value>) -> Result<(), CliError> {
    let CliError::Told(trouble) = error else {
        return Err(CliError::ReaderGone);
    };
    match &trouble.report {
        Some(report) if session.json() => {
            problems.extend(report.list.as_array().cloned().unwrap_or_default());
            Ok(())
        }
        Some(report) if session.color() => session.answer(&report.colored),
        Some(report) => session.answer(&report.plain),
        None if session.json() => {
            problems.push(json!({
                "code": trouble.code, "name": trouble.code, "severity": "error",
                "message": trouble.message, "hint": trouble.hints.first(),
            }));
            Ok(())
        }
        None => {
            say(&super::screen::error(trouble, false));
            Ok(())
        }
    }
}

/// A number with its noun.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn explain(session: &Session, word: &str) -> Result<Exit, CliError> {
    let found = Code::ALL.iter().find(|code| code.number().eq_ignore_ascii_case(word) || code.name() == word);
    let Some(code) = found else {
        let names = Code::ALL.iter().map(|code| code.name());
        let hint = super::config::nearest(word, names).map_or_else(
            || format!("the codes are G001 to {}", Code::ALL.last().map_or("G001", |c| c.number())),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(CliError::usage(format!("there is no code `{word}`")).hint(hint));
    };
    if session.json() {
        session.answer_json(&json!({
            "code": code.number(), "name": code.name(), "explanation": code.explain(),
        }))?;
    } else {
        session.answer(&format!("{code}\n\n{}", code.explain()))?;
    }
    Ok(Exit::Achieved)
}
