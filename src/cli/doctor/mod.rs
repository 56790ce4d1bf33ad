//! `laneway doctor`.

mod agents;
mod forge;

use clap::Args;
use serde::Serialize;

use super::clock;
use super::config::Layers;
use super::error::CliError;
use super::exit::Exit;
use super::graph_file;
use super::screen;
use super::session::Session;
use crate::graph::Graph;
use crate::runtime::Project;
use crate::runtime::checkup::{self, Finding, Needs, Verdict};

/// Check what runs stand on: git, the repository, agents, disks, limits, and what earlier runs have left
///
/// Each check is ok, warn or fail, with the next thing to do. Nothing is changed, and origin is asked only with --online.
/// Ends with 0 where runs work, warnings or not, and with 4 where something has to change first.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  laneway doctor\n  laneway doctor --online --json")]
pub(super) struct DoctorArgs {
    /// Ask origin whether it answers
    #[arg(long)]
    online: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    /// The worst of all.
    verdict: Verdict,
    checks: Vec<Finding>,
}

impl DoctorArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let checks = self.look(session)?;
        let verdict = checks.iter().map(|finding| finding.verdict).max().unwrap_or(Verdict::Ok);
        let report = Report { verdict, checks };
        if session.json() {
            session.answer_json(&report)?;
        } else {
            session.answer(&screen::findings(&report.checks, session.color()))?;
        }
        Ok(if verdict == Verdict::Fail { Exit::Environment } else { Exit::Achieved })
    }

    fn look(&self, session: &Session) -> Result<Vec<Finding>, CliError> {
        let git = checkup::git();
        if git.verdict == Verdict::Fail {
            return Ok(vec![git]);
        }
        let mut found = vec![git];
        let (findings, project) = checkup::repository(&session.start());
        found.extend(findings);
        let Some(project) = project else { return Ok(found) };
        found.push(checkup::origin(&project, self.online));
        let layers = match Layers::read(session, Some(&project.root())) {
            Ok(layers) => layers,
            Err(error) => {
                found.push(failed("settings", Verdict::Fail, &error)?);
                Layers::built_in()
            }
        };
        found.push(forge::chosen(session, &project, &layers)?);
        let (graphs, broken) = graphs(session, &project, &layers)?;
        found.extend(broken);
        found.extend(agents::on_path(session, &project, &layers, &graphs)?);
        let needs = needs(&project, &layers, &graphs);
        found.extend(checkup::places(&project, &needs));
        found.extend(checkup::limits(&needs, session.env_os("PATH").unwrap_or_default()));
        found.extend(checkup::left(&project, &needs.worktrees, clock::now()));
        Ok(found)
    }
}

/// The graphs of the repository, and what is wrong with some.
fn graphs(
    session: &Session,
    project: &Project,
    layers: &Layers,
) -> Result<(Vec<Graph>, Vec<Finding>), CliError> {
    let root = project.root();
    let (mut graphs, mut broken) = (Vec::new(), Vec::new());
    let files =
        graph_file::shipped(&root).map_err(|error| CliError::file("read", &root.join("graphs"), &error))?;
    for file in files {
        match graph_file::read(session, Some(project), layers, &file) {
            Ok(read) => graphs.push(read.graph),
            Err(error) => {
                let shown = file.strip_prefix(&root).unwrap_or(&file).display().to_string();
                let finding = failed("graphs", Verdict::Warn, &error)?;
                let found = format!("{shown}: {}", finding.found);
                broken.push(Finding { found, next: Some(format!("laneway check {shown}")), ..finding });
            }
        }
    }
    Ok((graphs, broken))
}

fn needs(project: &Project, layers: &Layers, graphs: &[Graph]) -> Needs {
    let config = layers.config();
    let parallel = graphs.iter().filter_map(|graph| graph.max_parallel).chain(config.max_parallel);
    Needs {
        share: config.share,
        worktrees: config.worktrees.unwrap_or_else(|| project.worktrees()),
        max_parallel: parallel.max().unwrap_or(1),
        lanes: graphs.iter().map(|graph| graph.workstreams.len()).max().unwrap_or(1),
    }
}

/// A failure as something that was found.
fn failed(check: &'static str, verdict: Verdict, error: &CliError) -> Result<Finding, CliError> {
    let CliError::Told(trouble) = error else { return Err(CliError::ReaderGone) };
    let found = [vec![trouble.message.clone()], trouble.causes.clone()].concat().join(": ");
    Ok(Finding { check, verdict, found, next: trouble.hints.first().cloned() })
}
