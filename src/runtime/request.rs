//! Asking something of a run, whether an orchestrator carries it now or not.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::orchestrator::{Drive, drive};
use super::{Project, RuntimeError, poller, store};
use crate::engine::news;
use crate::event::{ControlVerb, Effect, Envelope, Event, RunStatus, UndoStep};
use crate::id::{GraphName, RunNo};
use crate::journal::{Follow, Journal, LockError, Mode, RunLock};
use crate::signal::{self, Verb};

/// What became of a request.
#[derive(Debug)]
pub enum Answer {
    /// It was taken; these events tell what followed from it at once.
    Taken(Vec<Envelope>),
    /// It was not.
    Rejected {
        /// Why.
        reason: String,
        /// What to do instead.
        hint: Option<String>,
    },
}

/// How long between looks at whether the orchestrator that is asked still lives.
const LOOK: Duration = Duration::from_secs(1);

/// Writes the request; where an orchestrator lives, waits for its answer, else takes the lock and settles it, starting
/// no attempts.
pub async fn request(
    project: &Project,
    graph: &GraphName,
    run: RunNo,
    verb: Verb,
    note: Option<String>,
    by: &str,
    environment: Vec<(OsString, OsString)>,
) -> Result<Answer, RuntimeError> {
    let (plan, _) = store::read_plan(project, graph, run)?;
    project.ensure_home(&plan)?;
    let board = project.board(graph, run);
    let lanes: Vec<_> = plan.lanes.iter().map(|l| l.id.clone()).collect();
    let _put_up = board.put_up(&lanes)?;
    let dir = project.record.run_dir(graph, run);
    let (journal, _) = Journal::open(&dir, Mode::ReadOnly)?;
    let mut follow = Follow::open(&dir, journal.end())?;
    drop(journal);
    let asked = signal::submit(&board, verb, by, Some(super::clock::wall().to_string()), note)?;
    let plan = Arc::new(plan);
    let mut seen = Vec::new();
    loop {
        match store::lock(project, graph) {
            Ok(lock) => {
                settle(project, &plan, lock, environment.clone()).await?;
                read(&mut follow, &mut seen)?;
                let answered = match answer(&asked.file, &seen) {
                    None => resting(project, (graph, run), &asked.file, &seen)?,
                    answered => answered,
                };
                return Ok(answered.unwrap_or_else(|| last_word(&seen)));
            }
            Err(RuntimeError::Lock(LockError::Held { .. })) => {
                read(&mut follow, &mut seen)?;
                if let Some(answer) = answer(&asked.file, &seen) {
                    return Ok(answer);
                }
                if let Some(answer) = resting(project, (graph, run), &asked.file, &seen)? {
                    return Ok(answer);
                }
                wait(follow_path(project, graph, run)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Asks GitHub once what became of the open pull requests of a run at rest, and lets the run take in what is new to it.
/// Does nothing where there is nothing to ask, or where an orchestrator does it anyway. Returns why there is no news, where
/// GitHub could not be asked.
pub async fn ask_for_news(
    project: &Project,
    graph: &GraphName,
    run: RunNo,
    environment: Vec<(OsString, OsString)>,
) -> Result<Option<String>, RuntimeError> {
    let loaded = store::load(project, graph, run)?;
    if let Err(error) = project.ensure_home(&loaded.plan) {
        return Ok(Some(error.to_string()));
    }
    // Whoever only looks does not carry on what a killed orchestrator has left.
    let rests = loaded.state.run.status != Some(RunStatus::Running) && loaded.state.outstanding.is_empty();
    let Some(github) = super::forge::github(project, &loaded.plan, &environment).await?.filter(|_| rests)
    else {
        return Ok(None);
    };
    match poller::look(&github, &loaded.state).await {
        Err(error) => return Ok(Some(poller::problem(&error))),
        Ok(facts) => {
            if news(&loaded.state, facts).is_empty() {
                return Ok(None);
            }
        }
    }
    match store::lock(project, graph) {
        Ok(lock) => settle(project, &loaded.plan, lock, environment).await.map(|()| None),
        Err(RuntimeError::Lock(LockError::Held { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn settle(
    project: &Project,
    plan: &Arc<crate::plan::Plan>,
    lock: RunLock,
    environment: Vec<(OsString, OsString)>,
) -> Result<(), RuntimeError> {
    let (_sender, interrupts) = mpsc::unbounded_channel();
    drive(Drive {
        project: project.clone(),
        plan: Arc::clone(plan),
        lock,
        attempts: false,
        wait_merged: false,
        events: None,
        interrupts,
        environment,
    })
    .await?;
    Ok(())
}

fn follow_path(project: &Project, graph: &GraphName, run: RunNo) -> std::path::PathBuf {
    project.record.run_dir(graph, run).join("journal.jsonl")
}

/// Waits for the journal to grow, or for the time to look whether its writer still lives.
async fn wait(journal: std::path::PathBuf) {
    use notify::Watcher as _;
    let (sender, mut grown) = mpsc::unbounded_channel();
    let watcher = notify::recommended_watcher(move |_| {
        // Whoever waited has gone on; there is nobody to tell.
        _ = sender.send(());
    });
    let watching = watcher.and_then(|mut watcher| {
        watcher.watch(&journal, notify::RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    tokio::select! {
        _ = grown.recv(), if watching.is_ok() => {}
        () = tokio::time::sleep(LOOK) => {}
    }
}

fn read(follow: &mut Follow, seen: &mut Vec<Envelope>) -> Result<(), RuntimeError> {
    for line in follow.read_new()? {
        seen.push(store::read_line(seen.len(), &line)?);
    }
    Ok(())
}

/// The answer to request `id`, as far as the events tell it.
fn answer(id: &str, events: &[Envelope]) -> Option<Answer> {
    let mut effect = None;
    let mut taken = None;
    let mut undone = None;
    for (position, envelope) in events.iter().enumerate() {
        match &envelope.event {
            Event::ControlRejected(event) if event.request == id => {
                return Some(Answer::Rejected { reason: event.reason.clone(), hint: None });
            }
            Event::ControlReceived(event) if event.control.id == id => {
                taken = Some(position);
                if let ControlVerb::Reset { plan } = &event.control.verb {
                    undone = Some(plan.lanes.iter().map(|lane| lane.lane.clone()).collect::<BTreeSet<_>>());
                } else if !needs_effect(&event.control.verb) {
                    return Some(Answer::Taken(events[position..].to_vec()));
                }
            }
            Event::UndoRefused(event) if event.request == id => {
                let (reason, hint) =
                    (event.reason.clone(), "laneway status shows where things stand".to_owned());
                return Some(Answer::Rejected { reason, hint: Some(hint) });
            }
            Event::LaneUndone(_) | Event::RevertOpened(_) => {
                if let (Some(undone), Some(lane)) = (&mut undone, &envelope.subject.lane) {
                    undone.remove(lane);
                }
            }
            Event::EffectIntended(event) if asked_by(&event.effect) == Some(id) => {
                effect = Some(event.id.clone());
            }
            Event::EffectConfirmed(event) if Some(&event.id) == effect.as_ref() => {
                return Some(Answer::Taken(events[taken.unwrap_or(0)..].to_vec()));
            }
            Event::EffectFailed(event) if Some(&event.id) == effect.as_ref() => {
                let failure = event.failure.clone();
                return Some(Answer::Rejected {
                    reason: failure.message,
                    hint: failure.hint.map(|hint| format!("{hint}, then try again")),
                });
            }
            _ => {}
        }
    }
    let all = undone.is_some_and(|left| left.is_empty());
    all.then(|| Answer::Taken(events[taken.unwrap_or(0)..].to_vec()))
}

/// A reset has done its part for now where a person has to merge a pull request of it before the next lane goes.
fn resting(
    project: &Project,
    (graph, run): (&GraphName, RunNo),
    id: &str,
    events: &[Envelope],
) -> Result<Option<Answer>, RuntimeError> {
    let taken = events.iter().position(
        |envelope| matches!(&envelope.event, Event::ControlReceived(event) if event.control.id == id),
    );
    let opened = |envelope: &Envelope| matches!(envelope.event, Event::RevertOpened(_));
    let Some(taken) = taken.filter(|&taken| events[taken..].iter().any(opened)) else { return Ok(None) };
    let waits = store::load(project, graph, run)?.state.undo_waits_for_person(id);
    Ok(waits.then(|| Answer::Taken(events[taken..].to_vec())))
}

/// What there is to say of a request that was neither followed nor refused.
fn last_word(events: &[Envelope]) -> Answer {
    let failed = events.iter().rev().find_map(|envelope| match &envelope.event {
        Event::EffectFailed(event) if event.id.0.starts_with("undo/") => Some(event.failure.message.clone()),
        _ => None,
    });
    let reason = failed.map_or_else(
        || "the run came to rest without an answer".to_owned(),
        |why| format!("it is not done yet: {why}; laneway resume goes on with it"),
    );
    Answer::Rejected { reason, hint: Some("laneway events shows what happened".to_owned()) }
}

fn needs_effect(verb: &ControlVerb) -> bool {
    use ControlVerb as V;
    matches!(verb, V::Merge { .. } | V::Review { .. } | V::Revert { .. })
}

fn asked_by(effect: &Effect) -> Option<&str> {
    match effect {
        Effect::MergePr { request, .. } => request.as_deref(),
        Effect::Review { request, .. }
        | Effect::Undo { request, step: UndoStep::Merge { .. } | UndoStep::Close, .. } => Some(request),
        _ => None,
    }
}
