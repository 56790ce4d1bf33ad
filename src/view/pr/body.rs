//! The parts of a body, in their order and within the limit.

use super::neutral;
use super::sections::Section;
use super::summaries;
use crate::event::DiffFile;
use crate::plan::{LaneIx, Plan, pr_marker};
use crate::state::State;

/// The most characters that a body has; what GitHub takes.
pub const MOST_CHARACTERS: usize = 65_536;
/// The most characters that a title has.
const TITLE_SHOWN: usize = 200;

/// The words of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrText {
    /// Its title, one line.
    pub title: String,
    /// Its body in Markdown, at most [`MOST_CHARACTERS`].
    pub body: String,
}

/// Writes the integration pull request of `lane`, whose change is `diff`. The same state gives the same bytes.
///
/// Every part has a share of the room that it cannot exceed; what is left goes to the agents' summaries, which are
/// cut first. Whatever is cut says so.
pub fn pull_request(plan: &Plan, state: &State, lane: LaneIx, diff: &[DiffFile]) -> PrText {
    let section = Section { plan, state, lane };
    let head = [
        section.opening(),
        section.concerns(),
        section.trouble(),
        section.tasks(),
        section.used(),
        section.picture(),
        section.files(diff),
        section.checks(),
        section.lanes(),
    ];
    let tail = format!(
        "{}\n{}\n<!-- {} -->\n",
        section.reproduce(),
        section.origin(),
        pr_marker(plan, &plan.lanes[lane].id, state.lanes[lane].rounds())
    );
    let mut body = head.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n");
    let used = body.chars().count() + tail.chars().count() + 2;
    let summaries = summaries::summaries(plan, state, lane, MOST_CHARACTERS.saturating_sub(used));
    for part in [summaries, tail] {
        if !part.is_empty() {
            body.push('\n');
            body.push_str(&part);
        }
    }
    PrText { title: title(plan, lane), body }
}

fn title(plan: &Plan, lane: LaneIx) -> String {
    let lane_plan = &plan.lanes[lane];
    let about = lane_plan.description.clone().unwrap_or_else(|| {
        let tasks = plan.tasks.iter().filter(|t| t.lane == lane_plan.id);
        tasks.map(|t| t.id.to_string()).collect::<Vec<_>>().join(", ")
    });
    let about = neutral::prose(&about, TITLE_SHOWN);
    format!("{}/{}: {about}", plan.graph, lane_plan.id)
}
