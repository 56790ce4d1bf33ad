//! `laneway reset`.

use std::io::{BufRead, IsTerminal, stdin};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::ask::{Ask, ask, tell_undoing};
use super::error::CliError;
use super::exit::Exit;
use super::select::RunOption;
use super::session::{Session, say};
use crate::event::{Event, UndoPlan, UndoTarget};
use crate::id::{LaneId, TaskId};
use crate::runtime::{UndoProblem, probe_undo, undo_digest};
use crate::signal::Verb;
use crate::state::UndoRefusal;
use crate::view;

/// What is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// One task
    Task,
    /// A workstream with all of its tasks
    #[value(alias = "lane")]
    Workstream,
}

/// Undo a task or a workstream, with everything that was built on it
///
/// First it is shown what goes, and why; nothing is done until that is confirmed. What has not reached its target is
/// taken back by new commits on the lane, or removed after custody; what has is taken back by a pull request that
/// you merge. No history is rewritten, and nobody else's commits are touched. What was undone waits until it is retried
/// or skipped. Without a terminal and without `--yes` it only shows the plan, and ends with 1. So it does where lanes follow
/// once you have merged a pull request: those that stand on others go first.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  laneway reset task docs\n  laneway reset workstream api --yes\n  laneway reset --to types --dry-run"
)]
#[group(id = "goal", required = true, multiple = false, args = ["what", "to"])]
pub(super) struct ResetArgs {
    /// What is undone
    #[arg(value_name = "WHAT", requires = "id")]
    what: Option<What>,
    /// Its id
    #[arg(value_name = "ID", requires = "what")]
    id: Option<String>,
    /// Undo everything that landed after this task, which stays
    #[arg(long, value_name = "TASK")]
    to: Option<TaskId>,
    /// Do it without asking
    #[arg(long, short = 'y', conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    run: RunOption,
}

impl ResetArgs {
    pub(super) fn run(&self, session: &Session) -> Result<Exit, CliError> {
        let chosen = self.run.choice().find(session)?;
        let loaded = chosen.load()?;
        let of = self.target()?;
        let plan = loaded.state.undo(&of).map_err(|refusal| {
            let hint = match refusal {
                UndoRefusal::UnderWay { .. } => {
                    format!(
                        "`laneway resume {}` goes on with it, unless the run is being carried",
                        chosen.graph
                    )
                }
                _ => "`laneway status` shows where things stand".to_owned(),
            };
            CliError::new("nothing_to_undo", Exit::Failed, refusal.to_string()).hint(hint)
        })?;
        let problems = probe_undo(&chosen.project, &loaded.state, &plan)?;
        let digest = undo_digest(&plan);
        let goes = problems.is_empty() && !self.dry_run && (self.yes || confirm(session, &plan)?);
        if !goes {
            return self.show(session, &plan, &problems, &digest);
        }
        let events = ask(
            session,
            Ask {
                project: &chosen.project,
                graph: &chosen.graph,
                run: chosen.run,
                verb: Verb::Reset { of, digest },
                note: None,
            },
        )?;
        let request = events.iter().find_map(|envelope| match &envelope.event {
            Event::ControlReceived(event) => Some(event.control.id.clone()),
            _ => None,
        });
        let loaded = chosen.load()?;
        let undoing = request.and_then(|id| view::undoing(&loaded.state, &loaded.envelopes, &id));
        tell_undoing(session, &events, undoing.as_ref())?;
        session.note("what was undone is done again by `laneway retry --task TASK`, and gone on without by `laneway skip`");
        let held_up = undoing.is_some_and(|undoing| undoing.is_held_up());
        Ok(if held_up { Exit::Failed } else { Exit::Achieved })
    }

    fn target(&self) -> Result<UndoTarget, CliError> {
        let bad = |error: &dyn std::error::Error| CliError::usage(error.to_string());
        match (self.what, self.id.as_deref(), &self.to) {
            (Some(What::Task), Some(id), _) => Ok(UndoTarget::Task(TaskId::new(id).map_err(|e| bad(&e))?)),
            (Some(What::Workstream), Some(id), _) => {
                Ok(UndoTarget::Lane(LaneId::new(id).map_err(|e| bad(&e))?))
            }
            (_, _, Some(task)) => Ok(UndoTarget::To(task.clone())),
            _ => Err(CliError::usage("it says neither `task ID`, nor `workstream ID`, nor `--to TASK`")),
        }
    }

    fn show(
        &self,
        session: &Session,
        plan: &UndoPlan,
        problems: &[UndoProblem],
        digest: &str,
    ) -> Result<Exit, CliError> {
        if session.json() {
            session.answer_json(
                &json!({ "plan": plan, "problems": problems, "digest": digest, "done": false }),
            )?;
        } else {
            session.answer(&view::undo_text(plan))?;
            for problem in problems {
                session.answer(&format!("cannot be undone: {}", problem.message))?;
                if let Some(hint) = &problem.hint {
                    session.note(&format!("hint: {hint}"));
                }
            }
        }
        if problems.is_empty() && !self.dry_run {
            session.note("nothing was done; `--yes` does it");
        }
        Ok(if problems.is_empty() && self.dry_run { Exit::Achieved } else { Exit::Failed })
    }
}

/// Shows the plan on a terminal and asks; where there is nobody to ask, the answer is no.
fn confirm(session: &Session, plan: &UndoPlan) -> Result<bool, CliError> {
    if session.json() || !session.on_terminal() || !stdin().is_terminal() {
        return Ok(false);
    }
    session.answer(&view::undo_text(plan))?;
    say("undo this? [y/N] ");
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line);
    read.map_err(|error| CliError::file("read", std::path::Path::new("the terminal"), &error))?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
