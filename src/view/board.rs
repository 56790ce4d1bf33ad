//! The status files that a lane should have.

use std::collections::BTreeMap;

use super::plain;
use crate::event::{LaneStatus, Timestamp};
use crate::id::LaneId;
use crate::plan::Plan;
use crate::state::{Lane, State};

/// How much of an error a `failed` file holds, in characters.
const ERROR_SHOWN: usize = 8000;

/// The text of every lane's status files: each status that it has passed, with its time; `pr_created` holds the
/// pull request's URL, `failed` the error. The same state gives the same bytes. Before the run's first event there
/// are none.
pub fn lane_files(plan: &Plan, state: &State) -> BTreeMap<LaneId, BTreeMap<LaneStatus, String>> {
    let lanes = plan.lanes.iter().zip(&state.lanes);
    let files = lanes.map(|(plan, lane)| (plan.id.clone(), status_files(lane, state.run.started_at)));
    files.filter(|(_, files)| !files.is_empty()).collect()
}

/// The status files of one lane of a run that began at `started`.
pub fn status_files(lane: &Lane, started: Option<Timestamp>) -> BTreeMap<LaneStatus, String> {
    let Some(started) = started else { return BTreeMap::new() };
    let passed = lane.since.iter();
    let mut files: BTreeMap<_, _> =
        passed.map(|(&status, at)| (status, text(lane, status).unwrap_or_else(|| at.to_string()))).collect();
    files.entry(LaneStatus::Pending).or_insert_with(|| started.to_string());
    files
}

fn text(lane: &Lane, status: LaneStatus) -> Option<String> {
    match status {
        LaneStatus::PrCreated => lane.pr.as_ref().map(|pr| pr.at.url.clone()),
        LaneStatus::Failed => {
            let error = plain::visible(lane.reason.as_deref().unwrap_or_default());
            let error = error.trim();
            (!error.is_empty()).then(|| plain::cut(error, ERROR_SHOWN))
        }
        _ => None,
    }
}
