//! How a lane stands to the lanes beside it.

use super::neutral::code;
use super::room::Room;
use super::sections::{Section, WORDS};
use crate::event::LaneStatus;
use crate::id::Sha;
use crate::plan::LaneIx;

/// Room for the list of lanes.
const LANES: usize = 4_000;

impl Section<'_> {
    /// The lanes that this one stands on, those nested in it, and those that wait for it. Of the last only what does
    /// not change while this lane rests: their own pull requests tell more.
    pub(super) fn lanes(&self) -> String {
        let index = self.state.index();
        let mut lines: Vec<String> =
            index.parent[self.lane].map(|parent| self.nested_in(parent)).into_iter().collect();
        lines.extend(self.stacked());
        let holds = &self.state.lanes[self.lane].contains;
        let held = holds.iter().filter(|(up, _)| !index.is_within(self.lane, **up));
        lines.extend(held.map(|(&up, tip)| self.held(up, tip)));
        let missing = index.children[self.lane].iter().filter(|child| !holds.contains_key(child));
        lines.extend(missing.map(|&child| {
            format!("- without nested lane {}: {}\n", self.named(child), self.state.lanes[child].status)
        }));
        let waiting = index.downstream[self.lane].iter();
        lines.extend(waiting.map(|&down| format!("- lane {} builds on this one\n", self.named(down))));
        if lines.is_empty() {
            return String::new();
        }
        let mut out = String::from("## Other lanes\n\n");
        let mut list = Room::new(LANES);
        for line in &lines {
            list.put(&mut out, line);
        }
        list.close(&mut out, "lane");
        out
    }

    /// A lane with its pull request, where that is known.
    pub(super) fn named(&self, lane: LaneIx) -> String {
        let number = self.state.lanes[lane].pr.as_ref().map(|pr| format!(" (#{})", pr.at.number));
        format!("`{}`{}", self.plan.lanes[lane].id, number.unwrap_or_default())
    }

    fn nested_in(&self, parent: LaneIx) -> String {
        let target = code(&self.plan.lanes[parent].target, WORDS);
        format!(
            "- nested in lane {}: it is merged into that one, and reaches {target} with it\n",
            self.named(parent)
        )
    }

    /// Where the pull request goes for now, if that is not where it ends.
    fn stacked(&self) -> Option<String> {
        let target = &self.lane_plan().target;
        let (base, draft) = self.state.base_of(self.lane);
        if draft {
            return Some("- a draft until the lanes that it holds have landed\n".to_owned());
        }
        let target = code(target, WORDS);
        (base != self.lane_plan().target).then(|| {
            format!(
                "- stacked: it goes to {} until that lane has landed, then to {target}\n",
                code(&base, WORDS)
            )
        })
    }

    fn held(&self, up: LaneIx, tip: &Sha) -> String {
        let nested = self.state.index().is_within(up, self.lane);
        let landed = match self.state.lanes[up].status {
            LaneStatus::Merged if nested => "merged into this one",
            LaneStatus::Merged => "landed",
            LaneStatus::Failed => "failed",
            LaneStatus::Reset => "undone",
            _ => "to be merged first",
        };
        let what = if nested { "nested lane" } else { "lane" };
        format!("- holds {what} {} at `{}`: {landed}\n", self.named(up), tip.short())
    }
}
