//! Requests to a run, and what came of them.

use super::drive::runtime;
use super::error::CliError;
use super::exit::Exit;
use super::session::Session;
use crate::event::Envelope;
use crate::id::{GraphName, RunNo};
use crate::runtime::{Answer, Project, request};
use crate::signal::Verb;
use crate::view;

/// A request and the run that it goes to.
pub(super) struct Ask<'a> {
    /// The repository.
    pub(super) project: &'a Project,
    /// The graph.
    pub(super) graph: &'a GraphName,
    /// The run.
    pub(super) run: RunNo,
    /// What is asked.
    pub(super) verb: Verb,
    /// What the person adds.
    pub(super) note: Option<String>,
}

/// Sends the request and waits until it is followed or refused.
pub(super) fn ask(session: &Session, ask: Ask<'_>) -> Result<Vec<Envelope>, CliError> {
    let by = session.person(ask.project);
    let answer = runtime()?.block_on(request(
        ask.project,
        ask.graph,
        ask.run,
        ask.verb,
        ask.note,
        &by,
        session.environment(),
    ))?;
    match answer {
        Answer::Taken(events) => Ok(events),
        Answer::Rejected { reason, hint } => Err(CliError::new("rejected", Exit::Failed, reason).hint(hint)),
    }
}

/// Answers with what followed from a request.
pub(super) fn tell_events(session: &Session, events: &[Envelope]) -> Result<(), CliError> {
    tell_undoing(session, events, None)
}

/// Answers with what followed from a request, and where the reset stands by now that it is about.
pub(super) fn tell_undoing(
    session: &Session,
    events: &[Envelope],
    undoing: Option<&view::Undoing>,
) -> Result<(), CliError> {
    if session.json() {
        let mut answer = events_json(events)?;
        if let Some(undoing) = undoing {
            answer["undo"] = serde_json::json!(undoing);
        }
        return session.answer_json(&answer);
    }
    for event in events.iter().filter(|event| view::important(event)) {
        session.answer(&view::line(event))?;
    }
    match undoing {
        Some(undoing) => session.answer(&view::undoing_text(undoing)),
        None => Ok(()),
    }
}

/// Answers with what followed from a request as a run does, an event a line.
pub(super) fn tell_lines(session: &Session, events: &[Envelope]) -> Result<(), CliError> {
    events.iter().try_for_each(|event| session.answer(&event.to_json()?))
}

/// Events as a list of their wire form.
fn events_json(events: &[Envelope]) -> Result<serde_json::Value, CliError> {
    let mut list = Vec::with_capacity(events.len());
    for event in events {
        let line = event.to_json()?;
        list.push(serde_json::from_str(&line).expect("an event is written as JSON"));
    }
    Ok(serde_json::json!({ "taken": true, "events": serde_json::Value::Array(list) }))
}
