//! `laneway conflicts`.

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::screen;
use super::select::RunChoice;
use super::session::Session;
use crate::event::named;
use crate::git::Verdict;
use crate::runtime::{Compared, Conflicts, conflicts_among, conflicts_of_run};

/// Show which lanes would not merge with each other or with their targets, as they stand now
///
/// Nothing is fetched, and no branch, index or file is touched. Ends with 0 where everything merges, and with 1 where
/// something does not.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway conflicts\n  laneway conflicts quickstart --uncommitted --json\n  laneway conflicts --refs main topic-a topic-b"
)]
pub(super) struct ConflictsArgs {
    #[command(flatten)]
    choice: RunChoice,
    /// Count files that lie uncommitted in the lanes' worktrees too
    #[arg(long)]
    uncommitted: bool,
    /// Compare these branches, tags or commits with each other; no run is needed
    #[arg(long, value_name = "REF", num_args = 2.., conflicts_with_all = ["graph", "run", "uncommitted"])]
    refs: Vec<String>,
}

impl ConflictsArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let found = if self.refs.is_empty() {
            let chosen = self.choice.find(session)?;
            let loaded = chosen.load()?;
            conflicts_of_run(&chosen.project, &loaded.plan, &loaded.state, self.uncommitted)?
        } else {
            let project = session.project()?;
            let mut compared = Vec::new();
            for name in &self.refs {
                let tip = project.repo.resolve_commit(name)?;
                let tip = tip.ok_or_else(|| CliError::usage(format!("there is no commit `{name}`")))?;
                compared.push(Compared { name: name.clone(), tip });
            }
            conflicts_among(&project, compared)?
        };
        let merges = found.pairs.values().all(|verdict| *verdict == Verdict::Clean);
        if session.json() {
            session.answer_json(&listed(&found))?;
        } else if found.pairs.is_empty() {
            session.note("there is nothing to compare: no two lanes are in play");
        } else {
            session.answer(&matrix(&found, session.color()))?;
            session.answer(&said(&found))?;
        }
        Ok(if merges { Exit::Achieved } else { Exit::Failed })
    }
}

/// The pairs that do not merge.
fn listed(found: &Conflicts) -> Value {
    let name = |at: usize| &found.compared[at].name;
    let pair = |(&(a, b), verdict): (&(usize, usize), &Verdict)| match verdict {
        Verdict::Clean => None,
        Verdict::Conflict { paths } => Some(json!({ "a": name(a), "b": name(b), "paths": paths })),
        Verdict::Unrelated => {
            Some(json!({ "a": name(a), "b": name(b), "paths": [], "why": "they share no history" }))
        }
        Verdict::Broken { why } => Some(json!({ "a": name(a), "b": name(b), "paths": [], "why": why })),
    };
    found.pairs.iter().filter_map(pair).collect()
}

/// Who goes with whom: `.` where both merge, a number of paths where they do not, `!` where git cannot merge them at all.
fn matrix(found: &Conflicts, color: bool) -> String {
    let count = found.compared.len();
    let titles = std::iter::once(String::new()).chain((1..=count).map(|n| n.to_string()));
    let rows = found.compared.iter().enumerate().map(|(a, standing)| {
        let cells = (0..count).map(|b| match found.pairs.get(&(a.min(b), a.max(b))) {
            None => String::new(),
            Some(Verdict::Clean) => ".".to_owned(),
            Some(Verdict::Conflict { paths }) => paths.len().to_string(),
            Some(Verdict::Unrelated | Verdict::Broken { .. }) => "!".to_owned(),
        });
        std::iter::once(format!("{} {}", a + 1, standing.name)).chain(cells).collect()
    });
    screen::grid(&titles.collect::<Vec<_>>(), rows.collect(), color)
}

/// The pairs that do not merge, with their paths.
fn said(found: &Conflicts) -> String {
    let mut lines = Vec::new();
    for (&(a, b), verdict) in &found.pairs {
        let why = match verdict {
            Verdict::Clean => continue,
            Verdict::Conflict { paths } => named(paths),
            Verdict::Unrelated => "they share no history".to_owned(),
            Verdict::Broken { why } => format!("git cannot merge them: {why}"),
        };
        lines.push(format!("{} and {}: {why}", found.compared[a].name, found.compared[b].name));
    }
    if lines.is_empty() { "everything merges".to_owned() } else { lines.join("\n") }
}
