//! Where a reset stands, lane by lane: what is undone, what waits for a person, what follows then, and what stays.

use std::fmt::Write as _;

use serde::Serialize;

use super::plain::one_line;
use super::undo::{FITS, WORDS_SHOWN, target};
use crate::event::{Control, ControlVerb, Envelope, Event, LaneStatus, UndoPlan, UndoTarget};
use crate::id::LaneId;
use crate::state::{NOT_UNDONE, Revert, State};

/// A reset that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Undoing {
    /// What was asked for.
    pub of: UndoTarget,
    /// Whether all of it is undone.
    pub done: bool,
    /// Its lanes, in the order of the graph.
    pub lanes: Vec<LaneUndoing>,
    /// The commands that lead on, where a person is needed.
    pub next: Vec<String>,
}

/// A lane of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LaneUndoing {
    /// Which.
    pub lane: LaneId,
    /// Where it stands.
    #[serde(flatten)]
    pub stands: UndoStands,
}

/// How far the reset of a lane is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum UndoStands {
    /// It is undone.
    Undone,
    /// A pull request takes it back once a person merges it.
    WaitsForMerge {
        /// Its number.
        number: u64,
        /// Its address.
        url: String,
    },
    /// These lanes go first; then Laneway goes on with it by itself.
    Follows {
        /// Which.
        after: Vec<LaneId>,
    },
    /// Laneway is at it.
    UnderWay,
    /// It is as it was, and nothing more happens to it.
    Stays {
        /// Why.
        reason: String,
    },
}

impl Undoing {
    /// Whether more is to be done to a lane once a person has acted, or nothing at all.
    pub fn is_held_up(&self) -> bool {
        let held =
            |lane: &LaneUndoing| matches!(lane.stands, UndoStands::Follows { .. } | UndoStands::Stays { .. });
        self.lanes.iter().any(held)
    }
}

/// Where the reset stands that was asked for by `request`; `None` where the run knows none.
pub fn undoing(state: &State, events: &[Envelope], request: &str) -> Option<Undoing> {
    newest(state, events, |control, _| control.id == request)
}

/// Where the newest reset stands that touches `lane`.
pub fn undoing_of(state: &State, events: &[Envelope], lane: &LaneId) -> Option<Undoing> {
    newest(state, events, |_, plan| plan.lanes.iter().any(|planned| planned.lane == *lane))
}

fn newest(
    state: &State,
    events: &[Envelope],
    which: impl Fn(&Control, &UndoPlan) -> bool,
) -> Option<Undoing> {
    let (at, control, plan) = events.iter().enumerate().rev().find_map(|(at, envelope)| {
        let Event::ControlReceived(event) = &envelope.event else { return None };
        let ControlVerb::Reset { plan } = &event.control.verb else { return None };
        which(&event.control, plan).then_some((at, &event.control, plan))
    })?;
    let lanes: Vec<LaneUndoing> = plan
        .lanes
        .iter()
        .map(|planned| {
            let stands = stands(state, &events[at..], control, &planned.lane);
            LaneUndoing { lane: planned.lane.clone(), stands }
        })
        .collect();
    let done = lanes.iter().all(|lane| lane.stands == UndoStands::Undone);
    let next = next(state, plan, &lanes);
    Some(Undoing { of: plan.of.clone(), done, lanes, next })
}

fn stands(state: &State, since: &[Envelope], control: &Control, id: &LaneId) -> UndoStands {
    let Some(ix) = state.index().lane(id) else {
        return UndoStands::Stays { reason: "the run has no such lane".to_owned() };
    };
    let lane = &state.lanes[ix];
    if let Some(undo) = lane.undo.as_ref().filter(|undo| undo.request == control.id) {
        if undo.done {
            return UndoStands::Undone;
        }
        if let Some(revert) = lane.revert.as_ref().filter(|revert| revert.is_open()) {
            return UndoStands::WaitsForMerge { number: revert.at.number, url: revert.at.url.clone() };
        }
        let first = state.undo_waits_for(ix);
        let after: Vec<LaneId> = first.into_iter().map(|l| state.plan().lanes[l].id.clone()).collect();
        return if after.is_empty() { UndoStands::UnderWay } else { UndoStands::Follows { after } };
    }
    if since.iter().any(|envelope| envelope.subject.lane.as_ref() == Some(id) && ends_undone(&envelope.event))
    {
        return UndoStands::Undone;
    }
    let said = lane.remarks.iter().rev().find_map(|remark| remark.strip_prefix(NOT_UNDONE));
    UndoStands::Stays { reason: said.unwrap_or("the reset ended before it came to it").to_owned() }
}

/// Whether a lane has come to the end of its reset.
fn ends_undone(event: &Event) -> bool {
    match event {
        Event::LaneUndone(_) => true,
        Event::WorkflowTransition(event) => {
            event.of == crate::event::Entity::Lane && event.to == LaneStatus::Reset.to_string()
        }
        _ => false,
    }
}

fn next(state: &State, plan: &UndoPlan, lanes: &[LaneUndoing]) -> Vec<String> {
    let merges: Vec<String> = lanes
        .iter()
        .filter_map(|lane| match &lane.stands {
            UndoStands::WaitsForMerge { number, .. } => Some(format!("laneway pr merge {number}")),
            _ => None,
        })
        .collect();
    if !merges.is_empty() {
        return merges;
    }
    let stays = lanes.iter().any(|lane| matches!(lane.stands, UndoStands::Stays { .. }));
    if stays && state.undo(&plan.of).is_ok() {
        return vec![format!("laneway reset {}", target(&plan.of))];
    }
    if stays { vec!["laneway status".to_owned()] } else { Vec::new() }
}

/// Where a reset stands, one line a lane, for people.
pub fn undoing_text(undoing: &Undoing) -> String {
    let all = undoing.lanes.len();
    let undone = undoing.lanes.iter().filter(|lane| lane.stands == UndoStands::Undone).count();
    let noun = if all == 1 { "lane" } else { "lanes" };
    let mut out = format!("reset {}: {undone} of {all} {noun} undone\n", target(&undoing.of));
    let width = undoing.lanes.iter().map(|lane| lane.lane.as_str().len()).max().unwrap_or(0);
    for lane in &undoing.lanes {
        writeln!(out, "  {:width$}  {}", lane.lane, text(&lane.stands)).expect(FITS);
    }
    let waits = |lane: &LaneUndoing| matches!(lane.stands, UndoStands::WaitsForMerge { .. });
    let then = match () {
        () if undoing.next.is_empty() => return out,
        () if undoing.lanes.iter().any(waits) => "a person merges it",
        () if undoing.next[0] == "laneway status" => "where things stand",
        () => "to undo what stays",
    };
    writeln!(out, "next: {} ({then})", undoing.next.join(", ")).expect(FITS);
    out
}

fn text(stands: &UndoStands) -> String {
    match stands {
        UndoStands::Undone => "undone".to_owned(),
        UndoStands::WaitsForMerge { number, url } => {
            let url = one_line(url, WORDS_SHOWN);
            format!("undone once pull request #{number} is merged: {url}")
        }
        UndoStands::Follows { after } => {
            let after: Vec<&str> = after.iter().map(LaneId::as_str).collect();
            format!("follows by itself after {}", after.join(", "))
        }
        UndoStands::UnderWay => "being undone".to_owned(),
        UndoStands::Stays { reason } => format!("stays: {}", one_line(reason, WORDS_SHOWN)),
    }
}

/// How many lanes of the same reset come after `lane`, whose pull request waits to be merged.
pub(super) fn followers(state: &State, lane: usize) -> Vec<String> {
    let Some(undo) = &state.lanes[lane].undo else { return Vec::new() };
    let left = state.lanes.iter().enumerate().filter(|(other, now)| {
        let same = now.undo.as_ref().is_some_and(|other| other.request == undo.request && !other.done);
        *other != lane && same && !now.revert.as_ref().is_some_and(Revert::is_open)
    });
    left.map(|(other, _)| format!("`{}`", state.plan().lanes[other].id)).collect()
}
